//===- Fragments.h - products on tensor cores -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operands of mma.sync as the registers of a warp, and the matrices in shared memory that they are read from. An
// accumulator becomes the left operand of the next product without leaving its registers, so that features go from one
// product to the next. Layouts: PTX ISA, "Matrix Fragments for mma.m16n8k16" and "mma.m16n8k8".
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_FRAGMENTS_H
#define BOCHNER_LIB_CONVERSION_GPU_FRAGMENTS_H

#include "lib/Conversion/Gpu/ThreadBuilder.h"
#include <array>

namespace bochner::simt {

/// How products are computed. Sums are f32.
enum class Precision {
  bf16,
  f16,
  tf32,
  /// Three products of tf32 parts, a = high + low: 21 bits of each factor, what is lost being low * low. This is how
  /// tensor cores multiply f32 (CUTLASS calls it 3xTF32).
  tf32x3
};

inline bool isShort(Precision p) { return p == Precision::bf16 || p == Precision::f16; }
inline int64_t bytesOf(Precision p) { return isShort(p) ? 2 : 4; }
/// Depth of one mma.
inline int64_t depthOf(Precision p) { return isShort(p) ? 16 : 8; }
/// The type of operands in memory.
Type elementOf(Precision p, mlir::MLIRContext *context);

/// A block of a matrix holds 16 rows, 16 columns and a depth of 16; sizes are multiples of it.
inline constexpr int64_t kBlock = 16;
inline int64_t toBlocks(int64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

/// What the rows of a matrix in shared memory are to a product: its rows (or columns), or the depth.
enum class Order { ByRow, ByDepth };

/// A matrix in shared memory, of operands.
struct SharedMatrix {
  Value address;    ///< of its first element
  int64_t rowBytes; ///< from one row to the next
};

/// Bytes of a row of `width` elements, such that a warp reads fragments without bank conflicts. `chained`: the depth
/// runs over columns of an accumulator (Fragments::chain).
int64_t rowBytesOf(Precision precision, int64_t width, Order order, bool chained);

/// 16 rows x 8 columns of f32: element i of a lane is at row lane / 4 + 8 (i / 2), column 2 (lane % 4) + i % 2.
using Accumulator = std::array<Value, 4>;

class Fragments {
public:
  Fragments(ThreadBuilder &t, Precision precision);

  /// The registers of an operand; `low` of tf32x3.
  struct Operand {
    SmallVector<Value, 4> high, low;
  };

  Precision precision;
  /// lane / 4 and lane % 4: see Accumulator.
  Value group, quad;
  /// Row and column of element i of an accumulator.
  Value rowOf(int64_t i);
  Value columnOf(int64_t i);

  Accumulator zero();
  /// 16 rows from `row` on, of one mma's depth from `depth` on.
  Operand left(const SharedMatrix &m, Value row, Value depth, Order order);
  /// The same of 16 columns, as two operands of 8. `chained`: to meet a left operand of chain().
  /// Not `shared`: in global memory.
  std::array<Operand, 2> right(const SharedMatrix &m, Value column, Value depth, Order order, bool chained,
                               bool shared = true);
  /// 16 columns of accumulators as left operands, one for each mma.
  SmallVector<Operand> chain(const Accumulator &first, const Accumulator &second);
  /// A right operand of ones.
  Operand ones();
  Accumulator multiply(const Operand &a, const Operand &b, const Accumulator &c);
  /// sum = step(depth, sum) for each depth of an mma up to `depth`. Three products for one are a loop: written out,
  /// they fill the registers with operands.
  std::array<Accumulator, 2>
  overDepth(int64_t depth, const std::array<Accumulator, 2> &init,
            function_ref<std::array<Accumulator, 2>(Value, const std::array<Accumulator, 2> &)> step);
  /// 16 rows of one matrix times 16 rows of another, over their first `depth` columns.
  std::array<Accumulator, 2> multiplyRows(const SharedMatrix &a, Value row, const SharedMatrix &b, Value column,
                                          int64_t depth);
  /// sums[4 at ...], `count` accumulators side by side, += 16 x 16 accumulators times 16 rows of the depth of a matrix,
  /// from `depth` on.
  void accumulate(const std::array<Accumulator, 2> &left, const SharedMatrix &matrix, Value depth, Order order,
                  int64_t count, int64_t at, SmallVectorImpl<Value> &sums);

private:
  Value at(const SharedMatrix &m, Value row, Value column);
  /// Appends x to an operand of 32-bit elements.
  void append(Operand &operand, Value x);

  ThreadBuilder &t;
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_FRAGMENTS_H
