//===- CausalAttention.cpp - causal linear attention on the CPU -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A task walks over the rows of a head in chunks of a row tile. Queries see the state of earlier chunks through S and
// z, and keys of their own chunk through the masked product A = phi(q) phi(k)^T ("Transformers are RNNs" in the chunked
// form of "Gated Linear Attention Transformers"); then the chunk enters the state.
//
// In the log domain all keys of a chunk are scaled by one maximum per feature. A row that sees only the small ones
// could lose them, so such a chunk falls back to the recurrent form, row by row, which is exact: when a maximum has to
// move although there is a state already, or when a denominator comes out suspiciously small.
//
// Heads of queries that share a head of keys share a task: features of keys, and the state, are theirs together.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

namespace {

/// Rows of the head that a step works on, staged or where they are.
struct ChunkRows {
  StagedRows rows;
  Value count;
  RowRange range() const { return {rows.first, count}; }
};

/// The body of the task; `k` writes into it.
class CausalTask {
public:
  CausalTask(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &keyPlan, const ProgramPlan &queryPlan,
             const AttentionShape &shape, const Normalization &how, AttentionState state);

  /// Moves on to rows [base, base + count) of keys; `first` says whether they are the first ones.
  void stageKeys(Value base, Value count, Value first);
  /// The same for queries of one head.
  void stageQueries(Value base, Value count);
  void emitKeys();
  /// The chunked form for the queries; true if their outputs are not to be trusted.
  Value emitQueries(Value before, Value logOffset, Value counter);
  void emitStateAndSums();
  void restart(const StateBuffers &initial);
  void emitRawKeys() { emitRaw(keyEmitter, keyPlan, keys.range(), keyTile, mask); }
  void emitRawQueries();
  void emitRecurrentKey(Value row);
  void emitRecurrentQuery(Value row, Value logOffset, Value counter);
  Value isTooLarge();

  TileEmitter keyEmitter, queryEmitter;
  Value queryRows, keyRows, valueRows, outRows; ///< of the heads
  Value denominatorRows;                        ///< null if they are not returned
  Value mask;                                   ///< of the rows of keys; null if all are visible
  bool startsEmpty = true;                      ///< S is 0 in the first chunk
  Value norm;
  ChunkRows queries, keys, values;
  Value queryBase, keyBase, isFirst;

private:
  void forBlocks(const ProgramPlan &plan, llvm::function_ref<void(const FusedGroup &, Value, Columns)> body);
  /// Stores raw log features of rows, or features in the linear domain.
  void emitRaw(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, FeatureTile &tile, Value rowMask);
  /// The row of a register tile as it is, or `fill` if it is masked.
  Value maskRow(Value rowMask, Value v, Value row, double fill);
  void emitFirstMaxima();
  void emitChunkProducts();
  void emitScoresAndValues();
  Value isSuspicious(Value count);
  Value seesState() { return startsEmpty ? k.negate(isFirst) : k.truth(true); }

  KernelBuilder &k;
  const ProgramPlan &keyPlan, &queryPlan;
  AttentionShape shape;
  Normalization how;
  AttentionState state;
  FeatureTile keyTile, queryTile;
  QuerySums sums;
  Value queryScratch, keyScratch, valueScratch;
  Value scores;           ///< A, [row tile, row tile]
  Value keysTransposed;   ///< a block of phi(k)^T, [feature block, row tile]
  Value flag;             ///< [1], not 0 if a maximum had to move
  Value rawQueries;       ///< log features of queries for the recurrent form
  Value factors, weights; ///< [F], of the recurrent form
};

} // namespace

//===----------------------------------------------------------------------===//
// Weights of a chunk
//===----------------------------------------------------------------------===//

void bochner::cpu::transposeFeatures(KernelBuilder &k, Value features, Value column, Columns columns, Value turned) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  k.loop(k.index(0), k.index(k.schedule.getRowTile()), lanes, [&](Value s) {
    k.loop(k.index(0), k.index(columns.padded), lanes, [&](Value f) {
      SmallVector<Value> square;
      for (int64_t r = 0; r < lanes; ++r)
        square.push_back(k.load(features, {k.add(s, r), k.add(column, f)}, whole));
      square = k.transpose(square);
      for (int64_t j = 0; j < lanes; ++j)
        k.store(square[j], turned, {k.add(f, j), s}, whole);
    });
  });
}

