//===- CausalGradientTask.cpp - a scan of causal gradients ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/CausalGradientTask.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

CausalGradientTask::CausalGradientTask(LinearAttentionGradKernel &kernel, KernelBuilder &k, TaskBuilder &task,
                                       bool ofKeys)
    : keyEmitter(k, task, *kernel.keyPlan, k.schedule.getRowTile()),
      queryEmitter(k, task, kernel.queryPlan(), k.schedule.getRowTile()),
      tiles(k, task, ofKeys ? *kernel.keyGradient : *kernel.queryGradient, ofKeys ? keyEmitter : queryEmitter,
            kernel.shape),
      kernel(kernel), k(k), ofKeys(ofKeys), shape(kernel.shape),
      sourcePlan(ofKeys ? kernel.queryPlan() : *kernel.keyPlan),
      readerPlan(ofKeys ? *kernel.keyPlan : kernel.queryPlan()), sources(FeatureTile::ofAll(k, task, sourcePlan)),
      task(task) {
  int64_t tile = k.schedule.getRowTile(), width = k.padded(shape.valueWidth), features = k.padded(shape.features);
  auto scratch = [&](ArrayRef<int64_t> sizes) { return task.scratch(sizes, k.element); };
  auto allocate = [&](Side &side, const ProgramPlan &plan, TileEmitter &emitter, bool reads) {
    side.emitter = &emitter;
    side.staged = scratch({tile, plan.program.tiles[0].width});
    side.pulled = reads ? tiles.pulled : scratch({tile, width});
    side.weights = reads ? tiles.rowWeights : scratch({tile});
    if (shape.log)
      side.shifts = scratch({tile});
  };
  allocate(keys, *kernel.keyPlan, keyEmitter, ofKeys);
  allocate(queries, kernel.queryPlan(), queryEmitter, !ofKeys);
  // Rows not a power of two apart; blocks of features are loaded whole at any column.
  state.normalizer = scratch({features + k.lanes()});
  stateTurned = scratch({shape.valueWidth, features + k.lanes()});
  scores = scratch({tile, tile});
  turned = scratch({std::max(width, k.padded(k.schedule.getFeatureBlock())), tile});
  if (shape.log) {
    state.maximum = scratch({features + k.lanes()});
    raised = scratch({features + k.lanes()});
    flag = scratch({1});
  }
  if (ofKeys) {
    state.sums = scratch({shape.features, width});
    weights = scratch({tile, tile});
    products.numerator = scratch({tile, width});
  }
}

void CausalGradientTask::clear() {
  int64_t lanes = k.lanes();
  auto fill = [&](Value row, double value) {
    k.loop(k.index(0), k.index(k.padded(shape.features)), lanes,
           [&](Value f) { k.store(k.splat(value, lanes), row, f, {lanes, lanes}); });
  };
  fill(state.normalizer, 0);
  if (shape.log)
    fill(state.maximum, k.logRange().unset);
  Value sums = ofKeys ? state.sums : stateTurned;
  clearRows(k, sums, k.index(0), k.index(cast<MemRefType>(sums.getType()).getDimSize(0)));
}

void CausalGradientTask::load(const StateBuffers &from) {
  transposeBuffer(k, task, from.sums, shape.features, shape.valueWidth, stateTurned);
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    k.store(k.load(from.normalizer, f, columns), state.normalizer, f, {columns.padded, columns.padded});
  });
  if (shape.log)
    state.loadMaximum(k, shape.features, from);
}

void CausalGradientTask::save(const StateBuffers &to) {
  transposeBuffer(k, task, stateTurned, shape.valueWidth, shape.features, to.sums);
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    k.store(k.load(state.normalizer, f, columns), to.normalizer, f, columns);
    if (shape.log)
      k.store(k.load(state.maximum, f, columns), to.maximum, f, columns);
  });
}

void CausalGradientTask::keepProducts(Value ofKeys, Value ofQueries, bool loads) {
  keyEmitter.keepProducts(ofKeys, loads);
  queryEmitter.keepProducts(ofQueries, loads);
}

