//===- AttentionState.cpp - the state of linear attention -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/AttentionState.h"
#include "lib/Conversion/Cpu/DotProducts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// AttentionState
//===----------------------------------------------------------------------===//

AttentionState AttentionState::allocate(KernelBuilder &host, Value count, int64_t features, int64_t valueWidth,
                                        bool log, bool constants) {
  AttentionState state;
  // Vectors of features are loaded whole at any column.
  int64_t columns = host.padded(features) + host.lanes(), any = ShapedType::kDynamic;
  state.sums = workspace(host, {any, features, host.padded(valueWidth)}, count, host.element);
  state.normalizer = workspace(host, {any, columns}, count, host.element);
  if (log)
    state.maximum = workspace(host, {any, columns}, count, host.element);
  if (constants)
    state.valueSum = workspace(host, {any, host.padded(valueWidth)}, count, host.element);
  return state;
}

SmallVector<Value> AttentionState::captures() const {
  SmallVector<Value> values{sums, normalizer};
  for (Value v : {maximum, valueSum})
    if (v)
      values.push_back(v);
  return values;
}

AttentionState AttentionState::at(KernelBuilder &k, TaskBuilder &task, Value i) const {
  auto part = [&](Value v) { return v ? slice(k, task.captured(v), i) : Value(); };
  return {part(sums), part(normalizer), part(maximum), part(valueSum)};
}

void AttentionState::clear(KernelBuilder &k, int64_t features, int64_t valueWidth) const {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  auto fill = [&](Value memref, Value row, int64_t width, double value) {
    k.loop(k.index(0), k.index(k.padded(width)), lanes, [&](Value c) {
      SmallVector<Value> at{c};
      if (row)
        at = {row, c};
      k.store(k.splat(value, lanes), memref, at, whole);
    });
  };
  k.loop(k.index(0), k.index(features), 1, [&](Value f) { fill(sums, f, valueWidth, 0); });
  fill(normalizer, Value(), features, 0);
  if (maximum)
    fill(maximum, Value(), features, k.logRange().unset);
  if (valueSum)
    fill(valueSum, Value(), valueWidth, 0);
}

/// Copies [F, M] between buffers of different widths and types, row f times factor(f) if there are factors.
static void copySums(KernelBuilder &k, int64_t features, int64_t valueWidth, Value from, Value to, bool padded,
                     llvm::function_ref<Value(Value)> factor = nullptr) {
  k.loop(k.index(0), k.index(features), 1, [&](Value f) {
    Value scale = factor ? factor(f) : Value();
    k.registerBlocks(valueWidth, [&](Value m, Columns columns) {
      Columns whole{columns.padded, columns.padded};
      Value v = k.load(from, {f, m}, columns);
      if (scale)
        v = k.mulf(v, k.broadcast(scale, columns.padded));
      k.store(v, to, {f, m}, padded ? whole : columns);
    });
  });
}

void AttentionState::loadMaximum(KernelBuilder &k, int64_t features, const StateBuffers &from) const {
  k.columnBlocks(features, k.lanes(), [&](Value f, Columns columns) {
    Value none = k.splat(0, columns.padded), z = k.load(from.normalizer, f, columns);
    Value seen = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, z, none);
    Value r = arith::SelectOp::create(k.b, k.loc, seen, k.load(from.maximum, f, columns),
                                      k.splat(k.logRange().unset, columns.padded));
    k.store(r, maximum, f, {columns.padded, columns.padded});
  });
}

void AttentionState::load(KernelBuilder &k, int64_t features, int64_t valueWidth, const StateBuffers &from) const {
  copySums(k, features, valueWidth, from.sums, sums, /*padded=*/true);
  k.columnBlocks(features, k.lanes(), [&](Value f, Columns columns) {
    k.store(k.load(from.normalizer, f, columns), normalizer, f, {columns.padded, columns.padded});
  });
  if (maximum)
    loadMaximum(k, features, from);
}

