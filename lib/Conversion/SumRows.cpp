//===- SumRows.cpp - sums along rows as loops ------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sum over contiguous elements, one after the other and by way of memory, takes the latencies of both for each. Here
// it stays in a register, and LLVM may add the elements up side by side. The order it takes depends on the target and
// the number of elements only.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace bochner {
#define GEN_PASS_DEF_SUMROWSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

/// True if the innermost loop reduces, and outputs do not follow it.
static bool isRowReduction(linalg::GenericOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumLoops() == 0 ||
      op.getIteratorTypesArray().back() != utils::IteratorType::reduction)
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (!isa<MemRefType>(operand.get().getType()) || !map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return false;
    if (op.isDpsInit(&operand) && map.isFunctionOfDim(op.getNumLoops() - 1))
      return false;
  }
  return true;
}

/// Lets LLVM change the order of sums.
static void reassociate(linalg::GenericOp op) {
  auto yielded = op.getBlock()->getTerminator()->getOperands();
  for (auto [value, init] : llvm::zip_equal(yielded, op.getRegionOutputArgs())) {
    auto sum = value.getDefiningOp<arith::AddFOp>();
    if (sum && init.hasOneUse() && llvm::is_contained(sum->getOperands(), init))
      sum.setFastmath(sum.getFastmath() | arith::FastMathFlags::reassoc);
  }
}

static void writeLoops(linalg::GenericOp op) {
  Location loc = op.getLoc();
  OpBuilder b(op);
  SmallVector<Value> ends;
  for (const Range &range : cast<linalg::LinalgOp>(op.getOperation()).createLoopRanges(b, loc))
    ends.push_back(getValueOrCreateConstantIndexOp(b, loc, range.size));
  Value zero = arith::ConstantIndexOp::create(b, loc, 0), one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> position;
  for (Value end : ArrayRef(ends).drop_back()) {
    auto loop = scf::ForOp::create(b, loc, zero, end, one);
    position.push_back(loop.getInductionVar());
    b.setInsertionPointToStart(loop.getBody());
  }
  auto placeOf = [&](OpOperand &operand) {
    return llvm::map_to_vector(op.getMatchingIndexingMap(&operand).getResults(), [&](AffineExpr e) {
      auto dim = dyn_cast<AffineDimExpr>(e);
      return dim ? position[dim.getPosition()] : zero;
    });
  };
  SmallVector<Value> starts;
  for (OpOperand &init : op.getDpsInitsMutable())
    starts.push_back(memref::LoadOp::create(b, loc, init.get(), placeOf(init)));

  auto row = scf::ForOp::create(b, loc, zero, ends.back(), one, starts);
  OpBuilder inner = OpBuilder::atBlockBegin(row.getBody());
  position.push_back(row.getInductionVar());
  IRMapping map;
  for (OpOperand *input : op.getDpsInputOperands())
    map.map(op.getMatchingBlockArgument(input), memref::LoadOp::create(inner, loc, input->get(), placeOf(*input)));
  map.map(op.getRegionOutputArgs(), row.getRegionIterArgs());
  for (Operation &element : op.getBlock()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(element))
      map.map(index.getResult(), position[index.getDim()]);
    else
      inner.clone(element, map);
  }
  auto yielded = llvm::map_to_vector(op.getBlock()->getTerminator()->getOperands(),
                                     [&](Value v) { return map.lookupOrDefault(v); });
  scf::YieldOp::create(inner, loc, yielded);
  for (auto [sum, init] : llvm::zip_equal(row.getResults(), op.getDpsInitsMutable()))
    memref::StoreOp::create(b, loc, sum, init.get(), placeOf(init));
  op.erase();
}

namespace {
struct SumRows : bochner::impl::SumRowsPassBase<SumRows> {
  using SumRowsPassBase::SumRowsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (isRowReduction(op))
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops) {
      reassociate(op);
      writeLoops(op);
    }
  }
};
} // namespace
