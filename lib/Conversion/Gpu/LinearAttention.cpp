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

/// The start of a maximum that no key has set; 2^ of any difference from it is 0 or 1.
static constexpr double kUnset = -1e30;

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

Value LinearAttention::parameterHead(DeviceKernel &kernel, Value parameter, Value keyHead) {
  int64_t size = cast<MemRefType>(parameter.getType()).getDimSize(0);
  ThreadBuilder &t = kernel.t;
  if (size == 1)
    return t.i32(0);
  if (!ShapedType::isDynamic(size))
    return keyHead;
  return t.select(t.equal(kernel.dim(parameter, 0), 1), t.i32(0), keyHead);
}

LogicalResult LinearAttention::emitBidirectional() {
  if (failed(keyPlan->pack(host, name + "_keys", limits)) ||
      (separateQueryPlan && failed(separateQueryPlan->pack(host, name + "_queries", limits))))
    return failure();
  heads = host.mul(host.dim(arguments.key, 0), host.dim(arguments.key, 1));
  return failed(emitPartialStates()) || failed(emitMerge()) ? failure() : emitOutputs();
}

//===----------------------------------------------------------------------===//
// Partial states
//===----------------------------------------------------------------------===//

LogicalResult LinearAttention::emitPartialStates() {
  // Enough blocks to fill a large chip, none of them short; from shapes only, so that results do not depend on it.
  Value rows = host.dim(arguments.key, 2);
  Value wanted = host.ceilDiv(host.index(512), host.max(heads, host.index(1)));
  parts = host.max(host.min(host.ceilDiv(rows, host.index(256)), wanted), host.index(1));
  Value tile = host.index(64);
  partRows = host.mul(host.ceilDiv(host.ceilDiv(rows, parts), tile), tile);
  Value count = host.mul(heads, parts);
  int64_t stateRows = keyPlan->stateRows;
  Type f32 = host.b.getF32Type();
  partSums = host.workspace({ShapedType::kDynamic, stateRows, toBlocks(valueWidth)}, count, f32);
  partNormalizer = host.workspace({ShapedType::kDynamic, stateRows}, count, f32);
  if (logDomain())
    partMaximum = host.workspace({ShapedType::kDynamic, stateRows}, count, f32);
  for (unsigned group = 0; group < keyPlan->groups.size(); ++group)
    if (failed(emitPartialStates(group)))
      return failure();
  return success();
}

namespace {
/// How the work of the state kernel is spread.
struct StateTiling {
  int64_t units; ///< blocks of 16 columns of the group for each warp
  int64_t warps;
  int64_t slice; ///< value columns
};
} // namespace

/// The accumulators of a warp stay in registers: units x outputs x (slice / 8 + 1) x 4 of them.
static StateTiling chooseTiling(const FusedGroup &group, int64_t valueWidth, Precision precision) {
  StateTiling tiling;
  int64_t blocks = toBlocks(group.width) / kBlock, outputs = group.outputs.size();
  tiling.slice = toBlocks(valueWidth);
  for (int64_t slice = 64; tiling.slice > 64 && valueWidth % kBlock == 0 && slice > 0; slice -= kBlock)
    if (valueWidth % slice == 0)
      tiling.slice = slice;
  auto registers = [&](int64_t units) { return units * outputs * (tiling.slice / 8 + 1) * 4; };
  tiling.units = blocks % 2 == 0 && blocks > 8 && registers(2) <= (precision == Precision::tf32x3 ? 48 : 96) ? 2 : 1;
  tiling.warps = 8;
  while (blocks / tiling.units % tiling.warps)
    --tiling.warps;
  return tiling;
}

