//===- FuzzTest.cpp - regions and texts that nobody wrote -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random regions agree with the route decompose. Texts and bytecode with random damage end in a status. Everything is
// seeded; --gtest_random_seed=N takes other samples.
//
//===----------------------------------------------------------------------===//
#include "Harness.h"
#include "RegionBody.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

using namespace bochner::test;
using std::string;

namespace {

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// A region of a dozen operations in a random order. Functions are smooth and bounded enough that rounding does not
/// grow along a chain.
class RandomRegion {
public:
  RandomRegion(Random &random, int64_t dimension) : random(random) {
    map.name = "random";
    map.dimension = dimension;
    tiles.push_back({"%x", dimension});
  }

  Map build() {
    for (int64_t i = 0, e = 4 + random.below(8); i < e; ++i)
      step();
    Tile last = tiles.back();
    map.log = random.oneIn(2);
    // Logarithms in [-3, 3], or features above 0.
    string phi = body.elementwise({{last.value}}, last.width,
                                  map.log ? "%c = arith.constant 3.0 : T\n%t = math.tanh %a0 : T\n"
                                            "%y = arith.mulf %c, %t : T\n"
                                          : "%c = arith.constant 1.25 : T\n%t = math.sin %a0 : T\n"
                                            "%y = arith.addf %c, %t : T\n");
    map.features = last.width;
    map.body = body.text;
    map.yielded = phi;
    return map;
  }

private:
  struct Tile {
    string value;
    int64_t width;
  };

  string parameter(std::vector<int64_t> shape, Fill fill, double scale = 1) {
    map.parameters.push_back({"%p" + std::to_string(map.parameters.size()), std::move(shape), fill, scale});
    return map.parameters.back().name;
  }
  void add(string value, int64_t width) { tiles.push_back({std::move(value), width}); }
  /// One of the latest values more often than the others.
  Tile any() { return tiles[tiles.size() - 1 - size_t(random.below(std::min<int64_t>(3, int64_t(tiles.size()))))]; }

