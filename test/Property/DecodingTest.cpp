//===- DecodingTest.cpp - token by token, in place ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop over tokens, whose state stays in one place, is causal attention over all of them.
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include <algorithm>
#include <cmath>

using namespace bochner::test;

namespace {

struct Case {
  bool log;
  Keys keys;
  int64_t group;
  const char *type, *stateType; ///< of rows; of sums, "" for that of accumulators
  const char *form = "recurrent";

  std::string name() const {
    const char *const kKeys[] = {"all", "lengths", "mask", "both"};
    return std::string(log ? "log_" : "linear_") + kKeys[int(keys)] + "_group" + std::to_string(group) + "_" + type +
           (*stateType ? std::string("_state_") + stateType : "") + "_" + form;
  }
  Options options() const {
    Options o;
    o.log = log;
    o.causality = Causality::Causal;
    o.keys = keys;
    o.group = group;
    o.heads = 8; // a task has several heads of keys
    o.type = type;
    o.initialType = o.finalType = stateType;
    o.initial = o.final = o.updates = true;
    o.form = form;
    return o;
  }
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name(); }

class Decoding : public testing::TestWithParam<Case>, protected Seeded {
protected:
  Decoding() : Seeded(uint64_t(GetParam().name().size())), options(GetParam().options()) {}

  /// What each call of a loop sees of [first, end).
  static Arrays tokens(const Arrays &in, int64_t first, int64_t end) {
    Arrays cut = rowsOf(in, first, end);
    for (double &length : cut["lengths"].values)
      length = std::clamp(length - double(first), 0.0, double(end - first));
    return cut;
  }
  /// Goes on from `results`, step by step, and leaves the state of the last one there. `sizes` are taken in turn.
  Array decode(const Program &step, const Arrays &in, Arrays &results, const std::vector<int64_t> &sizes, int64_t rows,
               const How &how = {}, bool inPlace = true) const {
    Array out;
    size_t turn = 0;
    for (int64_t first = 0; first < rows;) {
      int64_t end = std::min(first + sizes[turn++ % sizes.size()], rows);
      Arrays call = tokens(in, first, end);
      for (const std::string &name : stateNames(options))
        call[name] = results.at(name);
      results = step.call(call, how, inPlace);
      if (results.empty())
        return {};
      out = out.shape.empty() ? results["out"] : concatenate(out, results["out"], 2);
      first = end;
    }
    return out;
  }
  /// Of so many tokens; short states are rounded with each.
  double limit() const {
    return std::max(options.rounding(), options.finalType == "bf16" ? 2.5e-2 : options.finalType == "f16" ? 4e-3 : 0);
  }

