//===- EmitGpuKernels.cpp - kernel functions as GPU code ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: private functions on tensors that hold one operation of spectral. Output: functions of the same name on
// buffers (operands, then the outputs) that launch kernels of one gpu.module. What no kernel computes stays as it is,
// for the host, with a remark that says why; emitters of kernels are in lib/Conversion/Gpu.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Conversion/Gpu/LinearAttentionGrad.h"
#include "lib/Passes.h"
#include "lib/Target/GpuChip.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bochner {
#define GEN_PASS_DEF_EMITGPUKERNELSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
class EmitGpuKernels : public bochner::impl::EmitGpuKernelsPassBase<EmitGpuKernels> {
public:
  using EmitGpuKernelsPassBase::EmitGpuKernelsPassBase;
  void runOnOperation() override;

private:
  LogicalResult emit(func::FuncOp kernel, gpu::GPUModuleOp module);
  LogicalResult emitLinearAttention(simt::HostBuilder &host, func::FuncOp emitted, LinearAttentionOp op);
  LogicalResult emitLinearAttentionGrad(simt::HostBuilder &host, func::FuncOp emitted, LinearAttentionGradOp op);
  LogicalResult emitAttentionState(simt::HostBuilder &host, func::FuncOp emitted, AttentionStateOp op);
  LogicalResult emitApplyState(simt::HostBuilder &host, func::FuncOp emitted, ApplyStateOp op);
  simt::Precision precisionOf(Type element) const;
  simt::ChipLimits limits;
};
} // namespace

/// Why an operation has no kernel for GPUs; empty if it has one. The reason completes "..., but <reason>".
static std::string whyNoKernel(LinearAttentionGradOp op) {
  if (op.getQuery().getType().getElementType().isF64())
    return "tensor cores have no fast f64";
  if (op.isCausal())
    return "gradients of a scan have none";
  if (op.getSequences())
    return "it has packed 'sequences'";
  if (op.getState().empty() || (op.getNormalize() && !op.getDenominators()))
    return "it is not given the state and the denominators of the forward pass";
  if (std::string why = whyNoAdjoint(op); !why.empty())
    return why;
  for (Region *region : {&op.getFeatures(), &op.getQueryFeatures()}) {
    if (region->empty())
      continue;
    auto program = analyzeFeatures(*region, op.isLogDomain());
    if (failed(program))
      return "its map is not one for kernels"; // reported by the analysis
    if (std::string why =
            simt::FeaturePlan(std::move(*program), op.getParameters(), simt::Precision::tf32x3).differentiate();
        !why.empty())
      return why;
  }
  return "";
}

static std::string whyNoKernel(Operation *op) {
  if (auto gradients = dyn_cast<LinearAttentionGradOp>(op))
    return whyNoKernel(gradients);
  if (isa<AttentionStateOp, ApplyStateOp>(op))
    return getElementTypeOrSelf(op->getOperand(0)).isF64() ? "tensor cores have no fast f64" : "";
  auto attention = dyn_cast<LinearAttentionOp>(op);
  if (!attention)
    return ("'" + op->getName().getStringRef() + "' has none").str();
  if (attention.getQuery().getType().getElementType().isF64())
    return "tensor cores have no fast f64";
  if (attention.getSequences())
    return "it has packed 'sequences'";
  if (attention.getDenominator() == Denominator::count)
    return "it counts denominators";
  if (!attention.getCheckpoints().empty())
    return "it returns checkpoints";
  return "";
}

/// Query heads that share a head of keys, or of a state.
static int64_t groupOf(Value query, Value key) {
  int64_t heads = cast<RankedTensorType>(query.getType()).getDimSize(1);
  int64_t groups = cast<RankedTensorType>(key.getType()).getDimSize(1);
  return ShapedType::isDynamic(heads) || ShapedType::isDynamic(groups) || groups <= 0 ? 1 : heads / groups;
}

/// The map of queries, if they have one of their own.
template <typename AttentionOp>
static LogicalResult analyzeQueryFeatures(AttentionOp op, std::optional<FeatureProgram> &program) {
  if (op.getQueryFeatures().empty())
    return success();
  auto analyzed = analyzeFeatures(op.getQueryFeatures(), op.isLogDomain());
  if (failed(analyzed))
    return failure();
  program.emplace(std::move(*analyzed));
  return success();
}

/// The next arguments of a kernel that are a state.
static simt::StateArguments takeState(ValueRange arguments, unsigned &next, size_t count) {
  simt::StateArguments state;
  Value *parts[] = {&state.sums, &state.normalizer, &state.maximum};
  for (size_t i = 0; i < count; ++i)
    *parts[i] = arguments[next++];
  return state;
}

