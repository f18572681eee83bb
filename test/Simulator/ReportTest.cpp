//===- ReportTest.cpp - reports that need more than arrays ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies of tiles with bad maps or without a wait, limits of reports, and that reports do not depend on host threads.
//
//===----------------------------------------------------------------------===//
#include "SimulatorTestUtils.h"

using namespace bochner::test;

namespace {

class ReportTest : public SimulatorTest {
protected:
  bochner_sim_status_t launch(const std::string &kernel, const std::vector<uint64_t> &values) {
    return module->launch(kernel, options, values, buffers);
  }
  bool found(bochner_sim_report_kind_t kind, const std::string &text) const {
    for (const FoundReport &report : module->reports)
      if (report.kind == kind && report.text.find(text) != std::string::npos)
        return true;
    return false;
  }
  std::string all() const {
    std::string text;
    for (const FoundReport &report : module->reports)
      text += report.kindName + " x" + std::to_string(report.count) + ": " + report.text + "\n";
    return text;
  }
};

TEST_F(ReportTest, BadTensorMaps) {
  load("tma.mlir");
  std::vector<float> tensor(40 * 20 * 3), out(1024);
  buffers = {{"tensor", tensor.data(), tensor.size() * 4}, {"out", out.data(), 4096}};
  auto complaint = [&](bochner_sim_tensor_map_t map) {
    launch("load", {uint64_t(&map), uint64_t(out.data()), 0, 0, 0, 1024});
    return module->reports.empty() ? "" : module->reports[0].text;
  };
  bochner_sim_tensor_map_t good = tensorMap(tensor.data(), 4, 0, {40, 20, 3}, {32, 8, 1});
  EXPECT_EQ(complaint(good), "");
  bochner_sim_tensor_map_t bad = good;
  bad.magic = 0;
  EXPECT_NE(complaint(bad).find("expects a tensor map, but the address holds none"), std::string::npos);
  EXPECT_EQ(module->reports[0].kind, BOCHNER_SIM_TENSOR_MAP);
  bad = good;
  bad.rank = 2;
  EXPECT_NE(complaint(bad).find("expects a tensor map of another rank"), std::string::npos);
  bad = good;
  bad.box[0] = 3;
  EXPECT_NE(complaint(bad).find("expects an innermost box of a multiple of 16 bytes"), std::string::npos);
  bad = good;
  bad.swizzle = 64;
  EXPECT_NE(complaint(bad).find("expects an innermost box no wider than the swizzle"), std::string::npos);
  bad = good;
  bad.box[1] = 300;
  EXPECT_NE(complaint(bad).find("expects boxes of 1 to 256 elements in each dimension"), std::string::npos);
}

TEST_F(ReportTest, TilesOutOfBounds) {
  load("tma.mlir");
  // One block of memory: reports name the buffer in front of an address.
  std::vector<float> memory(1024 + 40 * 20 * 3);
  float *out = memory.data(), *tensor = out + 1024;
  buffers = {{"tensor", tensor, 9600}, {"out", out, 4096}};
  bochner_sim_tensor_map_t map = tensorMap(tensor, 4, 0, {40, 20, 3}, {32, 16, 3}); // 6 KB into 4 KB
  EXPECT_EQ(launch("load", {uint64_t(&map), uint64_t(out), 0, 0, 0, 1024}), BOCHNER_SIM_REPORTED);
  EXPECT_TRUE(found(BOCHNER_SIM_OUT_OF_BOUNDS, "cp.async.bulk.tensor.g2s.tile.3d")) << all();
  map = tensorMap(tensor, 4, 0, {40, 20, 300}, {32, 8, 1}); // claims more than the buffer has
  launch("load", {uint64_t(&map), uint64_t(out), 0, 0, 200, 1024});
  EXPECT_TRUE(found(BOCHNER_SIM_OUT_OF_BOUNDS, "'tensor' (9600 bytes)")) << all();
}

TEST_F(ReportTest, CopiesOfTilesWithoutAWait) {
  load("tma-errors.mlir");
  std::vector<float> tensor(40 * 20), out(32);
  buffers = {{"tensor", tensor.data(), tensor.size() * 4}, {"out", out.data(), 128}};
  bochner_sim_tensor_map_t map = tensorMap(tensor.data(), 4, 0, {40, 20}, {32, 8});
  launch("load", {uint64_t(&map), uint64_t(out.data())});
  EXPECT_TRUE(found(BOCHNER_SIM_COPY_NOT_AWAITED, "tma-errors.mlir:21:5 is never awaited on its mbarrier")) << all();
  EXPECT_TRUE(found(BOCHNER_SIM_COPY_IN_FLIGHT,
                    "tma-errors.mlir:26:10 touches 'tile' at byte 0 while the copy of thread "
                    "(0,0,0), cp.async.bulk.tensor.g2s.tile.2d at tma-errors.mlir:21:5"))
      << all();
  launch("store", {uint64_t(&map)});
  EXPECT_TRUE(found(BOCHNER_SIM_COPY_NOT_AWAITED, "tma-errors.mlir:40:5 is never awaited by cp.async.bulk.wait_group"))
      << all();
  EXPECT_TRUE(found(BOCHNER_SIM_PROXY_FENCE, "reads 'tile' at byte 0, written by thread (0,0,0), store at")) << all();
  EXPECT_TRUE(found(BOCHNER_SIM_MISALIGNED, "requires an alignment of 128 bytes in shared memory")) << all();
}

TEST_F(ReportTest, OtherVersion) {
  load("block-reduce.mlir");
  bochner_sim_kernel_t other = *module->kernel("block_reduce");
  other.version = 99;
  bochner_sim_launch_t request = {};
  request.kernel = &other;
  request.grid[0] = request.grid[1] = request.grid[2] = 1;
  request.block[0] = request.block[1] = request.block[2] = 1;
  std::string text;
  request.user = &text;
  request.report = [](void *user, const bochner_sim_report_t *report) {
    *static_cast<std::string *>(user) += report->text;
  };
  EXPECT_EQ(SimulatedModule::simulator()->launch(&request), BOCHNER_SIM_INVALID);
  EXPECT_EQ(text, "kernel 'block_reduce': expected version 1 of the simulator's interface, but got 99");
}

TEST_F(ReportTest, ReadBeforeWritten) {
  load("dynamic-shared.mlir");
  std::vector<float> values(32);
  options.dynamicShared = 256;
  buffers = {{"values", values.data(), 128, BOCHNER_SIM_BUFFER_WRITABLE}};
  launch("dyn", {uint64_t(values.data())});
  EXPECT_TRUE(found(BOCHNER_SIM_UNINITIALIZED, "reads byte 0 of 'values' before it is written")) << all();
}

TEST_F(ReportTest, AreTheSameWithAnyNumberOfThreads) {
  load("many-reports.mlir");
  std::vector<float> values(64);
  buffers = {{"values", values.data(), 256}};
  options.grid = {40, 1, 1};
  options.dynamicShared = 128;
  for (uint64_t seed : {0, 3}) {
    options.seed = seed;
    options.threads = 1;
    launch("many", {uint64_t(values.data())});
    std::string expected = all();
    EXPECT_EQ(module->reports.size(), 5u) << expected;
    options.threads = 4;
    for (int repetition = 0; repetition < 5; ++repetition) {
      launch("many", {uint64_t(values.data())});
      EXPECT_EQ(all(), expected);
    }
  }
}

TEST_F(ReportTest, AreLimited) {
  load("many-reports.mlir");
  std::vector<float> values(64);
  buffers = {{"values", values.data(), 256}};
  options.grid = {40, 1, 1};
  options.dynamicShared = 128;
  options.reportLimit = 2;
  EXPECT_EQ(launch("many", {uint64_t(values.data())}), BOCHNER_SIM_REPORTED);
  EXPECT_EQ(module->reports.size(), 2u);
}

} // namespace
