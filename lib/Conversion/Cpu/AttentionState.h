//===- AttentionState.h - the state of linear attention ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The summary of keys and values that queries are applied to: S = sum phi(k) v^T and z = sum phi(k), and the pieces of
// kernels that update and apply it for a tile of rows. In the log domain feature f of keys is scaled by 2^-r_f, where
// r_f follows the maximum of log2 phi_f(k) lazily: it moves only when a feature exceeds it by LogRange::growth, so that
// the test for it is all that the hot path pays. Queries carry a maximum m of log2 phi_f(q) + r_f per row in the same
// way; the sums are then those of the formula times 2^-m.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_ATTENTIONSTATE_H
#define BOCHNER_LIB_CONVERSION_CPU_ATTENTIONSTATE_H

#include "lib/Conversion/Cpu/TileEmitter.h"

namespace bochner::cpu {

/// A state as callers see it, of all heads or of one: S [..., F, M], z [..., F], r [..., F]; null in kernels that do
/// not have it. r is 0 where z is, which means that no key has been seen.
struct StateBuffers {
  Value sums, normalizer, maximum;

  explicit operator bool() const { return bool(sums); }
  SmallVector<Value> captures() const;
  /// The buffers of a head, of a task's captures.
  StateBuffers at(KernelBuilder &k, TaskBuilder &task, Value batch, Value head) const;
};

/// Buffers of the state: of all heads and parts in the workspace, or of one inside a task.
struct AttentionState {
  Value sums;       ///< S, [..., F, M padded]
  Value normalizer; ///< z, [..., F padded]
  Value maximum;    ///< r, [..., F padded]; null in the linear domain
  Value valueSum;   ///< sum of v, [..., M padded], for constant features; null if there are none

  static AttentionState allocate(KernelBuilder &host, Value count, int64_t features, int64_t valueWidth, bool log,
                                 bool constants);
  SmallVector<Value> captures() const;
  /// The state of a task's captures, at position `i` of the first dimension.
  AttentionState at(KernelBuilder &k, TaskBuilder &task, Value i) const;
  /// Makes it the state of no keys.
  void clear(KernelBuilder &k, int64_t features, int64_t valueWidth) const;
  /// From and to the buffers of callers, of one head.
  void load(KernelBuilder &k, int64_t features, int64_t valueWidth, const StateBuffers &from) const;
  void save(KernelBuilder &k, int64_t features, int64_t valueWidth, const StateBuffers &to) const;
  /// r as callers' buffers hold it, with `unset` where no key has been seen.
  void loadMaximum(KernelBuilder &k, int64_t features, const StateBuffers &from) const;
};

/// How sums become outputs.
struct Normalization {
  double eps = 0;
  bool normalize = true;       ///< false: the numerator alone
  double floor = 0;            ///< the least absolute value of clamped denominators; 0: none
  double countBelow = 0;       ///< denominators below are counted; 0: none
  bool zeroWithoutKeys = true; ///< a denominator of 0 gives 0: rows may see no key
};

/// What kernels know of the attention they compute.
struct AttentionShape {
  int64_t features, valueWidth;
  bool log;
};

/// Features of a tile of rows in scratch: those of one block of a group, or all of them.
class FeatureTile {
public:
  /// How features are kept. For dot products those of keys are pairs of rows, i32, those of queries bf16.
  enum class Form { Numbers, KeyPairs, QueryRows };

  /// [row_tile, outputs * feature block], of pairs [row_tile / 2, ...]: small enough for the L1 cache.
  static FeatureTile ofBlock(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan, Form form = Form::Numbers);
  /// [row_tile, F padded].
  static FeatureTile ofAll(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan);

