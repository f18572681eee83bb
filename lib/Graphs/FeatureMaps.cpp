//===- FeatureMaps.cpp - graphs of feature maps ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a specification and rows [B, H, N, D]. Output: features [B, H, N, F] as whole tensors, unfused: scaled rows,
// projections, elementwise function, constant feature. Initial distributions of parameters are those of "On Learning
// the Transformer Kernel" as its authors trained it.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMaps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;
using spectral::Covariance;

static std::string uniform(double bound) { return "uniform(" + formatNumber(bound) + ")"; }
static std::string normal(double deviation) { return "normal(" + formatNumber(deviation) + ")"; }

FeatureMap::FeatureMap(GraphBuilder &builder, const FeatureMapSpec &spec, std::optional<int64_t> heads, int calls)
    : builder(builder), spec(spec), heads(heads) {
  switch (spec.info->projection) {
  case Projection::None:
    break;
  case Projection::Base:
    frequencies = addBaseFrequencies();
    break;
  case Projection::Gaussian:
    addGaussian();
    break;
  case Projection::Fastfood:
    addFastfood();
    break;
  case Projection::Generator:
    frequencies = buildGenerator(builder, spec, calls, updated);
    break;
  }
}

//===----------------------------------------------------------------------===//
// Parameters and frequencies
//===----------------------------------------------------------------------===//

Value FeatureMap::addBaseFrequencies() {
  return builder.addRandom(
      {spec.prefix + "rand_omega", {spec.headDim, spec.frequencies}, {"D", spec.prefix + "m"}, normal(1.0)},
      spec.orthogonal ? Distribution::Orthogonal : Distribution::Normal);
}

void FeatureMap::addGaussian() {
  const FeatureMapInfo &info = *spec.info;
  double d = double(spec.headDim);
  SmallVector<int64_t> shape;
  SmallVector<std::string> dims;
  // Bounds that depend on the number of heads take one head if it is dynamic: the widest distribution.
  double sharers = 1.0;
  if (info.sharing == Sharing::PerHead) {
    shape.push_back(heads.value_or(ShapedType::kDynamic));
    dims.push_back("H");
    sharers = double(heads.value_or(1));
  } else if (info.sharing == Sharing::PerComponent) {
    shape.push_back(spec.components);
    dims.push_back(spec.prefix + "C");
    sharers = double(spec.components);
  }
  bool shared = info.sharing == Sharing::Shared;

  double meanBound = 1.0 / std::sqrt(d);
  if (info.covariance == Covariance::scalar)
    meanBound = 0.5;
  else if (info.sharing == Sharing::PerHead && info.covariance == Covariance::full)
    meanBound = 1.0 / d;
  double sigmaBound = 0.5;
  if (spec.covariance == Covariance::full)
    sigmaBound = shared ? std::sqrt(3.0 / d) : std::sqrt(6.0 / (d * d + sharers * d));
  else if (spec.covariance == Covariance::diagonal)
    sigmaBound = shared ? 1.0 / std::sqrt(d) : std::sqrt(6.0 / (sharers + d));

  auto withHeadDims = [&](int count) {
    ArgumentInfo argument{"", shape, dims, ""};
    for (int i = 0; i < count; ++i) {
      argument.shape.push_back(spec.headDim);
      argument.dims.push_back("D");
    }
    return argument;
  };
  ArgumentInfo meanInfo = withHeadDims(1);
  meanInfo.name = spec.prefix + "param_mean";
  meanInfo.init = uniform(meanBound);
  ArgumentInfo sigmaInfo = withHeadDims(spec.covariance == Covariance::full       ? 2
                                        : spec.covariance == Covariance::diagonal ? 1
                                                                                  : 0);
  sigmaInfo.name = spec.prefix + "param_sigma";
  sigmaInfo.init = uniform(sigmaBound);

  Value mean = builder.addArgument(meanInfo), sigma = builder.addArgument(sigmaInfo), base = addBaseFrequencies();
  frequencies = spectral::GaussianFrequenciesOp::create(builder, builder.named(spec.prefix + "frequencies"), base, mean,
                                                        sigma, spec.covariance, info.meanSign);
}

