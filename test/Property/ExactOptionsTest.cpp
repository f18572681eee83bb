//===- ExactOptionsTest.cpp - options of exact attention ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both routes against the formula, over causality and ways to leave keys out in full, with kernels, types and groups of
// heads in turn. What is left out holds NaN and infinity. --gtest_random_seed=N takes other sizes and numbers.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

using namespace bochner::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool sameBits(const Values &a, const Values &b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

/// Ways to leave keys out.
struct Keys {
  const char *name;
  bool lengths, mask, sequences, keySequences;
};
const Keys kKeys[] = {{"all", false, false, false, false},         {"lengths", true, false, false, false},
                      {"mask", false, true, false, false},         {"lengths_mask", true, true, false, false},
                      {"sequences", false, false, true, false},    {"sequences_mask", false, true, true, false},
                      {"key_sequences", false, false, true, true}, {"key_sequences_mask", false, true, true, true}};
const char *const kCausalities[] = {"none", "causal", "anticausal"};

struct Case {
  int causality, keys, turn;

  int number() const { return causality * 8 + keys; }
  Graph graph() const {
    const Keys &k = kKeys[keys];
    Graph graph;
    graph.exactKernel = (number() / 2 + turn) % 2 ? "gaussian" : "softmax";
    graph.type = (number() + turn) % 2 ? "f64" : "f32";
    graph.causal = causality == 1;
    graph.anticausal = causality == 2;
    graph.lengths = k.lengths;
    graph.mask = k.mask;
    graph.sequences = k.sequences;
    graph.keySequences = k.keySequences;
    int64_t group = int64_t(1) << (number() + number() / 8 + turn) % 3;
    graph.keyHeads = group == 4 ? 1 : 2;
    graph.heads = group * graph.keyHeads;
    graph.map.dimension = turn ? 16 : 19;
    graph.valueWidth = turn ? 21 : 32;
    graph.eps = turn ? 0 : 0.5;
    return graph;
  }
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.graph().describe() << " " << c.graph().type; }

std::vector<Case> cases() {
  std::vector<Case> list;
  for (int causality = 0; causality < 3; ++causality)
    for (int keys = 0; keys < 8; ++keys)
      for (int turn = 0; turn < 2; ++turn)
        list.push_back({causality, keys, turn});
  return list;
}

/// Offsets of sequences that fill `rows` rows: some empty, some of one row.
Values packed(Random &random, int64_t rows, int64_t count) {
  Values offsets;
  count = std::max<int64_t>(count, 1); // no sequences fill no rows
  for (int64_t i = 0; i <= count; ++i)
    offsets.push_back(double(random.below(rows + 1)));
  std::sort(offsets.begin(), offsets.end());
  if (count > 3) { // one row, then none
    offsets[2] = std::min(offsets[1] + 1, double(rows));
    offsets[3] = offsets[2];
    std::sort(offsets.begin(), offsets.end());
  }
  offsets.front() = 0; // a call checks both
  offsets.back() = double(rows);
  return offsets;
}

Inputs makeCall(const Graph &graph, Random &random, int64_t batch, int64_t queries, int64_t keys, int64_t sequences) {
  if ((graph.causal || graph.anticausal || graph.sequences) && !graph.keySequences)
    keys = queries;
  Inputs in;
  in.batch = graph.sequences ? 1 : batch;
  in.heads = graph.heads;
  in.keyHeads = graph.keyHeads;
  in.queries = queries;
  in.keys = keys;
  auto fill = [&](Values &values, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      values.push_back(random.normal());
  };
  fill(in.q, in.batch * in.heads * queries * graph.map.dimension);
  fill(in.k, in.batch * in.keyHeads * keys * graph.map.dimension);
  fill(in.v, in.batch * in.keyHeads * keys * graph.valueWidth);
  for (int64_t b = 0; b < in.batch; ++b) {
    in.lengths.push_back(double(random.oneIn(4) ? 0 : random.below(keys + 1)));
    int64_t kept = random.pick<int64_t>({0, 2, 5, 9, 10}); // of ten
    for (int64_t s = 0; s < keys; ++s)
      in.mask.push_back(random.below(10) < kept);
  }
  in.sequences = packed(random, queries, sequences);
  in.keySequences = packed(random, keys, sequences);
  roundTo(graph.type, in);
  return in;
}

//===----------------------------------------------------------------------===//
// The formula
//===----------------------------------------------------------------------===//

/// Calls `body` with each batch entry or sequence: rows of queries and of keys, and the batch entry they are in.
void forEachEntry(const Graph &g, const Inputs &in,
                  const std::function<void(int64_t, int64_t, int64_t, int64_t, int64_t)> &body) {
  if (!g.sequences) {
    for (int64_t b = 0; b < in.batch; ++b)
      body(b, 0, in.queries, 0, in.keys);
    return;
  }
  const Values &keys = g.keySequences ? in.keySequences : in.sequences;
  for (size_t i = 0; i + 1 < in.sequences.size(); ++i)
    body(0, int64_t(in.sequences[i]), int64_t(in.sequences[i + 1]), int64_t(keys[i]), int64_t(keys[i + 1]));
}

/// True if padding and masks leave key `s` of an entry that starts at `first`.
bool isKept(const Graph &g, const Inputs &in, int64_t b, int64_t first, int64_t s) {
  return (!g.lengths || s < int64_t(in.lengths[size_t(b)])) &&
         (!g.mask || in.mask[size_t(b * in.keys + first + s)] != 0);
}

Values formula(const Graph &g, const Inputs &in) {
  int64_t d = g.map.dimension, m = g.valueWidth, group = in.heads / in.keyHeads;
  double scale = std::stod(std::to_string(1 / std::sqrt(double(d)))); // as the text has it
  Values out(size_t(in.batch * in.heads * in.queries * m), 0.0);
  forEachEntry(g, in, [&](int64_t b, int64_t begin, int64_t end, int64_t firstKey, int64_t lastKey) {
    for (int64_t h = 0; h < in.heads; ++h)
      for (int64_t l = 0; l < end - begin; ++l) {
        const double *q = in.q.data() + ((b * in.heads + h) * in.queries + begin + l) * d;
        std::vector<std::pair<double, const double *>> seen;
        double most = -kInfinity;
        for (int64_t s = 0; s < lastKey - firstKey; ++s) {
          if (!isKept(g, in, b, firstKey, s) || (g.causal && s > l) || (g.anticausal && s < l))
            continue;
          int64_t row = (b * in.keyHeads + h / group) * in.keys + firstKey + s;
          double score = 0;
          for (int64_t i = 0; i < d; ++i) {
            double k = in.k[size_t(row * d + i)];
            score += g.exactKernel == "softmax" ? scale * q[i] * k : -scale / 2 * (q[i] - k) * (q[i] - k);
          }
          seen.push_back({score, in.v.data() + row * m});
          most = std::max(most, score);
        }
        double denominator = g.exactKernel == "gaussian" && g.eps > 0 && !seen.empty() ? g.eps * std::exp(-most) : 0;
        double *result = out.data() + ((b * in.heads + h) * in.queries + begin + l) * m;
        for (const auto &[score, value] : seen) {
          denominator += std::exp(score - most);
          for (int64_t i = 0; i < m; ++i)
            result[i] += std::exp(score - most) * value[i];
        }
        for (int64_t i = 0; i < m && !seen.empty(); ++i)
          result[i] /= denominator;
      }
  });
  return out;
}

/// With NaN and infinity in all that no query sees, and in queries outside sequences.
Inputs poisoned(const Graph &g, Inputs in) {
  std::vector<bool> kept(size_t(in.batch * in.keys)), asked(size_t(in.batch * in.queries));
  forEachEntry(g, in, [&](int64_t b, int64_t begin, int64_t end, int64_t firstKey, int64_t lastKey) {
    for (int64_t s = firstKey; s < lastKey; ++s)
      kept[size_t(b * in.keys + s)] = isKept(g, in, b, firstKey, s - firstKey);
    for (int64_t l = begin; l < end; ++l)
      asked[size_t(b * in.queries + l)] = true;
  });
  auto poison = [&](Values &values, const std::vector<bool> &keep, int64_t heads, int64_t rows, int64_t width) {
    for (size_t i = 0; i < values.size(); ++i) {
      int64_t row = int64_t(i) / width, b = row / (heads * rows);
      if (!keep[size_t(b * rows + row % rows)])
        values[i] = i % 3 == 0 ? kNaN : i % 3 == 1 ? kInfinity : -kInfinity;
    }
  };
  poison(in.q, asked, in.heads, in.queries, g.map.dimension);
  poison(in.k, kept, in.keyHeads, in.keys, g.map.dimension);
  poison(in.v, kept, in.keyHeads, in.keys, g.valueWidth);
  return in;
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

class ExactOptions : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    uint64_t seed = 1000 * uint64_t(GTEST_FLAG_GET(random_seed)) + uint64_t(GetParam().number() * 2 + GetParam().turn);
    RecordProperty("seed", std::to_string(seed));
    trace = std::make_unique<testing::ScopedTrace>(__FILE__, __LINE__, "seed " + std::to_string(seed));
    random = Random(seed);
  }

  Random random{0};
  std::unique_ptr<testing::ScopedTrace> trace;
};

