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
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

namespace {

/// The body of the task; `k` writes into it.
class CausalTask {
public:
  CausalTask(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &keyPlan, const ProgramPlan &queryPlan,
             const AttentionShape &shape, double eps, Value head, AttentionState state);

  void setRows(Value queries, Value keys, Value values, Value out) {
    queryEmitter.setRows(queries);
    keyEmitter.setRows(keys);
    queryRows = queries;
    keyRows = keys;
    valueRows = values;
    outRows = out;
  }
  /// Rows [base, base + count), of which the first `keys` are keys; `before` keys have been seen.
  void emitChunk(Value base, Value count, Value keys, Value before, Value logOffset);

private:
  void forBlocks(const ProgramPlan &plan, llvm::function_ref<void(const FusedGroup &, Value, Columns)> body);
  /// Stores raw log features of rows, or features in the linear domain.
  void emitRaw(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, FeatureTile &tile);
  void emitFirstMaxima(RowRange keys);
  void emitKeyFeatures(RowRange keys);
  void transposeKeys(const FusedGroup &group, size_t o, Value block, Columns columns);
  void emitChunkProducts(RowRange rows, RowRange keys);
  void emitScoresAndValues(RowRange rows, RowRange keys);
  void emitStateAndSums(RowRange keys);
  void emitRecurrent(RowRange rows, Value keys, Value logOffset);
  void emitRecurrentKey(Value row, Value position);
  void emitRecurrentQuery(Value row, Value position, Value logOffset);
  Value isSuspicious(Value count);

  KernelBuilder &k;
  const ProgramPlan &keyPlan, &queryPlan;
  AttentionShape shape;
  double eps;
  AttentionState state;
  TileEmitter keyEmitter, queryEmitter;
  FeatureTile keyTile, queryTile;
  QuerySums sums;
  Value queryRows, keyRows, valueRows, outRows, norm;
  Value scores;           ///< A, [row tile, row tile]
  Value keysTransposed;   ///< a block of phi(k)^T, [feature block, row tile]
  Value flag;             ///< [1], not 0 if a maximum had to move
  Value rawQueries;       ///< log features of queries for the recurrent form
  Value factors, weights; ///< [F], of the recurrent form
};

} // namespace

CausalTask::CausalTask(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &keyPlan, const ProgramPlan &queryPlan,
                       const AttentionShape &shape, double eps, Value head, AttentionState state)
    : k(k), keyPlan(keyPlan), queryPlan(queryPlan), shape(shape), eps(eps), state(state),
      keyEmitter(k, task, keyPlan, head, k.schedule.getRowTile()),
      queryEmitter(k, task, queryPlan, head, k.schedule.getRowTile()), keyTile(FeatureTile::ofAll(k, task, keyPlan)),
      queryTile(FeatureTile::ofBlock(k, task, queryPlan)), sums(QuerySums::allocate(k, task, shape)) {
  int64_t tile = k.schedule.getRowTile();
  scores = task.scratch({tile, tile}, k.element);
  keysTransposed = task.scratch({k.padded(k.schedule.getFeatureBlock()), tile}, k.element);
  if (shape.log) {
    flag = task.scratch({1}, k.element);
    rawQueries = FeatureTile::ofAll(k, task, queryPlan).rows;
    factors = task.scratch({k.padded(shape.features) + k.lanes()}, k.element);
    weights = task.scratch({k.padded(shape.features) + k.lanes()}, k.element);
  }
  norm = state.valueSum ? keyEmitter.constantNorm() : k.number(0);
}

void CausalTask::forBlocks(const ProgramPlan &plan, llvm::function_ref<void(const FusedGroup &, Value, Columns)> body) {
  forFeatureBlocks(k, plan,
                   [&](const FusedGroup &group, Value block, Columns columns, Value) { body(group, block, columns); });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

void CausalTask::emitRaw(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, FeatureTile &tile) {
  forBlocks(plan, [&](const FusedGroup &group, Value block, Columns columns) {
    forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = emitter.registerTile(group, rows, i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o)
        for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r)
          k.store(outputs[o][r], tile.rows, {k.add(i, r), k.add(tile.column(k, group, o, block), c)}, part);
    });
  });
}

