//===- LinearAttention.h - linear attention on GPUs -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels of linear attention: states of parts of the keys, their sum or the sums before each part, and outputs. In
// the log domain feature f of keys is scaled by 2^-r_f with r_f the maximum of log2 phi_f(k), and features of a query
// by 2^-m with m the maximum of log2 phi_f(q) + r_f: the scheme of online softmax, with frequencies in the place of
// queries.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H
#define BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H

#include "lib/Conversion/Gpu/QueryTile.h"
#include <optional>

namespace bochner::simt {

/// A state as callers see it: S [B, H, F, M], z [B, H, F], r [B, H, F]; null where there is none.
struct StateArguments {
  Value sums, normalizer, maximum;
  explicit operator bool() const { return bool(sums); }
};

/// Arguments of a kernel function. Those that the operation does not have are null.
struct AttentionArguments {
  Value query, key, value;
  Value lengths; ///< [B]
  Value mask;    ///< [B, S]
  Value offset;  ///< [B, H]
  StateArguments initial, final;
  ValueRange parameters;
  Value out, denominators;
  int64_t group = 1;     ///< query heads that share a head of keys
  bool reversed = false; ///< a scan runs from the last row to the first
};

class LinearAttention {
public:
  LinearAttention(HostBuilder &host, StringRef name, const AttentionArguments &arguments, const Normalization &how,
                  int64_t valueWidth, Precision precision, const ChipLimits &limits, FeatureProgram keyProgram,
                  std::optional<FeatureProgram> queryProgram);

  mlir::LogicalResult emitBidirectional();
  mlir::LogicalResult emitCausal();
  mlir::LogicalResult emitState(); ///< the half of keys
  mlir::LogicalResult emitApply(); ///< the half of queries

protected:
  const FeaturePlan &queryPlan() const { return separateQueryPlan ? *separateQueryPlan : *keyPlan; }
  bool logDomain() const { return keyPlan->program.logDomain; }
  /// Columns of the state as operands of the output kernel: values, then z as two parts.
  int64_t operandWidth() const { return toBlocks(valueWidth) + 8; }
  /// The slice of each parameter for a head of keys, or of queries if the parameter has as many.
  Value parameterHead(DeviceKernel &kernel, Value parameter, Value keyHead, Value queryHead = nullptr) const;
  mlir::LogicalResult pack();
  /// Parts of at least 256 rows, enough of them to fill a large chip; from shapes only, so that results do not depend
  /// on the chip.
  static Value choosePartCount(HostBuilder &host, Value rows, Value heads);
  /// Begins to copy columns [first, first + columns) of what a group's products read to shared memory that is taken
  /// here; products of a warp read them from `warpColumn` on.
  static SmallVector<FeatureTile::Weights> stageWeights(DeviceKernel &kernel, const FeatureTile &tile,
                                                        const FeaturePlan &plan, unsigned group, Value first,
                                                        int64_t columns, Value warpColumn);

  /// Keys of a batch entry by their position in a scan, of which rows of the tensor are behind `firstKey`.
  struct KeyRange {
    Value low, high; ///< positions of keys that padding leaves
    Value mask, maskStride;
  };
  KeyRange keyRange(DeviceKernel &kernel, Value batch) const;
  /// Whether position `at` is a key; `high` may be an earlier end.
  Value isKey(DeviceKernel &kernel, const KeyRange &keys, Value high, Value at) const;
  /// Rows of a head by their position in the scan, which begin at position `first` (null: 0).
  GlobalRows scanRows(DeviceKernel &kernel, Value memref, Value batch, Value head, Value first) const;

  /// The state of all keys; `withOperand`: also as the output kernel reads it.
  mlir::LogicalResult emitKeys(bool withOperand);
  // LinearAttentionState.cpp
  mlir::LogicalResult emitPartialStates();
  mlir::LogicalResult emitPartialStates(unsigned group);
  // LinearAttentionMerge.cpp
  mlir::LogicalResult emitMerge(bool withOperand);
  mlir::LogicalResult emitScan();
  // LinearAttention.cpp
  mlir::LogicalResult emitOutputs();
  // CausalAttention.cpp
  int64_t chunkRows() const;
  mlir::LogicalResult emitCausalOutputs();
  friend class StateReader;

  HostBuilder &host;
  std::string name;
  AttentionArguments arguments;
  Normalization how;
  int64_t valueWidth;
  Precision precision;
  ChipLimits limits;
  std::optional<FeaturePlan> keyPlan, separateQueryPlan;

  // Of the host:
  Value heads;                                 ///< heads of keys in all batch entries
  Value positions;                             ///< length of a scan
  Value firstQuery, firstKey;                  ///< positions of row 0; null: 0
  Value parts, partRows;                       ///< of the positions of a head
  Value partSums, partNormalizer, partMaximum; ///< [heads * parts, state rows(, value width)], in the workspace
  Value operand, maximum;                      ///< [heads or heads * parts, state rows(, operand width)]
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H
