//===- PackedTiles.cpp - tiles of packed sequences ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/PackedTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

PackedTiles PackedTiles::plan(KernelBuilder &host, func::FuncOp kernel, const AttentionOperands &operands,
                              int64_t tile) {
  // The last tile of each sequence need not be full, nor those of the rows before and after all of them.
  Value entries = operands.entries(host);
  Value slots = host.ceilDiv(host.dim(operands.query, 2), host.index(tile));
  slots = host.add(slots, host.add(entries, 2));
  Type number = host.b.getI64Type();
  PackedTiles packed{slots, workspace(host, {ShapedType::kDynamic, 5}, slots, number)};

  SmallVector<Value> captured = operands.captures();
  captured.append({entries, slots, packed.table});
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (kernel.getName() + "_plan").str(), captured);
  Value table = task.captured(packed.table), end = task.captured(slots), zero = k.index(0);
  auto write = [&](Value slot, ArrayRef<Value> numbers) {
    for (auto [i, v] : llvm::enumerate(numbers))
      k.storeScalar(arith::IndexCastOp::create(k.b, k.loc, number, v), table, {slot, k.index(i)});
  };
  auto addTiles = [&](const RowSpan &queries, const RowSpan &keys, Value slot) {
    return k.loop(zero, queries.count, tile, slot, [&](Value base, ValueRange carried) {
      // There is room for the tiles of sequences in order; the runtime reports others.
      k.when(k.less(carried[0], end),
             [&] { write(carried[0], {queries.first, queries.count, base, keys.first, keys.count}); });
      return SmallVector<Value>{k.add(carried[0], 1)};
    })[0];
  };
  auto addOutside = [&](Value first, Value last, Value slot) {
    return addTiles({first, k.max(k.sub(last, first), zero)}, {zero, zero}, slot);
  };
  auto carried = k.loop(zero, task.captured(entries), 1, {zero, zero}, [&](Value entry, ValueRange carried) {
    RowSpan queries = operands.querySpan(k, task, entry);
    Value slot = addOutside(carried[0], queries.first, carried[1]);
    slot = addTiles(queries, operands.keySpan(k, task, entry), slot);
    return SmallVector<Value>{k.add(queries.first, queries.count), slot};
  });
  Value used = addOutside(carried[0], k.dim(task.captured(operands.query), 2), carried[1]);
  k.loop(used, end, 1, [&](Value slot) { write(slot, {zero, zero, zero, zero, zero}); });
  task.finish(host, k, host.index(1));
  return packed;
}

PackedTiles::Tile PackedTiles::read(KernelBuilder &k, TaskBuilder &task, Value slot) const {
  auto number = [&](int64_t i) {
    Value v = k.loadScalar(task.captured(table), {slot, k.index(i)});
    return arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), v).getResult();
  };
  return {{number(0), number(1)}, {number(3), number(4)}, number(2)};
}