  void step() {
    static const std::vector<string> functions = {
        "%y = math.tanh %a0 : T\n",
        "%y = math.cos %a0 : T\n",
        "%t = math.sin %a0 : T\n%y = arith.mulf %t, %t : T\n",
        "%y = math.absf %a0 : T\n",
        "%c = arith.constant 0.5 : T\n%m = math.absf %a0 : T\n%s = arith.addf %m, %c : T\n%y = math.log %s : T\n",
        "%c = arith.constant 0.5 : T\n%m = math.absf %a0 : T\n%s = arith.addf %m, %c : T\n%y = math.sqrt %s : T\n",
        "%c = arith.constant 1.0 : T\n%m = arith.mulf %a0, %a0 : T\n%s = arith.addf %m, %c : T\n"
        "%y = arith.divf %a0, %s : T\n",
        "%c = arith.constant 1.0 : T\n%m = arith.minimumf %a0, %c : T\n%y = math.exp %m : T\n",
        "%c = arith.constant 0.25 : T\n%d = arith.constant -0.75 : T\n%m = arith.mulf %a0, %c : T\n"
        "%s = arith.subf %d, %m : T\n%y = arith.negf %s : T\n",
        "%c = arith.constant 0.0 : T\n%l = arith.cmpf olt, %a0, %c : T\n%e = arith.negf %a0 : T\n"
        "%y = arith.select %l, %e, %c : T\n",
        "%m = math.absf %a0 : T\n%y = math.log1p %m : T\n",
    };
    Tile t = any();
    switch (random.below(11)) {
    case 0:
    case 1: {
      int64_t width = random.pick<int64_t>({1, 3, 8, 16, 17, 33, 64});
      double scale = 1 / std::sqrt(double(t.width));
      return random.oneIn(2)
                 ? add(body.matmul(t.value, parameter({t.width, width}, Fill::Normal, scale), t.width, width), width)
                 : add(body.matmulTransposed(t.value, parameter({width, t.width}, Fill::Normal, scale), t.width, width),
                       width);
    }
    case 2:
    case 3:
      return add(body.elementwise({{t.value}}, t.width, random.pick(functions)), t.width);
    case 4: { // with a column vector
      string gain = parameter({t.width}, Fill::Positive);
      return add(
          body.elementwise({{t.value}, {gain, 'c'}}, t.width,
                           random.oneIn(2) ? "%y = arith.mulf %a0, %a1 : T\n" : "%y = arith.subf %a0, %a1 : T\n"),
          t.width);
    }
    case 5: { // with a row scalar
      bool sum = random.oneIn(2);
      string row = sum ? body.reduce(t.value, t.width, "addf", "%t = arith.mulf %a, %a : T\n")
                       : body.reduce(t.value, t.width, "maximumf");
      string normalize = "%c = arith.constant 1.0 : T\n%s = arith.addf %a1, %c : T\n%i = math.rsqrt %s : T\n"
                         "%y = arith.mulf %a0, %i : T\n";
      return add(body.elementwise({{t.value}, {row, 'r'}}, t.width, sum ? normalize : "%y = arith.subf %a0, %a1 : T\n"),
                 t.width);
    }
    case 6: { // of two tiles
      for (const Tile &other : tiles)
        if (other.width == t.width && other.value != t.value)
          return add(body.elementwise({{t.value}, {other.value}}, t.width,
                                      "%m = math.tanh %a0 : T\n%n = arith.mulf %m, %a1 : T\n"
                                      "%y = arith.maximumf %n, %m : T\n"),
                     t.width);
      return;
    }
    case 7: {
      Tile other = any();
      int64_t width = t.width + other.width;
      if (width > 130)
        return;
      return add(body.op("tensor.concat dim(1) " + t.value + ", " + other.value,
                         "(" + Body::tile(t.width) + ", " + Body::tile(other.width) + ") -> " + Body::tile(width)),
                 width);
    }
    case 8: {
      int64_t width = 1 + random.below(t.width), offset = random.below(t.width - width + 1);
      return add(body.op("tensor.extract_slice " + t.value + "[0, " + std::to_string(offset) + "] [%rows, " +
                             std::to_string(width) + "] [1, 1]",
                         Body::tile(t.width) + " to " + Body::tile(width)),
                 width);
    }
    case 9:
      if (t.width > 64)
        return;
      return add(body.op("spectral.trig " + t.value + " {amplitude = 0.5 : f64}",
                         Body::tile(t.width) + " -> " + Body::tile(2 * t.width)),
                 2 * t.width);
    default: {
      if (t.width & (t.width - 1))
        return;
      string rows = body.op("spectral.hadamard " + t.value, Body::tile(t.width) + " -> " + Body::tile(t.width));
      string scale = "%c = arith.constant " + std::to_string(1 / std::sqrt(double(t.width))) +
                     " : T\n%y = arith.mulf %a0, %c : T\n";
      return add(body.elementwise({{rows}}, t.width, scale), t.width);
    }
    }
  }

