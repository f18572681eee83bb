//===- OrderLoops.cpp - the innermost loop of linalg operations -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// convert-linalg-to-loops nests loops in the order in which an operation lists its dimensions, which for a product or
// the mean of columns walks across memory. Here the dimension along which most operands are contiguous goes innermost.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace bochner {
#define GEN_PASS_DEF_ORDERLOOPSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

/// The dimension with the most operands contiguous in it, less those that it strides through; the last one of equals.
static unsigned chooseInnermost(linalg::LinalgOp op) {
  SmallVector<int> score(op.getNumLoops(), 0);
  for (AffineMap map : op.getIndexingMapsArray())
    for (auto [i, result] : llvm::enumerate(map.getResults())) {
      bool contiguous = i + 1 == map.getNumResults();
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
        if (result.isFunctionOfDim(dim))
          score[dim] += contiguous ? 1 : -1;
    }
  unsigned best = 0;
  for (unsigned dim = 1; dim < score.size(); ++dim)
    if (score[dim] >= score[best])
      best = dim;
  return best;
}

namespace {
struct OrderLoops : bochner::impl::OrderLoopsPassBase<OrderLoops> {
  using OrderLoopsPassBase::OrderLoopsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics() && op.getNumLoops() > 1)
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : ops) {
      unsigned innermost = chooseInnermost(op);
      if (innermost + 1 == op.getNumLoops())
        continue;
      rewriter.setInsertionPoint(op);
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      if (!generic) {
        FailureOr<linalg::GenericOp> generalized = linalg::generalizeNamedOp(rewriter, op);
        if (failed(generalized))
          continue;
        generic = *generalized;
      }
      SmallVector<unsigned> order;
      for (unsigned dim = 0; dim < generic.getNumLoops(); ++dim)
        if (dim != innermost)
          order.push_back(dim);
      order.push_back(innermost);
      (void)linalg::interchangeGenericOp(rewriter, generic, order); // refuses what it cannot reorder
    }
  }
};
} // namespace
