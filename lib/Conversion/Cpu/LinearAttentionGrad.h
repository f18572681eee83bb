//===- LinearAttentionGrad.h - gradients of linear attention ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONGRAD_H
#define BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONGRAD_H

#include "lib/Conversion/Cpu/GradientTask.h"
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"

namespace bochner::cpu {

class CausalGradientTask;

/// What the adjoint reads and writes besides the operands of the forward pass.
struct GradientOperands {
  Value output, cotangent;
  Value query, key, value; ///< gradients
  /// Of a parameter: its gradient, or moment 0 or 1.
  struct OfParameter {
    unsigned parameter, moment;
    Value gradient;
  };
  SmallVector<OfParameter> parameters;
  WantedGradients wanted;
};

/// linear_attention_grad as a kernel: the state of the keys is that of the forward pass.
class LinearAttentionGradKernel : public LinearAttentionKernel {
public:
  LinearAttentionGradKernel(KernelBuilder &host, mlir::func::FuncOp kernel, const LinearAttentionOperands &operands,
                            const GradientOperands &gradients, const AttentionShape &shape, const Normalization &how,
                            FeatureProgram keyProgram, std::optional<FeatureProgram> queryProgram);

  void emitBidirectional(); ///< LinearAttentionGrad.cpp
  void emitCausal();        ///< CausalAttentionGrad.cpp

private:
  friend class CausalGradientTask;
  void emitTurn(Value sums, Value parts, Value turned, StringRef suffix);
  void emitDenominators(KernelBuilder &k, TileEmitter &emitter, RowRange rows, const AttentionState &local,
                        FeatureTile &features, const QuerySums &sums, Value logOffset, Value denominators);
  /// Rows of cotangents, what multiplies z, and in the log domain the scale of features, for a tile.
  struct PulledRows {
    Value rows, weights, shifts;
  };
  void emitPulledRows(KernelBuilder &k, const PulledRows &to, Value cotangentRows, Value outputRows, Value base,
                      Value count, Value denominators, Value firstDenominator);
  void emitQueryGradients(Value parts, Value partRows);
  void emitMergeCotangents();
  void emitKeyGradients(Value parts, Value partRows);
  void allocateCheckpoints();
  void bindScan(CausalGradientTask &body, KernelBuilder &k, TaskBuilder &task, const TaskPosition &at, bool ofKeys);
  void bindHead(CausalGradientTask &body, KernelBuilder &k, TaskBuilder &task, const TaskPosition &at, Value queryHead,
                bool ofKeys);
  AttentionOperands scanOf(bool ofKeys) const;
  SmallVector<Value> scanCaptures() const;
  void emitCheckpoints();
  void emitScans();
  void emitParameterGradients(Value keyParts, Value queryParts);
  SmallVector<Value> gradientCaptures(const GradientPlan &plan, ValueRange more) const;

  GradientOperands gradients;
  std::unique_ptr<GradientPlan> keyGradient, queryGradient;
  AttentionState cotangents;          ///< dS and dz, a share for each task of queries
  Value stateParts, shares;           ///< parts of the state, and of dS and dz, of a head of keys
  Value stateTurned, cotangentTurned; ///< S^T and dS^T of each head of keys, [heads, M, F padded]
};

/// body(number of the group, group, first column, columns, number of the block) for every block of features.
void forGroups(KernelBuilder &k, const ProgramPlan &plan,
               llvm::function_ref<void(size_t, const FusedGroup &, Value, Columns, Value)> body);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_LINEARATTENTIONGRAD_H
