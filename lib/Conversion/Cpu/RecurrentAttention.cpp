//===- RecurrentAttention.cpp - linear attention row by row ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The form for decoding: a row passes over the state once, which reads it, adds the key, writes it and applies the
// queries. The first row reads the caller's initial state and writes the final one, which may be the same memory.
//
// A task has a few heads of keys that share parameters, since a row alone would leave most of a register tile idle:
// features of a few rows of all of them, keys and queries, are computed together. In the log domain maxima move lazily,
// as in AttentionState.h: a row whose features stay in range rescales nothing.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/DotProducts.h"
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

/// for (base = 0; base < end; base += step) with a step that is not a constant.
static void loopBy(KernelBuilder &k, Value end, Value step, llvm::function_ref<void(Value)> body) {
  k.loop(k.index(0), k.ceilDiv(end, step), 1, [&](Value i) { body(k.mul(i, step)); });
}

namespace bochner::cpu {

/// How heads of keys, of all batch entries, are shared out among tasks.
struct RecurrentPartition {
  static constexpr int64_t kMost = 8; ///< heads of a task

  Value tasks, size; ///< number of tasks, heads of each but the last
  Value blocks;      ///< of a head, if every head has parameters of its own; null if all share them
  bool sharesParameters() const { return !blocks; }
};

/// The body of the task; `k` writes into it.
class RecurrentTask {
public:
  RecurrentTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel,
                const RecurrentPartition &partition);
  void emit();

private:
  void enter(Value unit);
  void copyInitialState();
  void emitFeatures(Value base, Value width);
  void emitRawRows(TileEmitter &emitter, const ProgramPlan &plan, RowRange rows, Value first);
  Value keySlot(Value i) { return k.add(k.mul(unit, width), i); }
  Value querySlot(Value g, Value i);
  void emitToken(Value base, Value i);
  void emitUpdated(Value position, Value i, const StateBuffers &source, Value asked);
  Value overFeatures(Value start, llvm::function_ref<Value(Value, Columns, Value)> add);
  Value updateNormalizer(Value row, const StateBuffers &source);
  void raiseMaxima(Value row, const StateBuffers &source);
  void weighQuery(Value g, Value row);
  void passOverState(const StateBuffers &source, Value valueRow, bool update, bool apply, bool rescale);
  void emitOutputs(Value position);
  /// For a state in f16: what features may exceed their maximum by, and by how much that moves when z has grown so far.
  static constexpr double kShortGrowth = 4, kShortBits = 10;
  Value isLarge(Value z) {
    Value bound = k.splat(std::exp2(kShortBits), cast<VectorType>(z.getType()).getDimSize(0));
    return arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OGT, z, bound);
  }
  Value maximumOf(const StateBuffers &of, Value f, Columns columns, Value z);

  KernelBuilder &k;
  TaskBuilder &task;
  LinearAttentionKernel &kernel;
  const LinearAttentionOperands &operands;
  const RecurrentPartition &partition;
  AttentionShape shape;
  int64_t group, capacity; ///< query heads of a head of keys, rows whose features are in scratch
  bool direct;             ///< the first row reads the caller's state
  bool shortRange;         ///< S is f16: maxima follow sums too, so that it stays in range
  Value count, width;      ///< heads of keys in this task; rows of each whose features are in scratch
  TileEmitter keyEmitter, queryEmitter;
  QuerySums sums;     ///< a row for each query head
  Value staged;       ///< rows of keys, then of queries, [capacity, D]
  Value raw;          ///< their features, or binary logarithms of these, [capacity, F padded]
  Value factors;      ///< what the old state is multiplied by, [F padded]; null in the linear domain
  Value weights;      ///< features of the key, [F padded]
  Value queryWeights; ///< features of the queries, [group, F padded]
  // Of the head of keys that enter() was called for:
  Value unit, entry, head;
  RowSpan querySpan, keySpan;
  Value keyRows, valueRows, mask, firstKey, endKey; ///< keys [firstKey, endKey) are not padding
  StateBuffers initial, target;
};

} // namespace bochner::cpu

