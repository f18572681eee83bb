//===- ExactAttention.cpp - softmax and Gaussian attention on the CPU -----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A task has a tile of queries, transposed once and scaled by scale log2(e). Scores of a tile of keys are then computed
// with queries in the lanes, so that running maxima and denominators are vectors and need no horizontal operation; the
// weights are exponentiated relative to a maximum that moves only when a score exceeds it by LogRange::growth ("Online
// normalizer calculation for softmax", with lazy rescaling).
//
// Of masked keys nothing is read. Without causality the visible ones are gathered, as many to a tile as it holds; with
// it, a masked key keeps its place in its tile, with the smallest weight there is and zeros for values.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/Kernels.h"
#include "lib/Conversion/Cpu/PackedTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

namespace {
constexpr double kLog2E = 1.4426950408889634;

class ExactAttentionKernel {
public:
  ExactAttentionKernel(KernelBuilder &host, func::FuncOp kernel, spectral::ExactAttentionOp op);
  void emit();

private:
  void locateTile(TaskBuilder &task, Value parts, const std::optional<PackedTiles> &packed);
  void takeScratch(TaskBuilder &task);
  void loadQueries();
  void visitTiles();
  void visitGathered();
  void visitHidden();
  void stageHidden(Value first, Value count);
  void visit(Value first, Value count);
  void loadKeyNorms(Value count);
  void emitScores(Value first, Value count);
  SmallVector<Value> raiseMaximum(ArrayRef<Value> scores, Value old, Value row, Value column);
  SmallVector<Value> maskFuture(ArrayRef<Value> scores, Value key, Value column, double fill);
  SmallVector<Value> maskHidden(ArrayRef<Value> scores, ArrayRef<Value> keys);
  void emitOutput();

  KernelBuilder &host, k;
  func::FuncOp kernel;
  AttentionOperands operands;
  double scale, eps;
  bool gaussian;
  bool shifted; ///< the first query may see another key than the first one
  bool hidden;  ///< tiles have keys that no query sees
  int64_t headDimension, valueWidth, tile, block;
  // Of the task:
  Value queryRows, keyRows, valueRows, outRows; ///< of the head
  Value mask, keyCount;                         ///< of the visible span of keys
  Value base, rows;                             ///< the tile of queries
  Value origin, start;                          ///< the last key that its first query sees; where tiles of keys begin
  Value keyScratch, valueScratch, flags;        ///< [tile, D], [tile, M], [tile]
  StagedRows keys, values;                      ///< the tile of keys
  Value transposed;                             ///< [D, tile]
  Value queryNorms, keyNorms;                   ///< [tile], for the Gaussian kernel
  Value maximum, denominator, factors;          ///< [tile]
  Value weights;                                ///< [tile of keys, tile of queries]
  Value numerator;                              ///< [tile, M padded]
};
} // namespace

ExactAttentionKernel::ExactAttentionKernel(KernelBuilder &host, func::FuncOp kernel, spectral::ExactAttentionOp op)
    : host(host), k(host), kernel(kernel), scale(op.getScale().convertToDouble()), eps(op.getEps().convertToDouble()),
      gaussian(op.getKernel() == spectral::Kernel::gaussian), headDimension(op.getQuery().getType().getDimSize(3)),
      valueWidth(op.getValue().getType().getDimSize(3)), tile(host.schedule.getRowTile()),
      block(host.schedule.getRegisterColumns()) {
  unsigned next;
  operands = readOperands(kernel, op, next);
  shifted = operands.reversed && (operands.lengths || operands.keySequences);
  hidden = operands.causal && (operands.mask || shifted);
}

//===----------------------------------------------------------------------===//
// Tiles of queries
//===----------------------------------------------------------------------===//

