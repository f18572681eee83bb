//===- ExpandMath.cpp - elementary functions as polynomials ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: math operations on f32 and f64. Output: arith operations without branches. CpuMath has the base functions with
// arguments scaled for kernels (2^t, quarter turns); here the scaling keeps the bits that it rounds off.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/CpuMath.h"
#include "lib/Passes.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

namespace bochner {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;

namespace {
/// What the functions of C's <math.h> are in terms of CpuMath, for one operation.
class Expander {
public:
  Expander(OpBuilder &b, Location loc, bool hasFma, Value x)
      : b(b), loc(loc), math(b, loc, hasFma), x(x), wide(getElementTypeOrSelf(x).isF64()), hasFma(hasFma) {}

  Value exp(Value x);
  Value expm1();
  Value log() { return math.log(x); }
  Value logOfBase(double factor) { return mul(math.log(x), constant(factor)); }
  Value log1p();
  Value cosOrSin(bool wantCos);
  Value tanh();
  Value erf();
  Value rsqrt() { return div(constant(1), math::SqrtOp::create(b, loc, x)); }
  Value exp() { return exp(x); }
  Value exp2() { return math.exp2(x); }

private:
  Value constant(double value) { return math.constant(value, x); }
  Value add(Value l, Value r) { return arith::AddFOp::create(b, loc, l, r); }
  Value sub(Value l, Value r) { return arith::SubFOp::create(b, loc, l, r); }
  Value mul(Value l, Value r) { return arith::MulFOp::create(b, loc, l, r); }
  Value div(Value l, Value r) { return arith::DivFOp::create(b, loc, l, r); }
  Value polynomial(ArrayRef<double> highestFirst, Value z);
  /// `then` where x equals `value`.
  Value chooseIf(Value left, double value, Value then, Value otherwise);
  /// {high, low} with high + low == v, each of half the digits (T. J. Dekker).
  std::pair<Value, Value> split(Value v);
  /// {factor * x rounded, what rounding lost}, where the factor has the digits `factorRest` beyond its type.
  std::pair<Value, Value> scale(Value x, double factor, double factorRest);

  OpBuilder &b;
  Location loc;
  CpuMath math;
  Value x;
  bool wide, hasFma;
};
} // namespace

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value Expander::polynomial(ArrayRef<double> highestFirst, Value z) {
  Value p = constant(highestFirst[0]);
  for (double c : highestFirst.drop_front())
    p = math.fma(p, z, constant(c));
  return p;
}

Value Expander::chooseIf(Value left, double value, Value then, Value otherwise) {
  Value equal = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, left, constant(value));
  return arith::SelectOp::create(b, loc, equal, then, otherwise);
}

std::pair<Value, Value> Expander::split(Value v) {
  Value scaled = mul(v, constant(wide ? 134217729.0 : 4097.0)); // 2^27 + 1, 2^12 + 1
  Value high = sub(scaled, sub(scaled, v));
  return {high, sub(v, high)};
}

std::pair<Value, Value> Expander::scale(Value x, double factor, double factorRest) {
  Value c = constant(factor), scaled = mul(x, c), lost;
  if (hasFma) {
    lost = math.fma(x, c, sub(constant(0), scaled));
  } else {
    auto [xHigh, xLow] = split(x);
    auto [cHigh, cLow] = split(c);
    lost = sub(mul(xHigh, cHigh), scaled);
    lost = add(add(lost, mul(xHigh, cLow)), mul(xLow, cHigh));
    lost = add(lost, mul(xLow, cLow));
  }
  return {scaled, math.fma(x, constant(factorRest), lost)};
}

/// exp(x) = 2^(t + d) = 2^t (1 + d ln 2) with t = x log2(e) rounded.
Value Expander::exp(Value x) {
  // Beyond these bounds the result is infinity or 0, and d would not be finite.
  x = math.atMost(math.atLeast(x, wide ? -746 : -104), wide ? 710 : 89);
  double log2e = wide ? 1.4426950408889634 : 1.44269502162933349609375;
  double rest = wide ? 2.0355273740931033e-17 : 1.925963033500011e-08;
  auto [t, d] = scale(x, log2e, rest);
  return mul(math.exp2(t), math.fma(d, constant(0.6931471805599453), constant(1)));
}

/// With u = exp(x) rounded, (u - 1) x / log(u): the errors of numerator and denominator cancel (W. Kahan).
Value Expander::expm1() {
  Value one = constant(1), u = exp(x), difference = sub(u, one);
  Value result = mul(difference, div(x, math.log(u)));
  result = chooseIf(u, 1, x, result);
  result = chooseIf(difference, -1, constant(-1), result);
  return chooseIf(u, kInfinity, u, result);
}

