//===- CpuMathTest.cpp - errors of the functions of kernels ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operations that CpuMath builds, interpreted as a CPU computes them, against the C library in more precision: the
// errors that CpuMath.h promises, with fused multiplication and without.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/CpuMath.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/bit.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>
#include <map>
#include <utility>

using namespace mlir;
using namespace bochner;

namespace {

template <typename Float> using BitsOf = std::conditional_t<sizeof(Float) == 8, uint64_t, uint32_t>;

/// A function of one number, as operations of a block.
template <typename Float> class Built {
public:
  using Bits = BitsOf<Float>;

  explicit Built(bool hasFma, function_ref<Value(CpuMath &, Value)> build) {
    context.loadDialect<arith::ArithDialect, math::MathDialect>();
    OpBuilder b(&context);
    Location loc = b.getUnknownLoc();
    argument = block.addArgument(sizeof(Float) == 8 ? Type(b.getF64Type()) : b.getF32Type(), loc);
    b.setInsertionPointToEnd(&block);
    CpuMath math(b, loc, hasFma);
    result = build(math, argument);
  }

  Float operator()(Float t) {
    values[argument] = llvm::bit_cast<Bits>(t);
    for (Operation &op : block)
      values[op.getResult(0)] = evaluate(&op);
    return llvm::bit_cast<Float>(values.at(result));
  }

private:
  Bits evaluate(Operation *op) {
    auto bits = [&](unsigned i) { return values.at(op->getOperand(i)); };
    auto number = [&](unsigned i) { return llvm::bit_cast<Float>(bits(i)); };
    auto of = [](Float value) { return llvm::bit_cast<Bits>(value); };
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      if (auto real = dyn_cast<FloatAttr>(constant.getValue()))
        return static_cast<Bits>(real.getValue().bitcastToAPInt().getZExtValue());
      return static_cast<Bits>(cast<IntegerAttr>(constant.getValue()).getValue().getZExtValue());
    }
    if (isa<arith::AddFOp>(op))
      return of(number(0) + number(1));
    if (isa<arith::SubFOp>(op))
      return of(number(0) - number(1));
    if (isa<arith::MulFOp>(op))
      return of(number(0) * number(1));
    if (isa<math::FmaOp>(op))
      return of(std::fma(number(0), number(1), number(2)));
    if (isa<arith::AddIOp>(op))
      return bits(0) + bits(1);
    if (isa<arith::ShLIOp>(op))
      return bits(0) << bits(1);
    if (isa<arith::AndIOp>(op))
      return bits(0) & bits(1);
    if (isa<arith::XOrIOp>(op))
      return bits(0) ^ bits(1);
    if (isa<arith::BitcastOp>(op))
      return bits(0);
    if (isa<arith::SelectOp>(op))
      return bits(0) ? bits(1) : bits(2);
    if (auto compare = dyn_cast<arith::CmpFOp>(op))
      return compare.getPredicate() == arith::CmpFPredicate::OLT ? number(0) < number(1) : number(0) > number(1);
    EXPECT_TRUE(isa<arith::CmpIOp>(op)) << op->getName().getStringRef().str();
    return bits(0) != bits(1);
  }

  MLIRContext context;
  Block block;
  Value argument, result;
  struct Less {
    bool operator()(Value x, Value y) const { return x.getAsOpaquePointer() < y.getAsOpaquePointer(); }
  };
  std::map<Value, Bits, Less> values;
};

/// The largest of `error(t, f(t))` from `first` to `last`, with many fractions.
template <typename Float>
double largestError(Built<Float> &f, double first, double last, function_ref<double(Float, Float)> error) {
  double largest = 0;
  constexpr int kSamples = 20000;
  for (int i = 0; i <= kSamples; ++i) {
    Float t = static_cast<Float>(first + (last - first) * i / kSamples);
    largest = std::max(largest, error(t, f(t)));
  }
  return largest;
}

template <typename Float> double errorOfExp2(Float t, Float got) {
  long double want = std::exp2(static_cast<long double>(t));
  return static_cast<double>(std::fabs((got - want) / want));
}

template <typename Float> class CpuMathTest : public testing::Test {
protected:
  static constexpr double kUnit = std::numeric_limits<Float>::epsilon();
  static constexpr double kHighest = sizeof(Float) == 8 ? 1024 : 128;
};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(CpuMathTest, Floats);

TYPED_TEST(CpuMathTest, PowersOfTwo) {
  double high = this->kHighest;
  for (bool hasFma : {true, false}) {
    Built<TypeParam> exact(hasFma, [](CpuMath &math, Value t) { return math.exp2(t); });
    Built<TypeParam> bounded(hasFma, [](CpuMath &math, Value t) { return math.exp2Bounded(t); });
    for (auto [first, last] : {std::pair(-1.0, 1.0), std::pair(2 - high, high - 1)}) {
      EXPECT_LE(largestError<TypeParam>(exact, first, last, errorOfExp2<TypeParam>), this->kUnit);
      EXPECT_LE(largestError<TypeParam>(bounded, first, last, errorOfExp2<TypeParam>), this->kUnit);
    }
    EXPECT_EQ(exact(0), 1);
    EXPECT_EQ(exact(static_cast<TypeParam>(high)), std::numeric_limits<TypeParam>::infinity());
    EXPECT_EQ(exact(static_cast<TypeParam>(1 - high)), 0);
    EXPECT_EQ(bounded(static_cast<TypeParam>(-2 * high)), std::numeric_limits<TypeParam>::min());
    EXPECT_TRUE(std::isnan(exact(std::numeric_limits<TypeParam>::quiet_NaN())));
  }
}

TYPED_TEST(CpuMathTest, CoarsePowersOfTwo) {
  double high = this->kHighest;
  for (bool hasFma : {true, false}) {
    Built<TypeParam> coarse(hasFma, [](CpuMath &math, Value t) { return math.exp2Coarse(t); });
    for (auto [first, last] : {std::pair(-1.0, 1.0), std::pair(3 - high, high - 1)})
      EXPECT_LE(largestError<TypeParam>(coarse, first, last, errorOfExp2<TypeParam>), 7.5e-5);
    // What is a little less than the smallest normal number loses a bit.
    EXPECT_LE(largestError<TypeParam>(coarse, 2 - high, 3 - high, errorOfExp2<TypeParam>), 1.5e-4);
    EXPECT_EQ(coarse(static_cast<TypeParam>(-2 * high)), coarse(static_cast<TypeParam>(2 - high)));
  }
}

TYPED_TEST(CpuMathTest, CosinesAndSines) {
  for (bool hasFma : {true, false}) {
    Built<TypeParam> cosine(hasFma, [](CpuMath &math, Value t) { return math.cosSinQuarter(t).first; });
    Built<TypeParam> sine(hasFma, [](CpuMath &math, Value t) { return math.cosSinQuarter(t).second; });
    constexpr long double kQuarter = 1.5707963267948966192313216916397514L;
    for (double range : {1.0, 100.0}) {
      EXPECT_LE(largestError<TypeParam>(
                    cosine, -range, range,
                    [&](TypeParam t, TypeParam got) -> double { return std::fabs(got - std::cos(kQuarter * t)); }),
                1.5 * this->kUnit);
      EXPECT_LE(largestError<TypeParam>(
                    sine, -range, range,
                    [&](TypeParam t, TypeParam got) -> double { return std::fabs(got - std::sin(kQuarter * t)); }),
                1.5 * this->kUnit);
    }
  }
}

} // namespace