simt::Precision EmitGpuKernels::precisionOf(Type element) const {
  if (element.isBF16())
    return simt::Precision::bf16;
  if (element.isF16())
    return simt::Precision::f16;
  return tf32 ? simt::Precision::tf32 : simt::Precision::tf32x3;
}

LogicalResult EmitGpuKernels::emitLinearAttention(simt::HostBuilder &host, func::FuncOp emitted, LinearAttentionOp op) {
  auto keyProgram = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(keyProgram))
    return failure();
  std::optional<FeatureProgram> queryProgram;
  if (failed(analyzeQueryFeatures(op, queryProgram)))
    return failure();
  unsigned next = 0;
  ValueRange all = emitted.getArguments();
  auto argument = [&](Value operand) { return operand ? Value(all[next++]) : Value(); };
  simt::AttentionArguments arguments;
  arguments.query = argument(op.getQuery());
  arguments.key = argument(op.getKey());
  arguments.value = argument(op.getValue());
  arguments.lengths = argument(op.getLengths());
  arguments.mask = argument(op.getMask());
  arguments.offset = argument(op.getOffset());
  arguments.initial = takeState(all, next, op.getInitial().size());
  arguments.parameters = all.slice(next, op.getParameters().size());
  next += op.getParameters().size();
  arguments.out = argument(op.getOut());
  arguments.final = takeState(all, next, op.getFinalState().size());
  arguments.denominators = argument(op.getRowDenominators());
  arguments.reversed = op.getCausality() == Causality::anticausal;
  arguments.group = groupOf(op.getQuery(), op.getKey());
  simt::Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  if (op.getDenominator() == Denominator::clamp)
    how.floor = op.getFloor().convertToDouble();
  simt::LinearAttention attention(host, emitted.getName(), arguments, how, op.getValueWidth(),
                                  precisionOf(op.getQuery().getType().getElementType()), limits, std::move(*keyProgram),
                                  std::move(queryProgram));
  return op.isCausal() ? attention.emitCausal() : attention.emitBidirectional();
}

LogicalResult EmitGpuKernels::emitLinearAttentionGrad(simt::HostBuilder &host, func::FuncOp emitted,
                                                      LinearAttentionGradOp op) {
  auto keyProgram = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  std::optional<FeatureProgram> queryProgram;
  if (failed(keyProgram) || failed(analyzeQueryFeatures(op, queryProgram)))
    return failure();
  unsigned next = 0;
  ValueRange all = emitted.getArguments();
  auto argument = [&](Value operand) { return operand ? Value(all[next++]) : Value(); };
  simt::AttentionArguments arguments;
  simt::GradientArguments gradients;
  arguments.query = argument(op.getQuery());
  arguments.key = argument(op.getKey());
  arguments.value = argument(op.getValue());
  arguments.lengths = argument(op.getLengths());
  arguments.mask = argument(op.getMask());
  gradients.output = argument(op.getOutput());
  gradients.cotangent = argument(op.getCotangent());
  arguments.initial = takeState(all, next, op.getState().size());
  arguments.denominators = argument(op.getDenominators());
  arguments.offset = argument(op.getOffset());
  arguments.parameters = all.slice(next, op.getParameters().size());
  next += op.getParameters().size();
  SmallVector<Value> centers;
  for (size_t i = 0; i < op.getCenters().size(); ++i)
    centers.push_back(all[next++]);
  gradients.query = argument(op.getGradQuery());
  gradients.key = argument(op.getGradKey());
  gradients.value = argument(op.getGradValue());
  for (int64_t i : op.getWrt())
    gradients.parameters.push_back({unsigned(i), all[next++], {}, {}, {}});
  for (auto [i, center] : llvm::zip_equal(op.getMoments(), centers)) {
    gradients.parameters.push_back({unsigned(i), {}, center, all[next], all[next + 1]});
    next += 2;
  }
  gradients.plusMinus = op.getMeanSign() == MeanSign::plus_minus;
  arguments.group = groupOf(op.getQuery(), op.getKey());
  simt::Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  simt::LinearAttentionGrad gradient(host, emitted.getName(), arguments, how, op.getValueWidth(),
                                     precisionOf(op.getQuery().getType().getElementType()), limits,
                                     std::move(*keyProgram), std::move(queryProgram));
  return gradient.emit(gradients);
}