void ExactAttentionKernel::locateTile(TaskBuilder &task, Value parts, const std::optional<PackedTiles> &packed) {
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.query), 1), task.captured(parts));
  RowSpan queries, keys;
  if (packed) {
    PackedTiles::Tile tile = packed->read(k, task, at.part);
    queries = tile.queries;
    keys = tile.keys;
    base = tile.base;
  } else {
    queries = operands.querySpan(k, task, at.batch);
    keys = operands.keySpan(k, task, at.batch);
    keys.count = operands.visibleKeys(k, task, at.batch, keys);
    base = k.mul(at.part, k.index(tile));
  }
  rows = k.min(k.sub(queries.count, base), k.index(tile));
  keyCount = keys.count;
  origin = base;
  start = k.index(0);
  if (shifted) {
    // Views run backwards from the last visible key and from the last query, which see each other if their positions
    // are equal. Tiles of keys begin a multiple of their size before the diagonal, the first one at 0 or below.
    origin = k.add(base, k.sub(keyCount, queries.count));
    Value whole = k.mul(k.ceilDiv(queries.count, k.index(tile)), k.index(tile));
    Value past = k.rem(k.add(keyCount, k.sub(whole, queries.count)), k.index(tile));
    start = k.sub(k.index(0), k.rem(k.sub(k.index(tile), past), k.index(tile)));
  }
  Value keyHead = k.div(at.head, k.index(operands.group));
  queryRows = operands.rows(k, task, operands.query, at.batch, at.head, queries);
  outRows = operands.rows(k, task, operands.out, at.batch, at.head, queries);
  keyRows = operands.rows(k, task, operands.key, at.batch, keyHead, keys);
  valueRows = operands.rows(k, task, operands.value, at.batch, keyHead, keys);
  mask = operands.maskOf(k, task, at.batch, keys);
}

void ExactAttentionKernel::takeScratch(TaskBuilder &task) {
  keyScratch = task.scratch({tile, headDimension}, k.element);
  valueScratch = task.scratch({tile, valueWidth}, k.element);
  if (hidden)
    flags = task.scratch({tile}, k.b.getI1Type());
  transposed = task.scratch({headDimension, tile}, k.element);
  if (gaussian) {
    queryNorms = task.scratch({tile}, k.element);
    keyNorms = task.scratch({tile}, k.element);
  }
  maximum = task.scratch({tile}, k.element);
  denominator = task.scratch({tile}, k.element);
  factors = task.scratch({block}, k.element);
  weights = task.scratch({tile, tile}, k.element);
  numerator = task.scratch({tile, k.padded(valueWidth)}, k.element);
}

/// Queries of the tile -> lanes; rows past the end repeat the last one.
void ExactAttentionKernel::loadQueries() {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  double factor = scale * kLog2E;
  k.loop(k.index(0), k.index(tile), lanes, [&](Value group) {
    SmallVector<Value> at;
    for (int64_t r = 0; r < lanes; ++r)
      at.push_back(k.add(base, k.min(k.add(group, r), k.sub(rows, k.index(1)))));
    if (gaussian)
      k.store(k.splat(0, lanes), queryNorms, group, whole);
    k.columnBlocks(headDimension, lanes, [&](Value d, Columns columns) {
      SmallVector<Value> square;
      for (Value row : at)
        square.push_back(k.load(queryRows, {row, d}, columns));
      square = k.transpose(square);
      Value norm = gaussian ? k.load(queryNorms, group, whole) : Value();
      for (int64_t j = 0; j < columns.valid; ++j) {
        k.store(k.mulf(square[j], k.splat(factor, lanes)), transposed, {k.add(d, j), group}, whole);
        if (gaussian)
          norm = k.fma(square[j], square[j], norm);
      }
      if (gaussian)
        k.store(norm, queryNorms, group, whole);
    });
    if (gaussian)
      k.store(k.mulf(k.load(queryNorms, group, whole), k.splat(-factor / 2, lanes)), queryNorms, group, whole);
  });
}

//===----------------------------------------------------------------------===//
// Tiles of keys
//===----------------------------------------------------------------------===//

void ExactAttentionKernel::visitTiles() {
  Value end = operands.causal ? k.min(keyCount, k.add(base, rows)) : keyCount;
  k.loop(start, end, tile, [&](Value first) {
    Value count = k.min(k.sub(end, first), k.index(tile));
    keys = stageRows(k, keyRows, first, count, keyScratch);
    values = stageRows(k, valueRows, first, count, valueScratch);
    visit(first, count);
  });
}

