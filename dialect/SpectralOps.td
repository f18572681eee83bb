//===- SpectralOps.td - kernelized attention -------------------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_OPS
#define BOCHNER_SPECTRAL_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "dialect/SpectralBase.td"
include "dialect/SpectralAttentionOps.td"
include "dialect/SpectralFeatureOps.td"
include "dialect/SpectralDerivativeOps.td"
include "dialect/SpectralStateOps.td"
include "dialect/SpectralRandomOps.td"

//===----------------------------------------------------------------------===//
// Feature maps
//===----------------------------------------------------------------------===//

def Spectral_FeatureMapOp : Spectral_Op<"feature_map", [
    Pure, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "Features of every row, as a tensor.";
  let description = [{
    Stores the features that its region maps every row to.

    Formula: `out[b, h, n, :] = phi(rows[b, h, n, :])`; in `domain<log>` the region yields `log phi` and
    `out = exp(region)`; rows `[B, H, N, D]`, result `[B, H, N, F]`.

    Numerics: computed in the element type (f32 for 16-bit rows); features beyond its range overflow to infinity. There
    is no denominator. Deterministic.

    Constraints:
    - C1: 'rows' has rank 4; its head dimension and the number of features are static and positive.
    - C2: the first dimension of each of 'parameters' is H, or 1 if all heads share it.
    - C3: the region's arguments are a tile `tensor<?xD>` of the rows and each parameter without its first dimension.
    - C4: the region yields a tile `tensor<?xF>`.
    - C5: the result has the element type of 'rows', or f32 if that has 16 bits.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @exp(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>}
          features (%tile: tensor<?x64xf32>) {
            spectral.yield %tile : tensor<?x64xf32>
          } -> tensor<?x8x?x64xf32>
      return %phi : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: as `spectral.linear_attention`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Rows `[B, H, N, D]`, before the feature map.">:$rows,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H or 1, ...]`.">:$parameters,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain);
  let results = (outs Res<Spectral_FloatTensor, "Features `[B, H, N, F]`.">:$out);
  let regions = (region SizedRegion<1>:$features);
  let assemblyFormat = [{
    `rows` `(` $rows `:` type($rows) `)` (`parameters` `(` $parameters^ `:` type($parameters) `)`)? attr-dict
    `features` custom<FeatureRegion>($features) `->` type($out)
  }];
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
}

def Spectral_YieldOp : Spectral_Op<"yield", [
    Pure, Terminator, ReturnLike,
    ParentOneOf<["LinearAttentionOp", "LinearAttentionGradOp", "AttentionStateOp", "ApplyStateOp", "FeatureMapOp"]>]> {
  let summary = "Yields the features of a tile of rows.";
  let description = [{
    Ends a feature region with the features, or their logarithms, of its tile of rows.

    Formula: `features [rows, F]`.

    Numerics: none.

    Constraints:
    - C1: the parent's verifier checks the type.

    Dynamic dimensions: the rows.

    Example: see `spectral.feature_map`.

    Lowering: consumed with its parent.
  }];
  let arguments = (ins Arg<Spectral_FloatTensor, "Features of the tile `[rows, F]`.">:$features);
  let assemblyFormat = "$features attr-dict `:` type($features)";
}

//===----------------------------------------------------------------------===//
// Spectral distributions
//===----------------------------------------------------------------------===//

def Spectral_GaussianFrequenciesOp : Spectral_Op<"gaussian_frequencies", [
    Pure, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified]> {
  let summary = "Frequencies of Gaussians from standard normal ones.";
  let description = [{
    Draws the frequencies of one Gaussian, or one per head, by transforming base frequencies.

    Formula: with base `omega [D, m]` and `mean [D]` or `[H, D]`, `W = A omega + mean` (the mean added to every
    column), where `A = sigma^T` for `covariance<full>` (`sigma [D, D]` or `[H, D, D]`, covariance `sigma^T sigma`),
    `A = diag(exp(sigma / 2))` for `covariance<diagonal>` (`sigma [D]` or `[H, D]`, log variances) and
    `A = exp(sigma / 2)` for `covariance<scalar>` (`sigma []` or `[H]`). The result is `W`, `[D, m]` or `[H, D, m]`;
    with `mean_sign<plus_minus>` it is `[A omega + mean, A omega - mean]`, `[..., D, 2 m]`.

    Numerics: accumulates in the element type, in a fixed order. Deterministic. Where fused attention is differentiated
    with respect to means and log variances, not 'base', their gradients come from moments of that of W
    (`spectral.linear_attention_grad`), for diagonal and scalar covariances and elements of at least 32 bits.

    Constraints:
    - C1: 'base' has rank 2, 'mean' rank 1 (shared by all heads) or 2 (per head).
    - C2: 'sigma' has the rank that its form of covariance asks for, and the dimensions of 'mean'.
    - C3: all have one element type; D and m are static.

    Dynamic dimensions: the heads.

    Example:
    ```mlir
    func.func @frequencies(%omega: tensor<64x256xf32>, %mean: tensor<8x64xf32>, %sigma: tensor<8x64xf32>)
        -> tensor<8x64x256xf32> {
      %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
        {covariance = #spectral.covariance<diagonal>}
        : tensor<64x256xf32>, tensor<8x64xf32>, tensor<8x64xf32> -> tensor<8x64x256xf32>
      return %w : tensor<8x64x256xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as `linalg`, whose contractions `spectral-vectorize-contractions` tiles
    for registers.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Base frequencies `[D, m]`, standard normal.">:$base,
    Arg<Spectral_FloatTensor, "Means `[D]` or `[H, D]`.">:$mean,
    Arg<Spectral_FloatTensor, "Covariances in the form that the attribute says.">:$sigma,
    Spectral_CovarianceAttr:$covariance,
    DefaultValuedAttr<Spectral_MeanSignAttr, "::bochner::spectral::MeanSign::plus">:$mean_sign);
  let results = (outs Res<Spectral_FloatTensor, "Frequencies `[D, m or 2 m]` or `[H, D, m or 2 m]`.">:$frequencies);
  let assemblyFormat = [{
    $base `mean` `(` $mean `)` `sigma` `(` $sigma `)` attr-dict
    `:` type($base) `,` type($mean) `,` type($sigma) `->` type($frequencies)
  }];
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Spectral_LaunchOp : Spectral_Op<"launch", [
    AttrSizedOperandSegments, DestinationStyleOpInterface, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Calls a kernel function on tensors.";
  let description = [{
    Calls the function that `spectral-outline-kernels` made of an operation, in destination-passing style.

    Formula: `result = kernel(inputs)`; shapes are those of the outlined operation, outputs give the result's.

    Numerics: those of the outlined operation.

    Constraints:
    - C1: 'kernel' names a function in the symbol table.
    - C2: it takes the inputs.
    - C3: results have the types of the outputs.

    Dynamic dimensions: those of the outlined operation.

    Example:
    ```mlir
    func.func private @kernel(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
    func.func @call(%x: tensor<?x8x?x64xf32>, %init: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %y = spectral.launch @kernel ins(%x : tensor<?x8x?x64xf32>) outs(%init : tensor<?x8x?x64xf32>)
        -> tensor<?x8x?x64xf32>
      return %y : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: `spectral-bufferize` turns it into a call of the emitted kernel.
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$kernel,
    Arg<Variadic<AnyRankedTensor>, "Operands of the outlined operation.">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "Destinations of the results.">:$outputs);
  let results = (outs Res<Variadic<AnyRankedTensor>, "Results of the kernel.">:$results);
  let assemblyFormat = [{
    $kernel `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` $outputs `:` type($outputs) `)` attr-dict
    `->` type($results)
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
  }];
}

def Spectral_ParallelForOp : Spectral_Op<"parallel_for", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a task function for every index through the runtime.";
  let description = [{
    Calls `task(i, scratch, captures...)` for every `i` below `count`, in any order and possibly in parallel, and
    returns when all have ended. Target level: captures are buffers and indices.

    Formula: none.

    Numerics: tasks write to disjoint places, so that results do not depend on the number of threads.

    Constraints:
    - C1: 'task' names a function whose arguments are an index, the scratch `memref<?xi8>` and the captures.

    Dynamic dimensions: any.

    Example:
    ```mlir
    func.func private @task(index, memref<?xi8>, memref<?x64xf32>)
    func.func @run(%count: index, %x: memref<?x64xf32>) {
      spectral.parallel_for @task count(%count) args(%x : memref<?x64xf32>)
      return
    }
    ```

    Lowering: `spectral-lower-parallel-for` turns it into a call of the runtime's `parallelFor`.
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$task,
    Arg<Index, "Number of tasks.">:$count,
    Arg<Variadic<AnyType>, "Passed to every task.">:$captures);
  let assemblyFormat = "$task `count` `(` $count `)` (`args` `(` $captures^ `:` type($captures) `)`)? attr-dict";
}

#endif // BOCHNER_SPECTRAL_OPS
