//===- StateOps.cpp - attention in two halves -----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers and type inference of attention_state, merge_states and apply_state. The labels C1, C2, ... are those of
// the operations' documentation.
//
//===----------------------------------------------------------------------===//
#include "dialect/FeatureRegions.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace bochner::spectral;

//===----------------------------------------------------------------------===//
// attention_state
//===----------------------------------------------------------------------===//

LogicalResult AttentionStateOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                 SmallVectorImpl<Type> &types) {
  auto key = cast<RankedTensorType>(adaptor.getKey().getType()),
       value = cast<RankedTensorType>(adaptor.getValue().getType());
  if (key.getRank() != 4 || value.getRank() != 4)
    return failure();
  Type accumulator = getAccumulatorType(key.getElementType());
  llvm::append_range(types, stateTypes(key.getDimSize(0), key.getDimSize(1), yieldedFeatures(adaptor.getFeatures()),
                                       value.getDimSize(3), adaptor.getDomain() == Domain::log,
                                       adaptor.getStateType().value_or(accumulator), accumulator));
  return success();
}

bool AttentionStateOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult AttentionStateOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  reifyState(b, *this, getKey(), getResultTypes(), dims);
  return success();
}

int64_t AttentionStateOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
int64_t AttentionStateOp::getValueWidth() { return lastDim(getValue().getType()); }
OperandRange AttentionStateOp::getFeatureParameters() { return getParameters(); }
MutableOperandRange AttentionStateOp::getFeatureParametersMutable() { return getParametersMutable(); }
void AttentionStateOp::separateFeatureRegions() {}
bool AttentionStateOp::isLogDomain() { return getDomain() == Domain::log; }

SmallVector<std::pair<OpOperand *, Region *>> AttentionStateOp::getFeatureOperands() {
  return {{&getKeyMutable(), &getFeatures()}};
}

LogicalResult AttentionStateOp::verify() {
  auto key = getKey().getType(), value = getValue().getType();
  if (failed(expectKnownAttributes(*this)) || failed(expectRank(*this, "key", key, 4)) || // C1
      failed(expectRank(*this, "value", value, 4)))
    return failure();
  if (value.getElementType().isF64() != key.getElementType().isF64())
    return expectSameElementType(*this, "value", value, "key", key);
  for (int64_t dim : {0, 1, 2})
    if (failed(expectSameDim(*this, "value", value, dim, "key", key, dim)))
      return failure();
  if (failed(expectStaticDim(*this, "key", key, 3, "head dimension")) || // C2
      failed(expectStaticDim(*this, "value", value, 3, "value width")) ||
      failed(verifyKeyMasks(*this, getLengths(), getMask(), Value(), Value(), "key", key)) || // C3
      failed(verifyParameters(*this, getParameters(), "key", key)))                           // C5
    return failure();
  if (getStateType() && !isa<FloatType>(*getStateType())) // C7
    return emitOpError() << "expected 'state_type' to be a floating-point type, but got " << *getStateType();
  if (getInitial().empty()) // C4
    return success();
  Type accumulator = getAccumulatorType(key.getElementType());
  return verifyState(*this, "initial", getInitial().getTypes(),
                     stateTypes(key.getDimSize(0), key.getDimSize(1), yieldedFeatures(getFeatures()),
                                value.getDimSize(3), isLogDomain(), accumulator, accumulator));
}

LogicalResult AttentionStateOp::verifyRegions() { // C6
  return verifyFeatureRegion(*this, "features", getFeatures(), getKey().getType(), getParameters());
}

void AttentionStateOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  populateDropParameters(patterns, getOperationName());
}

//===----------------------------------------------------------------------===//
// merge_states
//===----------------------------------------------------------------------===//

LogicalResult MergeStatesOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  for (Value v : adaptor.getLeft())
    types.push_back(v.getType());
  return success();
}

bool MergeStatesOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult MergeStatesOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  reifyState(b, *this, getLeft().front(), getResultTypes(), dims);
  return success();
}

