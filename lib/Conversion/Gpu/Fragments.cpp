//===- Fragments.cpp - products on tensor cores ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// 16-bit operands are read by ldmatrix, transposed where the rows in memory are the depth. 32-bit operands are read
// element by element. An accumulator has columns 2q and 2q + 1 in a lane, the left operand of tf32 columns q and q + 4:
// chained products number the depth accordingly, on both sides.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/Fragments.h"

using namespace mlir;
using namespace bochner::simt;

Type bochner::simt::elementOf(Precision p, MLIRContext *context) {
  Builder b(context);
  return p == Precision::bf16 ? Type(b.getBF16Type()) : p == Precision::f16 ? Type(b.getF16Type()) : b.getF32Type();
}

int64_t bochner::simt::rowBytesOf(Precision precision, int64_t width, Order order, bool chained) {
  if (isShort(precision)) {
    // Eight rows of 16 bytes lie in different banks if rows are an odd number of 16 bytes apart.
    int64_t units = (width * 2 + 15) / 16;
    return (units | 1) * 16;
  }
  // Lanes read word `group * row + quad` (by row), `quad * row + group` or, chained, `2 * quad * row + group`. Words of
  // a row modulo 32: 4 times an odd number suits the first and the last one, 8 times an odd number the second.
  int64_t unit = order == Order::ByDepth && !chained ? 8 : 4;
  int64_t units = (width + unit - 1) / unit;
  return (units | 1) * unit * 4;
}

Fragments::Fragments(ThreadBuilder &t, Precision precision) : precision(precision), t(t) {
  Value lane = t.lane();
  group = t.shiftRight(lane, 2);
  quad = t.bitAnd(lane, 3);
}

Value Fragments::rowOf(int64_t i) { return t.add(group, 8 * (i / 2)); }
Value Fragments::columnOf(int64_t i) { return t.add(t.shiftLeft(quad, 1), i % 2); }

Accumulator Fragments::zero() {
  Value zero = t.f32(0);
  return {zero, zero, zero, zero};
}

Value Fragments::at(const SharedMatrix &m, Value row, Value column) {
  return t.offset(m.address, t.add(t.mul(row, m.rowBytes), t.mul(column, bytesOf(precision))));
}

void Fragments::append(Operand &operand, Value x) {
  Value high = t.toTf32(x);
  operand.high.push_back(high);
  if (precision == Precision::tf32x3)
    operand.low.push_back(t.toTf32(t.subf(x, t.number(high))));
}

Fragments::Operand Fragments::left(const SharedMatrix &m, Value row, Value depth, Order order) {
  Operand operand;
  if (isShort(precision)) {
    Value lane = t.lane(), j = t.shiftRight(lane, 3), i = t.bitAnd(lane, 7);
    Value rowHalf = t.shiftLeft(t.bitAnd(j, 1), 3), depthHalf = t.shiftLeft(t.shiftRight(j, 1), 3);
    Value address = order == Order::ByRow ? at(m, t.add(row, t.add(rowHalf, i)), t.add(depth, depthHalf))
                                          : at(m, t.add(depth, t.add(depthHalf, i)), t.add(row, rowHalf));
    SmallVector<Value> registers = t.loadMatrices(address, 4, order == Order::ByDepth);
    operand.high.append(registers.begin(), registers.end());
    return operand;
  }
  for (int64_t i = 0; i < 4; ++i) {
    Value r = t.add(row, t.add(group, 8 * (i % 2))), d = t.add(depth, t.add(quad, 4 * (i / 2)));
    append(operand, t.load(t.b.getF32Type(), order == Order::ByRow ? at(m, r, d) : at(m, d, r), 4));
  }
  return operand;
}

std::array<Fragments::Operand, 2> Fragments::right(const SharedMatrix &m, Value column, Value depth, Order order,
                                                   bool chained, bool shared) {
  std::array<Operand, 2> operands;
  if (isShort(precision) && !shared) { // ldmatrix reads shared memory only
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 2; ++i) {
        Value c = t.add(column, t.add(group, 8 * n)), d = t.add(depth, t.add(t.shiftLeft(quad, 1), 8 * i));
        auto half = [&](int64_t offset) {
          Value deep = t.add(d, offset);
          return t.load(t.b.getI16Type(), order == Order::ByRow ? at(m, c, deep) : at(m, deep, c), 2);
        };
        operands[n].high.push_back(t.joinHalves(half(0), half(1)));
      }
    return operands;
  }
  if (isShort(precision)) {
    Value lane = t.lane(), j = t.shiftRight(lane, 3), i = t.bitAnd(lane, 7);
    Value depthHalf = t.shiftLeft(t.bitAnd(j, 1), 3), columnHalf = t.shiftLeft(t.shiftRight(j, 1), 3);
    Value address = order == Order::ByRow ? at(m, t.add(column, t.add(columnHalf, i)), t.add(depth, depthHalf))
                                          : at(m, t.add(depth, t.add(depthHalf, i)), t.add(column, columnHalf));
    SmallVector<Value> registers = t.loadMatrices(address, 4, order == Order::ByDepth);
    for (int64_t n = 0; n < 2; ++n)
      operands[n].high = {registers[2 * n], registers[2 * n + 1]};
    return operands;
  }
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t i = 0; i < 2; ++i) {
      Value c = t.add(column, t.add(group, 8 * n));
      Value d = t.add(depth, chained ? t.add(t.shiftLeft(quad, 1), i) : t.add(quad, 4 * i));
      append(operands[n], t.load(t.b.getF32Type(), order == Order::ByRow ? at(m, c, d) : at(m, d, c), 4));
    }
  return operands;
}

