//===- IndexSources.h - where indices come from -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call can check lengths, permutations, offsets and other indices only if they are elements of an argument.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_INDEXSOURCES_H
#define BOCHNER_LIB_JIT_INDEXSOURCES_H

#include "mlir/IR/Value.h"

namespace bochner {

/// Appends the arguments of the function whose elements are elements of `value`; none if they are computed.
void collectSources(mlir::Value value, llvm::SmallVectorImpl<mlir::BlockArgument> &sources);
/// The same for an index in the body of a structured operation, such as that of a row that is gathered.
void collectIndexSources(mlir::Value index, llvm::SmallVectorImpl<mlir::BlockArgument> &sources);

} // namespace bochner

#endif // BOCHNER_LIB_JIT_INDEXSOURCES_H
