//===- AttentionGradOps.cpp - gradients of attention ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier and type inference of linear_attention_grad. The labels C1, C2, ... are those of its documentation.
//
//===----------------------------------------------------------------------===//
#include "dialect/AttentionVerifiers.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace bochner::spectral;

LogicalResult LinearAttentionGradOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                      SmallVectorImpl<Type> &types) {
  types.append({adaptor.getQuery().getType(), adaptor.getKey().getType(), adaptor.getValue().getType()});
  for (int64_t i : adaptor.getWrt()) {
    if (i < 0 || i >= int64_t(adaptor.getParameters().size()))
      return failure();
    types.push_back(adaptor.getParameters()[i].getType());
  }
  for (Value center : adaptor.getCenters())
    types.append(2, center.getType());
  return success();
}

bool LinearAttentionGradOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) {
  return areCompatible(left, right);
}

LogicalResult LinearAttentionGradOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  SmallVector<Value> like{getQuery(), getKey(), getValue()};
  llvm::append_range(like, getParametersOfGradients());
  for (Value v : like)
    dims.push_back(tensor::getMixedSizes(b, getLoc(), v));
  return success();
}

SmallVector<Value> LinearAttentionGradOp::getParametersOfGradients() {
  SmallVector<Value> like;
  for (int64_t i : getWrt())
    like.push_back(getParameters()[i]);
  for (Value center : getCenters())
    like.append(2, center);
  return like;
}

int64_t LinearAttentionGradOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
int64_t LinearAttentionGradOp::getValueWidth() { return lastDim(getValue().getType()); }

static LogicalResult verifyMoments(LinearAttentionGradOp op) { // C9
  if (op.getCenters().size() != op.getMoments().size())
    return op.emitOpError() << "expected 'centers' to have a tensor for each of the " << op.getMoments().size()
                            << " parameters of 'moments', but got " << op.getCenters().size();
  for (auto [i, center] : llvm::zip_equal(op.getMoments(), op.getCenters())) {
    auto type = cast<RankedTensorType>(op.getParameters()[i].getType());
    if (type.getRank() != 3)
      return op.emitOpError() << "expected parameters of 'moments' to have rank 3, but got " << type << " as number "
                              << i;
    if (op.getMeanSign() == MeanSign::plus_minus && type.getDimSize(2) % 2 != 0)
      return op.emitOpError() << "expected parameters of 'moments' to have an even number of columns for "
                                 "mean_sign<plus_minus>, but got "
                              << type << " as number " << i;
    auto want = RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
    if (!areCompatible(want, center.getType()))
      return op.emitOpError() << "expected the center of parameter " << i << " to be of type " << want << ", but got "
                              << center.getType();
  }
  return success();
}

LogicalResult LinearAttentionGradOp::verify() {
  bool sameLength = haveSameLength(isCausal(), /*initial=*/false, getSequences(), getKeySequences());
  if (failed(expectKnownAttributes(*this)) ||
      failed(verifyAttentionShapes(*this, getQueryFeatures().empty(), sameLength)) || // C1
      failed(verifyGroupedParameters(*this)))
    return failure();
  auto query = getQuery().getType(), value = getValue().getType();
  for (auto [name, type] : {std::pair<StringRef, RankedTensorType>("output", getOutput().getType()),
                            {"cotangent", getCotangent().getType()}}) { // C2
    if (failed(expectRank(*this, name, type, 4)) || failed(expectSameElementType(*this, name, type, "value", value)) ||
        failed(expectSameDim(*this, name, type, 3, "value", value, 3)))
      return failure();
    for (int64_t dim : {0, 1, 2})
      if (failed(expectSameDim(*this, name, type, dim, "query", query, dim)))
        return failure();
  }
  llvm::SmallSet<int64_t, 8> seen;
  for (auto [name, indices] : {std::pair<StringRef, ArrayRef<int64_t>>("wrt", getWrt()), {"moments", getMoments()}})
    for (int64_t i : indices) { // C3
      if (i < 0 || i >= int64_t(getParameters().size()))
        return emitOpError() << "expected '" << name << "' to hold indices of the " << getParameters().size()
                             << " parameters, but got " << i;
      if (!seen.insert(i).second)
        return emitOpError() << "expected 'wrt' and 'moments' to name each parameter once, but got " << i << " again";
    }
  if (failed(expectNotNegative(*this, "eps", getEps()))) // C4
    return failure();
  Type accumulator = getAccumulatorType(query.getElementType());
  auto key = getKey().getType();
  if (!getState().empty()) { // C5
    if (isCausal() || getSequences())
      return emitOpError() << "expected no 'state' with causality or 'sequences', where queries see different keys";
    auto types = stateTypes(key.getDimSize(0), key.getDimSize(1), getFeatureCount(), getValueWidth(), isLogDomain(),
                            accumulator, accumulator);
    if (failed(verifyState(*this, "state", getState().getTypes(), types)))
      return failure();
    if (Type sums = getState().front().getType(); getElementTypeOrSelf(sums) != accumulator)
      return emitOpError() << "expected tensor 0 of 'state' to be " << types.front() << ", but got " << sums;
  }
  if (failed(verifyCheckpoints(*this, !getCheckpoints().empty()))) // C8
    return failure();
  if (!getCheckpoints().empty()) {
    auto types = checkpointTypes(key, getFeatureCount(), getValueWidth(), isLogDomain(), getCheckpointInterval(),
                                 bool(getSequences()));
    if (!areCompatible(types, getCheckpoints().getTypes()))
      return emitOpError() << "expected 'checkpoints' to be of types " << types << ", but got "
                           << getCheckpoints().getTypes();
  }
  if (Value denominators = getDenominators()) { // C6
    if (!getNormalize())
      return emitOpError() << "expected 'denominators' with 'normalize' only";
    Type want = withLastDim(query, 1).clone(accumulator);
    if (!areCompatible(want, denominators.getType()))
      return emitOpError() << "expected 'denominators' to be of type " << want << ", but got "
                           << denominators.getType();
  }
  if (failed(verifyOffset(*this))) // C7
    return failure();
  return verifyMoments(*this); // C9
}

LogicalResult LinearAttentionGradOp::verifyRegions() { return verifyFeatureRegions(*this); } // C1
