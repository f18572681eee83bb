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
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

static Value visibleKeys(KernelBuilder &k, Value lengths, Value batch, Value keys) {
  if (!lengths)
    return keys;
  Value length = k.loadScalar(lengths, batch);
  if (!length.getType().isIndex())
    length = arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), length);
  return k.max(k.min(length, keys), k.index(0));
}

namespace {
constexpr double kLog2E = 1.4426950408889634;

class ExactAttentionKernel {
public:
  ExactAttentionKernel(KernelBuilder &host, func::FuncOp kernel, spectral::ExactAttentionOp op);
  void emit();

private:
  void loadQueries();
  void loadKeyNorms(Value first, Value count);
  void emitScores(Value first, Value count);
  SmallVector<Value> raiseMaximum(ArrayRef<Value> scores, Value old, Value row, Value column);
  SmallVector<Value> maskFuture(ArrayRef<Value> scores, Value key, Value column, double fill);
  void emitOutput();

  KernelBuilder &host, k;
  func::FuncOp kernel;
  double scale, eps;
  bool gaussian, causal;
  int64_t headDimension, valueWidth, tile, block;
  // Of the task:
  Value queryRows, keyRows, valueRows, outRows; ///< of the head
  Value base, rows;                             ///< the tile of queries
  Value transposed;                             ///< [D, tile]
  Value queryNorms, keyNorms;                   ///< [tile], for the Gaussian kernel
  Value maximum, denominator, factors;          ///< [tile]
  Value weights;                                ///< [tile of keys, tile of queries]
  Value numerator;                              ///< [tile, M padded]
};
} // namespace

ExactAttentionKernel::ExactAttentionKernel(KernelBuilder &host, func::FuncOp kernel, spectral::ExactAttentionOp op)
    : host(host), k(host), kernel(kernel), scale(op.getScale().convertToDouble()), eps(op.getEps().convertToDouble()),
      gaussian(op.getKernel() == spectral::Kernel::gaussian), causal(op.isCausal()),
      headDimension(op.getQuery().getType().getDimSize(3)), valueWidth(op.getValue().getType().getDimSize(3)),
      tile(host.schedule.getRowTile()), block(host.schedule.getRegisterColumns()) {}

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

/// keyNorms[s] = -scale/2 log2(e) |k_s|^2.
void ExactAttentionKernel::loadKeyNorms(Value first, Value count) {
  k.loop(k.index(0), count, 1, [&](Value s) {
    Value total;
    k.columnBlocks(headDimension, headDimension, [&](Value d, Columns columns) {
      Value v = k.load(keyRows, {k.add(first, s), d}, k.columns(headDimension));
      total = k.sumLanes(k.mulf(v, v));
    });
    k.storeScalar(k.mulf(total, k.number(-scale * kLog2E / 2)), keyNorms, s);
  });
}

/// Scores of keys after their query get `fill`; `key` is the position of the first row of `scores`.
SmallVector<Value> ExactAttentionKernel::maskFuture(ArrayRef<Value> scores, Value key, Value column, double fill) {
  auto type = VectorType::get({block}, k.b.getIndexType());
  Value lanes = vector::StepOp::create(k.b, k.loc, type);
  Value query = arith::AddIOp::create(k.b, k.loc, lanes, k.broadcast(k.add(base, column), block));
  SmallVector<Value> masked;
  for (auto [r, v] : llvm::enumerate(scores)) {
    Value seen = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::sge, query, k.broadcast(k.add(key, r), block));
    masked.push_back(arith::SelectOp::create(k.b, k.loc, seen, v, k.splat(fill, block)));
  }
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
          [&](Value d, int64_t r) { return k.loadScalar(keyRows, {k.add(first, at[r]), d}); },
          [&](Value d) { return k.load(transposed, {d, c}, whole); });
      Value key = k.add(first, i), diagonal;
      if (causal) {
        diagonal = k.less(k.add(base, c), k.add(key, registerRows - 1));
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
      if (causal) // a power of two is never exactly zero
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
    if (gaussian && eps != 0) {
      Value exponent = k.subf(k.number(std::log2(eps)), k.loadScalar(maximum, i));
      sum = k.addf(sum, k.math().exp2(exponent));
    }
    Value inverse = k.divf(k.number(1), sum);
    k.columnBlocks(valueWidth, block, [&](Value m, Columns columns) {
      Value v = k.load(numerator, {i, m}, {columns.padded, columns.padded});
      k.store(k.mulf(v, k.broadcast(inverse, columns.padded)), outRows, {k.add(base, i), m}, columns);
    });
  });
}

