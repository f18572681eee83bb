//===- ExpandConversions.cpp - 16-bit floats as integer arithmetic --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: loops over scalars and vectors of any type of float. Output: arithmetic in f32 and f64 only; 16-bit numbers
// are loaded, stored, and converted by integer operations, which the vectorizer takes and which need no library.
// Conversions round to nearest, ties to even, keep infinities and denormals, and turn NaN into a quiet NaN of its sign.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

namespace bochner {
#define GEN_PASS_DEF_EXPANDCONVERSIONSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

static bool isShort(Type type) {
  Type element = isa<VectorType>(type) ? cast<VectorType>(type).getElementType() : type;
  return element.isBF16() || element.isF16();
}

static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

namespace {
/// Builds conversions of scalars or vectors; constants are splats of the type that they are used with.
class Converter : public ImplicitLocOpBuilder {
public:
  Converter(Operation *at, bool hasF16c) : ImplicitLocOpBuilder(at->getLoc(), at), hasF16c(hasF16c) {}

  /// `x` in the type `to`, of which one is short and the other is not.
  Value extend(Value x, Type to);
  Value truncate(Value x, Type to);

private:
  Value extendBf16(Value x);
  Value extendF16(Value x);
  Value truncateToBf16(Value x);
  Value truncateToF16(Value x);
  Value roundToOdd(Value x);

  Value bits(Value x, Type integer) { return arith::BitcastOp::create(*this, withElement(x.getType(), integer), x); }
  Value bits(Value x) { return bits(x, getI32Type()); }
  Value number(Value bits) { return arith::BitcastOp::create(*this, withElement(bits.getType(), getF32Type()), bits); }
  /// The low half of 32 bits as a number of 16.
  Value lowHalf(Value bits, FloatType type) {
    Value half = arith::TruncIOp::create(*this, withElement(bits.getType(), getI16Type()), bits);
    return arith::BitcastOp::create(*this, withElement(bits.getType(), type), half);
  }
  Value integer(uint32_t value, Value like) { return splat(getI32IntegerAttr(int32_t(value)), like); }
  Value splat(TypedAttr value, Value like) {
    if (auto vector = dyn_cast<VectorType>(like.getType()))
      return arith::ConstantOp::create(*this, DenseElementsAttr::get(vector, Attribute(value)));
    return arith::ConstantOp::create(*this, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(*this, x, y); }
  Value add(Value x, uint32_t y) { return add(x, integer(y, x)); }
  Value bitAnd(Value x, uint32_t y) { return arith::AndIOp::create(*this, x, integer(y, x)); }
  Value bitOr(Value x, Value y) { return arith::OrIOp::create(*this, x, y); }
  Value shiftLeft(Value x, uint32_t y) { return arith::ShLIOp::create(*this, x, integer(y, x)); }
  Value shiftRight(Value x, uint32_t y) { return arith::ShRUIOp::create(*this, x, integer(y, x)); }
  Value isAbove(Value x, uint32_t y) {
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::ugt, x, integer(y, x));
  }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(*this, condition, x, y); }

  bool hasF16c;
};
} // namespace

Value Converter::extend(Value x, Type to) {
  Value wide = getElementTypeOrSelf(x).isBF16() ? extendBf16(x) : extendF16(x);
  return wide.getType() == to ? wide : arith::ExtFOp::create(*this, to, wide).getResult();
}

Value Converter::truncate(Value x, Type to) {
  if (getElementTypeOrSelf(x).isF64())
    x = roundToOdd(x);
  return getElementTypeOrSelf(to).isBF16() ? truncateToBf16(x) : truncateToF16(x);
}

/// bf16 is the upper half of an f32.
Value Converter::extendBf16(Value x) {
  Value half = bits(x, getI16Type());
  return number(shiftLeft(arith::ExtUIOp::create(*this, withElement(x.getType(), getI32Type()), half), 16));
}

Value Converter::truncateToBf16(Value x) {
  Value all = bits(x), high = shiftRight(all, 16), isOdd = bitAnd(high, 1);
  Value rounded = shiftRight(add(add(all, 0x7fff), isOdd), 16);
  // Rounding could carry the digits of a NaN away.
  Value quiet = bitOr(high, integer(0x40, high));
  Value isNan = arith::CmpFOp::create(*this, arith::CmpFPredicate::UNO, x, x);
  return lowHalf(select(isNan, quiet, rounded), getBF16Type());
}

Value Converter::extendF16(Value x) {
  if (hasF16c)
    return arith::ExtFOp::create(*this, withElement(x.getType(), getF32Type()), x);
  Value all = arith::ExtUIOp::create(*this, withElement(x.getType(), getI32Type()), bits(x, getI16Type()));
  Value magnitude = bitAnd(all, 0x7fff);
  constexpr uint32_t bias = (127 - 15) << 23;
  Value normal = add(shiftLeft(magnitude, 13), bias);
  // Infinity and NaN: the exponent once more up, to 255.
  Value isNan = isAbove(magnitude, 0x7c00);
  Value special = add(normal, bias);
  special = select(isNan, bitOr(special, integer(0x400000, special)), special);
  // Denormal: 2^-14 (1 + fraction) - 2^-14, which no mode of the processor flushes.
  Value scaled = number(add(normal, 1u << 23));
  Value denormal = bits(arith::SubFOp::create(*this, scaled, splat(getF32FloatAttr(0x1p-14f), scaled)).getResult());
  Value result = select(isAbove(magnitude, 0x3ff), normal, denormal);
  result = select(isAbove(magnitude, 0x7bff), special, result);
  return number(bitOr(result, shiftLeft(bitAnd(all, 0x8000), 16)));
}

