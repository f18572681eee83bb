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

TEST(RunCheck, KnowsGradientsThatAreZeroButForRounding) {
  EXPECT_TRUE(isZeroGradient(f64({2}, {1e-15, -2e-15}), 1));
  EXPECT_TRUE(isZeroGradient(f64({2}, {0, 0}), 0));
  EXPECT_FALSE(isZeroGradient(f64({2}, {1e-15, 1e-11}), 1));
  EXPECT_EQ(zeroGradientLimit(kF64), 1e-10);
  EXPECT_EQ(zeroGradientLimit(kF32), 1e-5);
  EXPECT_EQ(zeroGradientLimit(kBF16), errorLimit(kBF16));
}

TEST(RunCheck, DescribesTheDistribution) {
  std::vector<double> values(200), reference(200, 1.0);
  reference[7] = -8;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = reference[i] + double((i * 37) % 200 + 1); // 1 to 200 in another order
  ResultError error = compare("out", f64({2, 100}, values), f64({2, 100}, reference), nullptr, 100);
  EXPECT_DOUBLE_EQ(error.medianRel, 100.0 / 8);
  EXPECT_DOUBLE_EQ(error.p99Rel, 198.0 / 8);
  EXPECT_EQ(error.largest, 8);
  EXPECT_EQ(error.elements, 200);
  EXPECT_EQ(error.nonFinite, 0);
  ResultError one = compare("out", f64({1}, {3}), f64({1}, {2}), nullptr, 100);
  EXPECT_EQ(one.medianRel, 0.5);
  EXPECT_EQ(one.p99Rel, 0.5);
}

TEST(RunCheck, ComparesStatesUpToTheirExponents) {
  Tensor r = f64({1, 1, 2}, {3, 0}), z = f64({1, 1, 2}, {1, 2}), s = f64({1, 1, 2, 2}, {1, 2, 3, 4});
  Tensor r2 = f64({1, 1, 2}, {1, 5}), z2 = f64({1, 1, 2}, {4, 0.0625}), s2 = f64({1, 1, 2, 2}, {4, 8, 3. / 32, 0.125});
  shareExponents(r, z, s, r2, z2, s2);
  EXPECT_EQ(compare("r", r, r2, nullptr, 1).maxAbs, 0);
  EXPECT_EQ(compare("z", z, z2, nullptr, 1).maxAbs, 0);
  EXPECT_EQ(compare("s", s, s2, nullptr, 1).maxAbs, 0);
  EXPECT_EQ(static_cast<double *>(r.data)[0], 3);
  EXPECT_EQ(static_cast<double *>(s2.data)[0], 1);
}

TEST(RunCheck, CountsWhatIsNotFinite) {
  ResultError error = compare("out", f64({4}, {NAN, INFINITY, 1, 2}), f64({4}, {NAN, 1, 1, 2}), nullptr, 1);
  EXPECT_EQ(error.elements, 4);
  EXPECT_EQ(error.nonFinite, 2);
  EXPECT_EQ(error.nonFiniteReference, 1);
}

TEST(RunCheck, ComparesIntegers) {
  Tensor reference = tensorOf<int64_t>(kI64, {3}, {1, 2, 300}), got = tensorOf<int32_t>(kI32, {3}, {1, 2, 300});
  EXPECT_TRUE(compare("n", got, reference, nullptr, 1e-10).passed);
  EXPECT_FALSE(compare("n", tensorOf<int32_t>(kI32, {3}, {1, 2, 299}), reference, nullptr, 2e-5).passed);
  Tensor mask = tensorOf<uint8_t>(kBool, {2}, {1, 0});
  EXPECT_EQ(compare("mask", tensorOf<uint8_t>(kBool, {2}, {1, 1}), mask, nullptr, 1e-10).maxAbs, 1);
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
  EXPECT_THAT(error.whereAbs, ElementsAre(1, 0));
  EXPECT_EQ(error.gotAbs, 4);
  EXPECT_EQ(error.expectedAbs, 0);
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
    EXPECT_NEAR(valuesOf<double>(weights)[i] / (std::fabs(denominators[i] + 1e-6) / 1e5), 1, 1e-4) << denominators[i];
  EXPECT_EQ(valuesOf<double>(weights),
            valuesOf<double>(weightsFromDenominators(weights))); // the largest is 1 already
}

TEST(RunCheck, WeighsWhatRowsAreDividedBy) {
  // den + eps is near zero in the second row, den is not; in the third row it is the other way round.
  Tensor weights = weightsFromOnes(outputsForOnes({9, -1 + 1e-6, 1e-6, -3}, 1, 2));
  EXPECT_THAT(valuesOf<double>(weights), ElementsAre(1, testing::DoubleNear(1e-7, 1e-12),
                                                     testing::DoubleNear(0.1, 1e-6), testing::DoubleNear(0.2, 1e-12)));
}

TEST(RunCheck, CountsRowsWithoutKeysInFull) {
  Tensor weights = weightsFromOnes(outputsForOnes({0, 10, 1}, 1e-6, 2));
  EXPECT_THAT(valuesOf<double>(weights), ElementsAre(1, 1, testing::DoubleNear(0.1, 1e-6)));
}

TEST(RunCheck, DoesWithoutWeightsWhereEpsIsTooSmall) {
  EXPECT_TRUE(weightsFromOnes(outputsForOnes({100, 1}, 0, 2)).shape.empty());
  EXPECT_TRUE(weightsFromOnes(outputsForOnes({100, 1}, 1e-15, 2)).shape.empty());
}

TEST(RunCheck, CountsDenominatorsNearZero) {
  // Rows without keys and NaN are not near zero.
  Denominators found = describeDenominators(weightsFromDenominators(f64({2, 3}, {-8, 4, 0.072, -0.088, 0, NAN})));
  EXPECT_EQ(found.rows, 6);
  EXPECT_EQ(found.nearZero, 1);
  EXPECT_EQ(found.smallestRel, 0.009);
  EXPECT_EQ(describeDenominators(f64({0}, {})).rows, 0);
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
