//===- RecurrentAttention.cpp - linear attention row by row ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The form for decoding: a task per head of keys takes its rows one by one. Features of a few rows of keys and of all
// their queries are computed together, so that the parameters are read once; then each row passes over the state once,
// which reads it, adds the key, writes it and applies the queries. The first row reads the caller's initial state and
// writes the final one, which may be the same memory.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

namespace bochner::cpu {

/// The body of the task; `k` writes into it.
class RecurrentTask {
public:
  RecurrentTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel);
  void emit();

private:
  StateBuffers start();
  void emitFeatures(Value base, Value keyCount, Value queryCount);
  void emitRawRows(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, Value first);
  void emitToken(Value base, Value i, Value keyCount, Value queryCount, const StateBuffers &source);
  void updateNormalizer(Value row, const StateBuffers &source);
  void weighQueries(Value g, Value row);
  void passOverState(const StateBuffers &source, Value valueRow, bool update, bool apply);
  void emitOutputs(Value position);
  Value maximumOf(const StateBuffers &of, Value f, Columns columns, Value z);

  KernelBuilder &k;
  TaskBuilder &task;
  LinearAttentionKernel &kernel;
  const LinearAttentionOperands &operands;
  AttentionShape shape;
  int64_t group, capacity; ///< query heads of a head of keys, rows whose features are in scratch
  bool direct;             ///< the first row reads the caller's state
  TaskPosition at;
  RowSpan querySpan, keySpan;
  Value keyRows, valueRows, mask;
  Value hidden; ///< rows of reversed views whose keys padding hides; null for none
  StateBuffers target;
  TileEmitter keyEmitter, queryEmitter;
  QuerySums sums;     ///< a row for each query head
  Value staged;       ///< rows of keys, then of queries by heads, [capacity, D]
  Value raw;          ///< their features, or binary logarithms of these, [capacity, F padded]
  Value factors;      ///< what the old state is multiplied by, [F padded]; null in the linear domain
  Value weights;      ///< features of the key, [F padded]
  Value queryWeights; ///< features of the queries, [group, F padded]
};

} // namespace bochner::cpu

RecurrentTask::RecurrentTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel)
    : k(k), task(task), kernel(kernel), operands(kernel.operands), shape(kernel.shape), group(operands.group),
      capacity(std::max(k.schedule.getRowTile(), group + 1)),
      // Without rows of this call nothing would read the caller's state.
      direct(operands.initial && operands.final && !operands.mask && !operands.lengths &&
             cast<MemRefType>(operands.initial.sums.getType()).getElementType() ==
                 cast<MemRefType>(operands.final.sums.getType()).getElementType()),
      keyEmitter(k, task, *kernel.keyPlan, capacity), queryEmitter(k, task, kernel.queryPlan(), capacity) {
  at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), k.index(1));
  querySpan = operands.querySpan(k, task, at.batch);
  keySpan = operands.keySpan(k, task, at.batch);
  keyRows = operands.rows(k, task, operands.key, at.batch, at.head, keySpan);
  valueRows = operands.rows(k, task, operands.value, at.batch, at.head, keySpan);
  mask = operands.maskOf(k, task, at.batch, keySpan);
  int64_t features = k.padded(shape.features) + k.lanes();
  int64_t depth = std::max(kernel.keyPlan->program.tiles[0].width, kernel.queryPlan().program.tiles[0].width);
  staged = task.scratch({capacity, depth}, k.element);
  raw = task.scratch({capacity + k.schedule.getRegisterRows(), features}, k.element);
  if (shape.log)
    factors = task.scratch({features}, k.element);
  weights = task.scratch({features}, k.element);
  queryWeights = task.scratch({group, features}, k.element);
  sums = {task.scratch({group, k.padded(shape.valueWidth)}, k.element), task.scratch({group, k.lanes()}, k.element),
          shape.log ? task.scratch({group}, k.element) : Value()};
  keyEmitter.setHead(at.head);
}