void AttentionState::save(KernelBuilder &k, int64_t features, int64_t valueWidth, const StateBuffers &to) const {
  // The sums of many keys leave the range of f16: there z becomes about 1, and r takes what it was.
  bool shortRange = maximum && cast<MemRefType>(to.sums.getType()).getElementType().isF16();
  k.columnBlocks(features, k.lanes(), [&](Value f, Columns columns) {
    Value z = k.load(normalizer, f, columns);
    if (!maximum)
      return k.store(z, to.normalizer, f, columns);
    Value none = k.splat(0, columns.padded), r = k.load(maximum, f, columns);
    Value seen = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, z, none);
    if (shortRange) {
      Value exponent = k.mulf(k.math().log(z), k.splat(1.4426950408889634, columns.padded));
      exponent = arith::SelectOp::create(k.b, k.loc, seen, k.math().round(exponent), none);
      z = k.mulf(z, k.math().exp2(k.subf(none, exponent)));
      r = k.addf(r, exponent);
    }
    k.store(z, to.normalizer, f, columns);
    k.store(arith::SelectOp::create(k.b, k.loc, seen, r, none), to.maximum, f, columns);
  });
  auto moved = [&](Value f) { return k.math().exp2(k.subf(k.loadScalar(maximum, f), k.loadScalar(to.maximum, f))); };
  copySums(k, features, valueWidth, sums, to.sums, /*padded=*/false,
           shortRange ? llvm::function_ref<Value(Value)>(moved) : nullptr);
}

SmallVector<Value> StateBuffers::captures() const {
  SmallVector<Value> values;
  for (Value v : {sums, normalizer, maximum})
    if (v)
      values.push_back(v);
  return values;
}

StateBuffers StateBuffers::at(KernelBuilder &k, TaskBuilder &task, Value batch, Value head) const {
  auto part = [&](Value v) { return v ? slice(k, slice(k, task.captured(v), batch), head) : Value(); };
  return {part(sums), part(normalizer), part(maximum)};
}

//===----------------------------------------------------------------------===//
// Pieces that both sides share
//===----------------------------------------------------------------------===//

FeatureTile FeatureTile::ofBlock(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan, Form form) {
  int64_t outputs = 1, widest = 1;
  for (const FusedGroup &g : plan.groups) {
    outputs = std::max<int64_t>(outputs, g.outputs.size());
    widest = std::max(widest, g.width);
  }
  FeatureTile tile;
  tile.form = form;
  tile.width = k.padded(std::min(widest, k.schedule.getFeatureBlock()));
  int64_t rows = k.schedule.getRowTile(), columns = outputs * tile.width;
  switch (form) {
  case Form::Numbers:
    tile.rows = task.scratch({rows, columns}, k.element);
    break;
  case Form::KeyPairs:
    tile.rows = task.scratch({rows / 2, columns}, k.b.getI32Type());
    break;
  case Form::QueryRows:
    tile.rows = task.scratch({rows, columns}, k.b.getBF16Type());
    break;
  }
  return tile;
}

FeatureTile FeatureTile::ofAll(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan) {
  FeatureTile tile;
  // Rows not a power of two apart; the last vector of a row may be padded.
  tile.rows = task.scratch({k.schedule.getRowTile(), k.padded(plan.program.features()) + k.lanes()}, k.element);
  return tile;
}

Value FeatureTile::column(KernelBuilder &k, const FusedGroup &group, size_t o, Value block) const {
  return width ? k.index(o * width) : outputColumn(k, group, o, block);
}

Value FeatureTile::exp2(KernelBuilder &k, Value t) const {
  return form == Form::Numbers ? k.math().exp2Bounded(t) : k.math().exp2Coarse(t);
}

void FeatureTile::store(KernelBuilder &k, ArrayRef<Value> phi, Value row, Value column) const {
  int64_t width = cast<VectorType>(phi[0].getType()).getDimSize(0);
  switch (form) {
  case Form::Numbers:
    for (auto [r, v] : llvm::enumerate(phi))
      k.store(v, rows, {k.add(row, r), column}, {width, width});
    return;
  case Form::KeyPairs:
    for (size_t r = 0; r + 1 < phi.size(); r += 2)
      vector::StoreOp::create(k.b, k.loc, pairOf(k, phi[r], phi[r + 1]), rows,
                              ValueRange{k.div(k.add(row, r), k.index(2)), column});
    return;
  case Form::QueryRows:
    for (auto [r, v] : llvm::enumerate(phi))
      storeRounded(k, v, rows, {k.add(row, r), column});
    return;
  }
}

