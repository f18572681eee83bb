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
include "dialect/SpectralFeatureOps.td"
include "dialect/SpectralRandomOps.td"

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Spectral_LinearAttentionOp : Spectral_Op<"linear_attention", [
    Pure, AttrSizedOperandSegments, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "Linear attention that owns its feature map.";
  let description = [{
    Computes attention with the kernel `phi(q) . phi(k)` in time linear in the number of positions.

    Formula: with `phi` the map of the region, mask `m_s = 1` if `s < lengths[b]` (and, if causal, `s <= l`),
    `out_l = (sum_s m_s phi(q_l) . phi(k_s) v_s) / (sum_s m_s phi(q_l) . phi(k_s) + eps exp(offset))`,
    query `[B, H, L, D]`, key `[B, H, S, D]`, value `[B, H, S, M]`, result `[B, H, L, M]`
    ("Transformers are RNNs", equations 4 and 5). The mask acts on `phi(k)`, so it reaches the denominator. The
    temperature is part of the map: the graph scales the rows.

    Numerics: products accumulate in the element type (f32 for 16-bit inputs). In `domain<log>` the region yields
    `log phi`, and the op exponentiates with a running maximum of each feature over the keys, so features of any size
    neither overflow nor underflow; `eps` is compared with the unscaled denominator, exactly as the formula says. A
    query without a visible key (length 0) yields 0 for any `eps`. Denominators of maps that are not positive may be
    near zero; nothing guards them. Results do not depend on the number of threads.

    Constraints:
    - C1: 'query', 'key' and 'value' have rank 4 and one element type.
    - C2: they agree in the batch and head dimensions; 'key' and 'value' agree in the number of positions.
    - C3: head dimensions, the value width and the number of features are static and positive.
    - C4: causal attention has as many queries as keys.
    - C5: 'lengths' has an element for each batch entry.
    - C6: 'offset' is `[B, H]` of the element type.
    - C7: the first dimension of each of 'parameters' is H, or 1 if all heads share it.
    - C8: a region's arguments are a tile `tensor<?xD>` of the rows and each parameter without its first dimension.
    - C9: a region yields a tile `tensor<?xF>`; both regions yield the same F.
    - C10: 'eps' is finite and not negative.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @gmm_prf(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                       %w: tensor<8x64x256xf32>, %lengths: tensor<?xi64>) -> tensor<?x8x?x64xf32> {
      %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
          value(%v : tensor<?x8x?x64xf32>) lengths(%lengths : tensor<?xi64>)
          parameters(%w : tensor<8x64x256xf32>) {domain = #spectral.domain<log>, eps = 1.0e-6 : f64}
          features (%x: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
            %c0 = arith.constant 0 : index
            %zero = arith.constant 0.0 : f32
            %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
            %empty = tensor.empty(%rows) : tensor<?x256xf32>
            %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
            %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                               outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
            %log_phi = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 256 : i64}
              : tensor<?x256xf32>, tensor<?x64xf32> -> tensor<?x256xf32>
            spectral.yield %log_phi : tensor<?x256xf32>
          } -> tensor<?x8x?x64xf32>
      return %out : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: `spectral-outline-kernels` gives it a function and a schedule, `spectral-emit-cpu-kernels` writes the
    kernel; `spectral-decompose` writes it out as plain `linalg` with stored features.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Queries `[B, H, L, D]`, before the feature map.">:$query,
    Arg<Spectral_FloatTensor, "Keys `[B, H, S, D]`, before the feature map.">:$key,
    Arg<Spectral_FloatTensor, "Values `[B, H, S, M]`.">:$value,
    Arg<Optional<Spectral_IndexVector>, "Number of kept keys of each batch entry `[B]`, in `[0, S]`.">:$lengths,
    Arg<Optional<Spectral_FloatTensor>, "Logarithm of a factor of eps `[B, H]`, for stabilized maps.">:$offset,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H or 1, ...]`.">:$parameters,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain,
    DefaultValuedAttr<Spectral_CausalityAttr, "::bochner::spectral::Causality::none">:$causality,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps);
  let results = (outs Res<Spectral_FloatTensor, "Attention `[B, H, L, M]`.">:$out);
  let regions = (region SizedRegion<1>:$features, MaxSizedRegion<1>:$queryFeatures);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`offset` `(` $offset^ `:` type($offset) `)`)?
    (`parameters` `(` $parameters^ `:` type($parameters) `)`)? attr-dict
    `features` custom<FeatureRegion>($features) custom<QueryFeatureRegion>($queryFeatures) `->` type($out)
  }];
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The region that maps queries: its own, or the keys'.
    ::mlir::Region &getQueryMap() { return getQueryFeatures().empty() ? getFeatures() : getQueryFeatures(); }
    int64_t getValueWidth();
    bool isCausal() { return getCausality() == Causality::causal; }
  }];
}

def Spectral_FeatureMapOp : Spectral_Op<"feature_map", [
    Pure, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "Features of every row, as a tensor.";
  let description = [{
    Stores the features that its region maps every row to.

    Formula: `out[b, h, n, :] = phi(rows[b, h, n, :])`; in `domain<log>` the region yields `log phi` and
    `out = exp(region)`; rows `[B, H, N, D]`, result `[B, H, N, F]`.

    Numerics: computed in the element type; features beyond its range overflow to infinity. There is no denominator.
    Deterministic.

    Constraints:
    - C1: 'rows' has rank 4; its head dimension and the number of features are static and positive.
    - C2: the first dimension of each of 'parameters' is H, or 1 if all heads share it.
    - C3: the region's arguments are a tile `tensor<?xD>` of the rows and each parameter without its first dimension.
    - C4: the region yields a tile `tensor<?xF>`.

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
    Pure, Terminator, ReturnLike, ParentOneOf<["LinearAttentionOp", "FeatureMapOp"]>]> {
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

def Spectral_ExactAttentionOp : Spectral_Op<"exact_attention", [
    Pure, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified]> {
  let summary = "Attention with a kernel in closed form.";
  let description = [{
    Computes the attention that feature maps estimate, in quadratic time and without storing the weights.

    Formula: `out_l = sum_s m_s w_ls v_s / (sum_s m_s w_ls + eps)` with `w_ls = exp(scale q_l . k_s)` and no eps for
    `kernel<softmax>`, `w_ls = exp(-scale |q_l - k_s|^2 / 2)` for `kernel<gaussian>`; masks, shapes and a query without
    a visible key as for `spectral.linear_attention`.

    Numerics: weights are exponentiated with a running maximum of each query ("Online normalizer calculation for
    softmax"); `eps` is compared with the unscaled denominator. Accumulates in the element type (f32 for 16-bit inputs).
    Results do not depend on the number of threads.

    Constraints:
    - C1: 'query', 'key' and 'value' have rank 4 and one element type.
    - C2: they agree in the batch and head dimensions; 'key' and 'value' agree in the number of positions, 'query' and
      'key' in the head dimension.
    - C3: the head dimension and the value width are static and positive.
    - C4: causal attention has as many queries as keys.
    - C5: 'lengths' has an element for each batch entry.
    - C6: 'scale' is finite, 'eps' is finite and not negative.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @softmax(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
        -> tensor<?x8x?x64xf32> {
      %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
          value(%v : tensor<?x8x?x64xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64}
          -> tensor<?x8x?x64xf32>
      return %out : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: as `spectral.linear_attention`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Queries `[B, H, L, D]`.">:$query,
    Arg<Spectral_FloatTensor, "Keys `[B, H, S, D]`.">:$key,
    Arg<Spectral_FloatTensor, "Values `[B, H, S, M]`.">:$value,
    Arg<Optional<Spectral_IndexVector>, "Number of kept keys of each batch entry `[B]`, in `[0, S]`.">:$lengths,
    Spectral_KernelAttr:$kernel, F64Attr:$scale,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps,
    DefaultValuedAttr<Spectral_CausalityAttr, "::bochner::spectral::Causality::none">:$causality);
  let results = (outs Res<Spectral_FloatTensor, "Attention `[B, H, L, M]`.">:$out);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? attr-dict `->` type($out)
  }];
  let extraClassDeclaration = [{
    bool isCausal() { return getCausality() == Causality::causal; }
  }];
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

    Numerics: accumulates in the element type, in a fixed order. Deterministic.

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