void CausalGradientTask::setKeptRows(Value first, bool backward) {
  keptFirst = first;
  keptBackward = backward;
}

void CausalGradientTask::setKeptRowsOf(Value row) {
  if (!keptFirst)
    return;
  Value first = keptBackward ? k.sub(keptFirst, row) : k.add(keptFirst, row);
  for (TileEmitter *emitter : {&keyEmitter, &queryEmitter})
    emitter->setKeptRows(first, keptBackward);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Whether neither padding nor the mask hides the key of row `row` of the scan; null if all are visible.
Value CausalGradientTask::keyIsVisible(Value row) {
  Value is;
  if (hidesByLength) {
    Value natural = reversed ? k.sub(k.sub(rowCount, k.index(1)), row) : row;
    is = k.less(natural, visible);
  }
  if (mask) {
    Value kept = k.loadScalar(mask, row);
    is = is ? arith::AndIOp::create(k.b, k.loc, is, kept).getResult() : kept;
  }
  return is;
}

void CausalGradientTask::stageKeys(Value base, Value count) {
  auto setWeight = [&](Value i, Value weight) {
    k.storeScalar(weight, keys.weights, i);
    if (keys.shifts)
      k.storeScalar(k.number(0), keys.shifts, i);
  };
  k.loop(count, k.wholeGroups(count), 1, [&](Value i) { setWeight(i, k.number(0)); });
  if (!mask && !hidesByLength) {
    StagedRows staged = stageRows(k, keys.rows, base, count, keys.staged);
    keyEmitter.setRows(staged.rows);
    keys.range = {staged.first, count};
    if (ofKeys)
      tiles.xRows = staged.rows;
    return k.loop(k.index(0), count, 1, [&](Value i) {
      setWeight(i, k.number(1));
      copyRow(k, valueRows, k.add(base, i), keys.pulled, i);
    });
  }
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value row = k.add(base, i);
    k.when(
        keyIsVisible(row),
        [&] {
          setWeight(i, k.number(1));
          copyRow(k, keys.rows, row, keys.staged, i);
          copyRow(k, valueRows, row, keys.pulled, i);
        },
        [&] {
          setWeight(i, k.number(0));
          clearRows(k, keys.staged, i, k.add(i, 1));
          clearRows(k, keys.pulled, i, k.add(i, 1));
        });
  });
  auto any = MemRefType::get({ShapedType::kDynamic, cast<MemRefType>(keys.rows.getType()).getDimSize(1)}, k.element,
                             cast<MemRefType>(keys.rows.getType()).getLayout());
  Value staged = memref::CastOp::create(k.b, k.loc, any, keys.staged);
  keyEmitter.setRows(staged);
  keys.range = {k.index(0), count};
  if (ofKeys)
    tiles.xRows = staged;
}

void CausalGradientTask::stageQueries(Value base, Value count) {
  StagedRows staged = stageRows(k, queries.rows, base, count, queries.staged);
  queryEmitter.setRows(staged.rows);
  queries.range = {staged.first, count};
  if (!ofKeys)
    tiles.xRows = staged.rows;
  kernel.emitPulledRows(k, {queries.pulled, queries.weights, queries.shifts}, cotangentRows, outputRows, base, count,
                        denominatorRows, base);
}

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

/// Features of the sources, in the log domain their logarithms.
void CausalGradientTask::emitSourceFeatures(Value count) {
  Side &side = source();
  side.emitter->emitSteps(side.range);
  forGroups(k, sourcePlan, [&](size_t, const FusedGroup &group, Value block, Columns columns, Value) {
    forRegisterTiles(k, count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = side.emitter->registerTile(group, side.range, i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o) {
        Value feature = k.add(outputColumn(k, group, o, block), c);
        for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r) {
          Value v = outputs[o][r], row = k.add(i, r);
          if (shape.log && ofKeys)
            v = k.subf(v, k.broadcast(k.loadScalar(side.shifts, row), part.padded));
          if (shape.log && !ofKeys && (mask || hidesByLength)) {
            Value shown = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, k.loadScalar(side.weights, row),
                                                k.number(0));
            v = k.select(shown, v, k.splat(k.logRange().unset, part.padded));
          }
          k.store(v, sources.rows, {row, feature}, part);
        }
      }
    });
  });
}

