//===- CausalAttentionGrad.cpp - gradients of causal attention ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A task walks over the rows of a head of keys in segments, the last one first, with the state of the keys before each
// segment: a scan of its queries, then one of its keys in the other order, whose state of cotangents goes on to the
// segment before. Products of rows with parameters are the same in both scans; the first one keeps those of a segment.
//
// States before segments are what the forward pass has saved, or come from a scan of the keys alone.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/CausalGradientTask.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

void LinearAttentionGradKernel::allocateCheckpoints() {
  constexpr int64_t any = ShapedType::kDynamic;
  Value count = host.ceilDiv(host.dim(operands.key, 2), host.index(operands.checkpointInterval));
  if (operands.sequences)
    count = host.add(count, operands.entries(host));
  SmallVector<Value> sizes{host.dim(operands.key, 0), operands.keyHeads(host), count};
  auto buffer = [&](ArrayRef<int64_t> shape) {
    SmallVector<int64_t> whole{any, any, any};
    llvm::append_range(whole, shape);
    return workspace(host, whole, sizes, host.element);
  };
  operands.checkpoints = {buffer({shape.features, host.padded(shape.valueWidth)}), buffer({shape.features}), Value()};
  if (shape.log)
    operands.checkpoints.maximum = buffer({shape.features});
}

/// A scan of the keys of each head, which leaves its state at each segment.
void LinearAttentionGradKernel::emitCheckpoints() {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_checkpoints").str(), scanCaptures());
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), k.index(1));
  RowSpan span = operands.keySpan(k, task, at.batch);
  CausalGradientTask body(*this, k, task, /*ofKeys=*/false);
  body.reads = false;
  bindScan(body, k, task, at, /*ofKeys=*/false);
  bindHead(body, k, task, at, k.mul(at.head, k.index(operands.group)), /*ofKeys=*/false);
  body.clear();
  int64_t tile = k.schedule.getRowTile();
  k.loop(k.index(0), span.count, tile, [&](Value base) {
    k.when(k.equal(k.rem(base, k.index(operands.checkpointInterval)), k.index(0)),
           [&] { body.save(checkpointAt(k, task, at, span, k.div(base, k.index(operands.checkpointInterval)))); });
    body.emitChunk(base, k.min(k.sub(span.count, base), k.index(tile)), Value());
  });
  task.finish(host, k, keyTasks(host.index(1)));
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// Operands in the order of a scan: keys read queries in the order opposite to that in which queries see keys.
AttentionOperands LinearAttentionGradKernel::scanOf(bool ofKeys) const {
  AttentionOperands scan = operands;
  scan.reversed = operands.reversed != ofKeys;
  return scan;
}

SmallVector<Value> LinearAttentionGradKernel::scanCaptures() const {
  SmallVector<Value> more(queryPlan().captures());
  auto append = [&](ArrayRef<Value> values) {
    for (Value v : values)
      if (!llvm::is_contained(more, v))
        more.push_back(v);
  };
  append(keyPlan->captures());
  append(keyGradient->captures());
  append(operands.checkpoints.captures());
  append(operands.denominators);
  return gradientCaptures(*queryGradient, more);
}

/// What all heads of queries of a task have in common.
void LinearAttentionGradKernel::bindScan(CausalGradientTask &body, KernelBuilder &k, TaskBuilder &task,
                                         const TaskPosition &at, bool ofKeys) {
  AttentionOperands scan = scanOf(ofKeys);
  RowSpan span = scan.keySpan(k, task, at.batch);
  body.rowCount = span.count;
  body.reversed = scan.reversed;
  body.hidesByLength = bool(operands.lengths);
  body.visible = scan.visibleKeys(k, task, at.batch, span);
  body.mask = scan.maskOf(k, task, at.batch, span);
}

