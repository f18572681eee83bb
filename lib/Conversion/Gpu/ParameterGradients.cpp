//===- ParameterGradients.cpp - gradients of matrices on GPUs -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The gradient of a matrix that rows are multiplied by is the sum over rows x of x times the cotangents of their
// products. Blocks of threads sum over parts of the rows of a head, of queries and of keys; a last kernel adds the
// parts in order, so that no atomics are needed.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/GradientTile.h"
#include "lib/Conversion/Gpu/LinearAttentionGrad.h"
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

static constexpr int64_t kTileRows = GradientTile::kRows;

LogicalResult LinearAttentionGrad::emitParameterPartials(Side side, unsigned g, unsigned product) {
  bool ofQueries = side == Side::Queries;
  const FeaturePlan &plan = planOf(side);
  const FusedGroup &group = plan.groups[g];
  Value rowsTensor = rowsOf(side), state = ofQueries ? stateOperand : gradientOperand;
  int64_t rowWidth = plan.program.tiles[0].width, rowTiles = toBlocks(rowWidth) / 8, outputs = group.outputs.size();
  int64_t width = operandWidth(), padded = toBlocks(valueWidth),
          stateBytes = rowBytesOf(precision, width, Order::ByRow, false);
  int64_t blocks = toBlocks(group.width) / kBlock, warps = 8;
  int64_t fixed =
      FeatureTile::bytes(plan, kTileRows) + kTileRows * (rowBytesOf(precision, padded, Order::ByRow, false) + 8);
  auto bytes = [&] {
    int64_t perColumn = outputs * stateBytes;
    int64_t weights = 0;
    for (unsigned p = 0; p < group.products.size(); ++p)
      weights += toBlocks(plan.depth(group, p)) * rowBytesOf(precision, warps * kBlock, Order::ByDepth, false);
    return fixed + warps * kBlock * perColumn + weights;
  };
  while (warps > 1 && (blocks % warps || bytes() > limits.sharedBytes))
    --warps;
  int64_t columns = warps * kBlock;

  Value rowCount = host.dim(rowsTensor, 2), headsOfSide = host.mul(host.dim(rowsTensor, 0), host.dim(rowsTensor, 1));
  unsigned s = ofQueries ? 0 : 1;
  sideParts[s] = choosePartCount(host, rowCount, headsOfSide);
  Value tileRows = host.index(kTileRows);
  Value partLength = host.mul(host.ceilDiv(host.ceilDiv(rowCount, sideParts[s]), tileRows), tileRows);
  partials[s] = host.workspace({ShapedType::kDynamic, toBlocks(group.width), toBlocks(rowWidth)},
                               host.mul(headsOfSide, sideParts[s]), host.b.getF32Type());

  std::string suffix = (Twine(ofQueries ? "_dparameter_q" : "_dparameter_k") + Twine(g) + "_" + Twine(product)).str();
  DeviceKernel kernel(host, name + suffix, warps * kWarpSize);
  ThreadBuilder &t = kernel.t;
  Fragments fragments(t, precision);
  FeatureTile tile(kernel, fragments, plan, kTileRows);
  GradientTile others(kernel, plan, valueWidth, Order::ByRow, /*chained=*/false);
  Value partCount = kernel.get(sideParts[s]), index = t.blockId(0), part = t.rem(index, partCount);
  Place place = locate(kernel, side, t.div(index, partCount));
  tile.setHead([&](Value parameter) {
    return parameterHead(kernel, parameter, place.keyHead, ofQueries ? place.head : Value());
  });
  Value firstColumn = t.mul(t.blockId(1), columns), warpColumn = t.mul(t.warp(), kBlock);
  Value column = t.add(firstColumn, warpColumn);
  SmallVector<FeatureTile::Weights> weights = stageWeights(kernel, tile, plan, g, firstColumn, columns, warpColumn);
  SmallVector<SharedMatrix> states;
  SmallVector<Value> maxima;
  for (int64_t o = 0; o < outputs; ++o) {
    states.push_back({kernel.allocateShared(columns * stateBytes), stateBytes});
    Value row = t.add(firstColumn, plan.firstRow(g, o));
    stageBlock(kernel, kernel.address(kernel.tensor(state), {place.state, row}), width * bytesOf(precision), columns,
               width, states[o], precision);
    for (int64_t half = 0; logDomain() && half < 2; ++half) {
      GlobalTensor tensor = kernel.tensor(maximum);
      Value feature = t.add(column, t.add(fragments.group, 8 * half + plan.firstRow(g, o)));
      maxima.push_back(t.loadNumber(tensor.element, kernel.address(tensor, {place.state, feature})));
    }
  }
  tile.clearPadding();
  clearPadding(kernel, others.others, kTileRows, valueWidth, precision);
  KeyRange range;
  Value end = place.high;
  if (!ofQueries) {
    range = keyRange(kernel, place.batch);
    end = range.high;
  }
  Value scaleRow, weightRow;
  if (ofQueries) {
    scaleRow = kernel.address(kernel.tensor(rowScale), {place.number});
    weightRow = kernel.address(kernel.tensor(rowWeight), {place.number});
  }
  GlobalRows rows = kernel.rows(rowsTensor, place.batch, place.head);
  GlobalRows otherRows = kernel.rows(othersOf(side), place.batch, place.head);
  Value low = t.mul(part, kernel.get(partLength)), high = t.min(t.add(low, kernel.get(partLength)), end);
  SmallVector<Value> sums(rowTiles * 4, t.f32(0));
  sums = t.loop(low, high, kTileRows, sums, [&](Value base, ValueRange carried) {
    auto exists = [&](Value row) {
      Value at = t.add(base, row);
      return ofQueries ? t.less(at, high) : isKey(kernel, range, high, at);
    };
    t.barrier(); // the tile before is no longer read
    stageRows(kernel, rows, base, kTileRows, tile.rows(), precision, exists);
    stageRows(kernel, otherRows, base, kTileRows, others.others, precision, exists);
    others.stageFactors(scaleRow, weightRow, base, exists, logDomain(), /*asColumns=*/false);
    t.waitForCopies(0);
    t.barrier();
    if (!plan.program.steps.empty()) {
      tile.emitSteps();
      t.barrier();
    }
    return t.loop(t.i32(0), t.i32(kTileRows), kBlock, carried, [&](Value row, ValueRange inner) {
      SmallVector<Value> next(inner);
      SmallVector<FeatureTile::Block> cotangents;
      for (const SharedMatrix &matrix : states)
        cotangents.push_back(fragments.multiplyRows(matrix, warpColumn, others.others, row, padded));
      auto cotangent = [&](size_t o, int64_t n, int64_t i, Value feature) {
        Value tileRow = t.add(row, t.add(fragments.columnOf(i), 8 * n));
        Value stateRow = t.mul(t.add(warpColumn, fragments.rowOf(i)), stateBytes);
        Value zAddress = t.add(stateRow, padded * bytesOf(precision));
        Type element = elementOf(precision, t.b.getContext());
        Value z = t.addf(t.loadNumber(element, t.offset(states[o].address, zAddress)),
                         t.loadNumber(element, t.offset(states[o].address, t.add(zAddress, bytesOf(precision)))));
        Value total = t.fma(others.weight(tileRow), z, cotangents[o][n][i]), scale = others.scale(tileRow);
        if (logDomain()) {
          Value r = maxima[2 * o + i / 2];
          Value p = t.exp2(t.addf(ofQueries ? t.addf(feature, r) : t.subf(feature, r), scale));
          total = t.mulf(t.mulf(total, p), t.f32(0.6931471805599453));
        } else {
          total = t.mulf(total, scale);
        }
        Value present = tile.columnExists(group, Orientation::Columns, column, n, i);
        return present ? t.select(present, total, t.f32(0)) : total;
      };
      auto ignoreRow = [](unsigned, int64_t, Value) {};
      auto ignoreTile = [](size_t, Value, Value, Value, Value) {};
      FeatureTile::Adjoint adjoint = tile.differentiate(group, plan.adjoints[g], Orientation::Columns, row, column,
                                                        weights, {cotangent, ignoreRow, ignoreTile});
      fragments.accumulate(adjoint.products[product], tile.rows(), row, Order::ByDepth, rowTiles, 0, next);
      return next;
    });
  });
  t.waitForCopies(0); // parameters, where there was no tile
  GlobalTensor to = kernel.tensor(partials[s]);
  for (int64_t m = 0; m < rowTiles; ++m)
    for (int64_t half = 0; half < 2; ++half) {
      int64_t at = m * 4 + 2 * half;
      Value feature = t.add(column, t.add(fragments.group, 8 * half));
      t.store(t.vector({sums[at], sums[at + 1]}),
              kernel.address(to, {index, feature, t.add(fragments.columnOf(0), 8 * m)}), 8);
    }
  return kernel.finish({host.mul(headsOfSide, sideParts[s]), host.index(blocks / warps)}, limits);
}

