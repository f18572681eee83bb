//===- Updates.h - results that are next values of arguments ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// States: a function takes one and returns the next, and callers want one buffer for both.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_UPDATES_H
#define BOCHNER_LIB_JIT_UPDATES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/ModuleFormat.h"

namespace bochner {

/// Fills in the updates of a function whose arguments and results are described: from the attribute `bochner.updates`
/// of its results. Code runs in place where an attention of kernels (`ownsKernels`) returns the next value of the state
/// that it alone reads. Fails, with a diagnostic, if a result cannot be the next value of what it names.
mlir::LogicalResult describeUpdates(mlir::func::FuncOp function, format::FunctionInfo &info, bool ownsKernels);

} // namespace bochner

#endif // BOCHNER_LIB_JIT_UPDATES_H
