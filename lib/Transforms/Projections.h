//===- Projections.h - products of rows with parameters ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognizes a structured operation that projects every row on parameters, whatever the order of its loops and of the
// dimensions of its parameter, and builds one.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_PROJECTIONS_H
#define BOCHNER_LIB_TRANSFORMS_PROJECTIONS_H

#include "lib/Transforms/Decompose.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace bochner {

/// `u[b, h, n, f] = init[b, h, n, f] + sum_d rows[b, h, n, d] parameter[h?, d, f]`
struct Projection {
  mlir::linalg::LinalgOp op;
  mlir::Value rows, parameter;
  bool perHead;
  /// Dimensions of the parameter in the order [h?, d, f].
  llvm::SmallVector<int64_t, 3> order;
  /// True if init is zero everywhere.
  bool fromZero;

  int64_t depth() const { return mlir::cast<mlir::RankedTensorType>(rows.getType()).getShape().back(); }
  int64_t width() const { return mlir::cast<mlir::RankedTensorType>(op->getResult(0).getType()).getShape().back(); }
  /// Letters of the parameter's dimensions as they are stored: h, then `depth` and `width`.
  std::string letters(char depth, char width) const;
  /// The parameter with its dimensions in the order [h?, d, f].
  mlir::Value getParameter(decompose::TensorBuilder &b) const;
};

/// The projection that yields `value`; fails with the reason "not ...: <reason>". It starts from zero.
mlir::FailureOr<Projection> matchProjection(mlir::Value value, std::string &reason);
/// The same, starting from anything.
mlir::FailureOr<Projection> matchAnyProjection(mlir::Operation *op, std::string &reason);

/// `rows [B, H, N, D]` times `parameter [D, F]` or `[H, D, F]`.
mlir::Value project(decompose::TensorBuilder &b, mlir::Value rows, mlir::Value parameter);

} // namespace bochner

#endif // BOCHNER_LIB_TRANSFORMS_PROJECTIONS_H