void bochner::cpu::emitScores(KernelBuilder &k, Value scores, Value queries, Value column, Value count,
                              Value keysTurned, int64_t width) {
  int64_t tile = k.schedule.getRowTile(), accumulators = k.schedule.getRegisterRows() * k.schedule.getRegisterColumns();
  // Rows [first, end) and keys [firstKey, firstKey + keys), in register tiles that are higher where they are narrower.
  auto rectangle = [&](Value first, Value end, Value firstKey, int64_t keys) {
    int64_t height = tile % (accumulators / keys) ? k.schedule.getRegisterRows() : accumulators / keys;
    k.loop(first, k.min(end, count), height, [&](Value i) {
      k.accumulateBlock(
          scores, i, height, firstKey, {keys, keys}, k.index(width),
          [&](Value f, int64_t r) { return k.loadScalar(queries, {k.add(i, r), k.add(f, column)}); },
          [&](Value f) { return k.load(keysTurned, {f, firstKey}, {keys, keys}); });
    });
  };
  Value zero = k.index(0), end = k.index(tile);
  int64_t columns = std::min(k.schedule.getRegisterColumns(), tile), half = tile / 2, quarter = tile / 4;
  if (columns == tile && quarter % k.lanes() == 0 && quarter % (accumulators / quarter) == 0) {
    // A single block: the triangle is four small ones on the diagonal, two squares beside them, and one below those.
    k.loop(zero, k.index(6), 1, [&](Value i) {
      Value onDiagonal = k.less(i, k.index(4)), beside = k.mul(k.sub(i, k.index(4)), k.index(2));
      Value row = k.mul(k.select(onDiagonal, i, k.add(beside, 1)), k.index(quarter));
      Value key = k.mul(k.select(onDiagonal, i, beside), k.index(quarter));
      rectangle(row, k.add(row, quarter), key, quarter);
    });
    return rectangle(k.index(half), end, zero, half);
  }
  // Rows before a block of keys do not see it.
  Value height = k.index(accumulators / columns);
  k.loop(zero, end, columns, [&](Value s) { rectangle(k.mul(k.div(s, height), height), end, s, columns); });
}

CausalTask::CausalTask(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &keyPlan, const ProgramPlan &queryPlan,
                       const AttentionShape &shape, const Normalization &how, AttentionState state)
    : keyEmitter(k, task, keyPlan, k.schedule.getRowTile()), queryEmitter(k, task, queryPlan, k.schedule.getRowTile()),
      k(k), keyPlan(keyPlan), queryPlan(queryPlan), shape(shape), how(how), state(state),
      keyTile(FeatureTile::ofAll(k, task, keyPlan)), queryTile(FeatureTile::ofBlock(k, task, queryPlan)),
      sums(QuerySums::allocate(k, task, shape)) {
  int64_t tile = k.schedule.getRowTile();
  queryScratch = task.scratch({tile, queryPlan.program.tiles[0].width}, k.element);
  keyScratch = task.scratch({tile, keyPlan.program.tiles[0].width}, k.element);
  valueScratch = task.scratch({tile, shape.valueWidth}, k.element);
  scores = task.scratch({tile, tile}, k.element);
  keysTransposed = task.scratch({k.padded(k.schedule.getFeatureBlock()), tile}, k.element);
  if (shape.log) {
    flag = task.scratch({1}, k.element);
    rawQueries = FeatureTile::ofAll(k, task, queryPlan).rows;
    factors = task.scratch({k.padded(shape.features) + k.lanes()}, k.element);
    weights = task.scratch({k.padded(shape.features) + k.lanes()}, k.element);
  }
}