/// r_f = the maximum over the first chunk.
void CausalTask::emitFirstMaxima(RowRange keys) {
  emitRaw(keyEmitter, keyPlan, keys, keyTile);
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    auto most = k.loop(k.index(0), keys.count, 1, k.splat(k.logRange().unset, columns.padded),
                       [&](Value i, ValueRange carried) {
                         return SmallVector<Value>{k.maxf(k.load(keyTile.rows, {i, f}, whole), carried[0])};
                       });
    // Infinity would hide the rows before it: as a feature that is too large it makes the chunk fall back.
    k.store(k.math().atMost(most[0], -k.logRange().unset), state.maximum, f, columns);
  });
}

/// phi(k) of the chunk, scaled by r; raises the flag if a feature is too large for that.
void CausalTask::emitKeyFeatures(RowRange keys) {
  forBlocks(keyPlan, [&](const FusedGroup &group, Value block, Columns columns) {
    forRegisterTiles(k, keys.count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = keyEmitter.registerTile(group, keys, i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o) {
        Value feature = k.add(outputColumn(k, group, o, block), c), above;
        Value maximum = shape.log ? k.load(state.maximum, feature, part, -k.logRange().unset) : Value();
        for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r) {
          Value phi = outputs[o][r];
          if (shape.log) {
            phi = k.subf(phi, maximum);
            Value is = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, phi,
                                             k.splat(k.logRange().growth, part.padded));
            above = above ? arith::OrIOp::create(k.b, k.loc, above, is).getResult() : is;
            phi = k.math().exp2Bounded(k.math().atMost(phi, k.logRange().growth));
          }
          k.store(phi, keyTile.rows, {k.add(i, r), feature}, part);
        }
        if (shape.log)
          k.when(k.anyTrue(above), [&] { k.storeScalar(k.number(1), flag, k.index(0)); });
      }
    });
  });
}

/// A block of phi(k) with keys in the lanes.
void CausalTask::transposeKeys(const FusedGroup &group, size_t o, Value block, Columns columns) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  Value column = keyTile.column(k, group, o, block);
  k.loop(k.index(0), k.index(k.schedule.getRowTile()), lanes, [&](Value s) {
    k.loop(k.index(0), k.index(columns.padded), lanes, [&](Value f) {
      SmallVector<Value> square;
      for (int64_t r = 0; r < lanes; ++r)
        square.push_back(k.load(keyTile.rows, {k.add(s, r), k.add(column, f)}, whole));
      square = k.transpose(square);
      for (int64_t j = 0; j < lanes; ++j)
        k.store(square[j], keysTransposed, {k.add(f, j), s}, whole);
    });
  });
}

//===----------------------------------------------------------------------===//
// The chunked form
//===----------------------------------------------------------------------===//

/// numerator and denominator from the state, and A, block by block of features.
void CausalTask::emitChunkProducts(RowRange rows, RowRange keys) {
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
      fetchShare(k, queryPlan, {queryRows, keyRows, valueRows}, k.add(rows.base, tile), share);
      fetchShare(k, queryPlan, {outRows}, rows.base, share);
    };
    emitQueryFeatures(k, queryEmitter, group, shape, rows, k.index(0), rows.count, block, columns, state, queryTile,
                      sums, fetchNext, shape.log ? llvm::function_ref<void(Value, Value)>(rescaleScores) : nullptr);
    emitQueryProduct(k, group, shape, rows.count, block, columns, state, queryTile, sums);
    for (size_t o = 0; o < group.outputs.size(); ++o) {
      transposeKeys(group, o, block, columns);
      Value column = queryTile.column(k, group, o, block);
      k.loop(k.index(0), rows.count, registerRows, [&](Value i) {
        k.accumulate(
            scores, i, registerRows, tile, k.index(columns.valid),
            [&](Value f, int64_t r) { return k.loadScalar(queryTile.rows, {k.add(i, r), k.add(f, column)}); },
            [&](Value f, Value s, Columns part) { return k.load(keysTransposed, {f, s}, part); });
      });
    }
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
  Value none = arith::ConstantIntOp::create(k.b, k.loc, 0, 1);
  auto any = k.loop(k.index(0), count, 1, none, [&](Value i, ValueRange carried) {
    Value sum = k.sumLanes(k.load(sums.denominator, {i, k.index(0)}, whole));
    Value small = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OLT, sum, k.number(least));
    return SmallVector<Value>{arith::OrIOp::create(k.b, k.loc, carried[0], small)};
  });
  return any[0];
}

