//===- RunFillTest.cpp - filled arrays ------------------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The distributions, and that nothing but seed, name and index counts.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Fill.h"

#include <cmath>
#include <numeric>
#include <set>

using namespace bochner::run;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

static Tensor fillF32(const char *initializer, std::vector<int64_t> shape, uint64_t seed = 0, const char *name = "w") {
  return fill(initializer, kF32, shape, seed, name);
}

/// FNV-1a of the bytes.
static uint64_t hashOf(const Tensor &tensor) {
  uint64_t hash = 14695981039346656037u;
  const auto *bytes = static_cast<const unsigned char *>(tensor.data);
  for (size_t i = 0; i < tensor.elements() * elementSize(tensor.type); ++i)
    hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

TEST(RunFill, GivesTheSameBitsOnEveryMachine) {
  EXPECT_EQ(hashOf(fillF32("normal", {1000})), 5770423860814981287u);
  EXPECT_EQ(hashOf(fillF32("uniform(0.25)", {1000})), 17869096159726650213u);
  EXPECT_EQ(hashOf(fillF32("chi", {4, 64})), 3128593243167642872u);
  EXPECT_EQ(hashOf(fill("permutation", kI64, {64}, 0, "rand_perm")), 10199039852883982821u);
}

TEST(RunFill, DependsOnSeedNameAndIndexOnly) {
  std::vector<float> all = valuesOf<float>(fillF32("normal", {20000}));
  std::vector<float> few = valuesOf<float>(fillF32("normal", {3, 7}));
  EXPECT_TRUE(std::equal(few.begin(), few.end(), all.begin()));
  EXPECT_NE(valuesOf<float>(fillF32("normal", {21}, 1)), few);
  EXPECT_NE(valuesOf<float>(fillF32("normal", {21}, 0, "v")), few);
}

TEST(RunFill, IsExactInSinglePrecision) {
  std::vector<double> wide = valuesOf<double>(fill("normal(0.3)", kF64, {1000}, 5, "w"));
  std::vector<float> narrow = valuesOf<float>(fill("normal(0.3)", kF32, {1000}, 5, "w"));
  EXPECT_TRUE(std::equal(wide.begin(), wide.end(), narrow.begin()));
}

TEST(RunFill, DrawsNormalNumbers) {
  constexpr int64_t count = 1 << 20;
  std::vector<float> values = valuesOf<float>(fillRandom(kF32, {count}, 7, "q"));
  double moments[5] = {}, neighbors = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int m = 1; m < 5; ++m)
      moments[m] += std::pow(values[i], m) / count;
    neighbors += i ? double(values[i]) * values[i - 1] / count : 0;
  }
  // Within five standard deviations of the estimates.
  double unit = 5 / std::sqrt(double(count));
  EXPECT_NEAR(moments[1], 0, unit);
  EXPECT_NEAR(moments[2], 1, unit * std::sqrt(2));
  EXPECT_NEAR(moments[3], 0, unit * std::sqrt(15));
  EXPECT_NEAR(moments[4], 3, unit * std::sqrt(96));
  EXPECT_NEAR(neighbors, 0, unit);
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_LT(*low, -4.5);
  EXPECT_GT(*high, 4.5);
}

TEST(RunFill, DrawsUniformNumbers) {
  std::vector<float> values = valuesOf<float>(fillF32("uniform(0.5)", {1 << 18}));
  double sum = 0, squares = 0;
  for (float value : values) {
    ASSERT_LT(std::fabs(value), 0.5f);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / values.size(), 0, 5 * std::sqrt(1.0 / 12 / values.size()));
  EXPECT_NEAR(squares / values.size(), 1.0 / 12, 1e-3);
}

TEST(RunFill, DrawsChi) {
  std::vector<float> values = valuesOf<float>(fillF32("chi", {256, 64}));
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size();
  EXPECT_NEAR(mean, 7.969, 0.03); // of chi with 64 degrees of freedom
  Tensor lengths = fillF32("chi", {64}), scaled = tensorOf<float>(kF32, {64}, valuesOf<float>(lengths));
  divideByNorm(scaled, tensorOf<float>(kF32, {2}, {3, -4}));
  EXPECT_FLOAT_EQ(valuesOf<float>(scaled)[7], valuesOf<float>(lengths)[7] / 5);
}

TEST(RunFill, PermutesEachRow) {
  Tensor tensor = fill("permutation", kI32, {3, 100}, 0, "rand_perm");
  std::vector<int32_t> values = valuesOf<int32_t>(tensor);
  EXPECT_FALSE(std::equal(values.begin(), values.begin() + 100, values.begin() + 100));
  for (int row = 0; row < 3; ++row) {
    std::sort(values.begin() + 100 * row, values.begin() + 100 * (row + 1));
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(values[100 * row + i], i);
  }
}

TEST(RunFill, FillsConstantsAndSigns) {
  EXPECT_THAT(valuesOf<float>(fillF32("zeros", {3})), Each(0.0f));
  EXPECT_THAT(valuesOf<double>(fill("ones", kF64, {2, 2}, 0, "w")), Each(1.0));
  EXPECT_THAT(valuesOf<int64_t>(fill("ones", kI64, {2}, 0, "w")), ElementsAre(1, 1));
  std::vector<float> signs = valuesOf<float>(fillF32("signs", {10000}));
  EXPECT_NEAR(std::accumulate(signs.begin(), signs.end(), 0.0), 0, 500);
  EXPECT_THAT(signs, Each(testing::AnyOf(1.0f, -1.0f)));
  EXPECT_EQ(fillF32("normal", {4, 0}).elements(), 0);
}