void CausalTask::stageKeys(Value base, Value count, Value first) {
  keyBase = base;
  isFirst = first;
  keys = {stageRows(k, keyRows, base, count, keyScratch), count};
  keyEmitter.setRows(keys.rows.rows);
  if (!mask) {
    values = {stageRows(k, valueRows, base, count, valueScratch), count};
    return;
  }
  // A weight of 0 would not hide a value that is not finite.
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value row = k.add(base, i);
    k.when(
        k.loadScalar(mask, row), [&] { copyRow(k, valueRows, row, valueScratch, i); },
        [&] {
          k.registerBlocks(shape.valueWidth, [&](Value m, Columns columns) {
            k.store(k.splat(0, columns.padded), valueScratch, {i, m}, columns);
          });
        });
  });
  values = {{valueScratch, k.index(0)}, count};
}

void CausalTask::stageQueries(Value base, Value count) {
  queryBase = base;
  queries = {stageRows(k, queryRows, base, count, queryScratch), count};
  queryEmitter.setRows(queries.rows.rows);
}

void CausalTask::forBlocks(const ProgramPlan &plan, llvm::function_ref<void(const FusedGroup &, Value, Columns)> body) {
  forFeatureBlocks(k, plan,
                   [&](const FusedGroup &group, Value block, Columns columns, Value) { body(group, block, columns); });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

Value CausalTask::maskRow(Value rowMask, Value v, Value row, double fill) {
  if (!rowMask)
    return v;
  Value at = k.add(keyBase, k.min(row, k.sub(keys.count, k.index(1))));
  int64_t width = cast<VectorType>(v.getType()).getDimSize(0);
  return arith::SelectOp::create(k.b, k.loc, k.loadScalar(rowMask, at), v, k.splat(fill, width));
}

void CausalTask::emitRaw(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, FeatureTile &tile,
                         Value rowMask) {
  double absent = shape.log ? k.logRange().unset : 0;
  forBlocks(plan, [&](const FusedGroup &group, Value block, Columns columns) {
    forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = emitter.registerTile(group, rows, i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o)
        for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r)
          k.store(maskRow(rowMask, outputs[o][r], k.add(i, r), absent), tile.rows,
                  {k.add(i, r), k.add(tile.column(k, group, o, block), c)}, part);
    });
  });
}

/// r_f = the maximum over the first chunk, where no key has been seen before.
void CausalTask::emitFirstMaxima() {
  emitRawKeys();
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    Value unset = k.splat(k.logRange().unset, columns.padded);
    auto most = k.loop(k.index(0), keys.count, 1, unset, [&](Value i, ValueRange carried) {
      return SmallVector<Value>{k.maxf(k.load(keyTile.rows, {i, f}, whole), carried[0])};
    });
    // Infinity would hide the rows before it: as a feature that is too large it makes the chunk fall back.
    Value maximum = k.math().round(k.math().atMost(most[0], -k.logRange().unset)),
          old = k.load(state.maximum, f, columns);
    Value fresh = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OEQ, old, unset);
    k.store(arith::SelectOp::create(k.b, k.loc, fresh, maximum, old), state.maximum, f, columns);
  });
}

/// phi(k) of the chunk, scaled by r; raises the flag if a feature is too large for that.
void CausalTask::emitKeys() {
  keyEmitter.emitSteps(keys.range());
  if (shape.log) {
    k.when(isFirst, [&] { emitFirstMaxima(); });
    k.storeScalar(k.number(0), flag, k.index(0));
  }
  forBlocks(keyPlan, [&](const FusedGroup &group, Value block, Columns columns) {
    forRegisterTiles(k, keys.count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = keyEmitter.registerTile(group, keys.range(), i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o) {
        Value feature = k.add(outputColumn(k, group, o, block), c), above;
        Value maximum = shape.log ? k.load(state.maximum, feature, part, -k.logRange().unset) : Value();
        for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r) {
          Value phi = outputs[o][r], row = k.add(i, r);
          if (shape.log) {
            phi = k.subf(maskRow(mask, phi, row, k.logRange().unset), maximum);
            Value is = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, phi,
                                             k.splat(k.logRange().growth, part.padded));
            above = above ? arith::OrIOp::create(k.b, k.loc, above, is).getResult() : is;
            phi = k.math().exp2Bounded(k.math().atMost(phi, k.logRange().growth));
          }
          k.store(maskRow(mask, phi, row, 0), keyTile.rows, {row, feature}, part);
        }
        if (shape.log)
          k.when(k.anyTrue(above), [&] { k.storeScalar(k.number(1), flag, k.index(0)); });
      }
    });
  });
}

