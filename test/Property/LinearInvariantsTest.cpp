//===- LinearInvariantsTest.cpp - options that say the same ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What holds for any numbers in every form of linear attention: linearity, who sees whom, the order of keys, groups of
// heads, packed sequences and sizes of tiles. InvariantsTest.cpp has maps and types instead.
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace bochner::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Case {
  bool log;
  Causality causality;
  const char *form;

  std::string name() const {
    const char *const kNames[] = {"none", "causal", "anticausal"};
    return std::string(log ? "log_" : "linear_") + kNames[int(causality)] + "_" + form;
  }
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name(); }

class LinearInvariants : public testing::TestWithParam<Case>, protected Seeded {
protected:
  LinearInvariants() : Seeded(100 + GetParam().name().size()) {
    base.log = GetParam().log;
    base.causality = GetParam().causality;
    base.form = GetParam().form;
    base.group = 2;
    base.keys = Keys::Mask;
  }
  bool isCausal() const { return base.causality != Causality::None; }
  bool hasStates() const { return base.form != "quadratic"; }

  Options base;
};

TEST_P(LinearInvariants, linearInValuesAndSums) {
  Options o = base;
  o.initial = o.final = hasStates();
  Program program(attentionText(o));
  Arrays in = makeArrays(o, random, 2, 140, 140), other = in, sum = in;
  for (const char *name : {"v", "sums"})
    for (size_t i = 0; i < in[name].values.size(); ++i) {
      double value = std::round(64 * random.normal()) / 64;
      in[name].values[i] = std::round(64 * in[name].values[i]) / 64;
      other[name].values[i] = value;
      sum[name].values[i] = 2 * in[name].values[i] - 4 * value;
    }
  Arrays a = program.call(in), b = program.call(other), got = program.call(sum);
  for (const char *name : {"out", "sums"}) {
    if (!a.count(name))
      continue;
    for (size_t i = 0; i < a[name].values.size(); ++i)
      a[name].values[i] = 2 * a[name].values[i] - 4 * b[name].values[i];
  }
  EXPECT_LE(relativeError(got["out"], a["out"]), o.rounding());
  if (o.final)
    EXPECT_TRUE(statesAgree(o, got, a, o.rounding()));
}

TEST_P(LinearInvariants, keysPastTheQueryAreNotSeen) {
  if (!isCausal())
    return;
  bool backwards = base.causality == Causality::Anticausal;
  Options o = base;
  o.initial = hasStates();
  Program program(attentionText(o));
  const int64_t rows = 150;
  Arrays in = makeArrays(o, random, 2, rows, rows), before = program.call(in);
  for (int64_t cut : {1, 5, 64, 77, 149}) { // rows before it do not see those from it on, or the reverse
    int64_t first = backwards ? 0 : cut, end = backwards ? cut : rows;
    Arrays changed = in;
    for (const char *name : {"q", "k", "v"}) {
      Array &array = changed[name];
      for (size_t i = 0; i < array.values.size(); ++i)
        if (int64_t row = int64_t(i) / array.shape[3] % rows; row >= first && row < end)
          array.values[i] = i % 2 ? kNaN : 7;
    }
    Array got = program.call(changed)["out"].slice(2, backwards ? cut : 0, backwards ? rows : cut);
    Array expected = before["out"].slice(2, backwards ? cut : 0, backwards ? rows : cut);
    // In the log domain keys that are computed together share a scale.
    if (o.log)
      EXPECT_LE(relativeError(got, expected), o.rounding()) << "from " << cut;
    else
      EXPECT_EQ(got, expected) << "from " << cut;
  }
}

TEST_P(LinearInvariants, orderOfKeysDoesNotMatter) {
  if (isCausal())
    return;
  Options o = base;
  o.initial = o.final = hasStates();
  Program program(attentionText(o));
  const int64_t keys = 170;
  Arrays in = makeArrays(o, random, 2, 33, keys), shuffled = in;
  std::vector<int64_t> order(keys);
  for (int64_t i = 0; i < keys; ++i) {
    int64_t j = random.below(i + 1);
    order[size_t(i)] = order[size_t(j)];
    order[size_t(j)] = i;
  }
  for (const auto &[name, dimension] : {std::pair("k", 2), std::pair("v", 2), std::pair("mask", 1)}) {
    Array all = in[name].slice(size_t(dimension), 0, 0);
    for (int64_t s : order)
      all = concatenate(all, in[name].slice(size_t(dimension), s, s + 1), size_t(dimension));
    shuffled[name] = all;
  }
  Arrays got = program.call(shuffled), expected = program.call(in);
  EXPECT_LE(relativeError(got["out"], expected["out"]), o.rounding());
  if (o.final)
    EXPECT_TRUE(statesAgree(o, got, expected, o.rounding()));
}

