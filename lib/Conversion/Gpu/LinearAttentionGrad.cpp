//===- LinearAttentionGrad.cpp - gradients on GPUs ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The state of the adjoint and gradients of rows. Blocks of features come from the workspace as in the forward pass;
// cotangents of features are a product of their own, and the cotangents of projections chain into gradients of rows.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/LinearAttentionGrad.h"
#include "lib/Conversion/Gpu/GradientTile.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

static constexpr double kLog2e = 1.4426950408889634, kLn2 = 0.6931471805599453;
static constexpr int64_t kTileRows = GradientTile::kRows;

LogicalResult LinearAttentionGrad::emit(const GradientArguments &given) {
  gradients = given;
  // Both maps have been asked already.
  keyPlan->differentiate();
  if (separateQueryPlan)
    separateQueryPlan->differentiate();
  if (failed(pack()) || failed(emitRowFactors()) || failed(emitMerge(/*withOperand=*/true)))
    return failure();
  stateOperand = operand;
  if (failed(emitStateGradients()) || failed(emitRowGradients(Side::Queries)) || failed(emitRowGradients(Side::Keys)))
    return failure();
  for (const GradientArguments::Parameter &parameter : gradients.parameters) {
    Value target = parameter.gradient;
    if (!target) { // moments are sums over it
      Value source = arguments.parameters[parameter.number];
      auto type = cast<MemRefType>(source.getType());
      target = host.workspace({ShapedType::kDynamic, type.getDimSize(1), type.getDimSize(2)}, host.dim(source, 0),
                              host.b.getF32Type());
    }
    for (unsigned g = 0; g < keyPlan->groups.size(); ++g)
      for (unsigned p = 0; p < keyPlan->groups[g].products.size(); ++p)
        if (keyPlan->program.products[keyPlan->groups[g].products[p].product].parameter == parameter.number)
          if (failed(emitParameterPartials(Side::Queries, g, p)) || failed(emitParameterPartials(Side::Keys, g, p)) ||
              failed(emitParameterSums(g, p, target)))
            return failure();
    if (!parameter.gradient && failed(emitMoments(parameter, target)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// What a query's features are multiplied by and w, a warp for each query. Queries that see no key get features of 0.
LogicalResult LinearAttentionGrad::emitRowFactors() {
  Value queries = arguments.query, rows = host.dim(queries, 2);
  Value queryHeads = host.mul(host.dim(queries, 0), host.dim(queries, 1));
  SmallVector<int64_t> shape{ShapedType::kDynamic, ShapedType::kDynamic};
  rowScale = host.workspace(shape, {queryHeads, rows}, host.b.getF32Type());
  rowWeight = host.workspace(shape, {queryHeads, rows}, host.b.getF32Type());

  constexpr int64_t warps = 8;
  DeviceKernel kernel(host, name + "_rows", warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Value headCount = kernel.dim(queries, 1), number = t.blockId(0);
  Value batch = t.div(number, headCount), head = t.rem(number, headCount), keyHead = t.div(head, arguments.group);
  Value row = t.add(t.mul(t.blockId(1), warps), t.warp());
  auto load = [&](Value memref, ValueRange at) {
    GlobalTensor tensor = kernel.tensor(memref);
    return t.loadNumber(tensor.element, kernel.address(tensor, at));
  };
  auto sumLanes = [&](Value x, function_ref<Value(Value, Value)> combine) {
    for (int64_t distance = 1; distance < kWarpSize; distance *= 2)
      x = combine(x, t.shuffleXor(x, distance));
    return x;
  };
  t.when(t.less(row, kernel.dim(queries, 2)), [&] {
    // Whether z is 0 everywhere: then there was no key.
    int64_t features = cast<MemRefType>(arguments.initial.normalizer.getType()).getDimSize(2);
    Value largest = t.loop(t.lane(), t.i32(features), kWarpSize, t.f32(0), [&](Value f, ValueRange carried) {
      Value z = load(arguments.initial.normalizer, {batch, keyHead, f});
      return SmallVector<Value>{t.maxf(carried[0], t.abs(z))};
    })[0];
    Value isEmpty = t.isZero(sumLanes(largest, [&](Value x, Value y) { return t.maxf(x, y); }));
    Value weight = t.f32(0), scale = t.f32(logDomain() ? 0 : 1);
    if (how.normalize) {
      weight = t.loop(t.lane(), t.i32(valueWidth), kWarpSize, t.f32(0), [&](Value m, ValueRange carried) {
        Value product =
            t.mulf(load(gradients.output, {batch, head, row, m}), load(gradients.cotangent, {batch, head, row, m}));
        return SmallVector<Value>{t.subf(carried[0], product)};
      })[0];
      weight = sumLanes(weight, [&](Value x, Value y) { return t.addf(x, y); });
      Value den = load(arguments.denominators, {batch, head, row, t.i32(0)});
      scale = logDomain() ? t.mulf(den, t.f32(-kLog2e)) : t.divf(t.f32(1), den);
    }
    Value none = t.f32(logDomain() ? -std::numeric_limits<double>::infinity() : 0);
    t.when(t.equal(t.lane(), 0), [&] {
      GlobalTensor toScale = kernel.tensor(rowScale), toWeight = kernel.tensor(rowWeight);
      t.storeNumber(t.select(isEmpty, none, scale), t.b.getF32Type(), kernel.address(toScale, {number, row}));
      t.storeNumber(t.select(isEmpty, t.f32(0), weight), t.b.getF32Type(), kernel.address(toWeight, {number, row}));
    });
  });
  return kernel.finish({queryHeads, host.ceilDiv(rows, host.index(warps))}, limits);
}

LinearAttentionGrad::Place LinearAttentionGrad::locate(DeviceKernel &kernel, Side side, Value number) const {
  ThreadBuilder &t = kernel.t;
  Place place;
  place.number = number;
  Value headCount = kernel.dim(rowsOf(side), 1);
  place.batch = t.div(number, headCount);
  place.head = place.keyHead = t.rem(number, headCount);
  place.state = number;
  place.low = t.i32(0);
  place.high = kernel.dim(rowsOf(side), 2);
  if (side == Side::Queries) {
    place.keyHead = t.div(place.head, arguments.group);
    place.state = t.add(t.mul(place.batch, t.div(headCount, arguments.group)), place.keyHead);
  }
  return place;
}

//===----------------------------------------------------------------------===//
// The state of the adjoint
//===----------------------------------------------------------------------===//

LogicalResult LinearAttentionGrad::emitStateGradients() {
  FeaturePlan &plan = planOf(Side::Queries);
  Value rows = host.dim(arguments.query, 2);
  Value queryHeads = host.mul(host.dim(arguments.query, 0), host.dim(arguments.query, 1));
  parts = choosePartCount(host, rows, queryHeads);
  partRows = host.mul(host.ceilDiv(host.ceilDiv(rows, parts), host.index(kTileRows)), host.index(kTileRows));
  int64_t width = operandWidth();
  partSums =
      host.workspace({ShapedType::kDynamic, plan.stateRows, width}, host.mul(queryHeads, parts), host.b.getF32Type());
  // Three products for one leave registers for the sums of one output only.
  for (unsigned group = 0; group < plan.groups.size(); ++group) {
    int64_t outputs = plan.groups[group].outputs.size(), each = precision == Precision::tf32x3 ? 1 : outputs;
    for (int64_t first = 0; first < outputs; first += each)
      if (failed(emitStateGradients(group, first, each)))
        return failure();
  }

  gradientOperand =
      host.workspace({ShapedType::kDynamic, plan.stateRows, width}, heads, elementOf(precision, host.b.getContext()));
  DeviceKernel kernel(host, name + "_state_sum", 256);
  ThreadBuilder &t = kernel.t;
  Value number = t.blockId(0), at = t.add(t.mul(t.blockId(1), kernel.threads), t.threadId());
  t.when(t.less(at, plan.stateRows * width), [&] {
    Value row = t.div(at, width), column = t.rem(at, width);
    GlobalTensor from = kernel.tensor(partSums), to = kernel.tensor(gradientOperand);
    // Query heads of a head of keys, and their parts, are neighbors. z has two columns.
    int64_t padded = toBlocks(valueWidth);
    Value count = t.mul(kernel.get(parts), arguments.group), first = t.mul(number, count);
    Value sum = t.loop(first, t.add(first, count), 1, t.f32(0), [&](Value part, ValueRange carried) {
      Value x = t.loadNumber(from.element, kernel.address(from, {part, row, column}));
      Value z = t.choose(t.lessEqual(t.i32(padded), column), t.f32(0), [&] {
        Value high = t.loadNumber(from.element, kernel.address(from, {part, row, t.i32(padded)}));
        Value low = t.loadNumber(from.element, kernel.address(from, {part, row, t.i32(padded + 1)}));
        return SmallVector<Value>{t.addf(high, low)};
      })[0];
      return SmallVector<Value>{t.addf(carried[0], t.select(t.less(column, padded), x, z))};
    })[0];
    Value high = t.widen(t.narrow(sum, to.element)), low = t.subf(sum, high);
    Value behind = t.select(t.equal(column, padded), high, t.select(t.equal(column, padded + 1), low, t.f32(0)));
    t.storeNumber(t.select(t.less(column, padded), sum, behind), to.element, kernel.address(to, {number, row, column}));
  });
  int64_t blocks = (plan.stateRows * width + kernel.threads - 1) / kernel.threads;
  return kernel.finish({heads, host.index(blocks)}, limits);
}

/// The largest divisor of `count` up to `limit`.
static int64_t largestDivisor(int64_t count, int64_t limit) {
  while (count % limit)
    --limit;
  return limit;
}

LogicalResult LinearAttentionGrad::emitStateGradients(unsigned g, int64_t firstOutput, int64_t outputs) {
  const FeaturePlan &plan = planOf(Side::Queries);
  const FusedGroup &group = plan.groups[g];
  int64_t blocks = toBlocks(group.width) / kBlock, warps = largestDivisor(blocks, 8), columns = warps * kBlock;
  int64_t tiles = operandWidth() / 8;
  DeviceKernel kernel(host, (name + "_dstate" + Twine(g) + "_" + Twine(firstOutput)).str(), warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, kTileRows);
  GradientTile cotangents(kernel, plan, valueWidth, Order::ByDepth, /*chained=*/true);

  Value partCount = kernel.get(parts), index = t.blockId(0), part = t.rem(index, partCount);
  Place place = locate(kernel, Side::Queries, t.div(index, partCount));
  tile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, place.keyHead, place.head); });
  Value firstColumn = t.mul(t.blockId(1), columns), warpColumn = t.mul(t.warp(), kBlock);
  Value column = t.add(firstColumn, warpColumn);
  SmallVector<FeatureTile::Weights> weights = stageWeights(kernel, tile, plan, g, firstColumn, columns, warpColumn);
  tile.clearPadding();
  clearPadding(kernel, cotangents.others, kTileRows, valueWidth, precision);
  // r of the lane's two features of each output.
  SmallVector<Value> maxima;
  for (int64_t o = 0; logDomain() && o < outputs; ++o)
    for (int64_t half = 0; half < 2; ++half) {
      Value row = t.add(column, t.add(fragments.group, 8 * half + plan.firstRow(g, firstOutput + o)));
      GlobalTensor tensor = kernel.tensor(maximum);
      maxima.push_back(t.loadNumber(tensor.element, kernel.address(tensor, {place.state, row})));
    }
  GlobalRows rows = kernel.rows(arguments.query, place.batch, place.head);
  GlobalRows others = kernel.rows(gradients.cotangent, place.batch, place.head);
  Value scaleRow = kernel.address(kernel.tensor(rowScale), {place.number});
  Value weightRow = kernel.address(kernel.tensor(rowWeight), {place.number});
  Value low = t.mul(part, kernel.get(partRows)), high = t.min(t.add(low, kernel.get(partRows)), place.high);
  SmallVector<Value> sums(outputs * tiles * 4, t.f32(0));
  sums = t.loop(low, high, kTileRows, sums, [&](Value base, ValueRange carried) {
    auto exists = [&](Value row) { return t.less(t.add(base, row), high); };
    t.barrier(); // the tile before is no longer read
    stageRows(kernel, rows, base, kTileRows, tile.rows(), precision, exists);
    stageRows(kernel, others, base, kTileRows, cotangents.others, precision, exists);
    cotangents.stageFactors(scaleRow, weightRow, base, exists, logDomain(), /*asColumns=*/true);
    t.waitForCopies(0);
    t.barrier();
    if (!plan.program.steps.empty()) {
      tile.emitSteps();
      t.barrier();
    }
    return t.loop(t.i32(0), t.i32(kTileRows), kBlock, carried, [&](Value row, ValueRange inner) {
      SmallVector<Value> next(inner);
      auto features = tile.evaluate(group, Orientation::Columns, row, column, weights);
      for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t n = 0; n < 2; ++n)
          for (int64_t i = 0; i < 4; ++i) {
            Value scale = cotangents.scale(t.add(row, t.add(fragments.columnOf(i), 8 * n))),
                  &x = features[firstOutput + o][n][i];
            x = logDomain() ? t.exp2(t.addf(t.addf(x, maxima[2 * o + i / 2]), scale)) : t.mulf(x, scale);
            if (Value present = tile.columnExists(group, Orientation::Columns, column, n, i))
              x = t.select(present, x, t.f32(0));
          }
        fragments.accumulate(features[firstOutput + o], cotangents.others, row, Order::ByDepth, tiles, o * tiles, next);
      }
      return next;
    });
  });
  t.waitForCopies(0); // parameters, where there was no tile
  GlobalTensor to = kernel.tensor(partSums);
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t m = 0; m < tiles; ++m)
      for (int64_t half = 0; half < 2; ++half) {
        int64_t at = (o * tiles + m) * 4 + 2 * half;
        Value row = t.add(column, t.add(fragments.group, 8 * half + plan.firstRow(g, firstOutput + o)));
        t.store(t.vector({sums[at], sums[at + 1]}),
                kernel.address(to, {index, row, t.add(fragments.columnOf(0), 8 * m)}), 8);
      }
  Value queryHeads = host.mul(host.dim(arguments.query, 0), host.dim(arguments.query, 1));
  return kernel.finish({host.mul(queryHeads, parts), host.index(blocks / warps)}, limits);
}

