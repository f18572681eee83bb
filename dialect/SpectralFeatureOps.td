//===- SpectralFeatureOps.td - building blocks of feature maps -*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row-wise operations: on whole tensors [B, H, N, columns] before fusion, on a tile [rows, columns] inside a region.
// Any number of leading dimensions is accepted; the last one holds the columns.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_FEATURE_OPS
#define BOCHNER_SPECTRAL_FEATURE_OPS

include "dialect/SpectralBase.td"
include "dialect/SpectralAlgebraOps.td"

def Spectral_TrigOp : Spectral_RowwiseOp<"trig"> {
  let summary = "Cosines and sines of projections.";
  let description = [{
    Yields the trigonometric features of every row.

    Formula: for `u [..., P]` split into `groups` equal groups of columns `u_1, u_2, ...`,
    `result = amplitude * [cos u_1, sin u_1, cos u_2, sin u_2, ...]`, `[..., 2 P]`. One group gives random Fourier
    features ("Random Features for Large-Scale Kernel Machines"); two groups hold the projections on frequencies with
    +mean and -mean of a Gaussian (the paper's RKS maps).

    Numerics: computed in the element type by polynomials with an absolute error of about one unit in the last place
    of 1; the argument is reduced exactly in quarter turns, so its own rounding is what limits large arguments. There
    is no denominator. Deterministic.

    Constraints:
    - C1: 'projections' has a static last dimension that `groups` divides.
    - C2: 'amplitude' is finite.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @trig(%u: tensor<?x8x?x128xf32>) -> tensor<?x8x?x256xf32> {
      %phi = spectral.trig %u {amplitude = 0.125 : f64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
      return %phi : tensor<?x8x?x256xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`, where the kernel computes it in registers;
    `spectral-decompose` writes it out with `math.cos` and `math.sin`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Projections `[..., P]`.">:$projections,
    DefaultValuedAttr<F64Attr, "1.0">:$amplitude,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>, "1">:$groups);
  let results = (outs Res<Spectral_FloatTensor, "Features `[..., 2 P]`.">:$features);
  let assemblyFormat = "$projections attr-dict `:` type($projections) `->` type($features)";
}

def Spectral_LogPositiveOp : Spectral_RowwiseOp<"log_positive"> {
  let summary = "Logarithms of positive features.";
  let description = [{
    Yields the logarithm of the positive features of every row.

    Formula: `result = u - norm_factor |x|^2 - log(count) / 2`, `[..., P]`; with `symmetric`,
    `[u, -u] - norm_factor |x|^2 - log(count) / 2`, `[..., 2 P]`. `norm_factor = 0.5` estimates the softmax kernel
    ("Rethinking Attention with Performers", lemma 1), `norm_factor = 1.0` the Gaussian kernel; mixing the two is a
    silent error, so the factor is always spelled out.

    Numerics: computed in the element type. An attention op that uses it in `domain<log>` exponentiates with a running
    maximum, so that features of any size neither overflow nor underflow. Deterministic.

    Constraints:
    - C1: 'projections' and 'rows' agree in all dimensions but the last, which is static.
    - C2: 'projections' and 'rows' have the same element type.
    - C3: 'count' is positive and 'norm_factor' finite.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @positive(%u: tensor<?x8x?x256xf32>, %x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x256xf32> {
      %log_phi = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 256 : i64}
        : tensor<?x8x?x256xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
      return %log_phi : tensor<?x8x?x256xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`; the offset then starts the accumulators of
    the projection. `spectral-decompose` writes it out.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Projections `[..., P]` of the rows on the frequencies.">:$projections,
    Arg<Spectral_FloatTensor, "Rows `[..., D]` whose squared norm is subtracted.">:$rows,
    F64Attr:$norm_factor, I64Attr:$count, UnitAttr:$symmetric);
  let results = (outs Res<Spectral_FloatTensor, "Log features `[..., P]`, or `[..., 2 P]` if symmetric.">:$features);
  let assemblyFormat = "$projections `,` $rows attr-dict `:` type($projections) `,` type($rows) `->` type($features)";
}

def Spectral_HadamardOp : Spectral_RowwiseOp<"hadamard"> {
  let summary = "Walsh-Hadamard transform of every row.";
  let description = [{
    Multiplies every row by the Hadamard matrix of Sylvester order, without a factor.

    Formula: `result = x H_D`, `H_1 = [1]`, `H_2n = [[H_n, H_n], [H_n, -H_n]]`, `[..., D]`.

    Numerics: D log2(D) additions per row in the element type, in a fixed order. Deterministic.

    Constraints:
    - C1: the last dimension is static and a power of two.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @hadamard(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %y = spectral.hadamard %x : tensor<?x8x?x64xf32> -> tensor<?x8x?x64xf32>
      return %y : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`, where it is butterflies in registers;
    `spectral-decompose` writes it out as a product with the matrix.
  }];
  let arguments = (ins Arg<Spectral_FloatTensor, "Rows `[..., D]`.">:$rows);
  let results = (outs Res<Spectral_FloatTensor, "Transformed rows `[..., D]`.">:$transformed);
  let assemblyFormat = "$rows attr-dict `:` type($rows) `->` type($transformed)";
  let hasCanonicalizer = 1;
}

def Spectral_PermuteOp : Spectral_RowwiseOp<"permute"> {
  let summary = "Permutes the columns of every row.";
  let description = [{
    Reads column `permutation[j]` into column `j`.

    Formula: `result[..., j] = x[..., permutation[j]]`, `[..., D]`.

    Numerics: exact. The indices must lie in `[0, D)`; the runtime checks function arguments, other values are the
    producer's responsibility. Deterministic.

    Constraints:
    - C1: the last dimension is static.
    - C2: 'permutation' has as many elements as 'rows' has columns.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @permute(%x: tensor<?x8x?x64xf32>, %p: tensor<64xi64>) -> tensor<?x8x?x64xf32> {
      %y = spectral.permute %x, %p : tensor<?x8x?x64xf32>, tensor<64xi64> -> tensor<?x8x?x64xf32>
      return %y : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`; `spectral-decompose` writes it out with
    `tensor.extract`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Rows `[..., D]`.">:$rows,
    Arg<Spectral_IndexVector, "Source column of each column `[D]`.">:$permutation);
  let results = (outs Res<Spectral_FloatTensor, "Permuted rows `[..., D]`.">:$permuted);
  let assemblyFormat = "$rows `,` $permutation attr-dict `:` type($rows) `,` type($permutation) `->` type($permuted)";
}

def Spectral_FastfoodOp : Spectral_RowwiseOp<"fastfood", [AllTypesMatch<["scale", "gaussian", "signs"]>]> {
  let summary = "FastFood projection of every row.";
  let description = [{
    Projects every row on D frequencies that a product of diagonal, Hadamard and permutation matrices implies.

    Formula: `result = D^(-1/2) S H G P H B x`, `[..., D]`, with H the Hadamard matrix of `spectral.hadamard`, S, G, B
    diagonal `[D]` and `(P y)_i = y[permutation[i]]` ("Fastfood: Approximate Kernel Expansions in Loglinear Time").

    Numerics: O(D log D) operations per row in the element type, in a fixed order. Deterministic.

    Constraints:
    - C1: the last dimension is static and a power of two.
    - C2: 'scale', 'gaussian', 'signs' and 'permutation' have D elements, the first three of the rows' element type.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @fastfood(%x: tensor<?x8x?x64xf32>, %s: tensor<64xf32>, %g: tensor<64xf32>, %b: tensor<64xf32>,
                        %p: tensor<64xi64>) -> tensor<?x8x?x64xf32> {
      %u = spectral.fastfood %x scale(%s) gaussian(%g) signs(%b) permutation(%p)
        : tensor<?x8x?x64xf32>, tensor<64xf32>, tensor<64xi64> -> tensor<?x8x?x64xf32>
      return %u : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`; `spectral-decompose` writes it out with
    `spectral.hadamard` and `spectral.permute`, then those.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Rows `[..., D]`.">:$rows,
    Arg<1DTensorOf<[F16, BF16, F32, F64]>, "S `[D]`, the lengths of the frequencies.">:$scale,
    Arg<1DTensorOf<[F16, BF16, F32, F64]>, "G `[D]`.">:$gaussian,
    Arg<1DTensorOf<[F16, BF16, F32, F64]>, "B `[D]`.">:$signs,
    Arg<Spectral_IndexVector, "P as the source column of each column `[D]`.">:$permutation);
  let results = (outs Res<Spectral_FloatTensor, "Projections `[..., D]`.">:$projections);
  let assemblyFormat = [{
    $rows `scale` `(` $scale `)` `gaussian` `(` $gaussian `)` `signs` `(` $signs `)` `permutation` `(` $permutation `)`
    attr-dict `:` type($rows) `,` type($scale) `,`
    type($permutation) `->` type($projections)
  }];
}

def Spectral_ConstantFeatureOp : Spectral_RowwiseOp<"constant_feature"> {
  let summary = "Appends a constant feature to every row.";
  let description = [{
    Appends one column with a constant, which adds its square to the kernel ("smoothing").

    Formula: `result = [phi, value]`, `[..., F + 1]`. In an attention op of `domain<log>` the value is a logarithm.

    Numerics: exact up to the rounding of the value to the element type. Deterministic.

    Constraints:
    - C1: the last dimension is static.
    - C2: 'value' is finite.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @smooth(%phi: tensor<?x8x?x256xf32>) -> tensor<?x8x?x257xf32> {
      %smooth = spectral.constant_feature %phi {value = 1.0 : f64} : tensor<?x8x?x256xf32> -> tensor<?x8x?x257xf32>
      return %smooth : tensor<?x8x?x257xf32>
    }
    ```

    Lowering: sinks into a feature region by `spectral-fuse-feature-map`, where it costs one multiplication per query;
    `spectral-decompose` writes it out with `tensor.insert_slice`.
  }];
  let arguments = (ins Arg<Spectral_FloatTensor, "Features `[..., F]`.">:$features, F64Attr:$value);
  let results = (outs Res<Spectral_FloatTensor, "Features `[..., F + 1]`.">:$extended);
  let assemblyFormat = "$features attr-dict `:` type($features) `->` type($extended)";
}

#endif // BOCHNER_SPECTRAL_FEATURE_OPS
