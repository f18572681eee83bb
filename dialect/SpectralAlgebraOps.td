//===- SpectralAlgebraOps.td - sums and products of kernels ----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row-wise operations that make features of a sum or a product of kernels from features of each.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_ALGEBRA_OPS
#define BOCHNER_SPECTRAL_ALGEBRA_OPS

include "dialect/SpectralBase.td"

def Spectral_KernelSumOp : Spectral_RowwiseOp<"kernel_sum", [SameOperandsElementType]> {
  let summary = "Features of a weighted sum of kernels.";
  let description = [{
    Joins the features of several kernels to features of their weighted sum. One term is a scaled kernel; weights that
    add up to one are a mixture of kernels.

    Formula: for terms `phi_i [..., F_i]` with kernels `k_i(x, y) = phi_i(x) . phi_i(y)` and weights `c_i`,
    `result = [sqrt(c_1) phi_1, sqrt(c_2) phi_2, ...]`, `[..., F_1 + F_2 + ...]`, whose kernel is `sum_i c_i k_i(x, y)`.
    In `domain<log>` terms and result are logarithms: `result = [log phi_1 + log(c_1) / 2, ...]`.

    Numerics: one multiplication, or addition of a logarithm, for each feature, in the element type. Deterministic.

    Constraints:
    - C1: there is at least one term, and all have a static last dimension.
    - C2: terms agree in all dimensions but the last and in their element type.
    - C3: 'weights' are absent, which stands for ones, or as many as terms, finite and positive. (A negative weight is
      no kernel in general; a term of weight zero is left out.)

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @sum(%a: tensor<?x8x?x128xf32>, %b: tensor<?x8x?x64xf32>) -> tensor<?x8x?x192xf32> {
      %phi = spectral.kernel_sum %a, %b {weights = array<f64: 0.75, 0.25>}
        : tensor<?x8x?x128xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x192xf32>
      return %phi : tensor<?x8x?x192xf32>
    }
    ```

    Lowering: `spectral-expand-kernel-algebra` writes it as scaled columns side by side, which then fuse;
    `spectral-decompose` writes it out with loops.
  }];
  let arguments = (ins
    Arg<Variadic<Spectral_FloatTensor>, "Features `[..., F_i]` of each kernel, or their logarithms.">:$terms,
    OptionalAttr<DenseF64ArrayAttr>:$weights,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain);
  let results = (outs Res<Spectral_FloatTensor, "Features `[..., F_1 + F_2 + ...]` of the sum.">:$features);
  let assemblyFormat = "$terms attr-dict `:` type($terms) `->` type($features)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The weight of a term.
    double getWeight(unsigned term) { return getWeights() ? (*getWeights())[term] : 1.0; }
  }];
}

def Spectral_KernelProductOp : Spectral_RowwiseOp<"kernel_product", [SameOperandsElementType]> {
  let summary = "Features of a product of two kernels.";
  let description = [{
    Yields the tensor of the features of two kernels, which are features of the product of the kernels.

    Formula: for `a [..., F_1]`, `b [..., F_2]`: `result[..., i F_2 + j] = a[..., i] b[..., j]`, `[..., F_1 F_2]`, whose
    kernel is `(a(x) . a(y)) (b(x) . b(y))`. In `domain<log>`: `result[..., i F_2 + j] = a[..., i] + b[..., j]`.

    Numerics: one multiplication or addition for each feature, in the element type. Deterministic.

    Constraints:
    - C1: 'left' and 'right' have a static last dimension.
    - C2: they agree in all dimensions but the last and in their element type.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @product(%a: tensor<?x8x?x4xf32>, %b: tensor<?x8x?x64xf32>) -> tensor<?x8x?x256xf32> {
      %phi = spectral.kernel_product %a, %b : tensor<?x8x?x4xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
      return %phi : tensor<?x8x?x256xf32>
    }
    ```

    Lowering: `spectral-expand-kernel-algebra` writes it as blocks of columns, one for each feature of 'left' if these
    are few, or with projections; `spectral-decompose` writes it out with loops. The smaller factor should be 'left'.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Features `[..., F_1]` of the first kernel, or their logarithms.">:$left,
    Arg<Spectral_FloatTensor, "Features `[..., F_2]` of the second kernel, or their logarithms.">:$right,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain);
  let results = (outs Res<Spectral_FloatTensor, "Features `[..., F_1 F_2]` of the product.">:$features);
  let assemblyFormat = "$left `,` $right attr-dict `:` type($left) `,` type($right) `->` type($features)";
}

#endif // BOCHNER_SPECTRAL_ALGEBRA_OPS
