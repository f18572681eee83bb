//===- LinearAttention.cpp - linear attention on the CPU ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Non-causal attention is apply(q, state(k, v)). Tasks over heads and parts of the keys write partial states, tasks
// over heads merge them in order, tasks over heads and parts of the queries apply them; how many parts there are
// depends on shapes only, so that results do not depend on the number of threads.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/DotProducts.h"
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

LinearAttentionKernel::LinearAttentionKernel(KernelBuilder &host, func::FuncOp kernel,
                                             const LinearAttentionOperands &operands, const AttentionShape &shape,
                                             const Normalization &how, FeatureProgram keyProgram,
                                             std::optional<FeatureProgram> queryProgram)
    : host(host), kernel(kernel), name(kernel.getName()), operands(operands), shape(shape), how(how) {
  keyPlan = std::make_unique<ProgramPlan>(std::move(keyProgram), operands.parameters, host.schedule);
  // Without a row of the state, constant features are a sum of values and the number of keys. Callers' states and the
  // recurrent form have all rows, masks leave the number open, and constant features of two maps need not pair up.
  if (queryProgram || operands.mask || operands.initial || operands.final || operands.rowByRow || operands.adjoint ||
      !operands.query || !operands.key)
    keyPlan->keepConstantFeatures();
  if (queryProgram) {
    separateQueryPlan = std::make_unique<ProgramPlan>(std::move(*queryProgram), operands.parameters, host.schedule);
    separateQueryPlan->keepConstantFeatures();
  }
  for (ProgramPlan *plan : {keyPlan.get(), separateQueryPlan.get()})
    if (plan) {
      plan->dots = usesDots();
      plan->direct = operands.rowByRow;
    }
  keyPlan->pack(host, kernel, (name + "_keys").str());
  if (separateQueryPlan)
    separateQueryPlan->pack(host, kernel, (name + "_queries").str());
}

void bochner::cpu::fetchShare(KernelBuilder &k, const ProgramPlan &plan, ArrayRef<Value> memrefs, Value first,
                              Value share, int64_t tileRows) {
  int64_t blocks = 0, size = k.schedule.getFeatureBlock();
  for (const FusedGroup &group : plan.groups)
    blocks += (group.width + size - 1) / size;
  blocks = std::max<int64_t>(blocks, 1);
  int64_t tile = k.schedule.getRowTile(), shares = blocks * (tile / k.schedule.getRegisterRows());
  int64_t rows = ((tileRows ? tileRows : tile) + shares - 1) / shares;
  for (int64_t i = 0; i < rows; ++i)
    for (Value memref : memrefs)
      k.prefetchRow(memref, k.add(first, k.add(k.mul(share, k.index(rows)), i)));
}

/// Whether rows and values are bf16 and the kernel's products can keep them so.
bool LinearAttentionKernel::usesDots() const {
  auto isShort = [](Value rows) { return !rows || cast<MemRefType>(rows.getType()).getElementType().isBF16(); };
  return host.target.hasBf16Dot && host.element.isF32() && !operands.causal && !operands.quadratic &&
         !operands.adjoint && isShort(operands.query) && isShort(operands.key) && isShort(operands.value) &&
         host.schedule.getRegisterRows() % 2 == 0 && // pairs of rows
         keyPlan->canUseDots() && queryPlan().canUseDots();
}

/// Rows of keys or queries that steps work on at a time: tiles in scratch should stay in the cache.
static int64_t chunkRows(KernelBuilder &k, const ProgramPlan &plan) {
  return plan.hasScratchTiles() ? k.schedule.getRowTile() : k.schedule.getRowChunk();
}

SmallVector<Value> LinearAttentionKernel::capturesOf(const ProgramPlan &plan, ValueRange more) const {
  SmallVector<Value> captured = plan.captures();
  auto add = [&](ValueRange values) {
    for (Value v : values)
      if (v && !llvm::is_contained(captured, v))
        captured.push_back(v);
  };
  add(state.captures());
  add(operands.captures());
  add(more);
  return captured;
}