/// True if a maximum would have to move.
Value CausalTask::isTooLarge() {
  return arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::ONE, k.loadScalar(flag, k.index(0)), k.number(0));
}

//===----------------------------------------------------------------------===//
// The chunked form
//===----------------------------------------------------------------------===//

/// numerator and denominator from the state, and A, block by block of features.
void CausalTask::emitChunkProducts() {
  RowRange rows = queries.range();
  int64_t tile = k.schedule.getRowTile(), registerRows = k.schedule.getRegisterRows(), lanes = k.lanes();
  Columns whole{lanes, lanes};
  k.loop(k.index(0), k.index(tile), 1, [&](Value i) {
    k.loop(k.index(0), k.index(tile), lanes,
           [&](Value s) { k.store(k.broadcast(norm, lanes), scores, {i, s}, whole); });
  });
  auto rescaleScores = [&](Value row, Value factor) {
    k.loop(k.index(0), k.index(tile), lanes,
           [&](Value s) { k.store(k.mulf(k.load(scores, {row, s}, whole), factor), scores, {row, s}, whole); });
  };
  int64_t groups = tile / registerRows;
  forFeatureBlocks(k, queryPlan, [&](const FusedGroup &group, Value block, Columns columns, Value number) {
    // Over all blocks, the rows of the next chunk and those of the output that this one ends in.
    auto fetchNext = [&](Value registerGroup) {
      Value share = k.add(k.mul(number, k.index(groups)), registerGroup);
      fetchShare(k, queryPlan, {queryRows, keyRows, valueRows}, k.add(queryBase, tile), share);
      fetchShare(k, queryPlan, {outRows}, queryBase, share);
    };
    emitQueryFeatures(k, queryEmitter, group, shape, rows, k.index(0), rows.count, block, columns, state, queryTile,
                      sums, fetchNext, shape.log ? llvm::function_ref<void(Value, Value)>(rescaleScores) : nullptr);
    k.when(seesState(),
           [&] { emitQueryProduct(k, group, shape, rows.count, block, columns, state, Value(), queryTile, sums); });
    // One copy of the code serves all outputs.
    auto columnAt = [&](const FeatureTile &tile, Value o) {
      Value column = tile.column(k, group, 0, block);
      for (size_t i = 1; i < group.outputs.size(); ++i)
        column = k.select(k.equal(o, k.index(i)), tile.column(k, group, i, block), column);
      return column;
    };
    k.loop(k.index(0), k.index(group.outputs.size()), 1, [&](Value o) {
      transposeFeatures(k, keyTile.rows, columnAt(keyTile, o), columns, keysTransposed);
      emitScores(k, scores, queryTile.rows, columnAt(queryTile, o), queries.count, keysTransposed, columns.valid);
    });
  });
  // Mask A and add its rows to the denominators.
  auto indices = VectorType::get({lanes}, k.b.getIndexType());
  Value step = vector::StepOp::create(k.b, k.loc, indices);
  k.loop(k.index(0), rows.count, 1, [&](Value i) {
    Value end = k.min(k.add(i, 1), keys.count);
    k.loop(k.index(0), k.index(tile), lanes, [&](Value s) {
      Value position = arith::AddIOp::create(k.b, k.loc, step, k.broadcast(s, lanes));
      Value seen = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, position, k.broadcast(end, lanes));
      Value a = arith::SelectOp::create(k.b, k.loc, seen, k.load(scores, {i, s}, whole), k.splat(0, lanes));
      k.store(a, scores, {i, s}, whole);
      Value sum = k.addf(k.load(sums.denominator, {i, k.index(0)}, whole), a);
      k.store(sum, sums.denominator, {i, k.index(0)}, whole);
    });
  });
}

/// True if a denominator is so small that terms of its row may have been lost to the scale of others.
Value CausalTask::isSuspicious(Value count) {
  double least = std::exp2(k.element.isF64() ? -500 : -60);
  Columns whole{k.lanes(), k.lanes()};
  Value none = k.truth(false);
  auto any = k.loop(k.index(0), count, 1, none, [&](Value i, ValueRange carried) {
    Value sum = k.sumLanes(k.load(sums.denominator, {i, k.index(0)}, whole));
    Value small = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OLT, sum, k.number(least));
    return SmallVector<Value>{arith::OrIOp::create(k.b, k.loc, carried[0], small)};
  });
  return any[0];
}