void CausalTask::emitScoresAndValues(RowRange rows, RowRange keys) {
  int64_t registerRows = k.schedule.getRegisterRows();
  Value always = arith::ConstantIntOp::create(k.b, k.loc, 1, 1);
  k.when(k.less(k.index(0), keys.count), [&] {
    k.loop(k.index(0), rows.count, registerRows, [&](Value i) {
      k.accumulateCausal(
          sums.numerator, i, registerRows, shape.valueWidth, keys.count, always,
          [&](Value s, int64_t r) { return k.loadScalar(scores, {k.add(i, r), s}); },
          [&](Value s, Value m, Columns part) { return k.load(valueRows, {k.add(keys.base, s), m}, part); });
    });
  });
}

/// The chunk enters S, z and the sum of values.
void CausalTask::emitStateAndSums(RowRange keys) {
  forBlocks(keyPlan, [&](const FusedGroup &group, Value block, Columns columns) {
    emitStateUpdate(k, group, shape, keys.count, block, columns, state, keyTile, valueRows, keys.base);
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
        return SmallVector<Value>{k.addf(carried[0], k.load(valueRows, {k.add(keys.base, i), m}, columns))};
      });
      k.store(sum[0], state.valueSum, m, whole);
    });
}

//===----------------------------------------------------------------------===//
// The recurrent form
//===----------------------------------------------------------------------===//

/// One key: r, z and S follow its features exactly.
void CausalTask::emitRecurrentKey(Value row, Value position) {
  int64_t lanes = k.lanes();
  k.columnBlocks(shape.features, lanes, [&](Value f, Columns columns) {
    Value phi = k.load(keyTile.rows, {row, f}, columns), old = k.load(state.maximum, f, columns);
    Value maximum = k.maxf(phi, old), factor = k.math().exp2(k.subf(old, maximum));
    Value weight = k.math().exp2(k.subf(phi, maximum));
    k.store(maximum, state.maximum, f, columns);
    k.store(k.fma(k.load(state.normalizer, f, columns), factor, weight), state.normalizer, f, columns);
    k.store(factor, factors, f, {columns.padded, columns.padded});
    k.store(weight, weights, f, {columns.padded, columns.padded});
  });
  k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
    Value factor = k.broadcast(k.loadScalar(factors, f), lanes), weight = k.broadcast(k.loadScalar(weights, f), lanes);
    k.columnBlocks(shape.valueWidth, lanes, [&](Value m, Columns columns) {
      Value v = k.mulf(weight, k.load(valueRows, {position, m}, columns));
      Columns whole{lanes, lanes};
      k.store(k.fma(k.load(state.sums, {f, m}, whole), factor, v), state.sums, {f, m}, whole);
    });
  });
}

/// One query against the state of the keys so far.
void CausalTask::emitRecurrentQuery(Value row, Value position, Value logOffset) {
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
  emitQueryEnd(k, shape, k.index(1), sums, eps, logOffset, outRows, position);
}

