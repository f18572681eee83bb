//===- RunCheckTest.cpp - the comparison ----------------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The measure of --check and the weights of trigonometric maps.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Check.h"

#include <cmath>

using namespace bochner::run;
using testing::ElementsAre;

static Tensor f64(std::vector<int64_t> shape, const std::vector<double> &values) {
  return tensorOf<double>(kF64, std::move(shape), values);
}

TEST(RunCheck, MeasuresAgainstTheLargest) {
  Tensor reference = f64({2, 2}, {1, -4, 2, 0}), got = tensorOf<float>(kF32, {2, 2}, {1, -4, 2.5, 0.25});
  ResultError error = compare("out", got, reference, nullptr, 0.2);
  EXPECT_DOUBLE_EQ(error.maxAbs, 0.5);
  EXPECT_DOUBLE_EQ(error.maxRel, 0.125);
  EXPECT_DOUBLE_EQ(error.rmsRel, std::sqrt((0.25 + 0.0625) / 4) / 4);
  EXPECT_THAT(error.where, ElementsAre(1, 0));
  EXPECT_TRUE(error.passed);
  EXPECT_FALSE(compare("out", got, reference, nullptr, 0.1).passed);
  EXPECT_DOUBLE_EQ(compare("grad_q", got, reference, nullptr, 0.1, 50).maxRel, 0.01);
}

TEST(RunCheck, ComparesStridedResults) {
  Tensor got = f64({2, 2}, {1, 2, 3, 4}).permuted({1, 0});
  EXPECT_EQ(compare("out", got, f64({2, 2}, {1, 3, 2, 4}), nullptr, 1e-10).maxAbs, 0);
}

TEST(RunCheck, KeepsWhatIsNotFinite) {
  Tensor reference = f64({4}, {NAN, INFINITY, -INFINITY, 1});
  EXPECT_TRUE(compare("out", reference, reference, nullptr, 1e-10).passed);
  for (double other : {0.0, -1.0 * INFINITY, double(NAN)})
    EXPECT_FALSE(compare("out", f64({4}, {NAN, other, -INFINITY, 1}), reference, nullptr, 1e-10).passed) << other;
  Tensor weights = f64({4}, {0, 0, 0, 1});
  EXPECT_FALSE(compare("out", f64({4}, {1, INFINITY, -INFINITY, 1}), reference, &weights, 1e-10).passed);
}

TEST(RunCheck, AsksForZeroWhereEverythingIsZero) {
  EXPECT_TRUE(compare("out", f64({2}, {0, 0}), f64({2}, {0, 0}), nullptr, 1e-10).passed);
  EXPECT_FALSE(compare("out", f64({2}, {0, 1e-300}), f64({2}, {0, 0}), nullptr, 1e-10).passed);
  EXPECT_TRUE(compare("out", Tensor::create(kF64, {0, 3}), Tensor::create(kF64, {0, 3}), nullptr, 1e-10).passed);
}

TEST(RunCheck, WeightsRows) {
  Tensor weights = f64({2}, {1, 0.125}), reference = f64({2, 2}, {8, 0, 0, 0});
  ResultError error = compare("out", f64({2, 2}, {8, 1, 4, 0}), reference, &weights, 1);
  EXPECT_DOUBLE_EQ(error.maxAbs, 4);
  EXPECT_DOUBLE_EQ(error.maxRel, 0.125);
  EXPECT_THAT(error.where, ElementsAre(0, 1));
  EXPECT_TRUE(error.weighted);
}

/// What the reference returns for v = 1, rounded as it rounds.
static Tensor outputsForOnes(const std::vector<double> &denominators, double eps, int64_t width) {
  std::vector<double> out;
  for (double den : denominators)
    out.insert(out.end(), width, den / (den + eps));
  return f64({1, 1, int64_t(denominators.size()), width}, out);
}

TEST(RunCheck, FindsDenominators) {
  std::vector<double> denominators = {100, 25, -0.18, 1e-3, 1e5, 3e-7};
  Tensor weights = weightsFromOnes(outputsForOnes(denominators, 1e-6, 3));
  EXPECT_THAT(weights.shape, ElementsAre(1, 1, 6));
  for (size_t i = 0; i < denominators.size(); ++i)
    EXPECT_NEAR(valuesOf<double>(weights)[i] / (std::fabs(denominators[i]) / 1e5), 1, 1e-4) << denominators[i];
  EXPECT_EQ(valuesOf<double>(weights),
            valuesOf<double>(weightsFromDenominators(weights))); // the largest is 1 already
}

TEST(RunCheck, CountsRowsWithoutKeysInFull) {
  Tensor weights = weightsFromOnes(outputsForOnes({0, 10, 1}, 1e-6, 2));
  EXPECT_THAT(valuesOf<double>(weights), ElementsAre(1, 1, testing::DoubleNear(0.1, 1e-6)));
}

TEST(RunCheck, DoesWithoutWeightsWhereEpsIsTooSmall) {
  EXPECT_TRUE(weightsFromOnes(outputsForOnes({100, 1}, 0, 2)).shape.empty());
  EXPECT_TRUE(weightsFromOnes(outputsForOnes({100, 1}, 1e-15, 2)).shape.empty());
}

TEST(RunCheck, HasALimitForEachType) {
  EXPECT_EQ(errorLimit(kF64), 1e-10);
  EXPECT_EQ(errorLimit(kF32), 2e-5);
  EXPECT_EQ(errorLimit(kBF16), 2e-2);
  EXPECT_EQ(errorLimit(kF16), 4e-3);
}

TEST(RunCheck, NamesTheWorst) {
  CheckReport report;
  report.results.resize(3);
  for (ResultError &error : report.results) {
    error.limit = 1;
    error.passed = true;
  }
  report.results[1].maxRel = 0.5;
  EXPECT_EQ(&report.worst(), &report.results[1]);
  EXPECT_TRUE(report.passed());
  report.results[2].maxRel = NAN;
  report.results[2].passed = false;
  EXPECT_EQ(&report.worst(), &report.results[2]);
  EXPECT_FALSE(report.passed());
}