void CausalTask::emitScoresAndValues() {
  int64_t registerRows = k.schedule.getRegisterRows();
  k.when(k.less(k.index(0), keys.count), [&] {
    k.loop(k.index(0), queries.count, registerRows, [&](Value i) {
      k.accumulateCausal(
          sums.numerator, i, registerRows, shape.valueWidth, keys.count, k.truth(true),
          [&](Value s, int64_t r) { return k.loadScalar(scores, {k.add(i, r), s}); },
          [&](Value s, Value m, Columns part) {
            return k.load(values.rows.rows, {k.add(values.rows.first, s), m}, part);
          });
    });
  });
}

/// The chunked form for the queries of a head. In the log domain nothing is written if a denominator is suspicious.
Value CausalTask::emitQueries(Value before, Value logOffset, Value counter) {
  emitQueryStart(k, shape, queries.count, state, norm, before, sums);
  emitChunkProducts();
  auto finish = [&] {
    emitScoresAndValues();
    emitQueryEnd(k, shape, queries.count, sums, how, logOffset, counter, outRows, queryBase, denominatorRows);
  };
  if (!shape.log) {
    finish();
    return Value();
  }
  Value suspicious = isSuspicious(queries.count);
  k.when(k.negate(suspicious), finish);
  return suspicious;
}

/// The chunk enters S, z and the sum of values.
void CausalTask::emitStateAndSums() {
  forBlocks(keyPlan, [&](const FusedGroup &group, Value block, Columns columns) {
    emitStateUpdate(k, group, shape, keys.count, block, columns, state, keyTile, values.rows.rows, values.rows.first);
  });
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    auto sum =
        k.loop(k.index(0), keys.count, 1, k.load(state.normalizer, f, columns), [&](Value i, ValueRange carried) {
          return SmallVector<Value>{k.addf(carried[0], k.load(keyTile.rows, {i, f}, columns))};
        });
    k.store(sum[0], state.normalizer, f, columns);
  });
  if (state.valueSum)
    k.columnBlocks(shape.valueWidth, k.lanes(), [&](Value m, Columns columns) {
      Columns whole{columns.padded, columns.padded};
      auto sum = k.loop(k.index(0), keys.count, 1, k.load(state.valueSum, m, whole), [&](Value i, ValueRange carried) {
        Value row = k.add(values.rows.first, i);
        return SmallVector<Value>{k.addf(carried[0], k.load(values.rows.rows, {row, m}, columns))};
      });
      k.store(sum[0], state.valueSum, m, whole);
    });
}

//===----------------------------------------------------------------------===//
// The recurrent form
//===----------------------------------------------------------------------===//

/// One key: r, z and S follow its features exactly.
void CausalTask::emitRecurrentKey(Value row) {
  int64_t lanes = k.lanes();
  k.columnBlocks(shape.features, lanes, [&](Value f, Columns columns) {
    Value phi = k.load(keyTile.rows, {row, f}, columns), old = k.load(state.maximum, f, columns);
    Value maximum = k.maxf(k.math().round(phi), old), factor = k.math().exp2(k.subf(old, maximum));
    Value weight = k.math().exp2(k.subf(phi, maximum));
    k.store(maximum, state.maximum, f, columns);
    k.store(k.fma(k.load(state.normalizer, f, columns), factor, weight), state.normalizer, f, columns);
    k.store(factor, factors, f, {columns.padded, columns.padded});
    k.store(weight, weights, f, {columns.padded, columns.padded});
  });
  k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
    Value factor = k.broadcast(k.loadScalar(factors, f), lanes), weight = k.broadcast(k.loadScalar(weights, f), lanes);
    k.columnBlocks(shape.valueWidth, lanes, [&](Value m, Columns columns) {
      Value v = k.mulf(weight, k.load(values.rows.rows, {k.add(values.rows.first, row), m}, columns));
      Columns whole{lanes, lanes};
      k.store(k.fma(k.load(state.sums, {f, m}, whole), factor, v), state.sums, {f, m}, whole);
    });
  });
}

