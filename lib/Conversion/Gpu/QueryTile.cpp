//===- QueryTile.cpp - queries applied to a state -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/QueryTile.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

//===----------------------------------------------------------------------===//
// Blocks of features
//===----------------------------------------------------------------------===//

static int64_t weightRowBytes(const FeaturePlan &plan, int64_t columns) {
  return rowBytesOf(plan.precision, columns, Order::ByDepth, false);
}

int64_t FeatureBlock::bytes(const FeaturePlan &plan, const FusedGroup &group, int64_t columns, int64_t stateWidth) {
  int64_t each = rowBytesOf(plan.precision, stateWidth, Order::ByDepth, true) + (plan.program.logDomain ? 4 : 0);
  int64_t bytes = int64_t(group.outputs.size()) * columns * each;
  for (unsigned p = 0; p < group.products.size(); ++p)
    bytes += toBlocks(plan.depth(group, p)) * weightRowBytes(plan, columns);
  return bytes;
}

FeatureBlock FeatureBlock::at(ThreadBuilder &t, Value address, const FeaturePlan &plan, const FusedGroup &group,
                              int64_t columns, int64_t stateWidth) {
  FeatureBlock block{columns, {}, {}, {}};
  int64_t bytes = 0;
  auto take = [&](int64_t size) {
    Value start = t.offset(address, bytes);
    bytes += size;
    return start;
  };
  for (unsigned p = 0; p < group.products.size(); ++p) {
    int64_t rowBytes = weightRowBytes(plan, columns);
    block.weights.push_back({{take(toBlocks(plan.depth(group, p)) * rowBytes), rowBytes}, t.i32(0), true});
  }
  int64_t stateBytes = rowBytesOf(plan.precision, stateWidth, Order::ByDepth, true);
  for (size_t o = 0; o < group.outputs.size(); ++o)
    block.states.push_back({take(columns * stateBytes), stateBytes});
  for (size_t o = 0; plan.program.logDomain && o < group.outputs.size(); ++o)
    block.maxima.push_back(take(columns * 4));
  return block;
}

void FeatureBlock::stage(DeviceKernel &kernel, const FeatureTile &tile, const FeaturePlan &plan, unsigned g,
                         Value first, Value operands, Value maximum, Value number) const {
  ThreadBuilder &t = kernel.t;
  const FusedGroup &group = plan.groups[g];
  int64_t bytes = bytesOf(plan.precision), stateWidth = cast<MemRefType>(operands.getType()).getDimSize(2);
  for (auto [p, w] : llvm::enumerate(weights)) {
    Value from = kernel.address(kernel.tensor(plan.packed(group, p)), {tile.head(group, p), t.i32(0)});
    stageBlock(kernel, t.offset(from, t.mul(first, bytes)), toBlocks(group.width) * bytes,
               toBlocks(plan.depth(group, p)), columns, w.matrix, plan.precision);
  }
  for (auto [o, state] : llvm::enumerate(states)) {
    Value row = t.add(first, plan.firstRow(g, o));
    stageBlock(kernel, kernel.address(kernel.tensor(operands), {number, row}), stateWidth * bytes, columns, stateWidth,
               state, plan.precision);
    if (!maxima.empty()) // a row of f32
      stageBlock(kernel, kernel.address(kernel.tensor(maximum), {number, row}), 0, 1, columns * 4 / bytes,
                 {maxima[o], 0}, plan.precision);
  }
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

QueryTile::QueryTile(DeviceKernel &kernel, Fragments &fragments, FeatureTile &tile, const FeaturePlan &plan,
                     int64_t valueWidth)
    : kernel(kernel), t(kernel.t), fragments(fragments), tile(tile), plan(plan), valueWidth(valueWidth) {}

SmallVector<Value> QueryTile::start(int64_t more) const {
  SmallVector<Value> sums((tiles() + more) * 4, t.f32(0));
  if (plan.program.logDomain)
    sums.append(2, t.f32(kUnset));
  return sums;
}

SmallVector<FeatureTile::Block> QueryTile::evaluate(unsigned g, const FeatureBlock &block, Value row, Value first,
                                                    Value column, llvm::SmallVectorImpl<Value> &sums) {
  const FusedGroup &group = plan.groups[g];
  bool log = plan.program.logDomain;
  SmallVector<FeatureTile::Weights> weights = block.weights;
  for (FeatureTile::Weights &w : weights)
    w.column = column;
  Value groupColumn = t.add(first, column);
  SmallVector<FeatureTile::Block> outputs = tile.evaluate(group, Orientation::Rows, row, groupColumn, weights);
  Value none = t.f32(log ? -std::numeric_limits<double>::infinity() : 0);
  for (auto [o, output] : llvm::enumerate(outputs))
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 2; ++i) {
        Value at = t.add(column, t.add(fragments.columnOf(i), 8 * n)), r;
        if (log)
          r = t.loadNumber(t.b.getF32Type(), t.offset(block.maxima[o], t.mul(at, 4)));
        Value exists = tile.columnExists(group, Orientation::Rows, groupColumn, n, i);
        for (int64_t half = 0; half < 2; ++half) {
          Value &x = output[n][2 * half + i];
          if (log)
            x = t.addf(x, r);
          if (exists)
            x = t.select(exists, x, none);
        }
      }
  if (!log)
    return outputs;
  size_t accumulators = sums.size() - 2;
  for (int64_t half = 0; half < 2; ++half) {
    Value &largest = sums[accumulators + half], old = largest;
    for (FeatureTile::Block &output : outputs)
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t i = 0; i < 2; ++i)
          largest = t.maxf(largest, output[n][2 * half + i]);
    for (int64_t distance : {1, 2})
      largest = t.maxf(largest, t.shuffleXor(largest, distance));
    Value factor = t.exp2(t.subf(old, largest));
    for (size_t at = 2 * half; at < accumulators; at += 4)
      for (int64_t i = 0; i < 2; ++i)
        sums[at + i] = t.mulf(sums[at + i], factor);
    for (FeatureTile::Block &output : outputs)
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t i = 0; i < 2; ++i) {
          Value &x = output[n][2 * half + i];
          x = t.exp2(t.subf(x, largest));
        }
  }
  return outputs;
}

