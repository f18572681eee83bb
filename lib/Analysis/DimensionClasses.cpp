//===- DimensionClasses.cpp - dimensions that always agree ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which dimensions each operation makes equal. An operation that is not known here ties nothing, so that a result whose
// size depends on it has no size in terms of arguments.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/DimensionClasses.h"
#include "dialect/Spectral.h"
#include "lib/Analysis/DimensionSolver.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace bochner;

/// Null for anything but a ranked tensor.
static RankedTensorType tensorType(Value value) { return dyn_cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Traits and interfaces
//===----------------------------------------------------------------------===//

/// Values that control flow or a destination hands on, and elementwise operations. A tensor that several branches give
/// has one shape for all of them: memory is sized before the function runs.
static void tieEqualShapes(DimensionSolver &solver, Operation *op) {
  auto tie = [&](Value from, Value to) {
    if (tensorType(from) && tensorType(to))
      solver.tieShapes(from, to, op);
  };
  if (auto style = dyn_cast<DestinationStyleOpInterface>(op))
    for (OpResult result : op->getResults())
      tie(style.getTiedOpOperand(result)->get(), result);
  if (auto branch = dyn_cast<RegionBranchOpInterface>(op)) {
    RegionBranchSuccessorMapping mapping;
    branch.getSuccessorOperandInputMapping(mapping);
    for (auto &[operand, inputs] : mapping)
      for (Value input : inputs)
        tie(operand->get(), input);
  }
  if (auto branch = dyn_cast<BranchOpInterface>(op))
    for (auto [i, successor] : llvm::enumerate(op->getSuccessors()))
      for (BlockArgument argument : successor->getArguments())
        if (Value operand = branch.getSuccessorOperands(i)[argument.getArgNumber()])
          tie(operand, argument);
  if (OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1)
    for (Value operand : op->getOperands())
      tie(operand, op->getResult(0));
}

//===----------------------------------------------------------------------===//
// linalg and tensor
//===----------------------------------------------------------------------===//

/// Dimensions that one loop runs over.
static void tieLoops(DimensionSolver &solver, linalg::LinalgOp op) {
  SmallVector<std::pair<Value, int64_t>> loops(op.getNumLoops());
  for (auto [operand, map] : llvm::zip_equal(op->getOperands(), op.getIndexingMapsArray())) {
    if (!tensorType(operand))
      continue;
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
        auto &[first, dimOfFirst] = loops[loop.getPosition()];
        if (first)
          solver.tie(first, dimOfFirst, operand, dim, op);
        else
          loops[loop.getPosition()] = {operand, int64_t(dim)};
      }
  }
}

/// The dynamic dimensions of a new tensor have these sizes.
static void tieDynamicSizes(DimensionSolver &solver, Operation *op, ValueRange sizes) {
  Value result = op->getResult(0);
  auto next = sizes.begin();
  for (int64_t dim = 0, rank = tensorType(result).getRank(); dim < rank; ++dim)
    if (tensorType(result).isDynamicDim(dim))
      solver.tie(result, dim, OpFoldResult(*next++), op);
}

/// `slice` has the sizes of a slice but for the dropped dimensions.
template <typename SliceOp> static void tieSlice(DimensionSolver &solver, SliceOp op, Value slice) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t dim = 0;
  for (auto [i, size] : llvm::enumerate(op.getMixedSizes()))
    if (!dropped[i])
      solver.tie(slice, dim++, size, op);
}

static void tieReshape(DimensionSolver &solver, Operation *op, Value whole, Value parts,
                       ArrayRef<ReassociationIndices> groups) {
  for (auto [dim, group] : llvm::enumerate(groups))
    solver.tieProduct(whole, dim, parts, group, op);
}

static void tieTensorOp(DimensionSolver &solver, Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](tensor::EmptyOp op) { tieDynamicSizes(solver, op, op.getDynamicSizes()); })
      .Case([&](tensor::GenerateOp op) { tieDynamicSizes(solver, op, op.getDynamicExtents()); })
      .Case([&](tensor::SplatOp op) { tieDynamicSizes(solver, op, op.getDynamicSizes()); })
      .Case<tensor::CastOp, tensor::BitcastOp>([&](auto op) {
        if (tensorType(op.getSource()) && tensorType(op.getResult()))
          solver.tieShapes(op.getSource(), op.getResult(), op);
      })
      .Case([&](tensor::ExtractSliceOp op) { tieSlice(solver, op, op.getResult()); })
      .Case([&](tensor::InsertSliceOp op) { tieSlice(solver, op, op.getSource()); })
      .Case([&](tensor::ConcatOp op) {
        for (Value input : op.getInputs())
          for (int64_t dim = 0, rank = tensorType(input).getRank(); dim < rank; ++dim)
            if (dim != int64_t(op.getDim()))
              solver.tie(input, dim, op.getResult(), dim, op);
      })
      .Case([&](tensor::PadOp op) {
        for (auto [dim, low, high] : llvm::enumerate(op.getMixedLowPad(), op.getMixedHighPad()))
          if (isConstantIntValue(low, 0) && isConstantIntValue(high, 0))
            solver.tie(op.getSource(), dim, op.getResult(), dim, op);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        for (auto [dim, size] : llvm::enumerate(op.getMixedOutputShape()))
          solver.tie(op.getResult(), dim, size, op);
        tieReshape(solver, op, op.getSrc(), op.getResult(), op.getReassociationIndices());
      })
      .Case([&](tensor::CollapseShapeOp op) {
        tieReshape(solver, op, op.getResult(), op.getSrc(), op.getReassociationIndices());
      });
}

