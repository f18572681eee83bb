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
#include "lib/Conversion/Cpu/AttentionState.h"
#include "lib/Conversion/Cpu/Kernels.h"
#include "lib/Conversion/Cpu/LinearAttentionKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

Value bochner::cpu::visibleKeys(KernelBuilder &k, Value lengths, Value batch, Value keys) {
  if (!lengths)
    return keys;
  Value length = k.loadScalar(lengths, batch);
  if (!length.getType().isIndex())
    length = arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), length);
  return k.max(k.min(length, keys), k.index(0)); // the runtime reports lengths out of range; never read there
}

LinearAttentionKernel::LinearAttentionKernel(KernelBuilder &host, func::FuncOp kernel, spectral::LinearAttentionOp op,
                                             FeatureProgram keyProgram, std::optional<FeatureProgram> queryProgram)
    : host(host), kernel(kernel), name(kernel.getName()), eps(op.getEps().convertToDouble()) {
  unsigned next = 0;
  query = kernel.getArgument(next++);
  key = kernel.getArgument(next++);
  value = kernel.getArgument(next++);
  if (op.getLengths())
    lengths = kernel.getArgument(next++);
  if (op.getOffset())
    offset = kernel.getArgument(next++);
  ValueRange parameters = ValueRange(kernel.getArguments()).slice(next, op.getParameters().size());
  out = kernel.getArguments().back();
  shape = {op.getFeatureCount(), op.getValueWidth(), op.isLogDomain()};
  keyPlan = std::make_unique<ProgramPlan>(std::move(keyProgram), parameters, host.schedule);
  if (queryProgram) {
    // Constant features of two maps need not pair up, so each keeps its row of the state.
    separateQueryPlan = std::make_unique<ProgramPlan>(std::move(*queryProgram), parameters, host.schedule);
    separateQueryPlan->keepConstantFeatures();
    keyPlan->keepConstantFeatures();
  }
}

void LinearAttentionKernel::pack() {
  keyPlan->pack(host, kernel, (name + "_keys").str());
  if (separateQueryPlan)
    separateQueryPlan->pack(host, kernel, (name + "_queries").str());
}

void bochner::cpu::forFeatureBlocks(KernelBuilder &k, const ProgramPlan &plan,
                                    llvm::function_ref<void(const FusedGroup &, Value, Columns, Value)> body) {
  int64_t size = k.schedule.getFeatureBlock(), before = 0;
  for (const FusedGroup &group : plan.groups) {
    k.columnBlocks(group.width, size, [&](Value block, Columns columns) {
      body(group, block, columns, k.add(k.div(block, k.index(size)), before));
    });
    before += (group.width + size - 1) / size;
  }
}

void bochner::cpu::fetchShare(KernelBuilder &k, const ProgramPlan &plan, ArrayRef<Value> memrefs, Value first,
                              Value share) {
  int64_t blocks = 0, size = k.schedule.getFeatureBlock();
  for (const FusedGroup &group : plan.groups)
    blocks += (group.width + size - 1) / size;
  blocks = std::max<int64_t>(blocks, 1);
  int64_t rows = (k.schedule.getRegisterRows() + blocks - 1) / blocks;
  for (int64_t i = 0; i < rows; ++i)
    for (Value memref : memrefs)
      k.prefetchRow(memref, k.add(first, k.add(k.mul(share, k.index(rows)), i)));
}

/// Rows of keys or queries that steps work on at a time: tiles in scratch should stay in the cache.
static int64_t chunkRows(KernelBuilder &k, const ProgramPlan &plan) {
  return plan.hasScratchTiles() ? k.schedule.getRowTile() : k.schedule.getRowChunk();
}

SmallVector<Value> LinearAttentionKernel::capturesOf(const ProgramPlan &plan, ValueRange more) const {
  SmallVector<Value> captured = plan.captures();
  llvm::append_range(captured, state.captures());
  for (Value v : more)
    if (v && !llvm::is_contained(captured, v))
      captured.push_back(v);
  return captured;
}

