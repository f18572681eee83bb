//===- FeatureOps.cpp - building blocks of feature maps -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers, type inference and the row-wise form of trig, log_positive, hadamard, permute, fastfood,
// constant_feature; and gaussian_frequencies, which makes their frequencies.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace bochner::spectral;

//===----------------------------------------------------------------------===//
// What row-wise operations share
//===----------------------------------------------------------------------===//

Value bochner::spectral::cloneWithOperands(OpBuilder &b, Operation *op, ValueRange operands) {
  auto tile = cast<RankedTensorType>(operands[0].getType());
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  state.addTypes(RankedTensorType::get({tile.getDimSize(0), result.getShape().back()}, result.getElementType()));
  state.attributes.append(op->getAttrs().begin(), op->getAttrs().end());
  return b.create(state)->getResult(0);
}

/// Rows first, then operands that all rows and heads share.
static LogicalResult classifyRowsThenShared(Operation *op, unsigned rows, SmallVectorImpl<RowwiseOperand> &kinds) {
  kinds.assign(op->getNumOperands(), RowwiseOperand::Shared);
  std::fill_n(kinds.begin(), rows, RowwiseOperand::Row);
  return success();
}

#define ROWWISE_OP(OP, ROW_OPERANDS)                                                                                   \
  LogicalResult OP::classifyOperands(SmallVectorImpl<RowwiseOperand> &kinds, std::string &) {                          \
    return classifyRowsThenShared(*this, ROW_OPERANDS, kinds);                                                         \
  }                                                                                                                    \
  Value OP::cloneOnTile(OpBuilder &builder, Value, ValueRange operands) {                                              \
    return cloneWithOperands(builder, *this, operands);                                                                \
  }                                                                                                                    \
  LogicalResult OP::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &dims) {                         \
    return reifyLike(builder, *this, getOperation()->getOperand(0), dims);                                             \
  }                                                                                                                    \
  bool OP::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }
ROWWISE_OP(TrigOp, 1)
ROWWISE_OP(LogPositiveOp, 2)
ROWWISE_OP(HadamardOp, 1)
ROWWISE_OP(PermuteOp, 1)
ROWWISE_OP(FastfoodOp, 1)
ROWWISE_OP(ConstantFeatureOp, 1)
#undef ROWWISE_OP

/// `factor` times the columns plus `more`, or the type itself where that is unknown.
static LogicalResult inferColumns(Type rows, int64_t factor, int64_t more, SmallVectorImpl<Type> &types) {
  auto type = cast<RankedTensorType>(rows);
  if (type.getRank() == 0)
    return failure();
  int64_t columns = type.getShape().back();
  types.push_back(withLastDim(rows, ShapedType::isDynamic(columns) ? columns : columns * factor + more));
  return success();
}

LogicalResult bochner::spectral::expectColumns(Operation *op, StringRef name, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() < 2)
    return op->emitOpError() << "expected '" << name << "' to have rows and columns, but got " << type;
  return expectStaticDim(op, name, type, tensor.getRank() - 1, "columns");
}

//===----------------------------------------------------------------------===//
// trig, log_positive, constant_feature
//===----------------------------------------------------------------------===//

LogicalResult TrigOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  return inferColumns(adaptor.getProjections().getType(), 2, 0, types);
}

LogicalResult TrigOp::verify() {
  if (failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "projections", getProjections().getType())))
    return failure();
  int64_t columns = lastDim(getProjections().getType());
  if (columns % getGroups()) // C1
    return emitOpError() << "expected 'groups' to divide the " << columns << " columns of 'projections', but got "
                         << getGroups();
  return expectFinite(*this, "amplitude", getAmplitude()); // C2
}

LogicalResult LogPositiveOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  return inferColumns(adaptor.getProjections().getType(), adaptor.getSymmetric() ? 2 : 1, 0, types);
}

LogicalResult LogPositiveOp::verify() {
  auto projections = getProjections().getType(), rows = getRows().getType();
  if (failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "projections", projections)) ||
      failed(expectRank(*this, "rows", rows, projections.getRank())))
    return failure();
  for (int64_t dim = 0; dim < rows.getRank() - 1; ++dim) // C1
    if (failed(expectSameDim(*this, "rows", rows, dim, "projections", projections, dim)))
      return failure();
  if (failed(expectStaticDim(*this, "rows", rows, rows.getRank() - 1, "head dimension")) ||
      failed(expectSameElementType(*this, "rows", rows, "projections", projections))) // C2
    return failure();
  if (int64_t(getCount()) < 1) // C3
    return emitOpError() << "expected 'count' to be positive, but got " << int64_t(getCount());
  return expectFinite(*this, "norm_factor", getNormFactor());
}

LogicalResult ConstantFeatureOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                  SmallVectorImpl<Type> &types) {
  return inferColumns(adaptor.getFeatures().getType(), 1, 1, types);
}

LogicalResult ConstantFeatureOp::verify() {
  return failure(failed(expectKnownAttributes(*this)) ||
                 failed(expectColumns(*this, "features", getFeatures().getType())) || // C1
                 failed(expectFinite(*this, "value", getValue())));                   // C2
}

