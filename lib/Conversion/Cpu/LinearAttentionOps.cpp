//===- LinearAttentionOps.cpp - operations with a state as kernels --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// linear_attention, its gradients, attention_state and apply_state: their operands and attributes as those of one
// kernel, and the form that it takes.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/LinearAttentionGrad.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

/// The next arguments of a kernel that are a state.
static StateBuffers takeState(ValueRange arguments, unsigned &next, size_t count) {
  StateBuffers buffers;
  for (Value *v : {&buffers.sums, &buffers.normalizer, &buffers.maximum})
    if (v - &buffers.sums < ptrdiff_t(count))
      *v = arguments[next++];
  return buffers;
}

/// States are there between tiles of rows only.
template <typename AttentionOp> static LogicalResult verifyInterval(KernelBuilder &k, AttentionOp op) {
  int64_t tile = k.schedule.getRowTile(), interval = op.getCheckpointInterval();
  if (op.getCheckpoints().empty() || interval % tile == 0)
    return success();
  return op.emitOpError() << "expected 'row_tile' of the schedule to divide 'checkpoint_interval' (" << interval
                          << "), but got " << tile;
}

LogicalResult bochner::cpu::emitLinearAttention(KernelBuilder &k, func::FuncOp kernel, spectral::LinearAttentionOp op) {
  if (failed(verifyInterval(k, op)))
    return failure();
  auto keyProgram = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(keyProgram))
    return failure();
  std::optional<FeatureProgram> queryProgram;
  if (!op.getQueryFeatures().empty()) {
    auto program = analyzeFeatures(op.getQueryFeatures(), op.isLogDomain());
    if (failed(program))
      return failure();
    queryProgram.emplace(std::move(*program));
  }
  unsigned next = 0;
  LinearAttentionOperands operands;
  static_cast<AttentionOperands &>(operands) = readOperands(kernel, op, next);
  ValueRange arguments = kernel.getArguments();
  if (op.getOffset())
    operands.offset = arguments[next++];
  operands.initial = takeState(arguments, next, op.getInitial().size());
  operands.parameters = arguments.slice(next, op.getParameters().size());
  next = op->getNumOperands() + 1;
  operands.final = takeState(arguments, next, op.getFinalState().size());
  if (op.getCounts())
    operands.counts = arguments[next++];
  operands.checkpoints = takeState(arguments, next, op.getCheckpoints().size());
  operands.checkpointInterval = op.getCheckpointInterval();
  if (op.getRowDenominators())
    operands.denominators = arguments[next++];
  operands.rowByRow = op.isCausal() && op.getForm() == spectral::Form::recurrent;
  Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  double floor = op.getFloor().convertToDouble();
  how.floor = op.getDenominator() == spectral::Denominator::clamp ? floor : 0;
  how.countBelow = op.getDenominator() == spectral::Denominator::count ? floor : 0;
  operands.quadratic = op.getForm() == spectral::Form::quadratic;
  how.zeroWithoutKeys = operands.mask || operands.initial || operands.reversed || operands.quadratic ||
                        op.getForm() == spectral::Form::recurrent;
  LinearAttentionKernel emitter(k, kernel, operands, {op.getFeatureCount(), op.getValueWidth(), op.isLogDomain()}, how,
                                std::move(*keyProgram), std::move(queryProgram));
  if (operands.quadratic)
    emitter.emitQuadratic();
  else if (!op.isCausal())
    emitter.emitBidirectional();
  else if (operands.rowByRow)
    emitter.emitRecurrent();
  else
    emitter.emitCausal();
  return success();
}

