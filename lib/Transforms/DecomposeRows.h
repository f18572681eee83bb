//===- DecomposeRows.h - rows of one head, written out ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What linear and exact attention share in spectral-decompose: loops over batch entries and heads, slices of rows,
// exponents relative to a maximum, and the division by denominators.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_DECOMPOSEROWS_H
#define BOCHNER_LIB_TRANSFORMS_DECOMPOSEROWS_H

#include "lib/Transforms/Decompose.h"

namespace bochner::decompose {

using Values = llvm::SmallVector<mlir::Value>;

/// `for i in range(first, last, step): values = body(i, values)`.
Values repeat(TensorBuilder &b, mlir::Value first, mlir::Value last, mlir::Value step, mlir::ValueRange values,
              llvm::function_ref<Values(TensorBuilder &, mlir::Value, mlir::ValueRange)> body);

/// One head of one batch entry.
struct Head {
  mlir::Value batch, head;

  /// Rows [first, first + count) of a tensor [B, H, N, columns].
  mlir::Value rows(TensorBuilder &b, mlir::Value tensor, mlir::OpFoldResult first, mlir::OpFoldResult count) const;
  /// The tensor with `rows` in place of these.
  mlir::Value insert(TensorBuilder &b, mlir::Value rows, mlir::Value tensor, mlir::OpFoldResult first,
                     mlir::OpFoldResult count) const;
};

/// A result [B, H, N, columns] that `body` writes head by head; B, H and N are those of `like`.
mlir::Value forEachHead(TensorBuilder &b, mlir::Value like, int64_t columns,
                        llvm::function_ref<mlir::Value(TensorBuilder &, Head, mlir::Value)> body);
/// Rows [first, first + count) of a tensor [N, columns].
mlir::Value rowsOf(TensorBuilder &b, mlir::Value tensor, mlir::OpFoldResult first, mlir::OpFoldResult count);
/// Number of keys that padding leaves: the length, kept within [0, S].
mlir::Value visibleKeys(TensorBuilder &b, mlir::Value lengths, mlir::Value key, mlir::Value batch);

/// A maximum that exponents can be relative to: exp(-inf - 0) is 0 where exp(-inf - -inf) is not a number.
mlir::Value finite(TensorBuilder &b, mlir::Value maximum);
/// `exp(value - maximum)`.
mlir::Value relativeExp(TensorBuilder &b, mlir::Value value, mlir::Value maximum);

/// eps exp(offset), what a denominator is compared with.
struct Epsilon {
  double eps;
  mlir::Value offset; ///< null for no offset

  /// `denominators[dims] + eps exp(offset - maxima[dims])`; no maxima if the denominators are not scaled.
  mlir::Value addTo(TensorBuilder &b, mlir::Value denominators, mlir::Value maxima, const std::string &dims) const;
};

/// `numerators / denominators`, or 0 for queries without a visible key, in the element type of `out`.
mlir::Value normalize(TensorBuilder &b, const Indexed &numerators, const Indexed &denominators, const Indexed &out,
                      llvm::StringRef order, mlir::Value visible);

} // namespace bochner::decompose

#endif // BOCHNER_LIB_TRANSFORMS_DECOMPOSEROWS_H
