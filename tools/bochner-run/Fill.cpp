//===- Fill.cpp - arrays that nobody gave --------------------------------===//
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
#include "Fill.h"
#include "Failure.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace bochner::run {

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

void RandomStream::words(uint64_t first, size_t count, uint32_t *out) const {
  uint32_t block[4][kBlock];
  for (size_t done = 0; done < count; done += kBlock) {
    philox(key, first + done, block);
    for (size_t i = 0, e = std::min(kBlock, count - done); i < e; ++i)
      for (size_t w = 0; w < 4; ++w)
        out[4 * (done + i) + w] = block[w][i];
  }
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
  float values[4][kBlock];
  for (size_t done = 0; done < count; done += kBlock) {
    block(key, first + done, values);
    for (size_t i = 0, e = std::min(kBlock, count - done); i < e; ++i)
      for (size_t w = 0; w < 4; ++w)
        out[4 * (done + i) + w] = values[w][i];
  }
}

//===----------------------------------------------------------------------===//
// Initializers
//===----------------------------------------------------------------------===//

Initializer parseInitializer(std::string_view text, const std::string &name) {
  struct Known {
    const char *name;
    Initializer::Kind kind;
    enum { None, Optional, Required, Name } parameter;
  };
  static const Known known[] = {{"zeros", Initializer::Zeros, Known::None},
                                {"ones", Initializer::Ones, Known::None},
                                {"normal", Initializer::Normal, Known::Optional},
                                {"uniform", Initializer::Uniform, Known::Required},
                                {"signs", Initializer::Signs, Known::None},
                                {"permutation", Initializer::Permutation, Known::None},
                                {"chi", Initializer::Chi, Known::None},
                                {"mask", Initializer::Mask, Known::None},
                                {"offsets", Initializer::Offsets, Known::Name},
                                {"below", Initializer::Below, Known::Required},
                                {"constant", Initializer::Constant, Known::Required}};
  size_t open = std::min(text.find('('), text.size());
  for (const Known &candidate : known) {
    if (text.substr(0, open) != candidate.name)
      continue;
    Initializer result{candidate.kind};
    if (open == text.size()) {
      if (candidate.parameter == Known::Required)
        break;
      return result;
    }
    if (candidate.parameter == Known::None || text.back() != ')')
      break;
    std::string_view number = text.substr(open + 1, text.size() - open - 2);
    if (candidate.parameter == Known::Name) {
      if (number.empty())
        break;
      result.dimension = number;
      return result;
    }
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), result.parameter);
    if (error != std::errc() || end != number.data() + number.size() || !std::isfinite(result.parameter))
      break;
    return result;
  }
  fail("expected the initializer of '", name, "' to be zeros, ones, normal(std), uniform(a), signs, ",
       "permutation, chi, mask, offsets(dim), below(n) or constant(x), but got '", text, "'; give the array instead");
}

namespace {
/// Elements handled at a time; a multiple of four.
constexpr int64_t kChunk = 4096;

template <typename Fn> Tensor fillInF32(DLDataType type, const std::vector<int64_t> &shape, Fn chunk) {
  Tensor tensor = Tensor::create(kF32, shape);
  float *out = static_cast<float *>(tensor.data);
  for (int64_t begin = 0, count = tensor.elements(); begin < count; begin += kChunk)
    chunk(begin, std::min(kChunk, count - begin), out + begin);
  return tensor.converted(type, "a filled array");
}

template <typename Fn>
Tensor fillInI64(DLDataType type, const std::vector<int64_t> &shape, const std::string &name, Fn fn) {
  Tensor tensor = Tensor::create(kI64, shape);
  fn(static_cast<int64_t *>(tensor.data), tensor.elements());
  return tensor.converted(type, concat("the filled array '", name, "'"));
}
} // namespace

static Tensor fillNormal(DLDataType type, const std::vector<int64_t> &shape, const RandomStream &stream, double std) {
  return fillInF32(type, shape, [&](int64_t begin, int64_t count, float *out) {
    float values[kChunk];
    stream.normals(begin / 4, (count + 3) / 4, values);
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<float>(values[i] * std);
  });
}

static Tensor fillUniform(DLDataType type, const std::vector<int64_t> &shape, const RandomStream &stream, double a) {
  return fillInF32(type, shape, [&](int64_t begin, int64_t count, float *out) {
    uint32_t words[kChunk];
    stream.words(begin / 4, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i) // an odd multiple of 2^-24 in (-1, 1)
      out[i] = static_cast<float>(((2 * (words[i] >> 8) + 1) * 5.9604644775390625e-8 - 1.0) * a);
  });
}

/// chi with as many degrees of freedom as the last axis is long: the length of a vector of that many normal numbers.
static Tensor fillChi(DLDataType type, const std::vector<int64_t> &shape, const RandomStream &stream) {
  int64_t degrees = shape.empty() ? 1 : shape.back(), blocks = (degrees + 3) / 4;
  std::vector<float> values(4 * blocks);
  return fillInF32(type, shape, [&](int64_t begin, int64_t count, float *out) {
    for (int64_t i = 0; i < count; ++i) {
      stream.normals((begin + i) * blocks, blocks, values.data());
      double sum = 0;
      for (int64_t d = 0; d < degrees; ++d)
        sum += double(values[d]) * values[d];
      out[i] = static_cast<float>(std::sqrt(sum));
    }
  });
}