RecurrentTask::RecurrentTask(KernelBuilder &k, TaskBuilder &task, LinearAttentionKernel &kernel,
                             const RecurrentPartition &partition)
    : k(k), task(task), kernel(kernel), operands(kernel.operands), partition(partition), shape(kernel.shape),
      group(operands.group), capacity(std::max(k.schedule.getRowTile(), RecurrentPartition::kMost * (group + 1))),
      // Without rows of this call nothing would read the caller's state.
      direct(operands.initial && operands.final && !operands.mask && !operands.lengths &&
             cast<MemRefType>(operands.initial.sums.getType()).getElementType() ==
                 cast<MemRefType>(operands.final.sums.getType()).getElementType()),
      shortRange(shape.log && operands.final &&
                 cast<MemRefType>(operands.final.sums.getType()).getElementType().isF16()),
      keyEmitter(k, task, *kernel.keyPlan, capacity), queryEmitter(k, task, kernel.queryPlan(), capacity) {
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
}

/// Views of a head of keys, number `of` of the task.
void RecurrentTask::enter(Value of) {
  unit = of;
  Value heads = k.dim(task.captured(operands.key), 1), size = task.captured(partition.size);
  if (partition.sharesParameters()) {
    Value number = k.add(k.mul(task.taskIndex, size), unit);
    entry = k.div(number, heads);
    head = k.rem(number, heads);
  } else {
    Value blocks = task.captured(partition.blocks);
    entry = k.add(k.mul(k.rem(task.taskIndex, blocks), size), unit);
    head = k.div(task.taskIndex, blocks);
  }
  querySpan = operands.querySpan(k, task, entry);
  keySpan = operands.keySpan(k, task, entry);
  keyRows = operands.rows(k, task, operands.key, entry, head, keySpan);
  valueRows = operands.rows(k, task, operands.value, entry, head, keySpan);
  mask = operands.maskOf(k, task, entry, keySpan);
  Value visible = operands.visibleKeys(k, task, entry, keySpan);
  firstKey = operands.reversed ? k.sub(keySpan.count, visible) : k.index(0);
  endKey = operands.reversed ? keySpan.count : visible;
  initial = operands.initial.at(k, task, entry, head);
  if (operands.final) {
    target = operands.final.at(k, task, entry, head);
    return;
  }
  AttentionState local = kernel.state.at(k, task, k.add(k.mul(entry, heads), head));
  target = {local.sums, local.normalizer, local.maximum};
}

/// The state before the first row, where it will be updated.
void RecurrentTask::copyInitialState() {
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
      k.registerBlocks(shape.valueWidth,
                       [&](Value m, Columns columns) { copy(initial.sums, target.sums, columns, {f, m}); });
    });
  };
  if (direct) // rows read it, if there are any
    k.when(k.equal(keySpan.count, k.index(0)), copyAll);
  else
    copyAll();
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

Value RecurrentTask::querySlot(Value g, Value i) {
  Value before = k.add(count, k.add(k.mul(unit, k.index(group)), g));
  return k.add(k.mul(before, width), i);
}

/// Features of `width` rows from `base` on: of the keys of all heads, then of their queries. Rows past the end of a
/// head leave their places as they are; nothing reads them.
void RecurrentTask::emitFeatures(Value base, Value rows) {
  width = rows;
  auto stage = [&](Value from, Value available, Value slot) {
    Value here = k.max(k.min(k.sub(available, base), width), k.index(0));
    k.loop(k.index(0), here, 1, [&](Value i) { copyRow(k, from, k.add(base, i), staged, k.add(slot, i)); });
  };
  bool together = !kernel.separateQueryPlan;
  k.loop(k.index(0), count, 1, [&](Value of) {
    enter(of);
    stage(keyRows, keySpan.count, keySlot(k.index(0)));
    if (!together)
      emitRawRows(keyEmitter, *kernel.keyPlan, {keySlot(k.index(0)), width}, keySlot(k.index(0)));
    k.loop(k.index(0), k.index(group), 1, [&](Value g) {
      Value queryHead = k.add(k.mul(head, k.index(group)), g), slot = querySlot(g, k.index(0));
      stage(operands.rows(k, task, operands.query, entry, queryHead, querySpan), querySpan.count, slot);
      if (together)
        return;
      kernel.setQueryHead(queryEmitter, head, queryHead);
      emitRawRows(queryEmitter, kernel.queryPlan(), {slot, width}, slot);
    });
  });
  if (together)
    emitRawRows(keyEmitter, *kernel.keyPlan, {k.index(0), k.mul(k.mul(count, width), k.index(group + 1))}, k.index(0));
}