//===----------------------------------------------------------------------===//
// Gradients of rows
//===----------------------------------------------------------------------===//

LogicalResult LinearAttentionGrad::emitRowGradients(Side side) {
  bool ofQueries = side == Side::Queries;
  const FeaturePlan &plan = planOf(side);
  Value rowsTensor = rowsOf(side), state = ofQueries ? stateOperand : gradientOperand;
  int64_t rowWidth = plan.program.tiles[0].width, width = operandWidth(), padded = toBlocks(valueWidth);
  constexpr int64_t warps = kTileRows / kBlock;
  int64_t blockColumns = 32;
  for (const FusedGroup &group : plan.groups)
    while (toBlocks(group.width) % blockColumns)
      blockColumns /= 2;
  auto blockBytes = [&] {
    int64_t bytes = 0;
    for (const FusedGroup &group : plan.groups)
      bytes = std::max(bytes, FeatureBlock::bytes(plan, group, blockColumns, width));
    return bytes;
  };
  int64_t fixed =
      FeatureTile::bytes(plan, kTileRows) + kTileRows * (rowBytesOf(precision, padded, Order::ByRow, false) + 8);
  while (blockColumns > kBlock && fixed + blockBytes() > limits.sharedBytes)
    blockColumns /= 2;

  DeviceKernel kernel(host, name + (ofQueries ? "_dquery" : "_dkey"), warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, kTileRows);
  GradientTile others(kernel, plan, valueWidth, Order::ByRow, /*chained=*/false);
  Value scratch = kernel.allocateShared(blockBytes());
  SmallVector<Value> rowCotangents;
  for (unsigned i = 0; i < plan.program.rows; ++i)
    rowCotangents.push_back(kernel.allocateShared(kTileRows * 4));
  bool hasTileTerms = llvm::any_of(plan.adjoints, [](const GroupAdjoint &a) { return !a.tiles.empty(); });
  Value elementwise = hasTileTerms ? kernel.allocateShared(kTileRows * rowWidth * 4) : Value();
  auto elementwiseAt = [&](Value row, Value column) {
    return t.offset(elementwise, t.mul(t.add(t.mul(row, rowWidth), column), 4));
  };

  Value tilesOfHead = host.ceilDiv(host.dim(rowsTensor, 2), host.index(kTileRows)), tileCount = kernel.get(tilesOfHead);
  Value index = t.blockId(0), base = t.mul(t.rem(index, tileCount), kTileRows);
  Place place = locate(kernel, side, t.div(index, tileCount));
  Value queryHead = ofQueries ? place.head : Value();
  tile.setHead([&](Value parameter) { return parameterHead(kernel, parameter, place.keyHead, queryHead); });
  KeyRange range;
  if (!ofQueries)
    range = keyRange(kernel, place.batch);
  auto exists = [&](Value row) {
    Value at = t.add(base, row);
    return ofQueries ? t.less(at, place.high) : isKey(kernel, range, range.high, at);
  };
  tile.clearPadding();
  clearPadding(kernel, others.others, kTileRows, valueWidth, precision);
  stageRows(kernel, kernel.rows(rowsTensor, place.batch, place.head), base, kTileRows, tile.rows(), precision, exists);
  stageRows(kernel, kernel.rows(othersOf(side), place.batch, place.head), base, kTileRows, others.others, precision,
            exists);
  Value scaleRow, weightRow;
  if (ofQueries) {
    scaleRow = kernel.address(kernel.tensor(rowScale), {place.number});
    weightRow = kernel.address(kernel.tensor(rowWeight), {place.number});
  }
  others.stageFactors(scaleRow, weightRow, base, exists, logDomain(), /*asColumns=*/false);
  if (hasTileTerms)
    t.loop(t.threadId(), t.i32(kTileRows * rowWidth), kernel.threads,
           [&](Value i) { t.store(t.f32(0), t.offset(elementwise, t.mul(i, 4)), 4); });
  t.waitForCopies(0);
  t.barrier();
  tile.emitSteps(); // warps read their own rows only

  // Accumulators of the gradient of rows and, of keys, of values; then cotangents of row scalars, two rows of each.
  int64_t rowTiles = toBlocks(rowWidth) / 8, valueTiles = ofQueries ? 0 : padded / 8;
  int64_t scalars = (rowTiles + valueTiles) * 4;
  SmallVector<Value> sums(scalars + 2 * plan.program.rows, t.f32(0));
  Value row = t.mul(t.warp(), kBlock);
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const FusedGroup &group = plan.groups[g];
    FeatureBlock block = FeatureBlock::at(t, scratch, plan, group, blockColumns, width);
    Value end = t.i32(toBlocks(group.width));
    sums = t.loop(t.i32(0), end, blockColumns, sums, [&](Value first, ValueRange carried) {
      t.barrier(); // the block before is no longer read
      block.stage(kernel, tile, plan, g, first, state, maximum, place.state);
      t.waitForCopies(0);
      t.barrier();
      return t.loop(t.i32(0), t.i32(blockColumns), kBlock, carried, [&](Value column, ValueRange inner) {
        SmallVector<Value> next(inner);
        SmallVector<FeatureTile::Weights> weights = block.weights;
        for (FeatureTile::Weights &w : weights)
          w.column = column;
        Value groupColumn = t.add(first, column);
        // Cotangents of features, before what depends on the row: rows of the others times rows of the state.
        SmallVector<FeatureTile::Block> cotangents;
        for (const SharedMatrix &matrix : block.states)
          cotangents.push_back(fragments.multiplyRows(others.others, row, matrix, column, padded));
        SmallVector<FeatureTile::Block> weighted(group.outputs.size());
        auto cotangent = [&](size_t o, int64_t n, int64_t i, Value feature) {
          Value inBlock = t.add(column, t.add(fragments.columnOf(i), 8 * n)), tileRow = t.add(row, fragments.rowOf(i));
          Value zAddress = t.add(t.mul(inBlock, block.states[o].rowBytes), padded * bytesOf(precision));
          Type element = elementOf(precision, t.b.getContext());
          Value z =
              t.addf(t.loadNumber(element, t.offset(block.states[o].address, zAddress)),
                     t.loadNumber(element, t.offset(block.states[o].address, t.add(zAddress, bytesOf(precision)))));
          Value total = t.fma(others.weight(tileRow), z, cotangents[o][n][i]), scale = others.scale(tileRow), p;
          if (logDomain()) {
            Value r = t.loadNumber(t.b.getF32Type(), t.offset(block.maxima[o], t.mul(inBlock, 4)));
            p = t.exp2(t.addf(ofQueries ? t.addf(feature, r) : t.subf(feature, r), scale));
            total = t.mulf(t.mulf(total, p), t.f32(kLn2));
          } else {
            p = t.mulf(feature, scale);
            total = t.mulf(total, scale);
          }
          if (Value present = tile.columnExists(group, Orientation::Rows, groupColumn, n, i)) {
            p = t.select(present, p, t.f32(0));
            total = t.select(present, total, t.f32(0));
          }
          weighted[o][n][i] = p;
          return total;
        };
        auto addToRow = [&](unsigned id, int64_t i, Value x) {
          Value &sum = next[scalars + 2 * id + i / 2];
          sum = t.addf(sum, x);
        };
        // Terms may shift columns to those of other lanes: one term at a time.
        SmallVector<SmallVector<std::array<Value, 3>>> additions(plan.adjoints[g].tiles.size());
        auto addToTile = [&](size_t term, Value present, Value tileRow, Value tileColumn, Value x) {
          additions[term].push_back({elementwiseAt(tileRow, tileColumn), x, present});
        };
        FeatureTile::Adjoint adjoint = tile.differentiate(group, plan.adjoints[g], Orientation::Rows, row, groupColumn,
                                                          weights, {cotangent, addToRow, addToTile});
        for (const auto &term : additions) {
          t.warpBarrier();
          for (auto [at, x, present] : term) {
            auto add = [&, at = at, x = x] { t.store(t.addf(t.loadNumber(t.b.getF32Type(), at), x), at, 4); };
            if (present)
              t.when(present, add);
            else
              add();
          }
        }
        for (auto [p, products] : llvm::enumerate(adjoint.products))
          fragments.accumulate(products, weights[p].matrix, column, Order::ByRow, rowTiles, 0, next);
        for (size_t o = 0; !ofQueries && o < weighted.size(); ++o)
          fragments.accumulate(weighted[o], block.states[o], column, Order::ByDepth, valueTiles, rowTiles, next);
        return next;
      });
    });
  }

  // Sums over the lanes of a row, then what the steps make of them.
  for (unsigned id = 0; id < plan.program.rows; ++id)
    for (int64_t half = 0; half < 2; ++half) {
      Value sum = sums[scalars + 2 * id + half];
      for (int64_t distance : {1, 2})
        sum = t.addf(sum, t.shuffleXor(sum, distance));
      t.when(t.equal(fragments.quad, 0), [&] {
        t.store(sum, t.offset(rowCotangents[id], t.mul(t.add(row, t.add(fragments.group, 8 * half)), 4)), 4);
      });
    }
  t.warpBarrier();
  auto write = [&](Value memref, int64_t columns, int64_t firstTile, function_ref<Value(Value, Value, Value)> finish) {
    GlobalTensor to = kernel.tensor(memref);
    for (int64_t half = 0; half < 2; ++half) {
      Value tileRow = t.add(row, t.add(fragments.group, 8 * half)), at = t.add(base, tileRow);
      t.when(t.less(at, place.high), [&] {
        for (int64_t m = 0; m < toBlocks(columns) / 8; ++m)
          for (int64_t i = 0; i < 2; ++i) {
            Value column = t.add(fragments.columnOf(i), 8 * m), x = sums[(firstTile + m) * 4 + 2 * half + i];
            auto store = [&] {
              t.storeNumber(finish(tileRow, column, x), to.element,
                            kernel.address(to, {place.batch, place.head, at, column}));
            };
            if (columns % kBlock)
              t.when(t.less(column, columns), store);
            else
              store();
          }
      });
    }
  };
  write(ofQueries ? gradients.query : gradients.key, rowWidth, 0, [&](Value tileRow, Value column, Value x) {
    if (hasTileTerms)
      x = t.addf(x, t.loadNumber(t.b.getF32Type(), elementwiseAt(tileRow, column)));
    for (const ReduceAdjoint &step : plan.stepAdjoints)
      for (const GroupAdjoint &segment : step.segments)
        if (Value more = tile.evaluateTerms(segment.tiles, tileRow, column, rowCotangents))
          x = t.addf(x, more);
    return x;
  });
  if (!ofQueries)
    write(gradients.value, valueWidth, rowTiles, [](Value, Value, Value x) { return x; });
  Value headsOfSide = host.mul(host.dim(rowsTensor, 0), host.dim(rowsTensor, 1));
  return kernel.finish({host.mul(headsOfSide, tilesOfHead)}, limits);
}
