//===- ReassociateSums.cpp - sums along rows -------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sum over contiguous elements one after the other takes an addition's latency for each. LLVM adds them up side by
// side if it may change the order. The order it takes depends on the target and the number of elements only.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace bochner {
#define GEN_PASS_DEF_REASSOCIATESUMSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

namespace {
struct ReassociateSums : bochner::impl::ReassociateSumsPassBase<ReassociateSums> {
  using ReassociateSumsPassBase::ReassociateSumsPassBase;

  void runOnOperation() override {
    getOperation().walk([](linalg::GenericOp op) {
      if (!op.hasPureBufferSemantics() || op.getNumLoops() == 0 ||
          op.getIteratorTypesArray().back() != utils::IteratorType::reduction)
        return;
      Block *body = op.getBlock();
      for (auto [value, init] : llvm::zip_equal(body->getTerminator()->getOperands(), op.getRegionOutputArgs())) {
        auto sum = value.getDefiningOp<arith::AddFOp>();
        if (sum && init.hasOneUse() && llvm::is_contained(sum->getOperands(), init))
          sum.setFastmath(sum.getFastmath() | arith::FastMathFlags::reassoc);
      }
    });
  }
};
} // namespace
