//===- FoldConstants.cpp - parameters that are known at compile time ------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates what depends on constants only: frequencies of Gaussians and structured operations, such as the product of
// constant weights and the network that generates frequencies. Input: graphs whose parameters are constants. Output:
// the same with constants of their values, computed in f64 and rounded once.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

namespace bochner {
#define GEN_PASS_DEF_FOLDCONSTANTSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

#define DEBUG_TYPE "spectral-fold-constants"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

using Numbers = std::vector<double>;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static double toDouble(APFloat value) {
  bool lossy;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return value.convertToDouble();
}

/// The elements of a constant or filled tensor of floats; nothing if it is something else.
static std::optional<Numbers> matchConstant(Value value) {
  FloatAttr filled;
  auto fill = value.getDefiningOp<linalg::FillOp>();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (fill && type && type.hasStaticShape() && matchPattern(fill.getInputs()[0], m_Constant(&filled)))
    return Numbers(size_t(type.getNumElements()), filled.getValueAsDouble());
  DenseFPElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return std::nullopt;
  if (elements.isSplat())
    return Numbers(size_t(elements.getNumElements()), toDouble(elements.getSplatValue<APFloat>()));
  Numbers numbers;
  for (const APFloat &element : elements)
    numbers.push_back(toDouble(element));
  return numbers;
}

static bool isSplat(const Numbers &numbers, double value) {
  return llvm::all_of(numbers, [=](double number) { return number == value; });
}

static Value makeConstant(OpBuilder &b, Location loc, RankedTensorType type, const Numbers &numbers) {
  SmallVector<APFloat> elements;
  bool lossy;
  for (double number : numbers) {
    elements.emplace_back(number);
    elements.back().convert(cast<FloatType>(type.getElementType()).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                            &lossy);
  }
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, elements));
}

//===----------------------------------------------------------------------===//
// gaussian_frequencies
//===----------------------------------------------------------------------===//

/// Constant base, mean and sigma -> the frequencies.
static std::optional<Numbers> evaluate(GaussianFrequenciesOp op) {
  auto base = matchConstant(op.getBase()), mean = matchConstant(op.getMean()), sigma = matchConstant(op.getSigma());
  if (!base || !mean || !sigma)
    return std::nullopt;
  size_t depth = size_t(op.getBase().getType().getDimSize(0)), count = size_t(op.getBase().getType().getDimSize(1));
  size_t heads = mean->size() / depth;
  Numbers result;
  for (size_t h = 0; h < heads; ++h)
    for (size_t d = 0; d < depth; ++d) {
      Numbers row(count);
      for (size_t r = 0; r < depth; ++r) {
        double entry = r == d ? 1.0 : 0.0;
        switch (op.getCovariance()) {
        case Covariance::full:
          entry = (*sigma)[(h * depth + r) * depth + d];
          break;
        case Covariance::diagonal:
          entry *= std::exp(0.5 * (*sigma)[h * depth + d]);
          break;
        case Covariance::scalar:
          entry *= std::exp(0.5 * (*sigma)[h]);
          break;
        }
        if (entry != 0.0)
          for (size_t j = 0; j < count; ++j)
            row[j] += entry * (*base)[r * count + j];
      }
      double shift = (*mean)[h * depth + d];
      for (double number : row)
        result.push_back(number + shift);
      if (op.getMeanSign() == MeanSign::plus_minus)
        for (double number : row)
          result.push_back(number - shift);
    }
  return result;
}

