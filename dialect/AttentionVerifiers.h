//===- AttentionVerifiers.h - checks of attention ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the verifiers of linear_attention, linear_attention_grad and exact_attention share. The labels C1, C2, ... are
// those of linear_attention's documentation.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_DIALECT_ATTENTIONVERIFIERS_H
#define BOCHNER_DIALECT_ATTENTIONVERIFIERS_H

#include "dialect/FeatureRegions.h"

namespace bochner::spectral {

/// True if queries and keys have one number of rows.
inline bool haveSameLength(bool causal, bool initial, mlir::Value sequences, mlir::Value keySequences) {
  return (causal && !initial && !keySequences) || (sequences && !keySequences);
}

/// Shapes of query, key, value and masks: what linear and exact attention have in common.
template <typename AttentionOp>
LogicalResult verifyAttentionShapes(AttentionOp op, bool sameHeadDimension, bool sameLength) {
  auto query = op.getQuery().getType(), key = op.getKey().getType(), value = op.getValue().getType();
  if (mlir::failed(expectRank(op, "query", query, 4)) || mlir::failed(expectRank(op, "key", key, 4)) ||
      mlir::failed(expectRank(op, "value", value, 4)) ||
      mlir::failed(expectSameElementType(op, "key", key, "query", query))) // C1
    return mlir::failure();
  if (value.getElementType().isF64() != query.getElementType().isF64())
    return expectSameElementType(op, "value", value, "query", query);
  if (mlir::failed(expectSameDim(op, "key", key, 0, "query", query, 0)) || // C2
      mlir::failed(expectSameDim(op, "value", value, 0, "query", query, 0)) ||
      mlir::failed(expectGroupedHeads(op, "query", query, "key", key)) ||
      mlir::failed(expectSameDim(op, "value", value, 1, "key", key, 1)) ||
      mlir::failed(expectSameDim(op, "value", value, 2, "key", key, 2)) ||
      (sameHeadDimension && mlir::failed(expectSameDim(op, "key", key, 3, "query", query, 3))))
    return mlir::failure();
  if (mlir::failed(expectStaticDim(op, "query", query, 3, "head dimension")) || // C3
      mlir::failed(expectStaticDim(op, "key", key, 3, "head dimension")) ||
      mlir::failed(expectStaticDim(op, "value", value, 3, "value width")))
    return mlir::failure();
  if (sameLength && mlir::failed(expectSameDim(op, "key", key, 2, "query", query, 2))) // C4
    return mlir::failure();
  if (mlir::Value lengths = op.getLengths()) // C5
    if (mlir::failed(expectSameDim(op, "lengths", lengths.getType(), 0, "query", query, 0)))
      return mlir::failure();
  return verifyKeyMasks(op, op.getLengths(), op.getMask(), op.getSequences(), op.getKeySequences(), "key", key);
}

/// Conditions of states at intervals, `asked` for or given.
template <typename AttentionOp> LogicalResult verifyCheckpoints(AttentionOp op, bool asked) { // C18
  int64_t interval = op.getCheckpointInterval();
  if (interval < 0 || interval % 64 != 0 || (asked && interval == 0))
    return op.emitOpError() << "expected 'checkpoint_interval' to be a " << (asked ? "positive " : "")
                            << "multiple of 64, but got " << interval;
  if (asked && !op.isCausal())
    return op.emitOpError() << "expected causality with checkpoints; without it there is one state, 'return_state'";
  if (asked && (op.getKeySequences() || (op.getLengths() && op.getCausality() == Causality::anticausal)))
    return op.emitOpError() << "expected no checkpoints with 'key_sequences', or with 'lengths' if anticausal, where "
                               "positions of a scan are those of no tensor";
  return mlir::success();
}

/// Parameters have a slice for each key head; one that only queries read may have a slice for each of their heads.
template <typename AttentionOp> LogicalResult verifyGroupedParameters(AttentionOp op) {
  int64_t heads = op.getQuery().getType().getDimSize(1), groups = op.getKey().getType().getDimSize(1);
  for (auto [i, parameter] : llvm::enumerate(op.getParameters())) {
    auto type = llvm::cast<RankedTensorType>(parameter.getType());
    bool ofQueries = heads != groups && !mlir::ShapedType::isDynamic(heads) && !mlir::ShapedType::isDynamic(groups) &&
                     type.getRank() > 0 && type.getDimSize(0) == heads && heads != 1;
    bool onlyQueries = !op.getQueryFeatures().empty() && op.getFeatures().getNumArguments() > 1 + i &&
                       op.getFeatures().getArgument(1 + i).use_empty();
    auto rows = ofQueries && onlyQueries ? op.getQuery() : op.getKey();
    if (mlir::failed(verifyParameters(op, op.getParameters().slice(i, 1), rows == op.getKey() ? "key" : "query",
                                      rows.getType())))
      return mlir::failure();
  }
  return mlir::success();
}

/// The factor of eps of each head of queries.
template <typename AttentionOp> LogicalResult verifyOffset(AttentionOp op) { // C6
  mlir::Value offset = op.getOffset();
  if (!offset)
    return mlir::success();
  mlir::Type type = offset.getType();
  auto query = op.getQuery().getType();
  if (mlir::failed(expectRank(op, "offset", type, 2)) ||
      (mlir::getElementTypeOrSelf(type) != getAccumulatorType(query.getElementType()) &&
       mlir::failed(expectSameElementType(op, "offset", type, "query", query))) ||
      mlir::failed(expectSameDim(op, "offset", type, 0, "query", query, 0)))
    return mlir::failure();
  return expectSameDim(op, "offset", type, 1, "query", query, 1);
}

/// The map of keys, and that of queries if it is another one.
template <typename AttentionOp> LogicalResult verifyFeatureRegions(AttentionOp op) {
  if (mlir::failed(verifyFeatureRegion(op, "features", op.getFeatures(), op.getKey().getType(), op.getParameters())))
    return mlir::failure();
  if (op.getQueryFeatures().empty())
    return mlir::success();
  if (mlir::failed(verifyFeatureRegion(op, "query_features", op.getQueryFeatures(), op.getQuery().getType(),
                                       op.getParameters())))
    return mlir::failure();
  int64_t want = yieldedFeatures(op.getFeatures()), got = yieldedFeatures(op.getQueryFeatures());
  if (want != got)
    return op.emitOpError() << "expected 'query_features' to yield " << want << " features as 'features' does, but got "
                            << got;
  return mlir::success();
}

} // namespace bochner::spectral

#endif // BOCHNER_DIALECT_ATTENTIONVERIFIERS_H
