//===- AttentionCost.h - what forms of attention cost -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cost model behind form<auto>: multiplications and additions of the forms of linear attention as CPU kernels do
// them, with the rows and columns that tiles are filled up with.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_ANALYSIS_ATTENTIONCOST_H
#define BOCHNER_LIB_ANALYSIS_ATTENTIONCOST_H

#include "dialect/Spectral.h"

namespace bochner {

/// What costs depend on, of one head of keys.
struct AttentionSizes {
  int64_t queries, keys; ///< positions
  int64_t group;         ///< heads of queries
  int64_t dimension, features, valueWidth;
  int64_t elementBytes; ///< of what is computed
  bool causal;
  bool dots = false; ///< the chunked form multiplies pairs of bf16
};

/// Multiplications with an addition that `form` takes. Features count as one dense product of a row; what that misses
/// is nearly the same for all forms.
double costOf(spectral::Form form, const AttentionSizes &sizes, spectral::ScheduleAttr schedule);

/// The form that form<auto> stands for (`hasBf16Dot`: the target has AVX512_BF16): the cheapest one if the numbers of
/// queries and keys are known, else chunked, which is never far from the best one for long sequences.
spectral::Form chooseForm(spectral::LinearAttentionOp op, spectral::ScheduleAttr schedule, bool hasBf16Dot);

/// Positions between two states that a causal forward pass saves for its gradients: what the operation asks for, or the
/// shortest interval (a power of two up to 1024) whose states take at most 15 % of the memory of rows and their
/// gradients and a quarter of that of features. With an interval of a chunk, 64, gradients need not follow the state of
/// keys.
int64_t chooseCheckpointInterval(spectral::LinearAttentionOp op);

/// Tiles of keys whose features the quadratic form keeps at a time: they should stay in the L2 cache.
int64_t quadraticSegmentTiles(int64_t features, int64_t elementBytes, spectral::ScheduleAttr schedule);

} // namespace bochner

#endif // BOCHNER_LIB_ANALYSIS_ATTENTIONCOST_H