LogicalResult bochner::cpu::emitLinearAttentionGrad(KernelBuilder &k, func::FuncOp kernel,
                                                    spectral::LinearAttentionGradOp op) {
  if (std::string why = whyNoAdjoint(op); !why.empty())
    return op.emitOpError() << "expected an adjoint that fits a kernel, but " << why
                            << "; write it out by 'spectral-decompose'";
  if (failed(verifyInterval(k, op)))
    return failure();
  auto keyProgram = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  std::optional<FeatureProgram> queryProgram;
  if (!op.getQueryFeatures().empty())
    queryProgram.emplace(std::move(*analyzeFeatures(op.getQueryFeatures(), op.isLogDomain())));
  unsigned next = 0;
  LinearAttentionOperands operands;
  static_cast<AttentionOperands &>(operands) = readOperands(kernel, op, next);
  operands.adjoint = true;
  ValueRange arguments = kernel.getArguments();
  GradientOperands gradients;
  gradients.output = arguments[next++];
  gradients.cotangent = arguments[next++];
  operands.initial = takeState(arguments, next, op.getState().size());
  if (op.getDenominators())
    operands.denominators = arguments[next++];
  if (op.getOffset())
    operands.offset = arguments[next++];
  operands.checkpoints = takeState(arguments, next, op.getCheckpoints().size());
  operands.checkpointInterval = op.getCheckpoints().empty() ? 4 * k.schedule.getRowTile() : op.getCheckpointInterval();
  size_t count = op.getParameters().size();
  operands.parameters = arguments.slice(next, count);
  next += count;
  gradients.wanted = {SmallVector<bool>(count, false), SmallVector<Value>(count),
                      op.getMeanSign() == spectral::MeanSign::plus_minus};
  for (int64_t i : op.getMoments())
    gradients.wanted.centers[i] = arguments[next++];
  for (Value *gradient : {&gradients.query, &gradients.key, &gradients.value})
    *gradient = arguments[next++];
  for (int64_t i : op.getWrt()) {
    gradients.wanted.of[i] = true;
    gradients.parameters.push_back({unsigned(i), 0, arguments[next++]});
  }
  for (int64_t i : op.getMoments())
    for (unsigned moment : {0, 1})
      gradients.parameters.push_back({unsigned(i), moment, arguments[next++]});
  Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  LinearAttentionGradKernel emitter(k, kernel, operands, gradients,
                                    {op.getFeatureCount(), op.getValueWidth(), op.isLogDomain()}, how,
                                    std::move(*keyProgram), std::move(queryProgram));
  if (op.isCausal())
    emitter.emitCausal();
  else
    emitter.emitBidirectional();
  return success();
}

LogicalResult bochner::cpu::emitAttentionState(KernelBuilder &k, func::FuncOp kernel, spectral::AttentionStateOp op) {
  auto program = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(program))
    return failure();
  unsigned next = 0;
  ValueRange arguments = kernel.getArguments();
  LinearAttentionOperands operands;
  operands.key = arguments[next++];
  operands.value = arguments[next++];
  if (op.getLengths())
    operands.lengths = arguments[next++];
  if (op.getMask())
    operands.mask = arguments[next++];
  operands.initial = takeState(arguments, next, op.getInitial().size());
  operands.parameters = arguments.slice(next, op.getParameters().size());
  next = op->getNumOperands();
  operands.final = takeState(arguments, next, op->getNumResults());
  LinearAttentionKernel emitter(k, kernel, operands, {op.getFeatureCount(), op.getValueWidth(), op.isLogDomain()}, {},
                                std::move(*program), std::nullopt);
  emitter.emitState();
  return success();
}

LogicalResult bochner::cpu::emitApplyState(KernelBuilder &k, func::FuncOp kernel, spectral::ApplyStateOp op) {
  auto program = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(program))
    return failure();
  unsigned next = 0;
  ValueRange arguments = kernel.getArguments();
  LinearAttentionOperands operands;
  operands.query = arguments[next++];
  operands.initial = takeState(arguments, next, op.getState().size());
  if (op.getOffset())
    operands.offset = arguments[next++];
  operands.parameters = arguments.slice(next, op.getParameters().size());
  operands.out = arguments.back();
  int64_t heads = op.getQuery().getType().getDimSize(1),
          groups = cast<RankedTensorType>(op.getState().front().getType()).getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) && groups > 0)
    operands.group = heads / groups;
  Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  if (op.getDenominator() == spectral::Denominator::clamp)
    how.floor = op.getFloor().convertToDouble();
  LinearAttentionKernel emitter(k, kernel, operands, {op.getFeatureCount(), op.getValueWidth(), op.isLogDomain()}, how,
                                std::move(*program), std::nullopt);
  emitter.emitApply();
  return success();
}
