//===- QuadraticAttention.cpp - linear attention by weights of pairs ------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The form for short sequences: weights phi(q) . phi(k) of tiles of pairs, and no state. A task has a few tiles of the
// queries that share a head of keys; keys pass in segments, whose features are computed once for all these tiles and
// stay in scratch with keys in the lanes. Of masked keys nothing is read: the others are gathered.
//
// In the log domain features of a segment are scaled by their maxima 2^r_f, and those of a query by 2^(r_f - m), where
// m follows the largest one lazily, as in AttentionState.h. A row of a causal scan whose denominator comes out
// suspiciously small may have lost its terms to the scale of keys that it does not see: such rows are computed again
// with few others from the keys that these see and then, if need be, alone, where that cannot happen.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/AttentionCost.h"
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

namespace bochner::cpu {

/// The body of the task; `k` writes into it.
class QuadraticTask {
public:
  /// `smalls` has a counter for each tile of queries; it may be null.
  QuadraticTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel, Value smalls);
  /// `parts` of the queries of a head of keys.
  void emit(Value parts);

private:
  /// A tile of queries, of which head of the group.
  struct QueryTile {
    Value number; ///< among those of the head of keys
    Value head;   ///< of queries
    Value base, count;
    Value rows, out;
  };
  /// Rows [row, row + rows) of tiles [first, first + count) of the queries, which see keys before `endKey`.
  struct Work {
    Value first, count, endKey, row, rows;
  };

  Value integer(int64_t value) { return arith::ConstantIntOp::create(k.b, k.loc, value, 64); }
  Value firstLanes(Value count);
  Value toIndex(Value v) { return arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), v); }
  Value toInteger(Value v) { return arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), v); }
  static constexpr int64_t kPasses = 3;
  /// How many rows of a tile a pass computes together.
  Value rowsOf(Value pass) {
    Value few = k.index(std::gcd<int64_t, int64_t>(tile, 8)), one = k.index(1);
    return k.select(k.equal(pass, k.index(0)), k.index(tile), k.select(k.equal(pass, one), few, one));
  }
  QueryTile enterTile(const Work &work, Value u);
  QuerySums sumsOf(Value u);
  void emitPart(Value part);
  void emitWork(const Work &work, Value pass = nullptr);
  void stageSegment(Value first, Value last);
  void emitKeys();
  void transposeKeys(Value count, Value t);
  void raiseMaxima(Value count);
  void scaleKeys();
  Value seenBy(Value row);
  Value seenInTile(const QueryTile &tile, Value i, Value t);
  void visit(const QueryTile &tile, const QuerySums &sums);
  void emitWeights(const QueryTile &tile, const QuerySums &sums, Value keyTiles);
  void addWeights(const QueryTile &tile, const QuerySums &sums, Value keyTiles);
  void listSuspicious(const QueryTile &at, const QuerySums &sums, Value row, Value pass);

  KernelBuilder &k;
  TaskBuilder &task;
  LinearAttentionKernel &kernel;
  const LinearAttentionOperands &operands;
  AttentionShape shape;
  int64_t tile, segmentTiles, partTiles;
  Value smalls;
  TileEmitter keyEmitter, queryEmitter;
  FeatureTile keyTile, queryTile;
  QuerySums sums;       ///< of all tiles of a part, [part tiles, ...]
  Value weights;        ///< [segment tiles, query, key]
  Value keysTransposed; ///< [segment tiles, F padded, key]
  Value maxima;         ///< r of the segment, [F padded]; null in the linear domain
  Value queryScratch, keyScratch, valueScratch;
  Value smallOnes;        ///< denominators of a tile, [1]; null if they are not counted
  Value seenKeys;         ///< of the rows of a segment up to each one, how many the mask keeps; [segment]
  Value again, againRows; ///< how much each pass has to compute again, and from which rows; null if none
  // Of the head of keys:
  Value entry, head, norm;
  RowSpan querySpan, keySpan;
  Value keyRows, valueRows, mask, firstKey, endKey;
  Value headTiles; ///< of one head of queries
  // Of the segment:
  Value segment, segmentRows; ///< its first row and their number
  StagedRows keys, values;
  Value keyCount; ///< of those that the mask keeps
};

} // namespace bochner::cpu

