//===- GradientTile.h - rows and factors of their cotangents ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_GRADIENTTILE_H
#define BOCHNER_LIB_CONVERSION_GPU_GRADIENTTILE_H

#include "lib/Conversion/Gpu/FeaturePlan.h"

namespace bochner::simt {

/// A tile of rows with what cotangents of features need: the other operand, and factors by row.
class GradientTile {
public:
  static constexpr int64_t kRows = 64;

  /// Takes shared memory for the others, which are left or right operands of products, or `chained`, the depth of a
  /// product with accumulators.
  GradientTile(DeviceKernel &kernel, const FeaturePlan &plan, int64_t width, Order order, bool chained);

  SharedMatrix others;

  /// Copies factors of rows [base, base + 64) from arrays of f32; those that do not exist get features of 0. Without
  /// arrays, of keys, they are constants. `asColumns`: w stands behind the others as well, as two parts.
  void stageFactors(Value scaleRow, Value weightRow, Value base, function_ref<Value(Value)> exists, bool log,
                    bool asColumns);
  Value scale(Value row) { return t.loadNumber(t.b.getF32Type(), t.offset(scales, t.mul(row, 4))); }
  Value weight(Value row) { return t.loadNumber(t.b.getF32Type(), t.offset(weights, t.mul(row, 4))); }

private:
  DeviceKernel &kernel;
  ThreadBuilder &t;
  Precision precision;
  int64_t width;
  Value scales, weights;
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_GRADIENTTILE_H
