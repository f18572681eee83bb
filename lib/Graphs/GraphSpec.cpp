//===- GraphSpec.cpp - from options to a consistent specification ---------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which options go together. Input: options as a user states them. Output: a specification from which a graph can be
// built without further questions, or one message.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMapSpec.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>

using namespace bochner::graphs;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace graphs = bochner::graphs;
namespace spectral = bochner::spectral;

static constexpr double kDefaultEps = 1e-6;

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

StringRef bochner::graphs::combinationName(Combination combination) {
  return combination == Combination::Sum ? "sum" : "product";
}

static constexpr llvm::StringLiteral kElementTypes[] = {"f64", "f32", "bf16", "f16"};

StringRef bochner::graphs::elementTypeName(ElementType type) { return kElementTypes[int(type)]; }

std::optional<ElementType> bochner::graphs::parseElementType(StringRef name) {
  const auto *known = llvm::find(kElementTypes, name);
  if (known == std::end(kElementTypes))
    return std::nullopt;
  return ElementType(known - kElementTypes);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// What a map may take or be.
using Trait = bool (FeatureMapInfo::*)() const;

/// The maps that have a trait: "favor, gaussian_prf and gmm_prf"
static std::string listMaps(Trait trait) {
  std::vector<StringRef> names;
  for (StringRef name : featureMapNames())
    if ((lookUpFeatureMap(name)->*trait)())
      names.push_back(name);
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
    if (Error e = merge(&FeatureMapOptions::features, "--features", &FeatureMapInfo::takesFeatures))
      return e;
    if (Error e = merge(&FeatureMapOptions::nDims, "--n-dims", &FeatureMapInfo::takesNDims))
      return e;
    if (Error e = merge(&FeatureMapOptions::components, "--components", &FeatureMapInfo::takesComponents))
      return e;
    if (Error e = merge(&FeatureMapOptions::normFactor, "--norm-factor", &FeatureMapInfo::takesNormFactor))
      return e;
    if (Error e = merge(&FeatureMapOptions::covariance, "--covariance", &FeatureMapInfo::takesCovariance))
      return e;
    if (Error e = merge(&FeatureMapOptions::learnable, "--learnable", &FeatureMapInfo::takesLearnable))
      return e;
    if (Error e = merge(&FeatureMapOptions::noiseDims, "--noise-dims", &FeatureMapInfo::isGenerator))
      return e;
    return mergeSmoothing();
  }

private:
  template <typename T> Error merge(std::optional<T> FeatureMapOptions::*field, StringRef option, Trait trait) {
    bool used = false;
    for (FeatureMapOptions &map : maps) {
      bool taken = (lookUpFeatureMap(map.name)->*trait)();
      if (map.*field && !taken)
        return makeError(option, " does not apply to ", map.name, ", only to ", listMaps(trait));
      used |= taken;
      if (taken && !(map.*field))
        map.*field = options.common.*field;
    }
    if (!(options.common.*field) || used)
      return Error::success();
    if (maps.empty())
      return makeError(option, " does not apply to --attention ", attentionName(options.attention),
                       ": it has no feature map");
    return makeError(option, " does not apply to ", requestedMaps(maps), ", only to ", listMaps(trait));
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
  if (options.maps.size() > 1 && options.attention != Attention::Generalized && !options.combination)
    return makeError("--attention ", attention, " takes one --map, but got ", requestedMaps(options.maps),
                     "; several need --attention generalized or --combine");
  bool featuresOrMixture = options.attention == Attention::Mixture || options.attention == Attention::Features;
  for (const FeatureMapOptions &map : options.maps) {
    bool perComponent = lookUpFeatureMap(map.name)->takesComponents();
    if (perComponent && !featuresOrMixture)
      return makeError(map.name, " has features for each component: expected --attention mixture or features, but got ",
                       attention);
    if (!perComponent && options.attention == Attention::Mixture)
      return makeError("--attention mixture needs features for each component: expected --map ",
                       listMaps(&FeatureMapInfo::takesComponents), ", but got ", map.name);
  }
  return Error::success();
}

/// That maps can be combined to one kernel.
static Error checkCombination(const GraphOptions &options) {
  if (!options.combination) {
    if (!options.weights.empty())
      return makeError("--weights does not apply without --combine sum");
    return Error::success();
  }
  StringRef combination = combinationName(*options.combination);
  if (options.attention != Attention::Linear && options.attention != Attention::Features)
    return makeError("--combine ", combination, " does not apply to --attention ", attentionName(options.attention),
                     ", only to linear and features");
  for (const FeatureMapOptions &map : options.maps)
    if (lookUpFeatureMap(map.name)->takesComponents())
      return makeError("--combine ", combination, " does not apply to ", map.name,
                       ": it has features for each component");
  if (options.stabilize)
    return makeError("--stabilize scales the features of each map by itself: drop --stabilize or --combine");
  if (*options.combination == Combination::Product) {
    if (options.maps.size() < 2)
      return makeError("expected at least two --map for --combine product, but got ", requestedMaps(options.maps));
    if (!options.weights.empty())
      return makeError("--weights does not apply to --combine product, only to sum");
  }
  if (!options.weights.empty() && options.weights.size() != options.maps.size())
    return makeError("expected --weights to have a number for each --map (", options.maps.size(), "), but got ",
                     options.weights.size());
  for (double weight : options.weights)
    if (!std::isfinite(weight) || weight <= 0)
      return makeError("expected --weights to be positive numbers, but got ", formatNumber(weight));
  return Error::success();
}

/// That options of who attends to whom, and of states, go together.
static Error checkAttentionOptions(const GraphOptions &options) {
  bool linear = options.attention == Attention::Linear;
  bool exact = options.attention == Attention::Softmax || options.attention == Attention::GaussianKernel;
  StringRef attention = attentionName(options.attention);
  std::pair<bool, StringRef> rows[] = {{options.kvHeads.has_value(), "--kv-heads"},
                                       {options.mask, "--mask"},
                                       {options.packed, "--packed"},
                                       {options.anticausal, "--anticausal"}};
  for (auto [isGiven, option] : rows)
    if (isGiven && !linear && !exact)
      return makeError(option, " does not apply to --attention ", attention,
                       ", only to linear, softmax and gaussian_kernel");
  std::pair<bool, StringRef> sums[] = {{!options.normalize, "--no-normalize"},
                                       {options.decode, "--decode"},
                                       {options.stateType.has_value(), "--state-dtype"},
                                       {options.denominator.has_value(), "--denominator"},
                                       {options.floor.has_value(), "--floor"},
                                       {options.form.has_value(), "--form"},
                                       {options.checkpointInterval.has_value(), "--checkpoints"}};
  for (auto [isGiven, option] : sums)
    if (isGiven && !linear)
      return makeError(option, " does not apply to --attention ", attention, ", only to linear");
  if (options.causal && options.anticausal)
    return makeError("expected --causal or --anticausal, but got both");
  if (options.packed && options.lengths)
    return makeError("expected --packed or --lengths, but got both: packed sequences say how long they are");
  if (options.decode && (options.anticausal || options.packed))
    return makeError("--decode goes on from the last token of each batch entry: drop ",
                     options.packed ? "--packed" : "--anticausal");
  if (options.stateType && !options.decode)
    return makeError("--state-dtype is the type of a state: give --decode too");
  if (options.kvHeads && !options.heads)
    return makeError("--kv-heads needs to know the number of query heads: give --heads too");
  if (options.kvHeads) {
    if (Error e = checkSize("--kv-heads", *options.kvHeads))
      return e;
    if (*options.heads % *options.kvHeads)
      return makeError("expected --heads to be a multiple of --kv-heads, but got ", *options.heads, " and ",
                       *options.kvHeads);
  }
  bool compares = options.denominator && *options.denominator != spectral::Denominator::none;
  if (options.floor && !compares)
    return makeError("--floor is what denominators are compared with: give --denominator clamp or count too");
  if (compares && !(options.floor.value_or(0) > 0 && std::isfinite(*options.floor)))
    return makeError("--denominator ", spectral::stringifyDenominator(*options.denominator),
                     " needs a positive --floor, but got ", formatNumber(options.floor.value_or(0)));
  if (compares && !options.normalize)
    return makeError("--denominator does not apply to --no-normalize: there is no denominator");
  if (options.stabilize && !options.normalize)
    return makeError(
        "--stabilize does not apply to --no-normalize: it is a factor of --eps, which is in the denominator");
  for (const FeatureMapOptions &map : options.maps)
    if (compares && lookUpFeatureMap(map.name)->form == graphs::Form::Positive)
      return makeError("--denominator does not apply to ", map.name, ": positive features have positive denominators");
  if (options.form == spectral::Form::recurrent && !options.causal && !options.anticausal && !options.decode)
    return makeError("--form recurrent takes rows one by one: give --causal, --anticausal or --decode too");
  if (options.form == spectral::Form::quadratic && options.decode)
    return makeError("--form quadratic has no state: drop it or --decode");
  return Error::success();
}

/// That what the graph computes has gradients.
static Error checkGradient(const GraphOptions &options) {
  if (options.checkpointInterval) {
    bool causal = options.causal || options.anticausal;
    if (!causal || !(options.grad || options.trainStep))
      return makeError("--checkpoints is about gradients of causal attention: give --grad and --causal too");
    if (*options.checkpointInterval <= 0 || *options.checkpointInterval % 64 != 0 ||
        *options.checkpointInterval > kMaxSize)
      return makeError("expected --checkpoints to be a multiple of 64 from 64 to ", kMaxSize, ", but got ",
                       *options.checkpointInterval);
  }
  if (!options.grad)
    return Error::success();
  if (options.decode)
    return makeError("--grad does not apply to --decode: a step of decoding has no gradient");
  if (options.prepare)
    return makeError("--prepare computes what depends on parameters beforehand, where gradients do not reach: drop "
                     "--prepare or --grad");
  if (options.denominator == spectral::Denominator::count)
    return makeError("--denominator count returns numbers that have no gradient: drop it or --grad, or give "
                     "--denominator clamp");
  return Error::success();
}

/// That options of the whole graph mean something in its form.
static Error checkGraphOptions(const GraphOptions &options) {
  StringRef attention = attentionName(options.attention);
  auto anyMap = [&](Trait trait) {
    return llvm::any_of(options.maps, [&](const FeatureMapOptions &m) { return (lookUpFeatureMap(m.name)->*trait)(); });
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
  if (options.temp && !options.maps.empty() && !anyMap(&FeatureMapInfo::takesTemperature))
    return makeError("--temp does not apply to ", what, ": it does not scale its rows");
  if (options.eval && !anyMap(&FeatureMapInfo::isGenerator))
    return makeError("--eval does not apply to ", what, ", only to ", listMaps(&FeatureMapInfo::isGenerator));
  if (options.stabilize && !anyMap(&FeatureMapInfo::isStabilizable))
    return makeError("--stabilize does not apply to ", what, ", only to ", listMaps(&FeatureMapInfo::isStabilizable));
  if (options.sample && !anyMap(&FeatureMapInfo::isRandom))
    return makeError("--sample does not apply to ", what, ", only to ", listMaps(&FeatureMapInfo::isRandom));
  if (options.orthogonal && !anyMap(&FeatureMapInfo::hasBaseFrequencies))
    return makeError("--orthogonal does not apply to ", what, ", only to ",
                     listMaps(&FeatureMapInfo::hasBaseFrequencies));
  if (options.orthogonal && !options.sample)
    return makeError("--orthogonal says how the graph draws: give --sample too");
  if (Error e = checkAttentionOptions(options))
    return e;
  if (Error e = checkGradient(options))
    return e;
  if (options.stabilize && (options.causal || options.anticausal || options.decode))
    return makeError("--stabilize takes a maximum over all positions, which cannot be causal: drop --stabilize or "
                     "--causal");
  if (options.stabilize && (options.kvHeads || options.packed))
    return makeError("--stabilize takes a maximum for each batch entry and head: drop --stabilize or ",
                     options.kvHeads ? "--kv-heads" : "--packed");
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

Expected<GraphSpec> bochner::graphs::resolveGraph(const GraphOptions &options) {
  if (Error e = checkAttention(options))
    return e;
  if (Error e = checkGraphOptions(options))
    return e;
  if (Error e = checkCombination(options))
    return e;
  GraphSpec spec;
  if (Error e = resolveModel(options, spec))
    return e;
  if (!options.headDim)
    return makeError("expected --head-dim D, but it is not given");
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
  if (options.causal || options.decode)
    spec.causality = spectral::Causality::causal;
  else if (options.anticausal)
    spec.causality = spectral::Causality::anticausal;
  if (options.kvHeads && *options.kvHeads != *spec.heads)
    spec.kvHeads = options.kvHeads;
  spec.mask = options.mask;
  spec.packed = options.packed;
  spec.normalize = options.normalize;
  spec.decode = options.decode;
  bool isDouble = options.elementType == ElementType::F64;
  spec.stateType = options.stateType.value_or(isDouble ? ElementType::F64 : ElementType::F32);
  if (isDouble != (spec.stateType == ElementType::F64))
    return makeError("expected --state-dtype and --dtype both to be f64, or neither, but got ",
                     elementTypeName(spec.stateType), " and ", elementTypeName(options.elementType));
  spec.denominator = options.denominator.value_or(spectral::Denominator::none);
  spec.floor = options.floor.value_or(0);
  spec.form = options.form.value_or(spec.decode ? spectral::Form::recurrent : spectral::Form::automatic);
  spec.checkpointInterval = options.checkpointInterval.value_or(0);
  spec.lengths = options.lengths;
  spec.sample = options.sample;
  spec.grad = options.grad;
  spec.elementType = options.elementType;
  spec.combination = options.combination;
  spec.weights = options.weights;

  std::vector<FeatureMapOptions> maps = options.maps;
  if (Error e = OptionMerger(options, maps).run())
    return e;
  for (auto [i, map] : llvm::enumerate(maps)) {
    FeatureMapSpec known;
    if (options.attention == Attention::Generalized || options.combination)
      known.prefix = "fm" + std::to_string(i) + "_";
    known.headDim = spec.headDim;
    known.temp = spec.temp;
    known.stabilize = options.stabilize;
    known.training = !options.eval;
    known.orthogonal = options.orthogonal;
    auto resolved = resolveFeatureMap(map, std::move(known));
    if (!resolved)
      return resolved.takeError();
    spec.maps.push_back(std::move(*resolved));
  }
  if (spec.combination == Combination::Product) {
    int64_t features = 1;
    for (const FeatureMapSpec &map : spec.maps)
      if (llvm::MulOverflow(features, map.features, features) || features > kMaxSize)
        return makeError("--combine product has one feature for each pair of features, more than ", kMaxSize,
                         " here: use fewer --features");
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
  if (spec.model == Model::EncoderLayer)
    stream << "model=encoder-layer ";
  if (spec.model == Model::Classifier)
    stream << "model=classifier layers=" << spec.layers << " ";
  stream << "attention=" << attentionName(spec.attention);
  if (!spec.maps.empty()) {
    list("map", [](const FeatureMapSpec &m) { return m.info->name; });
    list("features", [](const FeatureMapSpec &m) { return m.features; });
  }
  if (spec.combination)
    stream << " combine=" << combinationName(*spec.combination);
  stream << " head_dim=" << spec.headDim;
  if (spec.attention != Attention::Features)
    stream << " value_dim=" << spec.valueDim << " causal=" << int(spec.causality == spectral::Causality::causal);
  stream << " dtype=" << elementTypeName(spec.elementType);
  return text;
}