LogicalResult EmitGpuKernels::emitAttentionState(simt::HostBuilder &host, func::FuncOp emitted, AttentionStateOp op) {
  auto program = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(program))
    return failure();
  unsigned next = 0;
  ValueRange all = emitted.getArguments();
  auto argument = [&](Value operand) { return operand ? Value(all[next++]) : Value(); };
  simt::AttentionArguments arguments;
  arguments.key = argument(op.getKey());
  arguments.value = argument(op.getValue());
  arguments.lengths = argument(op.getLengths());
  arguments.mask = argument(op.getMask());
  arguments.initial = takeState(all, next, op.getInitial().size());
  arguments.parameters = all.slice(next, op.getParameters().size());
  next = op->getNumOperands();
  arguments.final = takeState(all, next, op->getNumResults());
  simt::LinearAttention attention(host, emitted.getName(), arguments, {}, op.getValueWidth(),
                                  precisionOf(op.getKey().getType().getElementType()), limits, std::move(*program),
                                  std::nullopt);
  return attention.emitState();
}

LogicalResult EmitGpuKernels::emitApplyState(simt::HostBuilder &host, func::FuncOp emitted, ApplyStateOp op) {
  auto program = analyzeFeatures(op.getFeatures(), op.isLogDomain());
  if (failed(program))
    return failure();
  unsigned next = 0;
  ValueRange all = emitted.getArguments();
  auto argument = [&](Value operand) { return operand ? Value(all[next++]) : Value(); };
  simt::AttentionArguments arguments;
  arguments.query = argument(op.getQuery());
  arguments.initial = takeState(all, next, op.getState().size());
  arguments.offset = argument(op.getOffset());
  arguments.parameters = all.slice(next, op.getParameters().size());
  arguments.out = all.back();
  arguments.group = groupOf(op.getQuery(), op.getState().front());
  simt::Normalization how;
  how.eps = op.getEps().convertToDouble();
  how.normalize = op.getNormalize();
  if (op.getDenominator() == Denominator::clamp)
    how.floor = op.getFloor().convertToDouble();
  simt::LinearAttention attention(host, emitted.getName(), arguments, how, op.getValueWidth(),
                                  precisionOf(op.getQuery().getType().getElementType()), limits, std::move(*program),
                                  std::nullopt);
  return attention.emitApply();
}

LogicalResult EmitGpuKernels::emit(func::FuncOp kernel, gpu::GPUModuleOp module) {
  Operation *op = &kernel.getBody().front().front();
  SmallVector<Type> types;
  for (TypeRange range : {TypeRange(kernel.getArgumentTypes()), TypeRange(kernel.getResultTypes())})
    for (Type type : range)
      types.push_back(getBoundaryType(cast<RankedTensorType>(type)));
  OpBuilder b(kernel);
  auto emitted = func::FuncOp::create(b, kernel.getLoc(), kernel.getName(), b.getFunctionType(types, {}));
  emitted.setPrivate();
  b.setInsertionPointToEnd(emitted.addEntryBlock());
  simt::HostBuilder host(b, op->getLoc(), module);
  auto done =
      TypeSwitch<Operation *, LogicalResult>(op)
          .Case([&](LinearAttentionGradOp grad) { return emitLinearAttentionGrad(host, emitted, grad); })
          .Case([&](AttentionStateOp state) { return emitAttentionState(host, emitted, state); })
          .Case([&](ApplyStateOp apply) { return emitApplyState(host, emitted, apply); })
          .Default([&](Operation *) { return emitLinearAttention(host, emitted, cast<LinearAttentionOp>(op)); });
  if (failed(done)) {
    emitted.erase();
    return failure();
  }
  func::ReturnOp::create(host.b, kernel.getLoc());
  kernel.erase();
  return success();
}

void EmitGpuKernels::runOnOperation() {
  ModuleOp module = getOperation();
  std::optional<GpuChip> known = findGpuChip(chip);
  if (!known) {
    module.emitError() << "expected 'chip' to be " << describeGpuChips() << ", but got '" << chip.getValue() << "'";
    return signalPassFailure();
  }
  limits.sharedBytes = known->sharedBytesPerBlock;
  SmallVector<func::FuncOp> kernels;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(kKernelAttr))
      continue;
    Operation *op = &function.getBody().front().front();
    if (std::string why = whyNoKernel(op); !why.empty()) {
      op->emitRemark() << "runs on the host: expected an operation with a kernel for GPUs, but " << why;
      continue;
    }
    kernels.push_back(function);
  }
  if (kernels.empty())
    return;
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto gpuModule = gpu::GPUModuleOp::create(b, module.getLoc(), "kernels");
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), b.getUnitAttr());
  for (func::FuncOp kernel : kernels)
    if (failed(emit(kernel, gpuModule)))
      return signalPassFailure();
}
