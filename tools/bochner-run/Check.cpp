//===- Check.cpp - comparison with the reference -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Check.h for the measure.
//
//===----------------------------------------------------------------------===//
#include "Check.h"
#include "Bind.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bochner::run {

bool CheckReport::passed() const {
  return std::all_of(results.begin(), results.end(), [](const ResultError &error) { return error.passed; });
}

const ResultError &CheckReport::worst() const {
  return *std::max_element(results.begin(), results.end(), [](const ResultError &a, const ResultError &b) {
    return a.passed != b.passed ? a.passed : a.maxRel / a.limit < b.maxRel / b.limit;
  });
}

double errorLimit(DLDataType type) {
  if (type == kF64)
    return 1e-10;
  if (type == kBF16)
    return 2e-2;
  if (type == kF16)
    return 4e-3;
  return 2e-5;
}

static const double *doubles(const Tensor &tensor) { return static_cast<const double *>(tensor.data); }

static double largestFinite(const Tensor &compactF64) {
  double largest = 0;
  for (int64_t i = 0, e = compactF64.elements(); i < e; ++i)
    if (std::isfinite(doubles(compactF64)[i]))
      largest = std::max(largest, std::fabs(doubles(compactF64)[i]));
  return largest;
}

static double distance(double got, double reference) {
  if (got == reference || (std::isnan(got) && std::isnan(reference)))
    return 0;
  double difference = std::fabs(got - reference);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

/// Integers as well, which no other conversion makes floats of.
static Tensor toDoubles(const Tensor &tensor, const std::string &name) {
  if (isFloat(tensor.type))
    return tensor.converted(kF64, name).compact();
  Tensor integers = tensor.converted(kI64, name).compact(), doubles = Tensor::create(kF64, tensor.shape);
  const int64_t *from = static_cast<const int64_t *>(integers.data);
  std::copy_n(from, integers.elements(), static_cast<double *>(doubles.data));
  return doubles;
}

static std::vector<int64_t> indexOf(int64_t element, const std::vector<int64_t> &shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0; element /= shape[axis])
    index[axis] = element % shape[axis];
  return index;
}

/// The smallest value that `share` of all values do not exceed. Reorders them.
static double quantile(std::vector<double> &values, double share) {
  if (values.empty())
    return 0;
  auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size())));
  auto at = values.begin() + std::max<int64_t>(rank - 1, 0);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

