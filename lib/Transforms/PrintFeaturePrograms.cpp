//===- PrintFeaturePrograms.cpp - feature programs as remarks -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For authors of feature maps: what the analysis makes of a region, before any kernel is written.
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Passes.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace bochner {
#define GEN_PASS_DEF_PRINTFEATUREPROGRAMSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;

namespace {
struct PrintFeaturePrograms : bochner::impl::PrintFeatureProgramsPassBase<PrintFeaturePrograms> {
  using PrintFeatureProgramsPassBase::PrintFeatureProgramsPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    bool fits = true;
    getOperation()->walk([&](spectral::FeatureMapOpInterface op) {
      llvm::SmallPtrSet<Region *, 2> seen;
      for (auto [operand, region] : op.getFeatureOperands()) {
        if (!seen.insert(region).second)
          continue;
        FailureOr<FeatureProgram> program = analyzeFeatures(*region, op.isLogDomain());
        if (succeeded(program))
          op->emitRemark(program->str() + (adjoint ? describeAdjoint(*program, /*block=*/64) : ""));
        fits &= succeeded(program);
      }
    });
    if (!fits)
      signalPassFailure();
  }
};
} // namespace
