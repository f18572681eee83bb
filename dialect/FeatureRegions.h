//===- FeatureRegions.h - what owners of feature regions share --*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks of feature regions, of their parameters and of states, and the canonicalization of parameters: for the
// verifiers of linear_attention, attention_state, apply_state and feature_map.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_DIALECT_FEATUREREGIONS_H
#define BOCHNER_DIALECT_FEATUREREGIONS_H

#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace bochner::spectral {

/// Number of features that a region yields; 0 if it is malformed.
int64_t yieldedFeatures(mlir::Region &region);
/// Checks a region that maps `rows`, [B, H, N, D], against the operation's parameters.
LogicalResult verifyFeatureRegion(Operation *op, StringRef name, mlir::Region &region, Type rows,
                                  mlir::OperandRange parameters);
/// Each parameter is [heads or 1, ...]; `rows` tells the number of heads.
LogicalResult verifyParameters(Operation *op, mlir::OperandRange parameters, StringRef rowsName, Type rows);
/// 'lengths', 'mask', 'sequences' and 'key_sequences' (each may be null) of rows [B, H, N, W].
LogicalResult verifyKeyMasks(Operation *op, mlir::Value lengths, mlir::Value mask, mlir::Value sequences,
                             mlir::Value keySequences, StringRef rowsName, Type rows);
/// What may happen to denominators near zero, and where.
LogicalResult verifyDenominator(Operation *op, Domain domain, bool normalize, Denominator policy,
                                const llvm::APFloat &floor);
/// The number of heads of `rows` is a multiple of that of `keys`, and the same if either is dynamic.
LogicalResult expectGroupedHeads(Operation *op, StringRef name, Type rows, StringRef keysName, Type keys);

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

/// The types of S, z and, in the log domain, r.
llvm::SmallVector<Type> stateTypes(int64_t batch, int64_t heads, int64_t features, int64_t width, bool isLog, Type sums,
                                   Type accumulator);
/// The types of states before every `interval`-th of the positions of `key`, which may be `packed` (C18).
llvm::SmallVector<Type> checkpointTypes(mlir::RankedTensorType key, int64_t features, int64_t width, bool isLog,
                                        int64_t interval, bool packed);
/// Checks S, z and r against the types that they should have; S may have any floating-point type.
LogicalResult verifyState(Operation *op, StringRef name, mlir::TypeRange state, mlir::ArrayRef<Type> expected);
/// Dimensions of tensors that have the batch entries and heads of `rows`.
void reifyState(mlir::OpBuilder &b, Operation *op, mlir::Value rows, mlir::TypeRange types,
                mlir::ReifiedRankedShapedTypeDims &dims);

/// Parameters that no region reads, or that are given twice, are dropped.
void populateDropParameters(mlir::RewritePatternSet &patterns, StringRef opName);

} // namespace bochner::spectral

#endif // BOCHNER_DIALECT_FEATUREREGIONS_H