/// Visible keys in tiles as full as those of keys that lie next to each other.
void ExactAttentionKernel::visitGathered() {
  keys = {keyScratch, k.index(0)};
  values = {valueScratch, k.index(0)};
  k.loop(k.index(0), keyCount, 1, k.index(0), [&](Value key, ValueRange gathered) {
    Value visible = k.loadScalar(mask, key), count = k.select(visible, k.add(gathered[0], 1), gathered[0]);
    k.when(visible, [&] {
      copyRow(k, keyRows, key, keyScratch, gathered[0]);
      copyRow(k, valueRows, key, valueScratch, gathered[0]);
    });
    Value full = k.equal(count, k.index(tile)), last = k.equal(k.add(key, 1), keyCount);
    Value any = k.less(k.index(0), count), end = k.select(last, any, full);
    k.when(end, [&] { visit(k.index(0), count); });
    return SmallVector<Value>{k.select(end, k.index(0), count)};
  });
}

void ExactAttentionKernel::visitHidden() {
  keys = {keyScratch, k.index(0)};
  values = {valueScratch, k.index(0)};
  Value end = k.min(keyCount, k.add(origin, rows));
  k.when(k.less(k.index(0), end), [&] {
    k.loop(start, end, tile, [&](Value first) {
      Value count = k.min(k.sub(end, first), k.index(tile));
      stageHidden(first, count);
      visit(first, count);
    });
  });
}

/// The tile of keys, which ones no query sees, since they are masked or do not exist, and zeros for values of these.
void ExactAttentionKernel::stageHidden(Value first, Value count) {
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value key = k.add(first, i), visible;
    if (shifted) {
      visible = k.less(k.index(-1), key);
      key = k.max(key, k.index(0));
    }
    if (mask) {
      Value kept = k.loadScalar(mask, key);
      visible = visible ? arith::AndIOp::create(k.b, k.loc, visible, kept).getResult() : kept;
    }
    k.storeScalar(visible, flags, i);
    k.when(
        visible,
        [&] {
          copyRow(k, keyRows, key, keyScratch, i);
          copyRow(k, valueRows, key, valueScratch, i);
        },
        [&] {
          k.registerBlocks(valueWidth, [&](Value c, Columns columns) {
            k.store(k.splat(0, columns.padded), valueScratch, {i, c}, columns);
          });
        });
  });
}

/// Adds the tile of `count` keys, the first of which has position `first`.
void ExactAttentionKernel::visit(Value first, Value count) {
  if (gaussian)
    loadKeyNorms(count);
  emitScores(first, count);
  int64_t registerRows = k.schedule.getRegisterRows();
  k.loop(k.index(0), rows, registerRows, [&](Value l) {
    auto weight = [&](Value s, int64_t r) { return k.loadScalar(weights, {s, k.add(l, r)}); };
    auto valueRow = [&](Value s, Value m, Columns columns) {
      return k.load(values.rows, {k.add(values.first, s), m}, columns);
    };
    if (operands.causal) // the tile of keys with the diagonal starts there
      k.accumulateCausal(numerator, l, registerRows, valueWidth, count, k.equal(first, origin), weight, valueRow);
    else
      k.accumulate(numerator, l, registerRows, valueWidth, count, weight, valueRow);
  });
}

/// keyNorms[s] = -scale/2 log2(e) |k_s|^2.
void ExactAttentionKernel::loadKeyNorms(Value count) {
  k.loop(k.index(0), count, 1, [&](Value s) {
    Value v = k.load(keys.rows, {k.add(keys.first, s), k.index(0)}, k.columns(headDimension));
    k.storeScalar(k.mulf(k.sumLanes(k.mulf(v, v)), k.number(-scale * kLog2E / 2)), keyNorms, s);
  });
}

