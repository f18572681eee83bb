//===- LinearAttentionKernel.h - pieces of linear attention -----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H
#define BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H

#include "lib/Conversion/Cpu/AttentionState.h"
#include "lib/Conversion/Cpu/Kernels.h"
#include <memory>
#include <optional>

namespace bochner::cpu {

/// Calls body(group, first column, columns, number) for every block of features of a program.
void forFeatureBlocks(KernelBuilder &k, const ProgramPlan &plan,
                      llvm::function_ref<void(const FusedGroup &, Value, Columns, Value)> body);

/// Fetches share number `share` of rows from `first` on: a group of register rows is due once all blocks of features
/// have passed, so each of them takes its part.
void fetchShare(KernelBuilder &k, const ProgramPlan &plan, ArrayRef<Value> memrefs, Value first, Value share);

/// One linear_attention operation as a kernel: what its forms, bidirectional and causal, share.
class LinearAttentionKernel {
public:
  LinearAttentionKernel(KernelBuilder &host, mlir::func::FuncOp kernel, spectral::LinearAttentionOp op,
                        FeatureProgram keyProgram, std::optional<FeatureProgram> queryProgram);
  void pack();
  void emitBidirectional(); ///< LinearAttention.cpp
  void emitCausal();        ///< CausalAttention.cpp

private:
  const ProgramPlan &queryPlan() const { return separateQueryPlan ? *separateQueryPlan : *keyPlan; }
  SmallVector<Value> capturesOf(const ProgramPlan &plan, ValueRange more) const;
  void emitKeys(Value parts, Value partRows, Value count);
  void emitValueSum(KernelBuilder &k, const AttentionState &local, Value valueRows, RowRange rows);
  void emitMerge(Value parts, Value count);
  void emitQueries(Value stateParts, Value parts, Value partRows, Value count);
  void emitZeros(KernelBuilder &k, Value rows, Value low, Value high);
  /// The binary logarithm of the factor of eps; null if there is none.
  Value offsetOf(KernelBuilder &k, TaskBuilder &task, const TaskPosition &at);

  KernelBuilder &host;
  mlir::func::FuncOp kernel;
  llvm::StringRef name;
  double eps;
  AttentionShape shape;
  Value query, key, value, lengths, offset, out;
  std::unique_ptr<ProgramPlan> keyPlan, separateQueryPlan;
  AttentionState state; ///< in the workspace, one for each head and part
};

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONKERNEL_H
