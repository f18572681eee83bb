//===- CausalAttention.cpp - causal linear attention on GPUs -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scan over chunks of rows: the state of each chunk, the sums before each chunk, then outputs. A block of threads has
// the queries of a chunk of one head; what they see of the keys before comes from the state, and of the keys of the
// chunk from weights of pairs, which stay in accumulators.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/LinearAttention.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

LogicalResult LinearAttention::emitCausal() {
  if (failed(pack()))
    return failure();
  // Queries and keys end at the same position.
  Value queries = host.dim(arguments.query, 2), keys = host.dim(arguments.key, 2);
  positions = host.max(queries, keys);
  if (arguments.initial) {
    firstQuery = host.sub(positions, queries);
    firstKey = host.sub(positions, keys);
  }
  int64_t chunk = chunkRows();
  partRows = host.index(chunk);
  parts = host.max(host.ceilDiv(positions, partRows), host.index(1));
  return failed(emitPartialStates()) || failed(emitScan()) ? failure() : emitCausalOutputs();
}

namespace {
/// What a block of threads needs of shared memory.
struct CausalTiling {
  int64_t rows;                 ///< of a chunk, 16 for each warp
  SmallVector<int64_t> columns; ///< of features at a time, by group
  int64_t blockBytes = 0, keyBytes = 0;
};
} // namespace

/// Columns of the features of a chunk's keys, one output behind the other.
static int64_t keyRowBytes(Precision precision, const FusedGroup &group, int64_t columns) {
  return rowBytesOf(precision, int64_t(group.outputs.size()) * columns, Order::ByRow, true);
}

static CausalTiling chooseTiling(const FeaturePlan &keys, const FeaturePlan &queries, int64_t rows, int64_t valueWidth,
                                 const ChipLimits &limits) {
  CausalTiling tiling{rows, {}};
  int64_t width = toBlocks(valueWidth) + 8;
  int64_t fixed = FeatureTile::bytes(keys, rows) + FeatureTile::bytes(queries, rows) +
                  rows * rowBytesOf(keys.precision, width, Order::ByDepth, true);
  for (auto [key, query] : llvm::zip_equal(keys.groups, queries.groups)) {
    int64_t columns = 64;
    auto bytes = [&] {
      // Parameters of the keys' map are read before those of the queries' one, into the same place.
      return std::max(FeatureBlock::bytes(keys, key, columns, width),
                      FeatureBlock::bytes(queries, query, columns, width)) +
             rows * keyRowBytes(keys.precision, key, columns);
    };
    while (columns > kBlock && (toBlocks(key.width) % columns || fixed + bytes() > limits.sharedBytes))
      columns /= 2;
    tiling.columns.push_back(columns);
    tiling.blockBytes = std::max({tiling.blockBytes, FeatureBlock::bytes(keys, key, columns, width),
                                  FeatureBlock::bytes(queries, query, columns, width)});
    tiling.keyBytes = std::max(tiling.keyBytes, rows * keyRowBytes(keys.precision, key, columns));
  }
  return tiling;
}

int64_t LinearAttention::chunkRows() const {
  // Weights of a chunk and three products for one fill the registers with fewer rows.
  for (int64_t rows : {isShort(precision) ? 128 : precision == Precision::tf32 ? 64 : 32, 64, 32}) {
    CausalTiling tiling = chooseTiling(*keyPlan, queryPlan(), rows, valueWidth, limits);
    int64_t fixed = FeatureTile::bytes(*keyPlan, rows) + FeatureTile::bytes(queryPlan(), rows) +
                    rows * rowBytesOf(precision, operandWidth(), Order::ByDepth, true);
    if (fixed + tiling.blockBytes + tiling.keyBytes <= limits.sharedBytes)
      return rows;
  }
  return kBlock;
}