TEST(RunFill, FillsMasks) {
  Tensor tensor = fill("mask", kBool, {1000, 10}, 0, "mask");
  EXPECT_TRUE(tensor.type == kBool);
  std::vector<uint8_t> values = valuesOf<uint8_t>(tensor);
  EXPECT_THAT(values, Each(testing::AnyOf(0, 1)));
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0), 8750, 5 * std::sqrt(10000 * 7.0 / 64));
  // Rows of one element would be zero in one of eight cases, but a row has a 1 at least.
  EXPECT_THAT(valuesOf<uint8_t>(fill("mask", kBool, {1000, 1}, 0, "mask")), Each(1));
  EXPECT_THAT(valuesOf<uint8_t>(fill("mask", kBool, {}, 3, "mask")), ElementsAre(1));
  EXPECT_EQ(fill("mask", kBool, {3, 0}, 0, "mask").elements(), 0);
  EXPECT_EQ(valuesOf<uint8_t>(fillRandom(kBool, {1000, 10}, 0, "mask")), values);
  EXPECT_NE(valuesOf<uint8_t>(fillRandom(kBool, {1000, 10}, 1, "mask")), values);
}

TEST(RunFill, FillsIndicesAndConstants) {
  std::vector<int32_t> drawn = valuesOf<int32_t>(fill("below(5)", kI32, {3, 200}, 0, "tokens"));
  EXPECT_EQ(std::set<int32_t>(drawn.begin(), drawn.end()), (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(valuesOf<int32_t>(fillRandom(kI32, {3, 200}, 0, "tokens", "below(5)")), drawn);
  EXPECT_NE(valuesOf<int32_t>(fillRandom(kI32, {3, 200}, 1, "tokens", "below(5)")), drawn);
  EXPECT_THAT(messageOf([] { fill("below", kI32, {2}, 0, "tokens"); }), HasSubstr("below(n) or constant(x)"));
  EXPECT_THAT(valuesOf<float>(fill("constant(0.25)", kF32, {2}, 0, "rate")), ElementsAre(0.25f, 0.25f));
}

TEST(RunFill, FillsOffsets) {
  EXPECT_EQ(offsetsDimension("offsets"), "N");
  EXPECT_EQ(offsetsDimension("offsets(S)"), "S");
  for (const char *other : {"zeros", "offsets()", "offsets(N", "offset"})
    EXPECT_EQ(offsetsDimension(other), std::nullopt);
  EXPECT_THAT(valuesOf<int32_t>(fillOffsets(kI32, {5}, "cu_seqlens", 11)), ElementsAre(0, 2, 5, 8, 11));
  EXPECT_THAT(valuesOf<int64_t>(fillOffsets(kI64, {2}, "cu_seqlens", 11)), ElementsAre(0, 11));
  EXPECT_THAT(valuesOf<int64_t>(fillOffsets(kI64, {1}, "cu_seqlens", 11)), ElementsAre(0));
  EXPECT_THAT(messageOf([&] { fillOffsets(kI64, {0}, "cu_seqlens", 11); }),
              HasSubstr("expected 'cu_seqlens' to be a list of at least one offset, but it has shape 0"));
  EXPECT_THAT(messageOf([&] { fillOffsets(kI64, {2, 3}, "cu_seqlens", 11); }), HasSubstr("it has shape 2x3"));
}

TEST(RunFill, DrawsHalfPrecision) {
  // The same numbers as in f32, rounded once.
  Tensor wide = fillRandom(kF32, {100}, 7, "q");
  for (DLDataType type : {kBF16, kF16})
    EXPECT_EQ(valuesOf<double>(fillRandom(type, {100}, 7, "q").converted(kF64, "q")),
              valuesOf<double>(wide.converted(type, "q").converted(kF64, "q")));
  EXPECT_THAT(valuesOf<uint16_t>(fill("zeros", kBF16, {3}, 0, "state_s")), Each(0));
  EXPECT_THAT(valuesOf<uint16_t>(fill("zeros", kF16, {3}, 0, "state_s")), Each(0));
}

TEST(RunFill, ExplainsWhatItDoesNotKnow) {
  for (const char *text : {"xavier", "normal(", "normal(x)", "normal(1", "normal(1)2", "uniform", "zeros(1)", "",
                           "chi(3)", "normal(inf)", "normal(nan)", "mask(2)", "offsets()", "offsets(N"})
    EXPECT_THAT(messageOf([&] { fill(text, kF32, {2}, 0, "w"); }), HasSubstr("expected the initializer of 'w' to be"))
        << text;
  EXPECT_THAT(messageOf([] { fill("permutation", kI64, {}, 0, "p"); }), HasSubstr("it is a scalar"));
  EXPECT_THAT(messageOf([] { fill("permutation", kI8, {1000}, 0, "p"); }), HasSubstr("fit i8"));
  EXPECT_THAT(messageOf([] { fillRandom(kI64, {2}, 0, "lengths"); }), HasSubstr("'lengths' holds integers"));
}
