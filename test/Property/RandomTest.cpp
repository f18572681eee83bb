//===- RandomTest.cpp - draws from counters -------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Words against Random123's known answers and against Philox as its authors wrote it; what is made of words against
// the formulas of the documentation; that neither route, type nor number of threads changes a draw; moments.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include "Philox.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace bochner::test;

namespace {

/// One draw, compiled for one route.
class Draw {
public:
  /// `type` is "64x256xf32", `operation` what follows random_.
  Draw(const std::string &operation, const std::string &type, const char *route = "fused", int64_t stream = 0,
       const char *elementType = nullptr) {
    std::string result = "tensor<" + type + ">";
    std::string text = "func.func @f(%key: tensor<i64>, %offset: tensor<i64>) -> " + result +
                       " {\n  %x = spectral.random_" + operation +
                       " key(%key) offset(%offset) {stream = " + std::to_string(stream) + " : i64} : " + result +
                       "\n  return %x : " + result + "\n}\n";
    bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
    options.route = route;
    options.element_type = elementType;
    options.no_cache = 1;
    bochner_module_t *created = nullptr;
    EXPECT_EQ(take(bochnerCompile(context(), text.data(), text.size(), &options, &created)), "") << text;
    module.reset(created, bochnerDestroyModule);
    if (created)
      EXPECT_EQ(take(bochnerLookupFunction(created, "f", &function)), "");
  }

