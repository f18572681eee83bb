//===- QueryTile.h - queries applied to a state -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// 16 queries of a warp: their features block by block, what these multiply, and the division at the end. In the log
// domain each row carries the maximum m of log2 phi_f(q) + r_f so far, and its sums are scaled by 2^-m.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_QUERYTILE_H
#define BOCHNER_LIB_CONVERSION_GPU_QUERYTILE_H

#include "lib/Conversion/Gpu/FeatureTile.h"

namespace bochner::simt {

/// How sums become outputs.
struct Normalization {
  double eps = 0;
  bool normalize = true;
  double floor = 0; ///< the least absolute value of denominators; 0: none
};

/// A block of features of a group in shared memory: parameters, rows of the state and r, [outputs][columns].
struct FeatureBlock {
  int64_t columns;
  SmallVector<FeatureTile::Weights> weights;
  SmallVector<SharedMatrix> states;
  SmallVector<Value> maxima; ///< f32 by column; none in the linear domain

  /// Bytes of a block, and its place at `address`.
  static int64_t bytes(const FeaturePlan &plan, const FusedGroup &group, int64_t columns, int64_t stateWidth);
  static FeatureBlock at(ThreadBuilder &t, Value address, const FeaturePlan &plan, const FusedGroup &group,
                         int64_t columns, int64_t stateWidth);
  /// Copies columns [first, first + columns) from the workspace. `number` is that of the state in `operands`, [states,
  /// rows, width], and `maximum`, [states, rows]; outputs of the group have rows as `plan` says.
  void stage(DeviceKernel &kernel, const FeatureTile &tile, const FeaturePlan &plan, unsigned group, Value first,
             Value operands, Value maximum, Value number) const;
};

class QueryTile {
public:
  /// `valueWidth` columns of values; rows of the state have toBlocks(valueWidth) + 8 columns, behind the values z.
  QueryTile(DeviceKernel &kernel, Fragments &fragments, FeatureTile &tile, const FeaturePlan &plan, int64_t valueWidth);

  /// Sums of a warp's rows: outputs with the denominator, `more` accumulators of the caller, then m of both rows.
  SmallVector<Value> start(int64_t more) const;
  int64_t tiles() const { return (toBlocks(valueWidth) + 8) / 8; }

  /// Features of 16 rows from `row` on for 16 columns of a block, scaled by 2^-m; rescales sums where m grows.
  SmallVector<FeatureTile::Block> evaluate(unsigned group, const FeatureBlock &block, Value row, Value first,
                                           Value column, SmallVectorImpl<Value> &sums);
  /// Divides and writes the 16 rows from row `row` of the tile on, which are at positions `first` and so on, those that
  /// are within [low, high); row `low` of the scan is row 0 of `out`, [N, M], and of `denominators`, [N, 1], whose
  /// address may be null.
  void finish(ArrayRef<Value> sums, const Normalization &how, Value offset, Value row, Value first, Value low,
              Value high, const GlobalRows &out, const GlobalRows &denominators);

private:
  DeviceKernel &kernel;
  ThreadBuilder &t;
  Fragments &fragments;
  FeatureTile &tile;
  const FeaturePlan &plan;
  int64_t valueWidth;
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_QUERYTILE_H