void LinearAttentionKernel::emitKeys(Value parts, Value partRows, Value count) {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_state").str(), capturesOf(*keyPlan, {key, value, lengths, parts, partRows}));
  Value keys = task.captured(key), values = task.captured(value);
  TaskPosition at = locate(k, task.taskIndex, k.dim(keys, 1), task.captured(parts));
  Value visible = visibleKeys(k, lengths ? task.captured(lengths) : Value(), at.batch, k.dim(keys, 2));
  Value low = k.min(k.mul(at.part, task.captured(partRows)), visible);
  Value high = k.min(k.add(low, task.captured(partRows)), visible);

  int64_t chunk = chunkRows(k, *keyPlan);
  TileEmitter emitter(k, task, *keyPlan, at.head, chunk);
  FeatureTile tile = FeatureTile::ofBlock(k, task, *keyPlan);
  Value factors = task.scratch({k.schedule.getRegisterColumns()}, k.element);
  AttentionState local = state.at(k, task, task.taskIndex);
  local.clear(k, shape.features, shape.valueWidth);
  Value keyRows = headRows(k, keys, at.batch, at.head);
  Value valueRows = headRows(k, values, at.batch, at.head);
  Value keyScratch = task.scratch({chunk, cast<MemRefType>(keys.getType()).getDimSize(3)}, k.element);
  Value valueScratch = task.scratch({chunk, shape.valueWidth}, k.element);
  k.loop(low, high, chunk, [&](Value base) {
    Value chunkCount = k.min(k.sub(high, base), k.index(chunk));
    StagedRows stagedKeys = stageRows(k, keyRows, base, chunkCount, keyScratch);
    StagedRows stagedValues = stageRows(k, valueRows, base, chunkCount, valueScratch);
    emitter.setRows(stagedKeys.rows);
    RowRange rows{stagedKeys.first, chunkCount};
    emitter.emitSteps(rows);
    if (local.valueSum)
      emitValueSum(k, local, stagedValues.rows, {stagedValues.first, chunkCount});
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
  task.finish(host, k, count);
}

void LinearAttentionKernel::emitValueSum(KernelBuilder &k, const AttentionState &local, Value valueRows,
                                         RowRange rows) {
  k.columnBlocks(shape.valueWidth, k.schedule.getRegisterColumns(), [&](Value m, Columns columns) {
    Columns whole{columns.padded, columns.padded};
    auto sum = k.loop(k.index(0), rows.count, 1, k.load(local.valueSum, m, whole), [&](Value i, ValueRange carried) {
      return SmallVector<Value>{k.addf(carried[0], k.load(valueRows, {k.add(rows.base, i), m}, columns))};
    });
    k.store(sum[0], local.valueSum, m, whole);
  });
}

/// Adds part p of a head to part 0, in order.
void LinearAttentionKernel::emitMerge(Value parts, Value count) {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_merge").str(), [&] {
    SmallVector<Value> captured = state.captures();
    captured.push_back(parts);
    return captured;
  }());
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
  task.finish(host, k, count);
}

void LinearAttentionKernel::emitZeros(KernelBuilder &k, Value rows, Value low, Value high) {
  k.loop(low, high, 1, [&](Value i) {
    k.columnBlocks(shape.valueWidth, k.schedule.getRegisterColumns(),
                   [&](Value m, Columns columns) { k.store(k.splat(0, columns.padded), rows, {i, m}, columns); });
  });
}

Value LinearAttentionKernel::offsetOf(KernelBuilder &k, TaskBuilder &task, const TaskPosition &at) {
  if (!offset)
    return Value();
  Value natural = k.loadScalar(task.captured(offset), {at.batch, at.head});
  return k.mulf(natural, k.number(1.4426950408889634));
}