/// True in the first `count` lanes of a vector.
Value QuadraticTask::firstLanes(Value count) {
  Value step = vector::StepOp::create(k.b, k.loc, VectorType::get({k.lanes()}, k.b.getIndexType()));
  return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, step, k.broadcast(count, k.lanes()));
}

QuadraticTask::QuadraticTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel, Value smalls)
    : k(k), task(task), kernel(kernel), operands(kernel.operands), shape(kernel.shape), tile(k.schedule.getRowTile()),
      segmentTiles(quadraticSegmentTiles(shape.features, k.elementBytes(), k.schedule)),
      partTiles(std::max<int64_t>(k.schedule.getRowChunk() / tile, 1)), smalls(smalls),
      keyEmitter(k, task, *kernel.keyPlan, tile), queryEmitter(k, task, kernel.queryPlan(), tile),
      keyTile(FeatureTile::ofAll(k, task, *kernel.keyPlan)),
      queryTile(FeatureTile::ofBlock(k, task, kernel.queryPlan())) {
  int64_t rows = segmentTiles * tile, width = k.padded(shape.features);
  sums = {task.scratch({partTiles, tile, k.padded(shape.valueWidth)}, k.element),
          task.scratch({partTiles, tile, k.lanes()}, k.element),
          shape.log ? task.scratch({partTiles, tile}, k.element) : Value()};
  weights = task.scratch({segmentTiles, tile, tile}, k.element);
  keysTransposed = task.scratch({segmentTiles, width, tile}, k.element);
  if (shape.log)
    maxima = task.scratch({width}, k.element);
  queryScratch = task.scratch({tile, kernel.queryPlan().program.tiles[0].width}, k.element);
  keyScratch = task.scratch({rows, kernel.keyPlan->program.tiles[0].width}, k.element);
  valueScratch = task.scratch({rows, shape.valueWidth}, k.element);
  if (smalls)
    smallOnes = task.scratch({1}, k.b.getI64Type());
  if (operands.mask && operands.causal)
    seenKeys = task.scratch({rows}, k.b.getI64Type());
  if (shape.log && operands.causal) {
    again = task.scratch({kPasses}, k.b.getI64Type());
    againRows = task.scratch({kPasses, partTiles * tile}, k.b.getI64Type());
  }
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

/// Keys and values of rows [first, last), without masked ones.
void QuadraticTask::stageSegment(Value first, Value last) {
  segment = first;
  segmentRows = k.sub(last, first);
  keyCount = segmentRows;
  if (!mask) {
    keys = stageRows(k, keyRows, first, keyCount, keyScratch);
    values = stageRows(k, valueRows, first, keyCount, valueScratch);
    return;
  }
  auto kept = k.loop(k.index(0), segmentRows, 1, k.index(0), [&](Value i, ValueRange carried) {
    Value row = k.add(first, i);
    auto count = k.choose(k.loadScalar(mask, row), carried, [&] {
      copyRow(k, keyRows, row, keyScratch, carried[0]);
      copyRow(k, valueRows, row, valueScratch, carried[0]);
      return SmallVector<Value>{k.add(carried[0], 1)};
    });
    if (seenKeys)
      k.storeScalar(toInteger(count[0]), seenKeys, i);
    return count;
  });
  keyCount = kept[0];
  keys = {keyScratch, k.index(0)};
  values = {valueScratch, k.index(0)};
}

/// phi(k)^T of the segment, scaled by r.
void QuadraticTask::emitKeys() {
  if (shape.log)
    k.loop(k.index(0), k.index(k.padded(shape.features)), k.lanes(),
           [&](Value f) { k.store(k.splat(k.logRange().unset, k.lanes()), maxima, f, {k.lanes(), k.lanes()}); });
  keyEmitter.setRows(keys.rows);
  k.loop(k.index(0), keyCount, tile, [&](Value position) {
    RowRange rows{k.add(keys.first, position), k.min(k.sub(keyCount, position), k.index(tile))};
    keyEmitter.emitSteps(rows);
    forFeatureBlocks(k, *kernel.keyPlan, [&](const FusedGroup &group, Value block, Columns columns, Value) {
      forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
        auto outputs = keyEmitter.registerTile(group, rows, i, k.add(block, c), part);
        for (size_t o = 0; o < outputs.size(); ++o)
          for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r)
            k.store(outputs[o][r], keyTile.rows, {k.add(i, r), k.add(keyTile.column(k, group, o, block), c)}, part);
      });
    });
    if (shape.log)
      raiseMaxima(rows.count);
    transposeKeys(rows.count, k.div(position, k.index(tile)));
  });
  if (shape.log)
    scaleKeys();
}