  Value rows; ///< memref
  /// First column of output `o` of a group, for the block of features that starts at `block`.
  Value column(KernelBuilder &k, const FusedGroup &group, size_t o, Value block) const;
  Form form = Form::Numbers;
  /// 2^t for features, as precise as they are kept.
  Value exp2(KernelBuilder &k, Value t) const;
  /// Stores the features of a group of register rows, the first one at `row`.
  void store(KernelBuilder &k, ArrayRef<Value> phi, Value row, Value column) const;
  /// Multiplies those of rows before `row`, a first register row, by powers of two.
  void scaleRows(KernelBuilder &k, Value row, Value column, Value factors) const;

private:
  int64_t width = 0; ///< of a block; 0: all features
};

/// Groups of register rows by the columns of register tiles: body(first row, first column, columns).
void forRegisterTiles(KernelBuilder &k, Value count, Columns columns,
                      llvm::function_ref<void(Value, Value, Columns)> body);

/// Called for every group of register rows of a tile and block of features, with the position of the group among all of
/// a tile's: the place to fetch later rows, a little at a time, since memory would not keep up with a burst.
using FetchAhead = llvm::function_ref<void(Value group)>;

/// Keys of a tile -> features in `tile`, z and r up to date, S rescaled to r. `position` is the tile's first row in
/// `rows`, `count` its number of rows, `block` and `columns` the columns of the group.
void emitKeyFeatures(KernelBuilder &k, TileEmitter &emitter, const FusedGroup &group, const AttentionShape &shape,
                     RowRange rows, Value position, Value count, Value block, Columns columns,
                     const AttentionState &state, FeatureTile &tile, Value factors, FetchAhead fetchAhead);
/// S += phi(k)^T v for the features in `tile`; `values` are the rows of v, or their pairs if the tile has pairs, and
/// the tile's first row is row `firstValue` of v.
void emitStateUpdate(KernelBuilder &k, const FusedGroup &group, const AttentionShape &shape, Value count, Value block,
                     Columns columns, const AttentionState &state, FeatureTile &tile, Value values, Value firstValue);

/// Sums of a tile of queries.
struct QuerySums {
  Value numerator;   ///< [row_tile, M padded]
  Value denominator; ///< [row_tile, lanes]: its sum is the denominator
  Value maximum;     ///< m, [row_tile]; null in the linear domain

  static QuerySums allocate(KernelBuilder &k, TaskBuilder &task, const AttentionShape &shape);
};

/// Queries of a tile -> features in `tile`, scaled by 2^(r - m), denominators up to date if `state` has z.
void emitQueryFeatures(KernelBuilder &k, TileEmitter &emitter, const FusedGroup &group, const AttentionShape &shape,
                       RowRange rows, Value position, Value count, Value block, Columns columns,
                       const AttentionState &state, FeatureTile &tile, const QuerySums &sums, FetchAhead fetchAhead,
                       llvm::function_ref<void(Value row, Value factor)> rescaleMore = nullptr);
/// S -> pairs of its rows for dot products, [F, M padded] i32: those of a block of features start at the row of its
/// first one, and a missing partner is 0.
void emitStatePairs(KernelBuilder &k, const ProgramPlan &plan, const AttentionShape &shape, const AttentionState &state,
                    Value pairs);
/// numerator += phi(q) S; `pairs` are those of S if the tile is for dot products.
void emitQueryProduct(KernelBuilder &k, const FusedGroup &group, const AttentionShape &shape, Value count, Value block,
                      Columns columns, const AttentionState &state, Value pairs, FeatureTile &tile,
                      const QuerySums &sums);
/// Starts the sums of a tile: 0, or the share of constant features.
void emitQueryStart(KernelBuilder &k, const AttentionShape &shape, Value count, const AttentionState &state,
                    Value constantNorm, Value keys, const QuerySums &sums);
/// den + eps 2^(offset - m) of a row, whose eps could leave the range without m; `offset` and `maximum` may be null.
Value addEpsilon(KernelBuilder &k, Value denominator, double eps, Value offset, Value maximum);
/// out = numerator / (denominator + eps 2^(offset - m)); `out` are the head's rows, `first` the tile's first one.
/// `offset` is a binary logarithm, or null; small denominators are added to counter[0]; `denominators`, the rows of
/// what was divided by, may be null.
void emitQueryEnd(KernelBuilder &k, const AttentionShape &shape, Value count, const QuerySums &sums,
                  const Normalization &how, Value offset, Value counter, Value out, Value first,
                  Value denominators = nullptr);
/// denominators[row, 0] = the denominator, or its natural logarithm in the log domain: maximum + log2(denominator).
void storeDenominator(KernelBuilder &k, Value denominator, Value maximum, Value denominators, Value row);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_ATTENTIONSTATE_H
