//===- LinearAttentionMerge.cpp - states of all keys, or of those before -===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adds the states of parts in order, one thread an element, and writes the sum as the operand of the output kernel and
// as the caller's state; a scan writes the sum before each part.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/LinearAttention.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

namespace bochner::simt {

/// Reads elements of partial states and of the caller's in a thread of an element: row of the state, and a column that
/// is one of the values or, behind them, z.
class StateReader {
public:
  StateReader(DeviceKernel &kernel, LinearAttention &attention, Value batch, Value head, Value row, Value column)
      : kernel(kernel), t(kernel.t), a(attention), batch(batch), head(head), row(row), column(column) {
    isSum = t.less(column, toBlocks(a.valueWidth));
    // The feature of the row; -1 in the padding.
    feature = t.i32(-1);
    for (const FeaturePlan::Run &run : a.keyPlan->runs()) {
      Value inside = t.both(t.lessEqual(t.i32(run.row), row), t.less(row, run.row + run.count));
      feature = t.select(inside, t.add(row, run.feature - run.row), feature);
    }
    exists = t.lessEqual(t.i32(0), feature);
  }

  Value isSum, feature, exists;

  /// An element of a part, with its r (null in the linear domain); r is unset where no key has been seen.
  std::pair<Value, Value> ofPart(Value part) {
    Value z = load(a.partNormalizer, {part, row});
    Value x = t.choose(isSum, z, [&] { return SmallVector<Value>{load(a.partSums, {part, row, column})}; })[0];
    if (!a.logDomain())
      return {x, Value()};
    return {x, t.select(t.isZero(z), t.f32(kUnset), load(a.partMaximum, {part, row}))};
  }

  /// The same of the caller's initial state.
  std::pair<Value, Value> ofInitial() {
    const StateArguments &initial = a.arguments.initial;
    SmallVector<Value> unset{t.f32(0), t.f32(kUnset)};
    if (!initial)
      return {unset[0], a.logDomain() ? unset[1] : Value()};
    SmallVector<Value> read = t.choose(exists, unset, [&]() -> SmallVector<Value> {
      Value z = load(initial.normalizer, {batch, head, feature});
      Value isValue = t.less(column, a.valueWidth), start = t.select(isSum, t.f32(0), z);
      Value x = t.choose(isValue, start,
                         [&] { return SmallVector<Value>{load(initial.sums, {batch, head, feature, column})}; })[0];
      Value r = a.logDomain() ? t.select(t.isZero(z), t.f32(kUnset), load(initial.maximum, {batch, head, feature}))
                              : t.f32(kUnset);
      return {x, r};
    });
    return {read[0], a.logDomain() ? read[1] : Value()};
  }

  /// Writes an element as the caller's state.
  void writeFinal(Value x, Value r) {
    const StateArguments &final = a.arguments.final;
    if (!final)
      return;
    t.when(t.both(exists, t.less(column, a.valueWidth)), [&] { store(x, final.sums, {batch, head, feature, column}); });
    t.when(t.both(exists, t.equal(column, toBlocks(a.valueWidth))), [&] {
      store(x, final.normalizer, {batch, head, feature});
      if (r)
        store(t.select(t.isZero(x), t.f32(0), r), final.maximum, {batch, head, feature});
    });
  }

  /// Writes an element of a state as an operand: behind the values z, rounded, and what the rounding lost.
  void writeOperand(Value x, Value r, Value number) {
    GlobalTensor to = kernel.tensor(a.operand);
    Value high = t.widen(t.narrow(x, to.element)), low = t.subf(x, high);
    int64_t padded = toBlocks(a.valueWidth);
    Value behind = t.select(t.equal(column, padded), high, t.select(t.equal(column, padded + 1), low, t.f32(0)));
    t.storeNumber(t.select(isSum, x, behind), to.element, kernel.address(to, {number, row, column}));
    if (r)
      t.when(t.equal(column, 0), [&] { store(r, a.maximum, {number, row}); });
  }

private:
  Value load(Value memref, ValueRange at) {
    GlobalTensor tensor = kernel.tensor(memref);
    return t.loadNumber(tensor.element, kernel.address(tensor, at));
  }
  void store(Value x, Value memref, ValueRange at) {
    GlobalTensor tensor = kernel.tensor(memref);
    t.storeNumber(x, tensor.element, kernel.address(tensor, at));
  }

  DeviceKernel &kernel;
  ThreadBuilder &t;
  LinearAttention &a;
  Value batch, head, row, column;
};

} // namespace bochner::simt

