//===- MemoryTest.cpp - what a call needs -----------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Features never reach memory: scratch does not grow with the number of positions, and neither does anything else but
// what the caller brings.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include <algorithm>
#include <fstream>
#include <sstream>

using namespace bochner::test;

namespace {

class Memory : public testing::TestWithParam<std::string> {};

TEST_P(Memory, scratchStaysSmall) {
  for (int64_t features : {64, 256, 257, 512})
    for (bool causal : {false, true}) {
      Graph graph;
      int64_t width = features;
      if (makeMap(GetParam(), 64, 8).features == makeMap(GetParam(), 64, 16).features) {
        if (features != 512) // the map has as many features as rows have columns
          continue;
      } else if (GetParam().rfind("trig", 0) == 0 || GetParam() == "favor") {
        width = features / (GetParam() == "trig_two_groups" ? 4 : 2);
      }
      graph.map = makeMap(GetParam(), 64, width);
      graph.valueWidth = 64;
      graph.causal = causal;
      if (features != 512 && (causal || features == 64) && GetParam() != "favor")
        continue; // the largest ones suffice, but for one map
      for (const char *form : {"auto", "quadratic"}) {
        graph.form = form;
        Compiled fused(graph, "fused");
        bochner_cost_t few = fused.cost(2, 8, 64, 64), many = fused.cost(2, 8, 65536, 65536);
        EXPECT_LT(few.scratch_bytes, uint64_t(1) << 20) << graph.describe();
        EXPECT_EQ(few.scratch_bytes, many.scratch_bytes) << graph.describe();
        // At most eight partial states for each head, and the packed parameters.
        uint64_t state = uint64_t(graph.map.features + 64) * (64 + 32) * 4, parameters = 8 * 64 * 1024 * 4 * 4;
        EXPECT_LT(many.workspace_bytes, 16 * 8 * state + parameters) << graph.describe();
      }
    }
}

TEST_P(Memory, gradientsStaySmall) {
  Graph graph;
  graph.map = makeMap(GetParam(), 64, 256);
  graph.valueWidth = 64;
  graph.gradients = true;
  if (GetParam() == "softmax_features")
    GTEST_SKIP() << "the map has no adjoint that fits a kernel";
  for (bool causal : {false, true}) {
    graph.causal = causal;
    Compiled fused(graph, "fused");
    bochner_cost_t few = fused.cost(2, 8, 64, 64), many = fused.cost(2, 8, 65536, 65536),
                   more = fused.cost(2, 8, 131072, 131072);
    // Causal segments, of up to 1024 rows, keep their products with parameters.
    EXPECT_LT(few.scratch_bytes, uint64_t(causal ? 8 : 2) << 20) << graph.describe();
    EXPECT_EQ(few.scratch_bytes, many.scratch_bytes) << graph.describe();
    // What grows with positions is a few numbers for each row, such as denominators, and with causality saved states:
    // at most 15 % of the rows of queries, keys, values, outputs and of their gradients, and a quarter of the features
    // of one side.
    uint64_t rows = 2 * 8 * uint64_t(65536), features = graph.map.features;
    double states = causal ? std::min(0.15 * 8 * 64 * 4, 0.26 * double(features) * 4) : 0;
    EXPECT_LT(double(more.workspace_bytes - many.workspace_bytes), double(rows) * (4 * 8 + states)) << graph.describe();
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, Memory, testing::ValuesIn(mapNames()), [](const auto &info) { return info.param; });

/// A line of /proc/self/status in bytes; 0 if there is none.
uint64_t status(const std::string &name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind(name + ":", 0) == 0)
      return 1024 * std::stoull(line.substr(name.size() + 1));
  return 0;
}

TEST(MemoryPeak, featuresOfLongSequencesAreNotStored) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "the sanitizer keeps memory that was freed";
#endif
#endif
  for (bool causal : {false, true}) {
    Graph graph;
    graph.map = makeMap("favor", 8, 128);
    graph.valueWidth = 8;
    graph.causal = causal;
    Compiled fused(graph, "fused");
    const int64_t heads = 8, rows = 65536;
    Random random(1);
    Inputs in = makeInputs(graph, random, 1, heads, rows, rows);
    uint64_t arrays = 4 * uint64_t(heads * rows) * 8 * 4, result = uint64_t(heads * rows) * 8 * sizeof(double),
             features = uint64_t(heads * rows) * 256 * 4, allowance = uint64_t(96) << 20;
    ASSERT_LT(arrays + result + allowance, features);
    std::ofstream reset("/proc/self/clear_refs");
    if (!(reset << "5" << std::flush))
      GTEST_SKIP() << "the peak of the resident set cannot be reset here";
    uint64_t before = status("VmRSS");
    EXPECT_EQ(fused.call(in).size(), size_t(heads * rows * 8));
    EXPECT_LT(status("VmHWM") - before, arrays + result + allowance) << (causal ? "causal" : "bidirectional");
  }
}

} // namespace
