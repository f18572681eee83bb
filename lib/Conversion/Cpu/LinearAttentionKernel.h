//===- LinearAttentionKernel.h - pieces of linear attention -----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H
#define BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H

#include "lib/Conversion/Cpu/AttentionOperands.h"
#include "lib/Conversion/Cpu/AttentionState.h"
#include "lib/Conversion/Cpu/Kernels.h"
#include <memory>
#include <optional>

namespace bochner::cpu {

/// Fetches share number `share` of rows from `first` on: a group of register rows is due once all blocks of features
/// have passed, so each of them takes its part.
/// `tileRows` is how many rows there are for a tile; 0: as many as it has.
void fetchShare(KernelBuilder &k, const ProgramPlan &plan, ArrayRef<Value> memrefs, Value first, Value share,
                int64_t tileRows = 0);

/// Arguments of a kernel of linear attention. Those that the operation does not have are null.
struct LinearAttentionOperands : AttentionOperands {
  Value offset;                ///< [B, H]
  StateBuffers initial, final; ///< of the heads of keys
  Value counts;                ///< [B, H]
  Value denominators;          ///< [B, H, L, 1]
  /// States before every `checkpointInterval`-th row of a scan: S [B, H, G, F, M], z and r [B, H, G, F]. A batch entry
  /// has the first ones of G; packed sequence e, which begins at row n, has those from n / interval + e on.
  StateBuffers checkpoints;
  int64_t checkpointInterval = 0;
  ValueRange parameters;
  bool quadratic = false; ///< the quadratic form, which computes in f32
  bool rowByRow = false;  ///< the recurrent form, which keeps all features in its state
  bool adjoint = false;   ///< gradients, which compute in f32 and need a row of the state for each feature
};

/// linear_attention, attention_state or apply_state as a kernel.
class LinearAttentionKernel {
public:
  LinearAttentionKernel(KernelBuilder &host, mlir::func::FuncOp kernel, const LinearAttentionOperands &operands,
                        const AttentionShape &shape, const Normalization &how, FeatureProgram keyProgram,
                        std::optional<FeatureProgram> queryProgram);

  void emitBidirectional(); ///< LinearAttention.cpp
  void emitState();         ///< the half of keys
  void emitApply();         ///< the half of queries
  void emitCausal();        ///< CausalAttention.cpp
  void emitRecurrent();     ///< RecurrentAttention.cpp
  void emitQuadratic();     ///< QuadraticAttention.cpp

protected:
  friend class QuadraticTask;
  friend class RecurrentTask;
  bool usesDots() const;
  const ProgramPlan &queryPlan() const { return separateQueryPlan ? *separateQueryPlan : *keyPlan; }
  SmallVector<Value> capturesOf(const ProgramPlan &plan, ValueRange more) const;
  void allocateState(Value parts);
  Value keyTasks(Value parts);
  /// The rows of `heads` heads in parts: number of parts and rows of each.
  std::pair<Value, Value> partition(Value rows, Value heads);
  void emitKeys(Value parts, Value partRows);
  void emitValueSum(KernelBuilder &k, const AttentionState &local, Value valueRows, RowRange rows, bool pairs);
  void emitMerge(Value parts);
  void emitLoad();
  void emitQueries(Value stateParts);
  /// Small denominators of each head, from those of its `parts`.
  void sumCounts(Value smalls, Value parts);
  /// Rows that see no key; `denominators` may be null.
  void emitZeros(KernelBuilder &k, Value rows, Value denominators, Value low, Value high);
  /// The slices of the parameters of a query's head.
  void setQueryHead(TileEmitter &emitter, Value keyHead, Value queryHead) const;
  /// The binary logarithm of the factor of eps; null if there is none.
  Value offsetOf(KernelBuilder &k, TaskBuilder &task, Value batch, Value head);
  /// The checkpoint before row number * interval of the scan that a task is at.
  StateBuffers checkpointAt(KernelBuilder &k, TaskBuilder &task, const TaskPosition &at, const RowSpan &span,
                            Value number) const;
  /// Where small denominators of a head of queries are counted, [1]; null if they are not.
  Value counterOf(KernelBuilder &k, TaskBuilder &task, Value batch, Value head);

  KernelBuilder &host;
  mlir::func::FuncOp kernel;
  llvm::StringRef name;
  LinearAttentionOperands operands;
  AttentionShape shape;
  Normalization how;
  std::unique_ptr<ProgramPlan> keyPlan, separateQueryPlan;
  AttentionState state; ///< in the workspace, one for each head of keys and part
};

/// A block of features of a chunk with rows in the lanes: [row_tile, ...] from `column` on -> [block, row_tile].
void transposeFeatures(KernelBuilder &k, Value features, Value column, Columns columns, Value turned);
/// scores += phi(q) phi(k)^T for `width` features, from `column` on in the rows of `queries`, where `count` queries of
/// a chunk see its keys and, to fill registers, a little more; `keysTurned` has keys in the lanes.
void emitScores(KernelBuilder &k, Value scores, Value queries, Value column, Value count, Value keysTurned,
                int64_t width);

/// Copies the rows of [first, first + count) that the mask keeps to scratch buffers, in pairs of both, and returns how
/// many there are; their positions go to `positions` if that is not null.
Value stageVisibleRows(KernelBuilder &k, Value mask, Value first, Value count, ArrayRef<std::pair<Value, Value>> copies,
                       Value positions = nullptr);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H
