//===- ReverseAttention.cpp - derivatives of linear attention -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rule of spectral.linear_attention for reverse mode: spectral.linear_attention_grad, which keeps the fused form.
//
//===----------------------------------------------------------------------===//
#include "dialect/FeatureRegions.h"
#include "lib/Analysis/AttentionCost.h"
#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Passes.h"
#include "lib/Transforms/Decompose.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

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
static Value gradientOfOffset(decompose::TensorBuilder b, LinearAttentionOp op, Value cotangent, Value out,
                              Value denominators) {
  using decompose::TensorBuilder;
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

namespace {
struct LinearAttentionModel : ReverseDifferentiableOpInterface::ExternalModel<LinearAttentionModel, LinearAttentionOp> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    auto attention = cast<LinearAttentionOp>(op);
    if (std::string why = whyNoAdjoint(attention); !why.empty())
      return op->emitOpError() << "expected attention with fused gradients, but " << why
                               << "; write it out by 'spectral-decompose' before it is differentiated";
    SmallVector<int64_t> wrt;
    for (auto [i, parameter] : llvm::enumerate(attention.getParameters()))
      if (sweep.isActive(parameter))
        wrt.push_back(i);
    LinearAttentionOp forward = returnMore(attention);
    SmallVector<Type> types{attention.getQuery().getType(), attention.getKey().getType(),
                            attention.getValue().getType()};
    for (int64_t i : wrt)
      types.push_back(attention.getParameters()[i].getType());
    auto grad = LinearAttentionGradOp::create(
        b, op->getLoc(), types, attention.getQuery(), attention.getKey(), attention.getValue(), attention.getLengths(),
        attention.getMask(), attention.getSequences(), attention.getKeySequences(), forward.getOut(),
        sweep.cotangentOf(attention.getOut()), forward.getFinalState(), forward.getRowDenominators(),
        attention.getOffset(), forward.getCheckpoints(), attention.getParameters(), attention.getDomain(),
        attention.getCausality(), attention.getEps(), attention.getNormalize(), forward.getCheckpointInterval(), wrt);
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
    for (auto [i, gradient] : llvm::zip_equal(wrt, grad.getGradParameters()))
      sweep.add(b, attention.getParameters()[i], gradient);
    return success();
  }
};
} // namespace

void bochner::registerReverseAttentionModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, SpectralDialect *) {
    LinearAttentionOp::attachInterface<LinearAttentionModel>(*context);
  });
}

/// The forward pass, written out and differentiated.
SmallVector<Value> decompose::write(TensorBuilder &b, LinearAttentionGradOp op) {
  Location loc = op.getLoc();
  SmallVector<Value> variables{aliasOf(b, loc, op.getQuery()), aliasOf(b, loc, op.getKey()),
                               aliasOf(b, loc, op.getValue())},
      parameters(op.getParameters());
  for (int64_t i : op.getWrt())
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
  return gradients;
}
