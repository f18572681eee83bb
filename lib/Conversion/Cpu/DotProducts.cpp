//===- DotProducts.cpp - products of bf16 pairs ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/DotProducts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

static Type withElement(Value v, Type element) {
  if (auto vector = dyn_cast<VectorType>(v.getType()))
    return vector.clone(element);
  return element;
}

static int64_t widthOf(Value v) { return cast<VectorType>(v.getType()).getDimSize(0); }

static Value integer(KernelBuilder &k, uint32_t value, Type type) {
  TypedAttr attribute = k.b.getIntegerAttr(k.b.getI32Type(), APInt(32, value));
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, Attribute(attribute));
  return arith::ConstantOp::create(k.b, k.loc, type, attribute);
}

static Value bitsOf(KernelBuilder &k, Value v) {
  return arith::BitcastOp::create(k.b, k.loc, withElement(v, k.b.getI32Type()), v);
}
static Value numberOf(KernelBuilder &k, Value bits) {
  return arith::BitcastOp::create(k.b, k.loc, withElement(bits, k.b.getF32Type()), bits);
}

/// Adds half of the last digit that the upper half keeps. Ties go up in size: to even would take three operations more.
static Value halfUp(KernelBuilder &k, Value bits) {
  return arith::AddIOp::create(k.b, k.loc, bits, integer(k, 0x8000, bits.getType()));
}

static Value shiftDown(KernelBuilder &k, Value bits) {
  return arith::ShRUIOp::create(k.b, k.loc, bits, integer(k, 16, bits.getType()));
}

static Value shiftUp(KernelBuilder &k, Value bits) {
  return arith::ShLIOp::create(k.b, k.loc, bits, integer(k, 16, bits.getType()));
}

static Value upperHalf(KernelBuilder &k, Value bits) {
  return arith::AndIOp::create(k.b, k.loc, bits, integer(k, 0xffff0000, bits.getType()));
}

/// The pair of numbers that bf16 has: it is the upper half of f32.
static Value joined(KernelBuilder &k, Value first, Value second) {
  return arith::OrIOp::create(k.b, k.loc, shiftDown(k, bitsOf(k, first)), bitsOf(k, second));
}

/// To nearest, ties to even; keeps NaN.
static Value roundToBf16(KernelBuilder &k, Value v) { return k.widen(k.narrow(v, k.b.getBF16Type())); }

Value bochner::cpu::pairOf(KernelBuilder &k, Value first, Value second) {
  Value low = halfUp(k, bitsOf(k, first)), high = halfUp(k, bitsOf(k, second));
  return arith::OrIOp::create(k.b, k.loc, shiftDown(k, low), upperHalf(k, high));
}

std::pair<Value, Value> bochner::cpu::numbersOf(KernelBuilder &k, Value pairs) {
  return {numberOf(k, shiftUp(k, pairs)), numberOf(k, upperHalf(k, pairs))};
}

Value bochner::cpu::loadPair(KernelBuilder &k, Value memref, ValueRange at) {
  Value v = vector::LoadOp::create(k.b, k.loc, VectorType::get({2}, k.b.getBF16Type()), memref, at);
  v = vector::BitCastOp::create(k.b, k.loc, VectorType::get({1}, k.b.getI32Type()), v);
  return vector::ExtractOp::create(k.b, k.loc, v, ArrayRef<int64_t>{0});
}

Value bochner::cpu::loadPairs(KernelBuilder &k, Value memref, ValueRange at) {
  return vector::LoadOp::create(k.b, k.loc, VectorType::get({k.lanes()}, k.b.getI32Type()), memref, at);
}

static Value call(KernelBuilder &k, StringRef intrinsic, Type result, ValueRange arguments) {
  auto name = k.b.getStringAttr(("llvm.x86.avx512bf16." + intrinsic).str());
  return LLVM::CallIntrinsicOp::create(k.b, k.loc, result, name, arguments)->getResult(0);
}

