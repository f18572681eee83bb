//===- ShapeGraph.cpp - graphs without their derivatives ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function is copied to where its derivative stands, so that a function of any shape can be differentiated twice.
// Gradients are the inputs themselves, which have their shapes; a cotangent is tied to its result by a selection
// between the two.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/ShapeGraph.h"
#include "dialect/Spectral.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

/// `value`, in an operation that ties its shape to that of `like`.
static Value tieTo(OpBuilder &b, Location loc, Value value, Value like) {
  if (!isa<RankedTensorType>(value.getType()))
    return value;
  Value condition = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
  return arith::SelectOp::create(b, loc, condition, value, like);
}

static void replaceIn(Operation *root, SmallVectorImpl<Operation *> &open);

template <typename Op> static void replace(Op op, SmallVectorImpl<Operation *> &open) {
  auto function = SymbolTable::lookupNearestSymbolFrom<FunctionOpInterface>(op, op.getCalleeAttr());
  if (llvm::is_contained(open, function.getOperation())) // an error of the phase `differentiate`
    return;
  open.push_back(function);
  replaceIn(function, open);
  open.pop_back();

  OpBuilder b(op);
  Block &body = function.getFunctionBody().front();
  IRMapping map;
  map.map(body.getArguments(), op.getInputs());
  for (Operation &inner : body.without_terminator())
    b.clone(inner, map);
  SmallVector<Value> results, derivatives;
  for (Value v : body.getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(v));
  if constexpr (std::is_same_v<Op, VjpOp>) {
    for (auto [result, cotangent] : llvm::zip_equal(results, op.getCotangents()))
      result = tieTo(b, op.getLoc(), result, cotangent);
    for (int64_t i : op.getWrt())
      derivatives.push_back(op.getInputs()[i]);
  } else {
    for (auto [i, tangent] : llvm::zip_equal(op.getWrt(), op.getTangents()))
      tieTo(b, op.getLoc(), op.getInputs()[i], tangent);
    derivatives = results;
  }
  llvm::append_range(results, derivatives);
  op->replaceAllUsesWith(results);
  op->erase();
}

/// Derivatives in `root`, those of functions that are being copied left alone.
static void replaceIn(Operation *root, SmallVectorImpl<Operation *> &open) {
  SmallVector<Operation *> found;
  root->walk([&](Operation *op) {
    if (isa<VjpOp, JvpOp>(op))
      found.push_back(op);
  });
  for (Operation *op : found)
    if (auto vjp = dyn_cast<VjpOp>(op))
      replace(vjp, open);
    else
      replace(cast<JvpOp>(op), open);
}

OwningOpRef<ModuleOp> bochner::buildShapeGraph(ModuleOp module) {
  auto isDerivative = [](Operation *op) {
    return isa<VjpOp, JvpOp>(op) ? WalkResult::interrupt() : WalkResult::advance();
  };
  if (!module.walk(isDerivative).wasInterrupted())
    return nullptr;
  OwningOpRef<ModuleOp> copy = module.clone();
  for (auto function : copy->getOps<FunctionOpInterface>()) {
    SmallVector<Operation *> open{function};
    replaceIn(function, open);
  }
  return copy;
}