void LinearAttentionKernel::emitQueries(Value stateParts, Value parts, Value partRows, Value count) {
  const ProgramPlan &plan = queryPlan();
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_output").str(),
                   capturesOf(plan, {query, key, out, lengths, offset, stateParts, parts, partRows}));
  Value queries = task.captured(query), keys = task.captured(key);
  TaskPosition at = locate(k, task.taskIndex, k.dim(queries, 1), task.captured(parts));
  Value visible = visibleKeys(k, lengths ? task.captured(lengths) : Value(), at.batch, k.dim(keys, 2));
  Value low = k.mul(at.part, task.captured(partRows));
  Value high = k.min(k.add(low, task.captured(partRows)), k.dim(queries, 2));

  int64_t rowTile = k.schedule.getRowTile();
  TileEmitter emitter(k, task, plan, at.head, rowTile);
  FeatureTile tile = FeatureTile::ofBlock(k, task, plan);
  QuerySums sums = QuerySums::allocate(k, task, shape);
  AttentionState local = state.at(k, task, k.mul(at.batchHead, task.captured(stateParts)));
  Value queryRows = headRows(k, queries, at.batch, at.head);
  Value queryScratch = task.scratch({rowTile, cast<MemRefType>(queries.getType()).getDimSize(3)}, k.element);
  Value outRows = headRows(k, task.captured(out), at.batch, at.head);
  k.when(
      k.equal(visible, k.index(0)), [&] { emitZeros(k, outRows, low, high); },
      [&] {
        Value norm = local.valueSum ? emitter.constantNorm() : Value(), logOffset = offsetOf(k, task, at);
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
            emitQueryProduct(k, group, shape, rows.count, block, columns, local, tile, sums);
          });
          emitQueryEnd(k, shape, rows.count, sums, eps, logOffset, outRows, base);
        });
      });
  task.finish(host, k, count);
}

void LinearAttentionKernel::emitBidirectional() {
  Value batchHeads = host.mul(host.dim(query, 0), host.dim(query, 1));
  Value keys = host.dim(key, 2), queries = host.dim(query, 2);
  // Enough parts that a few dozen tasks share the work, none of them short; from shapes only.
  Value wanted = host.ceilDiv(host.index(64), host.max(batchHeads, host.index(1)));
  Value parts = host.min(host.min(host.div(keys, host.index(2048)), wanted), host.index(8));
  parts = host.max(parts, host.index(1));
  Value rowTile = host.index(host.schedule.getRowTile());
  Value partRows = host.mul(host.ceilDiv(host.ceilDiv(keys, parts), rowTile), rowTile);
  state = AttentionState::allocate(host, host.mul(batchHeads, parts), shape.features, shape.valueWidth, shape.log,
                                   !keyPlan->constants.empty());
  emitKeys(parts, host.max(partRows, rowTile), host.mul(batchHeads, parts));
  host.when(host.less(host.index(1), parts), [&] { emitMerge(parts, batchHeads); });

  Value queryRows = host.index(host.schedule.getRowChunk());
  Value queryParts = host.ceilDiv(queries, queryRows);
  emitQueries(parts, host.max(queryParts, host.index(1)), queryRows, host.mul(batchHeads, queryParts));
}

LogicalResult bochner::cpu::emitLinearAttention(KernelBuilder &k, func::FuncOp kernel, spectral::LinearAttentionOp op) {
  auto keyProgram = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(keyProgram))
    return failure();
  std::optional<FeatureProgram> queryProgram;
  if (!op.getQueryFeatures().empty()) {
    auto program = analyzeFeatures(op.getQueryFeatures(), op.isLogDomain());
    if (failed(program))
      return failure();
    queryProgram.emplace(std::move(*program));
  }
  LinearAttentionKernel emitter(k, kernel, op, std::move(*keyProgram), std::move(queryProgram));
  emitter.pack();
  if (op.isCausal())
    emitter.emitCausal();
  else
    emitter.emitBidirectional();
  return success();
}