/// Tile `t` of the segment, of `count` keys, into the lanes; lanes past the end repeat the last one.
void QuadraticTask::transposeKeys(Value count, Value t) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  Value padded = k.mul(k.ceilDiv(count, k.index(lanes)), k.index(lanes)), last = k.sub(count, k.index(1));
  k.loop(k.index(0), padded, lanes, [&](Value s) {
    SmallVector<Value> rows;
    for (int64_t r = 0; r < lanes; ++r)
      rows.push_back(k.min(k.add(s, r), last));
    k.loop(k.index(0), k.index(k.padded(shape.features)), lanes, [&](Value f) {
      SmallVector<Value> square;
      for (Value row : rows)
        square.push_back(k.load(keyTile.rows, {row, f}, whole));
      square = k.transpose(square);
      for (int64_t j = 0; j < lanes; ++j)
        k.store(square[j], keysTransposed, {t, k.add(f, j), s}, whole);
    });
  });
}

/// maxima = those of the first `count` rows of the tile and what they were.
void QuadraticTask::raiseMaxima(Value count) {
  Columns whole{k.lanes(), k.lanes()};
  k.loop(k.index(0), k.index(k.padded(shape.features)), k.lanes(), [&](Value f) {
    auto most = k.loop(k.index(0), count, 1, k.load(maxima, f, whole), [&](Value i, ValueRange carried) {
      return SmallVector<Value>{k.maxf(k.load(keyTile.rows, {i, f}, whole), carried[0])};
    });
    k.store(most[0], maxima, f, whole);
  });
}

/// Logarithms -> features, relative to the largest one of all keys.
void QuadraticTask::scaleKeys() {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  k.loop(k.index(0), k.index(k.padded(shape.features)), lanes, [&](Value f) {
    // Infinity would hide all others, be it before them or after.
    Value most = k.math().atMost(k.load(maxima, f, whole), -k.logRange().unset);
    k.store(k.math().round(most), maxima, f, whole);
  });
  k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
    Value maximum = k.broadcast(k.loadScalar(maxima, f), lanes);
    k.loop(k.index(0), keyCount, lanes, [&](Value s) {
      SmallVector<Value> at{k.div(s, k.index(tile)), f, k.rem(s, k.index(tile))};
      k.store(k.math().exp2(k.subf(k.load(keysTransposed, at, whole), maximum)), keysTransposed, at, whole);
    });
  });
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

QuerySums QuadraticTask::sumsOf(Value u) {
  return {slice(k, sums.numerator, u), slice(k, sums.denominator, u), shape.log ? slice(k, sums.maximum, u) : Value()};
}

QuadraticTask::QueryTile QuadraticTask::enterTile(const Work &work, Value u) {
  QueryTile at;
  at.number = k.add(work.first, u);
  at.head = k.add(k.mul(head, k.index(operands.group)), k.div(at.number, headTiles));
  at.base = k.add(k.mul(k.rem(at.number, headTiles), k.index(tile)), work.row);
  at.count = k.min(k.sub(querySpan.count, at.base), work.rows);
  at.rows = operands.rows(k, task, operands.query, entry, at.head, querySpan);
  at.out = operands.rows(k, task, operands.out, entry, at.head, querySpan);
  return at;
}

/// How many keys of the segment a row of queries sees: the first ones.
Value QuadraticTask::seenBy(Value row) {
  if (!operands.causal)
    return keyCount;
  Value rows = k.min(k.sub(k.add(row, 1), segment), segmentRows), zero = k.index(0);
  if (!seenKeys)
    return k.max(rows, zero);
  return k.choose(k.less(zero, rows), zero,
                  [&] { return SmallVector<Value>{toIndex(k.loadScalar(seenKeys, k.sub(rows, k.index(1))))}; })[0];
}

