//===- RangeTest.cpp - large norms and features ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In the log domain features of any size neither overflow nor underflow. The route decompose in f64 has the range of
// f64 only; beyond it, softmax weights written out here are the reference.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

using namespace bochner::test;

namespace {

/// out_l = sum_s w_ls v_s / sum_s w_ls with log w_ls = log sum_f exp(a_lf + b_sf), for the map log_identity and eps 0.
Values referenceOfIdentity(const Graph &graph, const Inputs &in) {
  const int64_t f = graph.map.features, m = graph.valueWidth;
  Values out;
  for (int64_t g = 0; g < in.batch * in.heads; ++g)
    for (int64_t l = 0; l < in.queries; ++l) {
      int64_t visible = graph.causal ? l + 1 : in.keys;
      std::vector<long double> logs;
      for (int64_t s = 0; s < visible; ++s)
        for (int64_t i = 0; i < f; ++i)
          logs.push_back((long double)in.q[size_t((g * in.queries + l) * f + i)] +
                         in.k[size_t((g * in.keys + s) * f + i)]);
      long double most = *std::max_element(logs.begin(), logs.end()), denominator = 0;
      std::vector<long double> sums(size_t(m), 0);
      for (int64_t s = 0; s < visible; ++s)
        for (int64_t i = 0; i < f; ++i) {
          long double weight = std::exp(logs[size_t(s * f + i)] - most);
          denominator += weight;
          for (int64_t j = 0; j < m; ++j)
            sums[size_t(j)] += weight * in.v[size_t((g * in.keys + s) * m + j)];
        }
      for (long double sum : sums)
        out.push_back(double(sum / denominator));
    }
  return out;
}

struct Case {
  std::string type;
  bool causal;
  std::string form = "auto";
};
void PrintTo(const Case &c, std::ostream *os) { *os << c.type << (c.causal ? " causal " : " ") << c.form; }

class LogRange : public testing::TestWithParam<Case> {
protected:
  /// Log features are the rows themselves: key(head, row, feature) and query(...) in natural logarithms.
  void check(const std::string &what, int64_t rows, const std::function<double(int64_t, int64_t)> &query,
             const std::function<double(int64_t, int64_t)> &key, int64_t features = 5) {
    Graph graph;
    graph.map = makeMap("log_identity", features, 0);
    graph.type = GetParam().type;
    graph.causal = GetParam().causal;
    graph.form = GetParam().form;
    graph.valueWidth = 6;
    graph.eps = 0;
    static std::map<std::string, Compiled> compiled;
    std::string name = graph.type + graph.describe();
    if (!compiled.count(name))
      compiled[name] = Compiled(graph, "fused");
    Random random(1);
    Inputs in = makeInputs(graph, random, 1, 1, rows, rows);
    double largest = 1;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t f = 0; f < features; ++f) {
        in.q[size_t(n * features + f)] = query(n, f);
        in.k[size_t(n * features + f)] = key(n, f);
        largest = std::max({largest, std::fabs(query(n, f)), std::fabs(key(n, f))});
      }
    roundTo(graph.type, in);
    // A logarithm of size x is only known to x times the rounding of the type.
    double limit = graph.type == "f64" ? std::max(1e-12, 4e-15 * largest) : std::max(2e-6, 1e-6 * largest);
    EXPECT_LE(relativeError(compiled[name].call(in), referenceOfIdentity(graph, in)), limit) << what;
  }
};

double wave(int64_t n, int64_t f) { return std::sin(double(7 * n + 3 * f + 1)); }

TEST_P(LogRange, featuresOfAnySize) {
  for (double size : {1.0, 50.0, 300.0, 3000.0, 10000.0})
    check(
        "size " + std::to_string(size), 200, [&](int64_t n, int64_t f) { return size * wave(n, f); },
        [&](int64_t n, int64_t f) { return size * wave(n + 5, f + 1); });
}

TEST_P(LogRange, offsetsOfAnySize) {
  for (double offset : {-10000.0, -1000.0, -90.0, 90.0, 1000.0, 10000.0}) {
    check("keys at " + std::to_string(offset), 130, wave,
          [&](int64_t n, int64_t f) { return offset + wave(n + 5, f); });
    check(
        "queries at " + std::to_string(offset), 130, [&](int64_t n, int64_t f) { return offset + wave(n + 5, f); },
        wave);
  }
}

// A later chunk exceeds the maximum of what came before: the maximum of a feature has to move.
TEST_P(LogRange, keysGrow) {
  for (double step : {0.5, 3.0, 40.0, 500.0})
    check("step " + std::to_string(step), 200, wave,
          [&](int64_t n, int64_t f) { return step * double(n) + wave(n, f); });
}

// The first rows see only keys that are far below the maximum of their chunk: denominators come out small.
TEST_P(LogRange, keysGrowInsideTheFirstChunk) {
  for (double jump : {20.0, 60.0, 100.0, 400.0, 2000.0})
    for (int64_t at : {1, 30, 63, 64, 100})
      check("jump of " + std::to_string(jump) + " at " + std::to_string(at), 130, wave,
            [&](int64_t n, int64_t f) { return (n >= at ? jump : 0) + wave(n, f); });
}

