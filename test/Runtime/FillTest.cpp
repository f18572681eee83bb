//===- FillTest.cpp - filled tensors --------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The generator against published vectors and the math library, and what bochnerFillTensor() refuses. Distributions are
// tested where bochner-run uses them (test/tools/RunFillTest.cpp).
//
//===----------------------------------------------------------------------===//
#include "TestUtils.h"
#include "bochner/bochner.h"
#include "runtime/Random.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace bochner;

TEST(Random, IsPhilox) {
  uint32_t words[4];
  RandomStream(0).words(0, 1, words); // from the known answers of Random123
  const uint32_t expected[] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
  EXPECT_TRUE(std::equal(words, words + 4, expected));
}

TEST(Random, IsOneSequenceWhereverItIsEntered) {
  float all[408], parts[8];
  RandomStream stream(0, "w");
  stream.normals(0, 102, all);
  stream.normals(100, 2, parts);
  EXPECT_EQ(0, std::memcmp(parts, &all[400], sizeof parts));
}

TEST(Random, DrawsWhatTheMathLibraryWould) {
  uint32_t words[4096];
  float normals[4096];
  RandomStream stream(3, "k");
  stream.words(0, 1024, words);
  stream.normals(0, 1024, normals);
  for (int i = 0; i < 4096; i += 2) {
    double radius = std::sqrt(-2 * std::log((words[i] + 0.5) * 0x1p-32)), angle = words[i + 1] * (2 * M_PI * 0x1p-32);
    EXPECT_NEAR(normals[i], radius * std::cos(angle), 3e-7);
    EXPECT_NEAR(normals[i + 1], radius * std::sin(angle), 3e-7);
  }
}

TEST(Fill, FillsEveryType) {
  int64_t shape[] = {2, 3};
  auto fill = [&](DLDataType type, void *data) {
    DLTensor tensor = {data, {kDLCPU, 0}, 2, type, shape, nullptr, 0};
    ASSERT_EQ(bochnerFillTensor("ones", 0, "w", &tensor), nullptr);
  };
  double f64[6] = {};
  float f32[6] = {};
  int64_t i64[6] = {};
  int32_t i32[6] = {};
  int8_t i8[6] = {};
  bool truth[6] = {};
  fill({kDLFloat, 64, 1}, f64);
  fill({kDLFloat, 32, 1}, f32);
  fill({kDLInt, 64, 1}, i64);
  fill({kDLInt, 32, 1}, i32);
  fill({kDLInt, 8, 1}, i8);
  fill({kDLBool, 8, 1}, truth);
  for (int i = 0; i < 6; ++i)
    EXPECT_TRUE(f64[i] == 1 && f32[i] == 1 && i64[i] == 1 && i32[i] == 1 && i8[i] == 1 && truth[i]) << i;
}

TEST(Fill, ExplainsWhatItRefuses) {
  float data[6] = {7};
  int64_t shape[] = {2, 3}, strides[] = {1, 2}, negative[] = {2, -3};
  auto refusal = [&](const char *init, DLTensor tensor) {
    bochner_status_t *status = bochnerFillTensor(init, 0, "w", &tensor);
    std::string message = bochnerGetStatusMessage(status);
    EXPECT_EQ(bochnerGetStatusCode(status), BOCHNER_STATUS_INVALID_ARGUMENT) << message;
    bochnerDestroyStatus(status);
    return message;
  };
  DLTensor good = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};
  DLTensor integers = good, half = good, remote = good, strided = good, impossible = good, missing = good;
  integers.dtype = {kDLInt, 32, 1};
  half.dtype = {kDLFloat, 16, 1};
  remote.device.device_type = kDLCUDA;
  strided.strides = strides;
  impossible.shape = negative;
  missing.data = nullptr;
  DLTensor scalar = {data, {kDLCPU, 0}, 0, {kDLFloat, 32, 1}, nullptr, nullptr, 0};
  int64_t long_row[] = {1, 1000};
  DLTensor narrow = {data, {kDLCPU, 0}, 2, {kDLInt, 8, 1}, long_row, nullptr, 0};

  EXPECT_EQ(refusal("xavier", good),
            "expected the initializer of 'w' to be zeros, ones, normal(std), uniform(a), "
            "signs, permutation, chi, mask, below(n) or constant(x), but got 'xavier'; give the "
            "array instead");
  EXPECT_EQ(refusal("normal", integers), "expected 'w' to hold floats, which 'normal' draws, but it holds i32");
  EXPECT_EQ(refusal("zeros", half), "expected 'w' to be filled to hold f64, f32, i64, i32, i8 or i1, but it holds f16; "
                                    "fill a wider tensor and convert it");
  EXPECT_EQ(refusal("zeros", remote), "expected 'w' to be filled to be on the CPU, but it is on device type 2");
  EXPECT_EQ(refusal("zeros", strided), "expected 'w' to be filled to be compact, but its stride 0 is 1 instead of 3");
  EXPECT_EQ(refusal("zeros", impossible), "expected 'w' to be filled to have a shape whose sizes are at least 0 and "
                                          "whose bytes stay within 63 bits");
  EXPECT_EQ(refusal("zeros", missing), "expected 'w' to be filled to have memory, but its data is NULL");
  EXPECT_EQ(refusal("permutation", scalar), "expected 'w' to have an axis to permute, but it is a scalar");
  EXPECT_EQ(refusal("permutation", narrow), "expected the numbers below 1000 of 'w' to fit i8");
  EXPECT_EQ(refusal("below(-1)", integers), "expected the bound of 'w' to be from 0 to 2^32, but got 'below(-1)'");
  EXPECT_EQ(refusal("below(1000)", narrow), "expected the numbers below 1000 of 'w' to fit i8");
  EXPECT_EQ(data[0], 7);
  bochner_status_t *status = bochnerFillTensor("zeros", 0, "w", nullptr);
  EXPECT_STREQ(bochnerGetStatusMessage(status), "expected an initializer, a name and a tensor, but got NULL");
  bochnerDestroyStatus(status);
}