void FeatureTile::scaleRows(KernelBuilder &k, Value row, Value column, Value factors) const {
  int64_t width = cast<VectorType>(factors.getType()).getDimSize(0);
  if (form != Form::KeyPairs)
    return k.loop(k.index(0), row, 1, [&](Value j) {
      Value v = k.load(rows, {j, column}, {width, width});
      k.store(k.mulf(v, factors), rows, {j, column}, {width, width});
    });
  k.loop(k.index(0), k.div(row, k.index(2)), 1, [&](Value j) {
    for (int64_t c = 0; c < width; c += k.lanes()) {
      Value at = k.add(column, c), factor = k.lanesAt(factors, c);
      auto [x, y] = numbersOf(k, loadPairs(k, rows, {j, at}));
      vector::StoreOp::create(k.b, k.loc, pairOf(k, k.mulf(x, factor), k.mulf(y, factor)), rows, ValueRange{j, at});
    }
  });
}

void bochner::cpu::forRegisterTiles(KernelBuilder &k, Value count, Columns columns,
                                    llvm::function_ref<void(Value, Value, Columns)> body) {
  k.loop(k.index(0), count, k.schedule.getRegisterRows(), [&](Value i) {
    k.registerBlocks(columns.valid, [&](Value c, Columns registerColumns) { body(i, c, registerColumns); });
  });
}

/// True if an element exceeds its bound by more than LogRange::growth. `maxima` are vectors or scalars, one for each of
/// the `values`.
static Value exceeds(KernelBuilder &k, ArrayRef<Value> values, ArrayRef<Value> maxima) {
  Value any;
  for (auto [v, maximum] : llvm::zip(values, maxima)) {
    Value bound = k.addf(maximum, k.math().constant(k.logRange().growth, maximum));
    int64_t width = cast<VectorType>(v.getType()).getDimSize(0);
    Value above =
        arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, v, k.broadcast(bound, width)).getResult();
    any = any ? arith::OrIOp::create(k.b, k.loc, any, above).getResult() : above;
  }
  return k.anyTrue(any);
}

/// The largest of the rows in each column.
static Value largest(KernelBuilder &k, ArrayRef<Value> rows) {
  Value most = rows[0];
  for (Value v : rows.drop_front())
    most = k.maxf(v, most);
  return most;
}

/// The largest of the vector registers that a row takes, lane by lane: a NaN in a row cannot hide another row.
static Value largestOfRow(KernelBuilder &k, Value row) {
  int64_t width = cast<VectorType>(row.getType()).getDimSize(0);
  Value most = k.lanesAt(row, 0);
  for (int64_t j = k.lanes(); j < width; j += k.lanes())
    most = k.maxf(k.lanesAt(row, j), most);
  return most;
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// Moves the maxima of a block of columns up to those of the rows, where these exceed them by too much, rescales what
/// was summed, and returns the new maxima.
static Value raiseKeyMaximum(KernelBuilder &k, ArrayRef<Value> rows, Value old, Columns columns, Value row,
                             Value feature, Value tileColumn, int64_t valueWidth, const AttentionState &state,
                             FeatureTile &tile, Value factors) {
  Value most = largest(k, rows);
  Value grown = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, k.subf(most, old),
                                      k.splat(k.logRange().growth, columns.padded));
  // Whole powers of two: callers may rescale and merge states without rounding.
  Value maximum = arith::SelectOp::create(k.b, k.loc, grown, k.math().round(most), old);
  Value factor = k.math().exp2(k.subf(old, maximum));
  k.store(maximum, state.maximum, feature, columns);
  k.store(k.mulf(k.load(state.normalizer, feature, columns), factor), state.normalizer, feature, columns);
  tile.scaleRows(k, row, tileColumn, factor);
  k.store(factor, factors, k.index(0), {columns.padded, columns.padded});
  k.loop(k.index(0), k.index(columns.valid), 1, [&](Value j) {
    Value scale = k.loadScalar(factors, j), f = k.add(feature, j);
    k.registerBlocks(valueWidth, [&](Value m, Columns block) {
      Columns all{block.padded, block.padded};
      Value v = k.mulf(k.load(state.sums, {f, m}, all), k.broadcast(scale, block.padded));
      k.store(v, state.sums, {f, m}, all);
    });
  });
  return maximum;
}

