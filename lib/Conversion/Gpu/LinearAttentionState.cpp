//===- LinearAttentionState.cpp - states of parts of the keys ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of threads sums phi(k) v^T over a part of the keys of a head. The product of the frequencies with a tile of
// keys leaves features in rows: their accumulators, once they are features, are the left operand of the product with
// values. Accumulators of S stay in registers from the first tile to the last one.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/LinearAttention.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

LogicalResult LinearAttention::emitPartialStates() {
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

  Value warpColumn = t.mul(t.warp(), tiling.units * kBlock);
  SmallVector<FeatureTile::Weights> weights = stageWeights(kernel, tile, plan, g, firstColumn, columns, warpColumn);
  GlobalRows keys = scanRows(kernel, arguments.key, batch, head, firstKey),
             valueRows = scanRows(kernel, arguments.value, batch, head, firstKey);
  valueRows.address = t.offset(valueRows.address, t.mul(firstValue, valueRows.element.getIntOrFloatBitWidth() / 8));
  if (slices > 1)
    valueRows.width = tiling.slice;
  tile.clearPadding();
  clearPadding(kernel, values, tileRows, std::min(valueRows.width, tiling.slice), precision);

  KeyRange range = keyRange(kernel, batch);
  Value low = t.mul(part, kernel.get(partRows)), high = t.min(t.add(low, kernel.get(partRows)), range.high);
  auto isKeyAt = [&](Value base, Value row) { return isKey(kernel, range, high, t.add(base, row)); };

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
    auto exists = [&](Value row) { return isKeyAt(base, row); };
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
              Value seen = isKeyAt(base, t.add(first, t.add(fragments.columnOf(i), 8 * n)));
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
                    maximum = t.maxf(maximum, t.unlessInfinite(part[o][n][2 * half + i], maximum));
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

  t.waitForCopies(0); // parameters, where there was no tile
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
