//===- LinearAttention.cpp - linear attention on GPUs ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/LinearAttention.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

LinearAttention::LinearAttention(HostBuilder &host, StringRef name, const AttentionArguments &arguments,
                                 const Normalization &how, int64_t valueWidth, Precision precision,
                                 const ChipLimits &limits, FeatureProgram keyProgram,
                                 std::optional<FeatureProgram> queryProgram)
    : host(host), name(name), arguments(arguments), how(how), valueWidth(valueWidth), precision(precision),
      limits(limits) {
  keyPlan.emplace(std::move(keyProgram), arguments.parameters, precision);
  if (queryProgram)
    separateQueryPlan.emplace(std::move(*queryProgram), arguments.parameters, precision);
}

LogicalResult LinearAttention::pack() {
  Value keys = arguments.key ? arguments.key : arguments.initial.sums;
  heads = host.mul(host.dim(keys, 0), host.dim(keys, 1));
  if (failed(keyPlan->pack(host, name + "_keys", limits)))
    return failure();
  if (!separateQueryPlan)
    return success();
  // States have rows in the order of the keys' groups.
  if (keyPlan->runs() != separateQueryPlan->runs())
    return emitError(host.loc) << "expected features of queries and keys to have the same segments on GPUs; write the "
                                  "concatenations of both maps in the same order";
  return separateQueryPlan->pack(host, name + "_queries", limits);
}

/// Blocks of threads that fill a large chip: two waves of one on each of 132 multiprocessors. What each of them reads
/// and writes beside its rows would be more than the rows if there were many more.
static constexpr int64_t kBlocks = 256;

Value LinearAttention::choosePartCount(HostBuilder &host, Value rows, Value heads) {
  Value wanted = host.ceilDiv(host.index(kBlocks), host.max(heads, host.index(1)));
  return host.max(host.min(host.ceilDiv(rows, host.index(256)), wanted), host.index(1));
}

LogicalResult LinearAttention::emitKeys(bool withOperand) {
  if (failed(pack()))
    return failure();
  positions = host.dim(arguments.key, 2);
  parts = choosePartCount(host, positions, heads);
  Value tile = host.index(64);
  partRows = host.mul(host.ceilDiv(host.ceilDiv(positions, parts), tile), tile);
  return failed(emitPartialStates()) ? failure() : emitMerge(withOperand);
}

LogicalResult LinearAttention::emitBidirectional() {
  return failed(emitKeys(/*withOperand=*/true)) ? failure() : emitOutputs();
}

LogicalResult LinearAttention::emitState() { return emitKeys(/*withOperand=*/false); }

LogicalResult LinearAttention::emitApply() {
  if (failed(pack()))
    return failure();
  parts = host.index(0);
  return failed(emitMerge(/*withOperand=*/true)) ? failure() : emitOutputs();
}