void bochner::cpu::emitKeyFeatures(KernelBuilder &k, TileEmitter &emitter, const FusedGroup &group,
                                   const AttentionShape &shape, RowRange rows, Value position, Value count, Value block,
                                   Columns columns, const AttentionState &state, FeatureTile &tile, Value factors,
                                   FetchAhead fetchAhead) {
  int64_t registerRows = k.schedule.getRegisterRows();
  forRegisterTiles(k, count, columns, [&](Value i, Value c, Columns part) {
    fetchAhead(k.div(i, k.index(registerRows)));
    auto outputs = emitter.registerTile(group, rows, k.add(position, i), k.add(block, c), part);
    for (size_t o = 0; o < outputs.size(); ++o) {
      ArrayRef<Value> values = outputs[o];
      Value feature = k.add(outputColumn(k, group, o, block), c);
      Value column = k.add(tile.column(k, group, o, block), c);
      SmallVector<Value> phi(values.begin(), values.end());
      if (shape.log) {
        // Columns that do not exist must not ask for a new maximum.
        Value maximum = k.load(state.maximum, feature, part, -k.logRange().unset);
        maximum = k.choose(exceeds(k, largest(k, values), maximum), maximum, [&] {
          return SmallVector<Value>{
              raiseKeyMaximum(k, values, maximum, part, i, feature, column, shape.valueWidth, state, tile, factors)};
        })[0];
        for (Value &v : phi)
          v = tile.exp2(k, k.subf(v, maximum));
      }
      tile.store(k, phi, i, column);
      // Rows past the end repeat the last one and must not count.
      auto addToNormalizer = [&](function_ref<Value(int64_t)> row) {
        Value sum = row(0);
        for (int64_t r = 1; r < registerRows; ++r)
          sum = k.addf(sum, row(r));
        k.store(k.addf(k.load(state.normalizer, feature, part), sum), state.normalizer, feature, part);
      };
      k.when(
          k.less(k.add(i, registerRows - 1), count), [&] { addToNormalizer([&](int64_t r) { return phi[r]; }); },
          [&] {
            Value none = k.splat(0, part.padded);
            addToNormalizer([&](int64_t r) { return k.select(k.less(k.add(i, r), count), phi[r], none); });
          });
    }
  });
}

void bochner::cpu::emitStateUpdate(KernelBuilder &k, const FusedGroup &group, const AttentionShape &shape, Value count,
                                   Value block, Columns columns, const AttentionState &state, FeatureTile &tile,
                                   Value values, Value firstValue) {
  for (size_t o = 0; o < group.outputs.size(); ++o) {
    Value feature = outputColumn(k, group, o, block), column = tile.column(k, group, o, block);
    auto update = [&](Value f, int64_t rows) {
      if (tile.form == FeatureTile::Form::KeyPairs) {
        Value firstPair = k.div(firstValue, k.index(2));
        return accumulateDots(
            k, state.sums, k.add(feature, f), rows, shape.valueWidth, k.ceilDiv(count, k.index(2)),
            [&](Value pair, int64_t r) { return k.loadScalar(tile.rows, {pair, k.add(k.add(f, column), r)}); },
            [&](Value pair, Value m) { return loadPairs(k, values, {k.add(firstPair, pair), m}); });
      }
      k.accumulate(
          state.sums, k.add(feature, f), rows, shape.valueWidth, count,
          [&](Value row, int64_t r) { return k.loadScalar(tile.rows, {row, k.add(k.add(f, column), r)}); },
          [&](Value row, Value m, Columns part) { return k.load(values, {k.add(firstValue, row), m}, part); });
    };
    k.rowGroups(columns.valid, update);
  }
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

QuerySums QuerySums::allocate(KernelBuilder &k, TaskBuilder &task, const AttentionShape &shape) {
  int64_t rows = k.schedule.getRowTile();
  return {task.scratch({rows, k.padded(shape.valueWidth)}, k.element), task.scratch({rows, k.lanes()}, k.element),
          shape.log ? task.scratch({rows}, k.element) : Value()};
}

void bochner::cpu::emitQueryStart(KernelBuilder &k, const AttentionShape &shape, Value count,
                                  const AttentionState &state, Value constantNorm, Value keys, const QuerySums &sums) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  Value denominator = k.splat(0, lanes);
  if (state.valueSum) { // in lane 0, since the lanes are added up
    Value number = arith::SIToFPOp::create(k.b, k.loc, k.element,
                                           arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), keys).getResult());
    denominator = k.maskTail(k.broadcast(k.mulf(number, constantNorm), lanes), {1, lanes}, 0);
  }
  // Register tiles work on whole groups of rows.
  k.loop(k.index(0), k.wholeGroups(count), 1, [&](Value i) {
    k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes, [&](Value m) {
      Value start = k.splat(0, lanes);
      if (state.valueSum)
        start = k.mulf(k.load(state.valueSum, m, whole), k.broadcast(constantNorm, lanes));
      k.store(start, sums.numerator, {i, m}, whole);
    });
    k.store(denominator, sums.denominator, {i, k.index(0)}, whole);
    if (shape.log)
      k.storeScalar(k.number(k.logRange().unset), sums.maximum, i);
  });
}