ResultError compare(const std::string &name, const Tensor &got, const Tensor &reference, const Tensor *weights,
                    double limit, double scale) {
  Tensor actual = toDoubles(got, name), expected = toDoubles(reference, name);
  ResultError error;
  error.name = name;
  error.limit = limit;
  error.weighted = weights;
  error.largest = std::max(largestFinite(expected), scale);
  int64_t count = error.elements = expected.elements();
  int64_t row = weights && weights->elements() ? count / weights->elements() : std::max<int64_t>(count, 1);
  std::vector<double> differences(count);
  double sum = 0, most = -1, mostAbs = -1;
  int64_t at = 0, atAbs = 0;
  for (int64_t i = 0; i < count; ++i) {
    error.nonFinite += !std::isfinite(doubles(actual)[i]);
    error.nonFiniteReference += !std::isfinite(doubles(expected)[i]);
    double difference = distance(doubles(actual)[i], doubles(expected)[i]);
    if (difference > mostAbs) {
      mostAbs = difference;
      atAbs = i;
    }
    if (weights && difference > 0) // infinity times a weight of zero stays an error
      difference = std::isfinite(difference) ? difference * doubles(*weights)[i / row] : difference;
    differences[i] = difference;
    sum += difference * difference;
    if (difference > most) {
      most = difference;
      at = i;
    }
  }
  // Where the reference is zero throughout, only zero is right.
  auto relative = [&](double value) {
    return value == 0 ? 0 : error.largest > 0 ? value / error.largest : std::numeric_limits<double>::infinity();
  };
  error.maxAbs = std::max(mostAbs, 0.0);
  error.maxRel = relative(std::max(most, 0.0));
  error.rmsRel = relative(count ? std::sqrt(sum / count) : 0);
  error.medianRel = relative(quantile(differences, 0.5));
  error.p99Rel = relative(quantile(differences, 0.99));
  error.passed = error.maxRel <= limit;
  if (count) {
    error.where = indexOf(at, expected.shape);
    error.whereAbs = indexOf(atAbs, expected.shape);
    error.gotAbs = doubles(actual)[atAbs];
    error.expectedAbs = doubles(expected)[atAbs];
  }
  return error;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Tensor weightsFromDenominators(const Tensor &denominators) {
  Tensor den = denominators.converted(kF64, "den").compact(), weights = Tensor::create(kF64, den.shape);
  double largest = largestFinite(den);
  for (int64_t i = 0, e = den.elements(); i < e; ++i) {
    double value = std::fabs(doubles(den)[i]);
    // Rows without any key are zero exactly; no digits are lost there, whatever the denominator. NaN counts in full.
    static_cast<double *>(weights.data)[i] = value > 0 && largest > 0 ? std::min(value / largest, 1.0) : 1.0;
  }
  return weights;
}

Tensor weightsFromOnes(const Tensor &outForOnes) {
  Tensor out = outForOnes.converted(kF64, "out").compact();
  std::vector<int64_t> rows(out.shape.begin(), out.shape.end() - 1);
  Tensor sums = Tensor::create(kF64, rows); // (den + eps) / eps
  constexpr double kUnit = std::numeric_limits<double>::epsilon();
  double clearest = 0;
  for (int64_t i = 0, e = sums.elements(), width = out.shape.back(); i < e; ++i) {
    double value = width ? doubles(out)[i * width] : 0, rest = 1 - value;
    if (std::isfinite(rest))
      clearest = std::max(clearest, std::fabs(rest));
    double known = std::fabs(rest) < kUnit ? kUnit : rest;
    static_cast<double *>(sums.data)[i] = value == 0 ? 0 : 1 / known; // 0: a row without keys
  }
  // The rest is known to about one unit; sums below eps / clearest do not occur.
  if (clearest < 64 * kUnit)
    return Tensor();
  return weightsFromDenominators(sums);
}

Denominators describeDenominators(const Tensor &weights) {
  constexpr double kNearZero = 0.01;
  Denominators result;
  result.rows = weights.elements();
  for (int64_t i = 0; i < result.rows; ++i) {
    result.nearZero += doubles(weights)[i] < kNearZero;
    result.smallestRel = std::min(result.smallestRel, doubles(weights)[i]);
  }
  return result;
}

/// Whether any of the function's maps is made of sines and cosines.
static bool isTrigonometric(const Signature &function) {
  std::string maps = function.attribute("map") + ",";
  for (size_t begin = 0, end; (end = maps.find(',', begin)) != std::string::npos; begin = end + 1) {
    std::string map = maps.substr(begin, end - begin);
    bool isSpectral = map.size() > 4 && map.compare(map.size() - 4, 4, "_rks") == 0;
    if (isSpectral || map == "rff" || map == "alacarte")
      return true;
  }
  return false;
}

static Tensor ones(const std::vector<int64_t> &shape) {
  Tensor tensor = Tensor::create(kF64, shape);
  std::fill_n(static_cast<double *>(tensor.data), tensor.elements(), 1.0);
  return tensor;
}

/// Whether the function goes on from a state that is there. What it sums up in it is not v = 1.
static bool continuesState(const Signature &reference, const std::vector<Tensor> &arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = reference.arguments[i]->name;
    if (name.compare(0, 5, "state") == 0 && isFloat(arguments[i].type) &&
        largestFinite(arguments[i].converted(kF64, name).compact()) > 0)
      return true;
  }
  return false;
}