/// The maxima that a chunk asks for go to `raised`. Raises the flag if they and the features that they scale span more
/// than the range of numbers, unless the chunk is a `single` row.
void CausalGradientTask::emitMaxima(Value count, Value single) {
  double span = k.element.isF64() ? 900 : 90, unset = k.logRange().unset;
  Value none = k.number(0);
  k.storeScalar(none, flag, k.index(0));
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    auto splat = [&](double v) { return k.splat(v, columns.padded); };
    auto compare = [&](arith::CmpFPredicate predicate, Value x, Value y) {
      return arith::CmpFOp::create(k.b, k.loc, predicate, x, y).getResult();
    };
    auto extremes = k.loop(k.index(0), count, 1, {splat(unset), splat(-unset)}, [&](Value j, ValueRange carried) {
      Value v = k.load(sources.rows, {j, f}, whole);
      Value exists = compare(arith::CmpFPredicate::OGT, v, splat(unset / 2));
      Value least = arith::SelectOp::create(k.b, k.loc, exists, v, carried[1]);
      return SmallVector<Value>{k.maxf(v, carried[0]),
                                arith::MinimumFOp::create(k.b, k.loc, least, carried[1]).getResult()};
    });
    Value most = k.math().round(k.math().atMost(extremes[0], -unset)), old = k.load(state.maximum, f, whole);
    Value known = compare(arith::CmpFPredicate::OGT, old, splat(unset / 2));
    Value limit = k.addf(old, splat(k.logRange().growth));
    limit = k.select(single, old, limit);
    Value grows = compare(arith::CmpFPredicate::OGT, most, limit);
    Value next = arith::SelectOp::create(k.b, k.loc, grows, most, old);
    k.store(next, raised, f, whole);
    Value farBelow = compare(arith::CmpFPredicate::OLT, extremes[1], k.subf(next, splat(span)));
    Value leaps = compare(arith::CmpFPredicate::OGT, k.subf(next, old), splat(span));
    leaps = arith::AndIOp::create(k.b, k.loc, leaps, known);
    Value wide = k.maskBits(arith::OrIOp::create(k.b, k.loc, farBelow, leaps), columns);
    k.when(k.anyTrue(wide), [&] { k.storeScalar(k.number(1), flag, k.index(0)); });
  });
  k.when(single, [&] { k.storeScalar(none, flag, k.index(0)); });
}

/// r <- raised: the state and the features follow.
void CausalGradientTask::raiseMaxima() {
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    Value old = k.load(state.maximum, f, whole), next = k.load(raised, f, whole);
    Value moved = k.maskBits(arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, old, next), columns);
    k.when(k.anyTrue(moved), [&] {
      Value factor = k.math().exp2(k.subf(old, next));
      k.store(next, state.maximum, f, whole);
      k.store(k.mulf(k.load(state.normalizer, f, whole), factor), state.normalizer, f, whole);
      if (!ofKeys)
        return k.loop(k.index(0), k.index(shape.valueWidth), 1, [&](Value m) {
          k.store(k.mulf(k.load(stateTurned, {m, f}, whole), factor), stateTurned, {m, f}, columns);
        });
      k.store(factor, raised, f, whole);
      k.loop(k.index(0), k.index(columns.valid), 1, [&](Value j) {
        Value scale = k.loadScalar(raised, k.add(f, j));
        k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), k.lanes(), [&](Value m) {
          Columns lanes{k.lanes(), k.lanes()};
          Value v = k.mulf(k.load(state.sums, {k.add(f, j), m}, lanes), k.broadcast(scale, k.lanes()));
          k.store(v, state.sums, {k.add(f, j), m}, lanes);
        });
      });
    });
  });
}

