//===- DotProducts.h - products of bf16 pairs -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AVX512_BF16 multiplies two pairs of bf16 and adds both products to an f32 in one instruction: twice what f32 has.
// Both factors are pairs of neighbors along the dimension that is summed over. They are kept as i32, the first of a
// pair in the low half as in memory, so that nothing but the instruction itself sees a vector of bf16.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_DOTPRODUCTS_H
#define BOCHNER_LIB_CONVERSION_CPU_DOTPRODUCTS_H

#include "lib/Conversion/Cpu/KernelBuilder.h"

namespace bochner::cpu {

/// Two vectors of f32 as one of pairs, rounded to nearest; infinities stay.
Value pairOf(KernelBuilder &k, Value first, Value second);
/// The numbers of pairs, as f32.
std::pair<Value, Value> numbersOf(KernelBuilder &k, Value pairs);

/// The pair at a position of a buffer of bf16, i32.
Value loadPair(KernelBuilder &k, Value memref, ValueRange at);
/// One register of pairs.
Value loadPairs(KernelBuilder &k, Value memref, ValueRange at);
/// Stores a vector of f32 as pairs of neighbors, to a buffer of bf16. Denormals become 0.
void storeRounded(KernelBuilder &k, Value v, Value memref, ValueRange at);

/// init[r] + sum over pairs kk < depth of a(kk, r) . w(kk, :): `a` is one pair, w(kk, c) a register of pairs from
/// column c on. All init[r] are vectors of f32 of the same width.
SmallVector<Value> dotProduct(KernelBuilder &k, ArrayRef<Value> init, Value depth,
                              function_ref<Value(Value, int64_t)> a, function_ref<Value(Value, int64_t)> w);
/// target[first + r, :] += sum over pairs, as KernelBuilder::accumulate; w(kk, column) loads one register.
void accumulateDots(KernelBuilder &k, Value targetRows, Value first, int64_t rows, int64_t width, Value depth,
                    function_ref<Value(Value, int64_t)> a, function_ref<Value(Value, Value)> w);
/// True if an element of the vectors is at least `bound` in size.
Value reaches(KernelBuilder &k, ArrayRef<Value> values, double bound);

/// Rows of f32, columns [first, first + width) of [depth, columns] -> pairs of rows in target[0], and in target[1] what
/// rounding them to bf16 lost: [2, depth / 2, columns].
void splitToPairs(KernelBuilder &k, Value rows, Value target, int64_t depth, Value first, int64_t width);
/// Rows [first, first + count) of bf16 -> pairs of rows from row 0 of `target` on; a missing last row is 0.
void pairRows(KernelBuilder &k, Value rows, Value first, Value count, Value target);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_DOTPRODUCTS_H