/// Where the state of the rows so far is, before the first one.
StateBuffers RecurrentTask::start() {
  StateBuffers initial = operands.initial.at(k, task, at.batch, at.head);
  if (operands.final) {
    target = operands.final.at(k, task, at.batch, at.head);
  } else {
    AttentionState local = kernel.state.at(k, task, task.taskIndex);
    target = {local.sums, local.normalizer, local.maximum};
  }
  auto copy = [&](Value from, Value to, Columns columns, ValueRange position) {
    k.store(from ? k.load(from, position, columns) : k.splat(0, columns.padded), to, position, columns);
  };
  auto copyAll = [&] {
    k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
      copy(initial.normalizer, target.normalizer, columns, f);
      if (shape.log)
        copy(initial.maximum, target.maximum, columns, f);
    });
    k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
      k.columnBlocks(shape.valueWidth, k.schedule.getRegisterColumns(),
                     [&](Value m, Columns columns) { copy(initial.sums, target.sums, columns, {f, m}); });
    });
  };
  if (!direct) {
    copyAll();
    return target;
  }
  k.when(k.equal(keySpan.count, k.index(0)), copyAll);
  return initial;
}

void RecurrentTask::emitRawRows(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, Value first) {
  emitter.setRows(staged);
  emitter.emitSteps(rows);
  int64_t registerRows = k.schedule.getRegisterRows();
  forFeatureBlocks(k, plan, [&](const FusedGroup &g, Value block, Columns columns, Value) {
    forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
      auto outputs = emitter.registerTile(g, rows, i, k.add(block, c), part);
      for (size_t o = 0; o < outputs.size(); ++o)
        for (int64_t r = 0; r < registerRows; ++r)
          k.store(outputs[o][r], raw, {k.add(first, k.add(i, r)), k.add(outputColumn(k, g, o, block), c)}, part);
    });
  });
}

/// Features of rows [base, base + count) of keys and of queries: keys first, then one head of queries after another.
void RecurrentTask::emitFeatures(Value base, Value keyCount, Value queryCount) {
  auto stage = [&](Value rows, Value count, Value first) {
    k.loop(k.index(0), count, 1, [&](Value i) { copyRow(k, rows, k.add(base, i), staged, k.add(first, i)); });
  };
  stage(keyRows, keyCount, k.index(0));
  bool together = !kernel.separateQueryPlan;
  if (!together)
    emitRawRows(keyEmitter, *kernel.keyPlan, {k.index(0), keyCount}, k.index(0));
  k.loop(k.index(0), k.index(group), 1, [&](Value g) {
    Value head = k.add(k.mul(at.head, k.index(group)), g), first = k.add(keyCount, k.mul(g, queryCount));
    stage(operands.rows(k, task, operands.query, at.batch, head, querySpan), queryCount, first);
    if (together)
      return;
    kernel.setQueryHead(queryEmitter, at.head, head);
    emitRawRows(queryEmitter, kernel.queryPlan(), {first, queryCount}, first);
  });
  if (together)
    emitRawRows(keyEmitter, *kernel.keyPlan, {k.index(0), k.add(keyCount, k.mul(k.index(group), queryCount))},
                k.index(0));
}

/// r, or `unset` where no key has been seen.
Value RecurrentTask::maximumOf(const StateBuffers &of, Value f, Columns columns, Value z) {
  Value seen = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, z, k.splat(0, columns.padded));
  return arith::SelectOp::create(k.b, k.loc, seen, k.load(of.maximum, f, columns),
                                 k.splat(k.logRange().unset, columns.padded));
}

/// The key in row `row` of the features enters z and r.
void RecurrentTask::updateNormalizer(Value row, const StateBuffers &source) {
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    Value phi = k.load(raw, {row, f}, columns), z = k.load(source.normalizer, f, columns);
    if (shape.log) {
      Value old = maximumOf(source, f, columns, z), maximum = k.maxf(k.math().round(phi), old);
      Value factor = k.math().exp2(k.subf(old, maximum));
      phi = k.math().exp2(k.subf(phi, maximum));
      k.store(maximum, target.maximum, f, columns);
      k.store(factor, factors, f, whole);
      z = k.mulf(z, factor);
    }
    k.store(k.addf(z, phi), target.normalizer, f, columns);
    k.store(phi, weights, f, whole);
  });
}

