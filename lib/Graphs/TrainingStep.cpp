//===- TrainingStep.cpp - a step of an optimizer --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// AdamW ("Decoupled Weight Decay Regularization", Loshchilov and Hutter, 2019). In step k, with the gradient g of a
// parameter p and its moments m and v:
//   m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
//   p <- (1 - rate decay) p - rate / (1 - beta1^k) m / (sqrt(v / (1 - beta2^k)) + eps).
// Only parameters of rank 2 and more decay: scales, shifts and biases have no reason to be small.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/TrainingStep.h"
#include "lib/Graphs/Gradient.h"
#include "lib/Graphs/ModuleBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

/// Keeps the scale of small gradients finite, as PyTorch's clip_grad_norm_ does.
static constexpr double kNormEps = 1e-6;

namespace {
class TrainingStep {
public:
  TrainingStep(func::FuncOp function, const OptimizerSpec &optimizer)
      : b(function), function(function), optimizer(optimizer) {}
  void run();

private:
  using Body = function_ref<SmallVector<Value>(OpBuilder &, ValueRange)>;

  void addOptimizerArguments();
  Value real(OpBuilder &at, double value) {
    return arith::ConstantOp::create(at, at.getUnknownLoc(), at.getFloatAttr(type, value));
  }
  SmallVector<Value> loops(StringRef name, ValueRange inputs, ArrayRef<Type> results, Body body);
  Value reduce(StringRef name, Value tensor, int64_t dim, bool square);
  Value sumOfSquares(Value tensor);
  Value clipFactor(ValueRange gradients);
  void computeFactors(ValueRange gradients);
  SmallVector<Value> update(StringRef name, bool decays, ValueRange tensors);

  DerivedFunction b;
  func::FuncOp function;
  OptimizerSpec optimizer;
  Type type;                       ///< of parameters
  SmallVector<int64_t> parameters; ///< their arguments
  Value step, rate;                ///< arguments
  /// Scalars: the next number of steps, 1 - rate decay, rate / (1 - beta1^k), 1 / sqrt(1 - beta2^k), that of gradients.
  Value nextStep, keep, pace, spread, clip;
};
} // namespace

/// For each element of the results, of the sizes of the inputs that are no scalars.
SmallVector<Value> TrainingStep::loops(StringRef name, ValueRange inputs, ArrayRef<Type> results, Body body) {
  int64_t rank = cast<RankedTensorType>(results.front()).getRank();
  SmallVector<AffineMap> maps;
  for (Value input : inputs)
    maps.push_back(cast<RankedTensorType>(input.getType()).getRank() == rank ? b.getMultiDimIdentityMap(rank)
                                                                             : AffineMap::get(rank, 0, b.getContext()));
  SmallVector<Value> empties;
  for (Type result : results) {
    auto tensor = cast<RankedTensorType>(result);
    empties.push_back(tensor::EmptyOp::create(b, b.getUnknownLoc(), tensor.getShape(), tensor.getElementType()));
    maps.push_back(b.getMultiDimIdentityMap(rank));
  }
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, b.named(name), results, inputs, empties, maps, iterators, [&](OpBuilder &inner, Location, ValueRange e) {
        linalg::YieldOp::create(inner, inner.getUnknownLoc(), body(inner, e.take_front(inputs.size())));
      });
  for (BlockArgument element : generic.getRegion().getArguments())
    element.setLoc(b.getUnknownLoc());
  return generic.getResults();
}

/// The sum over a dimension, of squares if asked for.
Value TrainingStep::reduce(StringRef name, Value tensor, int64_t dim, bool square) {
  auto from = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(from.getShape());
  shape.erase(shape.begin() + dim);
  Value empty = tensor::EmptyOp::create(b, b.getUnknownLoc(), shape, type);
  Value zeros = linalg::FillOp::create(b, b.getUnknownLoc(), real(b, 0), empty).getResult(0);
  AffineMap all = b.getMultiDimIdentityMap(from.getRank());
  SmallVector<utils::IteratorType> iterators(from.getRank(), utils::IteratorType::parallel);
  iterators[dim] = utils::IteratorType::reduction;
  auto generic =
      linalg::GenericOp::create(b, b.named(name), zeros.getType(), tensor, zeros, {all, all.dropResult(dim)}, iterators,
                                [&](OpBuilder &inner, Location, ValueRange e) {
                                  Value term = square ? multiply(inner, e[0], e[0]) : e[0];
                                  linalg::YieldOp::create(inner, inner.getUnknownLoc(), add(inner, e[1], term));
                                });
  for (BlockArgument element : generic.getRegion().getArguments())
    element.setLoc(b.getUnknownLoc());
  return generic.getResult(0);
}

