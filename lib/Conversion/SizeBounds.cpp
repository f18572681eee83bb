//===- SizeBounds.cpp - sizes as functions of arguments -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exact values are clones of pure operations down to the arguments. Bounds go further by monotonicity: an index of a
// loop is below the loop's end, a minimum is at most either operand. That is what tiles at the end of a loop need.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/SizeBounds.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace bochner;

static bool isNonNegative(Value value);

/// The loop whose index `value` is, if it counts from 0 or above.
static scf::ForOp getCountedLoop(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto loop = argument ? dyn_cast_or_null<scf::ForOp>(argument.getOwner()->getParentOp()) : scf::ForOp();
  return loop && loop.getInductionVar() == value && isNonNegative(loop.getLowerBound()) ? loop : scf::ForOp();
}

static bool isNonNegative(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.isNonNegative();
  if (getCountedLoop(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (isa_and_present<memref::DimOp>(op))
    return true;
  if (isa_and_present<arith::AddIOp, arith::MulIOp, arith::MinSIOp, arith::DivSIOp, arith::DivUIOp>(op))
    return llvm::all_of(op->getOperands(), isNonNegative);
  if (isa_and_present<arith::MaxSIOp>(op))
    return llvm::any_of(op->getOperands(), isNonNegative);
  return false;
}

Value SizeBounds::bound(Value value) {
  if (Value known = bounds.lookup(value))
    return known;
  Value result = compute(value, Exactly);
  if (!result)
    result = compute(value, AtMost);
  if (result)
    bounds[value] = result;
  return result;
}

Value SizeBounds::compute(Value value, Mode mode) {
  if (Value known = exact.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op) {
    scf::ForOp loop = mode == AtMost ? getCountedLoop(value) : scf::ForOp();
    return loop ? bound(loop.getUpperBound()) : fail(value);
  }
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    Value result = index ? computeDim(op->getLoc(), dim.getSource(), *index, mode) : fail(value);
    if (result && mode == Exactly)
      exact.map(value, result);
    return result;
  }
  if (mode == AtMost) {
    Value result = computeBound(op);
    return result ? result : culprit ? Value() : fail(value);
  }
  // A division may not run where it did not before, but one that runs at every call may run earlier.
  bool always = isa<func::FuncOp>(op->getParentOp()) && isMemoryEffectFree(op);
  if ((!isPure(op) && !always) || op->getNumRegions())
    return fail(value);
  for (Value operand : op->getOperands())
    if (!compute(operand, Exactly))
      return {};
  b.clone(*op, exact);
  return exact.lookup(value);
}

/// A bound of an operation that is monotonic in operands with bounds.
Value SizeBounds::computeBound(Operation *op) {
  Location loc = op->getLoc();
  auto both = [&](auto build) -> Value {
    Value left = bound(op->getOperand(0)), right = left ? bound(op->getOperand(1)) : Value();
    return right ? build(left, right) : Value();
  };
  auto either = [&]() -> Value {
    Value left = bound(op->getOperand(0)), right = bound(op->getOperand(1));
    if (left && right)
      return arith::MinSIOp::create(b, loc, left, right);
    return left ? left : right;
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<arith::MinSIOp, arith::MinUIOp>([&](auto) { return either(); })
      .Case<arith::MaxSIOp, arith::MaxUIOp>([&](auto) {
        return both([&](Value l, Value r) { return arith::MaxSIOp::create(b, loc, l, r).getResult(); });
      })
      .Case([&](arith::AddIOp) {
        return both([&](Value l, Value r) { return arith::AddIOp::create(b, loc, l, r).getResult(); });
      })
      .Case([&](arith::SubIOp sub) { return isNonNegative(sub.getRhs()) ? bound(sub.getLhs()) : Value(); })
      .Case([&](arith::MulIOp mul) -> Value {
        if (!isNonNegative(mul.getLhs()) || !isNonNegative(mul.getRhs()))
          return {};
        return both([&](Value l, Value r) { return arith::MulIOp::create(b, loc, l, r).getResult(); });
      })
      .Case([&](arith::SelectOp select) -> Value {
        Value left = bound(select.getTrueValue()), right = left ? bound(select.getFalseValue()) : Value();
        return right ? arith::MaxSIOp::create(b, loc, left, right).getResult() : Value();
      })
      .Case([&](affine::AffineMinOp min) -> Value {
        for (AffineExpr result : min.getMap().getResults())
          if (auto constant = dyn_cast<AffineConstantExpr>(result))
            return arith::ConstantIndexOp::create(b, loc, constant.getValue());
        return {};
      })
      .Default([](Operation *) { return Value(); });
}

Value SizeBounds::computeDim(Location loc, Value buffer, int64_t index, Mode mode) {
  while (auto view = buffer.getDefiningOp<memref::CastOp>())
    buffer = view.getSource();
  auto type = dyn_cast<MemRefType>(buffer.getType());
  if (!type || index < 0 || index >= type.getRank())
    return fail(buffer);
  auto fromSize = [&](OpFoldResult size) -> Value {
    if (auto value = dyn_cast<Value>(size))
      return mode == Exactly ? compute(value, mode) : bound(value);
    return arith::ConstantIndexOp::create(b, loc, *getConstantIntValue(size));
  };
  if (!type.isDynamicDim(index))
    return fromSize(b.getIndexAttr(type.getDimSize(index)));
  if (Value argument = exact.lookupOrNull(buffer)) {
    Value &dim = dims[{argument, index}];
    return dim ? dim : dim = memref::DimOp::create(b, loc, argument, index);
  }
  Operation *producer = buffer.getDefiningOp();
  if (auto alloc = dyn_cast_or_null<memref::AllocOp>(producer))
    return fromSize(alloc.getDynamicSizes()[type.getDynamicDimIndex(index)]);
  if (auto view = dyn_cast_or_null<memref::SubViewOp>(producer)) {
    llvm::SmallBitVector dropped = view.getDroppedDims();
    int64_t kept = 0;
    for (auto [dim, size] : llvm::enumerate(view.getMixedSizes()))
      if (!dropped[dim] && kept++ == index)
        return fromSize(size);
  }
  if (auto view = dyn_cast_or_null<memref::ReinterpretCastOp>(producer))
    return fromSize(view.getMixedSizes()[index]);
  if (auto view = dyn_cast_or_null<memref::ExpandShapeOp>(producer))
    return fromSize(getMixedValues(view.getStaticOutputShape(), view.getOutputShape(), b)[index]);
  if (auto view = dyn_cast_or_null<memref::CollapseShapeOp>(producer)) {
    Value product = arith::ConstantIndexOp::create(b, loc, 1);
    SmallVector<ReassociationIndices> groups = view.getReassociationIndices();
    for (int64_t dim : groups[index]) {
      Value factor = computeDim(loc, view.getSrc(), dim, mode);
      if (!factor)
        return {};
      product = arith::MulIOp::create(b, loc, product, factor);
    }
    return product;
  }
  return fail(buffer);
}
