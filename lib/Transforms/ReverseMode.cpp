//===- ReverseMode.cpp - reverse sweeps over code -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace bochner;

bool bochner::isDifferentiable(Type type) {
  return (isa<FloatType, RankedTensorType, VectorType>(type)) && isa<FloatType>(getElementTypeOrSelf(type));
}

SmallVector<OpFoldResult> bochner::sizesOf(OpBuilder &b, Location loc, Value tensor) {
  SmallVector<OpFoldResult> sizes;
  for (auto [d, size] : llvm::enumerate(cast<RankedTensorType>(tensor.getType()).getShape())) {
    if (!ShapedType::isDynamic(size)) {
      sizes.push_back(b.getIndexAttr(size));
      continue;
    }
    // What an operation makes of a destination is as large, and so is what a loop makes of what it starts with.
    Value source = tensor;
    while (auto result = dyn_cast<OpResult>(source)) {
      Operation *op = result.getOwner();
      if (auto loop = dyn_cast<scf::ForOp>(op))
        source = loop.getInitArgs()[result.getResultNumber()];
      else if (auto styled = dyn_cast<DestinationStyleOpInterface>(op))
        source = styled.getTiedOpOperand(result)->get();
      else
        break;
    }
    if (auto empty = source.getDefiningOp<tensor::EmptyOp>())
      sizes.push_back(empty.getMixedSizes()[d]);
    else
      sizes.push_back(b.createOrFold<tensor::DimOp>(loc, source, d));
  }
  return sizes;
}

/// `value` everywhere in the shape of `like`.
static Value constantOf(OpBuilder &b, Location loc, Type element, double value, Value like) {
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(b, loc,
                                     SplatElementsAttr::get(vector.clone(element), b.getFloatAttr(element, value)));
  Value scalar = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value));
  auto tensor = dyn_cast<RankedTensorType>(like.getType());
  if (!tensor)
    return scalar;
  Value empty = tensor::EmptyOp::create(b, loc, sizesOf(b, loc, like), element, tensor.getEncoding());
  return linalg::FillOp::create(b, loc, scalar, empty).getResult(0);
}

Value bochner::constantLike(OpBuilder &b, Location loc, double value, Value like) {
  return constantOf(b, loc, getElementTypeOrSelf(like.getType()), value, like);
}

Value bochner::convertTo(OpBuilder &b, Location loc, Type element, Value value) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == element)
    return value;
  Type type = element;
  if (auto shaped = dyn_cast<ShapedType>(value.getType()))
    type = shaped.clone(element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

Value bochner::sumOrZeros(OpBuilder &b, const spectral::ReverseSweep &sweep, Value v) {
  Type wide = spectral::getAccumulatorType(getElementTypeOrSelf(v.getType()));
  Value sum = sweep.sumOf(v);
  return sum ? convertTo(b, v.getLoc(), wide, sum) : constantOf(b, v.getLoc(), wide, 0, v);
}

SmallVector<Value> bochner::activeCaptures(MutableArrayRef<Region> regions, const spectral::ReverseSweep &sweep) {
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(regions, captured);
  captured.remove_if([&](Value v) { return !sweep.isActive(v); });
  return captured.takeVector();
}

void bochner::eraseDead(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isOpTriviallyDead(&op)) {
      op.erase();
      continue;
    }
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        eraseDead(inner);
  }
}

void ReverseMode::propagate(ArrayRef<Operation *> operations) {
  for (Operation *op : operations) {
    auto reads = [&](OpOperand *operand) { return active.contains(operand->get()); };
    bool depends = llvm::any_of(op->getOpOperands(), [&](OpOperand &operand) { return reads(&operand); });
    if (!depends)
      visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *operand) { depends |= reads(operand); });
    if (!depends)
      continue;
    for (Value result : op->getResults())
      if (isDifferentiable(result.getType()))
        active.insert(result);
  }
}

void ReverseMode::add(OpBuilder &b, Value v, Value cotangent) {
  if (!cotangent || !isActive(v))
    return;
  Value sum = sums.lookup(v);
  if (sum) { // one addend is as exact as it was; more than one are summed in the accumulator's type
    Type wide = spectral::getAccumulatorType(getElementTypeOrSelf(v.getType()));
    Location loc = v.getLoc();
    cotangent = arith::AddFOp::create(b, loc, convertTo(b, loc, wide, sum), convertTo(b, loc, wide, cotangent));
  }
  setSum(v, cotangent);
}

void ReverseMode::setSum(Value v, Value sum) {
  sums[v] = sum;
  cotangents.erase(v);
}

Value ReverseMode::gradientOf(OpBuilder &b, Value v) const {
  Value sum = sums.lookup(v);
  return sum ? convertTo(b, v.getLoc(), getElementTypeOrSelf(v.getType()), sum) : constantLike(b, v.getLoc(), 0, v);
}

LogicalResult ReverseMode::run(OpBuilder &b, ArrayRef<Operation *> operations) {
  for (Operation *op : llvm::reverse(operations)) {
    bool counts = false;
    for (Value result : op->getResults())
      if (isActive(result) && sums.lookup(result)) {
        cotangents[result] = gradientOf(b, result);
        counts = true;
      }
    if (!counts)
      continue;
    auto rule = dyn_cast<spectral::ReverseDifferentiableOpInterface>(op);
    if (!rule) {
      InFlightDiagnostic error = op->emitError()
                                 << "expected operations with a derivative, but '" << op->getName() << "' has no rule";
      error.attachNote() << "implement ReverseDifferentiableOpInterface for it, in the dialect or as an external "
                            "model, or write the function without it";
      return failure();
    }
    if (failed(rule.buildAdjoint(b, *this)))
      return failure();
  }
  return success();
}

Value bochner::aliasOf(OpBuilder &b, Location loc, Value v) {
  return UnrealizedConversionCastOp::create(b, loc, v.getType(), v).getResult(0);
}

void bochner::removeAlias(Value alias) {
  Operation *op = alias.getDefiningOp();
  alias.replaceAllUsesWith(op->getOperand(0));
  op->erase();
}

SmallVector<Operation *> bochner::operationsBetween(Block::iterator first, Block::iterator end) {
  SmallVector<Operation *> operations;
  for (; first != end; ++first)
    operations.push_back(&*first);
  return operations;
}
