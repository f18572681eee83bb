//===- Generator.cpp - the network that generates frequencies -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: standard normal noise [m, d0]. Output: frequencies [m, D]. Hidden layer: affine, batch normalization over the
// rows of noise, leaky relu; last layer: affine, tanh. In training a normalization uses the mean and the biased
// variance of its rows and moves its running statistics, which accumulate the unbiased variance.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMaps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

static constexpr double kBatchNormEps = 1e-5;
static constexpr double kMomentum = 0.1;
static constexpr double kLeakySlope = 0.01;

namespace {
class Generator {
public:
  Generator(GraphBuilder &builder, const FeatureMapSpec &spec, int calls, SmallVectorImpl<UpdatedBuffer> &updated)
      : builder(builder), spec(spec), calls(calls), updated(updated) {}

  Value run() {
    Value rows = builder.addRandom({spec.prefix + "rand_noise",
                                    {spec.frequencies, spec.noiseDims.front()},
                                    {spec.prefix + "m", spec.prefix + "d0"},
                                    "normal(1)"},
                                   Distribution::Normal);
    size_t layers = spec.noiseDims.size();
    for (size_t i = 0; i < layers; ++i)
      rows = i + 1 < layers ? hiddenLayer(rows, i) : lastLayer(rows, i);
    return rows;
  }

private:
  std::string nameOf(StringRef kind, size_t layer, StringRef what) {
    return spec.prefix + kind.str() + "_gen" + std::to_string(layer) + "_" + what.str();
  }

  /// Width of a layer's output and the name of that dimension.
  std::pair<int64_t, std::string> outputOf(size_t layer) {
    if (layer + 1 == spec.noiseDims.size())
      return {spec.headDim, "D"};
    return {spec.noiseDims[layer + 1], spec.prefix + "d" + std::to_string(layer + 1)};
  }

  Value addVector(StringRef kind, size_t layer, StringRef what, StringRef init) {
    auto [width, dim] = outputOf(layer);
    return builder.addArgument({nameOf(kind, layer, what), {width}, {dim}, init.str()});
  }

  /// weight x rows, without the bias
  Value product(Value rows, size_t layer) {
    auto [width, dim] = outputOf(layer);
    int64_t fanIn = spec.noiseDims[layer];
    double bound = std::sqrt(6.0 / double(fanIn + width)); // Xavier
    Value weight = builder.addArgument({nameOf("param", layer, "weight"),
                                        {width, fanIn},
                                        {dim, spec.prefix + "d" + std::to_string(layer)},
                                        "uniform(" + formatNumber(bound) + ")"});
    return builder.contract(spec.prefix + "gen" + std::to_string(layer), "mi,oi->mo", {rows, weight});
  }

  Value addBias(size_t layer) {
    double bound = 1.0 / std::sqrt(double(spec.noiseDims[layer]));
    return addVector("param", layer, "bias", "uniform(" + formatNumber(bound) + ")");
  }

  Value lastLayer(Value rows, size_t layer) {
    Value projected = product(rows, layer), bias = addBias(layer);
    return builder.compute(spec.prefix + "frequencies", "mo,o->mo", {projected, bias},
                           [](OpBuilder &b, Location loc, ValueRange e) -> Value {
                             return math::TanhOp::create(b, loc, arith::AddFOp::create(b, loc, e[0], e[1]));
                           });
  }

  Value hiddenLayer(Value rows, size_t layer) {
    std::string name = spec.prefix + "gen" + std::to_string(layer);
    Value projected = product(rows, layer), bias = addBias(layer);
    Value affine = builder.compute(
        name + "_affine", "mo,o->mo", {projected, bias},
        [](OpBuilder &b, Location loc, ValueRange e) -> Value { return arith::AddFOp::create(b, loc, e[0], e[1]); });
    Value weight = addVector("param", layer, "bn_weight", "ones"),
          shift = addVector("param", layer, "bn_bias", "zeros");
    Value mean = addVector("buf", layer, "bn_mean", "zeros"), variance = addVector("buf", layer, "bn_var", "ones");
    if (spec.training)
      std::tie(mean, variance) = batchStatistics(affine, layer, mean, variance);
    return builder.compute(name + "_out", "mo,o,o,o,o->mo", {affine, mean, variance, weight, shift},
                           [&](OpBuilder &b, Location loc, ValueRange e) { return normalize(b, loc, e); });
  }

