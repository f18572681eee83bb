//===- EmitCpuKernels.cpp - kernel functions as vector code ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: private functions on tensors that hold one operation of spectral and carry a schedule. Output: functions of
// the same name on buffers (operands, then the output), whose bodies are parallel loops over task functions in vector,
// scf and memref form. Kernels/ in lib/Conversion/Cpu has an emitter for each family.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Conversion/Cpu/Kernels.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bochner {
#define GEN_PASS_DEF_EMITCPUKERNELSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;

namespace {

class EmitCpuKernels : public bochner::impl::EmitCpuKernelsPassBase<EmitCpuKernels> {
public:
  using EmitCpuKernelsPassBase::EmitCpuKernelsPassBase;

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      emitError(getOperation().getLoc()) << "expected 'vector-bits' to be 128, 256 or 512, but got "
                                         << vectorBits.getValue();
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> kernels;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(spectral::kScheduleAttr))
        kernels.push_back(function);
    for (func::FuncOp kernel : kernels)
      if (failed(emit(kernel)))
        return signalPassFailure();
  }

private:
  LogicalResult emit(func::FuncOp kernel);
};

} // namespace

LogicalResult EmitCpuKernels::emit(func::FuncOp kernel) {
  auto schedule = dyn_cast<spectral::ScheduleAttr>(kernel->getAttr(spectral::kScheduleAttr));
  if (!schedule)
    return kernel.emitOpError() << "expected '" << spectral::kScheduleAttr << "' to be a #spectral.schedule, but got "
                                << kernel->getAttr(spectral::kScheduleAttr);
  Block &body = kernel.getBody().front();
  Operation *op = &body.front();
  if (body.getOperations().size() != 2 || op->getOperands() != ValueRange(body.getArguments()) ||
      body.back().getOperands() != ValueRange(op->getResults()))
    return kernel.emitOpError() << "expected a kernel function to hold one operation on its arguments and return its "
                                   "results; outline it by 'spectral-outline-kernels'";
  Type element = spectral::getAccumulatorType(cast<RankedTensorType>(op->getOperand(0).getType()).getElementType());
  int64_t lanes = vectorBits / element.getIntOrFloatBitWidth();
  if (schedule.getRegisterColumns() % lanes)
    return kernel.emitOpError() << "expected 'register_columns' of the schedule to be a multiple of the " << lanes
                                << " lanes of a vector, but got " << schedule.getRegisterColumns();

  // Causal and quadratic forms keep a tile of keys in the lanes.
  if (schedule.getRowTile() % lanes)
    return kernel.emitOpError() << "expected 'row_tile' of the schedule to be a multiple of the " << lanes
                                << " lanes of a vector, but got " << schedule.getRowTile();

  SmallVector<Type> types;
  for (Type type : kernel.getArgumentTypes())
    types.push_back(getBoundaryType(cast<RankedTensorType>(type)));
  for (Type type : kernel.getResultTypes())
    types.push_back(getBoundaryType(cast<RankedTensorType>(type)));
  OpBuilder b(kernel);
  auto emitted = func::FuncOp::create(b, kernel.getLoc(), kernel.getName(), b.getFunctionType(types, {}));
  emitted.setPrivate();
  b.setInsertionPointToEnd(emitted.addEntryBlock());
  cpu::KernelBuilder k(b, op->getLoc(), element, schedule, {vectorBits, fma, bf16Dot && vectorBits == 512});
  LogicalResult done =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case([&](spectral::LinearAttentionOp attention) { return cpu::emitLinearAttention(k, emitted, attention); })
          .Case([&](spectral::LinearAttentionGradOp grad) { return cpu::emitLinearAttentionGrad(k, emitted, grad); })
          .Case([&](spectral::AttentionStateOp state) { return cpu::emitAttentionState(k, emitted, state); })
          .Case([&](spectral::ApplyStateOp apply) { return cpu::emitApplyState(k, emitted, apply); })
          .Case([&](spectral::FeatureMapOp map) { return cpu::emitFeatureMap(k, emitted, map); })
          .Case([&](spectral::ExactAttentionOp attention) { return cpu::emitExactAttention(k, emitted, attention); })
          .Default(
              [](Operation *other) {
                return other->emitOpError()
                       << "unsupported as a kernel: expected linear_attention, "
                          "linear_attention_grad, attention_state, apply_state, feature_map or exact_attention";
              });
  if (failed(done)) {
    emitted.erase();
    return failure();
  }
  func::ReturnOp::create(k.b, kernel.getLoc());
  kernel.erase();
  return success();
}
