//===- IndexSources.cpp - where indices come from -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows operations that move or widen elements and keep their values.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/IndexSources.h"
#include "dialect/Spectral.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;

/// The operand of a structured operation that a value in its body is an element of, or null.
static Value operandOf(Value element) {
  while (Operation *cast = element.getDefiningOp()) {
    if (!isa<arith::ExtSIOp, arith::IndexCastOp>(cast)) // keep the value
      return nullptr;
    element = cast->getOperand(0);
  }
  auto argument = cast<BlockArgument>(element);
  auto op = dyn_cast<linalg::LinalgOp>(argument.getOwner()->getParentOp());
  return op ? op.getOperation()->getOperand(argument.getArgNumber()) : Value();
}

/// The operand whose elements a structured operation copies, or null.
static Value copiedOperand(linalg::LinalgOp op) {
  if (op->getNumResults() != 1)
    return nullptr;
  return operandOf(op.getBlock()->getTerminator()->getOperand(0));
}

void bochner::collectIndexSources(Value index, SmallVectorImpl<BlockArgument> &sources) {
  if (Value operand = operandOf(index))
    collectSources(operand, sources);
}

void bochner::collectSources(Value value, SmallVectorImpl<BlockArgument> &sources) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    auto argument = cast<BlockArgument>(value);
    Operation *owner = argument.getOwner()->getParentOp();
    if (auto map = dyn_cast<spectral::FeatureMapOpInterface>(owner)) {
      if (argument.getArgNumber() > 0) // not the tile of rows
        collectSources(map.getFeatureParameters()[argument.getArgNumber() - 1], sources);
    } else if (isa<func::FuncOp>(owner) && argument.getOwner()->isEntryBlock() &&
               !llvm::is_contained(sources, argument)) {
      sources.push_back(argument);
    }
    return;
  }
  if (isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::ExtractSliceOp, arith::ExtSIOp,
          arith::IndexCastOp>(op))
    return collectSources(op->getOperand(0), sources);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    for (Value input : concat.getInputs())
      collectSources(input, sources);
  if (auto loops = dyn_cast<linalg::LinalgOp>(op))
    if (Value copied = copiedOperand(loops))
      collectSources(copied, sources);
}
