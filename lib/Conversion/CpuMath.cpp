//===- CpuMath.cpp - base functions as polynomials ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Range reduction adds 1.5 * 2^p (p = mantissa bits), which rounds to an integer and leaves that integer in the low
// bits; one subtraction recovers it. Coefficients are interpolations at Chebyshev nodes, computed with 60 digits.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/CpuMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"
#include <limits>

using namespace mlir;
using namespace bochner;

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

bool CpuMath::isDouble(Value v) { return getElementTypeOrSelf(v.getType()).isF64(); }

Type CpuMath::integerLike(Value v) {
  Type element = b.getIntegerType(isDouble(v) ? 64 : 32);
  if (auto vector = dyn_cast<VectorType>(v.getType()))
    return vector.clone(element);
  return element;
}

static Value splat(OpBuilder &b, Location loc, Type type, TypedAttr value) {
  if (auto vector = dyn_cast<VectorType>(type))
    value = DenseElementsAttr::get(vector, Attribute(value));
  return arith::ConstantOp::create(b, loc, type, value);
}

Value CpuMath::constant(double value, Value like) {
  Type type = like.getType();
  return splat(b, loc, type, b.getFloatAttr(getElementTypeOrSelf(type), value));
}

Value CpuMath::integer(int64_t value, Value like) {
  Type type = integerLike(like);
  return splat(b, loc, type, b.getIntegerAttr(getElementTypeOrSelf(type), value));
}

Value CpuMath::bits(Value v) { return arith::BitcastOp::create(b, loc, integerLike(v), v); }
Value CpuMath::number(Value bits, Value like) { return arith::BitcastOp::create(b, loc, like.getType(), bits); }

Value CpuMath::fma(Value x, Value y, Value z) {
  if (hasFma)
    return math::FmaOp::create(b, loc, x, y, z);
  return arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, x, y).getResult(), z);
}

Value CpuMath::atLeast(Value x, double bound) {
  Value limit = constant(bound, x);
  Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, limit);
  return arith::SelectOp::create(b, loc, below, limit, x);
}

Value CpuMath::atMost(Value x, double bound) {
  Value limit = constant(bound, x);
  Value above = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, limit);
  return arith::SelectOp::create(b, loc, above, limit, x);
}

Value CpuMath::polynomial(ArrayRef<double> highestFirst, Value x) {
  Value p = constant(highestFirst[0], x);
  for (double c : highestFirst.drop_front())
    p = fma(p, x, constant(c, x));
  return p;
}

Value CpuMath::magic(Value like) { return constant(isDouble(like) ? 6755399441055744.0 : 12582912.0, like); }

Value CpuMath::round(Value x) {
  return arith::SubFOp::create(b, loc, arith::AddFOp::create(b, loc, x, magic(x)), magic(x));
}

std::pair<Value, Value> CpuMath::reduce(Value t) {
  Value magic = this->magic(t), shifted = arith::AddFOp::create(b, loc, t, magic);
  Value rounded = arith::SubFOp::create(b, loc, shifted, magic);
  return {shifted, arith::SubFOp::create(b, loc, t, rounded)};
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Value CpuMath::exp2Bounded(Value t, ArrayRef<double> highestFirst) {
  t = atLeast(t, isDouble(t) ? -1022 : -126);
  auto [shifted, r] = reduce(t);
  Value exponent = arith::ShLIOp::create(b, loc, bits(shifted), integer(isDouble(t) ? 52 : 23, t));
  return number(arith::AddIOp::create(b, loc, bits(polynomial(highestFirst, r)), exponent), t);
}

Value CpuMath::exp2Bounded(Value t) {
  static constexpr double single[] = {0.00015453163359779865,
                                      0.0013390863314270973,
                                      0.009618083015084267,
                                      0.055503569543361664,
                                      0.24022650718688965,
                                      0.6931471824645996,
                                      1.0};
  static constexpr double twice[] = {4.4549605981865186e-10, 7.072585949269223e-09, 1.0178062445845774e-07,
                                     1.321544258792169e-06,  1.525273382983612e-05, 0.0001540353044173605,
                                     0.0013333558146416936,  0.009618129107606888,  0.0555041086648216,
                                     0.24022650695910097,    0.6931471805599453,    1.0};
  return isDouble(t) ? exp2Bounded(t, twice) : exp2Bounded(t, single);
}

Value CpuMath::exp2Coarse(Value t) {
  // Minimax of the relative error on [-1/2, 1/2].
  return exp2Bounded(t, {0.05517166903960861, 0.24261112219181108, 0.6932609854640255, 0.9999280735395679});
}

Value CpuMath::exp2(Value t) {
  // At the upper bound the polynomial is exactly 1, so that the exponent field says infinity.
  Value result = exp2Bounded(atMost(t, isDouble(t) ? 1024 : 128));
  Value below = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, t, constant(isDouble(t) ? -1022 : -126, t));
  return arith::SelectOp::create(b, loc, below, constant(0, t), result);
}