/// By columns first, which run side by side: the order of a sum of floats cannot change later.
Value TrainingStep::sumOfSquares(Value tensor) {
  bool square = true;
  while (cast<RankedTensorType>(tensor.getType()).getRank() > 0) {
    tensor = reduce("squares", tensor, 0, square);
    square = false;
  }
  return tensor;
}

/// min(1, limit / norm of all gradients together)
Value TrainingStep::clipFactor(ValueRange gradients) {
  SmallVector<Value> sums;
  for (Value gradient : gradients)
    sums.push_back(sumOfSquares(gradient));
  return loops("clip", sums, RankedTensorType::get({}, type), [&](OpBuilder &at, ValueRange e) -> SmallVector<Value> {
    Location loc = at.getUnknownLoc();
    Value sum = e[0];
    for (Value more : e.drop_front())
      sum = add(at, sum, more);
    Value norm = add(at, math::SqrtOp::create(at, loc, sum), real(at, kNormEps));
    Value factor = divide(at, real(at, *optimizer.clipNorm), norm);
    return {arith::MinimumFOp::create(at, loc, factor, real(at, 1))};
  })[0];
}

void TrainingStep::computeFactors(ValueRange gradients) {
  if (optimizer.clipNorm)
    clip = clipFactor(gradients);
  auto scalar = RankedTensorType::get({}, type);
  nextStep = loops("next_step", step, step.getType(), [](OpBuilder &at, ValueRange e) -> SmallVector<Value> {
    Location loc = at.getUnknownLoc();
    Value one = arith::ConstantOp::create(at, loc, at.getI64IntegerAttr(1));
    return {arith::AddIOp::create(at, loc, e[0], one)};
  })[0];
  auto factors = loops("factors", {nextStep, rate}, {scalar, scalar, scalar},
                       [&](OpBuilder &at, ValueRange e) -> SmallVector<Value> {
                         Location loc = at.getUnknownLoc();
                         Type precise = at.getF64Type(); // f32 would lose four digits of 1 - beta2 in the first steps
                         auto preciseReal = [&](double value) -> Value {
                           return arith::ConstantOp::create(at, loc, at.getF64FloatAttr(value));
                         };
                         Value count = arith::SIToFPOp::create(at, loc, precise, e[0]);
                         auto correction = [&](double beta) -> Value { // 1 - beta^count
                           if (beta == 0)
                             return preciseReal(1);
                           Value power = math::ExpOp::create(at, loc, multiply(at, count, preciseReal(std::log(beta))));
                           return subtract(at, preciseReal(1), power);
                         };
                         auto narrow = [&](Value value) -> Value {
                           return type == precise ? value : arith::TruncFOp::create(at, loc, type, value).getResult();
                         };
                         Value root = math::SqrtOp::create(at, loc, correction(optimizer.beta2));
                         Value spread = divide(at, preciseReal(1), root);
                         Value keep = subtract(at, real(at, 1), multiply(at, e[1], real(at, optimizer.weightDecay)));
                         return {keep, divide(at, e[1], narrow(correction(optimizer.beta1))), narrow(spread)};
                       });
  keep = factors[0];
  pace = factors[1];
  spread = factors[2];
}

