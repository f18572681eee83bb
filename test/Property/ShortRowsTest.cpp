//===- ShortRowsTest.cpp - rows of 16 bits of any width -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products of bf16 rows take pairs of them where the CPU has an instruction for it: widths and numbers of rows that
// leave one over, or nothing, have code of their own.
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include <algorithm>
#include <cmath>

using namespace bochner::test;

namespace {

/// D and F.
class ShortRows : public testing::TestWithParam<std::tuple<int64_t, int64_t>>, protected Seeded {
protected:
  ShortRows() : Seeded(uint64_t(1000 + number())) {
    auto [dimension, features] = GetParam();
    options.dimension = dimension;
    options.features = features;
    options.valueWidth = random.pick<int64_t>({1, 24, 33});
    options.log = random.oneIn(2);
    options.group = random.pick<int64_t>({1, 2, 4});
    options.keys = random.pick<Keys>({Keys::All, Keys::Lengths, Keys::Mask, Keys::Both});
    options.queryMap = random.oneIn(3);
    options.constantFeature = features > 1 && random.oneIn(3);
    options.type = "bf16";
    // A feature alone may be so small that rounding is all of it; with others it does not matter then.
    options.normalize = features > 1;
  }
  static int64_t number() { return 300 * std::get<0>(GetParam()) + std::get<1>(GetParam()); }
  How layouts() {
    How how;
    how.layout = kLayouts[random.below(5)];
    how.resultLayout = kLayouts[random.below(5)];
    return how;
  }
  static constexpr int64_t kRows[] = {0, 1, 3, 63, 65, 600};

  Options options;
};

TEST_P(ShortRows, agreeWithDecompose) {
  SCOPED_TRACE(options.describe());
  for (bool other : {false, true}) {
    options.log ^= other;
    Program fused(attentionText(options)), oracle(attentionText(options), "decompose", "f64");
    for (int64_t keys : kRows) {
      int64_t queries = kRows[random.below(6)];
      SCOPED_TRACE(std::to_string(queries) + " queries, " + std::to_string(keys) + " keys");
      Arrays in = makeArrays(options, random, 2, queries, keys), expected = oracle.call(in), got;
      for (int i = 0; i < 3; ++i) {
        How how = i ? layouts() : How{0, {}, Layout::HeadsInside, Layout::HeadsInside};
        Arrays again = fused.call(poisoned(options, in), how);
        EXPECT_LE(relativeError(again["out"], expected["out"]), options.limit());
        if (i)
          EXPECT_EQ(again, got) << "the layout matters";
        got = again;
      }
      How one;
      one.threads = 1;
      EXPECT_EQ(fused.call(in, one), got) << "the number of threads matters";
    }
  }
}

TEST_P(ShortRows, halvesAgreeWithDecompose) {
  SCOPED_TRACE(options.describe());
  Program keys(attentionStateText(options)), keysOracle(attentionStateText(options), "decompose", "f64"),
      queries(applyStateText(options)), queriesOracle(applyStateText(options), "decompose", "f64");
  for (int64_t rows : kRows) {
    SCOPED_TRACE(std::to_string(rows) + " rows");
    Arrays in = makeArrays(options, random, 2, rows, rows), state = keys.call(poisoned(options, in), layouts());
    EXPECT_TRUE(statesAgree(options, state, keysOracle.call(in), options.limit()));
    Arrays got = queries.call(in, layouts()), expected = queriesOracle.call(in);
    EXPECT_LE(relativeError(got["out"], expected["out"]), options.limit());
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, ShortRows,
                         testing::Combine(testing::Values(2, 15, 18), testing::Values(1, 33, 101, 257)),
                         [](const auto &info) {
                           return "D" + std::to_string(std::get<0>(info.param)) + "_F" +
                                  std::to_string(std::get<1>(info.param));
                         });

} // namespace
