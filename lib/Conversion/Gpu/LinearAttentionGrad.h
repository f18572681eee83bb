//===- LinearAttentionGrad.h - gradients on GPUs ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels of the adjoint without causality. With g the cotangent, w = -g . out and features p of queries divided by
// the denominator, the state of the adjoint is dS = sum p^T g, dz = sum p^T w; cotangents of features are g S^T + w z
// (queries) and v dS^T + dz (keys). Features are computed again; in the log domain those of queries carry 2^r and those
// of keys 2^-r, as in the state, and so does dS.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTIONGRAD_H
#define BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTIONGRAD_H

#include "lib/Conversion/Gpu/LinearAttention.h"

namespace bochner::simt {

/// What gradients have beyond the forward pass; `state` and `denominators` are those of AttentionArguments.
struct GradientArguments {
  Value output, cotangent;
  Value query, key, value; ///< gradients
  struct Parameter {
    unsigned number;      ///< of the parameter
    Value gradient;       ///< [heads or 1, D, F]; null if moments are asked for
    Value center, m0, m1; ///< of moments
  };
  SmallVector<Parameter> parameters;
  bool plusMinus = false; ///< centers change their sign in the second half of the columns
};

class LinearAttentionGrad : public LinearAttention {
public:
  using LinearAttention::LinearAttention;

  mlir::LogicalResult emit(const GradientArguments &given);

private:
  enum class Side { Queries, Keys };
  FeaturePlan &planOf(Side side) { return side == Side::Queries && separateQueryPlan ? *separateQueryPlan : *keyPlan; }
  Value rowsOf(Side side) const { return side == Side::Queries ? arguments.query : arguments.key; }
  /// What the cotangents of features are products with: g or v.
  Value othersOf(Side side) const { return side == Side::Queries ? gradients.cotangent : arguments.value; }

  /// Where a block of threads is, and its rows.
  struct Place {
    Value batch, head, keyHead; ///< head of the side
    Value number;               ///< of the head in all batch entries
    Value state;                ///< number of the head of keys
    Value low, high;            ///< rows that exist
  };
  Place locate(DeviceKernel &kernel, Side side, Value number) const;

  mlir::LogicalResult emitRowFactors();
  mlir::LogicalResult emitStateGradients();
  mlir::LogicalResult emitStateGradients(unsigned group, int64_t firstOutput, int64_t outputs);
  mlir::LogicalResult emitRowGradients(Side side);
  mlir::LogicalResult emitParameterPartials(Side side, unsigned group, unsigned product);
  mlir::LogicalResult emitParameterSums(unsigned group, unsigned product, Value target);
  mlir::LogicalResult emitMoments(const GradientArguments::Parameter &parameter, Value gradient);

  GradientArguments gradients;
  Value rowScale, rowWeight; ///< [heads of queries, L]: -log2 den or 1 / den, and w
  Value stateOperand;        ///< S and z as operands
  Value gradientOperand;     ///< dS and dz as operands
  Value sideParts[2], sidePartRows[2];
  Value partials[2]; ///< of parameter gradients, [heads * parts, columns, D]
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_LINEARATTENTIONGRAD_H
