//===- ThreadBuilder.h - the code of one GPU thread -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels for GPUs are written with: arithmetic on 32-bit integers and floats, structured control flow, memory by
// address, and what threads of a warp and of a block do together. Emits arith, scf, math, llvm and nvvm operations.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_THREADBUILDER_H
#define BOCHNER_LIB_CONVERSION_GPU_THREADBUILDER_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace bochner::simt {

using llvm::ArrayRef;
using llvm::function_ref;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using llvm::StringRef;
using mlir::Location;
using mlir::OpBuilder;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

inline constexpr int64_t kWarpSize = 32;

/// NVPTX address spaces.
enum AddressSpace : unsigned { kGlobal = 1, kShared = 3 };

class ThreadBuilder {
public:
  ThreadBuilder(OpBuilder b, Location loc) : b(b), loc(loc) {}

  OpBuilder b;
  Location loc;

  //===--------------------------------------------------------------------===//
  // Integers, i32 unless an operand is i64; constants fold
  //===--------------------------------------------------------------------===//
  Value i32(int64_t value);
  Value i64(int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return add(x, like(x, y)); }
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value mul(Value x, int64_t y) { return mul(x, like(x, y)); }
  Value div(Value x, Value y); ///< rounds down; operands are not negative
  Value div(Value x, int64_t y) { return div(x, like(x, y)); }
  Value rem(Value x, Value y);
  Value rem(Value x, int64_t y) { return rem(x, like(x, y)); }
  Value bitAnd(Value x, int64_t y);
  Value shiftRight(Value x, int64_t bits); ///< logical
  Value shiftLeft(Value x, int64_t bits);
  Value min(Value x, Value y); ///< signed
  Value max(Value x, Value y);
  Value less(Value x, Value y); ///< signed
  Value less(Value x, int64_t y) { return less(x, like(x, y)); }
  Value lessEqual(Value x, Value y); ///< signed
  Value equal(Value x, int64_t y);
  Value isNotZero(Value x);     ///< of any width
  Value both(Value x, Value y); ///< of truth values
  Value select(Value condition, Value x, Value y);
  Value toI64(Value x); ///< of a number that is not negative
  Value signedToI64(Value x);
  Value toI32(Value x);

  //===--------------------------------------------------------------------===//
  // Floats
  //===--------------------------------------------------------------------===//
  Value f32(double value);
  Value addf(Value x, Value y);
  Value subf(Value x, Value y);
  Value mulf(Value x, Value y);
  Value divf(Value x, Value y);
  Value fma(Value x, Value y, Value z);
  Value abs(Value x);
  Value maxf(Value x, Value y);                   ///< the other one if one is NaN
  Value exp2(Value x);                            ///< ex2.approx.ftz: within 2 units in the last place
  Value cos(Value x);                             ///< cos.approx.ftz
  Value sin(Value x);                             ///< sin.approx.ftz
  Value log2(Value x);                            ///< lg2.approx.ftz
  Value unlessInfinite(Value x, Value otherwise); ///< x, or the other one if x is infinity
  Value isZero(Value x);
  Value awayFromZero(Value x, double least); ///< with the sign of x; 0 counts as positive
  Value bits(Value x);                       ///< of an f32, i32
  Value number(Value bits);                  ///< f32
  Value widen(Value x);                      ///< of a 16-bit float or f64, f32
  Value narrow(Value x, Type type);          ///< of an f32
  /// Two f32 as one i32 of two 16-bit floats, `low` in the low half.
  Value pack(Value low, Value high, Type type);
  /// Two i16 as one i32.
  Value joinHalves(Value low, Value high);

  //===--------------------------------------------------------------------===//
  // Control flow
  //===--------------------------------------------------------------------===//
  void loop(Value low, Value high, int64_t step, function_ref<void(Value)> body);
  void loop(Value low, Value high, Value step, function_ref<void(Value)> body);
  SmallVector<Value> loop(Value low, Value high, int64_t step, ValueRange init,
                          function_ref<SmallVector<Value>(Value, ValueRange)> body);
  void when(Value condition, function_ref<void()> then, function_ref<void()> otherwise = nullptr);
  /// Values that `then` computes if the condition holds, else `otherwise`.
  SmallVector<Value> choose(Value condition, ValueRange otherwise, function_ref<SmallVector<Value>()> then);

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//
  /// Address + a number of bytes, i32 or i64.
  Value offset(Value address, Value bytes);
  Value offset(Value address, int64_t bytes);
  Value load(Type type, Value address, int64_t alignment);
  void store(Value value, Value address, int64_t alignment);
  /// A number of `element` type in memory, as f32.
  Value loadNumber(Type element, Value address);
  void storeNumber(Value x, Type element, Value address);
  Value element(Value vector, int64_t i); ///< of a vector or a struct
  Value vector(ValueRange elements);

  //===--------------------------------------------------------------------===//
  // Threads
  //===--------------------------------------------------------------------===//
  Value threadId();
  Value blockId(unsigned dimension);
  Value lane() { return bitAnd(threadId(), kWarpSize - 1); }
  Value warp() { return shiftRight(threadId(), 5); }
  void barrier();     ///< of the block
  void warpBarrier(); ///< of the warp; orders its memory accesses
  /// The value of the lane whose number differs by `mask`.
  Value shuffleXor(Value x, int64_t mask);
  Value shuffleFrom(Value x, Value lane);

  /// 16 bytes, `valid` of them from `source` and the rest zero.
  void copyAsync16(Value target, Value source, Value valid);
  void commitCopies();
  /// Until at most `pending` committed groups are under way.
  void waitForCopies(int64_t pending);

  /// 8 x 8 matrices of 16-bit elements from shared memory: 2 or 4 registers. Lane l gives the address of row l % 8 of
  /// matrix l / 8.
  SmallVector<Value> loadMatrices(Value address, int64_t count, bool transposed);
  enum class MmaType { bf16, f16, tf32 };
  /// D = A B + C, m16n8k16 for 16-bit elements, m16n8k8 for tf32; registers are i32, C and D four f32.
  SmallVector<Value> mma(MmaType type, ValueRange a, ValueRange b, ValueRange c);
  /// Rounds to the nearest tf32, ties away from zero; the bits, i32.
  Value toTf32(Value x);

private:
  Value like(Value x, int64_t value) { return x.getType().isInteger(64) ? i64(value) : i32(value); }
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_THREADBUILDER_H