SmallVector<Fragments::Operand> Fragments::chain(const Accumulator &first, const Accumulator &second) {
  if (isShort(precision)) {
    Type type = elementOf(precision, t.b.getContext());
    Operand operand;
    for (const Accumulator *half : {&first, &second})
      for (int64_t row = 0; row < 2; ++row)
        operand.high.push_back(t.pack((*half)[2 * row], (*half)[2 * row + 1], type));
    return {operand};
  }
  SmallVector<Operand> operands;
  for (const Accumulator *half : {&first, &second}) {
    Operand &operand = operands.emplace_back();
    for (int64_t i : {0, 2, 1, 3})
      append(operand, (*half)[i]);
  }
  return operands;
}

Fragments::Operand Fragments::ones() {
  Operand operand;
  int64_t pattern = precision == Precision::bf16 ? 0x3F803F80 : precision == Precision::f16 ? 0x3C003C00 : 0x3F800000;
  Value one = t.i32(pattern);
  operand.high = {one, one};
  return operand;
}

Accumulator Fragments::multiply(const Operand &a, const Operand &b, const Accumulator &c) {
  using Type = ThreadBuilder::MmaType;
  Type type = precision == Precision::bf16 ? Type::bf16 : precision == Precision::f16 ? Type::f16 : Type::tf32;
  SmallVector<Value> sum(c.begin(), c.end());
  // Small parts first.
  if (!a.low.empty())
    sum = t.mma(type, a.low, b.high, sum);
  if (!b.low.empty())
    sum = t.mma(type, a.high, b.low, sum);
  sum = t.mma(type, a.high, b.high, sum);
  return {sum[0], sum[1], sum[2], sum[3]};
}

std::array<Accumulator, 2>
Fragments::overDepth(int64_t depth, const std::array<Accumulator, 2> &init,
                     llvm::function_ref<std::array<Accumulator, 2>(Value, const std::array<Accumulator, 2> &)> step) {
  std::array<Accumulator, 2> sums = init;
  if (precision != Precision::tf32x3) {
    for (int64_t d = 0; d < depth; d += depthOf(precision))
      sums = step(t.i32(d), sums);
    return sums;
  }
  auto unpack = [](ValueRange values) {
    std::array<Accumulator, 2> block;
    for (int64_t i = 0; i < 8; ++i)
      block[i / 4][i % 4] = values[i];
    return block;
  };
  auto flatten = [](const std::array<Accumulator, 2> &block) {
    SmallVector<Value> values;
    for (const Accumulator &accumulator : block)
      values.append(accumulator.begin(), accumulator.end());
    return values;
  };
  return unpack(t.loop(t.i32(0), t.i32(depth), depthOf(precision), flatten(sums),
                       [&](Value d, ValueRange carried) { return flatten(step(d, unpack(carried))); }));
}

std::array<Accumulator, 2> Fragments::multiplyRows(const SharedMatrix &a, Value row, const SharedMatrix &b,
                                                   Value column, int64_t depth) {
  return overDepth(depth, {zero(), zero()}, [&](Value d, std::array<Accumulator, 2> sums) {
    Operand rows = left(a, row, d, Order::ByRow);
    auto columns = right(b, column, d, Order::ByRow, false);
    for (int64_t n = 0; n < 2; ++n)
      sums[n] = multiply(rows, columns[n], sums[n]);
    return sums;
  });
}

void Fragments::accumulate(const std::array<Accumulator, 2> &accumulators, const SharedMatrix &matrix, Value depth,
                           Order order, int64_t count, int64_t at, llvm::SmallVectorImpl<Value> &sums) {
  SmallVector<Operand> operands = chain(accumulators[0], accumulators[1]);
  for (auto [k, operand] : llvm::enumerate(operands)) {
    Value deep = t.add(depth, k * depthOf(precision));
    for (int64_t m = 0; m < count; m += 2) {
      // A last tile without a neighbor is read together with the one before it.
      bool alone = m + 1 == count;
      int64_t firstTile = alone ? m - 1 : m;
      auto columns = right(matrix, t.i32(firstTile * 8), deep, order, true);
      for (int64_t n = alone ? 1 : 0; n < 2; ++n) {
        int64_t sum = (at + firstTile + n) * 4;
        Accumulator result = multiply(operand, columns[n], {sums[sum], sums[sum + 1], sums[sum + 2], sums[sum + 3]});
        std::copy(result.begin(), result.end(), sums.begin() + sum);
      }
    }
  }
}