//===----------------------------------------------------------------------===//
// hadamard, permute, fastfood
//===----------------------------------------------------------------------===//

LogicalResult HadamardOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getRows().getType());
  return success();
}

LogicalResult HadamardOp::verify() {
  auto type = getRows().getType();
  if (failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "rows", type)))
    return failure();
  return expectPowerOfTwo(*this, "rows", type, type.getRank() - 1); // C1
}

namespace {
/// hadamard(hadamard(x)) -> D x.
struct FoldDoubleHadamard : OpRewritePattern<HadamardOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(HadamardOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getRows().getDefiningOp<HadamardOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "expected a hadamard as producer");
    auto type = op.getTransformed().getType();
    if (!type.hasStaticShape() || inner.getRows().getType() != type)
      return rewriter.notifyMatchFailure(op, "expected static shapes, so that the factor can be a constant");
    auto factor =
        DenseElementsAttr::get(type, rewriter.getFloatAttr(type.getElementType(), double(lastDim(type))).getValue());
    Value constant = arith::ConstantOp::create(rewriter, op.getLoc(), factor);
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, inner.getRows(), constant);
    return success();
  }
};
} // namespace

void HadamardOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldDoubleHadamard>(context);
}

LogicalResult PermuteOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getRows().getType());
  return success();
}

LogicalResult PermuteOp::verify() {
  auto type = getRows().getType();
  return failure(failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "rows", type)) || // C1
                 failed(expectSameDim(*this, "permutation", getPermutation().getType(), 0, "rows", type,
                                      type.getRank() - 1))); // C2
}

LogicalResult FastfoodOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getRows().getType());
  return success();
}

LogicalResult FastfoodOp::verify() {
  auto type = getRows().getType();
  int64_t columns = type.getRank() - 1;
  if (failed(expectKnownAttributes(*this)) || failed(expectColumns(*this, "rows", type)) ||
      failed(expectPowerOfTwo(*this, "rows", type, columns))) // C1
    return failure();
  std::pair<StringRef, Value> diagonals[] = {{"scale", getScale()}, {"gaussian", getGaussian()}, {"signs", getSigns()}};
  for (auto [name, value] : diagonals) // C2
    if (failed(expectSameDim(*this, name, value.getType(), 0, "rows", type, columns)) ||
        failed(expectSameElementType(*this, name, value.getType(), "rows", type)))
      return failure();
  return expectSameDim(*this, "permutation", getPermutation().getType(), 0, "rows", type, columns);
}

//===----------------------------------------------------------------------===//
// gaussian_frequencies
//===----------------------------------------------------------------------===//

LogicalResult GaussianFrequenciesOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                      SmallVectorImpl<Type> &types) {
  auto base = cast<RankedTensorType>(adaptor.getBase().getType());
  auto mean = cast<RankedTensorType>(adaptor.getMean().getType());
  if (base.getRank() != 2 || mean.getRank() < 1)
    return failure();
  int64_t count = base.getDimSize(1);
  if (!ShapedType::isDynamic(count) && adaptor.getMeanSign() == MeanSign::plus_minus)
    count *= 2;
  SmallVector<int64_t> shape(mean.getShape());
  shape.push_back(count);
  types.push_back(RankedTensorType::get(shape, base.getElementType()));
  return success();
}

bool GaussianFrequenciesOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) {
  return areCompatible(left, right);
}

LogicalResult GaussianFrequenciesOp::verify() {
  auto base = getBase().getType(), mean = getMean().getType(), sigma = getSigma().getType();
  if (failed(expectKnownAttributes(*this)) || failed(expectRank(*this, "base", base, 2)) || // C1
      failed(expectStaticDim(*this, "base", base, 0, "head dimension")) ||
      failed(expectStaticDim(*this, "base", base, 1, "number of frequencies")))
    return failure();
  if (mean.getRank() != 1 && mean.getRank() != 2)
    return emitOpError() << "expected 'mean' to have rank 1 (shared by all heads) or 2 (per head), but got " << mean;
  int64_t last = mean.getRank() - 1;
  if (failed(expectSameDim(*this, "mean", mean, last, "base", base, 0)))
    return failure();
  int64_t extra = getCovariance() == Covariance::full ? 2 : getCovariance() == Covariance::diagonal ? 1 : 0;
  if (failed(expectRank(*this, "sigma", sigma, last + extra))) // C2
    return failure();
  if (last == 1 && failed(expectSameDim(*this, "sigma", sigma, 0, "mean", mean, 0)))
    return failure();
  for (int64_t dim = last; dim < sigma.getRank(); ++dim)
    if (failed(expectSameDim(*this, "sigma", sigma, dim, "base", base, 0)))
      return failure();
  return failure(failed(expectSameElementType(*this, "mean", mean, "base", base)) || // C3
                 failed(expectSameElementType(*this, "sigma", sigma, "base", base)));
}

LogicalResult GaussianFrequenciesOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getMean(), dims); // heads come first in both
}
