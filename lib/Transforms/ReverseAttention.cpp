//===- ReverseAttention.cpp - derivatives of linear attention -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rule of spectral.linear_attention for reverse mode: spectral.linear_attention_grad, which keeps the fused form.
// Parameters that are frequencies of Gaussians, W = A omega + mean with a diagonal A = exp(sigma / 2), pass nothing on
// to spectral.gaussian_frequencies: with the moments of their gradient around the mean, d mean = m0 and d sigma = m1
// / 2.
//
//===----------------------------------------------------------------------===//
#include "dialect/FeatureRegions.h"
#include "lib/Analysis/AttentionCost.h"
#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Passes.h"
#include "lib/Transforms/Decompose.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;

/// Lets the forward pass return what its adjoint would have to compute again: the denominators and the state or, with
/// causality, states at intervals. Who reads the old operation's result reads that of the new one.
static LinearAttentionOp returnMore(LinearAttentionOp op) {
  OpBuilder b(op);
  auto query = op.getQuery().getType(), key = op.getKey().getType();
  Type accumulator = getAccumulatorType(query.getElementType());
  bool denominators = op.getNormalize() && (op.getForm() == Form::automatic || op.getForm() == Form::chunked);
  bool state = !op.isCausal() && !op.getSequences() && op.getForm() != Form::quadratic;
  bool checkpoints = op.isCausal() && !op.getKeySequences() &&
                     !(op.getLengths() && op.getCausality() == Causality::anticausal) &&
                     (op.getForm() == Form::automatic || op.getForm() == Form::chunked);
  int64_t interval = checkpoints ? chooseCheckpointInterval(op) : 0;
  SmallVector<Type> extra;
  if (state)
    extra = stateTypes(key.getDimSize(0), key.getDimSize(1), op.getFeatureCount(), op.getValueWidth(), op.isLogDomain(),
                       accumulator, accumulator);
  if (checkpoints)
    extra = checkpointTypes(key, op.getFeatureCount(), op.getValueWidth(), op.isLogDomain(), interval,
                            bool(op.getSequences()));
  if (denominators)
    extra.push_back(withLastDim(query, 1).clone(accumulator));
  auto more =
      LinearAttentionOp::create(b, op.getLoc(), op.getOut().getType(), extra, op.getQuery(), op.getKey(), op.getValue(),
                                op.getLengths(), op.getMask(), op.getSequences(), op.getKeySequences(), op.getOffset(),
                                op.getInitial(), op.getParameters(), op.getDomain(), op.getCausality(), op.getEps(),
                                op.getNormalize(), op.getDenominator(), op.getFloor(), op.getForm(), state,
                                /*state_type=*/TypeAttr(), checkpoints, interval, denominators);
  IRMapping map;
  op.getFeatures().cloneInto(&more.getFeatures(), map);
  op.getQueryFeatures().cloneInto(&more.getQueryFeatures(), map);
  op.getOut().replaceAllUsesWith(more.getOut());
  return more;
}

/// The gradient of the logarithm of eps' factor. What eps adds to the denominator of a row, the row pulls on by
/// -(cotangent . out) / denominator.
static Value gradientOfOffset(TensorBuilder b, LinearAttentionOp op, Value cotangent, Value out, Value denominators) {
  Value offset = op.getOffset();
  Type accumulator = getElementTypeOrSelf(denominators.getType());
  double eps = op.getEps().convertToDouble();
  auto wide = [&](TensorBuilder &b, Value v) -> Value {
    return v.getType() == accumulator ? v : arith::ExtFOp::create(b, accumulator, v);
  };
  TensorBuilder::Sizes sizes = b.sizes(out);
  sizes.pop_back();
  Value zero = b.real(accumulator, 0);
  Value pulls = b.loops(
      "ABCD", {{cotangent, "ABCD"}, {out, "ABCD"}}, {b.filled(sizes, zero), "ABC"},
      [&](TensorBuilder &b, ValueRange v) { return b.subtract(v[2], b.multiply(wide(b, v[0]), wide(b, v[1]))); });
  sizes.pop_back();
  Value sum = b.loops("ABCD", {{pulls, "ABC"}, {denominators, "ABCD"}, {offset, "AB"}}, {b.filled(sizes, zero), "AB"},
                      [&](TensorBuilder &b, ValueRange v) {
                        Value share, factor = wide(b, v[2]);
                        if (op.isLogDomain())
                          share = b.exp(b.subtract(b.add(b.real(accumulator, std::log(eps)), factor), v[1]));
                        else
                          share = b.divide(b.multiply(b.real(accumulator, eps), b.exp(factor)), v[1]);
                        // Rows that see no key have no denominator.
                        Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, v[0], zero);
                        Value term = arith::SelectOp::create(b, none, zero, b.multiply(v[0], share));
                        return b.add(v[3], term);
                      });
  return b.convert(sum, getElementTypeOrSelf(offset.getType()));
}