/// Moves the maxima of rows up where an element exceeds them by too much, rescales what was summed, and returns the new
/// maxima.
static SmallVector<Value> raiseQueryMaximum(KernelBuilder &k, ArrayRef<Value> rows, Columns columns, Value row,
                                            const AttentionShape &shape, const FusedGroup &group, Value inBlock,
                                            unsigned outputsBefore, FeatureTile &tile, const QuerySums &sums,
                                            llvm::function_ref<void(Value, Value)> rescaleMore) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  SmallVector<Value> maxima;
  for (auto [r, v] : llvm::enumerate(rows)) {
    Value at = k.add(row, r), most = k.maxLanes(v), old = k.loadScalar(sums.maximum, at);
    Value grown =
        arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, k.subf(most, old), k.number(k.logRange().growth));
    Value maximum = arith::SelectOp::create(k.b, k.loc, grown, most, old);
    Value factor = k.math().exp2(k.subf(old, maximum));
    k.storeScalar(maximum, sums.maximum, at);
    Value wide = k.broadcast(factor, lanes);
    auto scale = [&](Value memref, ValueRange where) {
      k.store(k.mulf(k.load(memref, where, whole), wide), memref, where, whole);
    };
    k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes, [&](Value m) { scale(sums.numerator, {at, m}); });
    scale(sums.denominator, {at, k.index(0)});
    if (rescaleMore)
      rescaleMore(at, wide);
    // Features of this row that wait for the product with S: earlier outputs, and earlier columns of this one.
    for (unsigned o = 0; o <= outputsBefore; ++o) {
      Value start = tile.column(k, group, o, k.index(0));
      Value end = o < outputsBefore ? k.add(inBlock, columns.padded) : inBlock;
      k.loop(k.index(0), end, lanes, [&](Value c) { scale(tile.rows, {at, k.add(c, start)}); });
    }
    maxima.push_back(maximum);
  }
  return maxima;
}

