//===- FoldProjections.cpp - W Omega in place of two projections ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows that are projected twice, on weights and then on frequencies, are projected once, on the product of the two.
// Input: graphs, before rows sink into regions. Output: the same with fewer multiplications for each row. The product
// of the parameters costs once a call, or nothing if spectral-hoist-parameters takes it out.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Passes.h"
#include "lib/Transforms/Projections.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"

namespace bochner {
#define GEN_PASS_DEF_FOLDPROJECTIONSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

#define DEBUG_TYPE "spectral-fold-projections"

using namespace mlir;
using namespace bochner;
using bochner::decompose::TensorBuilder;

namespace {
/// Two projections one after the other, with a constant factor between them.
struct Chain {
  Projection outer, inner;
  double factor = 1.0;
  /// What else reads the rows between them; null if nothing does.
  Operation *keeps = nullptr;

  /// Multiplications for each row, without those that happen in any case.
  int64_t before() const { return (keeps ? 0 : inner.depth() * inner.width()) + outer.depth() * outer.width(); }
  int64_t after() const { return inner.depth() * outer.width(); }
};
} // namespace

/// The constant by which an elementwise operation multiplies its only input; nothing if it does something else.
static std::optional<double> matchScale(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 || op.getNumReductionLoops() != 0 ||
      !llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return std::nullopt;
  auto product = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  FloatAttr factor;
  for (unsigned i : {0, 1})
    if (product && product->getOperand(i) == op.getBody()->getArgument(0) &&
        matchPattern(product->getOperand(1 - i), m_Constant(&factor)))
      return factor.getValueAsDouble();
  return std::nullopt;
}

/// A user of `value` besides `reader`; sizes do not count.
static Operation *findOtherReader(Value value, Operation *reader) {
  for (Operation *user : value.getUsers())
    if (user != reader && !isa<tensor::DimOp>(user))
      return user;
  return nullptr;
}

/// The chain that ends at `op`. Fails with a reason, or with none if `op` does not project what was projected.
static FailureOr<Chain> matchChain(Operation *op, std::string &reason) {
  std::string unrelated;
  FailureOr<Projection> outer = matchAnyProjection(op, unrelated);
  if (failed(outer))
    return failure();
  Chain chain{*outer, *outer};
  Value rows = outer->rows;
  for (Operation *reader = op;;) {
    if (!chain.keeps)
      chain.keeps = findOtherReader(rows, reader);
    auto scale = rows.getDefiningOp<linalg::GenericOp>();
    std::optional<double> factor = scale ? matchScale(scale) : std::nullopt;
    if (!factor)
      break;
    chain.factor *= *factor;
    reader = scale;
    rows = scale.getInputs()[0];
  }
  auto producer = rows.getDefiningOp<linalg::LinalgOp>();
  if (!producer || !linalg::isaContractionOpInterface(producer))
    return failure();
  FailureOr<Projection> inner = matchProjection(rows, reason);
  if (failed(inner))
    return failure();
  chain.inner = *inner;
  return chain;
}

/// rows (factor W Omega) in place of (factor rows W) Omega.
static Value fold(TensorBuilder &b, const Chain &chain) {
  const Projection &outer = chain.outer, &inner = chain.inner;
  Type element = getElementTypeOrSelf(outer.rows.getType());
  std::string heads = outer.perHead || inner.perHead ? "h" : "";
  TensorBuilder::Sizes sizes;
  if (!heads.empty()) {
    const Projection &withHeads = outer.perHead ? outer : inner;
    sizes.push_back(b.sizes(withHeads.parameter)[withHeads.order[0]]);
  }
  llvm::append_values(sizes, OpFoldResult(b.getIndexAttr(inner.depth())), OpFoldResult(b.getIndexAttr(outer.width())));
  Value weights = b.contract(heads + "edf",
                             {{inner.parameter, inner.letters('e', 'd')}, {outer.parameter, outer.letters('d', 'f')}},
                             {b.filled(sizes, b.real(element, 0.0)), heads + "ef"});
  if (chain.factor != 1.0) {
    Value factor = b.real(element, chain.factor);
    weights = b.loops(heads + "ef", {{weights, heads + "ef"}}, {b.empty(sizes, element), heads + "ef"},
                      [&](TensorBuilder &b, ValueRange e) { return b.multiply(e[0], factor); });
  }
  linalg::LinalgOp op = outer.op;
  return b.contract("bhnef", {{inner.rows, "bhne"}, {weights, heads + "ef"}}, {op.getDpsInitOperand(0)->get(), "bhnf"});
}

namespace {
struct FoldProjectionsPass : bochner::impl::FoldProjectionsPassBase<FoldProjectionsPass> {
  using FoldProjectionsPassBase::FoldProjectionsPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    bool changed = false;
    for (Operation *op : ops) { // producers first, so that three projections become one
      std::string reason;
      FailureOr<Chain> chain = matchChain(op, reason);
      if (failed(chain)) {
        if (!reason.empty())
          missed(op, reason);
        continue;
      }
      if (!isWorthIt(op, *chain))
        continue;
      TensorBuilder b(op->getLoc(), op);
      rewriter.replaceOp(op, fold(b, *chain));
      changed = true;
    }
    if (changed)
      (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }

private:
  static remark::RemarkOpts options(StringRef name) { return remark::RemarkOpts::name(name).category(DEBUG_TYPE); }
  static void missed(Operation *op, StringRef reason) {
    remark::missed(op->getLoc(), options("NotFolded")) << "not folded: " + reason.str();
  }

  bool isWorthIt(Operation *op, const Chain &chain) {
    std::string counts =
        std::to_string(chain.after()) + " instead of " + std::to_string(chain.before()) + " multiplications a row";
    if (chain.after() >= chain.before()) {
      std::string kept =
          chain.keeps ? ", since '" + chain.keeps->getName().getStringRef().str() + "' reads the rows between them too"
                      : "";
      missed(op, "one projection would take " + counts + kept);
      return false;
    }
    if (chain.inner.depth() > std::max<int64_t>(maxRowWidth, chain.outer.depth())) {
      missed(op, "rows of " + std::to_string(chain.inner.depth()) + " columns are wider than max-row-width (" +
                     std::to_string(maxRowWidth) + ")");
      return false;
    }
    remark::passed(op->getLoc(), options("Folded")) << "folded: one projection takes " + counts;
    return true;
  }
};
} // namespace