StateBuffers LinearAttentionKernel::checkpointAt(KernelBuilder &k, TaskBuilder &task, const TaskPosition &at,
                                                 const RowSpan &span, Value number) const {
  Value batch = at.batch;
  if (operands.sequences) {
    number = k.add(k.add(k.div(span.first, k.index(operands.checkpointInterval)), at.batch), number);
    batch = k.index(0);
  }
  StateBuffers ofHead = operands.checkpoints.at(k, task, batch, at.head);
  auto part = [&](Value v) { return v ? slice(k, v, number) : Value(); };
  return {part(ofHead.sums), part(ofHead.normalizer), part(ofHead.maximum)};
}

void LinearAttentionKernel::setQueryHead(TileEmitter &emitter, Value keyHead, Value queryHead) const {
  bool grouped = operands.group > 1;
  emitter.setHead(keyHead, queryHead, grouped ? cast<MemRefType>(operands.query.getType()).getDimSize(1) : 0);
}

Value LinearAttentionKernel::keyTasks(Value parts) {
  return host.mul(host.mul(operands.entries(host), operands.keyHeads(host)), parts);
}

void LinearAttentionKernel::allocateState(Value parts) {
  state = AttentionState::allocate(host, keyTasks(parts), shape.features, shape.valueWidth, shape.log,
                                   !keyPlan->constants.empty());
}