  /// Elements in row-major order.
  template <typename T> std::vector<T> call(const Counter &at, int32_t threads = 0) const {
    if (!function)
      return {};
    int64_t key = at.key, offset = at.offset;
    DLTensor operands[2] = {};
    operands[0].data = &key;
    operands[1].data = &offset;
    for (DLTensor &operand : operands) {
      operand.device = {kDLCPU, 0};
      operand.dtype = {kDLInt, 64, 1};
    }
    const DLTensor *arguments[] = {&operands[0], &operands[1]};
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.threads = threads;
    DLManagedTensorVersioned *result = nullptr;
    EXPECT_EQ(take(bochnerInvokeAllocating(function, arguments, 2, &result, 1, &options)), "");
    if (!result)
      return {};
    const DLTensor &tensor = result->dl_tensor;
    EXPECT_EQ(size_t(tensor.dtype.bits), 8 * sizeof(T));
    size_t count = size_t(elements(Shape(tensor.shape, tensor.shape + tensor.ndim)));
    std::vector<T> values(count);
    memcpy(values.data(), static_cast<const char *>(tensor.data) + tensor.byte_offset, count * sizeof(T));
    result->deleter(result);
    return values;
  }

private:
  std::shared_ptr<bochner_module_t> module;
  const bochner_function_t *function = nullptr;
};

const char *const kRoutes[] = {"fused", "decompose"};

template <typename T> bool sameBits(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && !a.empty() && memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <typename A, typename B> double largestDifference(const std::vector<A> &a, const std::vector<B> &b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::fabs(double(a[i]) - double(b[i])));
  return largest;
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

int64_t join(uint32_t low, uint32_t high) { return int64_t(uint64_t(high) << 32 | low); }

TEST(Random, knownAnswers) {
  struct Answer {
    Counter at;
    std::vector<uint32_t> words;
  };
  const Answer answers[] = {// kat_vectors of Random123
                            {{0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                            {{-1, -1, -1}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                            {{join(0xa4093822, 0x299f31d0), join(0x243f6a88, 0x85a308d3), join(0x13198a2e, 0x03707344)},
                             {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const char *route : kRoutes)
    for (const Answer &answer : answers)
      EXPECT_EQ(Draw("bits", "4xi32", route, answer.at.stream).call<uint32_t>(answer.at), answer.words) << route;
}

TEST(Random, wordsAreThoseOfPhilox) {
  Random random(1);
  for (const char *route : kRoutes) {
    int64_t stream = int64_t(random.bits());
    Draw draw("bits", "7x15xi32", route, stream);
    for (int64_t offset : {int64_t(0), int64_t(0xfffffffe), int64_t(-3), int64_t(random.bits())}) { // carries, wraps
      Counter at{int64_t(random.bits()), offset, stream};
      std::vector<uint32_t> words = draw.call<uint32_t>(at);
      ASSERT_EQ(words.size(), 105u);
      for (size_t i = 0; i < words.size(); ++i)
        ASSERT_EQ(words[i], wordAt(at, int64_t(i))) << route << " " << offset << " " << i;
    }
  }
}

TEST(Random, offsetsAreBlocks) {
  Draw bits("bits", "64xi32"), normal("normal", "8x8xf32"), signs("signs", "64xf32");
  auto isShifted = [](const auto &at0, const auto &at5) {
    return at0.size() == 64 && std::equal(at0.begin() + 20, at0.end(), at5.begin());
  };
  Counter at{7, 100}, later{7, 105};
  EXPECT_TRUE(isShifted(bits.call<uint32_t>(at), bits.call<uint32_t>(later)));
  EXPECT_TRUE(isShifted(normal.call<float>(at), normal.call<float>(later)));
  EXPECT_TRUE(isShifted(signs.call<float>(at), signs.call<float>(later)));
}

//===----------------------------------------------------------------------===//
// Normal numbers and signs
//===----------------------------------------------------------------------===//

/// The documented formula.
double normalAt(const Counter &at, int64_t i) {
  uint32_t first = wordAt(at, i & ~1), second = wordAt(at, i | 1);
  double radius = std::sqrt(-2 * std::log(((first >> 8) + 1) * 0x1p-24));
  double angle = 6.283185307179586 * ((second >> 8) * 0x1p-24);
  return radius * (i & 1 ? std::sin(angle) : std::cos(angle));
}

TEST(Random, normalNumbersOfEveryTypeAreOneDraw) {
  Counter at{11, 1000, 2};
  std::vector<double> expected(40 * 33);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = normalAt(at, int64_t(i));
  for (const char *route : kRoutes) {
    EXPECT_LE(largestDifference(Draw("normal", "40x33xf64", route, 2).call<double>(at), expected), 8e-15) << route;
    EXPECT_LE(largestDifference(Draw("normal", "40x33xf32", route, 2).call<float>(at), expected), 2e-6) << route;
    // What --check does to a graph.
    EXPECT_LE(largestDifference(Draw("normal", "40x33xf32", route, 2, "f64").call<double>(at), expected), 8e-15);
    std::vector<double> fromShort;
    for (uint16_t bits : Draw("normal", "40x33xbf16", route, 2).call<uint16_t>(at)) {
      uint32_t word = uint32_t(bits) << 16;
      float value;
      memcpy(&value, &word, 4);
      fromShort.push_back(value);
    }
    EXPECT_LE(largestDifference(fromShort, expected), 0x1p-7) << route; // half a unit at 4
  }
}

/// Where logarithm and angle are extreme: a word of all ones, of zeros, and angles on the axes and between them are too
/// rare to meet, so that it is checked that nothing at all is out of range.
TEST(Random, normalNumbersAreFiniteAndBounded) {
  std::vector<float> values = Draw("normal", "1024x1024xf32").call<float>({3, 0});
  ASSERT_EQ(values.size(), size_t(1) << 20);
  double largest = 0;
  for (float value : values)
    largest = std::max(largest, std::isfinite(value) ? std::fabs(double(value)) : INFINITY);
  EXPECT_LE(largest, 5.77);
  EXPECT_GE(largest, 4.2); // expected of a million: 4.9
}

TEST(Random, moments) {
  const double count = 1 << 16, unit = 1 / std::sqrt(count);
  std::vector<float> x = Draw("normal", "256x256xf32").call<float>({1, 0}),
                     other = Draw("normal", "256x256xf32").call<float>({2, 0}),
                     stream = Draw("normal", "256x256xf32", "fused", 1).call<float>({1, 0}),
                     next = Draw("normal", "256x256xf32").call<float>({1, 1 << 14});
  ASSERT_EQ(x.size(), size_t(count));
  auto mean = [&](auto f) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i)
      sum += f(i);
    return sum / count;
  };
  auto X = [&](size_t i) { return double(x[i]); };
  // Five deviations of each estimate.
  EXPECT_NEAR(mean([&](size_t i) { return X(i); }), 0, 5 * unit);
  EXPECT_NEAR(mean([&](size_t i) { return X(i) * X(i); }), 1, 5 * std::sqrt(2.0) * unit);
  EXPECT_NEAR(mean([&](size_t i) { return std::pow(X(i), 3); }), 0, 5 * std::sqrt(15.0) * unit);
  EXPECT_NEAR(mean([&](size_t i) { return std::pow(X(i), 4); }), 3, 5 * std::sqrt(96.0) * unit);
  EXPECT_NEAR(mean([&](size_t i) { return double(std::fabs(X(i)) > 2); }), 0.0455, 5 * 0.2084 * unit);
  for (size_t lag : {1, 2, 3, 4, 256})
    EXPECT_NEAR(mean([&](size_t i) { return X(i) * X((i + lag) % x.size()); }), 0, 5 * unit) << lag;
  for (const std::vector<float> *y : {&other, &stream, &next}) {
    ASSERT_EQ(y->size(), x.size());
    EXPECT_NEAR(mean([&](size_t i) { return X(i) * double((*y)[i]); }), 0, 5 * unit);
    EXPECT_NEAR(mean([&](size_t i) { return X(i) * X(i) * double((*y)[i]) * (*y)[i]; }), 1, 5 * std::sqrt(8.0) * unit);
  }
}

TEST(Random, signsAreTopBits) {
  Counter at{5, 9, 1};
  for (const char *route : kRoutes) {
    std::vector<double> signs = Draw("signs", "4001xf64", route, 1).call<double>(at);
    ASSERT_EQ(signs.size(), 4001u);
    double sum = 0;
    for (size_t i = 0; i < signs.size(); ++i) {
      ASSERT_EQ(signs[i], wordAt(at, int64_t(i)) >> 31 ? -1 : 1) << route << " " << i;
      sum += signs[i];
    }
    EXPECT_NEAR(sum / 4001, 0, 5 / std::sqrt(4001.0));
  }
}

//===----------------------------------------------------------------------===//
// Permutations
//===----------------------------------------------------------------------===//

TEST(Random, permutationsAreRanks) {
  for (int64_t n : {1, 2, 7, 64, 513}) {
    Counter at{21, 4, 3};
    std::vector<uint64_t> keys(static_cast<size_t>(n));
    for (size_t i = 0; i < keys.size(); ++i)
      keys[i] = wordAt(at, int64_t(2 * i)) | uint64_t(wordAt(at, int64_t(2 * i + 1))) << 32;
    std::vector<uint64_t> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    for (const char *route : kRoutes) {
      std::vector<int64_t> p = Draw("permutation", std::to_string(n) + "xi64", route, 3).call<int64_t>(at);
      ASSERT_EQ(int64_t(p.size()), n);
      for (size_t i = 0; i < p.size(); ++i)
        ASSERT_TRUE(p[i] >= 0 && p[i] < n && sorted[size_t(p[i])] == keys[i]) << route << " " << n << " " << i;
    }
  }
}

TEST(Random, permutationsAreEquallyLikely) {
  Draw draw("permutation", "4xi64");
  std::array<int, 256> counts{};
  const int draws = 24 * 400;
  for (int i = 0; i < draws; ++i) {
    std::vector<int64_t> p = draw.call<int64_t>({1, 2 * i}, 1);
    ASSERT_EQ(p.size(), 4u);
    ++counts[size_t(p[0] + 4 * (p[1] + 4 * (p[2] + 4 * p[3])))];
  }
  double chiSquare = 0;
  int seen = 0;
  for (int count : counts)
    if (count) {
      ++seen;
      chiSquare += (count - 400.0) * (count - 400.0) / 400;
    }
  EXPECT_EQ(seen, 24);
  EXPECT_LE(chiSquare, 23 + 5 * std::sqrt(46.0));
}

//===----------------------------------------------------------------------===//
// Orthogonal blocks
//===----------------------------------------------------------------------===//

/// Gram and Schmidt in long double, twice.
std::vector<double> orthogonalAt(const Counter &at, int64_t rows, int64_t columns) {
  std::vector<double> result(size_t(rows * columns));
  std::vector<std::vector<long double>> units;
  for (int64_t c = 0; c < columns; ++c) {
    if (c % rows == 0)
      units.clear();
    std::vector<long double> v(static_cast<size_t>(rows));
    for (int64_t d = 0; d < rows; ++d)
      v[size_t(d)] = normalAt(at, d * columns + c);
    auto dot = [&](const auto &x, const auto &y) {
      long double sum = 0;
      for (size_t d = 0; d < x.size(); ++d)
        sum += x[d] * y[d];
      return sum;
    };
    long double length = std::sqrt(dot(v, v));
    for (int run = 0; run < 2; ++run)
      for (const auto &u : units) {
        long double share = dot(u, v);
        for (size_t d = 0; d < v.size(); ++d)
          v[d] -= share * u[d];
      }
    long double rest = std::sqrt(dot(v, v));
    for (long double &x : v)
      x /= rest;
    units.push_back(v);
    for (int64_t d = 0; d < rows; ++d)
      result[size_t(d * columns + c)] = double(length * v[size_t(d)]);
  }
  return result;
}

/// Largest cosine between two columns of a block.
template <typename T> double skewness(const std::vector<T> &x, int64_t rows, int64_t columns) {
  double worst = 0;
  auto dot = [&](int64_t a, int64_t b) {
    long double sum = 0;
    for (int64_t d = 0; d < rows; ++d)
      sum += static_cast<long double>(x[size_t(d * columns + a)]) * x[size_t(d * columns + b)];
    return double(sum);
  };
  for (int64_t a = 0; a < columns; ++a)
    for (int64_t b = a + 1; b < columns && b / rows == a / rows; ++b)
      worst = std::max(worst, std::fabs(dot(a, b)) / std::sqrt(dot(a, a) * dot(b, b)));
  return worst;
}

TEST(Random, orthogonalBlocks) {
  const std::pair<int64_t, int64_t> shapes[] = {{64, 256}, {64, 100}, {16, 5}, {5, 12}, {1, 3}};
  for (auto [rows, columns] : shapes) {
    Counter at{31, 77, 4};
    std::vector<double> expected = orthogonalAt(at, rows, columns);
    std::string shape = std::to_string(rows) + "x" + std::to_string(columns);
    for (const char *route : kRoutes) {
      SCOPED_TRACE(shape + " " + route);
      std::vector<double> twice = Draw("orthogonal", shape + "xf64", route, 4).call<double>(at);
      std::vector<float> single = Draw("orthogonal", shape + "xf32", route, 4).call<float>(at);
      ASSERT_EQ(twice.size(), expected.size());
      ASSERT_EQ(single.size(), expected.size());
      EXPECT_LE(skewness(twice, rows, columns), 1e-15);
      EXPECT_LE(skewness(single, rows, columns), 1e-7);
      // Directions lose digits as the block's condition has; f32 sees none of it.
      EXPECT_LE(largestDifference(twice, expected), 1e-10);
      EXPECT_LE(largestDifference(single, expected), 5e-7);
    }
  }
}

TEST(Random, orthogonalColumnsHaveLengthsOfNormalOnes) {
  // chi-square of 8 x 4096 numbers: mean 8, variance 16.
  std::vector<double> x = Draw("orthogonal", "8x4096xf64").call<double>({41, 0});
  ASSERT_EQ(x.size(), 8u * 4096);
  double sum = 0, squares = 0, first = 0, product = 0;
  for (size_t c = 0; c < 4096; ++c) {
    double square = 0;
    for (size_t d = 0; d < 8; ++d)
      square += x[d * 4096 + c] * x[d * 4096 + c];
    sum += square;
    squares += square * square;
    first += x[c];
    product += x[c] * x[4096 + c];
  }
  EXPECT_NEAR(sum / 4096, 8, 5 * 4 / 64.0);
  EXPECT_NEAR(squares / 4096, 80, 5 * 90 / 64.0);
  EXPECT_NEAR(first / 4096, 0, 5 / 64.0);
  EXPECT_NEAR(product / 4096, 0, 5 / 64.0);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

TEST(Random, threadsDoNotMatter) {
  Counter at{51, 0};
  Draw normal("normal", "512x515xf32"), orthogonal("orthogonal", "128x1030xf32"), permutation("permutation", "600xi64");
  for (int32_t threads : {2, 3, 4}) {
    EXPECT_TRUE(sameBits(normal.call<float>(at, 1), normal.call<float>(at, threads))) << threads;
    EXPECT_TRUE(sameBits(orthogonal.call<float>(at, 1), orthogonal.call<float>(at, threads))) << threads;
    EXPECT_TRUE(sameBits(permutation.call<int64_t>(at, 1), permutation.call<int64_t>(at, threads))) << threads;
  }
}

} // namespace