std::pair<Value, Value> CpuMath::cosSinQuarter(Value t) {
  auto [shifted, r] = reduce(t);
  Value quadrant = bits(shifted), z = arith::MulFOp::create(b, loc, r, r);
  static constexpr double sin32[] = {-0.004602149128913879, 0.07968021929264069, -0.6459634900093079,
                                     1.5707963705062866};
  static constexpr double cos32[] = {0.0009067399078048766, -0.02086152881383896, 0.253669410943985,
                                     -1.2337005138397217, 1.0};
  static constexpr double sin64[] = {5.633933781537854e-08, -3.59864335298231e-06, 0.0001604411507421909,
                                     -0.004681754132340976, 0.07969262624604301,   -0.6459640975062443,
                                     1.5707963267948966};
  static constexpr double cos64[] = {
      -6.329396344967424e-09, 4.710678405505227e-07, -2.5202039028029178e-05, 0.0009192602745468447,
      -0.020863480763340773,  0.2536695079010478,    -1.2337005501361697,     1.0};
  Value sine = isDouble(t) ? polynomial(sin64, z) : polynomial(sin32, z);
  Value cosine = isDouble(t) ? polynomial(cos64, z) : polynomial(cos32, z);
  sine = arith::MulFOp::create(b, loc, sine, r);
  Value one = integer(1, t);
  Value odd = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, arith::AndIOp::create(b, loc, quadrant, one),
                                    integer(0, t));
  Value sinPart = arith::SelectOp::create(b, loc, odd, cosine, sine);
  Value cosPart = arith::SelectOp::create(b, loc, odd, sine, cosine);
  auto withSign = [&](Value v, Value q) { // bit 1 of the quadrant becomes the sign bit
    Value two = arith::AndIOp::create(b, loc, q, integer(2, t));
    Value sign = arith::ShLIOp::create(b, loc, two, integer(isDouble(t) ? 62 : 30, t));
    return number(arith::XOrIOp::create(b, loc, bits(v), sign), t);
  };
  return {withSign(cosPart, arith::AddIOp::create(b, loc, quadrant, one)), withSign(sinPart, quadrant)};
}

/// x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m from the series of the inverse hyperbolic tangent (f64) or a
/// polynomial in m - 1 (f32, coefficients of Cephes' logf).
Value CpuMath::log(Value x) {
  bool wide = isDouble(x);
  Value i = bits(x), shift = integer(wide ? 52 : 23, x);
  Value offset = arith::SubIOp::create(b, loc, i, integer(wide ? 0x3fe6a09e667f3bcdll : 0x3f3504f3, x));
  Value e = arith::ShRSIOp::create(b, loc, offset, shift);
  Value m = number(arith::SubIOp::create(b, loc, i, arith::ShLIOp::create(b, loc, e, shift).getResult()), x);
  Value exponent = arith::SIToFPOp::create(b, loc, x.getType(), e);
  Value r = arith::SubFOp::create(b, loc, m, constant(1, x)), result;
  if (wide) {
    static constexpr double series[] = {0.13086626147840102, 0.13268773138656886, 0.15386239702814658,
                                        0.18181795640132906, 0.22222222391713917, 0.28571428570803614,
                                        0.4000000000000088,  0.6666666666666666};
    Value s = arith::DivFOp::create(b, loc, r, arith::AddFOp::create(b, loc, m, constant(1, x)).getResult());
    Value z = arith::MulFOp::create(b, loc, s, s);
    Value tail = arith::MulFOp::create(b, loc, arith::MulFOp::create(b, loc, s, z).getResult(), polynomial(series, z));
    result = fma(s, constant(2, x), tail);
    result = fma(exponent, constant(0.6931471805599453, x), result);
  } else {
    static constexpr double cephes[] = {7.0376836292e-2,  -1.1514610310e-1, 1.1676998740e-1,
                                        -1.2420140846e-1, 1.4249322787e-1,  -1.6668057665e-1,
                                        2.0000714765e-1,  -2.4999993993e-1, 3.3333331174e-1};
    Value z = arith::MulFOp::create(b, loc, r, r);
    Value y = arith::MulFOp::create(b, loc, polynomial(cephes, r), arith::MulFOp::create(b, loc, r, z).getResult());
    y = fma(exponent, constant(-2.12194440e-4, x), y);
    y = fma(z, constant(-0.5, x), y);
    result = fma(exponent, constant(0.693359375, x), arith::AddFOp::create(b, loc, r, y));
  }
  // Outside the positive finite numbers: infinity and NaN stay, 0 gives -infinity, a negative number NaN.
  double infinity = std::numeric_limits<double>::infinity();
  auto choose = [&](arith::CmpFPredicate predicate, double bound, Value then) {
    Value is = arith::CmpFOp::create(b, loc, predicate, x, constant(bound, x));
    result = arith::SelectOp::create(b, loc, is, then, result);
  };
  choose(arith::CmpFPredicate::UEQ, infinity, x);
  choose(arith::CmpFPredicate::OEQ, 0, constant(-infinity, x));
  choose(arith::CmpFPredicate::OLT, 0, constant(std::numeric_limits<double>::quiet_NaN(), x));
  return result;
}

Value CpuMath::log1p(Value x) {
  // What rounding 1 + x loses is restored by the first term of the series.
  Value one = constant(1, x), sum = arith::AddFOp::create(b, loc, x, one);
  Value lost = arith::SubFOp::create(b, loc, x, arith::SubFOp::create(b, loc, sum, one).getResult());
  Value correction = arith::DivFOp::create(b, loc, lost, sum);
  return arith::AddFOp::create(b, loc, log(sum), correction);
}

Value CpuMath::tanh(Value x) {
  Value t = arith::MulFOp::create(b, loc, x, constant(2 * 1.4426950408889634, x));
  Value one = constant(1, x), denominator = arith::AddFOp::create(b, loc, exp2(t), one);
  Value quotient = arith::DivFOp::create(b, loc, constant(2, x), denominator);
  return arith::SubFOp::create(b, loc, one, quotient);
}
