//===- RunTensorTest.cpp - strides and conversions --------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Axes of files and graphs, copies, and element types at the edges of their ranges.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Layout.h"

#include <cmath>
#include <limits>

using namespace bochner::run;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(RunLayout, PermutesOnlyWhatIsPerHead) {
  EXPECT_THAT(fileAxes(Layout::BNHD, "q", 4), ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(fileAxes(Layout::BNHD, "grad_v", 4), ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(fileAxes(Layout::BNHD, "phi_k", 5), ElementsAre(0, 2, 3, 1, 4));
  EXPECT_THAT(fileAxes(Layout::BNHD, "den", 3), ElementsAre(0, 2, 1));
  EXPECT_THAT(fileAxes(Layout::BNHD, "x", 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(fileAxes(Layout::BNHD, "out", 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(fileAxes(Layout::BNHD, "param_sigma", 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(fileAxes(Layout::BHND, "q", 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(inverted({0, 2, 3, 1, 4}), ElementsAre(0, 3, 1, 2, 4));
}

TEST(RunTensor, PermutesWithoutCopying) {
  Tensor file = tensorOf<float>(kF32, {2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  Tensor graph = file.permuted({1, 0, 2});
  EXPECT_EQ(graph.data, file.data);
  EXPECT_THAT(graph.shape, ElementsAre(3, 2, 2));
  EXPECT_THAT(graph.strides, ElementsAre(2, 6, 1));
  EXPECT_TRUE(graph.hasContiguousRows());
  EXPECT_FALSE(graph.isCompact());
  EXPECT_THAT(valuesOf<float>(graph), ElementsAre(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11));
  EXPECT_FALSE(file.permuted({0, 2, 1}).hasContiguousRows());
  EXPECT_THAT(valuesOf<float>(file.permuted({0, 2, 1})), ElementsAre(0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11));
}

TEST(RunTensor, CopiesWhatIsCompact) {
  Tensor tensor = tensorOf<float>(kF32, {2, 2}, {1, 2, 3, 4}), copy = tensor.copy();
  EXPECT_NE(copy.data, tensor.data);
  EXPECT_THAT(valuesOf<float>(copy), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(tensor.compact().data, tensor.data);
  EXPECT_THAT(valuesOf<double>(tensorOf<double>(kF64, {}, {3.5}).copy()), ElementsAre(3.5));
}

TEST(RunTensor, CopiesNothingAndScalars) {
  EXPECT_EQ(Tensor::create(kF32, {2, 0, 3}).permuted({2, 1, 0}).compact().elements(), 0);
  EXPECT_THAT(valuesOf<double>(tensorOf<double>(kF64, {}, {3.5})), ElementsAre(3.5));
}

static double roundTrip(double value, DLDataType type) {
  Tensor narrow = tensorOf<double>(kF64, {1}, {value}).converted(type, "x");
  return valuesOf<double>(narrow.converted(kF64, "x"))[0];
}

TEST(RunTensor, RoundsToHalfOnce) {
  EXPECT_EQ(roundTrip(1.0, kF16), 1.0);
  EXPECT_EQ(roundTrip(1.0 + 0x1p-11, kF16), 1.0);                   // a tie goes to the even one
  EXPECT_EQ(roundTrip(1.0 + 0x1p-11 + 0x1p-40, kF16), 1 + 0x1p-10); // by way of f32 it would be a tie
  EXPECT_EQ(roundTrip(1.0 + 3 * 0x1p-11, kF16), 1 + 0x1p-9);
  EXPECT_EQ(roundTrip(-65504, kF16), -65504);
  EXPECT_EQ(roundTrip(65519.99, kF16), 65504);
  EXPECT_EQ(roundTrip(65520, kF16), INFINITY);
  EXPECT_EQ(roundTrip(0x1p-24, kF16), 0x1p-24); // the smallest
  EXPECT_EQ(roundTrip(0x1p-25, kF16), 0);
  EXPECT_EQ(roundTrip(0x1.8p-25, kF16), 0x1p-24);
  EXPECT_EQ(roundTrip(0x1.ff8p-15, kF16), 0x1.ff8p-15); // the largest subnormal
  EXPECT_EQ(roundTrip(0x1.ffcp-15, kF16), 0x1p-14);     // rounding up leaves the subnormals
  EXPECT_TRUE(std::signbit(roundTrip(-0.0, kF16)));
  EXPECT_TRUE(std::isnan(roundTrip(NAN, kF16)));
}

TEST(RunTensor, RoundsToBFloat) {
  EXPECT_EQ(roundTrip(1.0 + 0x1p-8, kBF16), 1.0);
  EXPECT_EQ(roundTrip(1.0 + 3 * 0x1p-8, kBF16), 1 + 0x1p-6);
  EXPECT_EQ(roundTrip(3.3895313892515355e38, kBF16), 3.3895313892515355e38); // the largest
  EXPECT_EQ(roundTrip(3.4e38, kBF16), INFINITY);
  EXPECT_EQ(roundTrip(-INFINITY, kBF16), -INFINITY);
  EXPECT_EQ(roundTrip(0x1p-133, kBF16), 0x1p-133);
}

TEST(RunTensor, ConvertsIntegersThatFit) {
  Tensor wide = tensorOf<int64_t>(kI64, {3}, {0, 100, -128});
  EXPECT_THAT(valuesOf<int8_t>(wide.converted(kI8, "n")), ElementsAre(0, 100, -128));
  EXPECT_THAT(messageOf([&] { wide.converted(kU8, "'n'"); }), HasSubstr("expected the values of 'n' to fit u8"));
  EXPECT_THAT(messageOf([&] { tensorOf<int64_t>(kI64, {1}, {1ll << 32}).converted(kI32, "'n'"); }),
              HasSubstr("fit i32"));
  EXPECT_THAT(messageOf([&] { tensorOf<uint64_t>(kU64, {1}, {~0ull}).converted(kI64, "'n'"); }), HasSubstr("fit i64"));
  EXPECT_THAT(valuesOf<int32_t>(tensorOf<uint8_t>(kBool, {2}, {0, 1}).converted(kI32, "n")), ElementsAre(0, 1));
  EXPECT_THAT(messageOf([&] { tensorOf<int32_t>(kI32, {1}, {2}).converted(kBool, "'n'"); }), HasSubstr("fit bool"));
}

TEST(RunTensor, KeepsFloatsAndIntegersApart) {
  EXPECT_THAT(messageOf([] { Tensor::create(kI64, {1}).converted(kF32, "'q'"); }),
              HasSubstr("expected 'q' to hold floats (f32), but it holds i64"));
  EXPECT_THAT(messageOf([] { Tensor::create(kF32, {1}).converted(kI64, "'lengths'"); }),
              HasSubstr("expected 'lengths' to hold integers (i64), but it holds f32"));
}

TEST(RunTensor, RefusesSizesThatOverflow) {
  EXPECT_THAT(messageOf([] { Tensor::create(kF32, {1ll << 32, 1ll << 32}); }), HasSubstr("too large"));
  EXPECT_THAT(messageOf([] { Tensor::create(kF64, {1ll << 61}); }), HasSubstr("too large"));
}