LogicalResult LinearAttention::emitCausalOutputs() {
  const FeaturePlan &keys = *keyPlan, &queries = queryPlan();
  int64_t chunk = chunkRows(), width = operandWidth(), padded = toBlocks(valueWidth);
  CausalTiling tiling = chooseTiling(keys, queries, chunk, valueWidth, limits);
  DeviceKernel kernel(host, name + "_causal", chunk / kBlock * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile keyTile(kernel, fragments, keys, chunk), queryTile(kernel, fragments, queries, chunk);
  QueryTile query(kernel, fragments, queryTile, queries, valueWidth);
  int64_t valueBytes = rowBytesOf(precision, width, Order::ByDepth, true);
  SharedMatrix values{kernel.allocateShared(chunk * valueBytes), valueBytes};
  Value scratch = kernel.allocateShared(tiling.blockBytes), keyFeatures = kernel.allocateShared(tiling.keyBytes);

  Value partCount = kernel.get(parts), headCount = kernel.dim(arguments.query, 1);
  Value number = t.blockId(0), part = t.rem(number, partCount), batchHead = t.div(number, partCount);
  Value batch = t.div(batchHead, headCount), head = t.rem(batchHead, headCount), keyHead = t.div(head, arguments.group);
  Value stateHead = t.add(t.mul(batch, t.div(headCount, arguments.group)), keyHead);
  Value state = t.add(t.mul(stateHead, partCount), part), base = t.mul(part, chunk);
  keyTile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, keyHead); });
  queryTile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, keyHead, head); });

  KeyRange range = keyRange(kernel, batch);
  Value firstRow = firstQuery ? kernel.get(firstQuery) : t.i32(0);
  Value endRow = t.add(firstRow, kernel.dim(arguments.query, 2));
  auto isKeyAt = [&](Value row) { return isKey(kernel, range, range.high, t.add(base, row)); };
  auto isQuery = [&](Value row) {
    Value at = t.add(base, row), inside = t.less(at, endRow);
    return firstQuery ? t.both(inside, t.lessEqual(firstRow, at)) : inside;
  };
  keyTile.clearPadding();
  queryTile.clearPadding();
  clearPadding(kernel, values, chunk, valueWidth, precision);
  // Behind the values a column of ones, which counts weights, and of zeros.
  t.loop(t.threadId(), t.i32(chunk * 8), kernel.threads, [&](Value i) {
    Value row = t.div(i, 8), column = t.rem(i, 8);
    Value place = t.add(t.mul(row, valueBytes), t.mul(t.add(column, padded), bytesOf(precision)));
    t.storeNumber(t.select(t.equal(column, 0), t.f32(1), t.f32(0)), elementOf(precision, t.b.getContext()),
                  t.offset(values.address, place));
  });
  stageRows(kernel, scanRows(kernel, arguments.key, batch, keyHead, firstKey), base, chunk, keyTile.rows(), precision,
            isKeyAt);
  stageRows(kernel, scanRows(kernel, arguments.value, batch, keyHead, firstKey), base, chunk, values, precision,
            isKeyAt);
  stageRows(kernel, scanRows(kernel, arguments.query, batch, head, firstQuery), base, chunk, queryTile.rows(),
            precision, isQuery);
  t.waitForCopies(0);
  t.barrier();
  keyTile.emitSteps(); // warps read their own rows only
  queryTile.emitSteps();

  // Outputs and denominators, then weights of the chunk's keys.
  int64_t scoreTiles = chunk / 8, tiles = query.tiles();
  Value row = t.mul(t.warp(), kBlock);
  SmallVector<Value> sums = query.start(scoreTiles);
  Type element = elementOf(precision, t.b.getContext());
  for (size_t g = 0; g < queries.groups.size(); ++g) {
    int64_t columns = tiling.columns[g], outputs = keys.groups[g].outputs.size();
    FeatureBlock keyBlock = FeatureBlock::at(t, scratch, keys, keys.groups[g], columns, width);
    FeatureBlock queryBlock = FeatureBlock::at(t, scratch, queries, queries.groups[g], columns, width);
    SharedMatrix turned{keyFeatures, keyRowBytes(precision, keys.groups[g], columns)};
    Value end = t.i32(toBlocks(queries.groups[g].width));
    sums = t.loop(t.i32(0), end, columns, sums, [&](Value first, ValueRange carried) {
      t.barrier(); // the block before is no longer read
      keyBlock.stage(kernel, keyTile, keys, g, first, operand, maximum, state);
      t.waitForCopies(0);
      t.barrier();
      t.loop(t.i32(0), t.i32(columns), kBlock, [&](Value column) {
        SmallVector<FeatureTile::Weights> weights = keyBlock.weights;
        for (FeatureTile::Weights &w : weights)
          w.column = column;
        Value groupColumn = t.add(first, column);
        auto features = keyTile.evaluate(keys.groups[g], Orientation::Rows, row, groupColumn, weights);
        for (int64_t n = 0; n < 2; ++n)
          for (int64_t i = 0; i < 4; ++i) {
            Value key = t.add(row, fragments.rowOf(i)), inBlock = t.add(column, t.add(fragments.columnOf(i), 8 * n));
            Value seen = isKeyAt(key);
            if (Value exists = keyTile.columnExists(keys.groups[g], Orientation::Rows, groupColumn, n, i))
              seen = t.both(seen, exists);
            for (int64_t o = 0; o < outputs; ++o) {
              Value x = features[o][n][i];
              if (logDomain()) {
                Value r = t.loadNumber(t.b.getF32Type(), t.offset(keyBlock.maxima[o], t.mul(inBlock, 4)));
                x = t.exp2(t.subf(x, r));
              }
              Value place = t.add(t.mul(key, turned.rowBytes), t.mul(t.add(inBlock, o * columns), bytesOf(precision)));
              t.storeNumber(t.select(seen, x, t.f32(0)), element, t.offset(turned.address, place));
            }
          }
      });
      t.barrier();
      if (separateQueryPlan) {
        queryBlock.stage(kernel, queryTile, queries, g, first, operand, maximum, state);
        t.waitForCopies(0);
        t.barrier();
      }
      return t.loop(t.i32(0), t.i32(columns), kBlock, carried, [&](Value column, ValueRange inner) {
        SmallVector<Value> next(inner);
        SmallVector<FeatureTile::Block> features = query.evaluate(g, queryBlock, row, first, column, next);
        for (auto [o, block] : llvm::enumerate(features)) {
          fragments.accumulate(block, queryBlock.states[o], column, Order::ByDepth, tiles, 0, next);
          fragments.accumulate(block, turned, t.add(column, int64_t(o) * columns), Order::ByRow, scoreTiles, tiles,
                               next);
        }
        return next;
      });
    });
  }

  // Weights of keys behind a query are left out, whatever they are.
  for (int64_t pair = 0; pair < scoreTiles; pair += 2) {
    FeatureTile::Block weights;
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < 4; ++i) {
        Value key = t.add(fragments.columnOf(i), 8 * (pair + n)), position = t.add(row, fragments.rowOf(i));
        weights[n][i] = t.select(t.lessEqual(key, position), sums[(tiles + pair + n) * 4 + i], t.f32(0));
      }
    fragments.accumulate(weights, values, t.i32(pair * 8), Order::ByDepth, tiles, 0, sums);
  }

  Value offset;
  if (arguments.offset) {
    GlobalTensor tensor = kernel.tensor(arguments.offset);
    offset = t.mulf(t.loadNumber(tensor.element, kernel.address(tensor, {batch, head})), t.f32(1.4426950408889634));
  }
  GlobalRows denominators;
  if (arguments.denominators)
    denominators = scanRows(kernel, arguments.denominators, batch, head, nullptr);
  query.finish(sums, how, offset, row, t.add(base, row), firstRow, endRow,
               scanRows(kernel, arguments.out, batch, head, nullptr), denominators);
  Value queryHeads = host.mul(host.dim(arguments.query, 0), host.dim(arguments.query, 1));
  return kernel.finish({host.mul(queryHeads, parts)}, limits);
}
