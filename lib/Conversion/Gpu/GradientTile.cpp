//===- GradientTile.cpp - rows and factors of their cotangents ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/GradientTile.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

GradientTile::GradientTile(DeviceKernel &kernel, const FeaturePlan &plan, int64_t width, Order order, bool chained)
    : kernel(kernel), t(kernel.t), precision(plan.precision), width(width) {
  int64_t bytes = rowBytesOf(precision, toBlocks(width) + (chained ? 8 : 0), order, chained);
  others = {kernel.allocateShared(kRows * bytes), bytes};
  scales = kernel.allocateShared(kRows * 4);
  weights = kernel.allocateShared(kRows * 4);
}

void GradientTile::stageFactors(Value scaleRow, Value weightRow, Value base, llvm::function_ref<Value(Value)> exists,
                                bool log, bool asColumns) {
  Value none = t.f32(log ? -std::numeric_limits<double>::infinity() : 0), zero = t.f32(0);
  t.loop(t.threadId(), t.i32(kRows), kernel.threads, [&](Value row) {
    Value at = t.mul(t.toI64(t.add(base, row)), 4);
    SmallVector<Value> factors = t.choose(exists(row), {none, zero}, [&]() -> SmallVector<Value> {
      if (!scaleRow)
        return {t.f32(log ? 0 : 1), t.f32(1)};
      return {t.loadNumber(t.b.getF32Type(), t.offset(scaleRow, at)),
              t.loadNumber(t.b.getF32Type(), t.offset(weightRow, at))};
    });
    t.store(factors[0], t.offset(scales, t.mul(row, 4)), 4);
    t.store(factors[1], t.offset(weights, t.mul(row, 4)), 4);
    if (!asColumns)
      return;
    // Behind the others: w as two parts, then zeros.
    Type element = elementOf(precision, t.b.getContext());
    Value high = t.widen(t.narrow(factors[1], element)), low = t.subf(factors[1], high);
    for (int64_t i = 0; i < 8; ++i) {
      Value place = t.add(t.mul(row, others.rowBytes), (toBlocks(width) + i) * bytesOf(precision));
      t.storeNumber(i == 0 ? high : i == 1 ? low : zero, element, t.offset(others.address, place));
    }
  });
}