void FeatureMap::addFastfood() {
  auto isLearnt = [&](StringRef letter) { return StringRef(spec.learnable).contains(letter); };
  auto add = [&](StringRef letter, StringRef fixedInit, Distribution distribution) {
    ArgumentInfo info{spec.prefix + "param_" + letter.str(), {spec.headDim}, {"D"}, ""};
    info.init = normal(1.0 / std::sqrt(double(spec.headDim)));
    if (isLearnt(letter))
      return builder.addArgument(info);
    info.name = spec.prefix + "rand_" + letter.str();
    info.init = fixedInit.str();
    return builder.addRandom(info, distribution);
  };
  bool drawsScale = builder.isSampling() && !isLearnt("S");
  Value scale;
  if (!drawsScale)
    scale = add("S", "chi", Distribution::Normal);
  Value gaussian = add("G", normal(1.0), Distribution::Normal), signs = add("B", "signs", Distribution::Signs);
  if (drawsScale)
    scale = drawScale(gaussian);
  Value permutation =
      builder.addRandom({spec.prefix + "rand_perm", {spec.headDim}, {"D"}, "permutation"}, Distribution::Permutation);
  fastfood = {scale, gaussian, signs, permutation};
}

/// chi_D / |G|, the chi numbers as lengths of rows of D normal ones: frequencies get the lengths of Gaussian ones.
Value FeatureMap::drawScale(Value gaussian) {
  auto addSquare = [](OpBuilder &b, Location loc, ValueRange e) -> Value {
    return arith::AddFOp::create(b, loc, e[1], arith::MulFOp::create(b, loc, e[0], e[0]));
  };
  Value rows =
      builder.addRandom({spec.prefix + "rand_chi", {spec.headDim, spec.headDim}, {"D", "D"}, ""}, Distribution::Normal);
  Value lengths = builder.compute(spec.prefix + "chi", "ij->i", rows, addSquare, 0.0);
  Value length = builder.compute(spec.prefix + "G_norm", "i->", gaussian, addSquare, 0.0);
  return builder.compute(spec.prefix + "rand_S", "i,->i", {lengths, length},
                         [](OpBuilder &b, Location loc, ValueRange e) -> Value {
                           return math::SqrtOp::create(b, loc, arith::DivFOp::create(b, loc, e[0], e[1]));
                         });
}

//===----------------------------------------------------------------------===//
// Features
//===----------------------------------------------------------------------===//

std::string FeatureMap::nameOf(StringRef value, StringRef suffix) const {
  return (spec.prefix + value + "_" + suffix).str();
}

Value FeatureMap::scale(Value rows, StringRef suffix) {
  return builder.compute(nameOf("z", suffix), "bhnd->bhnd", rows,
                         [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
                           return arith::MulFOp::create(b, loc, e[0], builder.constant(b, std::sqrt(spec.temp)));
                         });
}

Value FeatureMap::project(Value scaledRows, StringRef suffix) {
  std::string name = nameOf("u", suffix);
  if (spec.info->projection == Projection::Fastfood)
    return builder.likeRows(spectral::FastfoodOp::create(builder, builder.named(name), scaledRows, fastfood[0],
                                                         fastfood[1], fastfood[2], fastfood[3]),
                            scaledRows);
  bool perHead = cast<RankedTensorType>(frequencies.getType()).getRank() == 3;
  StringRef indices = perHead                                          ? "bhnd,hdf->bhnf"
                      : spec.info->projection == Projection::Generator ? "bhnd,fd->bhnf"
                                                                       : "bhnd,df->bhnf";
  return builder.contract(name, indices, {scaledRows, frequenciesFor(scaledRows, suffix)});
}

