//===- ShapeGraph.h - graphs without their derivatives ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a call has to check of a derivative is what it has to check of the function. Differentiation writes operations
// out that tie dimensions and bound indices, so that the loops it leaves say less than the graph did.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_SHAPEGRAPH_H
#define BOCHNER_LIB_JIT_SHAPEGRAPH_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace bochner {

/// A copy of a module after the phase `graph`, to analyze and not to run: each spectral.vjp and spectral.jvp is
/// replaced by the operations of its function, with values of the right shapes for gradients and tangents. Null if
/// there are no derivatives to replace.
mlir::OwningOpRef<mlir::ModuleOp> buildShapeGraph(mlir::ModuleOp module);

} // namespace bochner

#endif // BOCHNER_LIB_JIT_SHAPEGRAPH_H
