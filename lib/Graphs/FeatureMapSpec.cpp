//===- FeatureMapSpec.cpp - from options to sizes and constants -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Defaults of each feature map and the checks that a request is consistent. Input: options as a user states them.
// Output: a specification from which a graph can be built without further questions, or one message.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMapSpec.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
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
static constexpr double kDefaultEps = 1e-6;
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

static constexpr std::pair<Attention, llvm::StringLiteral> kAttentions[] = {
    {Attention::Linear, "linear"},
    {Attention::Softmax, "softmax"},
    {Attention::GaussianKernel, "gaussian_kernel"},
    {Attention::Mixture, "mixture"},
    {Attention::Generalized, "generalized"},
    {Attention::Features, "features"}};

StringRef bochner::graphs::attentionName(Attention attention) { return kAttentions[int(attention)].second; }

std::optional<Attention> bochner::graphs::parseAttention(StringRef name) {
  for (auto [attention, text] : kAttentions)
    if (text == name)
      return attention;
  return std::nullopt;
}

std::string bochner::graphs::formatNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

template <typename... Pieces> static Error makeError(const Pieces &...pieces) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  (stream << ... << pieces);
  return llvm::createStringError(text);
}

static Error checkSize(StringRef option, int64_t value) {
  if (value < 1 || value > kMaxSize)
    return makeError("expected ", option, " to be between 1 and ", kMaxSize, ", but got ", value);
  return Error::success();
}

static bool takesNDims(const FeatureMapInfo &i) { return i.form != Form::Elu && i.projection != Projection::Fastfood; }
static bool takesComponents(const FeatureMapInfo &i) { return i.sharing == Sharing::PerComponent; }
static bool takesNormFactor(const FeatureMapInfo &i) { return i.form == Form::Positive; }
static bool takesCovariance(const FeatureMapInfo &i) { return i.projection == Projection::Gaussian; }
static bool takesLearnable(const FeatureMapInfo &i) { return i.projection == Projection::Fastfood; }
static bool isGenerator(const FeatureMapInfo &i) { return i.projection == Projection::Generator; }
static bool takesTemperature(const FeatureMapInfo &i) { return i.form != Form::Elu; }
static bool isStabilizable(const FeatureMapInfo &i) { return i.stabilizable; }

/// "favor, gaussian_prf and gmm_prf"
static std::string listMaps(bool (*takes)(const FeatureMapInfo &)) {
  std::vector<StringRef> names;
  for (const FeatureMapInfo &info : kFeatureMaps)
    if (takes(info))
      names.push_back(info.name);
  if (names.size() == 1)
    return names[0].str();
  return llvm::join(llvm::ArrayRef(names).drop_back(), ", ") + " and " + names.back().str();
}

static std::string listAll(llvm::ArrayRef<StringRef> names) { return llvm::join(names, ", "); }

/// Names of the maps of a request, for messages.
static std::string requestedMaps(llvm::ArrayRef<FeatureMapOptions> maps) {
  return llvm::join(llvm::map_range(maps, [](const FeatureMapOptions &m) { return m.name; }), ", ");
}

namespace {
/// Gives each map the common options that it takes and does not set itself.
class OptionMerger {
public:
  OptionMerger(const GraphOptions &options, llvm::MutableArrayRef<FeatureMapOptions> maps)
      : options(options), maps(maps) {}

  Error run() {
    if (Error e = merge(&FeatureMapOptions::features, "--features", [](const FeatureMapInfo &) { return true; }))
      return e;
    if (Error e = merge(&FeatureMapOptions::nDims, "--n-dims", takesNDims))
      return e;
    if (Error e = merge(&FeatureMapOptions::components, "--components", takesComponents))
      return e;
    if (Error e = merge(&FeatureMapOptions::normFactor, "--norm-factor", takesNormFactor))
      return e;
    if (Error e = merge(&FeatureMapOptions::covariance, "--covariance", takesCovariance))
      return e;
    if (Error e = merge(&FeatureMapOptions::learnable, "--learnable", takesLearnable))
      return e;
    if (Error e = merge(&FeatureMapOptions::noiseDims, "--noise-dims", isGenerator))
      return e;
    return mergeSmoothing();
  }

private:
  template <typename T>
  Error merge(std::optional<T> FeatureMapOptions::*field, StringRef option, bool (*takes)(const FeatureMapInfo &)) {
    bool used = false;
    for (FeatureMapOptions &map : maps) {
      bool taken = takes(*lookUpFeatureMap(map.name));
      if (map.*field && !taken)
        return makeError(option, " does not apply to ", map.name, ": only ", listMaps(takes), " take it");
      used |= taken;
      if (taken && !(map.*field))
        map.*field = options.common.*field;
    }
    if (!(options.common.*field) || used)
      return Error::success();
    if (maps.empty())
      return makeError(option, " does not apply to --attention ", attentionName(options.attention),
                       ": it has no feature map");
    return makeError(option, " does not apply to ", requestedMaps(maps), ": only ", listMaps(takes), " take it");
  }

