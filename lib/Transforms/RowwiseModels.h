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
#include <utility>

namespace bochner {

/// Leading dimensions of rows: batch, heads, positions.
inline constexpr int64_t kRowDims = 3;

/// `[B, H, N, columns...]` -> `[?, columns...]`.
mlir::RankedTensorType getTileType(mlir::Type rows);

/// Where the size of dimension `dim` (batch, heads or positions) of `rows` comes from: row-wise operations keep it, so
/// equal origins are equal sizes. The dimension is -1 if the value is not a tensor but the size itself.
std::pair<mlir::Value, int64_t> getRowDimOrigin(mlir::Value rows, int64_t dim);

} // namespace bochner

#endif // BOCHNER_LIB_TRANSFORMS_ROWWISEMODELS_H
