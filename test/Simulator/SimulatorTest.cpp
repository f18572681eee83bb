//===- SimulatorTest.cpp - simulated kernels give the right numbers -------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Correct kernels against references on the CPU: right results, no report, whatever the order of threads and the number
// of host threads.
//
//===----------------------------------------------------------------------===//
#include "SimulatorTestUtils.h"
#include <cmath>

using namespace bochner::test;

namespace {

TEST_F(SimulatorTest, ReducesABlock) {
  load("block-reduce.mlir");
  std::vector<float> in = wave(1024), out(4);
  for (uint64_t seed : {0, 1, 7})
    for (int threads : {1, 3}) {
      options.grid = {4, 1, 1};
      options.block = {256, 1, 1};
      options.seed = seed;
      options.threads = threads;
      run("block_reduce", {in, fresh(out)});
      for (int block = 0; block < 4; ++block) {
        double sum = 0;
        for (int i = 0; i < 256; ++i)
          sum += in[block * 256 + i];
        EXPECT_NEAR(out[block], sum, 1e-4);
      }
    }
  EXPECT_EQ(module->counters.blocks, 4u);
  EXPECT_EQ(module->counters.barriers, 4u * 9);
}

/// PTX ISA, shfl.sync, for segments of `width` lanes.
static int shuffled(int mode, int lane, int delta, int width, bool &valid) {
  int begin = lane / width * width, end = begin + width - 1, source;
  switch (mode) {
  case 0:
    source = lane - delta;
    valid = source >= begin;
    break;
  case 1:
    source = lane + delta;
    valid = source <= end;
    break;
  default:
    source = begin + delta;
    valid = true;
  }
  return valid ? source : lane;
}

TEST_F(SimulatorTest, OperationsOfAWarp) {
  load("warp-operations.mlir");
  std::vector<int32_t> in(32), out(20 * 32);
  for (int i = 0; i < 32; ++i)
    in[i] = (i * 7919) % 101 - 50;
  for (uint64_t seed : {0, 1, 2}) {
    options.seed = seed;
    run("warp", {in, fresh(out)});
    uint32_t odd = 0, exclusive = 0;
    int32_t sum = 0, least = in[0], bits = 0;
    uint32_t most = 0;
    for (int i = 0; i < 32; ++i) {
      odd |= uint32_t(in[i] & 1) << i;
      sum += in[i];
      least = std::min(least, in[i]);
      most = std::max(most, uint32_t(in[i]));
      bits ^= in[i];
    }
    for (int i = 0; i < 32; ++i) {
      auto result = [&](int row) { return out[row * 32 + i]; };
      bool valid;
      EXPECT_EQ(result(0), in[i ^ 5]);
      EXPECT_EQ(result(1), in[shuffled(0, i, 3, 32, valid)]);
      EXPECT_EQ(result(2), in[shuffled(1, i, 3, 32, valid)]);
      EXPECT_EQ(result(7), valid);
      EXPECT_EQ(result(3), in[4]);
      EXPECT_EQ(result(4), in[shuffled(0, i, 3, 8, valid)]);
      EXPECT_EQ(result(5), in[shuffled(1, i, 3, 8, valid)]);
      EXPECT_EQ(result(6), in[shuffled(2, i, 4, 8, valid)]);
      EXPECT_EQ(uint32_t(result(8)), odd);
      EXPECT_EQ(result(9), odd != 0);
      EXPECT_EQ(result(10), odd == ~0u);
      EXPECT_EQ(result(11), sum);
      EXPECT_EQ(result(12), least);
      EXPECT_EQ(uint32_t(result(13)), most);
      EXPECT_EQ(result(14), bits);
      EXPECT_EQ(uint32_t(result(15)), in[i] & 1 ? odd : ~odd);
      EXPECT_EQ(result(16), 0); // not all equal
      EXPECT_EQ(result(17), i == 0);
      EXPECT_EQ(uint32_t(result(18)), ~0u);
      EXPECT_EQ(uint32_t(result(19)), exclusive);
      exclusive |= 1u << i;
    }
  }
  EXPECT_EQ(module->counters.shuffles, 8u);
}

TEST_F(SimulatorTest, MultipliesHalves) {
  load("mma-f16.mlir");
  std::vector<uint16_t> a = halves(wave(256)), b = halves(wave(128, 3));
  std::vector<float> c(128), before(128);
  for (int i = 0; i < 128; ++i)
    before[i] = c[i] = i * 0.25f;
  run("mma", {a, b, c});
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = before[i * 8 + j];
      for (int k = 0; k < 16; ++k)
        sum += double(fromHalf(a[i * 16 + k])) * fromHalf(b[k * 8 + j]);
      EXPECT_NEAR(c[i * 8 + j], sum, 1e-4);
    }
  ASSERT_EQ(module->counters.mma_shapes, 1u);
  EXPECT_EQ(module->counters.mma[0].count, 1u);
}