/// Frequencies of every head of the rows: heads of queries may share those of a head of keys.
Value FeatureMap::frequenciesFor(Value rows, StringRef suffix) {
  auto type = cast<RankedTensorType>(frequencies.getType());
  int64_t rowHeads = cast<RankedTensorType>(rows.getType()).getDimSize(1);
  if (type.getRank() != 3 || type.isDynamicDim(0) || rowHeads == type.getDimSize(0))
    return frequencies;
  auto group = builder.getIndexAttr(rowHeads / type.getDimSize(0));
  Value repeated = builder.broadcast(nameOf("grouped", suffix), "hdf->hgdf", frequencies, {{'g', group}});
  SmallVector<ReassociationIndices> together{{0, 1}, {2}, {3}};
  return tensor::CollapseShapeOp::create(builder, builder.named(nameOf("repeated", suffix)), repeated, together);
}

/// elu(x) + 1
static Value eluPlusOne(GraphBuilder &builder, OpBuilder &b, Location loc, Value x) {
  Value zero = builder.constant(b, 0.0), one = builder.constant(b, 1.0);
  Value isPositive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, zero);
  Value above = arith::AddFOp::create(b, loc, x, one), below = math::ExpOp::create(b, loc, x);
  return arith::SelectOp::create(b, loc, isPositive, above, below);
}

Value FeatureMap::apply(Value rows, StringRef suffix) {
  rows = builder.convert(nameOf("wide", suffix), rows, builder.getElementType());
  std::string name = nameOf(spec.isLogDomain() ? "log_phi" : "phi", suffix);
  Value features;
  switch (spec.info->form) {
  case Form::Elu:
    features = builder.compute(name, "bhnd->bhnd", rows, [&](OpBuilder &b, Location loc, ValueRange e) {
      return eluPlusOne(builder, b, loc, e[0]);
    });
    break;
  case Form::Relu:
    features = builder.compute(name, "bhnf->bhnf", project(scale(rows, suffix), suffix),
                               [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
                                 return arith::MaximumFOp::create(b, loc, e[0], builder.constant(b, 0.0));
                               });
    break;
  case Form::Trig: {
    // Both signs of a mean are two groups of columns.
    int64_t groups = spec.info->featuresPerFrequency / 2;
    double amplitude = std::sqrt(double(spec.info->featuresPerFrequency) / double(spec.nDims));
    features = spectral::TrigOp::create(builder, builder.named(name), project(scale(rows, suffix), suffix),
                                        APFloat(amplitude), groups);
    break;
  }
  case Form::Positive: {
    Value scaledRows = scale(rows, suffix);
    features = spectral::LogPositiveOp::create(builder, builder.named(name), project(scaledRows, suffix), scaledRows,
                                               APFloat(spec.normFactor), spec.nDims, spec.info->symmetric);
    break;
  }
  }
  if (spec.smoothing) {
    double value = spec.isLogDomain() ? std::log(*spec.smoothing) : *spec.smoothing;
    features = spectral::ConstantFeatureOp::create(builder, builder.named(name), features, APFloat(value));
  }
  return builder.likeRows(features, rows);
}

Value FeatureMap::largestNorm(Value rows, StringRef suffix) {
  Value norms = builder.compute(
      nameOf("norm", suffix), "bhnd->bhn", rows,
      [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value row = GraphBuilder::convertScalar(b, e[0], builder.getElementType());
        Value scaled = arith::MulFOp::create(b, loc, row, builder.constant(b, std::sqrt(spec.temp)));
        return arith::AddFOp::create(b, loc, e[1], arith::MulFOp::create(b, loc, scaled, scaled));
      },
      0.0, {}, builder.getElementType());
  // Padding takes part: the mask acts on features only.
  return builder.compute(
      nameOf("max_norm", suffix), "bhn->bh", norms,
      [](OpBuilder &b, Location loc, ValueRange e) { return arith::MaximumFOp::create(b, loc, e[0], e[1]); },
      -std::numeric_limits<double>::infinity());
}