Value Converter::truncateToF16(Value x) {
  if (hasF16c)
    return arith::TruncFOp::create(*this, withElement(x.getType(), getF16Type()), x);
  Value all = bits(x), magnitude = bitAnd(all, 0x7fffffff);
  Value isOdd = bitAnd(shiftRight(magnitude, 13), 1);
  Value normal = shiftRight(add(add(magnitude, ((15u - 127u) << 23) + 0xfff), isOdd), 13);
  // Denormal: adding 0.5 puts the last digit of the result at the last digit of the sum, which rounds.
  Value absolute = number(magnitude);
  Value shifted = bits(arith::AddFOp::create(*this, absolute, splat(getF32FloatAttr(0.5f), absolute)).getResult());
  Value denormal = add(shifted, 0u - 0x3f000000u);
  Value finite = select(isAbove(magnitude, 0x387fffff), normal, denormal);                // below 2^-14
  Value isNan = isAbove(magnitude, 0x7f800000), isLarge = isAbove(magnitude, 0x477fffff); // 65536 and more
  Value special = select(isNan, integer(0x7e00, all), integer(0x7c00, all));
  Value sign = bitAnd(shiftRight(all, 16), 0x8000);
  return lowHalf(bitOr(select(isLarge, special, finite), sign), getF16Type());
}

/// f64 -> f32, away from the even neighbor unless it is exact: a step towards a shorter type that does not round twice.
Value Converter::roundToOdd(Value x) {
  Value near = arith::TruncFOp::create(*this, withElement(x.getType(), getF32Type()), x);
  Value back = arith::ExtFOp::create(*this, x.getType(), near);
  Value isAway = arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, math::AbsFOp::create(*this, back),
                                       math::AbsFOp::create(*this, x));
  Value isInexact = arith::CmpFOp::create(*this, arith::CmpFPredicate::ONE, back, x);
  Value all = bits(near);
  Value towardZero = add(all, arith::ExtSIOp::create(*this, all.getType(), isAway).getResult());
  return number(bitOr(towardZero, arith::ExtUIOp::create(*this, all.getType(), isInexact)));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Arithmetic on short floats that only moves or reinterprets them.
static bool movesOnly(Operation *op) {
  return isa<arith::BitcastOp, arith::ConstantOp, arith::SelectOp, arith::ExtFOp, arith::TruncFOp>(op);
}

/// op(x) -> truncf(op(extf(x))) for arithmetic and functions of 16-bit floats.
static void widen(Operation *op) {
  OpBuilder b(op);
  Type f32 = b.getF32Type();
  for (OpOperand &operand : op->getOpOperands())
    if (Type type = operand.get().getType(); isShort(type))
      operand.set(arith::ExtFOp::create(b, op->getLoc(), withElement(type, f32), operand.get()));
  b.setInsertionPointAfter(op);
  for (Value result : op->getResults())
    if (Type type = result.getType(); isShort(type)) {
      result.setType(withElement(type, f32));
      auto narrow = arith::TruncFOp::create(b, op->getLoc(), type, result);
      result.replaceAllUsesExcept(narrow, narrow);
    }
}

namespace {
struct ExpandConversions : bochner::impl::ExpandConversionsPassBase<ExpandConversions> {
  using ExpandConversionsPassBase::ExpandConversionsPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> arithmetic, conversions;
    getOperation().walk([&](Operation *op) {
      bool computes = op->hasTrait<OpTrait::Elementwise>() || isa<vector::FMAOp>(op);
      bool isOurs = isa_and_present<arith::ArithDialect, math::MathDialect, vector::VectorDialect>(op->getDialect());
      if (isOurs && computes && !movesOnly(op) &&
          (llvm::any_of(op->getOperandTypes(), isShort) || llvm::any_of(op->getResultTypes(), isShort)))
        arithmetic.push_back(op);
    });
    for (Operation *op : arithmetic)
      widen(op);
    WalkResult refused = getOperation().walk([&](Operation *op) -> WalkResult {
      auto truncate = dyn_cast<arith::TruncFOp>(op);
      bool isConversion = truncate ? isShort(op->getResult(0).getType())
                                   : isa<arith::ExtFOp>(op) && isShort(op->getOperand(0).getType());
      if (!isConversion)
        return WalkResult::advance();
      auto mode = truncate ? truncate.getRoundingmode() : std::nullopt;
      if (mode && *mode != arith::RoundingMode::to_nearest_even)
        return op->emitOpError() << "unsupported rounding mode " << arith::stringifyRoundingMode(*mode)
                                 << " for 16-bit floats: expected to_nearest_even or none";
      conversions.push_back(op);
      return WalkResult::advance();
    });
    if (refused.wasInterrupted())
      return signalPassFailure();
    for (Operation *op : conversions) {
      Converter convert(op, f16c);
      Value operand = op->getOperand(0);
      Type to = op->getResult(0).getType();
      op->replaceAllUsesWith(
          ValueRange(isa<arith::ExtFOp>(op) ? convert.extend(operand, to) : convert.truncate(operand, to)));
      op->erase();
    }
  }
};
} // namespace
