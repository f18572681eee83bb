//===- SplitAggregates.cpp - linalg operations made of others -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// linalg.softmax and its like stand for a sequence of structured operations and have no loops of their own.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

namespace bochner {
#define GEN_PASS_DEF_SPLITAGGREGATESPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

namespace {
struct SplitAggregates : bochner::impl::SplitAggregatesPassBase<SplitAggregates> {
  using SplitAggregatesPassBase::SplitAggregatesPassBase;

  void runOnOperation() override {
    SmallVector<linalg::AggregatedOpInterface> ops;
    getOperation().walk([&](linalg::AggregatedOpInterface op) { ops.push_back(op); });
    for (linalg::AggregatedOpInterface op : ops) {
      OpBuilder b(op);
      FailureOr<SmallVector<Value>> values = op.decomposeOperation(b);
      if (failed(values)) {
        op->emitOpError() << "cannot be split into structured operations";
        return signalPassFailure();
      }
      op->replaceAllUsesWith(*values);
      op->erase();
    }
  }
};
} // namespace