//===----------------------------------------------------------------------===//
// spectral
//===----------------------------------------------------------------------===//

/// Heads are grouped only where both numbers are static.
static void tieHeads(DimensionSolver &solver, Value rows, Value keys, Operation *op) {
  if (tensorType(rows).isDynamicDim(1) || tensorType(keys).isDynamicDim(1))
    solver.tie(rows, 1, keys, 1, op);
}

/// Lengths, mask and sequences of rows [B, H, N, W].
static void tieMasks(DimensionSolver &solver, Value rows, Value lengths, Value mask, Value sequences, Operation *op) {
  if (lengths)
    solver.tie(rows, 0, lengths, 0, op);
  if (mask) {
    solver.tie(rows, 0, mask, 0, op);
    solver.tie(rows, 2, mask, 1, op);
  }
  if (sequences)
    solver.tie(rows, 0, OpFoldResult(OpBuilder(op).getIndexAttr(1)), op);
}

/// S, z and r have the batch entries and heads of `keys`.
static void tieState(DimensionSolver &solver, ValueRange state, Value keys, Operation *op) {
  for (Value v : state)
    for (int64_t dim : {0, 1})
      solver.tie(keys, dim, v, dim, op);
}

template <typename AttentionOp> static void tieAttention(DimensionSolver &solver, AttentionOp op, bool sameLength) {
  Value query = op.getQuery(), key = op.getKey(), value = op.getValue();
  solver.tie(query, 0, key, 0, op);
  solver.tie(query, 0, value, 0, op);
  tieHeads(solver, query, key, op);
  solver.tie(key, 1, value, 1, op);
  solver.tie(key, 2, value, 2, op);
  if (sameLength || (op.getSequences() && !op.getKeySequences()))
    solver.tie(query, 2, key, 2, op);
  tieMasks(solver, key, op.getLengths(), op.getMask(), op.getSequences(), op);
  if (op.getKeySequences())
    solver.tie(op.getSequences(), 0, op.getKeySequences(), 0, op);
}

static void tieParameters(DimensionSolver &solver, Operation *op, ValueRange parameters, Value rows) {
  // One that is 1 serves all heads; a dynamic one cannot be told apart at run time, so it has a slice for each.
  for (Value parameter : parameters)
    // A static one was checked by the verifier.
    if (tensorType(parameter).isDynamicDim(0) ||
        (tensorType(parameter).getDimSize(0) != 1 && tensorType(rows).isDynamicDim(1)))
      solver.tie(rows, 1, parameter, 0, op);
}

static void tieFrequencies(DimensionSolver &solver, spectral::GaussianFrequenciesOp op) {
  Value base = op.getBase(), mean = op.getMean(), sigma = op.getSigma();
  int64_t last = tensorType(mean).getRank() - 1; // 1 if there is a Gaussian for each head
  solver.tie(base, 0, mean, last, op);
  for (int64_t dim = last, rank = tensorType(sigma).getRank(); dim < rank; ++dim)
    solver.tie(base, 0, sigma, dim, op);
  if (last == 1)
    solver.tie(mean, 0, sigma, 0, op);
  solver.tieShapes(mean, op.getFrequencies(), op);
}

