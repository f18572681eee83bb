//===- CpusTest.cpp - code for other CPUs -----------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same kernels for vectors of 128, 256 and 512 bits, with and without fused multiplication, as far as the machine
// runs them.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"

using namespace bochner::test;

namespace {

class Cpus : public testing::TestWithParam<const char *> {};

TEST_P(Cpus, agreeWithDecompose) {
  if (!canRun(GetParam()))
    GTEST_SKIP() << "this machine lacks features of " << GetParam();
  int number = 0;
  for (const char *map : {"trig_two_groups", "favor", "fastfood_constant", "softmax_features", "mlp", "log_gain"}) {
    Graph graph;
    graph.map = makeMap(map, accepts(map, 3) ? 21 : 32, 45);
    graph.valueWidth = 19;
    graph.causal = number % 2 == 0;
    graph.type = number++ % 3 == 1 ? "f64" : "f32";
    graph.eps = graph.map.trigonometric ? 1 : 1e-6;
    Compiled fused(graph, "fused", "", GetParam()), oracle(graph, "decompose", "f64");
    Graph weights = graph;
    weights.form = "quadratic";
    Compiled pairs(weights, "fused", "", GetParam());
    for (int64_t rows : {1, 66, 140}) {
      Random random{uint64_t(rows)};
      Inputs in = makeInputs(graph, random, 2, 2, rows, rows + 7);
      roundTo(graph.type, in);
      EXPECT_TRUE(agrees(graph, fused.call(in), oracle, in, limitOf(graph.type)));
      EXPECT_TRUE(agrees(weights, pairs.call(in), oracle, in, limitOf(graph.type)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Names, Cpus, testing::Values("x86-64", "x86-64-v2", "x86-64-v3", "skylake-avx512", "host"),
                         [](const auto &info) {
                           std::string name = info.param;
                           for (char &c : name)
                             c = c == '-' ? '_' : c;
                           return name;
                         });

} // namespace