std::pair<Value, Value> LinearAttentionKernel::partition(Value rows, Value heads) {
  Value rowTile = host.index(host.schedule.getRowTile());
  if (operands.sequences) // there are as many tasks as sequences
    return {host.index(1), host.max(rows, host.index(1))};
  // Enough parts that a few dozen tasks share the work, none of them short; from shapes only.
  Value wanted = host.ceilDiv(host.index(64), host.max(heads, host.index(1)));
  Value parts = host.min(host.min(host.div(rows, host.index(2048)), wanted), host.index(8));
  parts = host.max(parts, host.index(1));
  Value partRows = host.mul(host.ceilDiv(host.ceilDiv(rows, parts), rowTile), rowTile);
  return {parts, host.max(partRows, rowTile)};
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

Value bochner::cpu::stageVisibleRows(KernelBuilder &k, Value mask, Value first, Value count,
                                     ArrayRef<std::pair<Value, Value>> copies, Value positions) {
  auto kept = k.loop(k.index(0), count, 1, k.index(0), [&](Value i, ValueRange carried) {
    Value row = k.add(first, i);
    return k.choose(k.loadScalar(mask, row), carried, [&] {
      for (auto [rows, scratch] : copies)
        copyRow(k, rows, row, scratch, carried[0]);
      if (positions)
        k.storeScalar(row, positions, carried[0]);
      return SmallVector<Value>{k.add(carried[0], 1)};
    });
  });
  return kept[0];
}

void LinearAttentionKernel::emitKeys(Value parts, Value partRows) {
  KernelBuilder k = host;
  SmallVector<Value> more{parts, partRows};
  llvm::append_range(more, operands.initial.captures());
  TaskBuilder task(k, kernel, (name + "_state").str(), capturesOf(*keyPlan, more));
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), task.captured(parts));
  RowSpan span = operands.keySpan(k, task, at.batch);
  Value visible = operands.visibleKeys(k, task, at.batch, span);
  Value low = k.min(k.mul(at.part, task.captured(partRows)), visible);
  Value high = k.min(k.add(low, task.captured(partRows)), visible);

  int64_t chunk = chunkRows(k, *keyPlan);
  TileEmitter emitter(k, task, *keyPlan, chunk);
  emitter.setHead(at.head);
  bool dots = keyPlan->dots;
  FeatureTile tile =
      FeatureTile::ofBlock(k, task, *keyPlan, dots ? FeatureTile::Form::KeyPairs : FeatureTile::Form::Numbers);
  Value factors = task.scratch({k.schedule.getRegisterColumns()}, k.element);
  AttentionState local = state.at(k, task, task.taskIndex);
  auto clear = [&] { local.clear(k, shape.features, shape.valueWidth); };
  if (operands.initial) {
    StateBuffers initial = operands.initial.at(k, task, at.batch, at.head);
    k.when(k.equal(at.part, k.index(0)), [&] { local.load(k, shape.features, shape.valueWidth, initial); }, clear);
  } else {
    clear();
  }
  Value keyRows = operands.rows(k, task, operands.key, at.batch, at.head, span);
  Value valueRows = operands.rows(k, task, operands.value, at.batch, at.head, span);
  Value mask = operands.maskOf(k, task, at.batch, span);
  Type staged = dots ? Type(k.b.getBF16Type()) : k.element;
  Value keyScratch = task.scratch({chunk, cast<MemRefType>(keyRows.getType()).getDimSize(1)}, staged), valueScratch,
        valuePairs;
  if (!dots || mask)
    valueScratch = task.scratch({chunk, shape.valueWidth}, staged);
  if (dots)
    valuePairs = task.scratch({(chunk + 1) / 2, k.padded(shape.valueWidth)}, k.b.getI32Type());
  k.loop(low, high, chunk, [&](Value base) {
    Value chunkCount = k.min(k.sub(high, base), k.index(chunk));
    StagedRows stagedKeys{keyScratch, k.index(0)}, stagedValues{valueScratch, k.index(0)};
    if (mask) {
      chunkCount = stageVisibleRows(k, mask, base, chunkCount, {{keyRows, keyScratch}, {valueRows, valueScratch}});
    } else {
      stagedKeys = stageRows(k, keyRows, base, chunkCount, keyScratch);
      stagedValues = dots ? StagedRows{valueRows, base} : stageRows(k, valueRows, base, chunkCount, valueScratch);
    }
    if (dots) {
      pairRows(k, stagedValues.rows, stagedValues.first, chunkCount, valuePairs);
      stagedValues = {valuePairs, k.index(0)};
    }
    emitter.setRows(stagedKeys.rows);
    RowRange rows{stagedKeys.first, chunkCount};
    emitter.emitSteps(rows);
    if (local.valueSum)
      emitValueSum(k, local, stagedValues.rows, {stagedValues.first, chunkCount}, dots);
    forFeatureBlocks(k, *keyPlan, [&](const FusedGroup &group, Value block, Columns columns, Value number) {
      k.loop(k.index(0), rows.count, k.schedule.getRowTile(), [&](Value position) {
        Value count = k.min(k.sub(rows.count, position), k.index(k.schedule.getRowTile()));
        // Over all blocks of a chunk, the rows of the next one.
        auto fetchNext = [&](Value registerGroup) {
          Value groups = k.index(chunk / k.schedule.getRegisterRows());
          Value before = k.add(k.div(position, k.index(k.schedule.getRegisterRows())), k.mul(number, groups));
          fetchShare(k, *keyPlan, {keyRows, valueRows}, k.add(base, chunk), k.add(before, registerGroup));
        };
        emitKeyFeatures(k, emitter, group, shape, rows, position, count, block, columns, local, tile, factors,
                        fetchNext);
        emitStateUpdate(k, group, shape, count, block, columns, local, tile, stagedValues.rows,
                        k.add(stagedValues.first, position));
      });
    });
  });
  task.finish(host, k, keyTasks(parts));
}

/// `pairs`: values are pairs of rows.
void LinearAttentionKernel::emitValueSum(KernelBuilder &k, const AttentionState &local, Value valueRows, RowRange rows,
                                         bool pairs) {
  if (pairs)
    return k.columnBlocks(shape.valueWidth, k.lanes(), [&](Value m, Columns columns) {
      Columns whole{columns.padded, columns.padded};
      auto sum = k.loop(k.index(0), k.ceilDiv(rows.count, k.index(2)), 1, k.load(local.valueSum, m, whole),
                        [&](Value i, ValueRange carried) {
                          auto [x, y] = numbersOf(k, loadPairs(k, valueRows, {k.add(rows.base, i), m}));
                          return SmallVector<Value>{k.addf(k.addf(carried[0], x), y)};
                        });
      k.store(sum[0], local.valueSum, m, whole);
    });
  k.registerBlocks(shape.valueWidth, [&](Value m, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    auto sum = k.loop(k.index(0), rows.count, 1, k.load(local.valueSum, m, whole), [&](Value i, ValueRange carried) {
      return SmallVector<Value>{k.addf(carried[0], k.load(valueRows, {k.add(rows.base, i), m}, columns))};
    });
    k.store(sum[0], local.valueSum, m, whole);
  });
}