  /// leaky_relu((y - mean) / sqrt(variance + eps) * weight + shift)
  Value normalize(OpBuilder &b, Location loc, ValueRange e) {
    Value centered = arith::SubFOp::create(b, loc, e[0], e[1]);
    Value guarded = arith::AddFOp::create(b, loc, e[2], builder.constant(b, kBatchNormEps));
    Value scaled = arith::DivFOp::create(b, loc, centered, math::SqrtOp::create(b, loc, guarded));
    Value weighted = arith::MulFOp::create(b, loc, scaled, e[3]);
    Value y = arith::AddFOp::create(b, loc, weighted, e[4]);
    Value isPositive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGE, y, builder.constant(b, 0.0));
    Value leak = arith::MulFOp::create(b, loc, y, builder.constant(b, kLeakySlope));
    return arith::SelectOp::create(b, loc, isPositive, y, leak);
  }

  /// Mean and biased variance over the rows; notes the running statistics after the call.
  std::pair<Value, Value> batchStatistics(Value rows, size_t layer, Value runningMean, Value runningVariance) {
    std::string name = spec.prefix + "gen" + std::to_string(layer);
    double count = double(spec.frequencies);
    auto divideBy = [&](StringRef what, Value sum, double divisor) {
      return builder.compute(name + what.str(), "o->o", sum, [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        return arith::DivFOp::create(b, loc, e[0], builder.constant(b, divisor));
      });
    };
    Value sum = builder.contract(name + "_sum", "mo->o", rows);
    Value mean = divideBy("_mean", sum, count);
    Value squares = builder.compute(
        name + "_squares", "mo,o->o", {rows, mean},
        [](OpBuilder &b, Location loc, ValueRange e) -> Value {
          Value centered = arith::SubFOp::create(b, loc, e[0], e[1]);
          return arith::AddFOp::create(b, loc, e[2], arith::MulFOp::create(b, loc, centered, centered));
        },
        0.0);
    Value variance = divideBy("_var", squares, count);
    updated.push_back(move("bn_mean", layer, runningMean, mean));
    updated.push_back(move("bn_var", layer, runningVariance, divideBy("_unbiased", squares, count - 1.0)));
    return {mean, variance};
  }

  /// running <- (1 - momentum) running + momentum batch, once for each call: the batch stays the same, so that the
  /// moves combine into one.
  UpdatedBuffer move(StringRef what, size_t layer, Value running, Value batch) {
    double keep = std::pow(1.0 - kMomentum, calls);
    std::string name = nameOf("buf_after", layer, what);
    Value value =
        builder.compute(name, "o,o->o", {running, batch}, [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
          Value kept = arith::MulFOp::create(b, loc, e[0], builder.constant(b, keep));
          Value moved = arith::MulFOp::create(b, loc, e[1], builder.constant(b, 1.0 - keep));
          return arith::AddFOp::create(b, loc, kept, moved);
        });
    return {name, nameOf("buf", layer, what), value, outputOf(layer).second};
  }

  GraphBuilder &builder;
  const FeatureMapSpec &spec;
  int calls;
  SmallVectorImpl<UpdatedBuffer> &updated;
};
} // namespace

Value bochner::graphs::buildGenerator(GraphBuilder &builder, const FeatureMapSpec &spec, int calls,
                                      SmallVectorImpl<UpdatedBuffer> &updated) {
  return Generator(builder, spec, calls, updated).run();
}