/// A standard normal distribution keeps its base: mean 0, and log variance 0.
static bool isStandard(GaussianFrequenciesOp op) {
  auto mean = matchConstant(op.getMean()), sigma = matchConstant(op.getSigma());
  return op.getType() == op.getBase().getType() && op.getCovariance() != Covariance::full && mean && sigma &&
         isSplat(*mean, 0.0) && isSplat(*sigma, 0.0);
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

namespace {
/// The body of a structured operation as instructions on numbered values.
class Body {
public:
  /// Fails if an operation of the body is not known.
  static FailureOr<Body> of(Block &block);
  double run(ArrayRef<double> arguments) {
    std::copy(arguments.begin(), arguments.end(), values.begin());
    for (const Instruction &i : instructions)
      values[i.result] = i.function(values[i.operands[0]], values[i.operands[1]], values[i.operands[2]]);
    return values[yielded];
  }

private:
  using Function = double (*)(double, double, double);
  struct Instruction {
    Function function;
    unsigned operands[3], result;
  };
  static Function functionOf(Operation *op);

  Numbers values;
  std::vector<Instruction> instructions;
  unsigned yielded = 0;
};
} // namespace

Body::Function Body::functionOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case([](arith::AddFOp) -> Function { return [](double a, double b, double) { return a + b; }; })
      .Case([](arith::SubFOp) -> Function { return [](double a, double b, double) { return a - b; }; })
      .Case([](arith::MulFOp) -> Function { return [](double a, double b, double) { return a * b; }; })
      .Case([](arith::DivFOp) -> Function { return [](double a, double b, double) { return a / b; }; })
      .Case([](arith::NegFOp) -> Function { return [](double a, double, double) { return -a; }; })
      .Case([](arith::SelectOp) -> Function { return [](double a, double b, double c) { return a != 0 ? b : c; }; })
      .Case([](arith::CmpFOp op) -> Function {
        switch (op.getPredicate()) {
        case arith::CmpFPredicate::OGT:
          return [](double a, double b, double) { return a > b ? 1.0 : 0.0; };
        case arith::CmpFPredicate::OGE:
          return [](double a, double b, double) { return a >= b ? 1.0 : 0.0; };
        case arith::CmpFPredicate::OLT:
          return [](double a, double b, double) { return a < b ? 1.0 : 0.0; };
        case arith::CmpFPredicate::OLE:
          return [](double a, double b, double) { return a <= b ? 1.0 : 0.0; };
        default:
          return nullptr;
        }
      })
      .Case([](math::ExpOp) -> Function { return [](double a, double, double) { return std::exp(a); }; })
      .Case([](math::SqrtOp) -> Function { return [](double a, double, double) { return std::sqrt(a); }; })
      .Case([](math::TanhOp) -> Function { return [](double a, double, double) { return std::tanh(a); }; })
      .Default([](Operation *) -> Function { return nullptr; });
}

FailureOr<Body> Body::of(Block &block) {
  Body body;
  llvm::DenseMap<Value, unsigned> numbers;
  auto add = [&](Value value, double number) {
    numbers[value] = unsigned(body.values.size());
    body.values.push_back(number);
  };
  for (BlockArgument argument : block.getArguments())
    add(argument, 0);
  auto numberOf = [&](Value value) -> FailureOr<unsigned> {
    FloatAttr constant;
    if (!numbers.contains(value)) {
      if (!matchPattern(value, m_Constant(&constant)))
        return failure();
      add(value, constant.getValueAsDouble());
    }
    return numbers.lookup(value);
  };
  for (Operation &op : block.without_terminator()) {
    if (isa<arith::ConstantOp>(op))
      continue; // read where it is used
    Instruction instruction{functionOf(&op), {0, 0, 0}, 0};
    if (!instruction.function)
      return failure();
    for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
      FailureOr<unsigned> number = numberOf(operand);
      if (failed(number))
        return failure();
      instruction.operands[i] = *number;
    }
    add(op.getResult(0), 0);
    instruction.result = numbers.lookup(op.getResult(0));
    body.instructions.push_back(instruction);
  }
  FailureOr<unsigned> yielded = numberOf(block.getTerminator()->getOperand(0));
  if (failed(yielded))
    return failure();
  body.yielded = *yielded;
  return body;
}

/// Row-major strides of an operand along the loops.
static FailureOr<SmallVector<int64_t>> stridesOf(AffineMap map, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(map.getNumDims());
  int64_t stride = 1;
  for (int64_t dim = int64_t(shape.size()) - 1; dim >= 0; stride *= shape[dim--]) {
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim));
    if (!loop)
      return failure();
    strides[loop.getPosition()] += stride;
  }
  return strides;
}

