//===- StatesTest.cpp - attention in parts --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs over parts of a sequence are the run over the whole, attention is its two halves, and states merge in any order.
//
//===----------------------------------------------------------------------===//
#include "LinearGraphs.h"
#include <algorithm>
#include <cmath>

using namespace bochner::test;

namespace {

struct Case {
  const char *name;
  Options options;
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.name; }

Options make(bool log, Keys keys, int64_t group, const std::string &type) {
  Options o;
  o.log = log;
  o.keys = keys;
  o.group = group;
  o.type = type;
  return o;
}

std::vector<Case> cases() {
  std::vector<Case> list = {{"log", make(true, Keys::All, 2, "f32")},
                            {"log_both_f64", make(true, Keys::Both, 4, "f64")},
                            {"log_mask_constant", make(true, Keys::Mask, 1, "f32")},
                            {"log_bf16", make(true, Keys::Lengths, 2, "bf16")},
                            {"linear", make(false, Keys::Lengths, 1, "f32")},
                            {"linear_mask_f64", make(false, Keys::Mask, 2, "f64")},
                            {"linear_clamp_constant", make(false, Keys::Both, 4, "f32")},
                            {"linear_f16", make(false, Keys::All, 4, "f16")}};
  list[2].options.constantFeature = list[6].options.constantFeature = true;
  list[1].options.queryMap = list[5].options.queryMap = true;
  list[2].options.sharedParameters = list[4].options.sharedParameters = true;
  list[6].options.denominator = "clamp";
  list[6].options.floor = 40;
  list[4].options.offset = true;
  list[5].options.normalize = false;
  return list;
}

class States : public testing::TestWithParam<Case>, protected Seeded {
protected:
  States() : Seeded(uint64_t(GetParam().options.features + GetParam().name[0])), base(GetParam().options) {}

  /// What the operation sees of rows [first, end) of arrays.
  static Arrays part(const Arrays &in, int64_t first, int64_t end) {
    Arrays cut = rowsOf(in, first, end);
    for (double &length : cut["lengths"].values)
      length = std::clamp(length - double(first), 0.0, double(end - first));
    return cut;
  }
  static Arrays with(Arrays in, const Arrays &more) {
    for (const auto &[name, array] : more)
      in[name] = array;
    return in;
  }
  Arrays stateOf(const Arrays &arrays, const std::string &prefix = "") const {
    Arrays state;
    for (const std::string &name : stateNames(base))
      state[prefix + name] = arrays.at(name);
    return state;
  }
  Arrays merge(const Program &program, const Arrays &left, const Arrays &right) const {
    return program.call(with(stateOf(left, "left_"), stateOf(right, "right_")));
  }