INSTANTIATE_TEST_SUITE_P(Pairs, ExactOptions, testing::ValuesIn(cases()), [](const auto &info) {
  return std::string(kCausalities[info.param.causality]) + "_" + kKeys[info.param.keys].name + "_" +
         std::to_string(info.param.turn);
});

TEST_P(ExactOptions, bothRoutesFollowTheFormula) {
  Graph graph = GetParam().graph();
  Compiled fused(graph, "fused"), decompose(graph, "decompose", "f64");
  ASSERT_TRUE(fused) << fused.message() << "\n" << graph.text();
  ASSERT_TRUE(decompose) << decompose.message();
  const std::vector<int64_t> rows = {0, 1, 2, 5, 63, 64, 65, 128, 150, 200};
  for (int i = 0; i < 12; ++i) {
    Inputs in = makeCall(graph, random, 1 + i % 3, i ? random.pick(rows) : 150, i ? random.pick(rows) : 131,
                         i ? random.pick<int64_t>({0, 1, 2, 5, 9}) : 5);
    Values expected = formula(graph, in);
    ASSERT_LE(relativeError(decompose.call(in), expected), 1e-12) << "decompose, call " << i;
    How how;
    how.layout = random.oneIn(2) ? Layout::Compact : kLayouts[random.below(5)];
    Values got = fused.call(in, how);
    ASSERT_LE(relativeError(got, expected), limitOf(graph.type)) << "fused, call " << i;
    Inputs bad = poisoned(graph, in);
    ASSERT_TRUE(sameBits(fused.call(bad, how), got)) << "fused reads what no query sees, call " << i;
    ASSERT_LE(relativeError(decompose.call(bad), expected), 1e-12) << "decompose reads what no query sees, call " << i;
  }
}

