//===- Passes.h - passes of the project -------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_PASSES_H
#define BOCHNER_LIB_PASSES_H

#include "dialect/Spectral.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace bochner {

/// Registers every dialect that graphs may use, and the external models that passes rely on.
void registerDialects(mlir::DialectRegistry &registry);

/// Row-wise forms of `linalg`, `arith`, `math` and `tensor` operations (lib/Transforms/RowwiseModels.cpp).
void registerRowwiseModels(mlir::DialectRegistry &registry);

/// Derivatives of linear attention, `arith`, `math`, `linalg`, `tensor` and `scf` (lib/Transforms/Reverse*.cpp).
void registerReverseAttentionModels(mlir::DialectRegistry &registry);
void registerReverseElementwiseModels(mlir::DialectRegistry &registry);
void registerReverseLinalgModels(mlir::DialectRegistry &registry);
void registerReverseTensorModels(mlir::DialectRegistry &registry);
void registerReverseControlFlowModels(mlir::DialectRegistry &registry);

/// What spectral-bufferize asks of each dialect (lib/Conversion/Bufferize.cpp).
void registerBufferizationModels(mlir::DialectRegistry &registry);

#define GEN_PASS_DECL
#include "lib/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "lib/Passes.h.inc"

/// Appends the passes that make feature regions of row-wise operations to a pass manager of functions: phase fuse, and
/// what spectral-differentiate does to functions before it differentiates them.
void buildFusion(mlir::OpPassManager &pm);

} // namespace bochner

#endif // BOCHNER_LIB_PASSES_H
