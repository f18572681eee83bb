//===- ModelSpec.cpp - options of models and of training ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of resolveGraph() that is about what stands around attention.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/FeatureMapSpec.h"
#include <cmath>

using namespace bochner::graphs;
using llvm::Error;
using llvm::StringRef;

namespace {
/// An option, whether it is given, and its default or value.
struct Size {
  StringRef option;
  const std::optional<int64_t> &given;
  int64_t &value;
};
struct Number {
  StringRef option;
  const std::optional<double> &given;
  double &value;
  enum { Share, NotNegative, Positive } range;
};
} // namespace

/// That options which only some models have are not given to others.
static Error checkModelKind(const GraphOptions &options) {
  bool classifier = options.model == Model::Classifier;
  std::pair<bool, StringRef> ofLayers[] = {{options.feedForward.has_value(), "--feed-forward"},
                                           {options.dropout.has_value(), "--dropout"}};
  for (auto [isGiven, option] : ofLayers)
    if (isGiven && options.model == Model::None)
      return makeError(option, " is an option of layers: give --model encoder-layer or classifier");
  std::pair<bool, StringRef> ofClassifiers[] = {{options.vocabulary.has_value(), "--vocab"},
                                                {options.maxLength.has_value(), "--max-length"},
                                                {options.layers.has_value(), "--layers"},
                                                {options.classes.has_value(), "--classes"},
                                                {options.labels, "--labels"},
                                                {options.trainStep, "--train-step"}};
  for (auto [isGiven, option] : ofClassifiers)
    if (isGiven && !classifier)
      return makeError(option, " is an option of the classifier: give --model classifier");
  const OptimizerOptions &optimizer = options.optimizer;
  std::pair<bool, StringRef> ofOptimizers[] = {{optimizer.weightDecay.has_value(), "--weight-decay"},
                                               {optimizer.beta1.has_value(), "--beta1"},
                                               {optimizer.beta2.has_value(), "--beta2"},
                                               {optimizer.eps.has_value(), "--adam-eps"},
                                               {optimizer.clipNorm.has_value(), "--clip-norm"}};
  for (auto [isGiven, option] : ofOptimizers)
    if (isGiven && !options.trainStep)
      return makeError(option, " is an option of the optimizer: give --train-step");
  if (classifier && options.mask)
    return makeError("--mask does not apply to --model classifier, whose result is a mean over the tokens that count: "
                     "give --lengths");
  if (options.grad && options.trainStep)
    return makeError("expected --grad or --train-step, but got both: a step uses up the gradients");
  return Error::success();
}

/// That a layer can be built around attention.
static Error checkLayer(const GraphOptions &options) {
  StringRef attention = attentionName(options.attention);
  if (options.attention != Attention::Linear && options.attention != Attention::Softmax &&
      options.attention != Attention::GaussianKernel)
    return makeError("--attention ", attention, " does not apply to --model, only linear, softmax and gaussian_kernel");
  std::pair<bool, StringRef> given[] = {{options.decode, "--decode"},
                                        {options.packed, "--packed"},
                                        {options.kvHeads.has_value(), "--kv-heads"},
                                        {options.denominator.has_value(), "--denominator"},
                                        {options.prepare, "--prepare"}};
  for (auto [isGiven, option] : given)
    if (isGiven)
      return makeError(option, " does not apply to --model, which has one sequence of rows for queries and keys");
  if (!options.heads)
    return makeError("--model needs to know the number of heads: give --heads");
  return Error::success();
}

static Error resolveNumber(const Number &number) {
  if (!number.given)
    return Error::success();
  double value = number.value = *number.given;
  if (number.range == Number::Share && !(value >= 0 && value < 1))
    return makeError("expected ", number.option, " to be at least 0 and less than 1, but got ", formatNumber(value));
  if (number.range == Number::NotNegative && !(std::isfinite(value) && value >= 0))
    return makeError("expected ", number.option, " to be a number that is not negative, but got ", formatNumber(value));
  if (number.range == Number::Positive && !(std::isfinite(value) && value > 0))
    return makeError("expected ", number.option, " to be a positive number, but got ", formatNumber(value));
  return Error::success();
}

Error bochner::graphs::resolveModel(const GraphOptions &options, GraphSpec &spec) {
  if (Error e = checkModelKind(options))
    return e;
  spec.model = options.model;
  if (options.model == Model::None)
    return Error::success();
  if (Error e = checkLayer(options))
    return e;
  spec.layers = 2;
  spec.classes = 10;
  spec.vocabulary = 256; // bytes
  spec.maxLength = 2048;
  spec.feedForward = 4 * *options.heads * options.headDim.value_or(0);
  for (const Size &size :
       {Size{"--feed-forward", options.feedForward, spec.feedForward}, Size{"--layers", options.layers, spec.layers},
        Size{"--classes", options.classes, spec.classes}, Size{"--vocab", options.vocabulary, spec.vocabulary},
        Size{"--max-length", options.maxLength, spec.maxLength}})
    if (size.given) {
      size.value = *size.given;
      if (Error e = checkSize(size.option, size.value))
        return e;
    }
  const OptimizerOptions &optimizer = options.optimizer;
  double clipNorm = 0;
  for (const Number &number :
       {Number{"--dropout", options.dropout, spec.dropout, Number::Share},
        Number{"--weight-decay", optimizer.weightDecay, spec.optimizer.weightDecay, Number::NotNegative},
        Number{"--beta1", optimizer.beta1, spec.optimizer.beta1, Number::Share},
        Number{"--beta2", optimizer.beta2, spec.optimizer.beta2, Number::Share},
        Number{"--adam-eps", optimizer.eps, spec.optimizer.eps, Number::Positive},
        Number{"--clip-norm", optimizer.clipNorm, clipNorm, Number::Positive}})
    if (Error e = resolveNumber(number))
      return e;
  spec.optimizer.clipNorm = optimizer.clipNorm;
  spec.trainStep = options.trainStep;
  spec.labels = options.labels || (options.model == Model::Classifier && (options.grad || options.trainStep));
  return Error::success();
}