/// Adds (x, r) to a sum scaled by 2^-R: both become those of the larger r.
static std::pair<Value, Value> addScaled(ThreadBuilder &t, Value sum, Value sumMaximum, Value x, Value r) {
  if (!r)
    return {t.addf(sum, x), Value()};
  Value larger = t.maxf(sumMaximum, r);
  Value kept = t.mulf(sum, t.exp2(t.subf(sumMaximum, larger)));
  return {t.fma(x, t.exp2(t.subf(r, larger)), kept), larger};
}

LogicalResult LinearAttention::emitMerge(bool withOperand) {
  int64_t stateRows = keyPlan->stateRows, width = operandWidth();
  if (withOperand) {
    operand =
        host.workspace({ShapedType::kDynamic, stateRows, width}, heads, elementOf(precision, host.b.getContext()));
    if (logDomain())
      maximum = host.workspace({ShapedType::kDynamic, stateRows}, heads, host.b.getF32Type());
  }
  DeviceKernel kernel(host, name + "_merge", 256);
  ThreadBuilder &t = kernel.t;
  Value keys = arguments.key ? arguments.key : arguments.initial.sums;
  Value number = t.blockId(0), headCount = kernel.dim(keys, 1);
  Value at = t.add(t.mul(t.blockId(1), kernel.threads), t.threadId());
  t.when(t.less(at, stateRows * width), [&] {
    StateReader state(kernel, *this, t.div(number, headCount), t.rem(number, headCount), t.div(at, width),
                      t.rem(at, width));
    auto [sum, r] = state.ofInitial();
    if (partSums) {
      SmallVector<Value> init{sum};
      if (r)
        init.push_back(r);
      Value first = t.mul(number, kernel.get(parts)), last = t.add(first, kernel.get(parts));
      SmallVector<Value> total = t.loop(first, last, 1, init, [&](Value part, ValueRange carried) {
        auto [x, partMaximum] = state.ofPart(part);
        auto [next, larger] = addScaled(t, carried[0], carried.back(), x, partMaximum);
        return larger ? SmallVector<Value>{next, larger} : SmallVector<Value>{next};
      });
      sum = total[0];
      r = r ? total[1] : r;
    }
    if (withOperand)
      state.writeOperand(sum, r, number);
    state.writeFinal(sum, r);
  });
  int64_t blocks = (stateRows * width + kernel.threads - 1) / kernel.threads;
  return kernel.finish({heads, host.index(blocks)}, limits);
}

LogicalResult LinearAttention::emitScan() {
  int64_t stateRows = keyPlan->stateRows, width = operandWidth();
  Value count = host.mul(heads, parts);
  operand = host.workspace({ShapedType::kDynamic, stateRows, width}, count, elementOf(precision, host.b.getContext()));
  if (logDomain())
    maximum = host.workspace({ShapedType::kDynamic, stateRows}, count, host.b.getF32Type());

  DeviceKernel kernel(host, name + "_scan", 256);
  ThreadBuilder &t = kernel.t;
  Value number = t.blockId(0), headCount = kernel.dim(arguments.key, 1);
  Value at = t.add(t.mul(t.blockId(1), kernel.threads), t.threadId());
  // Keys of a part exceed its r by this at most: so much more do the rows before a large key keep of their range.
  double growth = precision == Precision::f16 ? 8 : 30;
  t.when(t.less(at, stateRows * width), [&] {
    StateReader state(kernel, *this, t.div(number, headCount), t.rem(number, headCount), t.div(at, width),
                      t.rem(at, width));
    auto [start, startMaximum] = state.ofInitial();
    SmallVector<Value> init{start};
    if (startMaximum)
      init.push_back(startMaximum);
    Value first = t.mul(number, kernel.get(parts)), last = t.add(first, kernel.get(parts));
    SmallVector<Value> total = t.loop(first, last, 1, init, [&](Value part, ValueRange carried) {
      auto [x, partMaximum] = state.ofPart(part);
      Value before = carried[0], r;
      if (partMaximum) {
        r = t.maxf(carried[1], t.subf(partMaximum, t.f32(growth)));
        before = t.mulf(before, t.exp2(t.subf(carried[1], r)));
      }
      state.writeOperand(before, r, part);
      auto [next, larger] = addScaled(t, carried[0], carried.back(), x, partMaximum);
      return larger ? SmallVector<Value>{next, larger} : SmallVector<Value>{next};
    });
    state.writeFinal(total[0], startMaximum ? total[1] : Value());
  });
  int64_t blocks = (stateRows * width + kernel.threads - 1) / kernel.threads;
  return kernel.finish({heads, host.index(blocks)}, limits);
}
