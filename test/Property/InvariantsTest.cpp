//===- InvariantsTest.cpp - what holds for any numbers --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads, linearity, causality, permutations, lengths, and numbers that are not finite.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace bochner::test;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool sameBits(const Values &a, const Values &b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

/// One of the maps, bidirectional or causal; widths leave tails in every direction.
struct Case {
  std::string map, type;
  bool causal;
  std::string form = "auto";
};
void PrintTo(const Case &c, std::ostream *os) {
  *os << c.map << " " << c.type << (c.causal ? " causal " : " ") << c.form;
}

class Invariants : public testing::TestWithParam<Case> {
protected:
  Graph makeGraph(bool lengths = false) const {
    Graph graph;
    graph.map = makeMap(GetParam().map, accepts(GetParam().map, 3) ? 19 : 32, 35);
    graph.type = GetParam().type;
    graph.causal = GetParam().causal;
    graph.form = GetParam().form;
    graph.valueWidth = 21;
    graph.lengths = lengths;
    graph.eps = graph.map.trigonometric ? 1 : 1e-6;
    return graph;
  }
  static Inputs inputs(const Graph &graph, uint64_t seed, int64_t batch, int64_t heads, int64_t queries, int64_t keys) {
    Random random(seed);
    Inputs in = makeInputs(graph, random, batch, heads, queries, keys);
    roundTo(graph.type, in);
    return in;
  }
  /// Sums in another order: a few times the rounding of one.
  double rounding() const { return GetParam().type == "f64" ? 1e-12 : 2e-5; }
};

std::vector<Case> cases() {
  std::vector<Case> list;
  int number = 0;
  for (const char *map : {"trig_constant", "log_positive", "favor", "mlp", "fastfood_positive", "log_identity"})
    for (bool causal : {false, true})
      list.push_back({map, number++ % 3 == 2 ? "f64" : "f32", causal});
  for (const char *map : {"trig_constant", "log_positive", "fastfood_positive"})
    for (bool causal : {false, true})
      list.push_back({map, number++ % 3 == 2 ? "f64" : "f32", causal, "quadratic"});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Maps, Invariants, testing::ValuesIn(cases()), [](const auto &info) {
  return info.param.map + "_" + info.param.type + (info.param.causal ? "_causal" : "") +
         (info.param.form == "auto" ? "" : "_" + info.param.form);
});

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

void runBackwards(void *, bochner_task_fn task, void *taskContext, int64_t count) {
  for (int64_t i = count; i-- > 0;)
    task(taskContext, i);
}

void runShuffled(void *host, bochner_task_fn task, void *taskContext, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    order[size_t(i)] = i;
  auto &random = *static_cast<Random *>(host);
  for (int64_t i = count; i-- > 1;)
    std::swap(order[size_t(i)], order[size_t(random.below(i + 1))]);
  for (int64_t i : order)
    task(taskContext, i);
}

TEST_P(Invariants, resultsDoNotDependOnThreads) {
  Graph graph = makeGraph();
  Compiled fused(graph, "fused");
  Inputs in = inputs(graph, 1, 2, 3, graph.causal ? 130 : 1100, 4200); // keys in parts, queries in parts
  How how;
  how.threads = 1;
  Values one = fused.call(in, how);
  for (int32_t threads : {2, 3, 4}) {
    how.threads = threads;
    EXPECT_TRUE(sameBits(fused.call(in, how), one)) << threads << " threads";
  }
  how.parallelFor = {runBackwards, nullptr, 1};
  EXPECT_TRUE(sameBits(fused.call(in, how), one)) << "tasks backwards";
  Random random(5);
  how.parallelFor = {runShuffled, &random, 1};
  EXPECT_TRUE(sameBits(fused.call(in, how), one)) << "tasks in any order";
}

//===----------------------------------------------------------------------===//
// Algebra
//===----------------------------------------------------------------------===//

TEST_P(Invariants, linearInValues) {
  Graph graph = makeGraph();
  Compiled fused(graph, "fused");
  Inputs in = inputs(graph, 2, 2, 2, 70, 81), other = in, sum = in;
  Random random(3);
  for (size_t i = 0; i < in.v.size(); ++i) {
    other.v[i] = float(random.normal());
    sum.v[i] = 2 * in.v[i] - 4 * other.v[i];
  }
  Values a = fused.call(in), b = fused.call(other), got = fused.call(sum);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = 2 * a[i] - 4 * b[i];
  Values weights;
  if (graph.map.trigonometric)
    weights = denominatorWeights(Compiled(graph, "decompose", "f64"), graph, in);
  EXPECT_LE(relativeError(got, a, weights, graph.valueWidth), rounding());
}

TEST_P(Invariants, orderOfKeysDoesNotMatter) {
  Graph graph = makeGraph();
  if (graph.causal)
    return;
  Compiled fused(graph, "fused");
  Inputs in = inputs(graph, 4, 1, 2, 9, 150), reversed = in;
  auto reverse = [&](Values &values, int64_t width) {
    for (int64_t h = 0; h < in.heads; ++h)
      for (int64_t s = 0; s < in.keys / 2; ++s)
        for (int64_t d = 0; d < width; ++d)
          std::swap(values[size_t((h * in.keys + s) * width + d)],
                    values[size_t((h * in.keys + in.keys - 1 - s) * width + d)]);
  };
  reverse(reversed.k, graph.map.dimension);
  reverse(reversed.v, graph.valueWidth);
  Values weights, expected = fused.call(in);
  if (graph.map.trigonometric)
    weights = denominatorWeights(Compiled(graph, "decompose", "f64"), graph, in);
  EXPECT_LE(relativeError(fused.call(reversed), expected, weights, graph.valueWidth), rounding());
}