/// The Gaussians that `parameter` has its frequencies from, if these have one variance each and are all that gradients
/// are wanted of. Frequencies of 16 bits have lost what the mean has of them, so m1 would be of few digits.
static GaussianFrequenciesOp getGaussians(Value parameter, const ReverseSweep &sweep) {
  if (auto expand = parameter.getDefiningOp<tensor::ExpandShapeOp>()) // [D, m], shared by all heads
    parameter = expand.getSrc();
  auto op = parameter.getDefiningOp<GaussianFrequenciesOp>();
  if (!op || op.getCovariance() == Covariance::full || sweep.isActive(op.getBase()) ||
      op.getBase().getType().getElementTypeBitWidth() < 32)
    return GaussianFrequenciesOp();
  return op;
}

namespace {
/// A parameter whose gradient is wanted as moments around the means of Gaussians.
struct Moments {
  int64_t parameter;
  GaussianFrequenciesOp gaussians;
  Value center; ///< the means, [heads or 1, D]
};
} // namespace

/// What the moments are worth in means and log variances.
static void addMoments(TensorBuilder &b, ReverseSweep &sweep, const Moments &wanted, Value first, Value second) {
  GaussianFrequenciesOp op = wanted.gaussians;
  auto meanType = cast<RankedTensorType>(op.getMean().getType());
  if (meanType.getRank() == 1)
    for (Value *moment : {&first, &second})
      *moment = tensor::CollapseShapeOp::create(b, meanType, *moment, SmallVector<ReassociationIndices>{{0, 1}});
  sweep.add(b, op.getMean(), first);
  if (!sweep.isActive(op.getSigma()))
    return;
  Type element = meanType.getElementType();
  std::string heads = b.leading(second), dims = heads + "d";
  std::string of = op.getCovariance() == Covariance::diagonal ? dims : heads;
  Value half = b.real(element, 0.5), zero = b.filled(b.sizes(op.getSigma()), b.real(element, 0));
  sweep.add(b, op.getSigma(), b.loops(dims, {{second, dims}}, {zero, of}, [&](TensorBuilder &b, ValueRange e) {
    return b.add(e[1], b.multiply(half, e[0]));
  }));
}