/// Adds part p of a head to part 0, in order, and returns the sum to the caller.
void LinearAttentionKernel::emitMerge(Value parts) {
  KernelBuilder k = host;
  SmallVector<Value> captured = state.captures();
  captured.append({parts, operands.key});
  llvm::append_range(captured, operands.final.captures());
  TaskBuilder task(k, kernel, (name + "_merge").str(), captured);
  int64_t lanes = k.lanes(), width = k.padded(shape.features);
  Columns whole{lanes, lanes};
  Value oldFactors, newFactors;
  if (shape.log) {
    oldFactors = task.scratch({width}, k.element);
    newFactors = task.scratch({width}, k.element);
  }
  Value partCount = task.captured(parts), first = k.mul(task.taskIndex, partCount);
  AttentionState into = state.at(k, task, first);
  k.loop(k.index(1), partCount, 1, [&](Value p) {
    AttentionState from = state.at(k, task, k.add(first, p));
    k.loop(k.index(0), k.index(width), lanes, [&](Value f) {
      Value z = k.load(into.normalizer, f, whole), added = k.load(from.normalizer, f, whole);
      if (shape.log) {
        Value r = k.load(into.maximum, f, whole), other = k.load(from.maximum, f, whole);
        Value maximum = k.maxf(r, other);
        Value x = k.math().exp2(k.subf(r, maximum)), y = k.math().exp2(k.subf(other, maximum));
        k.store(maximum, into.maximum, f, whole);
        k.store(x, oldFactors, f, whole);
        k.store(y, newFactors, f, whole);
        z = k.mulf(z, x);
        added = k.mulf(added, y);
      }
      k.store(k.addf(z, added), into.normalizer, f, whole);
    });
    auto addRow = [&](Value target, Value source, ValueRange at, Value x, Value y) {
      Value sum = k.load(target, at, whole), added = k.load(source, at, whole);
      if (x) {
        sum = k.mulf(sum, k.broadcast(x, lanes));
        added = k.mulf(added, k.broadcast(y, lanes));
      }
      k.store(k.addf(sum, added), target, at, whole);
    };
    k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
      Value x = shape.log ? k.loadScalar(oldFactors, f) : Value();
      Value y = shape.log ? k.loadScalar(newFactors, f) : Value();
      k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes,
             [&](Value m) { addRow(into.sums, from.sums, {f, m}, x, y); });
    });
    if (state.valueSum)
      k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes,
             [&](Value m) { addRow(into.valueSum, from.valueSum, m, Value(), Value()); });
  });
  if (operands.final) {
    TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), k.index(1));
    into.save(k, shape.features, shape.valueWidth, operands.final.at(k, task, at.batch, at.head));
  }
  task.finish(host, k, keyTasks(host.index(1)));
}