/// The next values of {parameter, first moment, second moment}; `tensors` has the gradient too.
SmallVector<Value> TrainingStep::update(StringRef name, bool decays, ValueRange tensors) {
  SmallVector<Value> inputs(tensors);
  llvm::append_range(inputs, ArrayRef<Value>{keep, pace, spread});
  if (clip)
    inputs.push_back(clip);
  Type each = tensors[0].getType();
  return loops(name, inputs, {each, each, each}, [&](OpBuilder &at, ValueRange e) -> SmallVector<Value> {
    Value p = e[0], m = e[1], v = e[2], g = e[3], keep = e[4], pace = e[5], spread = e[6];
    if (clip)
      g = multiply(at, g, e[7]);
    auto move = [&](Value moment, double beta, Value value) {
      return add(at, multiply(at, moment, real(at, beta)), multiply(at, value, real(at, 1 - beta)));
    };
    m = move(m, optimizer.beta1, g);
    v = move(v, optimizer.beta2, multiply(at, g, g));
    Value root = multiply(at, math::SqrtOp::create(at, at.getUnknownLoc(), v), spread);
    Value change = divide(at, multiply(at, m, pace), add(at, root, real(at, optimizer.eps)));
    return {subtract(at, decays ? multiply(at, p, keep) : p, change), m, v};
  });
}

void TrainingStep::addOptimizerArguments() {
  for (auto [i, attributes] : llvm::enumerate(b.getArguments()))
    if (isParameter(nameOf(attributes)))
      parameters.push_back(int64_t(i));
  type = getElementTypeOrSelf(function.getArgumentTypes()[parameters.front()]);
  for (int64_t i : parameters)
    for (StringRef moment : {"moment1_", "moment2_"}) {
      DictionaryAttr attributes = b.getArguments()[i];
      b.addArgument(function.getArgumentTypes()[i], describeLike(attributes, moment + nameOf(attributes), "zeros"));
    }
  auto describeScalar = [&](StringRef name, StringRef init) {
    NamedAttrList attributes;
    attributes.set(spectral::kNameAttr, b.getStringAttr(name));
    attributes.set(spectral::kDimsAttr, b.getArrayAttr({}));
    attributes.set(spectral::kInitAttr, b.getStringAttr(init));
    return attributes.getDictionary(b.getContext());
  };
  b.addArgument(RankedTensorType::get({}, b.getI64Type()), describeScalar("step", "zeros"));
  b.addArgument(RankedTensorType::get({}, type), describeScalar("learning_rate", "constant(0.001)"));
}

void TrainingStep::run() {
  SmallVector<DictionaryAttr> results(b.getResults());
  addOptimizerArguments();
  func::FuncOp derived = b.start("train_step");
  size_t count = derived.getNumArguments(), moments = function.getNumArguments();
  step = derived.getArgument(count - 2);
  rate = derived.getArgument(count - 1);
  unsigned loss = *b.findResult("loss");
  SmallVector<Value> values = b.differentiate(loss, b.one(loss), parameters);
  SmallVector<Value> gradients(ArrayRef(values).drop_front(function.getNumResults()));
  values.truncate(function.getNumResults());
  computeFactors(gradients);

  auto addResult = [&](Value value, DictionaryAttr argument) {
    NamedAttrList attributes(describeLike(argument, nameOf(argument)));
    attributes.set(spectral::kUpdatesAttr, b.getStringAttr(nameOf(argument)));
    values.push_back(value);
    results.push_back(attributes.getDictionary(b.getContext()));
  };
  for (auto [k, i] : llvm::enumerate(parameters)) {
    unsigned places[] = {unsigned(i), unsigned(moments + 2 * k), unsigned(moments + 2 * k + 1)};
    SmallVector<Value> tensors;
    for (unsigned place : places)
      tensors.push_back(derived.getArgument(place));
    tensors.push_back(gradients[k]);
    bool decays = optimizer.weightDecay > 0 && cast<RankedTensorType>(tensors[0].getType()).getRank() > 1;
    StringRef name = nameOf(b.getArguments()[i]);
    for (auto [next, place] : llvm::zip(update(("next_" + name).str(), decays, tensors), places))
      addResult(next, b.getArguments()[place]);
  }
  addResult(nextStep, b.getArguments()[count - 2]);
  b.finish(values, results);
}

void graphs::addTrainingStep(func::FuncOp function, const OptimizerSpec &optimizer) {
  TrainingStep(function, optimizer).run();
}
