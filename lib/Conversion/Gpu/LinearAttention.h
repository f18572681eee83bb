//===- LinearAttention.h - linear attention on GPUs -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels of linear attention: partial states of parts of the keys, their sum, and outputs. In the log domain
// feature f of keys is scaled by 2^-r_f with r_f the maximum of log2 phi_f(k), and features of a query by 2^-m with m
// the maximum of log2 phi_f(q) + r_f: the scheme of online softmax, with frequencies in the place of queries.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H
#define BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H

#include "lib/Conversion/Gpu/FeatureTile.h"
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
  int64_t group = 1; ///< query heads that share a head of keys
};

/// How sums become outputs.
struct Normalization {
  double eps = 0;
  bool normalize = true;
  double floor = 0; ///< the least absolute value of denominators; 0: none
};

class LinearAttention {
public:
  LinearAttention(HostBuilder &host, StringRef name, const AttentionArguments &arguments, const Normalization &how,
                  int64_t valueWidth, Precision precision, const ChipLimits &limits, FeatureProgram keyProgram,
                  std::optional<FeatureProgram> queryProgram);

  mlir::LogicalResult emitBidirectional();

private:
  const FeaturePlan &queryPlan() const { return separateQueryPlan ? *separateQueryPlan : *keyPlan; }
  bool logDomain() const { return keyPlan->program.logDomain; }
  /// Columns of the state as operands of the output kernel: values, then z as two parts.
  int64_t operandWidth() const { return toBlocks(valueWidth) + 8; }
  /// The slice of each parameter for a head of keys.
  static Value parameterHead(DeviceKernel &kernel, Value parameter, Value keyHead);

  mlir::LogicalResult emitPartialStates();
  mlir::LogicalResult emitPartialStates(unsigned group);
  mlir::LogicalResult emitMerge();
  mlir::LogicalResult emitOutputs();

  HostBuilder &host;
  std::string name;
  AttentionArguments arguments;
  Normalization how;
  int64_t valueWidth;
  Precision precision;
  ChipLimits limits;
  std::optional<FeaturePlan> keyPlan, separateQueryPlan;

  // In the workspace:
  Value parts, partRows;                       ///< of the keys of a head
  Value heads;                                 ///< heads of keys in all batch entries
  Value partSums, partNormalizer, partMaximum; ///< [heads * parts, state rows(, value width)]
  Value operand, maximum;                      ///< [heads, state rows(, operand width)]
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTION_H