/// A vector that each register of features adds to.
Value RecurrentTask::overFeatures(Value start, llvm::function_ref<Value(Value, Columns, Value)> add) {
  int64_t lanes = k.lanes(), full = shape.features / lanes * lanes;
  Value result = k.loop(k.index(0), k.index(full), lanes, start, [&](Value f, ValueRange carried) {
    return SmallVector<Value>{add(f, {lanes, lanes}, carried[0])};
  })[0];
  return full < shape.features ? add(k.index(full), k.columns(shape.features - full), result) : result;
}

/// r, or `unset` where no key has been seen.
Value RecurrentTask::maximumOf(const StateBuffers &of, Value f, Columns columns, Value z) {
  Value seen = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UNE, z, k.splat(0, columns.padded));
  return arith::SelectOp::create(k.b, k.loc, seen, k.load(of.maximum, f, columns),
                                 k.splat(k.logRange().unset, columns.padded));
}

/// The key in row `row` of the features enters z; true if that takes another maximum first, and nothing was done.
Value RecurrentTask::updateNormalizer(Value row, const StateBuffers &source) {
  Value growth = k.number(shortRange ? kShortGrowth : k.logRange().growth), above = k.truth(false);
  if (shape.log) {
    auto exceeds = [&](Value f, Columns columns, Value sofar) -> Value {
      Value z = k.load(source.normalizer, f, columns), r = maximumOf(source, f, columns, z);
      Value over = k.subf(k.load(raw, {row, f}, columns, k.logRange().unset), r);
      Value is =
          arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::UGT, over, k.broadcast(growth, columns.padded));
      if (shortRange)
        is = arith::OrIOp::create(k.b, k.loc, is, isLarge(z));
      return arith::OrIOp::create(k.b, k.loc, sofar, k.maskBits(is, columns));
    };
    auto bits = VectorType::get({k.lanes()}, k.b.getI1Type());
    above =
        k.anyTrue(overFeatures(arith::ConstantOp::create(k.b, k.loc, DenseElementsAttr::get(bits, false)), exceeds));
  }
  auto update = [&] {
    k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
      Columns whole{columns.padded, columns.padded};
      Value phi = k.load(raw, {row, f}, columns), z = k.load(source.normalizer, f, columns);
      if (shape.log) {
        Value r = maximumOf(source, f, columns, z);
        phi = k.math().exp2Bounded(k.subf(phi, r));
        k.store(r, target.maximum, f, columns);
      }
      k.store(k.addf(z, phi), target.normalizer, f, columns);
      k.store(phi, weights, f, whole);
    });
  };
  if (!shape.log)
    update();
  else
    k.when(k.negate(above), update);
  return above;
}

/// The same with maxima that follow the key.
void RecurrentTask::raiseMaxima(Value row, const StateBuffers &source) {
  k.columnBlocks(shape.features, k.lanes(), [&](Value f, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    Value phi = k.load(raw, {row, f}, columns), z = k.load(source.normalizer, f, columns);
    Value old = maximumOf(source, f, columns, z), maximum = old;
    if (shortRange) {
      Value more = k.addf(old, k.splat(kShortBits, columns.padded));
      maximum = arith::SelectOp::create(k.b, k.loc, isLarge(z), more, old);
    }
    maximum = k.maxf(k.math().round(phi), maximum);
    Value factor = k.math().exp2(k.subf(old, maximum));
    phi = k.math().exp2(k.subf(phi, maximum));
    k.store(maximum, target.maximum, f, columns);
    k.store(factor, factors, f, whole);
    k.store(k.fma(z, factor, phi), target.normalizer, f, columns);
    k.store(phi, weights, f, whole);
  });
}

