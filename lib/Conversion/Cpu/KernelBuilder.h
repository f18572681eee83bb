//===- KernelBuilder.h - vector code for kernels ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all CPU kernels are written with: index arithmetic, loops, loads and stores of column blocks with masked tails,
// scratch, and the register-tiled product.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_KERNELBUILDER_H
#define BOCHNER_LIB_CONVERSION_CPU_KERNELBUILDER_H

#include "dialect/Spectral.h"
#include "lib/Conversion/CpuMath.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bochner::cpu {

using llvm::ArrayRef;
using llvm::function_ref;
using llvm::SmallVector;
using llvm::StringRef;
using mlir::Location;
using mlir::MemRefType;
using mlir::OpBuilder;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

/// What kernels are generated for.
struct TargetInfo {
  int64_t vectorBits = 512;
  bool hasFma = true;
  bool hasBf16Dot = false; ///< AVX512_BF16; vectors of 512 bits
};

/// A block of columns: `padded` is a multiple of the lanes of a vector; only the first `valid` columns exist.
struct Columns {
  int64_t valid, padded;
  bool isTail() const { return valid != padded; }
};

/// Thresholds of the log domain, in powers of two: features are kept below 2^`growth` of their running maximum, so that
/// sums over 2^20 keys and over features stay far from overflow; `unset` is the start of a maximum no key has set.
struct LogRange {
  double growth, unset;
};

class KernelBuilder {
public:
  KernelBuilder(OpBuilder b, Location loc, Type element, spectral::ScheduleAttr schedule, const TargetInfo &target)
      : b(b), loc(loc), element(element), schedule(schedule), target(target) {}

  OpBuilder b;
  Location loc;
  Type element;
  spectral::ScheduleAttr schedule;
  TargetInfo target;

  int64_t lanes() const { return target.vectorBits / element.getIntOrFloatBitWidth(); }
  int64_t elementBytes() const { return element.getIntOrFloatBitWidth() / 8; }
  int64_t padded(int64_t width) const { return (width + lanes() - 1) / lanes() * lanes(); }
  Columns columns(int64_t width) const { return {width, padded(width)}; }
  LogRange logRange() const { return element.isF64() ? LogRange{400, -1e300} : LogRange{30, -1e30}; }
  CpuMath math() { return CpuMath(b, loc, target.hasFma); }

