//===- RowwiseModels.h - what row-wise operations share ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows and their tiles: a tensor `[B, H, N, columns...]` holds rows, a tile `[rows, columns...]` some rows of one head.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_ROWWISEMODELS_H
#define BOCHNER_LIB_TRANSFORMS_ROWWISEMODELS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include <string>
#include <utility>

namespace bochner {

/// Leading dimensions of rows: batch, heads, positions.
inline constexpr int64_t kRowDims = 3;

/// `[B, H, N, columns...]` -> `[?, columns...]`.
mlir::RankedTensorType getTileType(mlir::Type rows);

/// Where the size of dimension `dim` (batch, heads or positions) of `rows` comes from: row-wise operations keep it, so
/// equal origins are equal sizes. The dimension is -1 if the value is not a tensor but the size itself.
std::pair<mlir::Value, int64_t> getRowDimOrigin(mlir::Value rows, int64_t dim);

//===----------------------------------------------------------------------===//
// For models of RowwiseOpInterface
//===----------------------------------------------------------------------===//

/// Fails with the reason "'op' why".
mlir::LogicalResult refuse(std::string &reason, mlir::Operation *op, const llvm::Twine &why);
/// A result or operand of `op` that has rows, with columns of known sizes.
mlir::LogicalResult expectRows(mlir::Operation *op, mlir::Type type, std::string &reason);
bool isScalarConstant(mlir::Value value);
/// True for conversions to or from f64: a program of a region computes in one type.
bool convertsDouble(mlir::Operation *op);
mlir::Value createEmptyTile(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows,
                            mlir::RankedTensorType tile);

/// Attaches a model to every operation of a dialect that `accepts`.
template <typename Model>
void attachToDialect(mlir::Dialect *dialect, llvm::function_ref<bool(const mlir::RegisteredOperationName &)> accepts) {
  // MLIRContext::getRegisteredOperationsByDialect of MLIR 22 misses operations: its search compares names wrongly.
  for (mlir::RegisteredOperationName name : dialect->getContext()->getRegisteredOperations())
    if (&name.getDialect() == dialect && accepts(name))
      name.attachInterface<Model>();
}

/// The model of all structured operations.
void attachLinalgRowwiseModel(mlir::Dialect *linalg);

} // namespace bochner

#endif // BOCHNER_LIB_TRANSFORMS_ROWWISEMODELS_H