TEST_P(LogRange, keysShrink) {
  for (double step : {0.5, 3.0, 40.0, 500.0})
    check("step " + std::to_string(step), 200, wave,
          [&](int64_t n, int64_t f) { return -step * double(n) + wave(n, f); });
}

TEST_P(LogRange, oneKeyStandsOut) {
  for (double size : {-5000.0, -100.0, 100.0, 5000.0})
    for (int64_t at : {0, 1, 31, 63, 64, 65, 127, 199})
      check(std::to_string(size) + " at " + std::to_string(at), 200, wave,
            [&](int64_t n, int64_t f) { return (n == at ? size : 0) + wave(n, f); });
}

// Each feature has a scale of its own, and queries undo it.
TEST_P(LogRange, featuresLieFarApart) {
  for (double size : {100.0, 1000.0, 10000.0})
    check(
        "size " + std::to_string(size), 150, [&](int64_t n, int64_t f) { return -size * double(f - 2) + wave(n, f); },
        [&](int64_t n, int64_t f) { return size * double(f - 2) + wave(n, f); });
}

// Blocks of features after the first one move the maximum of a query, which then rescales what it has summed.
TEST_P(LogRange, laterFeaturesAreLarger) {
  for (double step : {0.1, 1.0, 30.0})
    check(
        "step " + std::to_string(step), 100, [&](int64_t n, int64_t f) { return step * double(f) + wave(n, f); }, wave,
        /*features=*/150);
}

//===----------------------------------------------------------------------===//
// Rows of large norms
//===----------------------------------------------------------------------===//

/// u - |x|^2 / 2 - log(F) / 2 for every row, with more digits than any type has.
Values logFeatures(const Values &rows, const Values &weights, int64_t d, int64_t features) {
  Values logs;
  for (size_t n = 0; n < rows.size() / size_t(d); ++n) {
    long double norm = 0;
    const double *x = rows.data() + n * size_t(d);
    for (int64_t i = 0; i < d; ++i)
      norm += (long double)x[i] * x[i];
    for (int64_t f = 0; f < features; ++f) {
      long double u = 0;
      for (int64_t i = 0; i < d; ++i)
        u += (long double)x[i] * weights[size_t(i * features + f)];
      logs.push_back(double(u - norm / 2 - std::log((long double)features) / 2));
    }
  }
  return logs;
}

TEST_P(LogRange, rowsOfAnyNorm) {
  Graph graph;
  graph.map = makeMap("log_positive", 16, 24);
  graph.type = GetParam().type;
  graph.causal = GetParam().causal;
  graph.form = GetParam().form;
  graph.valueWidth = 6;
  graph.eps = 0;
  Compiled fused(graph, "fused");
  for (double norm : {1.0, 8.0, 100.0, 1000.0}) {
    Random random(3);
    Inputs in = makeInputs(graph, random, 1, 1, 150, 150, norm), features = in;
    roundTo(graph.type, in);
    Graph identity = graph;
    identity.map = makeMap("log_identity", 24, 0);
    features.q = logFeatures(in.q, in.parameters[0], 16, 24);
    features.k = logFeatures(in.k, in.parameters[0], 16, 24);
    features.v = in.v;
    // A logarithm of the size of norm^2 is only known to norm^2 times the rounding of the type.
    double limit = graph.type == "f64" ? std::max(1e-10, 4e-15 * norm * norm) : std::max(2e-5, 1e-6 * norm * norm);
    EXPECT_LE(relativeError(fused.call(in), referenceOfIdentity(identity, features)), limit) << "norm " << norm;
  }
}

// What eps hides has no digits of its own: outputs are compared with the largest value that they could have.
TEST_P(LogRange, epsAgainstSmallDenominators) {
  Graph graph;
  graph.map = makeMap("favor", 16, 12);
  graph.type = GetParam().type;
  graph.causal = GetParam().causal;
  graph.form = GetParam().form;
  graph.valueWidth = 6;
  Compiled fused(graph, "fused"), oracle(graph, "decompose", "f64");
  for (double norm : {1.0, 4.0, 8.0, 100.0}) {
    Random random(4);
    Inputs in = makeInputs(graph, random, 1, 2, 70, 70, norm);
    roundTo(graph.type, in);
    Values got = fused.call(in), expected = oracle.call(in);
    double limit = graph.type == "f64" ? std::max(1e-10, 4e-15 * norm * norm) : std::max(2e-5, 1e-6 * norm * norm);
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], limit) << "norm " << norm << " at " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LogRange,
                         testing::Values(Case{"f32", false}, Case{"f32", true}, Case{"f64", false}, Case{"f64", true},
                                         Case{"f32", false, "quadratic"}, Case{"f32", true, "quadratic"},
                                         Case{"f64", true, "quadratic"}),
                         [](const auto &info) {
                           return info.param.type + (info.param.causal ? "_causal" : "") +
                                  (info.param.form == "auto" ? "" : "_" + info.param.form);
                         });

} // namespace
