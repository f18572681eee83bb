//===- Random.cpp - random words and normal numbers ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Normal numbers by the Box-Muller transform in double precision with series of our own: additions, multiplications,
// divisions and square roots, which IEEE 754 defines exactly, so that every machine computes the same bits. This file
// is compiled without contraction to fused multiply-adds. Loops run over blocks without branches and vectorize.
//
//===----------------------------------------------------------------------===//
#include "Random.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace bochner {

//===----------------------------------------------------------------------===//
// Random words
//===----------------------------------------------------------------------===//

static uint64_t mix(uint64_t x) { // the finalizer of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static uint64_t hash(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char c : text)
    hash = (hash ^ c) * 1099511628211u;
  return hash;
}

RandomStream::RandomStream(uint64_t seed, std::string_view name)
    : RandomStream(mix(mix(seed + 0x9e3779b97f4a7c15u) ^ hash(name))) {}

/// Counters a loop handles at a time; results stay in the first level cache.
constexpr size_t kBlock = 64;

/// Philox 4x32-10 of the counters first .. first + kBlock - 1, word by word.
__attribute__((always_inline)) static inline void philox(const uint32_t key[2], uint64_t first,
                                                         uint32_t (&out)[4][kBlock]) {
  for (size_t i = 0; i < kBlock; ++i) {
    uint64_t counter = first + i;
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
      uint64_t p0 = uint64_t(0xd2511f53u) * c0, p1 = uint64_t(0xcd9e8d57u) * c2;
      c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<uint32_t>(p1);
      c3 = static_cast<uint32_t>(p0);
    }
    out[0][i] = c0;
    out[1][i] = c1;
    out[2][i] = c2;
    out[3][i] = c3;
  }
}

/// out = four numbers for each of `count` counters, from blocks that have them by word.
template <typename T, typename Draw> static void drawBlocks(uint64_t first, size_t count, T *out, Draw draw) {
  T block[4][kBlock];
  for (size_t done = 0; done < count; done += kBlock) {
    draw(first + done, block);
    for (size_t i = 0, e = std::min(kBlock, count - done); i < e; ++i)
      for (size_t w = 0; w < 4; ++w)
        out[4 * (done + i) + w] = block[w][i];
  }
}

void RandomStream::words(uint64_t first, size_t count, uint32_t *out) const {
  drawBlocks(first, count, out, [&](uint64_t counter, uint32_t (&block)[4][kBlock]) { philox(key, counter, block); });
}

//===----------------------------------------------------------------------===//
// Normal numbers
//===----------------------------------------------------------------------===//

/// An unsigned number below 2^32 as a double, without the conversion that older vector units lack.
__attribute__((always_inline)) static inline double toDouble(uint32_t word) {
  uint64_t bits = 0x4330000000000000u | word; // 2^52 + word
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value - 4503599627370496.0;
}

/// The natural logarithm of 0 < x < 1: x = 2^e m, log m = 2 artanh((m - 1) / (m + 1)), relative error 1e-12.
__attribute__((always_inline)) static inline double logarithm(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  // Takes m from [sqrt(1/2), sqrt(2)).
  uint64_t shifted = bits - 0x3fe6a09e667f3bcdu;
  uint32_t exponent = static_cast<uint32_t>(shifted >> 52) & 0xfff; // in twelve bits
  double e = toDouble(exponent ^ 0x800) - 2048.0;
  bits = (shifted & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu;
  double m;
  std::memcpy(&m, &bits, sizeof m);
  double s = (m - 1.0) / (m + 1.0), s2 = s * s;
  double series = 1.0 / 13.0;
  series = series * s2 + 1.0 / 11.0;
  series = series * s2 + 1.0 / 9.0;
  series = series * s2 + 1.0 / 7.0;
  series = series * s2 + 1.0 / 5.0;
  series = series * s2 + 1.0 / 3.0;
  series = series * s2 + 1.0;
  return e * 0.6931471805599453 + 2.0 * s * series;
}

/// Cosine and sine of 2 pi word / 2^32: an eighth of the circle around a quadrant's axis, by series.
__attribute__((always_inline)) static inline void cosSin(uint32_t word, double &cosine, double &sine) {
  uint32_t quadrant = (word + 0x20000000u) >> 30;
  uint32_t offset = word - (quadrant << 30) + 0x20000000u; // 0 .. 2^30 - 1, 2^29 on the axis
  double a = (toDouble(offset) - 536870912.0) * 1.4629180792671596e-9, a2 = a * a;
  double s = 1.0 / 6227020800.0;
  s = s * a2 - 1.0 / 39916800.0;
  s = s * a2 + 1.0 / 362880.0;
  s = s * a2 - 1.0 / 5040.0;
  s = s * a2 + 1.0 / 120.0;
  s = s * a2 - 1.0 / 6.0;
  s = s * a2 * a + a;
  double c = 1.0 / 479001600.0;
  c = c * a2 - 1.0 / 3628800.0;
  c = c * a2 + 1.0 / 40320.0;
  c = c * a2 - 1.0 / 720.0;
  c = c * a2 + 1.0 / 24.0;
  c = c * a2 - 0.5;
  c = c * a2 + 1.0;
  double x = quadrant & 1 ? s : c, y = quadrant & 1 ? c : s;
  cosine = (quadrant + 1) & 2 ? -x : x;
  sine = quadrant & 2 ? -y : y;
}

/// Four normal numbers for each of kBlock counters.
__attribute__((always_inline)) static inline void normalBlock(const uint32_t key[2], uint64_t first,
                                                              float (&out)[4][kBlock]) {
  uint32_t words[4][kBlock];
  philox(key, first, words);
  for (size_t pair = 0; pair < 4; pair += 2)
    for (size_t i = 0; i < kBlock; ++i) {
      double u = (toDouble(words[pair][i]) + 0.5) * 2.3283064365386963e-10; // 2^-32
      double radius = std::sqrt(-2.0 * logarithm(u)), cosine, sine;
      cosSin(words[pair + 1][i], cosine, sine);
      out[pair][i] = static_cast<float>(radius * cosine);
      out[pair + 1][i] = static_cast<float>(radius * sine);
    }
}

/// The same code for the vector units that there are; the values do not depend on the choice.
static void normalBlockBaseline(const uint32_t key[2], uint64_t first, float (&out)[4][kBlock]) {
  normalBlock(key, first, out);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void normalBlockAvx2(const uint32_t key[2], uint64_t first,
                                                            float (&out)[4][kBlock]) {
  normalBlock(key, first, out);
}
static const bool hasAvx2 = __builtin_cpu_supports("avx2");
#endif

void RandomStream::normals(uint64_t first, size_t count, float *out) const {
  auto *block = &normalBlockBaseline;
#if defined(__x86_64__)
  if (hasAvx2)
    block = &normalBlockAvx2;
#endif
  drawBlocks(first, count, out, [&](uint64_t counter, float (&values)[4][kBlock]) { block(key, counter, values); });
}

} // namespace bochner
