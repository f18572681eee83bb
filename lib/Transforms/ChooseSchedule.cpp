//===- ChooseSchedule.cpp - how kernels are computed ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sets #spectral.schedule on kernel functions, from the width and the number of the target's vector registers and the
// element type. The numbers are those that were measured best; an attribute that is already there is kept. Then linear
// attention gets the form that form<auto> stands for.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/AttentionCost.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"

namespace bochner {
#define GEN_PASS_DEF_CHOOSESCHEDULEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
struct ChooseSchedulePass : bochner::impl::ChooseSchedulePassBase<ChooseSchedulePass> {
  using ChooseSchedulePassBase::ChooseSchedulePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    int64_t bits = cpuVectorBits, count = registers;
    if (bits != 128 && bits != 256 && bits != 512)
      return emitError(UnknownLoc::get(context))
             << "expected 'cpu-vector-bits' to be 128, 256 or 512, but got " << bits;
    if (count != 0 && count < 8)
      return emitError(UnknownLoc::get(context))
             << "expected 'registers' to be 0 (what the vector width implies) or at least 8, but got " << count;
    return success();
  }

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kKernelAttr))
      return;
    if (Attribute given = kernel->getAttr(kScheduleAttr)) {
      if (!isa<ScheduleAttr>(given)) {
        kernel.emitOpError() << "expected '" << kScheduleAttr << "' to be a #spectral.schedule, but got " << given;
        return signalPassFailure();
      }
      return chooseForms(cast<ScheduleAttr>(given));
    }
    auto element =
        kernel.getNumResults() ? dyn_cast<FloatType>(getElementTypeOrSelf(kernel.getResultTypes()[0])) : FloatType();
    if (!element) {
      kernel.emitError() << "expected a kernel to yield a tensor of floats, but got " << kernel.getFunctionType();
      return signalPassFailure();
    }
    ScheduleAttr schedule = choose(element);
    kernel->setAttr(kScheduleAttr, schedule);
    chooseForms(schedule);
  }

private:
  void chooseForms(ScheduleAttr schedule) {
    getOperation().walk([&](LinearAttentionOp op) {
      if (op.getForm() == Form::automatic)
        op.setForm(chooseForm(op, schedule, bf16Dot));
    });
  }

  ScheduleAttr choose(FloatType element) {
    // 16-bit elements are computed in f32.
    int64_t bytes = std::max(element.getWidth() / 8, 4u);
    int64_t count = registers ? registers : cpuVectorBits == 512 ? 32 : 16;
    // A product keeps rows x vectors accumulators, one row of the right operand and a broadcast element.
    const int64_t rows = 4;
    int64_t vectors = 1;
    while (rows * 2 * vectors + 2 * vectors + 1 <= count)
      vectors *= 2;
    // Features of a tile of rows take 16 KB: half of the smallest L1 data cache, whatever the element type.
    const int64_t rowTile = 64;
    int64_t featureBlock = 64 * 4 / bytes;
    int64_t columns = std::min(vectors * (cpuVectorBits / 8) / bytes, featureBlock);
    return ScheduleAttr::get(&getContext(), rowTile, featureBlock, rows, columns, /*rowChunk=*/8 * rowTile);
  }
};
} // namespace