namespace {
struct LinearAttentionModel : ReverseDifferentiableOpInterface::ExternalModel<LinearAttentionModel, LinearAttentionOp> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    auto attention = cast<LinearAttentionOp>(op);
    if (std::string why = whyNoAdjoint(attention); !why.empty())
      return op->emitOpError() << "expected attention with fused gradients, but " << why
                               << "; write it out by 'spectral-decompose' before it is differentiated";
    TensorBuilder tensors(op->getLoc(), b);
    SmallVector<int64_t> wrt;
    SmallVector<Moments> moments;
    for (auto [i, parameter] : llvm::enumerate(attention.getParameters())) {
      if (!sweep.isActive(parameter))
        continue;
      auto gaussians = getGaussians(parameter, sweep);
      if (gaussians && hasMoments(attention, i) &&
          (moments.empty() || moments.front().gaussians.getMeanSign() == gaussians.getMeanSign()))
        moments.push_back({int64_t(i), gaussians, getCenter(tensors, gaussians)});
      else
        wrt.push_back(i);
    }
    LinearAttentionOp forward = returnMore(attention);
    SmallVector<Type> types{attention.getQuery().getType(), attention.getKey().getType(),
                            attention.getValue().getType()};
    for (int64_t i : wrt)
      types.push_back(attention.getParameters()[i].getType());
    SmallVector<int64_t> ofMoments;
    SmallVector<Value> centers;
    for (const Moments &m : moments) {
      types.append(2, m.center.getType());
      ofMoments.push_back(m.parameter);
      centers.push_back(m.center);
    }
    auto grad = LinearAttentionGradOp::create(
        b, op->getLoc(), types, attention.getQuery(), attention.getKey(), attention.getValue(), attention.getLengths(),
        attention.getMask(), attention.getSequences(), attention.getKeySequences(), forward.getOut(),
        sweep.cotangentOf(attention.getOut()), forward.getFinalState(), forward.getRowDenominators(),
        attention.getOffset(), forward.getCheckpoints(), attention.getParameters(), centers, attention.getDomain(),
        attention.getCausality(), attention.getEps(), attention.getNormalize(), forward.getCheckpointInterval(), wrt,
        ofMoments, moments.empty() ? MeanSign::plus : moments.front().gaussians.getMeanSign());
    IRMapping map;
    attention.getFeatures().cloneInto(&grad.getFeatures(), map);
    attention.getQueryFeatures().cloneInto(&grad.getQueryFeatures(), map);
    sweep.add(b, attention.getQuery(), grad.getGradQuery());
    sweep.add(b, attention.getKey(), grad.getGradKey());
    sweep.add(b, attention.getValue(), grad.getGradValue());
    Value offset = attention.getOffset(), denominators = forward.getRowDenominators();
    if (offset && denominators && sweep.isActive(offset) && !attention.getEps().isZero())
      sweep.add(b, offset,
                gradientOfOffset({op->getLoc(), b}, attention, sweep.cotangentOf(attention.getOut()), forward.getOut(),
                                 denominators));
    for (auto [i, gradient] : llvm::zip(wrt, grad.getGradParameters()))
      sweep.add(b, attention.getParameters()[i], gradient);
    for (auto [i, m] : llvm::enumerate(moments)) {
      ValueRange results = grad.getGradParameters().slice(wrt.size() + 2 * i, 2);
      addMoments(tensors, sweep, m, results[0], results[1]);
    }
    return success();
  }

private:
  static Value getCenter(TensorBuilder &b, GaussianFrequenciesOp op) {
    Value mean = op.getMean();
    auto type = cast<RankedTensorType>(mean.getType());
    if (type.getRank() == 2)
      return mean;
    auto one = RankedTensorType::get({1, type.getDimSize(0)}, type.getElementType());
    return tensor::ExpandShapeOp::create(b, one, mean, SmallVector<ReassociationIndices>{{0, 1}});
  }
};

/// Written out and differentiated: where frequencies meet something else than fused attention.
struct GaussianFrequenciesModel
    : ReverseDifferentiableOpInterface::ExternalModel<GaussianFrequenciesModel, GaussianFrequenciesOp> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    Location loc = op->getLoc();
    ReverseMode inner;
    IRMapping map;
    SmallVector<std::pair<Value, Value>> variables;
    for (Value operand : llvm::SetVector<Value>(op->operand_begin(), op->operand_end()))
      if (sweep.isActive(operand)) {
        map.map(operand, aliasOf(b, loc, operand));
        variables.push_back({operand, map.lookup(operand)});
        inner.activate(variables.back().second);
      }
    Operation *copy = b.clone(*op, map), *before = copy->getPrevNode();
    Value result = aliasOf(b, loc, copy->getResult(0));
    decompose::replace(copy);
    Operation *end = result.getDefiningOp();
    SmallVector<Operation *> operations = operationsBetween(std::next(before->getIterator()), end->getIterator());
    inner.propagate(operations);
    inner.add(b, end->getOperand(0), sweep.cotangentOf(op->getResult(0)));
    removeAlias(result);
    if (failed(inner.run(b, operations)))
      return failure();
    for (auto [operand, variable] : variables)
      sweep.add(b, operand, inner.gradientOf(b, variable));
    for (auto [operand, variable] : variables)
      removeAlias(variable);
    return success();
  }
};
} // namespace