/// The rows of a head of queries and of its head of keys.
void LinearAttentionGradKernel::bindHead(CausalGradientTask &body, KernelBuilder &k, TaskBuilder &task,
                                         const TaskPosition &at, Value queryHead, bool ofKeys) {
  AttentionOperands scan = scanOf(ofKeys);
  RowSpan span = scan.keySpan(k, task, at.batch);
  auto rowsOf = [&](Value tensor, Value head) { return scan.rows(k, task, tensor, at.batch, head, span); };
  int64_t queryHeads = operands.group > 1 ? cast<MemRefType>(operands.query.getType()).getDimSize(1) : 0;
  body.keyEmitter.setHead(at.head);
  setQueryHead(body.queryEmitter, at.head, queryHead);
  body.tiles.setHead(at.head, ofKeys ? Value() : queryHead, ofKeys ? 0 : queryHeads);
  body.keys.rows = rowsOf(operands.key, at.head);
  body.valueRows = rowsOf(operands.value, at.head);
  body.queries.rows = rowsOf(operands.query, queryHead);
  body.cotangentRows = rowsOf(gradients.cotangent, queryHead);
  body.outputRows = rowsOf(gradients.output, queryHead);
  if (operands.denominators)
    body.denominatorRows = rowsOf(operands.denominators, queryHead);
  body.gradientRows = ofKeys ? rowsOf(gradients.key, at.head) : rowsOf(gradients.query, queryHead);
  if (ofKeys)
    body.valueGradientRows = rowsOf(gradients.value, at.head);
}

/// Heads of queries that share a head of keys pass one after another.
void LinearAttentionGradKernel::emitScans() {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_grad").str(), scanCaptures());
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), k.index(1));
  RowSpan span = operands.keySpan(k, task, at.batch);
  Value zero = k.index(0), one = k.index(1), interval = k.index(operands.checkpointInterval);
  int64_t tile = k.schedule.getRowTile();

  CausalGradientTask queries(*this, k, task, /*ofKeys=*/false), keys(*this, k, task, /*ofKeys=*/true);
  bindScan(queries, k, task, at, /*ofKeys=*/false);
  bindScan(keys, k, task, at, /*ofKeys=*/true);
  queries.enters = operands.checkpointInterval > tile;
  auto kept = [&](const ProgramPlan &plan) {
    return task.scratch({operands.checkpointInterval, TileEmitter::keptWidth(k, plan) + k.lanes()}, k.element);
  };
  Value keptKeys = kept(*keyPlan), keptQueries = kept(queryPlan());
  queries.keepProducts(keptKeys, keptQueries, /*loads=*/false);
  keys.keepProducts(keptKeys, keptQueries, /*loads=*/true);
  keyGradient->clearSums(k, task, task.taskIndex);

  auto emitHead = [&](Value g, Value adds) {
    Value queryHead = k.add(k.mul(at.head, k.index(operands.group)), g);
    Value sums = k.add(k.mul(task.taskIndex, k.index(operands.group)), g);
    queryGradient->clearSums(k, task, sums);
    queries.tiles.setSums(sums);
    bindHead(queries, k, task, at, queryHead, /*ofKeys=*/false);
    bindHead(keys, k, task, at, queryHead, /*ofKeys=*/true);
    keys.clear();
    Value segments = k.ceilDiv(span.count, interval);
    k.loop(zero, segments, 1, [&](Value i) {
      Value number = k.sub(k.sub(segments, one), i), first = k.mul(number, interval);
      Value end = k.min(k.add(first, interval), span.count);
      queries.load(checkpointAt(k, task, at, span, number));
      queries.setKeptRows(k.sub(zero, first), /*backward=*/false);
      k.loop(first, end, tile,
             [&](Value base) { queries.emitChunk(base, k.min(k.sub(end, base), k.index(tile)), Value()); });
      // Row j of the scan of keys is row count - 1 - j of the other.
      Value last = k.sub(span.count, one), stop = k.sub(span.count, first);
      keys.setKeptRows(k.sub(last, first), /*backward=*/true);
      Value nextState = checkpointAt(k, task, at, span, k.sub(number, one)).sums;
      keys.fetchState = [&](Value share) { fetchShare(k, *keyPlan, nextState, zero, share, shape.features); };
      k.loop(k.sub(span.count, end), stop, tile,
             [&](Value base) { keys.emitChunk(base, k.min(k.sub(stop, base), k.index(tile)), adds); });
    });
  };
  if (operands.group == 1)
    emitHead(zero, Value());
  else
    k.loop(zero, k.index(operands.group), 1, [&](Value g) { emitHead(g, k.less(zero, g)); });
  task.finish(host, k, keyTasks(one));
}

void LinearAttentionGradKernel::emitCausal() {
  Value one = host.index(1);
  queryGradient->allocateSums(host, host.mul(operands.entries(host), operands.queryHeads(host)));
  keyGradient->allocateSums(host, keyTasks(one));
  if (!operands.checkpoints) {
    allocateCheckpoints();
    emitCheckpoints();
  }
  emitScans();
  emitParameterGradients(one, one);
}