/// Adds the parts of all batch entries, and of all heads that share the parameter; a thread for each element.
LogicalResult LinearAttentionGrad::emitParameterSums(unsigned g, unsigned position, Value target) {
  const FusedGroup &group = keyPlan->groups[g];
  const FusedProduct &fused = group.products[position];
  const Product &product = keyPlan->program.products[fused.product];
  int64_t depth = product.depth, count = group.width * depth;
  DeviceKernel kernel(host, (name + "_parameter_sum" + Twine(g) + "_" + Twine(position)).str(), 256);
  ThreadBuilder &t = kernel.t;
  GlobalTensor to = kernel.tensor(target);
  Value head = t.blockId(0), at = t.add(t.mul(t.blockId(1), kernel.threads), t.threadId());
  Value parameterHeads = host.dim(target, 0);
  t.when(t.less(at, count), [&] {
    Value feature = t.div(at, depth), column = t.rem(at, depth), sum = t.f32(0);
    for (Side side : {Side::Queries, Side::Keys}) {
      unsigned s = side == Side::Queries ? 0 : 1;
      GlobalTensor from = kernel.tensor(partials[s]);
      Value batches = kernel.dim(rowsOf(side), 0), headsOfSide = kernel.dim(rowsOf(side), 1);
      Value partCount = kernel.get(sideParts[s]);
      // Heads of this side that read the parameter's head are neighbors.
      Value own = t.div(headsOfSide, kernel.get(parameterHeads)), first = t.mul(head, own);
      sum = t.loop(t.i32(0), batches, 1, sum, [&](Value batch, ValueRange outer) {
        Value start = t.mul(t.add(t.mul(batch, headsOfSide), first), partCount);
        return t.loop(start, t.add(start, t.mul(own, partCount)), 1, outer, [&](Value part, ValueRange inner) {
          Value x = t.loadNumber(from.element, kernel.address(from, {part, feature, column}));
          return SmallVector<Value>{t.addf(inner[0], x)};
        });
      })[0];
    }
    if (fused.scale != 1)
      sum = t.mulf(sum, t.f32(fused.scale));
    Value place = t.add(feature, fused.column);
    t.storeNumber(sum, to.element,
                  product.transposed ? kernel.address(to, {head, place, column})
                                     : kernel.address(to, {head, column, place}));
  });
  return kernel.finish({parameterHeads, host.index((count + kernel.threads - 1) / kernel.threads)}, limits);
}

