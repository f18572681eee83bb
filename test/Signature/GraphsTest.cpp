//===- GraphsTest.cpp - descriptions of generated graphs ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every graph that the generator makes names its dimensions (bochner.dims), which the analysis does not read: equal
// names are the oracle for equal dimensions and for the dimensions of results. Costs follow from the formulas.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Graphs.h"
#include "test/Signature/SignatureTestUtils.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::test;
using graphs::Attention;
using graphs::GraphOptions;

namespace {
class GraphSignatureTest : public SignatureTest {
protected:
  format::FunctionInfo describeGraph(const GraphOptions &options, StringRef route = "fused") {
    auto module = graphs::buildGraph(context, options);
    if (!module) {
      ADD_FAILURE() << llvm::toString(module.takeError());
      return {};
    }
    prepare(**module, route);
    return describe(**module);
  }

  static GraphOptions makeOptions(Attention attention, StringRef map = "") {
    GraphOptions options;
    options.attention = attention;
    options.headDim = 16;
    options.valueDim = 24;
    if (!map.empty())
      options.maps.emplace_back().name = map.str();
    return options;
  }

  /// What the names of dimensions say.
  static void expectNamesAgree(const format::FunctionInfo &info) {
    std::map<std::string, std::string> first; // name of a dimension -> the first dimension of an argument with it
    std::vector<std::string> equal;
    for (size_t i = 0; i < info.arguments.size(); ++i) {
      const format::TensorInfo &argument = info.arguments[i];
      ASSERT_EQ(argument.dimNames.size(), argument.shape.size()) << argument.name;
      for (size_t dim = 0; dim < argument.shape.size(); ++dim) {
        std::string place = str(info, {uint32_t(i), int64_t(dim)});
        if (argument.shape[dim] != format::kDynamic)
          first.try_emplace(argument.dimNames[dim], std::to_string(argument.shape[dim]));
        else if (auto [found, isNew] = first.try_emplace(argument.dimNames[dim], place); !isNew)
          equal.push_back(place + "=" + found->second);
      }
    }
    EXPECT_EQ(equalities(info), llvm::join(equal, " "));
    for (size_t i = 0; i < info.results.size(); ++i) {
      const format::TensorInfo &result = info.results[i];
      std::vector<std::string> expected;
      for (size_t dim = 0; dim < result.shape.size(); ++dim)
        expected.push_back(result.shape[dim] == format::kDynamic ? first[result.dimNames[dim]]
                                                                 : std::to_string(result.shape[dim]));
      EXPECT_EQ(dims(info, i), llvm::join(expected, " ")) << result.name;
    }
  }

  /// Describes with all combinations of what changes dimensions, fused and not.
  void checkCombinations(GraphOptions options, bool takesKeys = true) {
    for (bool heads : {false, true})
      for (bool causal : {false, true})
        for (bool lengths : {false, true})
          for (StringRef route : {"fused", "decompose"}) {
            if (!takesKeys && (causal || lengths))
              continue;
            SCOPED_TRACE((options.maps.empty() ? "" : options.maps[0].name) + (heads ? " heads" : "") +
                         (causal ? " causal" : "") + (lengths ? " lengths " : " ") + route.str());
            options.heads = heads ? std::optional<int64_t>(4) : std::nullopt;
            options.causal = causal;
            options.lengths = lengths;
            format::FunctionInfo info = describeGraph(options, route);
            expectNamesAgree(info);
            std::string kept = std::string("lengths in [0, ") + (causal ? "q" : "k") + ".2]";
            EXPECT_EQ(StringRef(ranges(info)).contains(kept), lengths) << ranges(info);
          }
  }
};
} // namespace

TEST_F(GraphSignatureTest, LinearAttentionOfEveryMap) {
  for (StringRef map : graphs::featureMapNames())
    if (map != "alacarte") // a mixture
      checkCombinations(makeOptions(Attention::Linear, map));
}

TEST_F(GraphSignatureTest, Mixture) { checkCombinations(makeOptions(Attention::Mixture, "alacarte")); }

TEST_F(GraphSignatureTest, Generalized) {
  GraphOptions options = makeOptions(Attention::Generalized, "gmm_rks");
  options.maps.emplace_back().name = "generator_prf";
  checkCombinations(options);
}