/// The chunk enters S and z.
void CausalGradientTask::enterState(Value count) {
  Side &side = source();
  forGroups(k, sourcePlan, [&](size_t, const FusedGroup &group, Value block, Columns columns, Value) {
    if (ofKeys)
      return emitStateUpdate(k, group, shape, count, block, columns, state, sources, side.pulled, k.index(0));
    auto addRows = [&](Value m, int64_t number) {
      for (size_t o = 0; o < group.outputs.size(); ++o)
        k.registerBlocks(columns.valid, [&](Value c, Columns part) {
          Value feature = k.add(outputColumn(k, group, o, block), c);
          k.accumulateBlock(
              stateTurned, m, number, feature, part, count,
              [&](Value j, int64_t r) { return k.loadScalar(side.pulled, {j, k.add(m, r)}); },
              [&](Value j) { return k.load(sources.rows, {j, feature}, part); });
        });
    };
    k.rowGroups(shape.valueWidth, addRows);
  });
  // That of a saved state tells whether r is set.
  if (!kernel.how.normalize && (ofKeys || !shape.log))
    return;
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    auto sum = k.loop(k.index(0), count, 1, k.load(state.normalizer, f, whole), [&](Value j, ValueRange carried) {
      Value weight = k.broadcast(k.loadScalar(side.weights, j), columns.padded);
      return SmallVector<Value>{k.fma(weight, k.load(sources.rows, {j, f}, whole), carried[0])};
    });
    k.store(sum[0], state.normalizer, f, columns);
  });
}

//===----------------------------------------------------------------------===//
// Readers
//===----------------------------------------------------------------------===//

void CausalGradientTask::emitReaders(Value base, Value count) {
  Side &from = source(), &to = reader();
  int64_t lanes = k.lanes(), tile = k.schedule.getRowTile(), height = k.schedule.getRegisterRows();
  Columns whole{lanes, lanes};
  if (ofKeys)
    transposeBuffer(k, task, state.sums, shape.features, shape.valueWidth, stateTurned);
  // Weights of the pairs in the chunk.
  k.loop(k.index(0), k.index(tile), 1, [&](Value i) {
    Value weight = k.number(0);
    if (kernel.how.normalize)
      weight = k.loadScalar(to.weights, i);
    k.loop(k.index(0), k.index(tile), lanes, [&](Value j) {
      Value v = k.splat(0, lanes);
      if (kernel.how.normalize)
        v = k.mulf(k.broadcast(weight, lanes), k.load(from.weights, j, whole));
      k.store(v, scores, {i, j}, whole);
      if (ofKeys)
        k.store(k.splat(0, lanes), weights, {i, j}, whole);
    });
  });
  transposeFeatures(k, from.pulled, k.index(0), k.columns(shape.valueWidth), turned);
  emitScores(k, scores, to.pulled, k.index(0), count, turned, shape.valueWidth);

  to.emitter->emitSteps(to.range);
  tiles.start(count);
  if (ofKeys)
    clearRows(k, products.numerator, k.index(0), k.wholeGroups(count));
  GradientTask::Pull pull{stateTurned, state.normalizer, kernel.how.normalize, Value(), scores, sources.rows};
  auto scale = [&](Value v, Value row, Value feature, Columns columns) -> Value {
    if (!shape.log)
      return v;
    v = k.addf(v, k.load(state.maximum, feature, columns, k.logRange().unset));
    return k.math().exp2Bounded(k.subf(v, k.broadcast(k.loadScalar(to.shifts, row), columns.padded)));
  };
  auto fetchNext = [&](Value share) {
    Value next = k.add(base, k.schedule.getRowTile());
    fetchShare(k, readerPlan, {keys.rows, valueRows, queries.rows, cotangentRows, outputRows}, next, share);
    if (fetchState)
      fetchState(share);
  };
  forGroups(k, readerPlan, [&](size_t number, const FusedGroup &group, Value block, Columns columns, Value position) {
    tiles.emitBlock(number, to.range, block, columns, position, pull, scale, fetchNext);
    if (!ofKeys)
      return;
    emitQueryProduct(k, group, shape, count, block, columns, state, Value(), tiles.features, products);
    for (size_t o = 0; o < group.outputs.size(); ++o) {
      transposeFeatures(k, sources.rows, outputColumn(k, group, o, block), columns, turned);
      emitScores(k, weights, tiles.features.rows, tiles.features.column(k, group, o, block), count, turned,
                 columns.valid);
    }
  });
  tiles.finish(to.range);
  if (ofKeys)
    k.loop(k.index(0), count, height, [&](Value i) {
      k.accumulateCausal(
          products.numerator, i, height, shape.valueWidth, count, k.truth(true),
          [&](Value j, int64_t r) { return k.loadScalar(weights, {k.add(i, r), j}); },
          [&](Value j, Value m, Columns part) { return k.load(from.pulled, {j, m}, {part.padded, part.padded}); });
    });
}