LogicalResult LinearAttention::emitPartialStates(unsigned g) {
  const FeaturePlan &plan = *keyPlan;
  const FusedGroup &group = plan.groups[g];
  StateTiling tiling = chooseTiling(group, valueWidth, precision);
  constexpr int64_t tileRows = 64, step = 32;
  auto weightBytes = [&] {
    int64_t bytes = 0;
    for (unsigned p = 0; p < group.products.size(); ++p)
      bytes += toBlocks(plan.depth(group, p)) *
               rowBytesOf(precision, tiling.warps * tiling.units * kBlock, Order::ByDepth, false);
    return bytes;
  };
  // What tiles need beside the weights: rows, values, scratch tiles.
  int64_t tileBytes = tileRows * rowBytesOf(precision, tiling.slice, Order::ByDepth, true) + tileRows * 4;
  for (const Tile &tile : plan.program.tiles)
    tileBytes += tileRows * rowBytesOf(precision, toBlocks(tile.width), Order::ByRow, false);
  tileBytes += plan.program.rows * tileRows * 4;
  while (tiling.warps > 1 && tileBytes + weightBytes() > limits.sharedBytes) {
    do
      --tiling.warps;
    while (toBlocks(group.width) / kBlock / tiling.units % tiling.warps);
  }
  int64_t columns = tiling.warps * tiling.units * kBlock, slabs = toBlocks(group.width) / columns;
  int64_t slices = (toBlocks(valueWidth) + tiling.slice - 1) / tiling.slice;

  DeviceKernel kernel(host, (name + "_state" + Twine(g)).str(), tiling.warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, tileRows);
  int64_t valueBytes = rowBytesOf(precision, tiling.slice, Order::ByDepth, true);
  SharedMatrix values{kernel.allocateShared(tileRows * valueBytes), valueBytes};

  // Which part of which head, which features and which values.
  Value partCount = kernel.get(parts), headCount = kernel.dim(arguments.key, 1);
  Value number = t.blockId(0), part = t.rem(number, partCount), batchHead = t.div(number, partCount);
  Value batch = t.div(batchHead, headCount), head = t.rem(batchHead, headCount);
  Value slab = t.div(t.blockId(1), slices), slice = t.rem(t.blockId(1), slices);
  Value firstColumn = t.mul(slab, columns), firstValue = t.mul(slice, tiling.slice);
  tile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, head); });

  SmallVector<FeatureTile::Weights> weights;
  Value warpColumn = t.mul(t.warp(), tiling.units * kBlock);
  for (unsigned p = 0; p < group.products.size(); ++p) {
    int64_t depth = toBlocks(plan.depth(group, p)), width = toBlocks(group.width);
    int64_t bytes = rowBytesOf(precision, columns, Order::ByDepth, false);
    SharedMatrix matrix{kernel.allocateShared(depth * bytes), bytes};
    Value packed = plan.packed(group, p);
    Value parameter = plan.parameters[plan.program.products[group.products[p].product].parameter];
    Value from = kernel.address(kernel.tensor(packed), {parameterHead(kernel, parameter, head), t.i32(0)});
    stageBlock(kernel, t.offset(from, t.mul(firstColumn, bytesOf(precision))), width * bytesOf(precision), depth,
               columns, matrix, precision);
    weights.push_back({matrix, warpColumn, true});
  }
  GlobalRows keys = kernel.rows(arguments.key, batch, head), valueRows = kernel.rows(arguments.value, batch, head);
  valueRows.address = t.offset(valueRows.address, t.mul(firstValue, valueRows.element.getIntOrFloatBitWidth() / 8));
  if (slices > 1)
    valueRows.width = tiling.slice;
  tile.clearPadding();
  clearPadding(kernel, values, tileRows, std::min(valueRows.width, tiling.slice), precision);

  Value rows = kernel.dim(arguments.key, 2), visible = rows;
  if (arguments.lengths) {
    GlobalTensor lengths = kernel.tensor(arguments.lengths);
    visible = t.min(t.toI32(t.load(lengths.element, kernel.address(lengths, batch), lengths.elementBytes())), rows);
  }
  Value low = t.mul(part, kernel.get(partRows)), high = t.min(t.add(low, kernel.get(partRows)), visible);
  GlobalTensor mask;
  Value maskRow;
  if (arguments.mask) {
    mask = kernel.tensor(arguments.mask);
    maskRow = kernel.address(mask, batch);
  }
  // Whether row `row` of a tile that begins at `base` is a key.
  auto isKey = [&](Value base, Value row) {
    Value at = t.add(base, row), inside = t.less(at, high);
    if (!maskRow)
      return inside;
    return t.choose(inside, inside, [&] {
      Value byte = t.load(t.b.getI8Type(), t.offset(maskRow, t.mul(t.toI64(at), mask.strides[1])), 1);
      return SmallVector<Value>{t.isNotZero(byte)};
    })[0];
  };

  int64_t outputs = group.outputs.size(), tiles = tiling.slice / 8 + 1;
  // Accumulators [unit][output][tile], the last tile for z; then maxima [unit][output][2].
  auto accumulatorAt = [&](int64_t u, int64_t o, int64_t m) { return ((u * outputs + o) * tiles + m) * 4; };
  int64_t accumulatorCount = tiling.units * outputs * tiles * 4;
  auto maximumAt = [&](int64_t u, int64_t o) { return accumulatorCount + (u * outputs + o) * 2; };
  SmallVector<Value> init(accumulatorCount, t.f32(0));
  if (logDomain())
    init.append(tiling.units * outputs * 2, t.f32(kUnset));

  SmallVector<Value> sums = t.loop(low, high, tileRows, init, [&](Value base, ValueRange carried) {
    SmallVector<Value> state(carried);
    t.barrier(); // the tile before is no longer read
    auto exists = [&](Value row) { return isKey(base, row); };
    stageRows(kernel, keys, base, tileRows, tile.rows(), precision, exists);
    stageRows(kernel, valueRows, base, tileRows, values, precision, exists);
    t.waitForCopies(0);
    t.barrier();
    if (!plan.program.steps.empty()) {
      tile.emitSteps();
      t.barrier();
    }
    return t.loop(t.i32(0), t.i32(tileRows), step, state, [&](Value row, ValueRange inner) {
      SmallVector<Value> next(inner);
      for (int64_t u = 0; u < tiling.units; ++u) {
        SmallVector<FeatureTile::Weights> own = weights;
        for (FeatureTile::Weights &w : own)
          w.column = t.add(w.column, u * kBlock);
        Value column = t.add(firstColumn, t.add(warpColumn, u * kBlock));
        // Outputs by blocks of 16 keys; what is no key or no column has no weight.
        SmallVector<SmallVector<FeatureTile::Block>> blocks;
        for (int64_t part = 0; part < step; part += kBlock) {
          Value first = t.add(row, part);
          blocks.push_back(tile.evaluate(group, Orientation::Columns, first, column, own));
          for (int64_t n = 0; n < 2; ++n)
            for (int64_t i = 0; i < 4; ++i) {
              Value seen = isKey(base, t.add(first, t.add(fragments.columnOf(i), 8 * n)));
              if (Value exists = tile.columnExists(group, Orientation::Columns, column, n, i))
                seen = t.both(seen, exists);
              Value none = t.f32(logDomain() ? -std::numeric_limits<double>::infinity() : 0);
              for (FeatureTile::Block &block : blocks.back())
                block[n][i] = t.select(seen, block[n][i], none);
            }
        }
        for (int64_t o = 0; o < outputs; ++o) {
          if (logDomain()) {
            for (int64_t half = 0; half < 2; ++half) {
              Value &maximum = next[maximumAt(u, o) + half], old = maximum;
              for (auto &part : blocks)
                for (int64_t n = 0; n < 2; ++n)
                  for (int64_t i = 0; i < 2; ++i)
                    maximum = t.maxf(maximum, part[o][n][2 * half + i]);
              for (int64_t distance : {1, 2})
                maximum = t.maxf(maximum, t.shuffleXor(maximum, distance));
              Value factor = t.exp2(t.subf(old, maximum));
              for (int64_t m = 0; m < tiles; ++m)
                for (int64_t i = 0; i < 2; ++i) {
                  Value &sum = next[accumulatorAt(u, o, m) + 2 * half + i];
                  sum = t.mulf(sum, factor);
                }
              for (auto &part : blocks)
                for (int64_t n = 0; n < 2; ++n)
                  for (int64_t i = 0; i < 2; ++i) {
                    Value &x = part[o][n][2 * half + i];
                    x = t.exp2(t.subf(x, maximum));
                  }
            }
          }
          for (size_t part = 0; part < blocks.size(); ++part) {
            SmallVector<Fragments::Operand> left = fragments.chain(blocks[part][o][0], blocks[part][o][1]);
            for (size_t k = 0; k < left.size(); ++k) {
              Value depth = t.add(row, part * kBlock + k * depthOf(precision));
              auto multiply = [&](const Fragments::Operand &right, int64_t m) {
                int64_t at = accumulatorAt(u, o, m);
                Accumulator sum =
                    fragments.multiply(left[k], right, {next[at], next[at + 1], next[at + 2], next[at + 3]});
                for (int64_t i = 0; i < 4; ++i)
                  next[at + i] = sum[i];
              };
              for (int64_t m = 0; m < tiles - 1; m += 2) {
                auto right = fragments.right(values, t.i32(m * 8), depth, Order::ByDepth, true);
                multiply(right[0], m);
                multiply(right[1], m + 1);
              }
              multiply(fragments.ones(), tiles - 1);
            }
          }
        }
      }
      return next;
    });
  });

  GlobalTensor toSums = kernel.tensor(partSums), toNormalizer = kernel.tensor(partNormalizer), toMaximum;
  if (logDomain())
    toMaximum = kernel.tensor(partMaximum);
  for (int64_t u = 0; u < tiling.units; ++u)
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = t.add(t.add(firstColumn, t.add(warpColumn, u * kBlock)),
                          t.add(fragments.group, 8 * half + plan.firstRow(g, o)));
        for (int64_t m = 0; m < tiles - 1; ++m) {
          int64_t at = accumulatorAt(u, o, m) + 2 * half;
          Value column = t.add(firstValue, t.add(fragments.columnOf(0), 8 * m));
          t.store(t.vector({sums[at], sums[at + 1]}), kernel.address(toSums, {number, row, column}), 8);
        }
        t.when(t.both(t.equal(fragments.quad, 0), t.equal(slice, 0)), [&] {
          t.storeNumber(sums[accumulatorAt(u, o, tiles - 1) + 2 * half], t.b.getF32Type(),
                        kernel.address(toNormalizer, {number, row}));
          if (logDomain())
            t.storeNumber(sums[maximumAt(u, o) + half], t.b.getF32Type(), kernel.address(toMaximum, {number, row}));
        });
      }
  return kernel.finish({host.mul(heads, parts), host.index(slabs * slices)}, limits);
}