/// One query against the state of the keys so far.
void CausalTask::emitRecurrentQuery(Value row, Value logOffset, Value counter) {
  int64_t lanes = k.lanes();
  k.storeScalar(k.number(k.logRange().unset), sums.maximum, k.index(0));
  k.columnBlocks(shape.features, lanes, [&](Value f, Columns columns) {
    Value phi = k.addf(k.load(rawQueries, {row, f}, columns), k.load(state.maximum, f, columns));
    Value most = k.maxLanes(k.maskTail(phi, columns, k.logRange().unset));
    Value old = k.loadScalar(sums.maximum, k.index(0));
    k.storeScalar(k.maxf(most, old), sums.maximum, k.index(0));
  });
  Value maximum = k.broadcast(k.loadScalar(sums.maximum, k.index(0)), lanes);
  Columns whole{lanes, lanes};
  k.store(k.splat(0, lanes), sums.denominator, {k.index(0), k.index(0)}, whole);
  k.columnBlocks(shape.features, lanes, [&](Value f, Columns columns) {
    Value phi = k.addf(k.load(rawQueries, {row, f}, columns), k.load(state.maximum, f, columns));
    Value weight = k.math().exp2(k.subf(k.maskTail(phi, columns, k.logRange().unset), maximum));
    k.store(weight, weights, f, whole);
    Value sum = k.load(sums.denominator, {k.index(0), k.index(0)}, whole);
    sum = k.fma(weight, k.load(state.normalizer, f, columns), sum);
    k.store(sum, sums.denominator, {k.index(0), k.index(0)}, whole);
  });
  k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes, [&](Value m) {
    auto sum = k.loop(k.index(0), k.index(shape.features), 1, k.splat(0, lanes), [&](Value f, ValueRange carried) {
      Value weight = k.broadcast(k.loadScalar(weights, f), lanes);
      return SmallVector<Value>{k.fma(weight, k.load(state.sums, {f, m}, whole), carried[0])};
    });
    k.store(sum[0], sums.numerator, {k.index(0), m}, whole);
  });
  emitQueryEnd(k, shape, k.index(1), sums, how, logOffset, counter, outRows, k.add(queryBase, row), denominatorRows);
}

/// The first chunk's maxima are those of all its keys; no key has entered the state with them.
void CausalTask::restart(const StateBuffers &initial) {
  k.when(isFirst, [&] {
    if (initial)
      return state.loadMaximum(k, shape.features, initial);
    k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
      k.store(k.splat(k.logRange().unset, columns.padded), state.maximum, f, columns);
    });
  });
}