/// Gradients of the readers of a chunk go to their rows; those of hidden keys are 0.
void CausalGradientTask::emitOutputs(Value base, Value count, Value adds) {
  auto write = [&](Value source, Value i, Value target, Value row) {
    int64_t width = cast<MemRefType>(target.getType()).getShape().back();
    k.registerBlocks(width, [&](Value c, Columns columns) {
      Value v = k.load(source, {i, c}, {columns.padded, columns.padded});
      if (ofKeys && (mask || hidesByLength)) {
        Value shown =
            arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, k.loadScalar(keys.weights, i), k.number(0));
        v = k.select(shown, v, k.splat(0, columns.padded));
      }
      if (adds)
        v = k.choose(adds, v, [&] { return SmallVector<Value>{k.addf(v, k.load(target, {row, c}, columns))}; })[0];
      k.store(v, target, {row, c}, columns);
    });
  };
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value row = k.add(base, i);
    write(tiles.rowGradients, i, gradientRows, row);
    if (ofKeys)
      write(products.numerator, i, valueGradientRows, row);
  });
}

void CausalGradientTask::emitChunk(Value base, Value count, Value adds) {
  auto emitRows = [&](Value first, Value rows, Value single) {
    stageKeys(first, rows);
    if (reads)
      stageQueries(first, rows);
    setKeptRowsOf(first);
    emitSourceFeatures(rows);
    auto finish = [&] {
      if (reads) {
        emitReaders(first, rows);
        emitOutputs(first, rows, adds);
      }
      if (enters)
        enterState(rows);
      else if (shape.log)
        k.when(single, [&] { enterState(rows); });
    };
    if (!shape.log)
      return finish();
    emitMaxima(rows, single);
    Value fits =
        arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OEQ, k.loadScalar(flag, k.index(0)), k.number(0));
    // A chunk that does not fit makes room for its rows.
    k.when(fits, [&] {
      raiseMaxima();
      k.loop(k.index(0), rows, 1, [&](Value j) {
        k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
          Columns whole{columns.padded, columns.padded};
          Value v = k.subf(k.load(sources.rows, {j, f}, whole), k.load(state.maximum, f, columns, -k.logRange().unset));
          k.store(k.math().exp2Bounded(v), sources.rows, {j, f}, whole);
        });
      });
      finish();
    });
  };
  if (!shape.log)
    return emitRows(base, count, k.truth(false));
  // All rows at once, then one by one if these did not fit.
  k.loop(k.index(0), k.add(count, 1), 1, k.truth(true), [&](Value attempt, ValueRange needed) {
    Value single = k.less(k.index(0), attempt);
    Value first = k.select(single, k.add(base, k.sub(attempt, k.index(1))), base);
    Value rows = k.select(single, k.index(1), count);
    return k.choose(needed[0], needed, [&] {
      emitRows(first, rows, single);
      Value failed =
          arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, k.loadScalar(flag, k.index(0)), k.number(0));
      return SmallVector<Value>{arith::OrIOp::create(k.b, k.loc, failed, single).getResult()};
    });
  });
}