//===----------------------------------------------------------------------===//
// The state of all keys
//===----------------------------------------------------------------------===//

/// Adds parts in order; writes the state as an operand of the output kernel and as the caller's.
LogicalResult LinearAttention::emitMerge() {
  int64_t stateRows = keyPlan->stateRows, width = operandWidth(), padded = toBlocks(valueWidth);
  Type f32 = host.b.getF32Type(), element = elementOf(precision, host.b.getContext());
  operand = host.workspace({ShapedType::kDynamic, stateRows, width}, heads, element);
  if (logDomain())
    maximum = host.workspace({ShapedType::kDynamic, stateRows}, heads, f32);

  DeviceKernel kernel(host, name + "_merge", 256);
  ThreadBuilder &t = kernel.t;
  GlobalTensor fromSums = kernel.tensor(partSums), fromNormalizer = kernel.tensor(partNormalizer), fromMaximum;
  GlobalTensor to = kernel.tensor(operand), toMaximum;
  if (logDomain()) {
    fromMaximum = kernel.tensor(partMaximum);
    toMaximum = kernel.tensor(maximum);
  }
  Value head = t.blockId(1), at = t.add(t.mul(t.blockId(0), kernel.threads), t.threadId());
  Value first = t.mul(head, kernel.get(parts)), last = t.add(first, kernel.get(parts));
  t.when(t.less(at, stateRows * width), [&] {
    Value row = t.div(at, width), column = t.rem(at, width);
    Value isSum = t.less(column, padded);
    auto load = [&](const GlobalTensor &tensor, ValueRange at) {
      return t.loadNumber(tensor.element, kernel.address(tensor, at));
    };
    // r is the maximum over parts that have seen keys.
    Value largest = t.f32(kUnset);
    if (logDomain())
      largest = t.loop(first, last, 1, largest, [&](Value part, ValueRange carried) {
        Value r = load(fromMaximum, {part, row}), seen = t.isZero(load(fromNormalizer, {part, row}));
        return SmallVector<Value>{t.select(seen, carried[0], t.maxf(carried[0], r))};
      })[0];
    Value sum = t.loop(first, last, 1, t.f32(0), [&](Value part, ValueRange carried) {
      Value z = load(fromNormalizer, {part, row});
      Value x = t.choose(isSum, z, [&] { return SmallVector<Value>{load(fromSums, {part, row, column})}; })[0];
      if (logDomain())
        x = t.mulf(x, t.exp2(t.subf(load(fromMaximum, {part, row}), largest)));
      return SmallVector<Value>{t.addf(carried[0], x)};
    })[0];
    // Behind the sums: z, rounded, and what the rounding lost.
    Value high = t.widen(t.narrow(sum, element)), low = t.subf(sum, high);
    Value behind = t.select(t.equal(column, padded), high, t.select(t.equal(column, padded + 1), low, t.f32(0)));
    t.storeNumber(t.select(isSum, sum, behind), element, kernel.address(to, {head, row, column}));
    if (logDomain())
      t.when(t.equal(column, 0), [&] { t.storeNumber(largest, f32, kernel.address(toMaximum, {head, row})); });
  });
  int64_t blocks = (stateRows * width + kernel.threads - 1) / kernel.threads;
  return kernel.finish({host.index(blocks), heads}, limits);
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

LogicalResult LinearAttention::emitOutputs() {
  const FeaturePlan &plan = queryPlan();
  constexpr int64_t warps = 4, tileRows = warps * kBlock;
  int64_t width = operandWidth(), padded = toBlocks(valueWidth), tiles = width / 8;
  int64_t stateBytes = rowBytesOf(precision, width, Order::ByDepth, true);
  // Features that are in shared memory at a time: as many as fit.
  auto bytesFor = [&](const FusedGroup &group, int64_t columns) {
    int64_t bytes = int64_t(group.outputs.size()) * columns * (stateBytes + 4);
    for (unsigned p = 0; p < group.products.size(); ++p)
      bytes += toBlocks(plan.depth(group, p)) * rowBytesOf(precision, columns, Order::ByDepth, false);
    return bytes;
  };
  int64_t tileBytes = plan.program.rows * tileRows * 4;
  for (const Tile &tile : plan.program.tiles)
    tileBytes += tileRows * rowBytesOf(precision, toBlocks(tile.width), Order::ByRow, false);
  auto columnsFor = [&](const FusedGroup &group) {
    int64_t columns = 64;
    while (columns > kBlock &&
           (toBlocks(group.width) % columns || tileBytes + bytesFor(group, columns) > limits.sharedBytes))
      columns /= 2;
    return columns;
  };
  int64_t groupBytes = 0;
  for (const FusedGroup &group : plan.groups)
    groupBytes = std::max(groupBytes, bytesFor(group, columnsFor(group)));

  DeviceKernel kernel(host, name + "_output", warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, tileRows);
  Value scratch = kernel.allocateShared(groupBytes);
  Value queries = arguments.query;
  Value tilesOfHead = host.ceilDiv(host.dim(queries, 2), host.index(tileRows));
  Value tileCount = kernel.get(tilesOfHead), headCount = kernel.dim(queries, 1);
  Value number = t.blockId(0), base = t.mul(t.rem(number, tileCount), tileRows), batchHead = t.div(number, tileCount);
  Value batch = t.div(batchHead, headCount), head = t.rem(batchHead, headCount), keyHead = t.div(head, arguments.group);
  Value keyHeads = t.div(headCount, arguments.group), stateHead = t.add(t.mul(batch, keyHeads), keyHead);
  tile.setHead([&](Value parameter) {
    int64_t size = cast<MemRefType>(parameter.getType()).getDimSize(0);
    bool ofQueries = arguments.group > 1 && size == cast<MemRefType>(queries.getType()).getDimSize(1);
    return parameterHead(kernel, parameter, ofQueries ? head : keyHead);
  });
  GlobalRows queryRows = kernel.rows(queries, batch, head);
  Value rows = kernel.dim(queries, 2);
  tile.clearPadding();
  stageRows(kernel, queryRows, base, tileRows, tile.rows(), precision,
            [&](Value row) { return t.less(t.add(base, row), rows); });
  t.waitForCopies(0);
  t.barrier();
  tile.emitSteps(); // warps read their own rows only

  Value row = t.mul(t.warp(), kBlock);
  SmallVector<Value> sums(tiles * 4, t.f32(0));
  if (logDomain())
    sums.append(2, t.f32(kUnset));
  GlobalTensor operandTensor = kernel.tensor(operand), maximumTensor;
  if (logDomain())
    maximumTensor = kernel.tensor(maximum);
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const FusedGroup &group = plan.groups[g];
    int64_t columns = columnsFor(group), outputs = group.outputs.size();
    int64_t bytes = 0;
    auto take = [&](int64_t size) {
      Value address = t.offset(scratch, bytes);
      bytes += size;
      return address;
    };
    SmallVector<FeatureTile::Weights> weights;
    for (unsigned p = 0; p < group.products.size(); ++p) {
      int64_t weightBytes = rowBytesOf(precision, columns, Order::ByDepth, false);
      weights.push_back({{take(toBlocks(plan.depth(group, p)) * weightBytes), weightBytes}, t.i32(0), true});
    }
    SmallVector<SharedMatrix> states;
    SmallVector<Value> maxima;
    for (int64_t o = 0; o < outputs; ++o)
      states.push_back({take(columns * stateBytes), stateBytes});
    for (int64_t o = 0; o < outputs; ++o)
      maxima.push_back(take(columns * 4));
    sums = t.loop(t.i32(0), t.i32(toBlocks(group.width)), columns, sums, [&](Value first, ValueRange carried) {
      t.barrier(); // the block before is no longer read
      for (auto [p, w] : llvm::enumerate(weights)) {
        Value packed = plan.packed(group, p);
        Value from = kernel.address(kernel.tensor(packed), {tile.head(group, p), t.i32(0)});
        stageBlock(kernel, t.offset(from, t.mul(first, bytesOf(precision))), toBlocks(group.width) * bytesOf(precision),
                   toBlocks(plan.depth(group, p)), columns, w.matrix, precision);
      }
      for (int64_t o = 0; o < outputs; ++o) {
        Value stateRow = t.add(first, keyPlan->firstRow(g, o));
        stageBlock(kernel, kernel.address(operandTensor, {stateHead, stateRow}), width * bytesOf(precision), columns,
                   width, states[o], precision);
        if (logDomain())
          stageBlock(kernel, kernel.address(maximumTensor, {stateHead, stateRow}), 0, 1,
                     columns * 4 / bytesOf(precision), {maxima[o], 0}, precision);
      }
      t.waitForCopies(0);
      t.barrier();
      return t.loop(t.i32(0), t.i32(columns), kBlock, carried, [&](Value column, ValueRange inner) {
        SmallVector<Value> next(inner);
        SmallVector<FeatureTile::Weights> own = weights;
        for (FeatureTile::Weights &w : own)
          w.column = column;
        Value groupColumn = t.add(first, column);
        SmallVector<FeatureTile::Block> blocks = tile.evaluate(group, Orientation::Rows, row, groupColumn, own);
        for (auto [o, block] : llvm::enumerate(blocks)) {
          if (logDomain()) {
            for (int64_t n = 0; n < 2; ++n)
              for (int64_t i = 0; i < 2; ++i) {
                Value at = t.add(column, t.add(fragments.columnOf(i), 8 * n));
                Value r = t.loadNumber(t.b.getF32Type(), t.offset(maxima[o], t.mul(at, 4)));
                for (int64_t half = 0; half < 2; ++half)
                  block[n][2 * half + i] = t.addf(block[n][2 * half + i], r);
              }
          }
          for (int64_t n = 0; n < 2; ++n)
            for (int64_t i = 0; i < 4; ++i)
              if (Value exists = tile.columnExists(group, Orientation::Rows, groupColumn, n, i))
                block[n][i] =
                    t.select(exists, block[n][i], t.f32(logDomain() ? -std::numeric_limits<double>::infinity() : 0));
        }
        if (logDomain())
          for (int64_t half = 0; half < 2; ++half) {
            Value &largest = next[tiles * 4 + half], old = largest;
            for (FeatureTile::Block &block : blocks)
              for (int64_t n = 0; n < 2; ++n)
                for (int64_t i = 0; i < 2; ++i)
                  largest = t.maxf(largest, block[n][2 * half + i]);
            for (int64_t distance : {1, 2})
              largest = t.maxf(largest, t.shuffleXor(largest, distance));
            Value factor = t.exp2(t.subf(old, largest));
            for (int64_t m = 0; m < tiles; ++m)
              for (int64_t i = 0; i < 2; ++i) {
                Value &sum = next[m * 4 + 2 * half + i];
                sum = t.mulf(sum, factor);
              }
            for (FeatureTile::Block &block : blocks)
              for (int64_t n = 0; n < 2; ++n)
                for (int64_t i = 0; i < 2; ++i) {
                  Value &x = block[n][2 * half + i];
                  x = t.exp2(t.subf(x, largest));
                }
          }
        for (auto [o, block] : llvm::enumerate(blocks)) {
          SmallVector<Fragments::Operand> left = fragments.chain(block[0], block[1]);
          for (auto [k, operand] : llvm::enumerate(left)) {
            Value depth = t.add(column, k * depthOf(precision));
            for (int64_t m = 0; m < tiles; m += 2) {
              // The last tile has no neighbor; what lies behind it in the row is not used.
              bool alone = m + 1 == tiles;
              auto right = fragments.right(states[o], t.i32((alone ? m - 1 : m) * 8), depth, Order::ByDepth, true);
              for (int64_t n = alone ? 1 : 0; n < 2; ++n) {
                int64_t at = (alone ? m - 1 + n : m + n) * 4;
                Accumulator sum =
                    fragments.multiply(operand, right[n], {next[at], next[at + 1], next[at + 2], next[at + 3]});
                for (int64_t i = 0; i < 4; ++i)
                  next[at + i] = sum[i];
              }
            }
          }
        }
        return next;
      });
    });
  }

  Value offset;
  if (arguments.offset) {
    GlobalTensor tensor = kernel.tensor(arguments.offset);
    offset = t.mulf(t.loadNumber(tensor.element, kernel.address(tensor, {batch, head})), t.f32(1.4426950408889634));
  }
  GlobalTensor out = kernel.tensor(arguments.out), denominators;
  if (arguments.denominators)
    denominators = kernel.tensor(arguments.denominators);
  for (int64_t half = 0; half < 2; ++half) {
    Value at = t.add(base, t.add(row, t.add(fragments.group, 8 * half)));
    Value scale;
    if (how.normalize) {
      // z is in the first columns of the last tile, which the first lane of a row has.
      int64_t last = (tiles - 1) * 4 + 2 * half;
      Value den = t.addf(sums[last], sums[last + 1]);
      den = t.shuffleFrom(den, t.mul(fragments.group, 4));
      Value isEmpty = t.isZero(den), exponent = offset;
      if (logDomain()) {
        Value m = sums[tiles * 4 + half];
        exponent = offset ? t.subf(offset, m) : t.subf(t.f32(0), m);
      }
      if (how.eps != 0)
        den = exponent ? t.fma(t.f32(how.eps), t.exp2(exponent), den) : t.addf(den, t.f32(how.eps));
      if (how.floor != 0)
        den = t.awayFromZero(den, how.floor);
      if (arguments.denominators)
        t.when(t.both(t.equal(fragments.quad, 0), t.less(at, rows)), [&] {
          Value x = den;
          if (logDomain()) {
            Value logarithm = t.addf(sums[tiles * 4 + half], t.log2(den));
            x = t.mulf(logarithm, t.f32(0.6931471805599453));
          }
          t.storeNumber(x, denominators.element, kernel.address(denominators, {batch, head, at}));
        });
      scale = t.select(isEmpty, t.f32(0), t.divf(t.f32(1), den));
    }
    t.when(t.less(at, rows), [&] {
      for (int64_t m = 0; m < padded / 8; ++m)
        for (int64_t i = 0; i < 2; ++i) {
          Value column = t.add(fragments.columnOf(i), 8 * m), x = sums[m * 4 + 2 * half + i];
          auto write = [&] {
            t.storeNumber(scale ? t.mulf(x, scale) : x, out.element, kernel.address(out, {batch, head, at, column}));
          };
          if (valueWidth % kBlock)
            t.when(t.less(column, valueWidth), write);
          else
            write();
        }
    });
  }
  Value queryHeads = host.mul(host.dim(queries, 0), host.dim(queries, 1));
  return kernel.finish({host.mul(queryHeads, tilesOfHead)}, limits);
}