void bochner::registerReverseAttentionModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SpectralDialect *) {
    LinearAttentionOp::attachInterface<LinearAttentionModel>(*context);
    GaussianFrequenciesOp::attachInterface<GaussianFrequenciesModel>(*context);
  });
}

/// m0 and m1 of the gradient of a parameter [heads, D, F].
static SmallVector<Value> writeMoments(TensorBuilder &b, Value parameter, Value gradient, Value center,
                                       MeanSign signs) {
  auto type = cast<RankedTensorType>(center.getType());
  Type wide = getAccumulatorType(type.getElementType());
  Value zero = b.filled(b.sizes(center), b.real(wide, 0)), first = zero, second = zero;
  parameter = b.convert(parameter, wide);
  gradient = b.convert(gradient, wide);
  center = b.convert(center, wide);
  int64_t parts = signs == MeanSign::plus_minus ? 2 : 1, count = lastDim(parameter.getType()) / parts;
  for (bool minus : {false, true}) {
    if (minus && parts == 1)
      continue;
    Value columns = b.columns(parameter, minus * count, count), weights = b.columns(gradient, minus * count, count);
    first = b.loops("hdf", {{weights, "hdf"}}, {first, "hd"},
                    [&](TensorBuilder &b, ValueRange e) { return minus ? b.subtract(e[1], e[0]) : b.add(e[1], e[0]); });
    second = b.loops("hdf", {{weights, "hdf"}, {columns, "hdf"}, {center, "hd"}}, {second, "hd"},
                     [&](TensorBuilder &b, ValueRange e) {
                       Value spread = minus ? b.add(e[1], e[2]) : b.subtract(e[1], e[2]);
                       return b.add(e[3], b.multiply(e[0], spread));
                     });
  }
  return {b.convert(first, type.getElementType()), b.convert(second, type.getElementType())};
}

/// The forward pass, written out and differentiated.
SmallVector<Value> decompose::write(TensorBuilder &b, LinearAttentionGradOp op) {
  Location loc = op.getLoc();
  SmallVector<Value> variables{aliasOf(b, loc, op.getQuery()), aliasOf(b, loc, op.getKey()),
                               aliasOf(b, loc, op.getValue())},
      parameters(op.getParameters());
  for (ArrayRef<int64_t> indices : {op.getWrt(), op.getMoments()})
    for (int64_t i : indices)
      variables.push_back(parameters[i] = aliasOf(b, loc, parameters[i]));
  auto forward = LinearAttentionOp::create(
      b, op.getOutput().getType(), TypeRange(), variables[0], variables[1], variables[2], op.getLengths(), op.getMask(),
      op.getSequences(), op.getKeySequences(), op.getOffset(), /*initial=*/ValueRange(), parameters, op.getDomain(),
      op.getCausality(), op.getEps(), op.getNormalize(), Denominator::none, APFloat(0.0), Form::automatic,
      /*return_state=*/false, /*state_type=*/TypeAttr(), /*return_checkpoints=*/false,
      /*checkpoint_interval=*/0, /*return_denominators=*/false);
  IRMapping map;
  op.getFeatures().cloneInto(&forward.getFeatures(), map);
  op.getQueryFeatures().cloneInto(&forward.getQueryFeatures(), map);
  Value out = write(b, forward).front();
  SmallVector<Operation *> operations = operationsBetween(std::next(forward->getIterator()), op->getIterator());
  forward.erase();
  ReverseMode sweep;
  for (Value v : variables)
    sweep.activate(v);
  sweep.propagate(operations);
  sweep.add(b, out, op.getCotangent());
  SmallVector<Value> gradients;
  bool done = succeeded(sweep.run(b, operations));
  assert(done && "all operations that attention is written out with have derivatives");
  (void)done;
  for (Value v : variables)
    gradients.push_back(sweep.gradientOf(b, v));
  for (Value v : variables)
    removeAlias(v);
  SmallVector<Value> whole(std::prev(gradients.end(), op.getMoments().size()), gradients.end());
  gradients.truncate(gradients.size() - whole.size());
  for (auto [i, gradient, center] : llvm::zip_equal(op.getMoments(), whole, op.getCenters()))
    llvm::append_range(gradients, writeMoments(b, op.getParameters()[i], gradient, center, op.getMeanSign()));
  return gradients;
}