TEST_P(ExactOptions, sameBitsForAnyNumberOfThreads) {
  Graph graph = GetParam().graph();
  Compiled fused(graph, "fused");
  Inputs in = makeCall(graph, random, 3, 300, 260, 6);
  How how;
  how.threads = 1;
  Values one = fused.call(in, how);
  for (int32_t threads : {2, 3, 4}) {
    how.threads = threads;
    EXPECT_TRUE(sameBits(fused.call(in, how), one)) << threads << " threads";
  }
}

/// Rows [first, end) of every head.
Values slice(const Values &values, int64_t heads, int64_t rows, int64_t width, int64_t first, int64_t end) {
  Values part;
  for (int64_t h = 0; h < heads; ++h)
    part.insert(part.end(), values.begin() + (h * rows + first) * width, values.begin() + (h * rows + end) * width);
  return part;
}

TEST_P(ExactOptions, sequencesAreALoopOverSequences) {
  Graph graph = GetParam().graph(), single = graph;
  if (!graph.sequences)
    return;
  single.sequences = single.keySequences = false;
  bool causal = graph.causal || graph.anticausal;
  Compiled fused(graph, "fused"), alone(single, "fused");
  Inputs in = makeCall(graph, random, 1, 400, 350, 5);
  if (causal && graph.keySequences) { // alone, causal attention has as many queries as keys
    in.keys = in.queries;
    in = makeCall(graph, random, 1, 400, 400, 5);
    in.keySequences = in.sequences;
  }
  Values out = fused.call(in);
  forEachEntry(graph, in, [&](int64_t, int64_t begin, int64_t end, int64_t firstKey, int64_t lastKey) {
    Inputs part = in;
    part.queries = end - begin;
    part.keys = lastKey - firstKey;
    part.q = slice(in.q, in.heads, in.queries, graph.map.dimension, begin, end);
    part.k = slice(in.k, in.keyHeads, in.keys, graph.map.dimension, firstKey, lastKey);
    part.v = slice(in.v, in.keyHeads, in.keys, graph.valueWidth, firstKey, lastKey);
    part.mask = slice(in.mask, 1, in.keys, 1, firstKey, lastKey);
    EXPECT_TRUE(sameBits(slice(out, in.heads, in.queries, graph.valueWidth, begin, end), alone.call(part)))
        << "sequence from " << begin << " to " << end;
  });
}