/// Scores of keys after their query get `fill`; `key` is the position of the first row of `scores`.
SmallVector<Value> ExactAttentionKernel::maskFuture(ArrayRef<Value> scores, Value key, Value column, double fill) {
  auto type = VectorType::get({block}, k.b.getIndexType());
  Value lanes = vector::StepOp::create(k.b, k.loc, type);
  Value query = arith::AddIOp::create(k.b, k.loc, lanes, k.broadcast(k.add(origin, column), block));
  SmallVector<Value> masked;
  for (auto [r, v] : llvm::enumerate(scores)) {
    Value seen = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::sge, query, k.broadcast(k.add(key, r), block));
    masked.push_back(arith::SelectOp::create(k.b, k.loc, seen, v, k.splat(fill, block)));
  }
  return masked;
}

/// Keys of the tile that no query sees get the smallest weight there is; their values are zeros.
SmallVector<Value> ExactAttentionKernel::maskHidden(ArrayRef<Value> scores, ArrayRef<Value> keys) {
  Value least = k.splat(-std::numeric_limits<double>::infinity(), block);
  SmallVector<Value> masked;
  for (auto [key, v] : llvm::zip_equal(keys, scores))
    masked.push_back(k.select(k.loadScalar(flags, key), v, least));
  return masked;
}

/// Moves maxima of queries up to the scores that exceed them by too much and rescales what was summed.
SmallVector<Value> ExactAttentionKernel::raiseMaximum(ArrayRef<Value> scores, Value old, Value row, Value column) {
  Columns whole{block, block};
  Value most = scores[0];
  for (Value v : scores.drop_front())
    most = k.maxf(v, most);
  Value grown = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, k.subf(most, old),
                                      k.splat(k.logRange().growth, block));
  Value raised = arith::SelectOp::create(k.b, k.loc, grown, most, old);
  Value factor = k.math().exp2(k.subf(old, raised));
  k.store(raised, maximum, column, whole);
  k.store(k.mulf(k.load(denominator, column, whole), factor), denominator, column, whole);
  k.loop(k.index(0), row, 1,
         [&](Value s) { k.store(k.mulf(k.load(weights, {s, column}, whole), factor), weights, {s, column}, whole); });
  k.store(factor, factors, k.index(0), whole);
  int64_t lanes = k.lanes();
  k.loop(k.index(0), k.index(block), 1, [&](Value l) {
    Value wide = k.broadcast(k.loadScalar(factors, l), lanes), at = k.add(column, l);
    k.loop(k.index(0), k.index(k.padded(valueWidth)), lanes, [&](Value m) {
      k.store(k.mulf(k.load(numerator, {at, m}, {lanes, lanes}), wide), numerator, {at, m}, {lanes, lanes});
    });
  });
  SmallVector<Value> shifted;
  for (Value v : scores)
    shifted.push_back(k.subf(v, raised));
  return shifted;
}

/// Weights of the keys [first, first + count) and their sums.
void ExactAttentionKernel::emitScores(Value first, Value count) {
  int64_t registerRows = k.schedule.getRegisterRows();
  Columns whole{block, block};
  double infinity = std::numeric_limits<double>::infinity();
  k.loop(k.index(0), count, registerRows, [&](Value i) {
    k.loop(k.index(0), k.index(tile), block, [&](Value c) {
      SmallVector<Value> at, init;
      for (int64_t r = 0; r < registerRows; ++r)
        at.push_back(r == 0 ? i : k.min(k.add(i, r), k.sub(count, k.index(1))));
      for (Value s : at) {
        Value start = k.splat(0, block);
        if (gaussian)
          start = k.addf(k.load(queryNorms, c, whole), k.broadcast(k.loadScalar(keyNorms, s), block));
        init.push_back(start);
      }
      auto scores = k.product(
          init, k.index(headDimension),
          [&](Value d, int64_t r) { return k.loadScalar(keys.rows, {k.add(keys.first, at[r]), d}); },
          [&](Value d) { return k.load(transposed, {d, c}, whole); });
      Value key = k.add(first, i), diagonal;
      if (hidden)
        scores = maskHidden(scores, at);
      if (operands.causal) {
        diagonal = k.less(k.add(origin, c), k.add(key, registerRows - 1));
        scores = k.choose(diagonal, scores, [&] { return maskFuture(scores, key, c, -infinity); });
      }
      Value old = k.load(maximum, c, whole), above;
      SmallVector<Value> weight;
      for (Value v : scores) {
        weight.push_back(k.subf(v, old));
        Value is = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, weight.back(),
                                         k.splat(k.logRange().growth, block));
        above = above ? arith::OrIOp::create(k.b, k.loc, above, is).getResult() : is;
      }
      weight = k.choose(k.anyTrue(above), weight, [&] { return raiseMaximum(scores, old, i, c); });
      for (Value &v : weight)
        v = k.math().exp2Bounded(v);
      if (operands.causal) // a power of two is never exactly zero
        weight = k.choose(diagonal, weight, [&] { return maskFuture(weight, key, c, 0); });
      for (int64_t r = 0; r < registerRows; ++r)
        k.store(weight[r], weights, {k.add(i, r), c}, whole);
      auto addToDenominator = [&](Value v) {
        k.store(k.addf(k.load(denominator, c, whole), v), denominator, c, whole);
      };
      k.when(
          k.less(k.add(i, registerRows - 1), count),
          [&] {
            Value sum = weight[0];
            for (Value v : ArrayRef(weight).drop_front())
              sum = k.addf(sum, v);
            addToDenominator(sum);
          },
          [&] { k.loop(i, count, 1, [&](Value s) { addToDenominator(k.load(weights, {s, c}, whole)); }); });
    });
  });
}