void bochner::cpu::emitQueryFeatures(KernelBuilder &k, TileEmitter &emitter, const FusedGroup &group,
                                     const AttentionShape &shape, RowRange rows, Value position, Value count,
                                     Value block, Columns columns, const AttentionState &state, FeatureTile &tile,
                                     const QuerySums &sums, FetchAhead fetchAhead,
                                     llvm::function_ref<void(Value, Value)> rescaleMore) {
  int64_t registerRows = k.schedule.getRegisterRows(), lanes = k.lanes();
  Columns whole{lanes, lanes};
  forRegisterTiles(k, count, columns, [&](Value i, Value c, Columns part) {
    fetchAhead(k.div(i, k.index(registerRows)));
    auto outputs = emitter.registerTile(group, rows, k.add(position, i), k.add(block, c), part);
    for (size_t o = 0; o < outputs.size(); ++o) {
      ArrayRef<Value> values = outputs[o];
      Value feature = k.add(outputColumn(k, group, o, block), c);
      Value column = k.add(tile.column(k, group, o, block), c);
      SmallVector<Value> phi(values.begin(), values.end());
      if (shape.log) {
        Value maximum = k.load(state.maximum, feature, part, k.logRange().unset);
        SmallVector<Value> maxima, most;
        for (auto [r, v] : llvm::enumerate(phi)) {
          v = k.addf(v, maximum); // the scale of the keys
          most.push_back(largestOfRow(k, v));
          maxima.push_back(k.loadScalar(sums.maximum, k.add(i, r)));
        }
        maxima = k.choose(exceeds(k, most, maxima), maxima, [&] {
          return raiseQueryMaximum(k, phi, part, i, shape, group, c, o, tile, sums, rescaleMore);
        });
        for (auto [v, m] : llvm::zip(phi, maxima))
          v = tile.exp2(k, k.subf(v, k.broadcast(m, part.padded)));
      }
      tile.store(k, phi, i, column);
      if (!state.normalizer)
        continue;
      Value normalizer = k.load(state.normalizer, feature, part);
      for (int64_t r = 0; r < registerRows; ++r) {
        Value row = k.add(i, r), denominator = k.load(sums.denominator, {row, k.index(0)}, whole);
        for (int64_t j = 0; j < part.padded; j += lanes)
          denominator = k.fma(k.lanesAt(phi[r], j), k.lanesAt(normalizer, j), denominator);
        k.store(denominator, sums.denominator, {row, k.index(0)}, whole);
      }
    }
  });
}

void bochner::cpu::emitStatePairs(KernelBuilder &k, const ProgramPlan &plan, const AttentionShape &shape,
                                  const AttentionState &state, Value pairs) {
  Columns whole{k.lanes(), k.lanes()};
  forFeatureBlocks(k, plan, [&](const FusedGroup &group, Value block, Columns columns, Value) {
    for (size_t o = 0; o < group.outputs.size(); ++o) {
      Value feature = outputColumn(k, group, o, block);
      auto copy = [&](Value pair, bool both) {
        Value row = k.add(feature, k.mul(pair, k.index(2)));
        k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), k.lanes(), [&](Value m) {
          Value x = k.load(state.sums, {row, m}, whole);
          Value y = both ? k.load(state.sums, {k.add(row, 1), m}, whole) : k.splat(0, k.lanes());
          vector::StoreOp::create(k.b, k.loc, pairOf(k, x, y), pairs, ValueRange{k.add(feature, pair), m});
        });
      };
      k.loop(k.index(0), k.index(columns.valid / 2), 1, [&](Value pair) { copy(pair, true); });
      if (columns.valid % 2)
        copy(k.index(columns.valid / 2), false);
    }
  });
}

void bochner::cpu::emitQueryProduct(KernelBuilder &k, const FusedGroup &group, const AttentionShape &shape, Value count,
                                    Value block, Columns columns, const AttentionState &state, Value pairs,
                                    FeatureTile &tile, const QuerySums &sums) {
  int64_t registerRows = k.schedule.getRegisterRows();
  k.loop(k.index(0), count, registerRows, [&](Value i) {
    for (size_t o = 0; o < group.outputs.size(); ++o) {
      Value feature = outputColumn(k, group, o, block), column = tile.column(k, group, o, block);
      if (tile.form == FeatureTile::Form::QueryRows) {
        accumulateDots(
            k, sums.numerator, i, registerRows, shape.valueWidth, k.index((columns.valid + 1) / 2),
            [&](Value pair, int64_t r) {
              return loadPair(k, tile.rows, {k.add(i, r), k.add(column, k.mul(pair, k.index(2)))});
            },
            [&](Value pair, Value m) { return loadPairs(k, pairs, {k.add(feature, pair), m}); });
        continue;
      }
      k.accumulate(
          sums.numerator, i, registerRows, shape.valueWidth, k.index(columns.valid),
          [&](Value f, int64_t r) { return k.loadScalar(tile.rows, {k.add(i, r), k.add(f, column)}); },
          [&](Value f, Value m, Columns part) {
            return k.load(state.sums, {k.add(feature, f), m}, {part.padded, part.padded});
          });
    }
  });
}