//===----------------------------------------------------------------------===//
// What must not be seen
//===----------------------------------------------------------------------===//

/// Rows [0, row) of every head.
Values firstRows(const Values &values, int64_t heads, int64_t rows, int64_t row, int64_t width) {
  Values first;
  for (int64_t h = 0; h < heads; ++h)
    first.insert(first.end(), values.begin() + h * rows * width, values.begin() + (h * rows + row) * width);
  return first;
}

TEST_P(Invariants, futureIsNotSeen) {
  Graph graph = makeGraph();
  if (!graph.causal)
    return;
  Compiled fused(graph, "fused");
  const int64_t rows = 150, d = graph.map.dimension, m = graph.valueWidth;
  Inputs in = inputs(graph, 6, 1, 2, rows, rows);
  Values before = fused.call(in);
  for (int64_t row : {1, 5, 63, 64, 65, 127, 149})
    for (double value : {3.0, kNaN, kInfinity, -kInfinity}) {
      Inputs changed = in;
      for (int64_t h = 0; h < in.heads; ++h)
        for (int64_t n = row; n < rows; ++n) {
          for (int64_t i = 0; i < d; ++i)
            changed.q[size_t((h * rows + n) * d + i)] = changed.k[size_t((h * rows + n) * d + i)] = value;
          for (int64_t i = 0; i < m; ++i)
            changed.v[size_t((h * rows + n) * m + i)] = value;
        }
      Values got = firstRows(fused.call(changed), in.heads, rows, row, m),
             expected = firstRows(before, in.heads, rows, row, m);
      // In the log domain keys of a chunk share a scale, so that the rounding of a row depends on its chunk.
      if (graph.map.log)
        EXPECT_LE(relativeError(got, expected), rounding()) << value << " from row " << row;
      else
        EXPECT_TRUE(sameBits(got, expected)) << value << " from row " << row;
    }
}

TEST_P(Invariants, numbersThatAreNotFiniteStayInTheirRowAndHead) {
  Graph graph = makeGraph();
  Compiled fused(graph, "fused");
  const int64_t rows = 70, d = graph.map.dimension, m = graph.valueWidth;
  Inputs in = inputs(graph, 7, 2, 2, rows, rows);
  Values before = fused.call(in);
  for (double value : {kNaN, kInfinity, -kInfinity}) {
    Inputs changed = in; // batch entry 1, head 0, row 33
    changed.q[size_t((2 * rows + 33) * d + 2)] = value;
    Values got = fused.call(changed), expected = before;
    for (int64_t i = 0; i < m; ++i) {
      size_t at = size_t((2 * rows + 33) * m + i);
      got[at] = expected[at] = 0;
    }
    EXPECT_TRUE(sameBits(got, expected)) << value << " in q";

    changed = in;
    changed.k[size_t((2 * rows + 33) * d + 2)] = value;
    got = fused.call(changed);
    expected = before;
    auto head = [&](Values &values) { return values.begin() + 2 * rows * m; };
    std::copy(head(expected), head(expected) + rows * m, head(got));
    EXPECT_TRUE(sameBits(got, expected)) << value << " in k";
  }
}

TEST_P(Invariants, paddingIsNotRead) {
  Graph graph = makeGraph(/*lengths=*/true);
  Compiled fused(graph, "fused");
  const int64_t rows = 140, d = graph.map.dimension, m = graph.valueWidth;
  Inputs in = inputs(graph, 8, 5, 2, rows, rows);
  in.lengths = {0, 1, 64, 77, double(rows)};
  Inputs changed = in;
  for (int64_t b = 0; b < in.batch; ++b)
    for (int64_t h = 0; h < in.heads; ++h)
      for (int64_t n = int64_t(in.lengths[size_t(b)]); n < rows; ++n) {
        for (int64_t i = 0; i < d; ++i)
          changed.k[size_t(((b * in.heads + h) * rows + n) * d + i)] = i % 2 ? kNaN : kInfinity;
        for (int64_t i = 0; i < m; ++i)
          changed.v[size_t(((b * in.heads + h) * rows + n) * m + i)] = kNaN;
      }
  EXPECT_TRUE(sameBits(fused.call(changed), fused.call(in)));
}

TEST_P(Invariants, noKeysGiveZero) {
  Graph graph = makeGraph(/*lengths=*/true);
  graph.eps = 0;
  Compiled fused(graph, "fused");
  Inputs in = inputs(graph, 9, 2, 2, 67, 67);
  in.lengths = {0, 67};
  for (size_t i = 0; i < in.q.size() / 2; ++i)
    in.q[i] = kNaN; // even then
  Values out = fused.call(in);
  for (size_t i = 0; i < out.size() / 2; ++i)
    ASSERT_EQ(out[i], 0) << i;
  if (!graph.causal) {
    Inputs none = inputs(graph, 9, 2, 2, 67, 0);
    none.lengths = {0, 0};
    for (double value : fused.call(none))
      ASSERT_EQ(value, 0);
  }
}

} // namespace
