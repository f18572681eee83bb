//===- Harness.cpp - compile and call attention in tests ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include <algorithm>
#include <cmath>

using namespace bochner::test;

double Random::normal() {
  double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(6.283185307179586 * uniform());
}

std::string bochner::test::take(bochner_status_t *status) {
  if (!status)
    return "";
  std::string text = std::to_string(int(bochnerGetStatusCode(status))) + ": " + bochnerGetStatusMessage(status);
  bochnerDestroyStatus(status);
  return text;
}

bochner_context_t *bochner::test::context() {
  static bochner_context_t *shared = [] {
    bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
    options.cache_dir = "";
    options.threads = 4;
    options.verbosity = -1;
    bochner_context_t *created = nullptr;
    std::string error = take(bochnerCreateContext(&options, &created));
    if (!error.empty())
      abort();
    return created;
  }();
  return shared;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

static Values normals(Random &random, int64_t count, double scale) {
  Values values(static_cast<size_t>(count));
  for (double &value : values)
    value = scale * random.normal();
  return values;
}

Inputs bochner::test::makeInputs(const Graph &graph, Random &random, int64_t batch, int64_t heads, int64_t queries,
                                 int64_t keys, double scale) {
  Inputs in;
  in.batch = batch;
  in.heads = heads;
  in.queries = queries;
  in.keys = graph.causal ? queries : keys;
  double rowScale = scale / std::sqrt(double(graph.map.dimension));
  in.q = normals(random, batch * heads * in.queries * graph.map.dimension, rowScale);
  in.k = normals(random, batch * heads * in.keys * graph.map.dimension, rowScale);
  in.v = normals(random, batch * heads * in.keys * graph.valueWidth, 1);
  for (int64_t b = 0; b < batch; ++b) { // some, none, one, all
    int64_t choices[] = {random.below(in.keys + 1), 0, std::min<int64_t>(1, in.keys), in.keys};
    in.lengths.push_back(double(choices[b % 4]));
  }
  for (const Parameter &p : graph.map.parameters) {
    int64_t slice = elements(p.shape), count = graph.sharedParameters ? 1 : heads;
    Values values = normals(random, slice * count, p.scale);
    for (int64_t h = 0; h < count; ++h) {
      double *of = values.data() + h * slice;
      if (p.fill == Fill::Permutation) {
        for (int64_t i = 0; i < slice; ++i) {
          int64_t j = random.below(i + 1);
          of[i] = of[j];
          of[j] = double(i);
        }
        continue;
      }
      for (int64_t i = 0; i < slice; ++i)
        of[i] = p.fill == Fill::Positive ? 0.5 + random.uniform()
                : p.fill == Fill::Signs  ? (of[i] < 0 ? -1 : 1)
                                         : of[i];
    }
    in.parameters.push_back(std::move(values));
  }
  return in;
}

void bochner::test::roundTo(const std::string &type, Inputs &inputs) {
  if (type != "f32")
    return;
  auto round = [](Values &values) {
    for (double &value : values)
      value = float(value);
  };
  round(inputs.q);
  round(inputs.k);
  round(inputs.v);
  for (Values &values : inputs.parameters)
    round(values);
}

bool bochner::test::canRun(const std::string &cpu) {
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (cpu == "x86-64-v2")
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  if (cpu == "x86-64-v3")
    return avx2;
  if (cpu == "skylake-avx512")
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
  return true;
#else
  return cpu == "host";
#endif
}

//===----------------------------------------------------------------------===//
// Compiling and calling
//===----------------------------------------------------------------------===//

Compiled::Compiled(const Graph &graph, const std::string &route, const std::string &elementType, const std::string &cpu)
    : graph(graph), type(elementType.empty() ? graph.type : elementType) {
  std::string text = graph.text();
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.route = route.c_str();
  options.element_type = elementType.empty() ? nullptr : elementType.c_str();
  options.cpu = cpu.empty() ? nullptr : cpu.c_str();
  options.no_cache = 1;
  bochner_module_t *created = nullptr;
  error = take(bochnerCompile(context(), text.data(), text.size(), &options, &created));
  if (!error.empty())
    return;
  module.reset(created, bochnerDestroyModule);
  error = take(bochnerLookupFunction(created, "f", &function));
}

struct Compiled::Arguments {
  std::vector<std::unique_ptr<GuardedArray>> arrays;
  std::vector<const DLTensor *> tensors;
};

std::vector<Compiled::Argument> Compiled::list(const Inputs &in) const {
  int64_t d = graph.map.dimension;
  std::vector<Argument> arguments{{type, {in.batch, in.heads, in.queries, d}, &in.q, true}};
  if (!graph.featuresOnly) {
    int64_t keyHeads = in.keyHeads ? in.keyHeads : in.heads;
    arguments.push_back({type, {in.batch, keyHeads, in.keys, d}, &in.k, true});
    arguments.push_back({type, {in.batch, keyHeads, in.keys, graph.valueWidth}, &in.v, true});
    if (graph.lengths)
      arguments.push_back({"i64", {in.batch}, &in.lengths, false});
    if (graph.mask)
      arguments.push_back({"i1", {in.batch, in.keys}, &in.mask, true});
    if (graph.sequences)
      arguments.push_back({"i64", {int64_t(in.sequences.size())}, &in.sequences, false});
    if (graph.keySequences)
      arguments.push_back({"i64", {int64_t(in.keySequences.size())}, &in.keySequences, false});
  }
  for (size_t i = 0; i < graph.map.parameters.size(); ++i) {
    const Parameter &p = graph.map.parameters[i];
    Shape shape{graph.sharedParameters ? 1 : in.heads};
    shape.insert(shape.end(), p.shape.begin(), p.shape.end());
    const Values *values = i < in.parameters.size() ? &in.parameters[i] : nullptr;
    arguments.push_back({p.fill == Fill::Permutation ? "i64" : type, shape, values, true});
  }
  if (graph.gradients) // of sizes only: there is no cotangent
    arguments.push_back({type, {in.batch, in.heads, in.queries, graph.valueWidth}, nullptr, true});
  return arguments;
}

Compiled::Arguments Compiled::bind(const Inputs &in, Layout layout) const {
  Arguments arguments;
  for (const Argument &a : list(in)) {
    arguments.arrays.push_back(std::make_unique<GuardedArray>(a.type, a.shape, a.isRows ? layout : Layout::Compact));
    arguments.arrays.back()->write(*a.values);
    arguments.arrays.back()->protect();
    arguments.tensors.push_back(arguments.arrays.back()->tensor());
  }
  return arguments;
}

Values Compiled::call(const Inputs &in, const How &how) const {
  if (!function) {
    ADD_FAILURE() << graph.describe() << ": " << error << "\n" << graph.text();
    return {};
  }
  Arguments arguments = bind(in, how.layout);
  int64_t width = graph.featuresOnly ? graph.map.features : graph.valueWidth;
  GuardedArray out(type, {in.batch, in.heads, in.queries, width}, how.resultLayout);
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = how.threads;
  options.parallel_for = how.parallelFor;
  DLTensor *results[] = {out.tensor()};
  std::string failure =
      take(bochnerInvoke(function, arguments.tensors.data(), arguments.tensors.size(), results, 1, &options));
  EXPECT_EQ(failure, "") << graph.describe();
  EXPECT_EQ(out.damage(), 0u) << graph.describe() << ": bytes around the result were written";
  return out.read();
}

bochner_cost_t Compiled::cost(int64_t batch, int64_t heads, int64_t queries, int64_t keys) const {
  bochner_cost_t cost = BOCHNER_COST_INIT;
  if (!function) {
    ADD_FAILURE() << graph.describe() << ": " << error;
    return cost;
  }
  Inputs sizes;
  sizes.batch = batch;
  sizes.heads = heads;
  sizes.queries = queries;
  sizes.keys = keys;
  std::vector<Argument> arguments = list(sizes);
  std::vector<DLTensor> tensors;
  std::vector<const DLTensor *> pointers;
  tensors.reserve(arguments.size());
  for (Argument &a : arguments) {
    DLDataType dtype{uint8_t(a.type[0] == 'f' ? kDLFloat : kDLInt), uint8_t(a.type == "f32" ? 32 : 64), 1};
    tensors.push_back({nullptr, {kDLCPU, 0}, int32_t(a.shape.size()), dtype, a.shape.data(), nullptr, 0});
    pointers.push_back(&tensors.back());
  }
  EXPECT_EQ(take(bochnerEstimateCost(function, pointers.data(), pointers.size(), &cost)), "");
  return cost;
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

double bochner::test::limitOf(const std::string &type) { return type == "f64" ? 1e-10 : 2e-5; }

double bochner::test::relativeError(const Values &got, const Values &expected, const Values &weights,
                                    int64_t rowWidth) {
  if (got.size() != expected.size())
    return INFINITY;
  double largest = 0, worst = 0;
  for (double value : expected)
    if (std::isfinite(value))
      largest = std::max(largest, std::fabs(value));
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i])))
      continue;
    double difference = std::fabs(got[i] - expected[i]);
    if (!std::isfinite(difference))
      return INFINITY;
    worst = std::max(worst, difference * (weights.empty() ? 1 : weights[i / size_t(rowWidth)]));
  }
  return worst == 0 ? 0 : worst / largest;
}

Values bochner::test::denominatorWeights(const Compiled &oracle, const Graph &graph, Inputs in) {
  // With v = 1 the output is den / (den + eps).
  in.v.assign(in.v.size(), 1);
  Values share = oracle.call(in), weights;
  double largest = 0;
  for (size_t i = 0; i < share.size(); i += size_t(graph.valueWidth)) {
    weights.push_back(std::fabs(graph.eps / (1 - share[i])));
    largest = std::max(largest, weights.back());
  }
  for (double &weight : weights)
    weight = largest > 0 ? weight / largest : 1;
  return weights;
}

::testing::AssertionResult bochner::test::agrees(const Graph &graph, const Values &got, const Compiled &oracle,
                                                 const Inputs &in, double limit) {
  Values expected = oracle.call(in), weights;
  if (graph.map.trigonometric && !graph.featuresOnly)
    weights = denominatorWeights(oracle, graph, in);
  double error = relativeError(got, expected, weights, graph.valueWidth);
  if (error <= limit)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << graph.describe() << " " << graph.type << " B=" << in.batch
                                       << " H=" << in.heads << " L=" << in.queries << " S=" << in.keys << ": error "
                                       << error << " over the limit " << limit;
}
