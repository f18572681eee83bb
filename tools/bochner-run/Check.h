//===- Check.h - comparison with the reference ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compares results with those of route decompose in f64 for the same inputs.
//
// Trigonometric maps have denominators near zero, where any arithmetic loses digits. Rows are divided by den + eps, so
// their errors are weighted by |den + eps| over the largest of these. The reference tells it: with v = 1 it returns
// out = den / (den + eps), so (den + eps) / eps is 1 / (1 - out), and eps cancels from the weight. In f64 that is good
// to eight digits for eps = 1e-6 and den = 100. Where eps is too small for that, the result `den` serves if there is
// one, since eps does not matter beside it; otherwise errors count in full.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_CHECK_H
#define BOCHNER_TOOLS_RUN_CHECK_H

#include "Signature.h"

#include <optional>

namespace bochner::run {

struct ResultError {
  std::string name;
  double maxAbs = 0;                ///< largest difference, not weighted
  double maxRel = 0;                ///< largest weighted difference over `largest`: what the limit is for
  double rmsRel = 0;                ///< root of the mean square of the same
  double medianRel = 0, p99Rel = 0; ///< half and 99% of the same are at most so large
  double largest = 0;               ///< largest value of the reference
  double limit = 0;
  int64_t elements = 0, nonFinite = 0, nonFiniteReference = 0;
  bool weighted = false, passed = false;
  std::vector<int64_t> where;         ///< of maxRel, in the axes of the graph; empty if there are no elements
  std::vector<int64_t> whereAbs;      ///< of maxAbs
  double gotAbs = 0, expectedAbs = 0; ///< the two values there
};

/// What the errors of a trigonometric map are weighted by.
struct Denominators {
  int64_t rows = 0, nearZero = 0; ///< all of them, and those below 1% of the largest
  double smallestRel = 1;         ///< over the largest
};

struct CheckReport {
  std::vector<ResultError> results;
  std::optional<Denominators> denominators; ///< if the errors of `out` are weighted
  std::string note;                         ///< why weights could not be had; empty otherwise
  bool passed() const;
  /// The result that is worst in relation to its limit.
  const ResultError &worst() const;
};

/// The largest allowed error in relation to the largest output.
double errorLimit(DLDataType type);

/// Whether a gradient is zero but for rounding, such as that of the bias in front of a batch normalization. Its error
/// is measured against the largest gradient of the inputs, with a limit of its own.
bool isZeroGradient(const Tensor &reference, double largestGradient);
double zeroGradientLimit(DLDataType type);

/// `weights` has the leading axes of `reference`; nullptr for none. NaN and infinities count as equal to themselves
/// and as infinitely far from anything else. `scale` is a least value for `largest`.
ResultError compare(const std::string &name, const Tensor &got, const Tensor &reference, const Tensor *weights,
                    double limit, double scale = 0);

/// |den + eps| over the largest for outForOnes = den / (den + eps), row by row; an empty list of dimensions if eps is
/// too small to tell.
Tensor weightsFromOnes(const Tensor &outForOnes);
Tensor weightsFromDenominators(const Tensor &denominators);
Denominators describeDenominators(const Tensor &weights);

/// States of attention in the log domain: sums and normalizers times 2^maximum, feature by feature. How the power of
/// two is shared out is not part of the result, so both sides get the larger maximum of the two; all become f64.
void shareExponents(Tensor &maximum, Tensor &normalizer, Tensor &sums, Tensor &otherMaximum, Tensor &otherNormalizer,
                    Tensor &otherSums);

/// Runs the reference on `arguments`, those of `function`, and compares `results`. The results `state_maximum`,
/// `state_normalizer` and `state_sums` are those of a state.
CheckReport checkResults(const Signature &function, const std::vector<Tensor> &arguments, std::vector<Tensor> results,
                         const Signature &reference);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_CHECK_H