/// The same of tile `t` of the segment, for row `i` of the queries; rows past the end repeat the last one.
Value QuadraticTask::seenInTile(const QueryTile &at, Value i, Value t) {
  Value seen = seenBy(k.add(at.base, k.min(i, k.sub(at.count, k.index(1)))));
  return k.max(k.min(k.sub(seen, k.mul(t, k.index(tile))), k.index(tile)), k.index(0));
}

/// Adds what the queries of a tile see of the segment.
void QuadraticTask::visit(const QueryTile &at, const QuerySums &sums) {
  Value seen = seenBy(k.sub(k.add(at.base, at.count), k.index(1)));
  k.when(k.less(k.index(0), seen), [&] {
    kernel.setQueryHead(queryEmitter, head, at.head);
    Value keyTiles = k.ceilDiv(seen, k.index(tile));
    emitWeights(at, sums, keyTiles);
    addWeights(at, sums, keyTiles);
  });
}

/// weights = phi(q) phi(k)^T, block by block of features.
void QuadraticTask::emitWeights(const QueryTile &at, const QuerySums &sums, Value keyTiles) {
  int64_t registerRows = k.schedule.getRegisterRows(), lanes = k.lanes();
  Columns whole{lanes, lanes};
  auto forWeights = [&](Value row, llvm::function_ref<void(ValueRange)> body) {
    k.loop(k.index(0), keyTiles, 1,
           [&](Value t) { k.loop(k.index(0), k.index(tile), lanes, [&](Value s) { body({t, row, s}); }); });
  };
  StagedRows staged = stageRows(k, at.rows, at.base, at.count, queryScratch);
  queryEmitter.setRows(staged.rows);
  RowRange rows{staged.first, at.count};
  queryEmitter.emitSteps(rows);
  Value padded = k.mul(k.ceilDiv(at.count, k.index(registerRows)), k.index(registerRows));
  k.loop(k.index(0), padded, 1, [&](Value i) {
    forWeights(i, [&](ValueRange place) { k.store(k.broadcast(norm, lanes), weights, place, whole); });
  });
  auto rescale = [&](Value row, Value factor) {
    forWeights(
        row, [&](ValueRange place) { k.store(k.mulf(k.load(weights, place, whole), factor), weights, place, whole); });
  };
  AttentionState scale;
  scale.maximum = maxima;
  forFeatureBlocks(k, kernel.queryPlan(), [&](const FusedGroup &group, Value block, Columns columns, Value) {
    emitQueryFeatures(
        k, queryEmitter, group, shape, rows, k.index(0), rows.count, block, columns, scale, queryTile, sums,
        [](Value) {}, shape.log ? llvm::function_ref<void(Value, Value)>(rescale) : nullptr);
    k.loop(k.index(0), keyTiles, 1, [&](Value t) {
      Value target = slice(k, weights, t), keys = slice(k, keysTransposed, t);
      for (size_t o = 0; o < group.outputs.size(); ++o) {
        Value feature = outputColumn(k, group, o, block), column = queryTile.column(k, group, o, block);
        k.loop(k.index(0), rows.count, registerRows, [&](Value i) {
          k.accumulate(
              target, i, registerRows, tile, k.index(columns.valid),
              [&](Value f, int64_t r) { return k.loadScalar(queryTile.rows, {k.add(i, r), k.add(f, column)}); },
              [&](Value f, Value s, Columns part) { return k.load(keys, {k.add(feature, f), s}, part); });
        });
      }
    });
  });
}