void ExactAttentionKernel::emit() {
  Value query = kernel.getArgument(0), key = kernel.getArgument(1), value = kernel.getArgument(2);
  Value lengths = kernel.getNumArguments() == 5 ? Value(kernel.getArgument(3)) : Value();
  Value out = kernel.getArguments().back();
  Value parts = host.ceilDiv(host.dim(query, 2), host.index(tile));
  SmallVector<Value> captured{query, key, value, out, parts};
  if (lengths)
    captured.push_back(lengths);
  TaskBuilder task(k, kernel, (kernel.getName() + "_tile").str(), captured);
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(query), 1), task.captured(parts));
  Value keyCount = k.dim(task.captured(key), 2), queryCount = k.dim(task.captured(query), 2);
  Value visible = visibleKeys(k, lengths ? task.captured(lengths) : Value(), at.batch, keyCount);
  queryRows = headRows(k, task.captured(query), at.batch, at.head);
  keyRows = headRows(k, task.captured(key), at.batch, at.head);
  valueRows = headRows(k, task.captured(value), at.batch, at.head);
  outRows = headRows(k, task.captured(out), at.batch, at.head);
  base = k.mul(at.part, k.index(tile));
  rows = k.min(k.sub(queryCount, base), k.index(tile));
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

  int64_t lanes = k.lanes(), registerRows = k.schedule.getRegisterRows();
  k.when(
      k.equal(visible, k.index(0)),
      [&] {
        k.loop(k.index(0), rows, 1, [&](Value i) {
          k.columnBlocks(valueWidth, block, [&](Value m, Columns columns) {
            k.store(k.splat(0, columns.padded), outRows, {k.add(base, i), m}, columns);
          });
        });
      },
      [&] {
        loadQueries();
        k.loop(k.index(0), k.index(tile), lanes, [&](Value l) {
          k.store(k.splat(k.logRange().unset, lanes), maximum, l, {lanes, lanes});
          k.store(k.splat(0, lanes), denominator, l, {lanes, lanes});
        });
        k.loop(k.index(0), k.index(tile), 1, [&](Value i) {
          k.loop(k.index(0), k.index(k.padded(valueWidth)), lanes,
                 [&](Value m) { k.store(k.splat(0, lanes), numerator, {i, m}, {lanes, lanes}); });
        });
        Value end = causal ? k.min(visible, k.add(base, rows)) : visible;
        k.loop(k.index(0), end, tile, [&](Value first) {
          Value count = k.min(k.sub(end, first), k.index(tile));
          if (gaussian)
            loadKeyNorms(first, count);
          emitScores(first, count);
          k.loop(k.index(0), rows, registerRows, [&](Value l) {
            auto weight = [&](Value s, int64_t r) { return k.loadScalar(weights, {s, k.add(l, r)}); };
            auto valueRow = [&](Value s, Value m, Columns columns) {
              return k.load(valueRows, {k.add(first, s), m}, columns);
            };
            if (causal) // tiles of queries and of keys start at the same positions
              k.accumulateCausal(numerator, l, registerRows, valueWidth, count, k.equal(first, base), weight, valueRow);
            else
              k.accumulate(numerator, l, registerRows, valueWidth, count, weight, valueRow);
          });
        });
        emitOutput();
      });
  task.finish(host, k, host.mul(host.mul(host.dim(query, 0), host.dim(query, 1)), parts));
}

LogicalResult bochner::cpu::emitExactAttention(KernelBuilder &k, func::FuncOp kernel, spectral::ExactAttentionOp op) {
  if (op.getMask() || op.getSequences() || op.getCausality() == spectral::Causality::anticausal ||
      op.getQuery().getType().getDimSize(1) != op.getKey().getType().getDimSize(1))
    return op.emitOpError() << "unsupported on CPUs: 'mask', 'sequences', grouped heads and causality<anticausal>";
  ExactAttentionKernel(k, kernel, op).emit();
  return success();
}
