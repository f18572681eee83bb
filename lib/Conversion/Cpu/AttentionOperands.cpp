//===- AttentionOperands.cpp - who attends to whom ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/AttentionOperands.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

TaskPosition bochner::cpu::locate(KernelBuilder &k, Value task, Value heads, Value parts) {
  Value batchHead = k.div(task, parts);
  return {batchHead, k.div(batchHead, heads), k.rem(batchHead, heads), k.rem(task, parts)};
}

SmallVector<Value> AttentionOperands::captures() const {
  SmallVector<Value> values;
  for (Value v : {query, key, value, lengths, mask, sequences, keySequences, out})
    if (v)
      values.push_back(v);
  return values;
}

/// Batch entries of `rows`, or packed sequences.
static Value countEntries(KernelBuilder &k, Value rows, Value sequences) {
  if (!sequences)
    return k.dim(rows, 0);
  return k.max(k.sub(k.dim(sequences, 0), k.index(1)), k.index(0));
}

Value AttentionOperands::entries(KernelBuilder &host) const { return countEntries(host, key ? key : query, sequences); }

Value AttentionOperands::entriesIn(KernelBuilder &k, TaskBuilder &task) const {
  return countEntries(k, task.captured(key ? key : query), sequences ? task.captured(sequences) : Value());
}

Value AttentionOperands::queryHeads(KernelBuilder &host) const { return host.dim(query, 1); }
Value AttentionOperands::keyHeads(KernelBuilder &host) const { return host.dim(key, 1); }

/// An element of a vector of integers, as an index.
static Value readIndex(KernelBuilder &k, Value memref, Value at) {
  Value v = k.loadScalar(memref, at);
  return v.getType().isIndex() ? v : arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), v).getResult();
}

RowSpan AttentionOperands::spanOf(KernelBuilder &k, TaskBuilder &task, Value tensor, Value entry, bool ofKeys) const {
  Value rows = k.dim(task.captured(tensor), 2);
  if (!sequences)
    return {k.index(0), rows};
  // The runtime reports offsets out of range; never read there.
  Value offsets = task.captured(ofKeys && keySequences ? keySequences : sequences);
  Value first = k.max(k.min(readIndex(k, offsets, entry), rows), k.index(0));
  Value end = k.max(k.min(readIndex(k, offsets, k.add(entry, 1)), rows), first);
  return {first, k.sub(end, first)};
}

Value AttentionOperands::rows(KernelBuilder &k, TaskBuilder &task, Value argument, Value entry, Value head,
                              const RowSpan &span) const {
  return headRows(k, task.captured(argument), batchOf(k, entry), head, span, reversed);
}

Value AttentionOperands::maskOf(KernelBuilder &k, TaskBuilder &task, Value entry, const RowSpan &keys) const {
  if (!mask)
    return Value();
  Value argument = task.captured(mask);
  auto type = cast<MemRefType>(argument.getType());
  int64_t any = ShapedType::kDynamic;
  auto metadata = memref::ExtractStridedMetadataOp::create(k.b, k.loc, argument);
  Value offset = k.add(metadata.getOffset(), k.mul(batchOf(k, entry), metadata.getStrides()[0]));
  Value first = reversed ? k.sub(k.add(keys.first, keys.count), k.index(1)) : keys.first;
  offset = k.add(offset, first); // the last dimension is contiguous
  auto row = MemRefType::get({any}, type.getElementType(), StridedLayoutAttr::get(k.b.getContext(), any, {any}));
  return memref::ReinterpretCastOp::create(k.b, k.loc, row, metadata.getBaseBuffer(), OpFoldResult(offset),
                                           ArrayRef<OpFoldResult>{keys.count},
                                           ArrayRef<OpFoldResult>{OpFoldResult(k.index(reversed ? -1 : 1))});
}

Value AttentionOperands::visibleKeys(KernelBuilder &k, TaskBuilder &task, Value entry, const RowSpan &keys) const {
  if (!lengths)
    return keys.count;
  // The runtime reports lengths out of range; never read there.
  return k.max(k.min(readIndex(k, task.captured(lengths), entry), keys.count), k.index(0));
}

AttentionOperands::ScanSpans AttentionOperands::scanSpans(KernelBuilder &k, TaskBuilder &task, Value entry) const {
  RowSpan queries = querySpan(k, task, entry), keys = keySpan(k, task, entry);
  Value zero = k.index(0), visible = visibleKeys(k, task, entry, keys), firstQuery = zero;
  if (!reversed)
    return {queries, keys, zero, zero, visible};
  if (keySequences) { // of a sequence with more keys than queries, or fewer, views begin at the end of what has more
    Value count = k.max(queries.count, keys.count);
    firstQuery = k.sub(count, queries.count);
    queries.count = keys.count = count;
  }
  return {queries, keys, firstQuery, k.sub(keys.count, visible), keys.count};
}