  Random &random;
  Map map;
  Body body;
  std::vector<Tile> tiles;
};

class RandomRegions : public testing::TestWithParam<int> {};

TEST_P(RandomRegions, agreeWithDecompose) {
  for (int i = 0; i < 3; ++i) {
    uint64_t seed = 1000 * uint64_t(GTEST_FLAG_GET(random_seed)) + 3 * uint64_t(GetParam()) + uint64_t(i);
    Random random(seed * 7919);
    Graph graph;
    graph.map = RandomRegion(random, random.pick<int64_t>({1, 4, 7, 16, 32, 33})).build();
    graph.type = random.oneIn(3) ? "f64" : "f32";
    graph.valueWidth = random.pick<int64_t>({1, 5, 16, 33});
    graph.causal = random.oneIn(2);
    graph.form = random.oneIn(3) ? "quadratic" : "auto";
    Compiled fused(graph, "fused"), oracle(graph, "decompose", "f64");
    for (int64_t rows : {3, 70}) {
      Inputs in = makeInputs(graph, random, 1, 2, rows, rows + 1);
      roundTo(graph.type, in);
      EXPECT_TRUE(agrees(graph, fused.call(in), oracle, in, 2 * limitOf(graph.type))) << "seed " << seed << "\n"
                                                                                      << graph.text();
    }
    if (HasFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRegions, testing::Range(0, 8));

//===----------------------------------------------------------------------===//
// Damage
//===----------------------------------------------------------------------===//

/// Compiles and forgets; every outcome but a crash is right, and a failure has a message.
void compileAnything(const string &source, const char *route) {
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.route = route;
  options.no_cache = 1;
  bochner_module_t *module = nullptr;
  bochner_status_t *status = bochnerCompile(context(), source.data(), source.size(), &options, &module);
  EXPECT_EQ(status == nullptr, module != nullptr);
  if (status) {
    EXPECT_NE(bochnerGetStatusCode(status), BOCHNER_STATUS_INTERNAL_ERROR) << bochnerGetStatusMessage(status) << "\n"
                                                                           << source;
    EXPECT_STRNE(bochnerGetStatusMessage(status), "");
  }
  bochnerDestroyStatus(status);
  bochnerDestroyModule(module);
}

string damaged(const string &text, Random &random) {
  string out = text;
  auto at = [&] { return size_t(random.below(int64_t(out.size()))); };
  std::vector<string> words; // of the same text
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && (isalnum(static_cast<unsigned char>(text[end])) || strchr("._%", text[end])))
      ++end;
    if (end > i)
      words.push_back(text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
  for (int64_t i = 0, e = 1 + random.below(2); i < e; ++i) {
    size_t from = at();
    switch (random.below(6)) {
    case 0: // a piece is gone
      out.erase(from, size_t(1 + random.below(12)));
      break;
    case 1: // a line is gone
      from = out.rfind('\n', from) == string::npos ? 0 : out.rfind('\n', from);
      out.erase(from, out.find('\n', from + 1) - from);
      break;
    case 2:
      out[from] = char(random.below(256));
      break;
    case 3: { // another digit, so that a shape or a constant differs
      size_t digit = out.find_first_of("0123456789", from);
      if (digit != string::npos)
        out[digit] = char('0' + random.below(10));
      break;
    }
    default: { // a word of the text in the place of another
      const string &word = random.pick(words), &other = random.pick(words);
      size_t place = out.find(word, from);
      if (place != string::npos)
        out.replace(place, word.size(), other);
      break;
    }
    }
    if (out.empty())
      out = "x";
  }
  return out;
}

class DamagedText : public testing::TestWithParam<int> {};

TEST_P(DamagedText, endsInAStatus) {
  uint64_t seed = 100 * uint64_t(GTEST_FLAG_GET(random_seed)) + uint64_t(GetParam());
  Random random(seed * 104729 + 1);
  // After a crash the file holds the text that caused it.
  string file = testing::TempDir() + "/bochner-damaged-text-" + std::to_string(seed) + ".mlir";
  for (int i = 0; i < 60; ++i) {
    Graph graph;
    graph.map = makeMap(random.pick(mapNames()), 8, 4);
    graph.causal = random.oneIn(2);
    graph.lengths = random.oneIn(2);
    graph.featuresOnly = random.oneIn(4);
    string text = damaged(graph.text(), random);
    std::ofstream(file) << text;
    compileAnything(text, random.oneIn(4) ? "decompose" : "fused");
  }
  remove(file.c_str());
}

INSTANTIATE_TEST_SUITE_P(Seeds, DamagedText, testing::Range(0, 6));

#ifdef BOCHNER_OPT
TEST(DamagedBytecode, endsInAStatus) {
  Graph graph;
  graph.map = makeMap("mlp", 8, 4);
  string stem = testing::TempDir() + "/bochner-damaged-" + std::to_string(getpid());
  std::ofstream(stem + ".mlir") << graph.text();
  string command = string(BOCHNER_OPT) + " " + stem + ".mlir -emit-bytecode -o " + stem + ".mlirbc";
  ASSERT_EQ(system(command.c_str()), 0);
  std::stringstream content;
  content << std::ifstream(stem + ".mlirbc").rdbuf();
  string whole = content.str();
  ASSERT_GT(whole.size(), 100u);
  compileAnything(whole, "fused");
  Random random(9);
  for (int i = 0; i < 150; ++i)
    compileAnything(whole.substr(0, size_t(random.below(int64_t(whole.size())))), "fused");
  remove((stem + ".mlir").c_str());
  remove((stem + ".mlirbc").c_str());
}
#endif

} // namespace
