//===- ReportAttention.cpp - a pass from outside the compiler -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pass in a shared library of its own, which bochner-opt loads by --load-pass-plugin. It reports, for every operation
// that owns a feature map, what the map is and what would be stored if it were not fused. It sees the dialect only.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;
using namespace bochner::spectral;

namespace {
struct ReportAttention : PassWrapper<ReportAttention, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ReportAttention)

  StringRef getArgument() const final { return "plugin-report-attention"; }
  StringRef getDescription() const final { return "Report the feature maps of attentions."; }

  void runOnOperation() override {
    getOperation()->walk([](FeatureMapOpInterface op) {
      // The interface serves every operation with a feature map, also those of other plugins.
      for (auto [operand, region] : op.getFeatureOperands()) {
        auto rows = cast<RankedTensorType>(operand->get().getType());
        op->emitRemark() << "operand " << operand->getOperandNumber() << ": " << op.getFeatureCount() << " features of "
                         << rows.getShape().back() << " columns by "
                         << llvm::range_size(region->front().without_terminator()) << " operations on "
                         << op.getFeatureParameters().size() << " parameters"
                         << (op.isLogDomain() ? ", as logarithms" : "");
      }
      // A class of the dialect, for what only this operation has.
      if (auto attention = dyn_cast<LinearAttentionOp>(*op))
        op->emitRemark() << "a state of " << op.getFeatureCount() << " x " << attention.getValueWidth()
                         << " elements for each head" << (attention.isCausal() ? ", at each position" : "");
    });
  }
};
} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK LLVM_ATTRIBUTE_VISIBILITY_DEFAULT PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "report-attention", "0.1", [] { PassRegistration<ReportAttention>(); }};
}
