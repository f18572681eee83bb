//===- SizeBounds.h - sizes as functions of arguments -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How large a buffer can become, computed from the sizes of a function's arguments alone, before the function runs.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_SIZEBOUNDS_H
#define BOCHNER_LIB_CONVERSION_SIZEBOUNDS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace bochner {

/// Emits bounds of index values at the builder's position, by cloning what they depend on.
class SizeBounds {
public:
  /// `arguments` maps the arguments of the function to values that are available at the builder's position.
  SizeBounds(mlir::OpBuilder &builder, mlir::IRMapping arguments) : b(builder), exact(std::move(arguments)) {}

  /// The least upper bound that is known: the value itself if it depends on sizes of arguments only. Equal sizes are
  /// mostly the same value. Null, with the reason in `culprit`, if nothing bounds it.
  mlir::Value bound(mlir::Value value);
  mlir::Value culprit;

private:
  enum Mode { Exactly, AtMost };
  mlir::Value compute(mlir::Value value, Mode mode);
  mlir::Value computeDim(mlir::Location loc, mlir::Value buffer, int64_t index, Mode mode);
  mlir::Value computeBound(mlir::Operation *op);
  mlir::Value fail(mlir::Value value) {
    culprit = value;
    return {};
  }

  mlir::OpBuilder &b;
  mlir::IRMapping exact;
  llvm::DenseMap<mlir::Value, mlir::Value> bounds;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> dims; // of arguments
};

} // namespace bochner

#endif // BOCHNER_LIB_CONVERSION_SIZEBOUNDS_H