TEST_F(GraphSignatureTest, ExactAttention) {
  checkCombinations(makeOptions(Attention::Softmax));
  checkCombinations(makeOptions(Attention::GaussianKernel));
}

TEST_F(GraphSignatureTest, FeaturesOfEveryMap) {
  for (StringRef map : graphs::featureMapNames()) {
    GraphOptions options = makeOptions(Attention::Features, map);
    options.valueDim.reset();
    checkCombinations(options, /*takesKeys=*/false);
  }
}

TEST_F(GraphSignatureTest, StabilizedMap) {
  GraphOptions options = makeOptions(Attention::Linear, "favor");
  options.stabilize = true;
  expectNamesAgree(describeGraph(options));
}

TEST_F(GraphSignatureTest, ArgumentsAndAttributes) {
  GraphOptions options = makeOptions(Attention::Linear, "fastfood_prf");
  options.lengths = true;
  options.heads = 4;
  format::FunctionInfo info = describeGraph(options);
  EXPECT_EQ(info.name, "attention");
  EXPECT_EQ(info.attributes,
            "attention=linear map=fastfood_prf features=16 head_dim=16 value_dim=24 causal=0 dtype=f32");
  ASSERT_EQ(info.arguments.size(), 8u);
  const format::TensorInfo &query = info.arguments[0], &lengths = info.arguments[3], &scale = info.arguments[4],
                           &permutation = info.arguments[7];
  EXPECT_EQ(query.name, "q");
  EXPECT_EQ(query.type, format::ScalarType::f32);
  EXPECT_EQ(query.shape, (std::vector<int64_t>{format::kDynamic, 4, format::kDynamic, 16}));
  EXPECT_EQ(query.init, "");
  EXPECT_EQ(query.dimNames, (std::vector<std::string>{"B", "H", "N", "D"}));
  EXPECT_EQ(lengths.type, format::ScalarType::i64);
  EXPECT_EQ(scale.init, "normal(0.25)"); // learnt
  EXPECT_EQ(permutation.name, "rand_perm");
  EXPECT_EQ(permutation.init, "permutation");
  ASSERT_EQ(info.results.size(), 1u);
  EXPECT_EQ(info.results[0].name, "out");
  // The permutation is read inside the region: its range has to be found through the region's arguments.
  EXPECT_EQ(ranges(info), "lengths in [0, k.2]; rand_perm in [0, 15]");
}

TEST_F(GraphSignatureTest, Flop) {
  // P projections per row, and F features that depend on the row; D = 16, M = 24.
  struct {
    const char *map;
    double projections, features;
  } cases[] = {{"gmm_prf", 256, 256},    {"gmm_rks", 128, 256},       {"fastfood_prf", 16, 16},
               {"fastfood_rks", 16, 32}, {"generator_prf", 256, 256}, {"generator_rks", 128, 256},
               {"favor", 128, 256},      {"gaussian_prf", 128, 256},  {"gmm_prf_hyperbolic", 128, 256},
               {"rff", 128, 256},        {"gauss_rks", 128, 256},     {"elu", 0, 16},
               {"relu", 256, 256}};
  double b = 2, h = 3, n = 5, s = 7;
  std::map<std::string, double> sizes{{"B", b}, {"H", h}, {"N", n}, {"S", s}};
  for (auto &[map, projections, features] : cases)
    for (bool causal : {false, true}) {
      GraphOptions options = makeOptions(Attention::Linear, map);
      options.causal = causal;
      format::FunctionInfo info = describeGraph(options);
      double row = 2 * 16 * projections + 2 * features * 24;
      double expected = b * h * (n + (causal ? n : s)) * row;
      EXPECT_EQ(evaluate(info, info.flop, sizes), expected) << map << " fused";
      // What the formula needs does not depend on where the features are computed.
      info = describeGraph(options, "decompose");
      EXPECT_EQ(evaluate(info, info.flop, sizes), expected) << map << " unfused";
    }
}