  Error mergeSmoothing() {
    if (maps.empty() && options.common.smoothing)
      return makeError("--smoothing does not apply to --attention ", attentionName(options.attention),
                       ": it has no feature map");
    for (FeatureMapOptions &map : maps)
      if (!map.smoothing && !map.noSmoothing) {
        map.smoothing = options.common.smoothing;
        map.noSmoothing = options.common.noSmoothing;
      }
    return Error::success();
  }

  const GraphOptions &options;
  llvm::MutableArrayRef<FeatureMapOptions> maps;
};
} // namespace

/// That the form of attention and the maps go together.
static Error checkAttention(const GraphOptions &options) {
  StringRef attention = attentionName(options.attention);
  bool exact = options.attention == Attention::Softmax || options.attention == Attention::GaussianKernel;
  if (exact && !options.maps.empty())
    return makeError("--attention ", attention, " has no feature map, but got --map ", requestedMaps(options.maps));
  if (!exact && options.maps.empty())
    return makeError("expected --map NAME for --attention ", attention, "; known are ", listAll(featureMapNames()));
  for (const FeatureMapOptions &map : options.maps)
    if (!lookUpFeatureMap(map.name)) {
      std::vector<StringRef> names = featureMapNames();
      auto distance = [&](StringRef name) { return name.edit_distance(map.name); };
      StringRef nearest = *std::min_element(names.begin(), names.end(), [&](StringRef left, StringRef right) {
        return distance(left) < distance(right);
      });
      if (distance(nearest) <= 2)
        return makeError("unknown --map ", map.name, "; did you mean ", nearest, "?");
      return makeError("unknown --map ", map.name, "; known are ", listAll(names));
    }
  if (options.maps.size() > 1 && options.attention != Attention::Generalized)
    return makeError("--attention ", attention, " takes one --map, but got ", requestedMaps(options.maps),
                     "; several need --attention generalized");
  bool featuresOrMixture = options.attention == Attention::Mixture || options.attention == Attention::Features;
  for (const FeatureMapOptions &map : options.maps) {
    bool perComponent = takesComponents(*lookUpFeatureMap(map.name));
    if (perComponent && !featuresOrMixture)
      return makeError(map.name, " has features for each component: expected --attention mixture or features, but got ",
                       attention);
    if (!perComponent && options.attention == Attention::Mixture)
      return makeError("--attention mixture needs features for each component: expected --map ",
                       listMaps(takesComponents), ", but got ", map.name);
  }
  return Error::success();
}