void CausalTask::emitRecurrent(RowRange rows, Value keys, Value logOffset) {
  // The first chunk's maxima are those of all its keys; no key has entered the state with them.
  k.when(k.equal(rows.base, k.index(0)), [&] {
    k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
      k.store(k.splat(k.logRange().unset, columns.padded), state.maximum, f, columns);
    });
  });
  emitRaw(keyEmitter, keyPlan, {rows.base, keys}, keyTile);
  FeatureTile queries = keyTile;
  queries.rows = rawQueries;
  emitRaw(queryEmitter, queryPlan, rows, queries);
  k.loop(k.index(0), rows.count, 1, [&](Value i) {
    Value position = k.add(rows.base, i);
    k.when(k.less(i, keys), [&] { emitRecurrentKey(i, position); });
    emitRecurrentQuery(i, position, logOffset);
  });
}

//===----------------------------------------------------------------------===//
// A chunk
//===----------------------------------------------------------------------===//

void CausalTask::emitChunk(Value base, Value count, Value keyCount, Value before, Value logOffset) {
  RowRange rows{base, count}, keys{base, keyCount};
  keyEmitter.emitSteps(keys);
  queryEmitter.emitSteps(rows);
  Value zero = k.index(0);
  auto finish = [&] {
    emitScoresAndValues(rows, keys);
    emitQueryEnd(k, shape, count, sums, eps, logOffset, outRows, base);
    emitStateAndSums(keys);
  };
  auto chunked = [&] {
    emitQueryStart(k, shape, count, state, norm, before, sums);
    emitChunkProducts(rows, keys);
  };
  if (!shape.log) {
    emitKeyFeatures(keys);
    chunked();
    finish();
    return;
  }
  k.when(k.equal(base, zero), [&] { emitFirstMaxima(keys); });
  k.storeScalar(k.number(0), flag, zero);
  emitKeyFeatures(keys);
  // One copy of the recurrent form serves both reasons to fall back.
  Value isSet = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::ONE, k.loadScalar(flag, zero), k.number(0));
  Value clear = arith::XOrIOp::create(k.b, k.loc, isSet, arith::ConstantIntOp::create(k.b, k.loc, 1, 1));
  auto fallBack = k.choose(clear, isSet, [&] {
    chunked();
    return SmallVector<Value>{isSuspicious(count)};
  });
  k.when(fallBack[0], [&] { emitRecurrent(rows, keyCount, logOffset); }, finish);
}

void LinearAttentionKernel::emitCausal() {
  Value batchHeads = host.mul(host.dim(query, 0), host.dim(query, 1));
  state = AttentionState::allocate(host, batchHeads, shape.features, shape.valueWidth, shape.log,
                                   !keyPlan->constants.empty());
  SmallVector<Value> captured = capturesOf(*keyPlan, {query, key, value, out, lengths, offset});
  for (Value v : queryPlan().captures())
    if (!llvm::is_contained(captured, v))
      captured.push_back(v);
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_causal").str(), captured);
  Value queries = task.captured(query);
  TaskPosition at = locate(k, task.taskIndex, k.dim(queries, 1), k.index(1));
  Value length = k.dim(queries, 2);
  Value visible = visibleKeys(k, lengths ? task.captured(lengths) : Value(), at.batch, length);
  Value outRows = headRows(k, task.captured(out), at.batch, at.head);
  AttentionState local = state.at(k, task, task.taskIndex);
  k.when(
      k.equal(visible, k.index(0)), [&] { emitZeros(k, outRows, k.index(0), length); },
      [&] {
        CausalTask body(k, task, *keyPlan, queryPlan(), shape, eps, at.head, local);
        body.setRows(headRows(k, queries, at.batch, at.head), headRows(k, task.captured(key), at.batch, at.head),
                     headRows(k, task.captured(value), at.batch, at.head), outRows);
        Value logOffset = offsetOf(k, task, at);
        local.clear(k, shape.features, shape.valueWidth);
        int64_t tile = k.schedule.getRowTile();
        k.loop(k.index(0), length, tile, [&](Value base) {
          Value count = k.min(k.sub(length, base), k.index(tile));
          Value keys = k.max(k.min(k.sub(visible, base), count), k.index(0));
          body.emitChunk(base, count, keys, k.min(base, visible), logOffset);
        });
      });
  task.finish(host, k, batchHeads);
}
