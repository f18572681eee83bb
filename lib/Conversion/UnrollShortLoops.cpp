//===- UnrollShortLoops.cpp - loops over a few elements --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An innermost loop of a few iterations, such as that over the words of a block of random bits, keeps LLVM from
// vectorizing the loop around it. Written out, what its iterations have in common is computed once.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

namespace bochner {
#define GEN_PASS_DEF_UNROLLSHORTLOOPSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

/// A block of random bits has so many words.
static constexpr int64_t kIterations = 4;

namespace {
struct UnrollShortLoops : bochner::impl::UnrollShortLoopsPassBase<UnrollShortLoops> {
  using UnrollShortLoopsPassBase::UnrollShortLoopsPassBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      std::optional<APInt> count = loop.getStaticTripCount();
      bool isInnermost = llvm::all_of(*loop.getBody(), [](Operation &op) { return op.getNumRegions() == 0; });
      if (count && count->sle(kIterations) && isInnermost && loop->getParentOfType<scf::ForOp>())
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      (void)loopUnrollFull(loop); // leaves what it does not know
  }
};
} // namespace
