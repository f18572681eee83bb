//===- Matrix.h - matrix operations of a warp --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ldmatrix, stmatrix, movmatrix and mma.sync on fragments, and the conversions of the types that tensor cores know.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_SIMULATOR_MATRIX_H
#define BOCHNER_RUNTIME_SIMULATOR_MATRIX_H

#include "Launch.h"

namespace bochner::sim {

inline float floatOf(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

/// Without branches but for infinity and NaN; exact, also for subnormals.
inline float halfToFloat(uint32_t half) {
  uint32_t magnitude = (half & 0x7fff) << 13, sign = (half & 0x8000) << 16;
  float scaled = floatOf(magnitude) * floatOf(0x77800000); // 2^112
  uint32_t bits = (half & 0x7c00) == 0x7c00 ? magnitude | 0x7f800000 : bitsOf(scaled);
  return floatOf(bits | sign);
}

inline float bfloatToFloat(uint32_t bits) { return floatOf(bits << 16); }

/// Tensor cores ignore the low bits.
inline float tf32ToFloat(uint32_t bits) { return floatOf(bits & 0xffffe000); }

/// To nearest, ties to even.
uint16_t floatToHalf(float value);

/// The lanes of `first`'s warp execute its operation; all 32 are there.
void runMatrixOperation(Block &block, Lane &first, Lane *const *lanes);

} // namespace bochner::sim

#endif // BOCHNER_RUNTIME_SIMULATOR_MATRIX_H
