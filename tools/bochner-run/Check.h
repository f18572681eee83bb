//===- Check.h - comparison with the reference ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compares results with those of route decompose in f64 for the same inputs.
//
// Trigonometric maps have denominators near zero, where any arithmetic loses digits. Their errors are weighted by
// |den| / max |den|. The denominator comes from the reference as well: it is the result `den` if there is one;
// otherwise the reference runs once more with v = 1, which gives out = den / (den + eps), so den / eps is
// out / (1 - out), and eps cancels from the weight. In f64 that is good to eight digits for eps = 1e-6 and den = 100.
// Where eps is too small for that, errors count in full.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_CHECK_H
#define BOCHNER_TOOLS_RUN_CHECK_H

#include "Signature.h"

namespace bochner::run {

struct ResultError {
  std::string name;
  double maxAbs = 0;  ///< largest difference, not weighted
  double maxRel = 0;  ///< largest weighted difference over `largest`: what the limit is for
  double rmsRel = 0;  ///< root of the mean square of the same
  double largest = 0; ///< largest value of the reference
  double limit = 0;
  bool weighted = false, passed = false;
  std::vector<int64_t> where; ///< of maxRel, in the axes of the graph; empty if there are no elements
};

struct CheckReport {
  std::vector<ResultError> results;
  std::string note; ///< why weights could not be had; empty otherwise
  bool passed() const;
  /// The result that is worst in relation to its limit.
  const ResultError &worst() const;
};

/// The largest allowed error in relation to the largest output.
double errorLimit(DLDataType type);

/// `weights` has the leading axes of `reference`; nullptr for none. NaN and infinities count as equal to themselves
/// and as infinitely far from anything else. `scale` is a least value for `largest`.
ResultError compare(const std::string &name, const Tensor &got, const Tensor &reference, const Tensor *weights,
                    double limit, double scale = 0);

/// |den| / max |den| for out = den / (den + eps), rows by rows of `outForOnes`; an empty list of dimensions if eps is
/// too small to tell.
Tensor weightsFromOnes(const Tensor &outForOnes);
Tensor weightsFromDenominators(const Tensor &denominators);

/// Runs the reference on `arguments`, those of `function`, and compares `results`.
CheckReport checkResults(const Signature &function, const std::vector<Tensor> &arguments,
                         const std::vector<Tensor> &results, const Signature &reference);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_CHECK_H