/// Constant or filled operands, but for an output that is not read -> the result.
static std::optional<Numbers> evaluate(linalg::LinalgOp op, int64_t maxOperations) {
  auto type = op->getNumResults() == 1 ? dyn_cast<RankedTensorType>(op->getResult(0).getType()) : RankedTensorType();
  if (!type || !type.hasStaticShape() || !isa<FloatType>(type.getElementType()) || op.hasIndexSemantics() ||
      isa<linalg::FillOp>(op.getOperation())) // a filled tensor is cheaper than a constant
    return std::nullopt;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  int64_t total = 1;
  for (int64_t range : ranges)
    if (ShapedType::isDynamic(range) || llvm::MulOverflow(total, range, total) || total > maxOperations)
      return std::nullopt;
  SmallVector<Numbers> operands;
  SmallVector<SmallVector<int64_t>> strides;
  for (OpOperand &operand : op->getOpOperands()) {
    auto shaped = dyn_cast<RankedTensorType>(operand.get().getType());
    auto along = shaped && shaped.hasStaticShape() ? stridesOf(op.getMatchingIndexingMap(&operand), shaped.getShape())
                                                   : FailureOr<SmallVector<int64_t>>(failure());
    bool isRead = !op.isDpsInit(&operand) || op.payloadUsesValueFromOperand(&operand);
    std::optional<Numbers> numbers = isRead ? matchConstant(operand.get()) : std::nullopt;
    if (failed(along) || (isRead && !numbers))
      return std::nullopt;
    operands.push_back(numbers ? std::move(*numbers) : Numbers(size_t(shaped.getNumElements())));
    strides.push_back(*along);
  }
  int64_t read = 0;
  for (OpOperand *input : op.getDpsInputOperands())
    read += cast<RankedTensorType>(input->get().getType()).getNumElements();
  if (op.getNumReductionLoops() == 0 && type.getNumElements() > read) // the module would grow
    return std::nullopt;
  FailureOr<Body> body = Body::of(*op.getBlock());
  if (failed(body))
    return std::nullopt;
  Numbers arguments(operands.size());
  SmallVector<int64_t> position(ranges.size());
  for (int64_t i = 0; i < total; ++i) {
    int64_t rest = i;
    for (int64_t loop = int64_t(ranges.size()) - 1; loop >= 0; rest /= ranges[loop--])
      position[loop] = rest % ranges[loop];
    auto elementOf = [&](size_t operand) -> double & {
      int64_t offset = 0;
      for (auto [stride, at] : llvm::zip(strides[operand], position))
        offset += stride * at;
      return operands[operand][size_t(offset)];
    };
    for (size_t operand = 0; operand < operands.size(); ++operand)
      arguments[operand] = elementOf(operand);
    elementOf(operands.size() - 1) = body->run(arguments);
  }
  return operands.back();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct FoldConstantsPass : bochner::impl::FoldConstantsPassBase<FoldConstantsPass> {
  using FoldConstantsPassBase::FoldConstantsPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      // A tile has an unknown number of rows: nothing in a region is constant.
      if (isa<linalg::LinalgOp, GaussianFrequenciesOp>(op) && !op->getParentOfType<FeatureMapOpInterface>())
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      auto frequencies = dyn_cast<GaussianFrequenciesOp>(op);
      if (frequencies && isStandard(frequencies)) {
        rewriter.replaceOp(op, frequencies.getBase());
        continue;
      }
      std::optional<Numbers> numbers;
      if (frequencies && frequencies.getType().hasStaticShape() &&
          frequencies.getType().getNumElements() <= maxOperations)
        numbers = evaluate(frequencies);
      else if (auto structured = dyn_cast<linalg::LinalgOp>(op))
        numbers = evaluate(structured, maxOperations);
      if (numbers)
        rewriter.replaceOp(
            op, makeConstant(rewriter, op->getLoc(), cast<RankedTensorType>(op->getResult(0).getType()), *numbers));
    }
    (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