LogicalResult MergeStatesOp::verify() {
  size_t count = getDomain() == Domain::log ? 3 : 2;
  if (failed(expectKnownAttributes(*this)))
    return failure();
  if (getLeft().size() != count || getRight().size() != count)
    return emitOpError() << "expected 'left' and 'right' to have " << count
                         << (count == 3 ? " tensors (S, z and r)" : " tensors (S and z)") << " each, but got "
                         << getLeft().size() << " and " << getRight().size();
  auto sums = cast<RankedTensorType>(getLeft().front().getType());
  if (failed(expectRank(*this, "left", sums, 4)) ||
      failed(expectStaticDim(*this, "left", sums, 2, "number of features")) ||
      failed(expectStaticDim(*this, "left", sums, 3, "value width")))
    return failure();
  Type accumulator = getElementTypeOrSelf(getLeft()[1].getType());
  auto types = stateTypes(sums.getDimSize(0), sums.getDimSize(1), sums.getDimSize(2), sums.getDimSize(3), count == 3,
                          sums.getElementType(), accumulator);
  if (failed(verifyState(*this, "left", getLeft().getTypes(), types)) ||
      failed(verifyState(*this, "right", getRight().getTypes(), types)))
    return failure();
  return expectSameElementType(*this, "right", getRight().front().getType(), "left", sums);
}

//===----------------------------------------------------------------------===//
// apply_state
//===----------------------------------------------------------------------===//

LogicalResult ApplyStateOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  auto query = cast<RankedTensorType>(adaptor.getQuery().getType());
  auto sums = adaptor.getState().empty() ? RankedTensorType()
                                         : dyn_cast<RankedTensorType>(adaptor.getState().front().getType());
  if (query.getRank() != 4 || !sums || sums.getRank() != 4)
    return failure();
  types.push_back(withLastDim(query, sums.getDimSize(3)));
  return success();
}

bool ApplyStateOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult ApplyStateOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getQuery(), dims);
}

int64_t ApplyStateOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
int64_t ApplyStateOp::getValueWidth() { return lastDim(getState().front().getType()); }
OperandRange ApplyStateOp::getFeatureParameters() { return getParameters(); }
MutableOperandRange ApplyStateOp::getFeatureParametersMutable() { return getParametersMutable(); }
void ApplyStateOp::separateFeatureRegions() {}
bool ApplyStateOp::isLogDomain() { return getDomain() == Domain::log; }

SmallVector<std::pair<OpOperand *, Region *>> ApplyStateOp::getFeatureOperands() {
  return {{&getQueryMutable(), &getFeatures()}};
}

LogicalResult ApplyStateOp::verify() {
  auto query = getQuery().getType();
  if (failed(expectKnownAttributes(*this)) || failed(expectRank(*this, "query", query, 4)) || // C1
      failed(expectStaticDim(*this, "query", query, 3, "head dimension")))
    return failure();
  if (getState().empty())
    return emitOpError() << "expected 'state' to have "
                         << (isLogDomain() ? "3 tensors (S, z and r)" : "2 tensors (S and z)") << ", but got 0";
  auto sums = cast<RankedTensorType>(getState().front().getType());
  if (failed(expectRank(*this, "state", sums, 4)) || failed(expectStaticDim(*this, "state", sums, 3, "value width")))
    return failure();
  Type accumulator = getAccumulatorType(query.getElementType());
  auto types = stateTypes(query.getDimSize(0), sums.getDimSize(1), yieldedFeatures(getFeatures()), sums.getDimSize(3),
                          isLogDomain(), accumulator, accumulator);
  if (failed(verifyState(*this, "state", getState().getTypes(), types)) || // C2
      failed(expectGroupedHeads(*this, "query", query, "state", sums)) ||
      failed(verifyParameters(*this, getParameters(), "state", sums)) || // C4
      failed(expectNotNegative(*this, "eps", getEps())) ||               // C6
      failed(verifyDenominator(*this, getDomain(), getNormalize(), getDenominator(), getFloor())))
    return failure();
  if (getDenominator() == Denominator::count)
    return emitOpError() << "expected denominator<none> or denominator<clamp>, but got denominator<count>; count in "
                            "'spectral.linear_attention'";
  if (Value offset = getOffset()) { // C3
    Type type = offset.getType();
    if (failed(expectRank(*this, "offset", type, 2)) ||
        failed(expectSameElementType(*this, "offset", type, "query", query)) ||
        failed(expectSameDim(*this, "offset", type, 0, "query", query, 0)) ||
        failed(expectSameDim(*this, "offset", type, 1, "query", query, 1)))
      return failure();
  }
  return success();
}

LogicalResult ApplyStateOp::verifyRegions() { // C5
  return verifyFeatureRegion(*this, "features", getFeatures(), getQuery().getType(), getParameters());
}

void ApplyStateOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  populateDropParameters(patterns, getOperationName());
}
