//===- FeatureMapSpec.cpp - feature maps with all sizes resolved ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The known feature maps, their defaults and their sizes. Input: options of one map as a user states them. Output: a
// specification in which every size and constant is known, or one message.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMapSpec.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <cstdio>

using namespace bochner::graphs;
using bochner::spectral::Covariance;
using bochner::spectral::MeanSign;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// Number of features before a constant one where the user may choose it.
static constexpr int64_t kDefaultFeatures = 256;
static constexpr int64_t kDefaultNoiseDims[] = {64, 256};

/// In the order of the command line's documentation.
static const FeatureMapInfo kFeatureMaps[] = {
    {"gmm_prf", Form::Positive, Projection::Gaussian, 1, 1, false, false, true, 1.0, Sharing::PerHead,
     Covariance::diagonal, MeanSign::plus},
    {"gmm_rks", Form::Trig, Projection::Gaussian, 4, 4, false, true, false, 0.0, Sharing::PerHead, Covariance::full,
     MeanSign::plus_minus},
    {"fastfood_prf", Form::Positive, Projection::Fastfood, 1, 1, false, false, false, 1.0},
    {"fastfood_rks", Form::Trig, Projection::Fastfood, 2, 2, false, true},
    // The amplitude of generator_prf counts twice as many frequencies as there are.
    {"generator_prf", Form::Positive, Projection::Generator, 1, 2, false, false, false, 1.0},
    {"generator_rks", Form::Trig, Projection::Generator, 2, 2, false, true},
    {"favor", Form::Positive, Projection::Base, 2, 2, true, false, true, 0.5},
    {"gaussian_prf", Form::Positive, Projection::Base, 2, 2, true, false, true, 1.0},
    {"gmm_prf_hyperbolic", Form::Positive, Projection::Gaussian, 2, 2, true, false, true, 1.0, Sharing::PerHead,
     Covariance::scalar, MeanSign::plus},
    {"rff", Form::Trig, Projection::Base, 2, 2, false, true},
    {"gauss_rks", Form::Trig, Projection::Gaussian, 4, 4, false, true, false, 0.0, Sharing::Shared, Covariance::full,
     MeanSign::plus_minus},
    {"alacarte", Form::Trig, Projection::Gaussian, 4, 4, false, true, false, 0.0, Sharing::PerComponent,
     Covariance::diagonal, MeanSign::plus_minus},
    {"elu", Form::Elu, Projection::None, 1, 1},
    {"relu", Form::Relu, Projection::Base, 1, 1},
};

const FeatureMapInfo *bochner::graphs::lookUpFeatureMap(StringRef name) {
  const auto *info = llvm::find_if(kFeatureMaps, [&](const FeatureMapInfo &i) { return i.name == name; });
  return info == std::end(kFeatureMaps) ? nullptr : info;
}

std::vector<StringRef> bochner::graphs::featureMapNames() {
  std::vector<StringRef> names;
  for (const FeatureMapInfo &info : kFeatureMaps)
    names.push_back(info.name);
  return names;
}

std::string bochner::graphs::formatNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