TEST_P(ExactOptions, keysPastTheQueryAreNotSeen) {
  Graph graph = GetParam().graph();
  if (!graph.causal && !graph.anticausal)
    return;
  Compiled fused(graph, "fused"), decompose(graph, "decompose");
  Inputs in = makeCall(graph, random, 3, 210, 190, 3);
  Values before = fused.call(in), other = decompose.call(in);
  for (int64_t cut : {1, 5, 64, 77}) { // of each entry; queries before it do not see keys from it on, or the reverse
    Inputs changed = in;
    std::vector<std::array<int64_t, 3>> same; // batch entry, rows of queries
    auto poison = [&](Values &values, int64_t b, int64_t s, int64_t width) {
      for (int64_t h = 0; h < in.keyHeads; ++h)
        for (int64_t i = 0; i < width; ++i)
          values[size_t(((b * in.keyHeads + h) * in.keys + s) * width + i)] = i % 2 ? kNaN : kInfinity;
    };
    forEachEntry(graph, in, [&](int64_t b, int64_t begin, int64_t end, int64_t firstKey, int64_t lastKey) {
      for (int64_t s = firstKey; s < lastKey; ++s)
        if ((s - firstKey < cut) == graph.anticausal) {
          poison(changed.k, b, s, graph.map.dimension);
          poison(changed.v, b, s, graph.valueWidth);
        }
      int64_t split = std::min(begin + cut, end);
      same.push_back({b, graph.anticausal ? split : begin, graph.anticausal ? end : split});
    });
    auto visible = [&](const Values &values) {
      Values rows;
      for (auto [b, first, end] : same)
        for (int64_t h = 0; h < in.heads; ++h) {
          auto head = values.begin() + (b * in.heads + h) * in.queries * graph.valueWidth;
          rows.insert(rows.end(), head + first * graph.valueWidth, head + end * graph.valueWidth);
        }
      return rows;
    };
    EXPECT_TRUE(sameBits(visible(fused.call(changed)), visible(before))) << "fused, from " << cut;
    EXPECT_TRUE(sameBits(visible(decompose.call(changed)), visible(other))) << "decompose, from " << cut;
  }
}

/// With scores far below those of zeros, which masked keys may be replaced by, and queries that are not finite.
TEST_P(ExactOptions, masksHideKeysOfAnySize) {
  Graph graph = GetParam().graph();
  if (!graph.mask)
    return;
  graph.eps = 0;
  Compiled fused(graph, "fused");
  Inputs in = makeCall(graph, random, 2, 150, 150, 4);
  for (double &value : in.q)
    value = 9 + random.uniform();
  for (double &value : in.k)
    value = -9 - random.uniform();
  for (size_t s = 0; s < in.mask.size(); ++s)
    in.mask[s] = random.oneIn(8);
  roundTo(graph.type, in);
  Inputs bad = poisoned(graph, in);
  Values expected = formula(graph, in);
  EXPECT_LE(relativeError(fused.call(bad), expected), graph.type == "f64" ? 1e-10 : 1e-3);
  for (double &value : bad.mask)
    value = 0;
  bad.q.assign(bad.q.size(), kNaN);
  for (double value : fused.call(bad))
    ASSERT_EQ(value, 0);
}

/// A mask drops keys as a call without them does.
TEST(ExactMasks, equalCallsWithoutTheKeys) {
  Graph masked = Case{0, 2, 0}.graph(), plain = masked;
  plain.mask = false;
  Random random(11);
  Inputs in = makeCall(masked, random, 1, 70, 333, 0), rest = in;
  for (size_t s = 0; s < in.mask.size(); ++s)
    in.mask[s] = random.oneIn(3);
  rest.k.clear();
  rest.v.clear();
  auto drop = [&](const Values &from, Values &to, int64_t width) {
    for (size_t i = 0; i < from.size(); ++i)
      if (in.mask[i / size_t(width) % size_t(in.keys)] != 0)
        to.push_back(from[i]);
  };
  drop(in.k, rest.k, masked.map.dimension);
  drop(in.v, rest.v, masked.valueWidth);
  rest.keys = std::count(in.mask.begin(), in.mask.end(), 1.0);
  EXPECT_TRUE(sameBits(Compiled(masked, "fused").call(in), Compiled(plain, "fused").call(rest)));
}

} // namespace