  //===--------------------------------------------------------------------===//
  // Index arithmetic; constants fold
  //===--------------------------------------------------------------------===//
  Value index(int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return add(x, index(y)); }
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y); ///< rounds down; operands are not negative
  Value rem(Value x, Value y);
  Value ceilDiv(Value x, Value y);
  Value min(Value x, Value y);
  Value max(Value x, Value y);
  Value equal(Value x, Value y);
  Value less(Value x, Value y);
  Value truth(bool value);
  Value negate(Value condition);
  Value select(Value condition, Value x, Value y);
  Value dim(Value memref, int64_t i);

  //===--------------------------------------------------------------------===//
  // Control flow
  //===--------------------------------------------------------------------===//
  void loop(Value low, Value high, int64_t step, function_ref<void(Value)> body);
  SmallVector<Value> loop(Value low, Value high, int64_t step, ValueRange init,
                          function_ref<SmallVector<Value>(Value, ValueRange)> body);
  void when(Value condition, function_ref<void()> then);
  /// Values that `then` computes if the condition holds, else `otherwise`.
  SmallVector<Value> choose(Value condition, ValueRange otherwise, function_ref<SmallVector<Value>()> then);
  void when(Value condition, function_ref<void()> then, function_ref<void()> otherwise);
  /// Blocks of `block` columns in a loop, then the rest.
  void columnBlocks(int64_t width, int64_t block, function_ref<void(Value, Columns)> body);
  /// Blocks of register columns. The rest is cut so that each block takes a power of two registers: vectors of three
  /// are taken apart by LLVM, which costs a factor of four.
  void registerBlocks(int64_t width, function_ref<void(Value, Columns)> body);
  /// Groups of register rows in a loop, then the rest: body(first row, rows).
  void rowGroups(int64_t rows, function_ref<void(Value, int64_t)> body);
  /// `count` rounded up to whole groups of register rows.
  Value wholeGroups(Value count);

  //===--------------------------------------------------------------------===//
  // Vectors
  //===--------------------------------------------------------------------===//
  mlir::VectorType vector(int64_t width) { return mlir::VectorType::get({width}, element); }
  Value number(double value); ///< scalar
  Value splat(double value, int64_t width);
  /// A scalar as a vector; width 0 leaves it.
  Value broadcast(Value v, int64_t width);
  /// To and from the element type of kernels. Tensors may have 16 bits, sums of states 64.
  Value widen(Value v);
  Value narrow(Value v, Type to);
  /// Loads and stores a block of columns, converting other element types; columns that do not exist are not touched and
  /// read as `fill`.
  Value load(Value memref, ValueRange at, Columns columns, double fill = 0);
  void store(Value v, Value memref, ValueRange at, Columns columns);
  Value loadScalar(Value memref, ValueRange at);
  void storeScalar(Value v, Value memref, ValueRange at);
  Value addf(Value x, Value y);
  Value subf(Value x, Value y);
  Value mulf(Value x, Value y);
  Value divf(Value x, Value y);
  Value fma(Value x, Value y, Value z) { return math().fma(x, y, z); }
  Value maxf(Value x, Value y); ///< keeps y if x is NaN
  /// One register's worth of a vector, from lane `first`.
  Value lanesAt(Value v, int64_t first);
  /// Sum of the lanes, in a fixed order.
  Value sumLanes(Value v);
  Value maxLanes(Value v);
  /// True if an element of a vector of truth values is.
  Value anyTrue(Value v);
  /// Columns that do not exist get `fill`.
  Value maskTail(Value v, Columns columns, double fill);
  /// The same for truth values, which become false.
  Value maskBits(Value v, Columns columns);
  /// Transposes a square of lanes x lanes elements, a row in each vector.
  SmallVector<Value> transpose(ArrayRef<Value> rows);
  /// The same between rows of buffers [..., lanes], by a function that all kernels of a module share: code generation
  /// takes long for shuffles.
  void transpose(Value source, Value sourceRow, Value target, Value targetRow);

  /// Fetches a row into the L2 cache ahead of its use; a row past the end is harmless.
  void prefetchRow(Value rows, Value row);

  /// init[r] + sum over k of a(k, r) * w(k): accumulators stay in registers.
  SmallVector<Value> product(ArrayRef<Value> init, Value depth, function_ref<Value(Value, int64_t)> a,
                             function_ref<Value(Value)> w);
  /// The same where row r, number first + r, does not see k beyond its own number: what it does not see is not
  /// multiplied, be it infinite or NaN. `depth` bounds k for all rows; where `masked` is false, all of it is seen.
  SmallVector<Value> productCausal(ArrayRef<Value> init, Value first, Value depth, Value masked,
                                   function_ref<Value(Value, int64_t)> a, function_ref<Value(Value)> w);
  /// target[first + r, :] += sum over k < depth of a(k, r) * w(k, :), for `rows` rows; `width` columns of the target,
  /// whose rows are padded.
  void accumulate(Value targetRows, Value first, int64_t rows, int64_t width, Value depth,
                  function_ref<Value(Value, int64_t)> a, function_ref<Value(Value, Value, Columns)> w);
  /// The same for one block of columns from `c` on.
  void accumulateBlock(Value targetRows, Value first, int64_t rows, Value c, Columns block, Value depth,
                       function_ref<Value(Value, int64_t)> a, function_ref<Value(Value)> w);
  /// The same as accumulate by productCausal.
  void accumulateCausal(Value targetRows, Value first, int64_t rows, int64_t width, Value depth, Value masked,
                        function_ref<Value(Value, int64_t)> a, function_ref<Value(Value, Value, Columns)> w);
};

/// A task function under construction: index, scratch, then the captures; scratch is laid out as it is asked for.
class TaskBuilder {
public:
  /// Creates the function `name` before `before` in its module and lets `body` write into it.
  TaskBuilder(KernelBuilder &body, mlir::func::FuncOp before, StringRef name, ValueRange captures);

  mlir::func::FuncOp function;
  Value taskIndex;
  /// The argument that stands for a captured value.
  Value captured(Value outer);
  Value scratch(ArrayRef<int64_t> shape, Type type);
  /// Ends the function and runs it `count` times from `host`.
  void finish(KernelBuilder &host, KernelBuilder &body, Value count);

private:
  SmallVector<Value> captures;
  Location loc;
  int64_t scratchBytes = 0;
};

/// Rows [first, first + count) of a tensor [B, H, N, W].
struct RowSpan {
  Value first, count;
};
/// The rows of one head: memref<?xW> with the strides of `tensor` [B, H, N, W]; all of them, or those of a span, if
/// `reversed` from the last one to the first.
Value headRows(KernelBuilder &k, Value tensor, Value batch, Value head);
Value headRows(KernelBuilder &k, Value tensor, Value batch, Value head, const RowSpan &span, bool reversed);
/// to[target, :] = from[row, :], converted if need be; buffers may have padded rows.
void copyRow(KernelBuilder &k, Value from, Value row, Value to, Value target);
/// rows[low .. high, :] = 0.
void clearRows(KernelBuilder &k, Value rows, Value low, Value high);
/// Rows of a tensor that a kernel reads more than once.
struct StagedRows {
  Value rows, first; ///< memref<?xW> and the position of the first row in it
};
/// Rows that lie next to each other are used where they are. Others, such as a head of [B, N, H, D], are copied to
/// `scratch`: rows a power of two apart would share a few sets of the cache. So are rows of another type than its own,
/// which are converted.
StagedRows stageRows(KernelBuilder &k, Value rows, Value first, Value count, Value scratch);

/// A buffer for `shape` in the workspace; `dynamic` are its dynamic sizes.
Value workspace(KernelBuilder &k, ArrayRef<int64_t> shape, ValueRange dynamic, Type type);
/// memref[i] without its first dimension.
Value slice(KernelBuilder &k, Value memref, Value i);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_KERNELBUILDER_H