void QueryTile::finish(ArrayRef<Value> sums, const Normalization &how, Value offset, Value tileRow, Value first,
                       Value low, Value high, const GlobalRows &out, const GlobalRows &denominators) {
  auto place = [&](const GlobalRows &rows, Value row, Value column) {
    Value elements = t.add(t.mul(t.toI64(row), rows.stride), t.toI64(column));
    return t.offset(rows.address, t.mul(elements, rows.element.getIntOrFloatBitWidth() / 8));
  };
  auto exists = [&](Value position) { return t.both(t.less(position, high), t.lessEqual(low, position)); };
  bool log = plan.program.logDomain;
  Value scales[2];
  for (int64_t half = 0; half < 2; ++half) {
    Value position = t.add(first, t.add(fragments.group, 8 * half));
    if (how.normalize) {
      // z is in the first columns of its tile, which the first lane of a row has.
      int64_t last = (tiles() - 1) * 4 + 2 * half;
      Value den = t.shuffleFrom(t.addf(sums[last], sums[last + 1]), t.mul(fragments.group, 4));
      Value isEmpty = t.isZero(den), m = log ? sums[sums.size() - 2 + half] : Value(), exponent = offset;
      if (log)
        exponent = t.subf(offset ? offset : t.f32(0), m);
      if (how.eps != 0)
        den = exponent ? t.fma(t.f32(how.eps), t.exp2(exponent), den) : t.addf(den, t.f32(how.eps));
      if (how.floor != 0)
        den = t.awayFromZero(den, how.floor);
      if (denominators.address)
        t.when(t.both(t.equal(fragments.quad, 0), exists(position)), [&] {
          Value x = log ? t.mulf(t.addf(m, t.log2(den)), t.f32(0.6931471805599453)) : den;
          t.storeNumber(x, denominators.element, place(denominators, t.sub(position, low), t.i32(0)));
        });
      scales[half] = t.select(isEmpty, t.f32(0), t.divf(t.f32(1), den));
    } else if (log) {
      scales[half] = t.exp2(sums[sums.size() - 2 + half]);
    }
  }
  auto output = [&](int64_t m, int64_t i) {
    Value x = sums[m * 4 + i];
    return scales[i / 2] ? t.mulf(x, scales[i / 2]) : x;
  };
  auto writeElements = [&] {
    for (int64_t half = 0; half < 2; ++half) {
      Value position = t.add(first, t.add(fragments.group, 8 * half)), row = t.sub(position, low);
      t.when(exists(position), [&] {
        for (int64_t m = 0; m < toBlocks(valueWidth) / 8; ++m)
          for (int64_t i = 0; i < 2; ++i) {
            Value column = t.add(fragments.columnOf(i), 8 * m);
            auto write = [&] { t.storeNumber(output(m, 2 * half + i), out.element, place(out, row, column)); };
            if (valueWidth % kBlock)
              t.when(t.less(column, valueWidth), write);
            else
              write();
          }
      });
    }
  };
  // Aligned rows are written 16 bytes at a time, from the place that the warp's queries had in shared memory.
  int64_t bytes = out.element.getIntOrFloatBitWidth() / 8, chunks = valueWidth * bytes / 16;
  SharedMatrix rows = tile.rows();
  if (valueWidth % kBlock || valueWidth * bytes > rows.rowBytes)
    return writeElements();
  auto writeChunks = [&] {
    t.warpBarrier(); // queries have been read
    for (int64_t half = 0; half < 2; ++half) {
      Value row = t.offset(rows.address, t.mul(t.add(tileRow, t.add(fragments.group, 8 * half)), rows.rowBytes));
      for (int64_t m = 0; m < valueWidth / 8; ++m) {
        Value x = output(m, 2 * half), y = output(m, 2 * half + 1);
        Value at = t.offset(row, t.mul(t.add(fragments.columnOf(0), 8 * m), bytes));
        t.store(bytes == 2 ? t.pack(x, y, out.element) : t.vector({x, y}), at, 2 * bytes);
      }
    }
    t.warpBarrier();
    t.loop(t.lane(), t.i32(kBlock * chunks), kWarpSize, [&](Value i) {
      Value row = t.div(i, chunks), chunk = t.mul(t.rem(i, chunks), 16), position = t.add(first, row);
      t.when(exists(position), [&] {
        Value from = t.offset(rows.address, t.add(t.mul(t.add(tileRow, row), rows.rowBytes), chunk));
        Type words = VectorType::get({4}, t.b.getI32Type());
        t.store(t.load(words, from, 16), t.offset(place(out, t.sub(position, low), t.i32(0)), chunk), 16);
      });
    });
  };
  t.when(out.aligned, writeChunks, writeElements);
}
