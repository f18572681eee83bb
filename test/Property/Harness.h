//===- Harness.h - compile and call attention in tests ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A graph is compiled once for each route and called many times. Every call has its arrays between forbidden pages.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_HARNESS_H
#define BOCHNER_TEST_PROPERTY_HARNESS_H

#include "Graphs.h"
#include "GuardedArray.h"
#include "gtest/gtest.h"
#include <memory>
#include <random>

namespace bochner::test {

/// The same numbers on every machine and in every run; the distributions of the standard library are not.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  uint64_t bits() { return engine(); }
  int64_t below(int64_t bound) { return int64_t(engine() % uint64_t(bound)); }
  double uniform() { return double(engine() >> 11) * 0x1p-53; }
  double normal();
  template <typename T> const T &pick(const std::vector<T> &list) { return list[size_t(below(int64_t(list.size())))]; }
  bool oneIn(int64_t n) { return below(n) == 0; }

private:
  std::mt19937_64 engine;
};

/// Threads that call: of the context, or a host's parallel_for.
struct How {
  int32_t threads = 0;
  bochner_parallel_for_t parallelFor{};
  Layout layout = Layout::Compact, resultLayout = Layout::Compact;
};

/// What a graph is called with. Shapes are [B, H, N, D].
struct Inputs {
  int64_t batch = 1, heads = 1, queries = 1, keys = 1;
  Values q, k, v;
  Values lengths;
  int64_t keyHeads = 0;                 ///< of grouped heads; 0: as many as of queries
  Values mask, sequences, keySequences; ///< of exact attention
  std::vector<Values> parameters;
};
/// Normal values: rows times `scale`, projections of them of unit size.
Inputs makeInputs(const Graph &graph, Random &random, int64_t batch, int64_t heads, int64_t queries, int64_t keys,
                  double scale = 1);
/// Rounds every value to the element type, so that both routes see the same numbers.
void roundTo(const std::string &type, Inputs &inputs);

class Compiled {
public:
  Compiled() = default;
  Compiled(const Graph &graph, const std::string &route, const std::string &elementType = "",
           const std::string &cpu = "");
  explicit operator bool() const { return function != nullptr; }

  /// [B, H, L, M], row by row; empty after a failure, which is then reported.
  Values call(const Inputs &inputs, const How &how = {}) const;
  /// Of a call with these sizes; there are no arrays.
  bochner_cost_t cost(int64_t batch, int64_t heads, int64_t queries, int64_t keys) const;
  const std::string &message() const { return error; }
  const bochner_function_t *get() const { return function; }

private:
  struct Arguments;
  struct Argument {
    std::string type;
    Shape shape;
    const Values *values;
    bool isRows; ///< takes any layout
  };
  std::vector<Argument> list(const Inputs &inputs) const;
  Arguments bind(const Inputs &inputs, Layout layout) const;

  Graph graph;
  std::string type, error;
  std::shared_ptr<bochner_module_t> module;
  const bochner_function_t *function = nullptr;
};

/// Whether this machine runs code for a CPU of that name.
bool canRun(const std::string &cpu);
/// The context of all tests: four threads, no cache.
bochner_context_t *context();
/// Code and message of a status, which is destroyed; "" for success.
std::string take(bochner_status_t *status);

/// Largest error relative to the largest value of `expected`, with a weight for each row.
double relativeError(const Values &got, const Values &expected, const Values &weights = {}, int64_t rowWidth = 1);
/// |den + eps| / max |den + eps| of each row, from the route decompose: what a row of a trigonometric map divides by
/// may be near zero, and amplifies rounding then.
Values denominatorWeights(const Compiled &oracle, const Graph &graph, Inputs inputs);
double limitOf(const std::string &type);
/// Compares with the route decompose in f64.
::testing::AssertionResult agrees(const Graph &graph, const Values &got, const Compiled &oracle, const Inputs &inputs,
                                  double limit);

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_HARNESS_H
