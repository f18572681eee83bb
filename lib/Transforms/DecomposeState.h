//===- DecomposeState.h - the state of linear attention, written out -*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What linear_attention, attention_state and apply_state share in spectral-decompose: feature regions on the rows of
// one head, masks, and a state that keys enter and queries are applied to.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_DECOMPOSESTATE_H
#define BOCHNER_LIB_TRANSFORMS_DECOMPOSESTATE_H

#include "lib/Transforms/DecomposeRows.h"

namespace bochner::decompose {

/// What a feature region yields for rows of one head. Parameters have a slice for each head of keys, or for each of
/// `queryHeads` heads of queries if that is not 0.
mlir::Value applyMap(TensorBuilder &b, mlir::Region &map, mlir::Value rows, mlir::OperandRange parameters,
                     mlir::Value keyHead, mlir::Value queryHead, int64_t queryHeads);

/// Rows of a batch entry, or of a packed sequence.
struct Rows {
  mlir::Value first, count;
};
Rows rowsOfEntry(TensorBuilder &b, mlir::Value sequences, mlir::Value tensor, mlir::Value entry);
/// The mask of an entry's keys, [n] of i1.
mlir::Value maskOfEntry(TensorBuilder &b, mlir::Value mask, mlir::Value batch, const Rows &keys);
/// Rows that the mask hides become 0, or minus infinity if they are logarithms.
mlir::Value maskRows(TensorBuilder &b, mlir::Value mask, mlir::Value rows, bool isLog);
/// `count`, or 0 if `kept` is false; null counts as true.
mlir::Value countOf(TensorBuilder &b, mlir::Value kept, mlir::Value count);
/// How many of the first `count` keys the mask keeps; all without one.
mlir::Value countVisible(TensorBuilder &b, mlir::Value mask, mlir::Value count);
/// Tensors for a state with the batch entries and heads of `keys`.
Values emptyState(TensorBuilder &b, mlir::Value keys, mlir::TypeRange types);

/// How sums become outputs.
struct Attending {
  Epsilon epsilon;
  bool normalize;
  spectral::Denominator policy;
  double floor;
};

/// What queries need to know of keys: sum phi(k) v^T [F, M] and sum phi(k) [F]; in the domain log relative to
/// exp(maxima [F]).
struct State {
  mlir::Value products, normalizers, maxima;
  mlir::Value seen; ///< number of keys, an index; those of a loaded state count as one

  static State none(TensorBuilder &b, int64_t features, int64_t width, mlir::Type element, bool isLog);
  static State of(mlir::ValueRange values, bool isLog);
  Values values() const;
  /// From and to tensors [B, H, ...] as `spectral.attention_state` describes them.
  static State load(TensorBuilder &b, mlir::ValueRange state, mlir::Value batch, mlir::Value head,
                    mlir::Type accumulator);
  Values save(TensorBuilder &b, mlir::ValueRange into, mlir::ValueRange place) const; ///< `place`: [batch, head, ...]

  /// With the first `count` of further keys, given by their features [n, F] or the logarithms of these; `kept` of them
  /// are not masked.
  State add(TensorBuilder &b, mlir::Value keys, mlir::Value values, mlir::OpFoldResult count, mlir::Value kept) const;
  struct Attended {
    mlir::Value rows;
    mlir::Value small;        ///< how many denominators are small; null if they are not counted
    mlir::Value denominators; ///< [n], in the domain log their logarithms; null if nothing is divided
  };
  /// Attention of queries, given as keys are, in the place of `out` [n, M].
  Attended apply(TensorBuilder &b, mlir::Value queries, const Attending &how, mlir::Value out) const;
};

} // namespace bochner::decompose

#endif // BOCHNER_LIB_TRANSFORMS_DECOMPOSESTATE_H
