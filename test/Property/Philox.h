//===- Philox.h - random words --------------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox 4x32-10 as its authors wrote it, and the words of spectral.random_bits.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_PHILOX_H
#define BOCHNER_TEST_PROPERTY_PHILOX_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace bochner::test {

using Words = std::array<uint32_t, 4>;

inline Words philox(Words c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(0xD2511F53) * c[0], p1 = uint64_t(0xCD9E8D57) * c[2];
    c = {uint32_t(p1 >> 32) ^ c[1] ^ k[0], uint32_t(p1), uint32_t(p0 >> 32) ^ c[3] ^ k[1], uint32_t(p0)};
    k = {k[0] + 0x9E3779B9, k[1] + 0xBB67AE85};
  }
  return c;
}

/// What a draw depends on.
struct Counter {
  int64_t key = 0, offset = 0, stream = 0;
};

inline uint32_t low(int64_t x) { return uint32_t(x); }
inline uint32_t high(int64_t x) { return uint32_t(uint64_t(x) >> 32); }

inline uint32_t wordAt(const Counter &at, int64_t i) {
  int64_t block = int64_t(uint64_t(at.offset) + uint64_t(i / 4));
  return philox({low(block), high(block), low(at.stream), high(at.stream)},
                {low(at.key), high(at.key)})[std::size_t(i % 4)];
}

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_PHILOX_H