void ExactAttentionKernel::emitOutput() {
  k.loop(k.index(0), rows, 1, [&](Value i) {
    Value sum = k.loadScalar(denominator, i);
    // A weight is never 0, so that this is a query without a visible key.
    Value none = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OEQ, sum, k.number(0));
    if (gaussian && eps != 0) {
      Value exponent = k.subf(k.number(std::log2(eps)), k.loadScalar(maximum, i));
      sum = k.addf(sum, k.math().exp2(exponent));
    }
    Value inverse = k.select(none, k.number(0), k.divf(k.number(1), sum));
    k.registerBlocks(valueWidth, [&](Value m, Columns columns) {
      Value v = k.load(numerator, {i, m}, {columns.padded, columns.padded});
      k.store(k.mulf(v, k.broadcast(inverse, columns.padded)), outRows, {k.add(base, i), m}, columns);
    });
  });
}

void ExactAttentionKernel::emit() {
  std::optional<PackedTiles> packed;
  if (operands.sequences)
    packed = PackedTiles::plan(host, kernel, operands, tile);
  Value parts = packed ? packed->slots : host.ceilDiv(host.dim(operands.query, 2), host.index(tile));
  SmallVector<Value> captured = operands.captures();
  captured.push_back(parts);
  if (packed)
    captured.push_back(packed->table);
  TaskBuilder task(k, kernel, (kernel.getName() + "_tile").str(), captured);
  locateTile(task, parts, packed);
  takeScratch(task);
  auto emitTile = [&] {
    int64_t lanes = k.lanes();
    loadQueries();
    k.loop(k.index(0), k.index(tile), lanes, [&](Value l) {
      k.store(k.splat(k.logRange().unset, lanes), maximum, l, {lanes, lanes});
      k.store(k.splat(0, lanes), denominator, l, {lanes, lanes});
    });
    k.loop(k.index(0), k.index(tile), 1, [&](Value i) {
      k.loop(k.index(0), k.index(k.padded(valueWidth)), lanes,
             [&](Value m) { k.store(k.splat(0, lanes), numerator, {i, m}, {lanes, lanes}); });
    });
    if (hidden)
      visitHidden();
    else if (operands.mask)
      visitGathered();
    else
      visitTiles();
    emitOutput();
  };
  if (packed)
    k.when(k.less(k.index(0), rows), emitTile);
  else
    emitTile();
  task.finish(host, k, host.mul(host.mul(host.dim(operands.query, 0), host.dim(operands.query, 1)), parts));
}

LogicalResult bochner::cpu::emitExactAttention(KernelBuilder &k, func::FuncOp kernel, spectral::ExactAttentionOp op) {
  ExactAttentionKernel(k, kernel, op).emit();
  return success();
}
