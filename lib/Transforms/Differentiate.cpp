//===- Differentiate.cpp - derivatives of functions -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: graphs that ask for derivatives of functions by spectral.vjp and spectral.jvp. Output: graphs with the
// operations of these functions and of their adjoints in place of the calls.
//
// The function is copied to where its derivative is asked for, so that the adjoint can use any of its values; what it
// does not need disappears as dead code. A tangent is the cotangent of a cotangent: reverse mode is linear in
// cotangents, and its transpose is forward mode ("Decomposing reverse-mode automatic differentiation", Frostig et al.,
// 2021).
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/PassManager.h"

namespace bochner {
#define GEN_PASS_DEF_DIFFERENTIATEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {

class Differentiate : public bochner::impl::DifferentiatePassBase<Differentiate> {
public:
  using DifferentiatePassBase::DifferentiatePassBase;

  void runOnOperation() override;

private:
  LogicalResult expandIn(FunctionOpInterface function);
  template <typename Op> LogicalResult expand(Op op);
  llvm::DenseSet<Operation *> done;
  llvm::SetVector<Operation *> callees;
  SmallVector<Operation *> open; ///< functions whose derivatives are being expanded, callers first
};

/// A copy of a function's body before `at`. Inputs that count get a value of their own, as one value may be two inputs.
struct PrimalCopy {
  PrimalCopy(OpBuilder &b, Location loc, FunctionOpInterface function, ValueRange inputs, ArrayRef<int64_t> wrt);
  /// Replaces the values of its own.
  void finish();

  SmallVector<Value> variables; ///< of 'wrt'
  SmallVector<Operation *> operations;
  SmallVector<Value> results;
};

} // namespace

/// A value that nothing else is.
static Value aliasOf(OpBuilder &b, Location loc, Value v) {
  return UnrealizedConversionCastOp::create(b, loc, v.getType(), v).getResult(0);
}

static void removeAlias(Value alias) {
  Operation *op = alias.getDefiningOp();
  alias.replaceAllUsesWith(op->getOperand(0));
  op->erase();
}

PrimalCopy::PrimalCopy(OpBuilder &b, Location loc, FunctionOpInterface function, ValueRange inputs,
                       ArrayRef<int64_t> wrt) {
  SmallVector<Value> arguments(inputs);
  for (int64_t i : wrt)
    variables.push_back(arguments[i] = aliasOf(b, loc, inputs[i]));
  Block &body = function.getFunctionBody().front();
  IRMapping map;
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator())
    operations.push_back(b.clone(op, map));
  for (Value v : body.getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(v));
}

void PrimalCopy::finish() {
  for (Value v : variables)
    removeAlias(v);
}

/// The gradients of the results' product with `cotangents`.
static FailureOr<SmallVector<Value>> differentiate(OpBuilder &b, const PrimalCopy &primal, ValueRange cotangents) {
  ReverseMode sweep;
  for (Value v : primal.variables)
    sweep.activate(v);
  sweep.propagate(primal.operations);
  for (auto [result, cotangent] : llvm::zip(primal.results, cotangents))
    sweep.add(b, result, cotangent);
  if (failed(sweep.run(b, primal.operations)))
    return failure();
  return llvm::map_to_vector(primal.variables, [&](Value v) { return sweep.gradientOf(b, v); });
}

static LogicalResult replace(VjpOp op, FunctionOpInterface function) {
  OpBuilder b(op);
  PrimalCopy primal(b, op.getLoc(), function, op.getInputs(), op.getWrt());
  auto gradients = differentiate(b, primal, op.getCotangents());
  if (failed(gradients))
    return failure();
  SmallVector<Value> results = primal.results;
  llvm::append_range(results, *gradients);
  op->replaceAllUsesWith(results);
  op->erase();
  primal.finish();
  return success();
}

static LogicalResult replace(JvpOp op, FunctionOpInterface function) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  PrimalCopy primal(b, loc, function, op.getInputs(), op.getWrt());
  // Reverse mode at cotangents that are variables; what they are does not matter.
  SmallVector<Value> cotangents;
  for (Value result : primal.results)
    cotangents.push_back(aliasOf(b, loc, constantLike(b, loc, 0, result)));
  Operation *before = op->getPrevNode();
  auto gradients = differentiate(b, primal, cotangents);
  if (failed(gradients))
    return failure();
  ReverseMode sweep;
  for (Value v : cotangents)
    sweep.activate(v);
  SmallVector<Operation *> adjoint = operationsBetween(std::next(Block::iterator(before)), Block::iterator(op));
  sweep.propagate(adjoint);
  for (auto [gradient, tangent] : llvm::zip(*gradients, op.getTangents()))
    sweep.add(b, gradient, tangent);
  if (failed(sweep.run(b, adjoint)))
    return failure();
  SmallVector<Value> results = primal.results;
  for (Value v : cotangents)
    results.push_back(sweep.gradientOf(b, v));
  op->replaceAllUsesWith(results);
  op->erase();
  for (Value v : cotangents)
    removeAlias(v);
  primal.finish();
  return success();
}

template <typename Op> LogicalResult Differentiate::expand(Op op) {
  auto function = SymbolTable::lookupNearestSymbolFrom<FunctionOpInterface>(op, op.getCalleeAttr());
  if (llvm::is_contained(open, function.getOperation()))
    return op.emitOpError() << "expected a function that does not ask for its own derivative, but "
                            << op.getCalleeAttr() << " does";
  if (failed(expandIn(function))) // derivatives of derivatives
    return failure();
  callees.insert(function.getOperation());
  if (decompose) {
    OpPassManager writeOut(function->getName());
    DecomposePassOptions options;
    options.keepDifferentiable = true;
    writeOut.addPass(createDecomposePass(options));
    if (failed(runPipeline(writeOut, function)))
      return failure();
  }
  return replace(op, function);
}

LogicalResult Differentiate::expandIn(FunctionOpInterface function) {
  if (!done.insert(function).second && !llvm::is_contained(open, function.getOperation()))
    return success();
  open.push_back(function);
  SmallVector<Operation *> derivatives;
  function->walk([&](Operation *op) {
    if (isa<VjpOp, JvpOp>(op))
      derivatives.push_back(op);
  });
  for (Operation *op : derivatives)
    if (failed(isa<VjpOp>(op) ? expand(cast<VjpOp>(op)) : expand(cast<JvpOp>(op))))
      return failure();
  open.pop_back();
  return success();
}

void Differentiate::runOnOperation() {
  done.clear();
  callees.clear();
  open.clear();
  for (auto function : getOperation().getOps<FunctionOpInterface>())
    if (failed(expandIn(function)))
      return signalPassFailure();
  // Functions that only their derivatives needed.
  for (Operation *function : callees)
    if (cast<SymbolOpInterface>(function).isPrivate() && SymbolTable::symbolKnownUseEmpty(function, getOperation()))
      function->erase();
}
