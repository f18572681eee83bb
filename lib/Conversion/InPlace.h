//===- InPlace.h - results in the memory of arguments -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_INPLACE_H
#define BOCHNER_LIB_CONVERSION_INPLACE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bochner {

/// True if `destination`, a buffer that `function` writes a result to, may be the very buffer `source`, another
/// argument: nothing reads an element of it after that of the result was written.
bool runsInPlace(mlir::func::FuncOp function, mlir::Value source, mlir::Value destination);

} // namespace bochner

#endif // BOCHNER_LIB_CONVERSION_INPLACE_H