SmallVector<FeatureTile::Weights> LinearAttention::stageWeights(DeviceKernel &kernel, const FeatureTile &tile,
                                                                const FeaturePlan &plan, unsigned g, Value first,
                                                                int64_t columns, Value warpColumn) {
  ThreadBuilder &t = kernel.t;
  const FusedGroup &group = plan.groups[g];
  int64_t bytes = bytesOf(plan.precision), rowBytes = rowBytesOf(plan.precision, columns, Order::ByDepth, false);
  SmallVector<FeatureTile::Weights> weights;
  for (unsigned p = 0; p < group.products.size(); ++p) {
    int64_t depth = toBlocks(plan.depth(group, p));
    SharedMatrix matrix{kernel.allocateShared(depth * rowBytes), rowBytes};
    Value from = kernel.address(kernel.tensor(plan.packed(group, p)), {tile.head(group, p), t.i32(0)});
    stageBlock(kernel, t.offset(from, t.mul(first, bytes)), toBlocks(group.width) * bytes, depth, columns, matrix,
               plan.precision);
    weights.push_back({matrix, warpColumn, true});
  }
  return weights;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Value LinearAttention::parameterHead(DeviceKernel &kernel, Value parameter, Value keyHead, Value queryHead) const {
  int64_t size = cast<MemRefType>(parameter.getType()).getDimSize(0);
  ThreadBuilder &t = kernel.t;
  if (size == 1)
    return t.i32(0);
  if (queryHead && arguments.group > 1 && size == cast<MemRefType>(arguments.query.getType()).getDimSize(1))
    return queryHead;
  if (!ShapedType::isDynamic(size))
    return keyHead;
  return t.select(t.equal(kernel.dim(parameter, 0), 1), t.i32(0), keyHead);
}

GlobalRows LinearAttention::scanRows(DeviceKernel &kernel, Value memref, Value batch, Value head, Value first) const {
  ThreadBuilder &t = kernel.t;
  GlobalRows rows = kernel.rows(memref, batch, head);
  auto move = [&](Value count) { // an i32, may be negative
    Value wide = t.signedToI64(count);
    rows.address = t.offset(rows.address, t.mul(t.mul(wide, rows.stride), rows.element.getIntOrFloatBitWidth() / 8));
  };
  if (arguments.reversed) {
    move(t.sub(kernel.dim(memref, 2), t.i32(1)));
    rows.stride = t.sub(t.i64(0), rows.stride);
  }
  if (first)
    move(t.sub(t.i32(0), kernel.get(first)));
  return rows;
}

LinearAttention::KeyRange LinearAttention::keyRange(DeviceKernel &kernel, Value batch) const {
  ThreadBuilder &t = kernel.t;
  KeyRange range;
  Value rows = kernel.dim(arguments.key, 2), count = rows;
  if (arguments.lengths) {
    GlobalTensor lengths = kernel.tensor(arguments.lengths);
    count = t.min(t.toI32(t.load(lengths.element, kernel.address(lengths, batch), lengths.elementBytes())), rows);
  }
  range.low = firstKey ? kernel.get(firstKey) : t.i32(0);
  if (arguments.reversed) // padding comes first
    range.low = t.sub(rows, count);
  range.high = t.add(range.low, count);
  if (!arguments.mask)
    return range;
  GlobalTensor mask = kernel.tensor(arguments.mask);
  range.mask = kernel.address(mask, batch);
  range.maskStride = mask.strides[1];
  auto move = [&](Value count) { range.mask = t.offset(range.mask, t.mul(t.signedToI64(count), range.maskStride)); };
  if (arguments.reversed) {
    move(t.sub(rows, t.i32(1)));
    range.maskStride = t.sub(t.i64(0), range.maskStride);
  }
  if (firstKey)
    move(t.sub(t.i32(0), kernel.get(firstKey)));
  return range;
}

Value LinearAttention::isKey(DeviceKernel &kernel, const KeyRange &keys, Value high, Value at) const {
  ThreadBuilder &t = kernel.t;
  Value inside = t.less(at, high);
  if (firstKey || arguments.reversed)
    inside = t.both(inside, t.lessEqual(keys.low, at));
  if (!keys.mask)
    return inside;
  return t.choose(inside, inside, [&] {
    Value byte = t.load(t.b.getI8Type(), t.offset(keys.mask, t.mul(t.toI64(at), keys.maskStride)), 1);
    return SmallVector<Value>{t.isNotZero(byte)};
  })[0];
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

LogicalResult LinearAttention::emitOutputs() {
  const FeaturePlan &plan = queryPlan();
  constexpr int64_t warps = 4, tileRows = warps * kBlock;
  int64_t width = operandWidth(), tileBytes = FeatureTile::bytes(plan, tileRows), all = 0;
  for (const FusedGroup &group : plan.groups)
    all += FeatureBlock::bytes(plan, group, toBlocks(group.width), width);
  // Parameters and the state stay in shared memory for all tiles of a block of threads, or they come in blocks of as
  // many features as fit, for each tile again.
  bool resident = tileBytes + all <= limits.sharedBytes;
  SmallVector<int64_t> columns;
  int64_t blockBytes = all;
  for (const FusedGroup &group : plan.groups) {
    int64_t count = resident ? toBlocks(group.width) : 64;
    while (!resident && count > kBlock &&
           (toBlocks(group.width) % count ||
            tileBytes + FeatureBlock::bytes(plan, group, count, width) > limits.sharedBytes))
      count /= 2;
    columns.push_back(count);
  }
  if (!resident) {
    blockBytes = 0;
    for (auto [group, count] : llvm::zip_equal(plan.groups, columns))
      blockBytes = std::max(blockBytes, FeatureBlock::bytes(plan, group, count, width));
  }

  DeviceKernel kernel(host, name + "_output", warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, tileRows);
  QueryTile query(kernel, fragments, tile, plan, valueWidth);
  Value scratch = kernel.allocateShared(blockBytes);
  Value queries = arguments.query, queryHeads = host.mul(host.dim(queries, 0), host.dim(queries, 1));
  Value tilesOfHead = host.ceilDiv(host.dim(queries, 2), host.index(tileRows)), blocksOfHead = tilesOfHead;
  if (resident)
    blocksOfHead = host.min(tilesOfHead, host.ceilDiv(host.index(kBlocks), host.max(queryHeads, host.index(1))));
  Value blockCount = kernel.get(blocksOfHead), headCount = kernel.dim(queries, 1);
  Value number = t.blockId(0), firstTile = t.rem(number, blockCount), batchHead = t.div(number, blockCount);
  Value batch = t.div(batchHead, headCount), head = t.rem(batchHead, headCount), keyHead = t.div(head, arguments.group);
  Value stateHead = t.add(t.mul(batch, t.div(headCount, arguments.group)), keyHead);
  tile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, keyHead, head); });
  GlobalRows queryRows = kernel.rows(queries, batch, head), outRows = kernel.rows(arguments.out, batch, head);
  GlobalRows denominators;
  if (arguments.denominators)
    denominators = kernel.rows(arguments.denominators, batch, head);
  Value rows = kernel.dim(queries, 2), offset;
  if (arguments.offset) {
    GlobalTensor tensor = kernel.tensor(arguments.offset);
    offset = t.mulf(t.loadNumber(tensor.element, kernel.address(tensor, {batch, head})), t.f32(1.4426950408889634));
  }
  tile.clearPadding();
  SmallVector<FeatureBlock> blocks;
  int64_t bytes = 0;
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    blocks.push_back(FeatureBlock::at(t, t.offset(scratch, bytes), plan, plan.groups[g], columns[g], width));
    if (!resident)
      continue;
    bytes += FeatureBlock::bytes(plan, plan.groups[g], columns[g], width);
    blocks[g].stage(kernel, tile, plan, g, t.i32(0), operand, maximum, stateHead);
  }

  Value row = t.mul(t.warp(), kBlock);
  t.loop(firstTile, kernel.get(tilesOfHead), blockCount, [&](Value tileNumber) {
    Value base = t.mul(tileNumber, tileRows);
    t.barrier(); // the tile before is no longer read
    stageRows(kernel, queryRows, base, tileRows, tile.rows(), precision,
              [&](Value row) { return t.less(t.add(base, row), rows); });
    t.waitForCopies(0);
    t.barrier();
    tile.emitSteps(); // warps read their own rows only
    SmallVector<Value> sums = query.start(0);
    for (size_t g = 0; g < plan.groups.size(); ++g) {
      auto applyBlock = [&](Value first, ValueRange carried) {
        return t.loop(t.i32(0), t.i32(columns[g]), kBlock, carried, [&](Value column, ValueRange inner) {
          SmallVector<Value> next(inner);
          SmallVector<FeatureTile::Block> features = query.evaluate(g, blocks[g], row, first, column, next);
          for (auto [o, values] : llvm::enumerate(features))
            fragments.accumulate(values, blocks[g].states[o], column, Order::ByDepth, query.tiles(), 0, next);
          return next;
        });
      };
      if (resident) {
        sums = applyBlock(t.i32(0), sums);
        continue;
      }
      Value end = t.i32(toBlocks(plan.groups[g].width));
      sums = t.loop(t.i32(0), end, columns[g], sums, [&](Value first, ValueRange carried) {
        t.barrier(); // the block before is no longer read
        blocks[g].stage(kernel, tile, plan, g, first, operand, maximum, stateHead);
        t.waitForCopies(0);
        t.barrier();
        return applyBlock(first, carried);
      });
    }
    query.finish(sums, how, offset, row, t.add(base, row), t.i32(0), rows, outRows, denominators);
  });
  t.waitForCopies(0); // parameters, where there was no tile
  return kernel.finish({host.mul(queryHeads, blocksOfHead)}, limits);
}