void bochner::cpu::storeRounded(KernelBuilder &k, Value v, Value memref, ValueRange at) {
  int64_t lanes = k.lanes();
  SmallVector<Value> where(at);
  for (int64_t c = 0, step; c < widthOf(v); c += step) {
    step = c + 2 * lanes <= widthOf(v) ? 2 * lanes : lanes;
    auto type = VectorType::get({step}, k.b.getBF16Type());
    Value low = k.lanesAt(v, c), rounded;
    if (step == lanes)
      rounded = call(k, "cvtneps2bf16.512", type, low);
    else // takes the upper half first
      rounded = call(k, "cvtne2ps2bf16.512", type, {k.lanesAt(v, c + lanes), low});
    where.back() = k.add(at.back(), c);
    vector::StoreOp::create(k.b, k.loc, rounded, memref, where);
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Registers side by side, a power of two of them.
static Value join(KernelBuilder &k, ArrayRef<Value> registers) {
  if (registers.size() == 1)
    return registers[0];
  size_t half = registers.size() / 2;
  Value low = join(k, registers.take_front(half)), high = join(k, registers.drop_front(half));
  return vector::ShuffleOp::create(k.b, k.loc, low, high, llvm::to_vector(llvm::seq<int64_t>(0, 2 * widthOf(low))));
}

SmallVector<Value> bochner::cpu::dotProduct(KernelBuilder &k, ArrayRef<Value> init, Value depth,
                                            function_ref<Value(Value, int64_t)> a,
                                            function_ref<Value(Value, int64_t)> w) {
  int64_t lanes = k.lanes(), width = widthOf(init[0]);
  auto pairs = VectorType::get({2 * lanes}, k.b.getBF16Type());
  // Accumulators are registers, since the instruction takes one: wider vectors would be taken apart in the loop.
  SmallVector<Value> start;
  for (Value row : init)
    for (int64_t c = 0; c < width; c += lanes)
      start.push_back(k.lanesAt(row, c));
  auto sums = k.loop(k.index(0), depth, 1, start, [&](Value kk, ValueRange accumulators) {
    SmallVector<Value> weights, next;
    for (int64_t c = 0; c < width; c += lanes)
      weights.push_back(vector::BitCastOp::create(k.b, k.loc, pairs, w(kk, c)));
    for (size_t r = 0; r < init.size(); ++r) {
      Value x = vector::BitCastOp::create(k.b, k.loc, pairs, k.broadcast(a(kk, r), lanes));
      for (Value weight : weights) {
        Value sum = accumulators[next.size()];
        next.push_back(call(k, "dpbf16ps.512", sum.getType(), {sum, x, weight}));
      }
    }
    return next;
  });
  SmallVector<Value> rows;
  size_t registers = width / lanes;
  for (size_t r = 0; r < init.size(); ++r)
    rows.push_back(join(k, ArrayRef(sums).slice(r * registers, registers)));
  return rows;
}

void bochner::cpu::accumulateDots(KernelBuilder &k, Value targetRows, Value first, int64_t rows, int64_t width,
                                  Value depth, function_ref<Value(Value, int64_t)> a,
                                  function_ref<Value(Value, Value)> w) {
  k.registerBlocks(width, [&](Value c, Columns block) {
    SmallVector<Value> sums;
    Columns whole{block.padded, block.padded};
    for (int64_t r = 0; r < rows; ++r)
      sums.push_back(k.load(targetRows, {k.add(first, r), c}, whole));
    sums = dotProduct(k, sums, depth, a, [&](Value kk, int64_t j) { return w(kk, k.add(c, j)); });
    for (auto [r, sum] : llvm::enumerate(sums))
      k.store(sum, targetRows, {k.add(first, r), c}, whole);
  });
}

Value bochner::cpu::reaches(KernelBuilder &k, ArrayRef<Value> values, double bound) {
  Value most;
  for (Value v : values)
    for (int64_t c = 0; c < widthOf(v); c += k.lanes()) {
      Value size = math::AbsFOp::create(k.b, k.loc, k.lanesAt(v, c));
      most = most ? k.maxf(size, most) : size;
    }
  return k.anyTrue(arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGE, most, k.splat(bound, k.lanes())));
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

void bochner::cpu::splitToPairs(KernelBuilder &k, Value rows, Value target, int64_t depth, Value first, int64_t width) {
  Columns whole{k.lanes(), k.lanes()};
  k.loop(k.index(0), k.index(depth / 2), 1, [&](Value kk) {
    for (int64_t c = 0; c < width; c += k.lanes()) {
      Value column = k.add(first, c), row = k.mul(kk, k.index(2));
      Value x = k.load(rows, {row, column}, whole), y = k.load(rows, {k.add(row, 1), column}, whole);
      for (int64_t part : {0, 1}) {
        Value xHigh = roundToBf16(k, x), yHigh = roundToBf16(k, y);
        vector::StoreOp::create(k.b, k.loc, joined(k, xHigh, yHigh), target, ValueRange{k.index(part), kk, column});
        x = k.subf(x, xHigh);
        y = k.subf(y, yHigh);
      }
    }
  });
}

void bochner::cpu::pairRows(KernelBuilder &k, Value rows, Value first, Value count, Value target) {
  int64_t width = cast<MemRefType>(rows.getType()).getDimSize(1);
  auto copy = [&](Value pair, bool both) {
    Value row = k.add(first, k.mul(pair, k.index(2)));
    k.columnBlocks(width, k.lanes(), [&](Value c, Columns columns) {
      Value x = k.load(rows, {row, c}, columns);
      Value y = both ? k.load(rows, {k.add(row, 1), c}, columns) : k.splat(0, columns.padded);
      vector::StoreOp::create(k.b, k.loc, joined(k, x, y), target, ValueRange{pair, c});
    });
  };
  Value full = k.div(count, k.index(2));
  k.loop(k.index(0), full, 1, [&](Value pair) { copy(pair, true); });
  k.when(k.less(k.mul(full, k.index(2)), count), [&] { copy(full, false); });
}
