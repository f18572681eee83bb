//===- DifferentialTest.cpp - kernels against the other route -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Samples maps, sizes and layouts; each sample is a test of its own, named by its map and a number.
// --gtest_random_seed=N takes other samples, for a longer search than the suite makes.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"

using namespace bochner::test;

namespace {

const std::vector<int64_t> kWidths = {1, 2, 3, 7, 8, 16, 17, 31, 33, 64, 65, 80, 100, 128, 130, 257, 512};
const std::vector<int64_t> kPowers = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
const std::vector<int64_t> kPositions = {0, 1, 2, 3, 4, 5, 63, 64, 65, 100, 513, 2100};

struct Sample {
  std::string map;
  int number;
};

void PrintTo(const Sample &sample, std::ostream *os) { *os << sample.map << " " << sample.number; }

class Differential : public testing::TestWithParam<Sample> {};

TEST_P(Differential, agreesWithDecompose) {
  uint64_t seed = 1000 * uint64_t(GTEST_FLAG_GET(random_seed)) + 17 * uint64_t(GetParam().number);
  for (char c : GetParam().map)
    seed = seed * 131 + uint64_t(c);
  Random random(seed);
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));

  Graph graph;
  bool transform = !accepts(GetParam().map, 3);
  if (GetParam().map == "softmax" || GetParam().map == "gaussian") {
    graph.exactKernel = GetParam().map;
    graph.map.dimension = random.pick(kWidths);
  } else {
    graph.map = makeMap(GetParam().map, random.pick(transform ? kPowers : kWidths), random.pick(kWidths));
  }
  graph.type = random.oneIn(2) ? "f64" : "f32";
  graph.valueWidth = random.pick(kWidths);
  graph.featuresOnly = graph.exactKernel.empty() && GetParam().number % 4 == 3;
  graph.causal = !graph.featuresOnly && random.oneIn(2);
  graph.lengths = !graph.featuresOnly && random.oneIn(2);
  graph.sharedParameters = random.oneIn(3);
  graph.eps = graph.map.trigonometric ? 1.0 : 1e-6;
  Compiled fused(graph, "fused"), oracle(graph, "decompose", "f64");
  ASSERT_TRUE(fused) << fused.message() << "\n" << graph.text();
  ASSERT_TRUE(oracle) << oracle.message();

  const int64_t most = 30'000'000; // multiplications of the slow route in one call
  const Graph &g = graph;
  for (int i = 0; i < 8; ++i) {
    int64_t queries = random.pick(kPositions), keys = random.pick(kPositions), batch = random.below(5) % 4,
            heads = random.pick<int64_t>({1, 2, 3, 5});
    if (g.causal)
      keys = queries;
    int64_t row = g.map.features * (g.map.dimension + g.valueWidth) + (g.causal ? queries * g.map.features : 0);
    if (!g.exactKernel.empty())
      row = keys * (g.map.dimension + g.valueWidth);
    while (batch * heads > 1 && (queries + keys) * batch * heads * row > most)
      (batch > 1 ? batch : heads) /= 2;
    if ((queries + keys) * batch * heads * row > 10 * most)
      continue;
    Inputs in = makeInputs(graph, random, batch, heads, queries, keys);
    roundTo(graph.type, in);
    How how;
    how.layout = random.oneIn(2) ? Layout::Compact : kLayouts[random.below(5)];
    how.resultLayout = random.oneIn(2) ? Layout::Compact : kLayouts[random.below(5)];
    EXPECT_TRUE(agrees(graph, fused.call(in, how), oracle, in, limitOf(graph.type)));
    if (HasFailure())
      return;
  }
}

std::vector<Sample> samples() {
  std::vector<Sample> list;
  std::vector<std::string> names = mapNames();
  names.insert(names.end(), {"softmax", "gaussian"});
  for (const std::string &map : names)
    for (int i = 0; i < 4; ++i)
      list.push_back({map, i});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Maps, Differential, testing::ValuesIn(samples()),
                         [](const auto &info) { return info.param.map + "_" + std::to_string(info.param.number); });

} // namespace