TEST_P(LinearInvariants, sizesOfTilesDoNotMatter) {
  Options o = base;
  o.initial = o.final = hasStates();
  o.features = 101; // several blocks
  o.constantFeature = true;
  Program usual(attentionText(o));
  Arrays in = makeArrays(o, random, 2, 150, 150), expected = usual.call(in);
  for (int64_t shrink : {2, 4}) {
    Program other = usual.withSmallerTiles(shrink);
    Arrays got = other.call(in);
    EXPECT_LE(relativeError(got["out"], expected["out"]), o.rounding()) << "tiles divided by " << shrink;
    if (o.final)
      EXPECT_TRUE(statesAgree(o, got, expected, o.rounding())) << "tiles divided by " << shrink;
    EXPECT_EQ(other.call(poisoned(o, in)), got) << "tiles divided by " << shrink;
  }
}

/// Each slice of dimension 1 as often as a group has heads.
Array repeated(const Array &array, int64_t group) {
  Array all = array.slice(1, 0, 0);
  for (int64_t h = 0; h < array.shape[1]; ++h)
    for (int64_t g = 0; g < group; ++g)
      all = concatenate(all, array.slice(1, h, h + 1), 1);
  return all;
}

TEST_P(LinearInvariants, groupsAreRepeatedHeads) {
  Options grouped = base, plain = base;
  grouped.heads = plain.heads = 8;
  grouped.group = 4;
  plain.group = 1;
  grouped.initial = grouped.final = plain.initial = plain.final = hasStates();
  grouped.sharedParameters = plain.sharedParameters = true;
  Program one(attentionText(grouped)), other(attentionText(plain));
  Arrays in = makeArrays(grouped, random, 2, 90, 90), copies = in;
  for (const char *name : {"k", "v", "sums", "normalizer", "maximum"})
    copies[name] = repeated(in[name], 4);
  Arrays got = one.call(in), expected = other.call(copies);
  EXPECT_LE(relativeError(got["out"], expected["out"]), grouped.rounding());
  if (!grouped.final)
    return;
  for (const std::string &name : stateNames(grouped))
    got[name] = repeated(got[name], 4);
  EXPECT_TRUE(statesAgree(grouped, got, expected, grouped.rounding()));
}

TEST_P(LinearInvariants, sequencesAreALoopOverSequences) {
  Options packed = base, single = base;
  packed.keys = Keys::Sequences;
  single.keys = Keys::All;
  Program program(attentionText(packed)), alone(attentionText(single));
  const int64_t rows = 201;
  Arrays in = makeArrays(packed, random, 1, rows, rows);
  Values offsets{0, 0, 1, 66, 66, 67, double(rows), double(rows)};
  in["sequences"] = {{int64_t(offsets.size())}, offsets};
  Array out = program.call(in)["out"];
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    auto first = int64_t(offsets[i]), end = int64_t(offsets[i + 1]);
    Array got = out.slice(2, first, end), expected = alone.call(rowsOf(in, first, end))["out"];
    EXPECT_LE(relativeError(got, expected), packed.rounding()) << "sequence from " << first << " to " << end;
  }
}

// Sequences with fewer keys than queries, with more, without any, and with none but these.
TEST_P(LinearInvariants, sequencesWithOtherNumbersOfKeys) {
  for (int64_t group : {1, 4}) {
    Options o = base;
    o.keys = Keys::KeySequences;
    o.group = group;
    o.queryMap = group == 4;
    o.eps = group == 4 ? 1e-6 : 0; // without keys the result is 0 for any eps
    Program program(attentionText(o)), oracle(attentionText(o), "decompose", "f64");
    Arrays in = makeArrays(o, random, 1, 260, 300);
    in["sequences"] = {{8}, {0, 20, 90, 90, 100, 101, 231, 260}};
    in["key_sequences"] = {{8}, {0, 90, 110, 120, 120, 121, 250, 300}};
    Arrays got = program.call(in), expected = oracle.call(in);
    EXPECT_LE(relativeError(got["out"], expected["out"]), o.limit()) << "group " << group;
  }
}

TEST_P(LinearInvariants, noQueriesOrKeysOrEntries) {
  Options o = base;
  o.initial = o.final = hasStates();
  Program program(attentionText(o));
  for (auto [batch, queries, keys] : {std::array<int64_t, 3>{0, 5, 5}, {2, 0, 0}, {2, 0, 7}, {2, 7, 0}, {0, 0, 0}}) {
    bool mayDiffer = o.causality == Causality::None || (o.causality == Causality::Causal && o.initial);
    if (queries != keys && !mayDiffer)
      continue;
    Arrays in = makeArrays(o, random, batch, queries, keys), got = program.call(in);
    ASSERT_TRUE(got.count("out"));
    EXPECT_EQ(got["out"].values.size(), size_t(batch * o.heads * queries * o.valueWidth));
    if (!o.final) {
      for (double value : got["out"].values)
        ASSERT_EQ(value, keys ? value : 0);
    } else if (keys == 0) {
      EXPECT_TRUE(statesAgree(o, got, in, 1e-6));
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (bool log : {false, true})
    for (Causality causality : {Causality::None, Causality::Causal, Causality::Anticausal})
      for (const char *form : {"chunked", "recurrent", "quadratic"})
        if (causality != Causality::None || std::string(form) != "recurrent")
          list.push_back({log, causality, form});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Forms, LinearInvariants, testing::ValuesIn(cases()),
                         [](const auto &info) { return info.param.name(); });

} // namespace