Value Expander::log1p() {
  Value result = chooseIf(x, -1, constant(-kInfinity), math.log1p(x));
  return chooseIf(x, kInfinity, x, result);
}

/// With t = (2 / pi) x rounded and d the rest in radians, cos(x) = cos t - d sin t, sin(x) = sin t + d cos t.
Value Expander::cosOrSin(bool wantCos) {
  double quarter = wide ? 0.6366197723675814 : 0.63661974668502807617187500;
  double rest = wide ? -3.935735335036497e-17 : 2.5682552973285e-08;
  auto [t, lost] = scale(x, quarter, rest);
  Value d = mul(lost, constant(1.5707963267948966));
  auto [cosine, sine] = math.cosSinQuarter(t);
  if (wantCos)
    return math.fma(sub(constant(0), d), sine, cosine);
  return math.fma(d, cosine, sine);
}

/// An odd function near 0, where 1 - 2 / (1 + exp(2 x)) would cancel (coefficients of Cephes).
Value Expander::tanh() {
  static constexpr double single[] = {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                                      -3.33332819422e-1};
  static constexpr double numerator[] = {-9.64399179425052238628e-1, -9.92877231001918586564e1,
                                         -1.61468768441708447952e3};
  static constexpr double denominator[] = {1.0, 1.12811678491632931402e2, 2.23548839060100448583e3,
                                           4.84406305325125486048e3};
  Value z = mul(x, x);
  Value p = wide ? div(polynomial(numerator, z), polynomial(denominator, z)) : polynomial(single, z);
  Value small = math.fma(mul(x, z), p, x);
  Value isSmall = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, z, constant(0.625 * 0.625));
  return arith::SelectOp::create(b, loc, isSmall, small, math.tanh(x));
}

/// x P(x^2) / Q(x^2), fitted on [0, 3.925], where erf rounds to 1; relative error 4e-7.
Value Expander::erf() {
  static constexpr double numerator[] = {2.063515239569824e-06, 0.0002836138301063329, 0.0037016114220023155,
                                         0.05254955589771271,   0.18889091908931732,   1.1283791065216064};
  static constexpr double denominator[] = {3.8165540900081396e-05, 0.00114738498814404, 0.014840088784694672,
                                           0.1134839579463005,     0.5007331967353821,  1.0};
  Value clamped = math.atMost(math.atLeast(x, -3.925), 3.925);
  Value z = mul(clamped, clamped);
  Value ratio = div(polynomial(numerator, z), polynomial(denominator, z));
  return math.atMost(math.atLeast(mul(clamped, ratio), -1), 1);
}

/// The operation as arithmetic, or null.
static Value expand(Operation *op, OpBuilder &b, bool hasFma) {
  auto isExpandable = [](Type type) {
    auto vector = dyn_cast<VectorType>(type);
    Type element = vector && !vector.isScalable() ? vector.getElementType() : type;
    return element.isF32() || element.isF64();
  };
  if (op->getNumOperands() != 1 || op->getNumResults() != 1 || !isExpandable(op->getOperand(0).getType()))
    return {};
  Expander e(b, op->getLoc(), hasFma, op->getOperand(0));
  bool wide = getElementTypeOrSelf(op->getOperand(0)).isF64();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return e.exp(); })
      .Case([&](math::Exp2Op) { return e.exp2(); })
      .Case([&](math::ExpM1Op) { return e.expm1(); })
      .Case([&](math::LogOp) { return e.log(); })
      .Case([&](math::Log2Op) { return e.logOfBase(1.4426950408889634); })
      .Case([&](math::Log10Op) { return e.logOfBase(0.4342944819032518); })
      .Case([&](math::Log1pOp) { return e.log1p(); })
      .Case([&](math::SinOp) { return e.cosOrSin(/*wantCos=*/false); })
      .Case([&](math::CosOp) { return e.cosOrSin(/*wantCos=*/true); })
      .Case([&](math::TanhOp) { return e.tanh(); })
      .Case([&](math::ErfOp) { return wide ? Value() : e.erf(); })
      .Case([&](math::RsqrtOp) { return e.rsqrt(); })
      .Default([](Operation *) { return Value(); });
}

namespace {
struct ExpandMath : bochner::impl::ExpandMathPassBase<ExpandMath> {
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (!isa_and_present<math::MathDialect>(op->getDialect()))
        return;
      OpBuilder b(op);
      if (Value value = expand(op, b, fma)) {
        op->replaceAllUsesWith(ValueRange(value));
        op->erase();
      }
    });
  }
};
} // namespace