/// Denominators and numerators += weights of the keys that rows see, and these times values. What a row does not see is
/// not multiplied, be it infinite or NaN.
void QuadraticTask::addWeights(const QueryTile &at, const QuerySums &sums, Value keyTiles) {
  int64_t registerRows = k.schedule.getRegisterRows(), lanes = k.lanes();
  Columns whole{lanes, lanes};
  k.loop(k.index(0), keyTiles, 1, [&](Value t) {
    Value ofTile = slice(k, weights, t), firstValue = k.add(values.first, k.mul(t, k.index(tile)));
    k.loop(k.index(0), at.count, 1, [&](Value i) {
      Value seen = seenInTile(at, i, t);
      auto sum = k.loop(k.index(0), seen, lanes, k.load(sums.denominator, {i, k.index(0)}, whole),
                        [&](Value s, ValueRange carried) {
                          Value v = k.load(ofTile, {i, s}, whole);
                          v = k.select(firstLanes(k.sub(seen, s)), v, k.splat(0, lanes));
                          return SmallVector<Value>{k.addf(carried[0], v)};
                        });
      k.store(sum[0], sums.denominator, {i, k.index(0)}, whole);
    });
    auto accumulate = [&](Value row, int64_t rows, Value first, Value count) {
      k.accumulate(
          sums.numerator, row, rows, shape.valueWidth, count,
          [&](Value s, int64_t r) { return k.loadScalar(ofTile, {k.add(row, r), k.add(first, s)}); },
          [&](Value s, Value m, Columns part) {
            return k.load(values.rows, {k.add(firstValue, k.add(first, s)), m}, part);
          });
    };
    k.loop(k.index(0), at.count, registerRows, [&](Value i) {
      Value common = seenInTile(at, i, t); // what the first row sees, all do
      accumulate(i, registerRows, k.index(0), common);
      if (!operands.causal)
        return;
      k.loop(k.index(1), k.index(registerRows), 1, [&](Value r) {
        Value row = k.add(i, r), more = k.sub(seenInTile(at, row, t), common);
        k.when(k.less(k.index(0), more), [&] { accumulate(row, 1, common, more); });
      });
    });
  });
}

/// Leaves rows whose denominator is so small that their terms may have been lost to the scale of others to the next
/// pass, with those that it computes together. `row` is the first one's number in the tile.
void QuadraticTask::listSuspicious(const QueryTile &at, const QuerySums &sums, Value row, Value pass) {
  Value least = k.number(std::exp2(k.element.isF64() ? -500 : -60)), zero = k.index(0), next = k.add(pass, 1);
  Value together = rowsOf(next), first = k.add(k.mul(at.number, k.index(tile)), row);
  k.loop(zero, at.count, 1, k.index(-1), [&](Value i, ValueRange latest) {
    Value sum = k.sumLanes(k.load(sums.denominator, {i, zero}, {k.lanes(), k.lanes()}));
    Value small = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OLT, sum, least);
    Value rows = k.mul(k.div(k.add(first, i), together), together);
    Value isNew = arith::AndIOp::create(k.b, k.loc, small, k.less(latest[0], rows));
    k.when(isNew, [&] {
      Value listed = toIndex(k.loadScalar(again, next));
      k.storeScalar(toInteger(rows), againRows, {next, listed});
      k.storeScalar(toInteger(k.add(listed, 1)), again, next);
    });
    return SmallVector<Value>{k.select(isNew, rows, latest[0])};
  });
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

void QuadraticTask::emitWork(const Work &work, Value pass) {
  Value zero = k.index(0);
  k.loop(zero, work.count, 1,
         [&](Value u) { emitQueryStart(k, shape, enterTile(work, u).count, AttentionState(), norm, zero, sumsOf(u)); });
  int64_t size = segmentTiles * tile;
  k.loop(firstKey, work.endKey, size, [&](Value base) {
    stageSegment(base, k.min(k.add(base, size), work.endKey));
    k.when(k.less(zero, keyCount), [&] {
      emitKeys();
      k.loop(zero, work.count, 1, [&](Value u) { visit(enterTile(work, u), sumsOf(u)); });
    });
  });
  k.loop(zero, work.count, 1, [&](Value u) {
    QueryTile at = enterTile(work, u);
    QuerySums ofTile = sumsOf(u);
    if (smalls)
      k.storeScalar(integer(0), smallOnes, zero);
    emitQueryEnd(k, shape, at.count, ofTile, kernel.how, kernel.offsetOf(k, task, entry, at.head), smallOnes, at.out,
                 at.base);
    if (smalls) {
      Value heads = k.dim(task.captured(operands.key), 1), tiles = k.mul(headTiles, k.index(operands.group));
      Value before = k.mul(k.add(k.mul(entry, heads), head), tiles);
      k.storeScalar(k.loadScalar(smallOnes, zero), task.captured(smalls), k.add(before, at.number));
    }
    if (pass)
      k.when(k.less(k.add(pass, 1), k.index(kPasses)), [&] { listSuspicious(at, ofTile, work.row, pass); });
  });
}

