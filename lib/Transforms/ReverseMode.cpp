//===- ReverseMode.cpp - reverse sweeps over code -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace bochner;

bool bochner::isDifferentiable(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }

SmallVector<OpFoldResult> bochner::sizesOf(OpBuilder &b, Location loc, Value tensor) {
  return tensor::getMixedSizes(b, loc, tensor);
}

Value bochner::constantLike(OpBuilder &b, Location loc, double value, Value like) {
  Type element = getElementTypeOrSelf(like.getType());
  Value scalar = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value));
  auto tensor = dyn_cast<RankedTensorType>(like.getType());
  if (!tensor)
    return scalar;
  Value empty = tensor::EmptyOp::create(b, loc, sizesOf(b, loc, like), element, tensor.getEncoding());
  return linalg::FillOp::create(b, loc, scalar, empty).getResult(0);
}

SmallVector<Operation *> bochner::operationsBetween(Block::iterator first, Block::iterator end) {
  SmallVector<Operation *> operations;
  for (; first != end; ++first)
    operations.push_back(&*first);
  return operations;
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
  Value &sum = cotangents[v];
  sum = sum ? arith::AddFOp::create(b, v.getLoc(), sum, cotangent).getResult() : cotangent;
}

Value ReverseMode::gradientOf(OpBuilder &b, Value v) const {
  Value cotangent = cotangents.lookup(v);
  return cotangent ? cotangent : constantLike(b, v.getLoc(), 0, v);
}

LogicalResult ReverseMode::run(OpBuilder &b, ArrayRef<Operation *> operations) {
  for (Operation *op : llvm::reverse(operations)) {
    if (llvm::none_of(op->getResults(), [&](Value r) { return isActive(r) && cotangentOf(r); }))
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