TEST_F(SimulatorTest, MultipliesTf32) {
  load("mma-tf32-bf16.mlir");
  std::vector<float> a = wave(128), b = wave(64, 3), c(128);
  run("mma_tf32", {a, b, fresh(c)});
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 8; ++k)
        sum += double(truncated(a[i * 8 + k], 13)) * truncated(b[k * 8 + j], 13);
      EXPECT_NEAR(c[i * 8 + j], sum, 1e-5);
    }
}

TEST_F(SimulatorTest, MultipliesBfloats) {
  load("mma-tf32-bf16.mlir");
  std::vector<uint16_t> a = bfloats(wave(256)), b = bfloats(wave(128, 3));
  std::vector<float> c(128);
  run("mma_bf16", {a, b, fresh(c)});
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += double(fromBfloat(a[i * 16 + k])) * fromBfloat(b[j * 16 + k]);
      EXPECT_NEAR(c[i * 8 + j], sum, 1e-5);
    }
}

TEST_F(SimulatorTest, CopiesAsynchronously) {
  load("cp-async.mlir");
  std::vector<float> in = wave(2048), out(2048);
  options.block = {128, 1, 1};
  for (uint64_t seed : {0, 1}) {
    options.seed = seed;
    run("staged", {in, fresh(out)});
    for (int tile = 0; tile < 4; ++tile)
      for (int t = 0; t < 128; ++t)
        for (int j = 0; j < 4; ++j)
          ASSERT_EQ(out[tile * 512 + t * 4 + j], 2 * in[tile * 512 + (127 - t) * 4 + j]);
  }
}

TEST_F(SimulatorTest, DynamicSharedMemory) {
  load("dynamic-shared.mlir");
  std::vector<float> values = wave(32), before = values;
  options.dynamicShared = 256;
  run("dyn", {values});
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], 2 * before[31 - i]);
}

TEST_F(SimulatorTest, MbarriersOrderMemory) {
  load("mbarrier.mlir");
  std::vector<float> in = wave(128), out(128);
  options.block = {128, 1, 1};
  for (uint64_t seed : {0, 1, 5}) {
    options.seed = seed;
    run("mb", {in, fresh(out)});
    for (int i = 0; i < 128; ++i)
      EXPECT_EQ(out[i], in[127 - i]);
  }
}

TEST_F(SimulatorTest, LoadsTiles) {
  load("tma-load.mlir");
  std::vector<float> tensor = wave(64 * 32), out(128);
  bochner_sim_tensor_map_t map = tensorMap(tensor.data(), 4, 0, {32, 64}, {8, 16});
  buffers.push_back({"tensor", tensor.data(), tensor.size() * 4});
  options.block = {128, 1, 1};
  run("tma", {&map, fresh(out)});
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j)
      EXPECT_EQ(out[i * 8 + j], tensor[(16 + i) * 32 + 8 + j]);
}

TEST_F(SimulatorTest, MultipliesByAWarpgroup) {
  load("wgmma.mlir");
  std::vector<uint16_t> a = halves(wave(1024)), b = halves(wave(128, 3));
  std::vector<float> d(512);
  options.block = {128, 1, 1};
  run("wg", {a, b, fresh(d)});
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < 8; ++j) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += double(fromHalf(a[i * 16 + k])) * fromHalf(b[j * 16 + k]);
      EXPECT_NEAR(d[i * 8 + j], sum, 1e-5);
    }
}

TEST_F(SimulatorTest, MultipliesSwizzledTiles) {
  load("gemm.mlir");
  std::vector<uint16_t> a = halves(wave(4096)), b = halves(wave(4096, 3));
  std::vector<float> d(4096);
  bochner_sim_tensor_map_t mapA = tensorMap(a.data(), 2, 128, {64, 64}, {64, 64});
  bochner_sim_tensor_map_t mapB = tensorMap(b.data(), 2, 128, {64, 64}, {64, 64});
  buffers.push_back({"a", a.data(), a.size() * 2});
  buffers.push_back({"b", b.data(), b.size() * 2});
  options.block = {128, 1, 1};
  run("gemm", {&mapA, &mapB, fresh(d)});
  for (int i = 0; i < 64; ++i)
    for (int j = 0; j < 64; ++j) {
      double sum = 0;
      for (int k = 0; k < 64; ++k)
        sum += double(fromHalf(a[i * 64 + k])) * fromHalf(b[k * 64 + j]);
      EXPECT_NEAR(d[i * 64 + j], sum, 1e-4);
    }
}

} // namespace