/// Features of the query of head `g`, relative to their maximum, and its denominator.
void RecurrentTask::weighQuery(Value g, Value row) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  auto logFeature = [&](Value f, Columns columns) {
    Value z = k.load(target.normalizer, f, columns);
    Value v = k.addf(k.load(raw, {row, f}, columns), maximumOf(target, f, columns, z));
    return k.maskTail(v, columns, k.logRange().unset);
  };
  Value maximum;
  if (shape.log) {
    Value most = overFeatures(k.splat(k.logRange().unset, lanes), [&](Value f, Columns columns, Value sofar) {
      return k.maxf(logFeature(f, columns), sofar);
    });
    maximum = k.maxLanes(most);
    k.storeScalar(maximum, sums.maximum, g);
    maximum = k.broadcast(maximum, lanes);
  }
  auto add = [&](Value f, Columns columns, Value sum) {
    Value phi = shape.log ? k.math().exp2(k.subf(logFeature(f, columns), maximum)) : k.load(raw, {row, f}, columns);
    k.store(phi, queryWeights, {g, f}, whole);
    return k.fma(phi, k.load(target.normalizer, f, columns), sum);
  };
  Value denominator = overFeatures(k.splat(0, lanes), add);
  k.store(denominator, sums.denominator, {g, k.index(0)}, whole);
}