  const Options options;
};

TEST_P(Decoding, inPlaceIsPrefill) {
  Options prefill = options;
  prefill.initial = prefill.updates = false;
  prefill.finalType = "";
  prefill.form = "chunked";
  Program step(attentionText(options)), whole(attentionText(prefill));
  const int64_t rows = 12;
  for (int64_t batch : {1, 5}) {
    Arrays in = makeArrays(options, random, batch, rows, rows);
    Arrays expected = whole.call(in);
    for (const std::vector<int64_t> &sizes : {std::vector<int64_t>{1}, std::vector<int64_t>{1, 3, 2}}) {
      SCOPED_TRACE("batch " + std::to_string(batch) + ", " + std::to_string(sizes.size()) + " sizes");
      Arrays state = noKeys(options, batch);
      How how;
      how.layout = how.resultLayout = sizes.size() > 1 ? Layout::EveryOther : Layout::Compact;
      Array out = decode(step, in, state, sizes, rows, how);
      ASSERT_LE(relativeError(out, expected["out"]), limit());
      ASSERT_TRUE(statesAgree(options, state, expected, limit()));
    }
  }
}

// Also a step that has no token, or whose tokens are all masked, which leaves a state as it is.
TEST_P(Decoding, inPlaceIsNotInPlace) {
  Program step(attentionText(options));
  const int64_t rows = 6;
  Arrays in = makeArrays(options, random, 3, rows, rows);
  Arrays own = stateOf(options, in), shared = own;
  Array a = decode(step, in, own, {1, 2}, rows, {}, /*inPlace=*/false);
  Array b = decode(step, in, shared, {1, 2}, rows);
  EXPECT_EQ(a, b);
  EXPECT_EQ(own, shared);

  Arrays none = tokens(in, 0, 0), before = stateOf(options, own);
  for (const auto &[name, array] : before)
    none[name] = array;
  for (bool inPlace : {false, true})
    EXPECT_EQ(stateOf(options, step.call(none, {}, inPlace)), before) << "no tokens";
  if (!options.hasMask() && !options.hasLengths())
    return;
  Arrays hidden = tokens(in, 0, 3);
  for (const char *name : {"lengths", "mask"})
    hidden[name].values.assign(hidden[name].values.size(), 0);
  for (const auto &[name, array] : before)
    hidden[name] = array;
  hidden = poisoned(options, hidden);
  for (bool inPlace : {false, true})
    EXPECT_EQ(stateOf(options, step.call(hidden, {}, inPlace)), before) << "hidden tokens";
}

// Its loops write a state before they have read all of it, so that a call copies it first.
TEST_P(Decoding, otherRouteIsInPlaceToo) {
  Program step(attentionText(options), "decompose", "f64");
  const int64_t rows = 4;
  Arrays in = makeArrays(options, random, 2, rows, rows);
  Arrays own = stateOf(options, in), shared = own;
  Array a = decode(step, in, own, {1, 3}, rows, {}, /*inPlace=*/false);
  Array b = decode(step, in, shared, {1, 3}, rows);
  EXPECT_EQ(a, b);
  EXPECT_EQ(own, shared);
}

TEST_P(Decoding, threadsDoNotMatter) {
  Program step(attentionText(options));
  Arrays in = makeArrays(options, random, 9, 3, 3), expected;
  for (int32_t threads : {1, 2, 4}) {
    How how;
    how.threads = threads;
    Arrays results = step.call(in, how, /*inPlace=*/true);
    if (threads == 1)
      expected = results;
    EXPECT_EQ(results, expected) << threads << " threads";
  }
}

std::vector<Case> cases() {
  std::vector<Case> list;
  int turn = 0;
  for (bool log : {false, true})
    for (Keys keys : {Keys::All, Keys::Lengths, Keys::Mask, Keys::Both}) {
      int64_t group = int64_t(1) << turn % 4;
      list.push_back({log, keys, group, turn % 3 == 2 ? "f64" : "f32", ""});
      list.push_back({log, keys, int64_t(8) / group, turn % 2 ? "bf16" : "f32", turn % 4 == 3 ? "f16" : "bf16"});
      ++turn;
    }
  list.push_back({true, Keys::Both, 4, "f16", "f64"});
  list.push_back({true, Keys::All, 2, "f32", "f64"});
  list.push_back({true, Keys::Mask, 2, "f32", "", "chunked"});
  list.push_back({false, Keys::All, 8, "f32", "bf16", "chunked"});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Options, Decoding, testing::ValuesIn(cases()),
                         [](const auto &info) { return info.param.name(); });

//===----------------------------------------------------------------------===//
// States of two types
//===----------------------------------------------------------------------===//

// The first state is copied to the type of the second before any row.
class MixedStates : public testing::TestWithParam<std::tuple<bool, Keys, const char *, const char *>>,
                    protected Seeded {
protected:
  MixedStates() : Seeded(7) {}
};

TEST_P(MixedStates, agreeWithDecompose) {
  auto [log, keys, initial, final] = GetParam();
  Case c{log, keys, 2, "f32", "", "recurrent"};
  Options o = c.options();
  o.updates = false;
  o.initialType = initial;
  o.finalType = final;
  Program fused(attentionText(o)), oracle(attentionText(o), "decompose", "f64");
  for (int64_t rows : {0, 1, 2, 5}) {
    Arrays in = makeArrays(o, random, 3, rows, rows), got = fused.call(in), expected = oracle.call(in);
    double limit = std::string(final) == "bf16" ? 2.5e-2 : std::string(final) == "f16" ? 4e-3 : 3e-5;
    EXPECT_LE(relativeError(got["out"], expected["out"]), limit) << rows << " rows";
    EXPECT_TRUE(statesAgree(o, got, expected, limit)) << rows << " rows";
    EXPECT_EQ(fused.call(poisoned(o, in)), got) << rows << " rows";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, MixedStates,
    testing::Values(std::tuple(true, Keys::Both, "bf16", "f32"), std::tuple(true, Keys::All, "f32", "bf16"),
                    std::tuple(true, Keys::Mask, "f16", "f64"), std::tuple(false, Keys::Lengths, "f64", "f16"),
                    std::tuple(false, Keys::All, "bf16", ""), std::tuple(false, Keys::Mask, "bf16", "f16")));

} // namespace