/// Fisher and Yates, row by row.
static void permuteRows(int64_t *out, int64_t count, int64_t row, const RandomStream &stream) {
  std::vector<uint32_t> words(4 * ((row + 3) / 4));
  for (int64_t begin = 0; begin < count; begin += row) {
    stream.words(begin / row * (words.size() / 4), words.size() / 4, words.data());
    for (int64_t i = 0; i < row; ++i)
      out[begin + i] = i;
    for (int64_t i = row; i-- > 1;)
      std::swap(out[begin + i], out[begin + int64_t((uint64_t(words[i]) * uint64_t(i + 1)) >> 32)]);
  }
}

/// Mostly 1; a row of zeros, whose attention would be of nothing, gets a 1 somewhere.
static Tensor fillMask(DLDataType type, const std::vector<int64_t> &shape, const RandomStream &stream) {
  Tensor tensor = Tensor::create(kI64, shape);
  auto *out = static_cast<int64_t *>(tensor.data);
  int64_t count = tensor.elements(), row = shape.empty() ? 1 : shape.back();
  std::vector<uint32_t> words(4 * ((count + 3) / 4));
  stream.words(0, words.size() / 4, words.data());
  for (int64_t i = 0; i < count; ++i)
    out[i] = words[i] >= uint32_t(1) << 29;
  for (int64_t begin = 0; begin < count; begin += row)
    if (std::none_of(out + begin, out + begin + row, [](int64_t value) { return value; }))
      out[begin + words[begin] % row] = 1;
  return tensor.converted(type, "a filled mask");
}

/// Boundaries of an even split.
static Tensor fillOffsets(DLDataType type, const std::vector<int64_t> &shape, const std::string &name, int64_t rows) {
  if (shape.size() != 1 || !shape[0])
    fail("expected '", name, "' to be a list of at least one offset, but it has shape ", shapeText(shape));
  return fillInI64(type, shape, name, [&](int64_t *out, int64_t count) {
    out[0] = 0;
    for (int64_t i = 1; i < count; ++i)
      out[i] = static_cast<int64_t>(static_cast<__int128>(rows) * i / (count - 1));
  });
}

static Tensor fillBelow(DLDataType type, const std::vector<int64_t> &shape, const std::string &name,
                        const RandomStream &stream, double bound) {
  return fillInI64(type, shape, name, [&](int64_t *out, int64_t count) {
    std::vector<uint32_t> words(4 * ((count + 3) / 4));
    stream.words(0, words.size() / 4, words.data());
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<int64_t>((uint64_t(words[i]) * static_cast<uint64_t>(bound)) >> 32);
  });
}

Tensor fill(const Initializer &initializer, DLDataType type, const std::vector<int64_t> &shape, uint64_t seed,
            const std::string &name) {
  RandomStream stream(seed, name);
  switch (initializer.kind) {
  case Initializer::Normal:
    return fillNormal(type, shape, stream, initializer.parameter);
  case Initializer::Uniform:
    return fillUniform(type, shape, stream, initializer.parameter);
  case Initializer::Chi:
    return fillChi(type, shape, stream);
  case Initializer::Permutation:
    if (shape.empty())
      fail("expected '", name, "' to have an axis to permute, but it is a scalar");
    return fillInI64(type, shape, name,
                     [&](int64_t *out, int64_t count) { permuteRows(out, count, shape.back(), stream); });
  case Initializer::Mask:
    return fillMask(type, shape, stream);
  case Initializer::Offsets:
    return fillOffsets(type, shape, name, initializer.rows);
  case Initializer::Below:
    return fillBelow(type, shape, name, stream, initializer.parameter);
  case Initializer::Constant:
    return fillInF32(type, shape, [&](int64_t, int64_t count, float *out) {
      std::fill_n(out, count, static_cast<float>(initializer.parameter));
    });
  case Initializer::Zeros:
  case Initializer::Ones:
  case Initializer::Signs:
    break;
  }
  auto value = [&](uint32_t word) {
    return initializer.kind == Initializer::Zeros ? 0 : initializer.kind == Initializer::Ones || word & 1 ? 1 : -1;
  };
  if (!isFloat(type))
    return fillInI64(type, shape, name, [&](int64_t *out, int64_t count) {
      std::vector<uint32_t> words(4 * ((count + 3) / 4));
      stream.words(0, words.size() / 4, words.data());
      for (int64_t i = 0; i < count; ++i)
        out[i] = value(words[i]);
    });
  return fillInF32(type, shape, [&](int64_t begin, int64_t count, float *out) {
    uint32_t words[kChunk];
    stream.words(begin / 4, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<float>(value(words[i]));
  });
}

Tensor fillRandom(DLDataType type, const std::vector<int64_t> &shape, uint64_t seed, const std::string &name,
                  std::string_view init) {
  if (type == kBool)
    return fillMask(type, shape, RandomStream(seed, name));
  if (init.substr(0, 5) == "below")
    return fill(parseInitializer(init, name), type, shape, seed, name);
  if (!isFloat(type))
    fail("'", name, "' holds integers (", typeName(type), "), which random: does not draw; give a file");
  return fillNormal(type, shape, RandomStream(seed, name), 1.0);
}

void divideByNorm(Tensor &tensor, const Tensor &divisor) {
  Tensor squares = divisor.converted(kF64, "the divisor").compact(), values = tensor.converted(kF32, "the dividend");
  double sum = 0;
  for (int64_t i = 0, e = squares.elements(); i < e; ++i) {
    double value = static_cast<const double *>(squares.data)[i];
    sum += value * value;
  }
  for (int64_t i = 0, e = values.elements(); sum > 0 && i < e; ++i) {
    float &value = static_cast<float *>(values.data)[i];
    value = static_cast<float>(value / std::sqrt(sum));
  }
  tensor = values.converted(tensor.type, "the quotient");
}

} // namespace bochner::run
