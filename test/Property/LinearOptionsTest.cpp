//===- LinearOptionsTest.cpp - options of linear attention ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels against the route decompose in f64, over domains, causality and ways to leave keys out in full; each case
// draws the other options. --gtest_random_seed=N draws others.
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include <algorithm>
#include <cmath>

using namespace bochner::test;

namespace {

struct Case {
  bool log;
  int causality, keys;

  int number() const { return (log * 3 + causality) * 6 + keys; }
  std::string name() const {
    const char *const kCausalities[] = {"none", "causal", "anticausal"};
    const char *const kKeys[] = {"all", "lengths", "mask", "both", "sequences", "key_sequences"};
    return std::string(log ? "log_" : "linear_") + kCausalities[causality] + "_" + kKeys[keys];
  }
  Options draw(Random &random) const {
    Options o;
    o.log = log;
    o.causality = Causality(causality);
    o.keys = Keys(keys);
    o.heads = 4;
    o.group = random.pick<int64_t>({1, 2, 4});
    o.features = random.pick<int64_t>({9, 37, 64, 101});
    o.constantFeature = random.oneIn(3);
    o.queryMap = random.oneIn(4);
    o.sharedParameters = random.oneIn(3);
    o.offset = random.oneIn(4);
    bool unnormalized = random.oneIn(4);
    o.eps = random.pick<double>({0, 1e-6, 0.5});
    o.type = random.pick<std::string>({"f32", "f32", "f64", "bf16", "f16"});
    // Numerators of the log domain may be below the range of f16, with and without eps under them.
    bool mayBeSmall = !log || o.type != "f16";
    o.normalize = !unnormalized || !mayBeSmall;
    o.eps = mayBeSmall ? o.eps : 0;
    if (causality)
      o.form = random.pick<std::string>({"auto", "chunked", "recurrent", "recurrent"});
    if (!log && o.normalize) {
      // Whether a denominator is small is not decided by rounding if it has the digits of f64.
      bool mayCount = o.type == "f64" && !o.isPacked();
      o.denominator = random.pick<std::string>({"none", "clamp", mayCount ? "count" : "clamp"});
      o.floor = 50;
    }
    if (!o.isPacked()) {
      o.initial = random.oneIn(2);
      o.final = random.oneIn(2);
      std::vector<std::string> types = {"", "", "f32", "bf16", "f16", "f64"};
      o.initialType = random.pick(types);
      o.finalType = random.pick(types);
      // Row by row, sums are rounded as often as there are rows.
      if (o.form == "recurrent" && o.finalType != "f64")
        o.finalType = "";
    }
    if (!o.initial && !o.final && o.form == "auto" && random.oneIn(2))
      o.form = "quadratic";
    return o;
  }
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name(); }

/// Sizes that C2, C4 and C12 of the operation allow.
std::pair<int64_t, int64_t> drawRows(const Options &o, Random &random) {
  const std::vector<int64_t> rows = {0, 1, 2, 5, 63, 64, 65, 130, 200};
  int64_t queries = random.pick(rows), keys = random.pick(rows);
  bool mayDiffer = o.keys == Keys::KeySequences || (o.keys != Keys::Sequences && o.causality == Causality::None) ||
                   (o.causality == Causality::Causal && o.initial);
  return {queries, mayDiffer ? keys : queries};
}

class LinearOptions : public testing::TestWithParam<Case>, protected Seeded {
protected:
  LinearOptions() : Seeded(uint64_t(GetParam().number())), options(GetParam().draw(random)) {
    trace = std::make_unique<testing::ScopedTrace>(__FILE__, __LINE__, options.describe());
  }
  How layouts() {
    How how;
    how.layout = random.oneIn(2) ? Layout::Compact : kLayouts[random.below(5)];
    how.resultLayout = random.oneIn(2) ? Layout::Compact : kLayouts[random.below(5)];
    return how;
  }
  /// Sums that are kept in a short type have its digits only.
  double stateLimit() const {
    return std::max(options.limit(), options.finalType == "bf16"  ? 8e-3
                                     : options.finalType == "f16" ? 1e-3
                                     : options.finalType == "f32" ? 1e-6
                                                                  : 0);
  }

  Options options;
  std::unique_ptr<testing::ScopedTrace> trace;
};

TEST_P(LinearOptions, agreeWithDecompose) {
  Program fused(attentionText(options)), oracle(attentionText(options), "decompose", "f64");
  for (int i = 0; i < 8; ++i) {
    auto [queries, keys] = i ? drawRows(options, random) : std::pair<int64_t, int64_t>(150, 150);
    if (i == 7 && options.causality == Causality::None && !options.isPacked())
      keys = 4200; // in parts
    Arrays in = makeArrays(options, random, 1 + i % 3, queries, keys);
    SCOPED_TRACE("call " + std::to_string(i) + ": " + std::to_string(queries) + " queries, " + std::to_string(keys) +
                 " keys");
    How how = layouts();
    Arrays got = fused.call(in, how), expected = oracle.call(in);
    ASSERT_FALSE(got.empty() || expected.empty());
    ASSERT_LE(relativeError(got["out"], expected["out"]), options.limit());
    if (options.final)
      ASSERT_TRUE(statesAgree(options, got, expected, stateLimit()));
    if (options.denominator == "count")
      ASSERT_EQ(got["counts"].values, expected["counts"].values);
    if (options.hasMask() || options.hasLengths())
      ASSERT_EQ(fused.call(poisoned(options, in), how), got) << "what is masked was read";
  }
}

TEST_P(LinearOptions, sameBitsForAnyNumberOfThreads) {
  Program fused(attentionText(options));
  // Keys in parts.
  int64_t rows = options.causality == Causality::None ? 4200 : 260;
  Arrays in = makeArrays(options, random, 2, rows, rows);
  How how;
  how.threads = 1;
  Arrays one = fused.call(in, how);
  for (int32_t threads : {2, 3, 4}) {
    how.threads = threads;
    EXPECT_EQ(fused.call(in, how), one) << threads << " threads";
  }
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (bool log : {false, true})
    for (int causality = 0; causality < 3; ++causality)
      for (int keys = 0; keys < 6; ++keys)
        list.push_back({log, causality, keys});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Pairs, LinearOptions, testing::ValuesIn(cases()),
                         [](const auto &info) { return info.param.name(); });

} // namespace