/// m0 and m1 of spectral.linear_attention_grad; a thread for each row of the matrix.
LogicalResult LinearAttentionGrad::emitMoments(const GradientArguments::Parameter &parameter, Value gradient) {
  Value matrix = arguments.parameters[parameter.number];
  auto type = cast<MemRefType>(matrix.getType());
  int64_t depth = type.getDimSize(1), columns = type.getDimSize(2);
  DeviceKernel kernel(host, (name + "_moments" + Twine(parameter.number)).str(), 64);
  ThreadBuilder &t = kernel.t;
  auto load = [&](Value memref, ValueRange at) {
    GlobalTensor tensor = kernel.tensor(memref);
    return t.loadNumber(tensor.element, kernel.address(tensor, at));
  };
  Value head = t.blockId(0), d = t.add(t.mul(t.blockId(1), kernel.threads), t.threadId());
  t.when(t.less(d, depth), [&] {
    Value center = load(parameter.center, {head, d});
    SmallVector<Value> sums =
        t.loop(t.i32(0), t.i32(columns), 1, {t.f32(0), t.f32(0)}, [&](Value f, ValueRange carried) {
          Value dx = load(gradient, {head, d, f}), sign = t.f32(1);
          if (gradients.plusMinus)
            sign = t.select(t.less(f, columns / 2), sign, t.f32(-1));
          Value spread = t.subf(load(matrix, {head, d, f}), t.mulf(sign, center));
          return SmallVector<Value>{t.fma(sign, dx, carried[0]), t.fma(dx, spread, carried[1])};
        });
    for (auto [memref, sum] : {std::pair(parameter.m0, sums[0]), std::pair(parameter.m1, sums[1])}) {
      GlobalTensor to = kernel.tensor(memref);
      t.storeNumber(sum, to.element, kernel.address(to, {head, d}));
    }
  });
  return kernel.finish({host.dim(matrix, 0), host.index((depth + kernel.threads - 1) / kernel.threads)}, limits);
}
