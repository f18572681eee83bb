//===- Signature.h - what callers must know of a module ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The description that the runtime binds, checks and prices calls by, taken from functions on tensors.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_SIGNATURE_H
#define BOCHNER_LIB_JIT_SIGNATURE_H

#include "mlir/IR/BuiltinOps.h"
#include "runtime/ModuleFormat.h"

namespace bochner {

/// Describes every public function of a module after the phase `fuse`: names, types and shapes of arguments and
/// results, which dimensions have to agree, which values indices may take, and costs. Symbols, scratch and the
/// description of the compilation are left to the caller. Fails, with a diagnostic, if a function cannot be called.
/// `ownsKernels`: attention will run in kernels of the route `fused`, which may update states in place.
/// `shapes`: where what a call checks is to be read, if that is not the module (ShapeGraph.h); it has its functions.
mlir::FailureOr<format::ModuleInfo> describeModule(mlir::ModuleOp module, bool ownsKernels = true,
                                                   mlir::ModuleOp shapes = nullptr);

} // namespace bochner

#endif // BOCHNER_LIB_JIT_SIGNATURE_H
