//===- CausalGradientTask.h - a scan of causal gradients --------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two scans that are alike. In each, rows of one side read a state that rows of the other side entered before them, and
// the rows of their own chunk that they see: queries read keys in the order of positions, which gives d q; keys read
// queries in the other order, which gives d k and d v. With p the pulled rows (g or v) and w the weights (w or 1) of
// GradientTask.h, readers i and sources j:
//   d phi_i = S p_i + w_i z + sum_{j <= i} (p_i . p_j + w_i w_j) phi_j,   S = sum phi_j p_j^T,   z = sum w_j phi_j,
//   d v_i   = S^T phi_i + sum_{j <= i} (phi_i . phi_j) p_j.
//
// In the log domain the features of sources are scaled by a maximum per feature, r, as keys are in the forward pass,
// those of readers by its inverse. A chunk whose features span more than the range of numbers goes row by row, where r
// is exact.
//
// Keys that padding or a mask hides count as zeros.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_CAUSALGRADIENTTASK_H
#define BOCHNER_LIB_CONVERSION_CPU_CAUSALGRADIENTTASK_H

#include "lib/Conversion/Cpu/LinearAttentionGrad.h"
#include <functional>

namespace bochner::cpu {

/// The body of a scan; `k` writes into its task.
class CausalGradientTask {
public:
  /// Rows of one side: features of `rows`, which meet `pulled` and weights.
  struct Side {
    Value rows;    ///< of the head
    Value staged;  ///< scratch for a chunk
    Value pulled;  ///< [row_tile, M padded]
    Value weights; ///< [row_tile]
    Value shifts;  ///< [row_tile], subtracted from logarithms; null in the linear domain
    TileEmitter *emitter;
    RowRange range{};
  };

  /// The scan whose readers are keys, or that of queries.
  CausalGradientTask(LinearAttentionGradKernel &kernel, KernelBuilder &k, TaskBuilder &task, bool ofKeys);

  /// Starts the scan of a head: no row has entered the state.
  void clear();
  /// The state of a scan of queries as others see it.
  void load(const StateBuffers &from);
  void save(const StateBuffers &to);
  /// The products of rows are kept at row `first` + i of the buffers for row i of the scan, or `first` - i.
  void keepProducts(Value ofKeys, Value ofQueries, bool loads);
  void setKeptRows(Value first, bool backward);
  /// Rows [base, base + count); `adds` to the gradients of keys that other heads of queries gave.
  void emitChunk(Value base, Value count, Value adds);

  TileEmitter keyEmitter, queryEmitter;
  GradientTask tiles; ///< of readers
  Side queries, keys;
  Value cotangentRows, outputRows, denominatorRows, valueRows, mask;
  Value visible;  ///< keys that padding leaves
  Value rowCount; ///< of the scan
  bool hidesByLength = false, reversed = false;
  bool reads = true;                           ///< false: a scan for the state alone
  bool enters = true;                          ///< false: the next chunk loads its state
  std::function<void(Value share)> fetchState; ///< of what the next segment loads, spread over the blocks of a chunk
  Value gradientRows, valueGradientRows;

private:
  Side &reader() { return ofKeys ? keys : queries; }
  Side &source() { return ofKeys ? queries : keys; }
  void stageKeys(Value base, Value count);
  void stageQueries(Value base, Value count);
  void emitSourceFeatures(Value count);
  void emitMaxima(Value count, Value single);
  void raiseMaxima();
  void emitReaders(Value base, Value count);
  void emitOutputs(Value base, Value count, Value adds);
  void enterState(Value count);
  void setKeptRowsOf(Value row);
  Value keyIsVisible(Value row);

  LinearAttentionGradKernel &kernel;
  KernelBuilder &k;
  bool ofKeys;
  const AttentionShape &shape;
  const ProgramPlan &sourcePlan, &readerPlan;
  FeatureTile sources;   ///< of a chunk, all features
  AttentionState state;  ///< of the sources before the chunk; S only where d v reads it
  Value stateTurned;     ///< S^T, [M, F padded]
  Value raised;          ///< [F padded], the next maxima
  Value flag;            ///< [1], not 0 if a chunk has to go row by row
  Value scores, weights; ///< p_i . p_j + w_i w_j; phi_i . phi_j
  Value turned;          ///< pulled rows or a block of features with rows in the lanes
  QuerySums products;    ///< d v
  Value keptFirst;       ///< null if products are not kept
  bool keptBackward = false;
  TaskBuilder &task;
};

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_CAUSALGRADIENTTASK_H