/// Features of the query of head `g`, relative to their maximum, and its denominator.
void RecurrentTask::weighQueries(Value g, Value row) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  auto logFeature = [&](Value f, Columns columns) {
    Value z = k.load(target.normalizer, f, columns);
    Value v = k.addf(k.load(raw, {row, f}, columns), maximumOf(target, f, columns, z));
    return k.maskTail(v, columns, k.logRange().unset);
  };
  Value maximum;
  if (shape.log) {
    Value start = k.splat(k.logRange().unset, lanes), most = start;
    int64_t full = shape.features / lanes * lanes;
    most = k.loop(k.index(0), k.index(full), lanes, most, [&](Value f, ValueRange carried) {
      return SmallVector<Value>{k.maxf(logFeature(f, whole), carried[0])};
    })[0];
    if (full < shape.features)
      most = k.maxf(logFeature(k.index(full), k.columns(shape.features - full)), most);
    maximum = k.maxLanes(most);
    k.storeScalar(maximum, sums.maximum, g);
    maximum = k.broadcast(maximum, lanes);
  }
  k.store(k.splat(0, lanes), sums.denominator, {g, k.index(0)}, whole);
  k.columnBlocks(shape.features, lanes, [&](Value f, Columns columns) {
    Value phi = shape.log ? k.math().exp2(k.subf(logFeature(f, columns), maximum)) : k.load(raw, {row, f}, columns);
    k.store(phi, queryWeights, {g, f}, whole);
    Value sum = k.fma(phi, k.load(target.normalizer, f, columns), k.load(sums.denominator, {g, k.index(0)}, whole));
    k.store(sum, sums.denominator, {g, k.index(0)}, whole);
  });
}

/// S = S factor + weight v, and numerators of the queries.
void RecurrentTask::passOverState(const StateBuffers &source, Value valueRow, bool update, bool apply) {
  const int64_t together = 4; // accumulators of so many heads fit the registers
  for (int64_t g = 0; g < (apply ? group : 1); g += together) {
    int64_t heads = apply ? std::min(together, group - g) : 0;
    bool writes = update && g == 0;
    k.columnBlocks(shape.valueWidth, k.schedule.getRegisterColumns(), [&](Value m, Columns columns) {
      SmallVector<Value> init(heads, k.splat(0, columns.padded));
      Value value = writes ? k.load(valueRows, {valueRow, m}, columns) : Value();
      auto result = k.loop(k.index(0), k.index(shape.features), 1, init, [&](Value f, ValueRange carried) {
        Value s = k.load(writes ? source.sums : target.sums, {f, m}, columns);
        if (writes) {
          if (shape.log)
            s = k.mulf(s, k.broadcast(k.loadScalar(factors, f), columns.padded));
          s = k.fma(k.broadcast(k.loadScalar(weights, f), columns.padded), value, s);
          k.store(s, target.sums, {f, m}, columns);
        }
        SmallVector<Value> next;
        for (auto [j, sum] : llvm::enumerate(carried)) {
          Value weight = k.loadScalar(queryWeights, {k.index(g + j), f});
          next.push_back(k.fma(k.broadcast(weight, columns.padded), s, sum));
        }
        return next;
      });
      for (auto [j, sum] : llvm::enumerate(result))
        k.store(sum, sums.numerator, {k.index(g + j), m}, {columns.padded, columns.padded});
    });
  }
}