void LinearAttentionKernel::emitZeros(KernelBuilder &k, Value rows, Value denominators, Value low, Value high) {
  clearRows(k, rows, low, high);
  if (denominators)
    k.loop(low, high, 1, [&](Value i) {
      storeDenominator(k, k.number(how.eps), shape.log ? k.number(0) : Value(), denominators, i);
    });
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

Value LinearAttentionKernel::offsetOf(KernelBuilder &k, TaskBuilder &task, Value batch, Value head) {
  if (!operands.offset)
    return Value();
  Value entry = operands.sequences ? k.index(0) : batch; // packed sequences share their factors
  Value natural = k.loadScalar(task.captured(operands.offset), {entry, head});
  return k.mulf(natural, k.number(1.4426950408889634));
}

Value LinearAttentionKernel::counterOf(KernelBuilder &k, TaskBuilder &task, Value batch, Value head) {
  if (!operands.counts)
    return Value();
  Value counts = slice(k, task.captured(operands.counts), batch);
  OpFoldResult one = k.b.getIndexAttr(1);
  return memref::SubViewOp::create(k.b, k.loc, counts, ArrayRef<OpFoldResult>{head}, ArrayRef<OpFoldResult>{one},
                                   ArrayRef<OpFoldResult>{one});
}

void LinearAttentionKernel::emitQueries(Value stateParts) {
  const ProgramPlan &plan = queryPlan();
  Value partRows = host.index(host.schedule.getRowChunk()), queryCount = host.dim(operands.query, 2);
  Value parts = host.max(host.ceilDiv(queryCount, partRows), host.index(1));
  if (operands.sequences) {
    partRows = host.max(queryCount, host.index(1));
    parts = host.index(1);
  }
  Value heads = host.mul(operands.entries(host), operands.queryHeads(host)), tasks = host.mul(heads, parts), smalls;
  if (operands.counts)
    smalls = workspace(host, {ShapedType::kDynamic}, tasks, host.b.getI64Type());

  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_output").str(),
                   capturesOf(plan, {operands.offset, operands.denominators, smalls, stateParts, parts, partRows}));
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.query), 1), task.captured(parts));
  Value keyHead = k.div(at.head, k.index(operands.group));
  RowSpan span = operands.querySpan(k, task, at.batch);
  Value low = k.mul(at.part, task.captured(partRows));
  Value high = k.min(k.add(low, task.captured(partRows)), span.count);

  int64_t rowTile = k.schedule.getRowTile();
  TileEmitter emitter(k, task, plan, rowTile);
  setQueryHead(emitter, keyHead, at.head);
  bool dots = plan.dots;
  FeatureTile tile =
      FeatureTile::ofBlock(k, task, plan, dots ? FeatureTile::Form::QueryRows : FeatureTile::Form::Numbers);
  Value statePairs;
  if (dots)
    statePairs = task.scratch({shape.features, k.padded(shape.valueWidth)}, k.b.getI32Type());
  QuerySums sums = QuerySums::allocate(k, task, shape);
  Value keyHeads = k.div(k.dim(task.captured(operands.query), 1), k.index(operands.group));
  Value stateIndex = k.add(k.mul(at.batch, keyHeads), keyHead);
  AttentionState local = state.at(k, task, k.mul(stateIndex, task.captured(stateParts)));
  Value queryRows = operands.rows(k, task, operands.query, at.batch, at.head, span);
  Value queryScratch = task.scratch({rowTile, cast<MemRefType>(queryRows.getType()).getDimSize(1)},
                                    dots ? Type(k.b.getBF16Type()) : k.element);
  Value outRows = operands.rows(k, task, operands.out, at.batch, at.head, span), denominatorRows, counter;
  if (operands.denominators)
    denominatorRows = operands.rows(k, task, operands.denominators, at.batch, at.head, span);
  if (smalls) {
    counter = task.scratch({1}, k.b.getI64Type());
    k.storeScalar(arith::ConstantIntOp::create(k.b, k.loc, 0, 64), counter, k.index(0));
  }
  auto apply = [&](Value visible) {
    Value norm = local.valueSum ? emitter.constantNorm() : Value();
    Value logOffset = offsetOf(k, task, at.batch, at.head);
    if (dots)
      emitStatePairs(k, plan, shape, local, statePairs);
    k.loop(low, high, rowTile, [&](Value base) {
      Value tileCount = k.min(k.sub(high, base), k.index(rowTile));
      StagedRows staged = stageRows(k, queryRows, base, tileCount, queryScratch);
      emitter.setRows(staged.rows);
      RowRange rows{staged.first, tileCount};
      emitter.emitSteps(rows);
      emitQueryStart(k, shape, rows.count, local, norm, visible, sums);
      forFeatureBlocks(k, plan, [&](const FusedGroup &group, Value block, Columns columns, Value number) {
        // Over all blocks, the queries of the next tile and the rows of the output that this one ends in.
        auto fetchNext = [&](Value registerGroup) {
          Value groups = k.index(rowTile / k.schedule.getRegisterRows());
          Value share = k.add(k.mul(number, groups), registerGroup);
          fetchShare(k, plan, {queryRows}, k.add(base, rowTile), share);
          fetchShare(k, plan, {outRows}, base, share);
        };
        emitQueryFeatures(k, emitter, group, shape, rows, k.index(0), rows.count, block, columns, local, tile, sums,
                          fetchNext);
        emitQueryProduct(k, group, shape, rows.count, block, columns, local, statePairs, tile, sums);
      });
      emitQueryEnd(k, shape, rows.count, sums, how, logOffset, counter, outRows, base, denominatorRows);
    });
  };
  if (operands.key && !operands.initial) {
    Value visible = operands.visibleKeys(k, task, at.batch, operands.keySpan(k, task, at.batch));
    k.when(
        k.equal(visible, k.index(0)), [&] { emitZeros(k, outRows, denominatorRows, low, high); },
        [&] { apply(visible); });
  } else {
    apply(k.index(0));
  }
  if (smalls)
    k.storeScalar(k.loadScalar(counter, k.index(0)), task.captured(smalls), task.taskIndex);
  task.finish(host, k, tasks);
  if (smalls)
    sumCounts(smalls, parts);
}