/// That options of the whole graph mean something in its form.
static Error checkGraphOptions(const GraphOptions &options) {
  StringRef attention = attentionName(options.attention);
  auto anyMap = [&](bool (*takes)(const FeatureMapInfo &)) {
    return llvm::any_of(options.maps, [&](const FeatureMapOptions &m) { return takes(*lookUpFeatureMap(m.name)); });
  };
  std::string what = options.maps.empty() ? ("--attention " + attention).str() : requestedMaps(options.maps);
  if (options.attention == Attention::Features) {
    std::pair<bool, StringRef> given[] = {{options.causal, "--causal"},
                                          {options.lengths, "--lengths"},
                                          {options.valueDim.has_value(), "--value-dim"},
                                          {options.eps.has_value(), "--eps"}};
    for (auto [isGiven, option] : given)
      if (isGiven)
        return makeError(option, " does not apply to --attention features: it has queries only");
  }
  if (options.eps && options.attention == Attention::Softmax)
    return makeError("--eps does not apply to --attention softmax: its denominator is never zero");
  if (options.temp && !options.maps.empty() && !anyMap(takesTemperature))
    return makeError("--temp does not apply to ", what, ": it does not scale its rows");
  if (options.eval && !anyMap(isGenerator))
    return makeError("--eval does not apply to ", what, ": only ", listMaps(isGenerator), " keep statistics");
  if (options.stabilize && !anyMap(isStabilizable))
    return makeError("--stabilize does not apply to ", what, ": only ", listMaps(isStabilizable), " take it");
  if (options.stabilize && options.causal)
    return makeError("--stabilize takes a maximum over all positions, which cannot be causal: drop --stabilize or "
                     "--causal");
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

static Expected<FeatureMapSpec> resolveMap(const FeatureMapOptions &options, const GraphOptions &graph,
                                           const GraphSpec &resolved, std::string prefix) {
  FeatureMapSpec spec;
  spec.info = lookUpFeatureMap(options.name);
  const FeatureMapInfo &info = *spec.info;
  spec.prefix = std::move(prefix);
  spec.headDim = resolved.headDim;
  spec.temp = resolved.temp;
  spec.stabilize = graph.stabilize && info.stabilizable;
  spec.training = isGenerator(info) && !graph.eval;
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
  if (takesComponents(info)) {
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
  if (isGenerator(info))
    if (Error e = resolveGenerator(spec, options))
      return e;
  return spec;
}

Expected<GraphSpec> bochner::graphs::resolveGraph(const GraphOptions &options) {
  if (Error e = checkAttention(options))
    return e;
  if (Error e = checkGraphOptions(options))
    return e;
  if (!options.headDim)
    return makeError("expected --head-dim D");
  GraphSpec spec;
  spec.attention = options.attention;
  spec.headDim = *options.headDim;
  if (Error e = checkSize("--head-dim", spec.headDim))
    return e;
  spec.valueDim = options.valueDim.value_or(spec.headDim);
  if (Error e = checkSize("--value-dim", spec.valueDim))
    return e;
  spec.heads = options.heads;
  if (spec.heads)
    if (Error e = checkSize("--heads", *spec.heads))
      return e;
  spec.temp = options.temp.value_or(1.0 / std::sqrt(double(spec.headDim)));
  if (!std::isfinite(spec.temp) || spec.temp <= 0)
    return makeError("expected --temp to be a positive number, but got ", formatNumber(spec.temp));
  spec.eps = options.eps.value_or(kDefaultEps);
  if (!std::isfinite(spec.eps) || spec.eps < 0)
    return makeError("expected --eps to be a number that is not negative, but got ", formatNumber(spec.eps));
  spec.causal = options.causal;
  spec.lengths = options.lengths;
  spec.elementType = options.elementType;

  std::vector<FeatureMapOptions> maps = options.maps;
  if (Error e = OptionMerger(options, maps).run())
    return e;
  bool prefixed = options.attention == Attention::Generalized;
  for (auto [i, map] : llvm::enumerate(maps)) {
    auto resolved = resolveMap(map, options, spec, prefixed ? "fm" + std::to_string(i) + "_" : "");
    if (!resolved)
      return resolved.takeError();
    spec.maps.push_back(std::move(*resolved));
  }
  return spec;
}

std::string bochner::graphs::describeGraph(const GraphSpec &spec) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto list = [&](StringRef key, auto get) {
    stream << " " << key << "=";
    llvm::interleave(spec.maps, stream, [&](const FeatureMapSpec &m) { stream << get(m); }, ",");
  };
  stream << "attention=" << attentionName(spec.attention);
  if (!spec.maps.empty()) {
    list("map", [](const FeatureMapSpec &m) { return m.info->name; });
    list("features", [](const FeatureMapSpec &m) { return m.features; });
  }
  stream << " head_dim=" << spec.headDim;
  if (spec.attention != Attention::Features)
    stream << " value_dim=" << spec.valueDim << " causal=" << int(spec.causal);
  stream << " dtype=" << (spec.elementType == ElementType::F64 ? "f64" : "f32");
  return text;
}