void RecurrentTask::emitOutputs(Value position) {
  k.loop(k.index(0), k.index(group), 1, [&](Value g) {
    Value head = k.add(k.mul(at.head, k.index(group)), g);
    auto rowsFrom = [&](Value memref) -> Value {
      if (!memref)
        return memref;
      auto type = cast<MemRefType>(memref.getType());
      SmallVector<OpFoldResult> offsets(type.getRank(), k.b.getIndexAttr(0)),
          strides(type.getRank(), k.b.getIndexAttr(1)), sizes{k.b.getIndexAttr(1)};
      offsets[0] = g;
      for (int64_t size : type.getShape().drop_front())
        sizes.push_back(k.b.getIndexAttr(size));
      return memref::SubViewOp::create(k.b, k.loc, memref, offsets, sizes, strides);
    };
    QuerySums row{rowsFrom(sums.numerator), rowsFrom(sums.denominator), rowsFrom(sums.maximum)};
    emitQueryEnd(k, shape, k.index(1), row, kernel.how, kernel.offsetOf(k, task, at.batch, head),
                 kernel.counterOf(k, task, at.batch, head),
                 operands.rows(k, task, operands.out, at.batch, head, querySpan), position);
  });
}

/// Row `base + i` of keys and of queries.
void RecurrentTask::emitToken(Value base, Value i, Value keyCount, Value queryCount, const StateBuffers &source) {
  Value position = k.add(base, i), seen = k.less(i, keyCount);
  if (hidden)
    seen = arith::AndIOp::create(k.b, k.loc, seen, k.less(k.sub(hidden, k.index(1)), position));
  if (mask)
    seen = k.choose(seen, seen, [&] { return SmallVector<Value>{k.loadScalar(mask, position)}; })[0];
  Value asked = k.less(i, queryCount);
  auto weigh = [&] {
    k.loop(k.index(0), k.index(group), 1,
           [&](Value g) { weighQueries(g, k.add(k.add(keyCount, k.mul(g, queryCount)), i)); });
  };
  k.when(seen, [&] { updateNormalizer(i, source); });
  k.when(
      asked,
      [&] {
        weigh();
        k.when(
            seen, [&] { passOverState(source, position, /*update=*/true, /*apply=*/true); },
            [&] { passOverState(source, position, /*update=*/false, /*apply=*/true); });
        emitOutputs(position);
      },
      [&] { k.when(seen, [&] { passOverState(source, position, /*update=*/true, /*apply=*/false); }); });
}

void RecurrentTask::emit() {
  StateBuffers first = start();
  Value visible = operands.visibleKeys(k, task, at.batch, keySpan), zero = k.index(0);
  if (operands.reversed && operands.lengths)
    hidden = k.sub(keySpan.count, visible);
  if (operands.counts)
    k.loop(zero, k.index(group), 1, [&](Value g) {
      Value none = arith::ConstantIntOp::create(k.b, k.loc, 0, 64);
      k.storeScalar(none, kernel.counterOf(k, task, at.batch, k.add(k.mul(at.head, k.index(group)), g)), zero);
    });
  Value end = operands.reversed ? keySpan.count : visible;
  Value rows = k.max(querySpan.count, keySpan.count);
  int64_t tokens = std::max<int64_t>(1, capacity / (group + 1));
  auto clamp = [&](Value count) { return k.max(k.min(count, k.index(tokens)), zero); };
  k.loop(zero, rows, tokens, [&](Value base) {
    Value keyCount = clamp(k.sub(end, base)), queryCount = clamp(k.sub(querySpan.count, base));
    emitFeatures(base, keyCount, queryCount);
    k.loop(zero, k.max(keyCount, queryCount), 1, [&](Value i) {
      StateBuffers source = target;
      if (direct) {
        Value isFirst = k.equal(k.add(base, i), zero);
        SmallVector<Value> buffers = k.choose(isFirst, target.captures(), [&] { return first.captures(); });
        source = {buffers[0], buffers[1], shape.log ? buffers[2] : Value()};
      }
      emitToken(base, i, keyCount, queryCount, source);
    });
  });
}

void LinearAttentionKernel::emitRecurrent() {
  if (!operands.final)
    allocateState(host.index(1));
  SmallVector<Value> more{operands.offset, operands.counts};
  llvm::append_range(more, operands.initial.captures());
  llvm::append_range(more, operands.final.captures());
  llvm::append_range(more, queryPlan().captures());
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_recurrent").str(), capturesOf(*keyPlan, more));
  RecurrentTask(k, task, *this).emit();
  task.finish(host, k, keyTasks(host.index(1)));
}
