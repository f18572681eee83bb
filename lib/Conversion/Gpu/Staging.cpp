//===- Staging.cpp - rows from global to shared memory --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows that lie 16-byte aligned are copied asynchronously, 16 bytes at a time; the host finds out. Others are read by
// elements and converted if need be.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/Staging.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

/// Calls body(row, number) for `rows` x `each` pairs, spread over the threads of the block.
static void forPairs(DeviceKernel &kernel, int64_t rows, int64_t each, llvm::function_ref<void(Value, Value)> body) {
  ThreadBuilder &t = kernel.t;
  t.loop(t.threadId(), t.i32(rows * each), kernel.threads, [&](Value i) { body(t.div(i, each), t.rem(i, each)); });
}

static Value placeIn(ThreadBuilder &t, const SharedMatrix &to, Value row, Value bytes) {
  return t.offset(to.address, t.add(t.mul(row, to.rowBytes), bytes));
}

void bochner::simt::stageRows(DeviceKernel &kernel, const GlobalRows &from, Value first, int64_t rows,
                              const SharedMatrix &to, Precision precision, llvm::function_ref<Value(Value)> exists) {
  ThreadBuilder &t = kernel.t;
  Type element = elementOf(precision, t.b.getContext());
  int64_t bytes = bytesOf(precision), elementBytes = from.element.getIntOrFloatBitWidth() / 8;
  auto source = [&](Value row) {
    Value elements = t.mul(t.toI64(t.add(first, row)), from.stride);
    return t.offset(from.address, t.mul(elements, elementBytes));
  };
  auto byElements = [&] {
    forPairs(kernel, rows, from.width, [&](Value row, Value column) {
      SmallVector<Value> x = t.choose(exists(row), t.f32(0), [&] {
        return SmallVector<Value>{t.loadNumber(from.element, t.offset(source(row), t.mul(column, elementBytes)))};
      });
      t.storeNumber(x[0], element, placeIn(t, to, row, t.mul(column, bytes)));
    });
  };
  if (from.element != element || from.width * bytes % 16)
    return byElements();
  auto byChunks = [&] {
    forPairs(kernel, rows, from.width * bytes / 16, [&](Value row, Value chunk) {
      Value at = t.mul(chunk, 16), valid = exists(row);
      // A row that does not exist is replaced by the first one, of which nothing is read.
      Value safe = t.select(valid, row, t.i32(0));
      t.copyAsync16(placeIn(t, to, row, at), t.offset(source(safe), at), t.select(valid, t.i32(16), t.i32(0)));
    });
    t.commitCopies();
  };
  if (!from.aligned)
    return byChunks();
  t.when(from.aligned, byChunks, byElements);
}

void bochner::simt::stageBlock(DeviceKernel &kernel, Value from, int64_t rowBytes, int64_t rows, int64_t width,
                               const SharedMatrix &to, Precision precision) {
  ThreadBuilder &t = kernel.t;
  forPairs(kernel, rows, width * bytesOf(precision) / 16, [&](Value row, Value chunk) {
    Value at = t.mul(chunk, 16);
    t.copyAsync16(placeIn(t, to, row, at), t.offset(from, t.add(t.mul(row, rowBytes), at)), t.i32(16));
  });
  t.commitCopies();
}

void bochner::simt::clearPadding(DeviceKernel &kernel, const SharedMatrix &matrix, int64_t rows, int64_t width,
                                 Precision precision) {
  ThreadBuilder &t = kernel.t;
  Type element = elementOf(precision, t.b.getContext());
  if (int64_t padding = toBlocks(width) - width)
    forPairs(kernel, rows, padding, [&](Value row, Value column) {
      t.storeNumber(t.f32(0), element, placeIn(t, matrix, row, t.mul(t.add(column, width), bytesOf(precision))));
    });
}
