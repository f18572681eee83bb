//===- BuffersTest.cpp - arrays in any layout -------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes that leave a tail everywhere, in every layout, against pages that cannot be accessed: the numbers do not depend
// on where they lie, and nothing else is read or written.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"

using namespace bochner::test;

namespace {

struct Case {
  std::string map, type;
  bool causal;
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.map << " " << c.type << (c.causal ? " causal" : ""); }

class Buffers : public testing::TestWithParam<Case> {};

TEST_P(Buffers, layoutsDoNotMatter) {
  for (int64_t odd : {3, 17, 33}) {
    Graph graph;
    graph.map = makeMap(GetParam().map, accepts(GetParam().map, 3) ? odd : odd / 2 * 2 / 16 * 16 + 4, odd + 2);
    if (!accepts(GetParam().map, graph.map.dimension))
      graph.map = makeMap(GetParam().map, 8, 8);
    graph.type = GetParam().type;
    graph.causal = GetParam().causal;
    graph.valueWidth = odd - 2;
    graph.lengths = true;
    graph.eps = 1;
    Compiled fused(graph, "fused");
    for (int64_t rows : {1, 2, 5, 63, 65, 131}) {
      Random random(uint64_t(100 * odd + rows));
      Inputs in = makeInputs(graph, random, 4, 3, rows, rows + 2);
      Values expected = fused.call(in);
      for (Layout layout : kLayouts)
        for (Layout resultLayout : {Layout::Compact, layout}) {
          How how;
          how.layout = layout;
          how.resultLayout = resultLayout;
          EXPECT_EQ(fused.call(in, how), expected) << graph.describe() << " layouts " << int(layout) << " and "
                                                   << int(resultLayout) << ", " << rows << " rows";
        }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, Buffers,
                         testing::Values(Case{"trig_constant", "f32", false}, Case{"log_positive", "f32", true},
                                         Case{"concatenated", "f64", false}, Case{"fastfood_positive", "f32", false},
                                         Case{"layer_norm", "f32", true}, Case{"mlp", "f64", true}),
                         [](const auto &info) {
                           return info.param.map + "_" + info.param.type + (info.param.causal ? "_causal" : "");
                         });

// The harness itself: a byte written between elements is found, and rows are where the layout says.
TEST(GuardedArray, findsDamage) {
  for (Layout layout : kLayouts) {
    GuardedArray array("f32", {2, 3, 4, 5}, layout);
    Values values;
    for (int i = 0; i < 120; ++i)
      values.push_back(i);
    array.write(values);
    EXPECT_EQ(array.read(), values);
    EXPECT_EQ(array.damage(), 0u);
    if (layout == Layout::PaddedRows) {
      static_cast<float *>(array.tensor()->data)[5] = 1;
      EXPECT_EQ(array.damage(), 4u);
    }
  }
}

TEST(GuardedArray, forbidsWhatIsBehind) {
  GuardedArray array("f64", {7});
  volatile double *data = static_cast<double *>(array.tensor()->data);
  EXPECT_DEATH(data[7] = 1, "");
  array.protect();
  EXPECT_DEATH(data[0] = 1, "");
}

} // namespace