static void tieSpectralOp(DimensionSolver &solver, Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](spectral::LinearAttentionOp op) {
        tieAttention(solver, op,
                     op.isCausal() && !op.getKeySequences() &&
                         (op.getInitial().empty() || op.getCausality() == spectral::Causality::anticausal));
        if (Value offset = op.getOffset())
          solver.tieShapes(offset, op.getQuery(), op);
        solver.tieShapes(op.getQuery(), op.getOut(), op, /*except=*/1);
        tieParameters(solver, op, op.getParameters(), op.getKey());
        tieState(solver, op.getInitial(), op.getKey(), op);
        tieState(solver, op.getFinalState(), op.getKey(), op);
        if (Value counts = op.getCounts())
          for (int64_t dim : {0, 1})
            solver.tie(op.getQuery(), dim, counts, dim, op);
        tieState(solver, op.getCheckpoints(), op.getKey(), op);
        if (Value denominators = op.getRowDenominators())
          solver.tieShapes(op.getQuery(), denominators, op, /*except=*/1);
      })
      .Case([&](spectral::LinearAttentionGradOp op) {
        tieAttention(solver, op, op.isCausal() && !op.getKeySequences());
        for (Value rows : {Value(op.getOutput()), Value(op.getCotangent()), Value(op.getDenominators())})
          if (rows)
            solver.tieShapes(op.getQuery(), rows, op, /*except=*/1);
        if (Value offset = op.getOffset())
          solver.tieShapes(offset, op.getQuery(), op);
        tieState(solver, op.getState(), op.getKey(), op);
        tieState(solver, op.getCheckpoints(), op.getKey(), op);
        tieParameters(solver, op, op.getParameters(), op.getKey());
        solver.tieShapes(op.getQuery(), op.getGradQuery(), op);
        solver.tieShapes(op.getKey(), op.getGradKey(), op);
        solver.tieShapes(op.getValue(), op.getGradValue(), op);
        for (auto [i, center] : llvm::zip_equal(op.getMoments(), op.getCenters()))
          solver.tie(op.getParameters()[i], 0, center, 0, op);
        for (auto [like, gradient] : llvm::zip_equal(op.getParametersOfGradients(), op.getGradParameters()))
          solver.tieShapes(like, gradient, op);
      })
      .Case([&](spectral::ExactAttentionOp op) {
        tieAttention(solver, op, op.isCausal() && !op.getKeySequences());
        solver.tieShapes(op.getQuery(), op.getOut(), op, /*except=*/1);
      })
      .Case([&](spectral::AttentionStateOp op) {
        Value key = op.getKey();
        for (int64_t dim : {0, 1, 2})
          solver.tie(key, dim, op.getValue(), dim, op);
        tieMasks(solver, key, op.getLengths(), op.getMask(), Value(), op);
        tieParameters(solver, op, op.getParameters(), key);
        tieState(solver, op.getInitial(), key, op);
        tieState(solver, op.getState(), key, op);
      })
      .Case([&](spectral::MergeStatesOp op) {
        tieState(solver, op->getOperands(), op.getLeft().front(), op);
        tieState(solver, op.getState(), op.getLeft().front(), op);
      })
      .Case([&](spectral::ApplyStateOp op) {
        Value query = op.getQuery(), sums = op.getState().front();
        tieHeads(solver, query, sums, op);
        tieState(solver, op.getState(), sums, op);
        solver.tie(query, 0, sums, 0, op);
        if (Value offset = op.getOffset())
          solver.tieShapes(offset, query, op);
        tieParameters(solver, op, op.getParameters(), sums);
        solver.tieShapes(query, op.getOut(), op, /*except=*/1);
      })
      .Case([&](spectral::FeatureMapOp op) {
        solver.tieShapes(op.getRows(), op.getOut(), op, /*except=*/1);
        tieParameters(solver, op, op.getParameters(), op.getRows());
      })
      .Case([&](spectral::GaussianFrequenciesOp op) { tieFrequencies(solver, op); })
      .Case([&](spectral::LogPositiveOp op) {
        solver.tieShapes(op.getProjections(), op.getFeatures(), op, /*except=*/1);
        solver.tieShapes(op.getRows(), op.getFeatures(), op, /*except=*/1);
      })
      .Case<spectral::TrigOp, spectral::HadamardOp, spectral::ConstantFeatureOp>(
          [&](Operation *op) { solver.tieShapes(op->getOperand(0), op->getResult(0), op, /*except=*/1); })
      .Case([&](spectral::DropoutOp op) { solver.tieShapes(op.getInput(), op.getResult(), op); })
      .Case<spectral::KernelSumOp, spectral::KernelProductOp>([&](Operation *op) {
        for (Value features : op->getOperands())
          solver.tieShapes(features, op->getResult(0), op, /*except=*/1);
      })
      .Case<spectral::PermuteOp, spectral::FastfoodOp>([&](auto op) {
        Value rows = op.getRows();
        solver.tieShapes(rows, op->getResult(0), op);
        for (Value vector : op->getOperands().drop_front())
          solver.tie(rows, tensorType(rows).getRank() - 1, vector, 0, op);
      });
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

FailureOr<DimensionClasses> DimensionClasses::compute(func::FuncOp function) {
  DimensionSolver solver(function);
  func::ReturnOp firstReturn;
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == function)
      return WalkResult::advance();
    tieEqualShapes(solver, op);
    if (auto loops = dyn_cast<linalg::LinalgOp>(op))
      tieLoops(solver, loops);
    else if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op))
      solver.tieShapes(softmax.getInput(), softmax.getOutput(), op);
    tieTensorOp(solver, op);
    tieSpectralOp(solver, op);
    if (auto returnOp = dyn_cast<func::ReturnOp>(op)) {
      // A function with several blocks may return from each; a result has one shape all the same.
      if (!firstReturn)
        firstReturn = returnOp;
      for (auto [a, b] : llvm::zip_equal(firstReturn.getOperands(), returnOp.getOperands()))
        if (tensorType(a))
          solver.tieShapes(a, b, op);
    }
    // What regions do with tiles of rows and with scalars ties no dimension of a whole tensor.
    return isa<spectral::FeatureMapOpInterface, spectral::LinearAttentionGradOp, linalg::LinalgOp>(op)
               ? WalkResult::skip()
               : WalkResult::advance();
  });
  return solver.solve();
}

std::optional<DimensionSize> DimensionClasses::getSize(Value tensor, int64_t dim) const {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return DimensionSize{type.getDimSize(dim), {}};
  auto found = sizes.find({tensor, dim});
  if (found == sizes.end())
    return std::nullopt;
  return found->second;
}