Value bochner::cpu::addEpsilon(KernelBuilder &k, Value denominator, double eps, Value offset, Value maximum) {
  if (eps == 0)
    return denominator;
  if (!offset && !maximum)
    return k.addf(denominator, k.number(eps));
  Value exponent = k.number(std::log2(eps));
  if (offset)
    exponent = k.addf(exponent, offset);
  if (maximum)
    exponent = k.subf(exponent, maximum);
  return k.addf(denominator, k.math().exp2(exponent));
}

/// The factor of the numerator, for a denominator that eps is part of already; `sum` is what it was without. A sum of
/// exactly 0 is that of no keys, whose rows are not counted.
static Value inverseOf(KernelBuilder &k, Value sum, Value denominator, const Normalization &how, Value counter) {
  auto compare = [&](arith::CmpFPredicate predicate, Value x, double bound) -> Value {
    return arith::CmpFOp::create(k.b, k.loc, predicate, x, k.number(bound));
  };
  if (counter || how.floor != 0) {
    Value size = math::AbsFOp::create(k.b, k.loc, denominator);
    if (counter) {
      Value small = compare(arith::CmpFPredicate::OLT, size, how.countBelow), zero = k.index(0);
      small = arith::AndIOp::create(k.b, k.loc, small, compare(arith::CmpFPredicate::UNE, sum, 0));
      Value one = arith::ExtUIOp::create(k.b, k.loc, k.b.getI64Type(), small);
      Value total = arith::AddIOp::create(k.b, k.loc, k.loadScalar(counter, zero), one);
      k.storeScalar(total, counter, zero);
    }
    if (how.floor != 0) {
      Value negative = compare(arith::CmpFPredicate::OLT, denominator, 0);
      Value bound = arith::SelectOp::create(k.b, k.loc, negative, k.number(-how.floor), k.number(how.floor));
      Value small = compare(arith::CmpFPredicate::OLT, size, how.floor);
      denominator = arith::SelectOp::create(k.b, k.loc, small, bound, denominator);
    }
  }
  Value inverse = k.divf(k.number(1), denominator);
  if (how.zeroWithoutKeys && how.floor == 0) {
    Value none = compare(arith::CmpFPredicate::OEQ, denominator, 0);
    inverse = arith::SelectOp::create(k.b, k.loc, none, k.number(0), inverse);
  }
  return inverse;
}

void bochner::cpu::storeDenominator(KernelBuilder &k, Value denominator, Value maximum, Value denominators, Value row) {
  if (maximum)
    denominator = k.fma(maximum, k.number(0.6931471805599453), k.math().log(denominator));
  k.storeScalar(denominator, denominators, {row, k.index(0)});
}

void bochner::cpu::emitQueryEnd(KernelBuilder &k, const AttentionShape &shape, Value count, const QuerySums &sums,
                                const Normalization &how, Value offset, Value counter, Value out, Value first,
                                Value denominators) {
  Columns whole{k.lanes(), k.lanes()};
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value maximum = shape.log ? k.loadScalar(sums.maximum, i) : Value(), factor;
    if (how.normalize) {
      Value sum = k.sumLanes(k.load(sums.denominator, {i, k.index(0)}, whole));
      Value denominator = addEpsilon(k, sum, how.eps, offset, maximum);
      factor = inverseOf(k, sum, denominator, how, counter);
      if (denominators)
        storeDenominator(k, denominator, maximum, denominators, k.add(first, i));
    } else if (shape.log) {
      factor = k.math().exp2(maximum);
    }
    k.registerBlocks(shape.valueWidth, [&](Value m, Columns columns) {
      Value v = k.load(sums.numerator, {i, m}, {columns.padded, columns.padded});
      if (factor)
        v = k.mulf(v, k.broadcast(factor, columns.padded));
      k.store(v, out, {k.add(first, i), m}, columns);
    });
  });
}