/// S = S factor + weight v, and numerators of the queries.
void RecurrentTask::passOverState(const StateBuffers &source, Value valueRow, bool update, bool apply, bool rescale) {
  const int64_t together = 4; // accumulators of so many heads fit the registers
  // By an instruction, which takes denormals for 0; other conversions are several operations.
  bool rounds =
      k.target.hasBf16Dot && k.element.isF32() && cast<MemRefType>(target.sums.getType()).getElementType().isBF16();
  for (int64_t g = 0; g < (apply ? group : 1); g += together) {
    int64_t heads = apply ? std::min(together, group - g) : 0;
    bool writes = update && g == 0;
    k.registerBlocks(shape.valueWidth, [&](Value m, Columns columns) {
      SmallVector<Value> init(heads, k.splat(0, columns.padded));
      Value value = writes ? k.load(valueRows, {valueRow, m}, columns) : Value();
      auto result = k.loop(k.index(0), k.index(shape.features), 1, init, [&](Value f, ValueRange carried) {
        Value s = k.load(writes ? source.sums : target.sums, {f, m}, columns);
        if (writes) {
          if (rescale)
            s = k.mulf(s, k.broadcast(k.loadScalar(factors, f), columns.padded));
          s = k.fma(k.broadcast(k.loadScalar(weights, f), columns.padded), value, s);
          if (rounds && !columns.isTail())
            storeRounded(k, s, target.sums, {f, m});
          else
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
    Value queryHead = k.add(k.mul(head, k.index(group)), g);
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
    emitQueryEnd(k, shape, k.index(1), row, kernel.how, kernel.offsetOf(k, task, entry, queryHead),
                 kernel.counterOf(k, task, entry, queryHead),
                 operands.rows(k, task, operands.out, entry, queryHead, querySpan), position);
  });
}

/// A row with a key: the state moves on, then queries see it.
void RecurrentTask::emitUpdated(Value position, Value i, const StateBuffers &source, Value asked) {
  Value above = updateNormalizer(keySlot(i), source);
  auto pass = [&](bool rescale) {
    k.when(
        asked,
        [&] {
          k.loop(k.index(0), k.index(group), 1, [&](Value g) { weighQuery(g, querySlot(g, i)); });
          passOverState(source, position, /*update=*/true, /*apply=*/true, rescale);
        },
        [&] { passOverState(source, position, /*update=*/true, /*apply=*/false, rescale); });
  };
  if (!shape.log)
    return pass(/*rescale=*/false);
  k.when(
      above,
      [&] {
        raiseMaxima(keySlot(i), source);
        pass(/*rescale=*/true);
      },
      [&] { pass(/*rescale=*/false); });
}

/// Row `base + i` of keys and of queries.
void RecurrentTask::emitToken(Value base, Value i) {
  Value position = k.add(base, i), asked = k.less(position, querySpan.count);
  Value seen =
      arith::AndIOp::create(k.b, k.loc, k.less(position, endKey), k.less(k.sub(firstKey, k.index(1)), position));
  if (mask)
    seen = k.choose(seen, seen, [&] { return SmallVector<Value>{k.loadScalar(mask, position)}; })[0];
  StateBuffers source = target;
  if (direct) {
    SmallVector<Value> buffers =
        k.choose(k.equal(position, k.index(0)), target.captures(), [&] { return initial.captures(); });
    source = {buffers[0], buffers[1], shape.log ? buffers[2] : Value()};
  }
  k.when(
      seen, [&] { emitUpdated(position, i, source, asked); },
      [&] {
        k.when(asked, [&] {
          k.loop(k.index(0), k.index(group), 1, [&](Value g) { weighQuery(g, querySlot(g, i)); });
          passOverState(target, position, /*update=*/false, /*apply=*/true, /*rescale=*/false);
        });
      });
  k.when(asked, [&] { emitOutputs(position); });
}

void RecurrentTask::emit() {
  Value zero = k.index(0), size = task.captured(partition.size);
  Value heads = k.dim(task.captured(operands.key), 1), total;
  if (partition.sharesParameters()) {
    total = k.sub(k.mul(operands.entriesIn(k, task), heads), k.mul(task.taskIndex, size));
    keyEmitter.setHead(zero);
  } else {
    Value blocks = task.captured(partition.blocks);
    total = k.sub(operands.entriesIn(k, task), k.mul(k.rem(task.taskIndex, blocks), size));
    keyEmitter.setHead(k.div(task.taskIndex, blocks));
  }
  count = k.min(total, size);
  k.loop(zero, count, 1, [&](Value of) {
    enter(of);
    copyInitialState();
    if (operands.counts)
      k.loop(zero, k.index(group), 1, [&](Value g) {
        Value none = arith::ConstantIntOp::create(k.b, k.loc, 0, 64);
        k.storeScalar(none, kernel.counterOf(k, task, entry, k.add(k.mul(head, k.index(group)), g)), zero);
      });
  });
  Value rows = k.max(k.dim(task.captured(operands.query), 2), k.dim(task.captured(operands.key), 2));
  Value tokens = k.max(k.div(k.index(capacity / (group + 1)), k.max(count, k.index(1))), k.index(1));
  loopBy(k, rows, tokens, [&](Value base) {
    emitFeatures(base, k.min(k.sub(rows, base), tokens));
    k.loop(zero, count, 1, [&](Value of) {
      enter(of);
      k.loop(zero, width, 1, [&](Value i) { emitToken(base, i); });
    });
  });
}

/// Consecutive heads form a task; where heads have parameters of their own, batch entries of one head.
static RecurrentPartition partitionHeads(KernelBuilder &host, const LinearAttentionOperands &operands) {
  bool shared = llvm::all_of(operands.parameters,
                             [](Value parameter) { return cast<MemRefType>(parameter.getType()).getDimSize(0) == 1; });
  Value entries = operands.entries(host), heads = operands.keyHeads(host), units = host.mul(entries, heads);
  // Enough tasks for the threads of a machine, from shapes only.
  Value size =
      host.max(host.min(host.div(units, host.index(16)), host.index(RecurrentPartition::kMost)), host.index(1));
  if (shared)
    return {host.ceilDiv(units, size), size, Value()};
  size = host.max(host.min(size, entries), host.index(1));
  Value blocks = host.ceilDiv(entries, size);
  return {host.mul(heads, blocks), size, host.max(blocks, host.index(1))};
}

void LinearAttentionKernel::emitRecurrent() {
  if (!operands.final)
    allocateState(host.index(1));
  RecurrentPartition partition = partitionHeads(host, operands);
  SmallVector<Value> more{operands.offset, operands.counts, partition.size, partition.blocks};
  llvm::append_range(more, operands.initial.captures());
  llvm::append_range(more, operands.final.captures());
  llvm::append_range(more, queryPlan().captures());
  KernelBuilder k = host;
  // A key and its queries are few rows: higher register tiles would compute rows that nobody asked for.
  spectral::ScheduleAttr s = k.schedule;
  k.schedule =
      spectral::ScheduleAttr::get(s.getContext(), s.getRowTile(), s.getFeatureBlock(),
                                  std::min<int64_t>(s.getRegisterRows(), 2), s.getRegisterColumns(), s.getRowChunk());
  TaskBuilder task(k, kernel, (name + "_recurrent").str(), capturesOf(*keyPlan, more));
  RecurrentTask(k, task, *this, partition).emit();
  task.finish(host, k, partition.tasks);
}