  const Options base;
};

TEST_P(States, runsOverPartsAreTheWhole) {
  for (const char *form : {"chunked", "recurrent"}) {
    Options whole = base, parts = base;
    whole.causality = parts.causality = Causality::Causal;
    whole.final = parts.initial = parts.final = true;
    whole.form = parts.form = form;
    const int64_t rows = 150;
    Arrays in = makeArrays(base, random, 2, rows, rows);
    Program one(attentionText(whole)), two(attentionText(parts));
    Arrays expected = one.call(in);
    for (int64_t split : {int64_t(0), int64_t(1), int64_t(64), int64_t(77), rows}) {
      SCOPED_TRACE(std::string(form) + " split at " + std::to_string(split));
      Arrays first = two.call(with(part(in, 0, split), noKeys(base, 2)));
      Arrays second = two.call(with(part(in, split, rows), stateOf(first)));
      EXPECT_LE(relativeError(concatenate(first["out"], second["out"], 2), expected["out"]), base.rounding());
      EXPECT_TRUE(statesAgree(base, second, expected, base.rounding()));
    }
  }
}

// Every query sees all keys, those of the initial state too.
TEST_P(States, keysOfAStateAreSeen) {
  Options parts = base;
  parts.initial = parts.final = true;
  Options whole = base;
  whole.final = true;
  Program one(attentionText(whole)), two(attentionText(parts)), keys(attentionStateText(base));
  const int64_t rows = 200;
  Arrays in = makeArrays(base, random, 3, rows, rows);
  Arrays expected = one.call(in);
  for (int64_t split : {int64_t(0), int64_t(1), int64_t(65), rows}) {
    SCOPED_TRACE("split at " + std::to_string(split));
    Arrays first = keys.call(part(in, 0, split)), rest = with(part(in, split, rows), stateOf(first));
    rest["q"] = in["q"];
    Arrays second = two.call(rest);
    EXPECT_LE(relativeError(second["out"], expected["out"]), base.rounding());
    EXPECT_TRUE(statesAgree(base, second, expected, base.rounding()));
  }
}

TEST_P(States, attentionIsItsHalves) {
  Program whole(attentionText(base)), keys(attentionStateText(base)), queries(applyStateText(base));
  for (int64_t count : {0, 1, 64, 130, 4200}) {
    Arrays in = makeArrays(base, random, 2, 70, count);
    Arrays state = keys.call(in), out = queries.call(with(in, stateOf(state)));
    EXPECT_LE(relativeError(out["out"], whole.call(in)["out"]), base.rounding()) << count << " keys";
    if (count == 0)
      EXPECT_TRUE(state == stateOf(noKeys(base, 2)));
    if (base.hasMask() || base.hasLengths())
      EXPECT_EQ(keys.call(poisoned(base, in)), state) << count << " keys";
  }
}

TEST_P(States, stateContinuesAState) {
  Options more = base;
  more.initial = true;
  Program keys(attentionStateText(base)), next(attentionStateText(more));
  const int64_t rows = 140;
  Arrays in = makeArrays(base, random, 2, rows, rows);
  Arrays first = keys.call(part(in, 0, 76));
  Arrays both = next.call(with(part(in, 76, rows), stateOf(first)));
  EXPECT_TRUE(statesAgree(base, both, keys.call(in), base.rounding()));
}

TEST_P(States, mergeInAnyOrder) {
  for (const char *type : {"", "bf16"}) {
    Options o = base;
    o.finalType = type;
    double limit = *type ? 2e-2 : base.rounding();
    SCOPED_TRACE(std::string("sums ") + type);
    Program keys(attentionStateText(o)), merged(mergeStatesText(o)), oracle(mergeStatesText(o), "decompose", "f64");
    Arrays in = makeArrays(o, random, 2, 1, 150), whole = keys.call(in), none = stateOf(noKeys(o, 2));
    Arrays a = keys.call(part(in, 0, 40)), b = keys.call(part(in, 40, 41)), c = keys.call(part(in, 41, 150));
    Arrays left = merge(merged, merge(merged, a, b), c), right = merge(merged, a, merge(merged, b, c));
    EXPECT_TRUE(statesAgree(o, left, right, limit));
    EXPECT_TRUE(statesAgree(o, left, whole, limit));
    EXPECT_EQ(merge(merged, b, c), merge(merged, c, b));
    EXPECT_EQ(merge(merged, none, whole), whole);
    EXPECT_EQ(merge(merged, whole, none), whole);
    EXPECT_EQ(merge(merged, none, none), none);
    // What the exponent of a feature without keys says does not matter.
    Arrays odd = none;
    if (o.log)
      odd["maximum"].values.assign(odd["maximum"].values.size(), 90);
    EXPECT_TRUE(statesAgree(o, merge(merged, odd, whole), whole, 0));
    EXPECT_TRUE(
        statesAgree(o, merge(merged, a, c), oracle.call(with(stateOf(a, "left_"), stateOf(c, "right_"))), limit));
  }
}

// Rows whose features are e^450 apart.
TEST_P(States, mergeOfAnyNorm) {
  if (!base.log || base.accumulator() == "f64")
    return;
  Program keys(attentionStateText(base)), merged(mergeStatesText(base)), queries(applyStateText(base));
  Arrays in = makeArrays(base, random, 2, 50, 150, 30), whole = keys.call(in);
  Arrays parts = merge(merged, keys.call(part(in, 0, 70)), keys.call(part(in, 70, 150)));
  EXPECT_LE(relativeError(queries.call(with(in, parts))["out"], queries.call(with(in, whole))["out"]),
            2 * base.rounding());
}

// Features are e^-1000 and less, which the exponent of a state without keys, whatever it says, does not hide.
TEST_P(States, stateOfNoKeysHasNoScale) {
  if (!base.log || base.type != "f32")
    return;
  for (auto [causality, form] : {std::pair(Causality::None, "auto"), std::pair(Causality::Causal, "chunked"),
                                 std::pair(Causality::Causal, "recurrent"), std::pair(Causality::Anticausal, "auto")}) {
    Options whole = base, more = base;
    whole.eps = more.eps = 0;
    whole.causality = more.causality = causality;
    whole.form = more.form = form;
    more.initial = more.final = true;
    Program one(attentionText(whole)), other(attentionText(more));
    Arrays in = makeArrays(base, random, 2, 70, 70, 10), none = noKeys(base, 2);
    Array expected = one.call(in)["out"];
    for (double exponent : {0.0, 500.0, -500.0}) {
      none["maximum"].values.assign(none["maximum"].values.size(), exponent);
      Array got = other.call(with(in, none))["out"];
      EXPECT_LE(relativeError(got, expected), 2 * base.rounding())
          << form << " " << int(causality) << ", exponent " << exponent;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, States, testing::ValuesIn(cases()), [](const auto &info) { return info.param.name; });

} // namespace