Error bochner::graphs::checkSize(StringRef option, int64_t value) {
  if (value < 1 || value > kMaxSize)
    return makeError("expected ", option, " to be between 1 and ", kMaxSize, ", but got ", value);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Feature maps
//===----------------------------------------------------------------------===//

/// "4 m + 1": what F may be.
static std::string reachable(const FeatureMapSpec &spec) {
  int64_t per = spec.info->featuresPerFrequency;
  std::string text = per == 1 ? "m" : std::to_string(per) + " m";
  return text + (spec.smoothing ? " + 1" : "");
}

static std::string constantFeature(const FeatureMapSpec &spec) {
  return spec.smoothing ? "with the constant feature" : "without a constant feature";
}

/// Finds the number of frequencies, or what is wrong with F.
static Error resolveFeatures(FeatureMapSpec &spec, std::optional<int64_t> features) {
  const FeatureMapInfo &info = *spec.info;
  if (features)
    if (Error e = checkSize("--features", *features))
      return e;
  int64_t constant = spec.smoothing ? 1 : 0, per = info.featuresPerFrequency;
  bool fixed = info.projection == Projection::None || info.projection == Projection::Fastfood;
  if (fixed || !features)
    spec.frequencies = fixed ? spec.headDim : kDefaultFeatures / per;
  else
    spec.frequencies = (*features - constant) / per;
  spec.features = spec.frequencies * per + constant;
  if (!features || (*features == spec.features && spec.frequencies >= 1))
    return Error::success();
  if (fixed)
    return makeError("expected --features of ", info.name, " to be ", spec.features, " for --head-dim ", spec.headDim,
                     " (", constantFeature(spec), "), but got ", *features);
  int64_t below = std::max<int64_t>(1, spec.frequencies) * per + constant, above = below + per;
  return makeError("expected --features of ", info.name, " to be ", reachable(spec), " (", constantFeature(spec),
                   "), but got ", *features, "; the nearest are ", below, " and ", above);
}

static Error resolveSmoothing(FeatureMapSpec &spec, const FeatureMapOptions &options) {
  if (options.noSmoothing)
    return Error::success();
  spec.smoothing = options.smoothing;
  if (!options.smoothing && spec.info->smoothed)
    spec.smoothing = 1.0;
  if (!spec.smoothing)
    return Error::success();
  if (!std::isfinite(*spec.smoothing))
    return makeError("expected --smoothing to be a finite number or none, but got ", formatNumber(*spec.smoothing));
  if (spec.isLogDomain() && *spec.smoothing <= 0)
    return makeError("expected --smoothing of the positive map ", spec.info->name, " to be positive or none, but got ",
                     formatNumber(*spec.smoothing));
  if (spec.stabilize)
    return makeError("--stabilize scales all features of ", spec.info->name,
                     ", so that none can be constant: drop --stabilize or --smoothing");
  return Error::success();
}

static Error resolveGenerator(FeatureMapSpec &spec, const FeatureMapOptions &options) {
  spec.noiseDims.assign(std::begin(kDefaultNoiseDims), std::end(kDefaultNoiseDims));
  if (options.noiseDims)
    spec.noiseDims.assign(options.noiseDims->begin(), options.noiseDims->end());
  if (spec.noiseDims.empty())
    return makeError("expected --noise-dims to have the width of the noise, but got none");
  for (int64_t width : spec.noiseDims)
    if (Error e = checkSize("each of --noise-dims", width))
      return e;
  // The unbiased variance of one row is not defined.
  if (spec.training && spec.noiseDims.size() > 1 && spec.frequencies < 2)
    return makeError("batch normalization of ", spec.info->name, " needs 2 rows of noise, but --features ",
                     spec.features, " give 1: use more features or --eval");
  return Error::success();
}

Expected<FeatureMapSpec> bochner::graphs::resolveFeatureMap(const FeatureMapOptions &options, FeatureMapSpec spec) {
  spec.info = lookUpFeatureMap(options.name);
  const FeatureMapInfo &info = *spec.info;
  spec.stabilize &= info.isStabilizable();
  spec.training &= info.isGenerator();
  if (info.projection == Projection::Fastfood && !llvm::isPowerOf2_64(spec.headDim))
    return makeError("expected --head-dim to be a power of two for ", info.name, ", but got ", spec.headDim);
  if (Error e = resolveSmoothing(spec, options))
    return e;
  if (Error e = resolveFeatures(spec, options.features))
    return e;
  spec.nDims = spec.frequencies * info.nDimsPerFrequency;
  if (options.nDims) {
    if (Error e = checkSize("--n-dims", *options.nDims))
      return e;
    spec.nDims = *options.nDims;
  }
  if (info.takesComponents()) {
    // The published experiments take half as many components as a head has dimensions.
    spec.components = options.components.value_or(std::max<int64_t>(1, spec.headDim / 2));
    if (Error e = checkSize("--components", spec.components))
      return e;
  }
  spec.normFactor = options.normFactor.value_or(info.normFactor);
  if (!std::isfinite(spec.normFactor))
    return makeError("expected --norm-factor to be a finite number, but got ", formatNumber(spec.normFactor));
  spec.covariance = options.covariance.value_or(info.covariance);
  if (info.projection == Projection::Fastfood) {
    spec.learnable = options.learnable.value_or("SGB");
    if (spec.learnable != "SGB" && spec.learnable != "S" && !spec.learnable.empty())
      return makeError("expected --learnable to be SGB, S or none, but got ", spec.learnable);
  }
  if (info.isGenerator())
    if (Error e = resolveGenerator(spec, options))
      return e;
  return spec;
}