void CausalTask::emitRawQueries() {
  FeatureTile all = keyTile;
  all.rows = rawQueries;
  emitRaw(queryEmitter, queryPlan, queries.range(), all, Value());
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

namespace {
/// What a task of LinearAttentionKernel::emitCausal does with heads of queries and chunks of rows.
struct CausalLoop {
  KernelBuilder &k;
  CausalTask &body;
  AttentionShape shape;
  StateBuffers initial;
  Value group;                                ///< number of query heads
  llvm::function_ref<Value(Value)> enterHead; ///< head in the group -> its counter; `body` then works on it
  Value logOffset;

  /// `goesOn`: whether the state is needed afterwards.
  void emitChunk(Value base, Value queryCount, Value keyCount, Value before, Value isFirst, Value goesOn);
  void emitRecurrent(Value base, Value queryCount, Value keyCount);
};
} // namespace

void CausalLoop::emitRecurrent(Value base, Value queryCount, Value keyCount) {
  body.restart(initial);
  body.emitRawKeys();
  k.loop(k.index(0), k.max(queryCount, keyCount), 1, [&](Value i) {
    Value seen = k.less(i, keyCount);
    if (body.mask) { // the last row stands in for rows past the end
      Value row = k.add(base, k.max(k.min(i, k.sub(keyCount, k.index(1))), k.index(0)));
      seen = k.choose(seen, seen, [&] { return SmallVector<Value>{k.loadScalar(body.mask, row)}; })[0];
    }
    k.when(seen, [&] { body.emitRecurrentKey(i); });
    k.when(k.less(i, queryCount), [&] {
      k.loop(k.index(0), group, 1, [&](Value g) {
        enterHead(g);
        body.stageQueries(k.add(base, i), k.index(1));
        body.queryEmitter.emitSteps(body.queries.range());
        body.emitRawQueries();
        body.emitRecurrentQuery(k.index(0), logOffset, Value());
      });
    });
  });
}

void CausalLoop::emitChunk(Value base, Value queryCount, Value keyCount, Value before, Value isFirst, Value goesOn) {
  body.stageKeys(base, keyCount, isFirst);
  body.emitKeys();
  auto chunked = [&](Value g) {
    Value counter = enterHead(g);
    body.stageQueries(base, queryCount);
    body.queryEmitter.emitSteps(body.queries.range());
    return body.emitQueries(before, logOffset, counter);
  };
  if (!shape.log) {
    k.loop(k.index(0), group, 1, [&](Value g) { chunked(g); });
    k.when(goesOn, [&] { body.emitStateAndSums(); });
    return;
  }
  // One copy of the recurrent form serves both reasons to fall back, and all heads of queries.
  auto fallBack = k.loop(k.index(0), group, 1, body.isTooLarge(), [&](Value g, ValueRange carried) {
    return k.choose(k.negate(carried[0]), carried, [&] { return SmallVector<Value>{chunked(g)}; });
  });
  k.when(
      fallBack[0], [&] { emitRecurrent(base, queryCount, keyCount); },
      [&] { k.when(goesOn, [&] { body.emitStateAndSums(); }); });
}

void LinearAttentionKernel::emitCausal() {
  allocateState(host.index(1));
  SmallVector<Value> more{operands.offset, operands.counts, operands.denominators};
  llvm::append_range(more, operands.initial.captures());
  llvm::append_range(more, operands.final.captures());
  llvm::append_range(more, operands.checkpoints.captures());
  llvm::append_range(more, queryPlan().captures());
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_causal").str(), capturesOf(*keyPlan, more));
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), k.index(1));
  AttentionOperands::ScanSpans spans = operands.scanSpans(k, task, at.batch);
  RowSpan querySpan = spans.queries, keySpan = spans.keys;
  AttentionState local = state.at(k, task, task.taskIndex);
  StateBuffers initial = operands.initial.at(k, task, at.batch, at.head);
  Value zero = k.index(0), group = k.index(operands.group);
  int64_t tile = k.schedule.getRowTile();

  CausalTask body(k, task, *keyPlan, queryPlan(), shape, how, local);
  body.keyEmitter.setHead(at.head);
  body.keyRows = operands.rows(k, task, operands.key, at.batch, at.head, keySpan);
  body.valueRows = operands.rows(k, task, operands.value, at.batch, at.head, keySpan);
  body.mask = operands.maskOf(k, task, at.batch, keySpan);
  body.startsEmpty = !initial;
  body.norm = local.valueSum ? body.keyEmitter.constantNorm() : k.number(0);
  if (initial)
    local.load(k, shape.features, shape.valueWidth, initial);
  else
    local.clear(k, shape.features, shape.valueWidth);

  CausalLoop loop{k, body, shape, initial, group, nullptr, Value()};
  auto counterOf = [&](Value head) { return this->counterOf(k, task, at.batch, head); };
  auto enterHead = [&](Value g) {
    Value head = k.add(k.mul(at.head, group), g);
    setQueryHead(body.queryEmitter, at.head, head);
    body.queryRows = operands.rows(k, task, operands.query, at.batch, head, querySpan);
    body.outRows = operands.rows(k, task, operands.out, at.batch, head, querySpan);
    if (operands.denominators)
      body.denominatorRows = operands.rows(k, task, operands.denominators, at.batch, head, querySpan);
    loop.logOffset = offsetOf(k, task, at.batch, head);
    return counterOf(head);
  };
  loop.enterHead = enterHead;
  auto zeroRows = [&](Value low, Value high) {
    k.loop(zero, group, 1, [&](Value g) {
      enterHead(g);
      emitZeros(k, body.outRows, body.denominatorRows, low, high);
    });
  };
  if (operands.counts)
    k.loop(zero, group, 1, [&](Value g) {
      Value none = arith::ConstantIntOp::create(k.b, k.loc, 0, 64);
      k.storeScalar(none, counterOf(k.add(k.mul(at.head, group), g)), zero);
    });

  // Rows before `start` see no key of this call: all, or in reversed views those that padding hides.
  Value rows = querySpan.count, start = zero;
  if (operands.reversed)
    start = spans.firstKey;
  else if (initial) // there may be more keys than queries
    rows = k.max(rows, keySpan.count);
  else if (operands.lengths || operands.keySequences)
    start = k.select(k.equal(spans.endKey, zero), rows, zero);
  auto clamp = [&](Value count, Value limit) { return k.max(k.min(count, limit), zero); };
  Value end = spans.endKey;
  bool queriesStartLater = operands.reversed && operands.keySequences;
  auto saveCheckpoint = [&](Value base) {
    StateBuffers to = checkpointAt(k, task, at, keySpan, k.div(base, k.index(operands.checkpointInterval)));
    local.save(k, shape.features, shape.valueWidth, to);
  };
  auto emitRows = [&](Value base, Value size, Value seenBefore) -> Value {
    if (operands.checkpoints)
      k.when(k.equal(k.rem(base, k.index(operands.checkpointInterval)), zero), [&] { saveCheckpoint(base); });
    Value keyCount = clamp(k.sub(end, base), size), queryCount = clamp(k.sub(querySpan.count, base), size);
    if (operands.reversed && initial) // chunks before `start` have no keys
      keyCount = k.select(k.less(base, start), zero, keyCount);
    if (queriesStartLater)
      queryCount = k.select(k.less(base, spans.firstQuery), zero, queryCount);
    Value isFirst = k.equal(base, start), before = k.sub(k.min(base, end), start);
    Value goesOn = operands.final ? k.truth(true) : k.less(k.add(base, size), rows);
    auto chunk = [&] { loop.emitChunk(base, queryCount, keyCount, before, isFirst, goesOn); };
    if (!body.mask || initial) {
      chunk();
      return seenBefore;
    }
    // Until the mask keeps a key there is nothing to see, and no state to start.
    auto counted = k.loop(zero, keyCount, 1, seenBefore, [&](Value i, ValueRange carried) {
      Value kept =
          arith::IndexCastUIOp::create(k.b, k.loc, k.b.getIndexType(), k.loadScalar(body.mask, k.add(base, i)));
      return SmallVector<Value>{k.add(carried[0], kept)};
    });
    isFirst = k.equal(seenBefore, zero);
    k.when(k.equal(counted[0], zero), [&] { zeroRows(base, k.add(base, queryCount)); }, chunk);
    return counted[0];
  };
  if (!initial)
    zeroRows(zero, start);
  if (operands.checkpoints)
    k.loop(zero, start, operands.checkpointInterval, saveCheckpoint);
  if (queriesStartLater || (initial && operands.reversed)) {
    // Chunks of rows without queries, or without keys, then of those with both: none has some of each.
    Value low = initial ? zero : start, middle = initial ? start : k.max(start, spans.firstQuery);
    Value before = k.ceilDiv(k.sub(middle, low), k.index(tile)), after = k.ceilDiv(k.sub(rows, middle), k.index(tile));
    k.loop(zero, k.add(before, after), 1, zero, [&](Value i, ValueRange seen) {
      Value early = k.less(i, before);
      Value base =
          k.select(early, k.add(low, k.mul(i, k.index(tile))), k.add(middle, k.mul(k.sub(i, before), k.index(tile))));
      Value size = k.min(k.sub(k.select(early, middle, rows), base), k.index(tile));
      return SmallVector<Value>{emitRows(base, size, seen[0])};
    });
  } else {
    k.loop(start, rows, tile, zero, [&](Value base, ValueRange seen) {
      return SmallVector<Value>{emitRows(base, k.min(k.sub(rows, base), k.index(tile)), seen[0])};
    });
  }
  if (operands.final)
    local.save(k, shape.features, shape.valueWidth, operands.final.at(k, task, at.batch, at.head));
  task.finish(host, k, keyTasks(host.index(1)));
}