void LinearAttentionKernel::sumCounts(Value smalls, Value parts) {
  Value headCount = operands.queryHeads(host), heads = host.mul(operands.entries(host), headCount);
  host.loop(host.index(0), heads, 1, [&](Value i) {
    Value zero = arith::ConstantIntOp::create(host.b, host.loc, 0, 64);
    auto sum = host.loop(host.index(0), parts, 1, zero, [&](Value part, ValueRange carried) {
      Value small = host.loadScalar(smalls, host.add(host.mul(i, parts), part));
      return SmallVector<Value>{arith::AddIOp::create(host.b, host.loc, carried[0], small)};
    });
    host.storeScalar(sum[0], operands.counts, {host.div(i, headCount), host.rem(i, headCount)});
  });
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

void LinearAttentionKernel::emitBidirectional() {
  auto [parts, partRows] = partition(host.dim(operands.key, 2), keyTasks(host.index(1)));
  allocateState(parts);
  emitKeys(parts, partRows);
  if (operands.final)
    emitMerge(parts);
  else
    host.when(host.less(host.index(1), parts), [&, parts = parts] { emitMerge(parts); });
  emitQueries(parts);
}

void LinearAttentionKernel::emitState() {
  auto [parts, partRows] = partition(host.dim(operands.key, 2), keyTasks(host.index(1)));
  allocateState(parts);
  emitKeys(parts, partRows);
  emitMerge(parts);
}

/// Callers' states -> the workspace.
void LinearAttentionKernel::emitLoad() {
  KernelBuilder k = host;
  SmallVector<Value> captured = state.captures();
  llvm::append_range(captured, operands.initial.captures());
  TaskBuilder task(k, kernel, (name + "_load").str(), captured);
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.initial.sums), 1), k.index(1));
  state.at(k, task, task.taskIndex)
      .load(k, shape.features, shape.valueWidth, operands.initial.at(k, task, at.batch, at.head));
  task.finish(host, k, host.mul(host.dim(operands.initial.sums, 0), host.dim(operands.initial.sums, 1)));
}

void LinearAttentionKernel::emitApply() {
  Value states = host.mul(host.dim(operands.initial.sums, 0), host.dim(operands.initial.sums, 1));
  state = AttentionState::allocate(host, states, shape.features, shape.valueWidth, shape.log, /*constants=*/false);
  emitLoad();
  emitQueries(host.index(1));
}