TEST_F(GraphSignatureTest, FlopOfOtherForms) {
  std::map<std::string, double> sizes{{"B", 2}, {"H", 3}, {"N", 5}, {"S", 7}};
  auto flop = [&](const GraphOptions &options) {
    format::FunctionInfo info = describeGraph(options);
    return evaluate(info, info.flop, sizes);
  };
  EXPECT_EQ(flop(makeOptions(Attention::Softmax)), 2.0 * 2 * 3 * 5 * 7 * (16 + 24));

  GraphOptions features = makeOptions(Attention::Features, "gmm_prf");
  features.valueDim.reset();
  EXPECT_EQ(flop(features), 2.0 * 3 * 5 * 2 * 16 * 256);

  // Batch and heads are one dimension inside a mixture; every component counts.
  GraphOptions mixture = makeOptions(Attention::Mixture, "alacarte");
  mixture.maps[0].components = 2;
  EXPECT_EQ(flop(mixture), 2.0 * 3 * 2 * (5 + 7) * (2 * 16 * 128 + 2 * 256 * 24));
}

TEST_F(GraphSignatureTest, Gradients) {
  for (StringRef map : {"gmm_prf", "generator_rks", "elu", "fastfood_prf"}) {
    GraphOptions options = makeOptions(Attention::Linear, map);
    options.grad = true;
    for (bool heads : {false, true})
      for (bool lengths : {false, true})
        for (bool causal : {false, true})
          for (StringRef route : {"fused", "decompose"}) {
            SCOPED_TRACE(map.str() + (heads ? " heads" : "") + (lengths ? " lengths" : "") +
                         (causal ? " causal " : " ") + route.str());
            options.heads = heads ? std::optional<int64_t>(4) : std::nullopt;
            options.lengths = lengths;
            options.causal = causal;
            format::FunctionInfo info = describeGraph(options, route);
            expectNamesAgree(info);
            StringRef range = causal ? "lengths in [0, q.2]" : "lengths in [0, k.2]";
            EXPECT_EQ(StringRef(ranges(info)).contains(range), lengths) << ranges(info);
          }
  }
}

TEST_F(GraphSignatureTest, GradientsOfExactAttention) {
  GraphOptions options = makeOptions(Attention::Softmax);
  options.grad = true;
  options.lengths = true;
  for (StringRef route : {"fused", "decompose"}) {
    SCOPED_TRACE(route.str());
    format::FunctionInfo info = describeGraph(options, route);
    expectNamesAgree(info);
    EXPECT_TRUE(StringRef(ranges(info)).contains("lengths in [0, k.2]")) << ranges(info);
  }
}

TEST_F(GraphSignatureTest, FlopOfGradients) {
  // The adjoint computes projections again and has as many products for rows, and for parameters if they count and
  // are wanted whole, as those of full covariances are, not as moments;
  // features meet values and cotangents once each.
  struct {
    const char *map;
    double projections, features, products;
  } cases[] = {{"gmm_prf", 256, 256, 2}, {"gmm_rks", 128, 256, 3}, {"gaussian_prf", 128, 256, 2}, {"rff", 128, 256, 2}};
  double rows = 2 * 3 * (5 + 7);
  std::map<std::string, double> sizes{{"B", 2}, {"H", 3}, {"N", 5}, {"S", 7}};
  for (auto &[map, projections, features, products] : cases) {
    GraphOptions options = makeOptions(Attention::Linear, map);
    options.grad = true;
    format::FunctionInfo info = describeGraph(options);
    double forward = 2 * 16 * projections + 2 * features * 24,
           backward = products * 2 * 16 * projections + 2 * 2 * features * 24;
    EXPECT_EQ(evaluate(info, info.flop, sizes), rows * (forward + backward)) << map;
  }
}

TEST_F(GraphSignatureTest, StateBytes) {
  std::map<std::string, double> sizes{{"B", 2}, {"H", 3}, {"N", 5}, {"S", 7}};
  GraphOptions options = makeOptions(Attention::Linear, "gmm_rks"); // 257 features
  format::FunctionInfo info = describeGraph(options);
  EXPECT_EQ(evaluate(info, info.stateBytes, sizes), 4.0 * 2 * 3 * 257 * (24 + 2));
  options.elementType = graphs::ElementType::F64;
  info = describeGraph(options);
  EXPECT_EQ(evaluate(info, info.stateBytes, sizes), 8.0 * 2 * 3 * 257 * (24 + 2));
  info = describeGraph(makeOptions(Attention::Softmax));
  EXPECT_TRUE(info.stateBytes.empty());
}
