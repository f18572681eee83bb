//===- AlgebraOps.cpp - sums and products of kernels ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers, type inference, the row-wise form and simplification of kernel_sum and kernel_product.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"
#include "mlir/IR/PatternMatch.h"
#include <cmath>

using namespace mlir;
using namespace bochner::spectral;

#define ROWWISE_OP(OP)                                                                                                 \
  LogicalResult OP::classifyOperands(SmallVectorImpl<RowwiseOperand> &kinds, std::string &) {                          \
    kinds.assign(getOperation()->getNumOperands(), RowwiseOperand::Row);                                               \
    return success();                                                                                                  \
  }                                                                                                                    \
  Value OP::cloneOnTile(OpBuilder &builder, Value, ValueRange operands) {                                              \
    return cloneWithOperands(builder, *this, operands);                                                                \
  }                                                                                                                    \
  LogicalResult OP::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &dims) {                         \
    return reifyLike(builder, *this, getOperation()->getOperand(0), dims);                                             \
  }                                                                                                                    \
  bool OP::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }
ROWWISE_OP(KernelSumOp)
ROWWISE_OP(KernelProductOp)
#undef ROWWISE_OP

/// Features `name` have the rows of `other`.
static LogicalResult expectSameRows(Operation *op, const Twine &name, Type type, StringRef other, Type otherType) {
  auto tensor = cast<RankedTensorType>(type);
  std::string text = name.str();
  if (failed(expectRank(op, text, type, cast<RankedTensorType>(otherType).getRank())))
    return failure();
  for (int64_t dim = 0; dim < tensor.getRank() - 1; ++dim)
    if (failed(expectSameDim(op, text, type, dim, other, otherType, dim)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// kernel_sum
//===----------------------------------------------------------------------===//

LogicalResult KernelSumOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  int64_t columns = 0;
  for (Value term : adaptor.getTerms()) {
    auto type = cast<RankedTensorType>(term.getType());
    if (type.getRank() == 0 || ShapedType::isDynamic(lastDim(type)))
      return failure();
    columns += lastDim(type);
  }
  if (adaptor.getTerms().empty())
    return failure();
  types.push_back(withLastDim(adaptor.getTerms()[0].getType(), columns));
  return success();
}

LogicalResult KernelSumOp::verify() {
  if (failed(expectKnownAttributes(*this)))
    return failure();
  for (auto [i, term] : llvm::enumerate(getTerms())) { // C1, C2
    std::string name = "term " + std::to_string(i);
    if (failed(expectColumns(*this, name, term.getType())) ||
        failed(expectSameRows(*this, name, term.getType(), "term 0", getTerms()[0].getType())))
      return failure();
  }
  if (!getWeights())
    return success();
  if (getWeights()->size() != getTerms().size()) // C3
    return emitOpError() << "expected 'weights' to have a number for each of " << getTerms().size()
                         << " terms, but got " << getWeights()->size();
  ArrayRef<double> weights = *getWeights();
  for (double weight : weights)
    if (!std::isfinite(weight) || weight <= 0)
      return emitOpError() << "expected 'weights' to be finite and positive, but got " << weight;
  return success();
}

/// The sum of one kernel with weight 1 is that kernel.
OpFoldResult KernelSumOp::fold(FoldAdaptor) {
  if (getTerms().size() == 1 && getWeight(0) == 1.0 && getTerms()[0].getType() == getType())
    return getTerms()[0];
  return {};
}

namespace {
/// sum(..., sum(a, b), ...) -> sum(..., a, b, ...), weights multiplied, when the inner sum has no other use.
struct FlattenSums : OpRewritePattern<KernelSumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(KernelSumOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> terms;
    SmallVector<double> weights;
    for (auto [i, term] : llvm::enumerate(op.getTerms())) {
      auto inner = term.getDefiningOp<KernelSumOp>();
      if (!inner || inner.getDomain() != op.getDomain() || !inner->hasOneUse()) {
        terms.push_back(term);
        weights.push_back(op.getWeight(i));
        continue;
      }
      for (auto [j, innerTerm] : llvm::enumerate(inner.getTerms())) {
        terms.push_back(innerTerm);
        weights.push_back(op.getWeight(i) * inner.getWeight(j));
      }
    }
    if (terms.size() == op.getTerms().size() && llvm::equal(terms, op.getTerms()))
      return rewriter.notifyMatchFailure(op, "expected a sum of the same domain and with one use among the terms");
    if (!llvm::all_of(weights, [](double weight) { return std::isfinite(weight) && weight > 0; }))
      return rewriter.notifyMatchFailure(op, "expected products of weights that neither overflow nor underflow");
    bool plain = llvm::all_of(weights, [](double weight) { return weight == 1.0; });
    rewriter.replaceOpWithNewOp<KernelSumOp>(
        op, op.getType(), terms, plain ? DenseF64ArrayAttr() : rewriter.getDenseF64ArrayAttr(weights), op.getDomain());
    return success();
  }
};
} // namespace

void KernelSumOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FlattenSums>(context);
}

//===----------------------------------------------------------------------===//
// kernel_product
//===----------------------------------------------------------------------===//

LogicalResult KernelProductOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                SmallVectorImpl<Type> &types) {
  auto left = cast<RankedTensorType>(adaptor.getLeft().getType());
  auto right = cast<RankedTensorType>(adaptor.getRight().getType());
  if (left.getRank() == 0 || right.getRank() == 0)
    return failure();
  int64_t columns = lastDim(left), others = lastDim(right);
  bool known = !ShapedType::isDynamic(columns) && !ShapedType::isDynamic(others);
  types.push_back(withLastDim(left, known ? columns * others : ShapedType::kDynamic));
  return success();
}

LogicalResult KernelProductOp::verify() {
  Type left = getLeft().getType(), right = getRight().getType();
  return failure(failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "left", left)) || // C1
                 failed(expectColumns(*this, "right", right)) ||
                 failed(expectSameRows(*this, "right", right, "left", left))); // C2
}