/// One weight for each row of `out`; an empty tensor if there are none, with the reason in `note` if there should be.
static Tensor findWeights(const Signature &function, const Signature &reference, std::vector<Tensor> arguments,
                          const std::vector<Tensor> &expected, std::string &note) {
  int out = reference.findResult("out"), den = reference.findResult("den"), value = reference.findArgument("v");
  if (!isTrigonometric(function) || out < 0 || value < 0 || expected[out].rank() != 4)
    return Tensor();
  bool hasState = continuesState(reference, arguments);
  if (!hasState) {
    arguments[value] = ones(arguments[value].shape);
    std::vector<Tensor> results = reference.createResults(arguments, Layout::BHND);
    Invocation(reference, arguments, results).run();
    Tensor weights = weightsFromOnes(results[out]);
    if (!weights.shape.empty() || !results[out].elements())
      return weights;
  }
  if (den >= 0 && expected[den].rank() == 3)
    return weightsFromDenominators(expected[den]);
  note = concat("errors are not weighted by the denominator: ",
                hasState ? "a state is given, and its share cannot be told" : "eps is too small to tell it");
  return Tensor();
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

void shareExponents(Tensor &maximum, Tensor &normalizer, Tensor &sums, Tensor &otherMaximum, Tensor &otherNormalizer,
                    Tensor &otherSums) {
  for (Tensor *tensor : {&maximum, &normalizer, &sums, &otherMaximum, &otherNormalizer, &otherSums})
    *tensor = tensor->converted(kF64, "state").compact();
  int64_t features = maximum.elements(), width = features ? sums.elements() / features : 0;
  auto at = [](Tensor &tensor, int64_t i) -> double & { return static_cast<double *>(tensor.data)[i]; };
  for (int64_t f = 0; f < features; ++f) {
    double shared = std::max(at(maximum, f), at(otherMaximum, f));
    auto rescale = [&](Tensor &r, Tensor &z, Tensor &s) {
      double factor = std::exp2(at(r, f) - shared);
      at(r, f) = shared;
      at(z, f) *= factor;
      for (int64_t m = 0; m < width; ++m)
        at(s, f * width + m) *= factor;
    };
    rescale(maximum, normalizer, sums);
    rescale(otherMaximum, otherNormalizer, otherSums);
  }
}

/// Gives the states of both sides the same exponents, if there are any.
static void shareExponents(const Signature &function, std::vector<Tensor> &results, const Signature &reference,
                           std::vector<Tensor> &expected) {
  const char *names[] = {"state_maximum", "state_normalizer", "state_sums"};
  Tensor *tensors[6];
  for (int i = 0; i < 3; ++i) {
    int got = function.findResult(names[i]), wanted = reference.findResult(names[i]);
    if (got < 0 || wanted < 0 || results[got].shape != expected[wanted].shape)
      return;
    tensors[i] = &results[got];
    tensors[3 + i] = &expected[wanted];
  }
  int64_t features = tensors[0]->elements();
  if (tensors[1]->elements() == features && (!features || tensors[2]->elements() % features == 0))
    shareExponents(*tensors[0], *tensors[1], *tensors[2], *tensors[3], *tensors[4], *tensors[5]);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

bool isZeroGradient(const Tensor &reference, double largestGradient) {
  constexpr double kRounding = 1e-12;
  return largestFinite(reference.converted(kF64, "gradient").compact()) <= kRounding * largestGradient;
}

double zeroGradientLimit(DLDataType type) {
  // What cancels are sums over all rows, of which single precision has fewer digits left.
  return type == kF32 ? 1e-5 : errorLimit(type);
}

CheckReport checkResults(const Signature &function, const std::vector<Tensor> &arguments, std::vector<Tensor> results,
                         const Signature &reference) {
  // A reference that rounds as the function does would agree with anything.
  for (const bochner_tensor_info_t *result : reference.results)
    if (isFloat(result->dtype) && result->dtype != kF64)
      throw Failure(InternalError, concat("expected the reference to return '", result->name, "' in f64, but got ",
                                          typeName(result->dtype)));
  std::vector<Tensor> converted = convertArguments(function, arguments, reference);
  std::vector<Tensor> expected = reference.createResults(converted, Layout::BHND);
  Invocation(reference, converted, expected).run();
  shareExponents(function, results, reference, expected);

  CheckReport report;
  Tensor weights = findWeights(function, reference, converted, expected, report.note);
  if (!weights.shape.empty())
    report.denominators = describeDenominators(weights);
  // A gradient that is small beside the others is measured against them, not against itself.
  double largestGradient = 0;
  for (const char *name : {"grad_q", "grad_k", "grad_v", "grad_x"})
    if (int index = reference.findResult(name); index >= 0)
      largestGradient = std::max(largestGradient, largestFinite(expected[index]));
  // Rows that a state of fewer digits hands on are as inexact as it is.
  double limit = errorLimit(function.elementType());
  for (size_t i = 0; i < function.results.size(); ++i)
    if (function.updatedArgument(i) >= 0 && isFloat(function.results[i]->dtype))
      limit = std::max(limit, errorLimit(function.results[i]->dtype));
  for (size_t i = 0; i < function.results.size(); ++i) {
    std::string name = function.results[i]->name;
    int index = reference.findResult(name);
    if (index < 0 || expected[index].shape != results[i].shape)
      throw Failure(InternalError, concat("the reference does not return '", name, "' of the same shape"));
    bool isGradient = name.compare(0, 5, "grad_") == 0, isWeighted = name == "out" && !weights.shape.empty();
    double limitOfResult = limit, scale = 0;
    if (isGradient) {
      bool isZero = isZeroGradient(expected[index], largestGradient);
      limitOfResult = isZero ? zeroGradientLimit(function.elementType()) : limit;
      scale = isZero ? largestGradient : 1e-3 * largestGradient;
    }
    report.results.push_back(
        compare(name, results[i], expected[index], isWeighted ? &weights : nullptr, limitOfResult, scale));
  }
  return report;
}

} // namespace bochner::run