void QuadraticTask::emitPart(Value part) {
  Work work;
  Value zero = k.index(0), tiles = k.mul(headTiles, k.index(operands.group));
  work.first = k.mul(part, k.index(partTiles));
  work.count = k.max(k.min(k.sub(tiles, work.first), k.index(partTiles)), zero);
  work.endKey = endKey;
  if (operands.causal) { // all keys if the tiles are those of several heads
    Value last = k.sub(k.add(work.first, work.count), k.index(1));
    Value together = k.equal(k.div(work.first, headTiles), k.div(last, headTiles));
    Value end = k.mul(k.add(k.rem(last, headTiles), 1), k.index(tile));
    work.endKey = k.select(together, k.min(end, endKey), endKey);
  }
  work.row = zero;
  work.rows = k.index(tile);
  if (!again)
    return emitWork(work);
  // One copy of the code serves all passes.
  k.loop(zero, k.index(kPasses), 1, [&](Value pass) { k.storeScalar(integer(0), again, pass); });
  k.loop(zero, k.index(kPasses), 1, [&](Value pass) {
    Value all = k.equal(pass, zero), rows = rowsOf(pass);
    Value items = k.select(all, k.index(1), toIndex(k.loadScalar(again, pass)));
    k.loop(zero, items, 1, [&](Value item) {
      Value first = k.select(all, zero, toIndex(k.loadScalar(againRows, {pass, item})));
      Value row = k.rem(first, k.index(tile)), number = k.div(first, k.index(tile));
      Value end = k.add(k.add(k.mul(k.rem(number, headTiles), k.index(tile)), row), rows);
      emitWork({k.select(all, work.first, number), k.select(all, work.count, k.index(1)),
                k.select(all, work.endKey, k.min(end, endKey)), row, rows},
               pass);
    });
  });
}

void QuadraticTask::emit(Value parts) {
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), task.captured(parts));
  entry = at.batch;
  head = at.head;
  querySpan = operands.querySpan(k, task, entry);
  keySpan = operands.keySpan(k, task, entry);
  keyRows = operands.rows(k, task, operands.key, entry, head, keySpan);
  valueRows = operands.rows(k, task, operands.value, entry, head, keySpan);
  mask = operands.maskOf(k, task, entry, keySpan);
  Value zero = k.index(0), visible = operands.visibleKeys(k, task, entry, keySpan);
  firstKey = operands.reversed ? k.sub(keySpan.count, visible) : zero;
  endKey = operands.reversed ? keySpan.count : visible;
  headTiles = k.max(k.ceilDiv(querySpan.count, k.index(tile)), k.index(1));
  keyEmitter.setHead(head);
  norm = kernel.keyPlan->constants.empty() ? k.number(0) : keyEmitter.constantNorm();
  if (!operands.sequences)
    return emitPart(at.part);
  k.loop(zero, k.ceilDiv(k.mul(headTiles, k.index(operands.group)), k.index(partTiles)), 1,
         [&](Value part) { emitPart(part); });
}

void LinearAttentionKernel::emitQuadratic() {
  Value one = host.index(1), tile = host.index(host.schedule.getRowTile());
  Value headTiles = host.max(host.ceilDiv(host.dim(operands.query, 2), tile), one);
  Value tiles = host.mul(headTiles, host.index(operands.group)), smalls;
  Value partTiles = host.max(host.div(host.index(host.schedule.getRowChunk()), tile), one);
  Value parts = operands.sequences ? one : host.ceilDiv(tiles, partTiles);
  if (operands.counts)
    smalls = workspace(host, {ShapedType::kDynamic}, keyTasks(tiles), host.b.getI64Type());
  SmallVector<Value> more{operands.offset, smalls, parts};
  llvm::append_range(more, queryPlan().captures());
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_quadratic").str(), capturesOf(*keyPlan, more));
  QuadraticTask(k, task, *this, smalls).emit(parts);
  task.finish(host, k, keyTasks(parts));
  if (smalls)
    sumCounts(smalls, headTiles);
}
