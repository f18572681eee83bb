//===- SpectralDialect.td - the dialects spectral and bochner --*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_DIALECT
#define BOCHNER_SPECTRAL_DIALECT

include "mlir/IR/OpBase.td"

def Spectral_Dialect : Dialect {
  let name = "spectral";
  let summary = "Kernelized attention with learned spectral kernels";
  let description = [{
    A feature map `phi` turns attention into two small matrix products per head:
    `out = phi(q) (phi(k)^T v) / (phi(q) sum phi(k) + eps)`. By Bochner's theorem a shift-invariant kernel has a
    spectral distribution, and features of frequencies drawn from it estimate the kernel; learning the distribution
    learns the kernel ("On Learning the Transformer Kernel", 2022).

    The dialect states this on tensors of builtin types, layout `[B, H, N, D]` (batch, heads, positions, head
    dimension). Attention operations own their feature map as a *region* that maps a tile of rows to features, so that
    fusing means moving row-wise producers into the region (`spectral-fuse-feature-map`), and a user's map fuses like
    a built-in one.

    Not goals: a type of its own for states or features, sparse attention, and anything that `linalg`, `arith`, `math`
    and `tensor` already say.
  }];
  let cppNamespace = "::bochner::spectral";
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def Bochner_Dialect : Dialect {
  let name = "bochner";
  let summary = "Attributes that tell a runner about a function";
  let description = [{
    Holds no operations. Arguments and results of functions carry
    `bochner.name` (the name a runner binds by), `bochner.init` (how to fill an argument that is not given: `zeros`,
    `ones`, `normal(std)`, `uniform(a)`, `signs`, `permutation`, `chi`, `mask`, `offsets(dim)`, `below(n)`,
    `constant(x)`) and `bochner.dims` (names of the dimensions).
    A result that is the next value of an argument, a state for example, carries `bochner.updates` with the argument's
    name; a caller may then pass the same memory as both.
  }];
  let cppNamespace = "::bochner";
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

#endif // BOCHNER_SPECTRAL_DIALECT
