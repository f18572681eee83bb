//===- FeatureAdjoint.h - reverse mode of feature programs ------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the cotangents of features are worth in rows and parameters, as expressions of the same kind as the features: a
// kernel evaluates them in the register tile in which it computes the features again. So features are never stored
// for the sake of gradients.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_ANALYSIS_FEATUREADJOINT_H
#define BOCHNER_LIB_ANALYSIS_FEATUREADJOINT_H

#include "dialect/Spectral.h"
#include "lib/Analysis/FeatureProgram.h"

namespace bochner {

/// A cotangent of an array: `value` at column j adds to column offset + j of array number `id`.
struct ArrayTerm {
  unsigned id;
  int64_t offset;
  const Expr *value;
};

/// The adjoint of a group: terms for each column of it, in which ExprKind::Cotangent number o stands for the cotangent
/// of output o. In the log domain that is the cotangent of the binary logarithm; in groups of a step it is that of the
/// tile which the step fills, of a transform's operand.
struct GroupAdjoint {
  /// Cotangents of what the accumulator of each product holds; null if there is none. With du for it and W for the
  /// packed parameter, its scale included, rows get du W^T and W gets x^T du.
  llvm::SmallVector<const Expr *> products;
  llvm::SmallVector<ArrayTerm> tiles;   ///< elementwise
  llvm::SmallVector<ArrayTerm> rows;    ///< summed over columns; offset 0
  llvm::SmallVector<ArrayTerm> columns; ///< of parameters, summed over rows
};

/// The adjoint of a sum over columns, with ExprKind::RowCotangent for the cotangent of the sum: terms for each segment
/// of its operand.
struct ReduceAdjoint {
  llvm::SmallVector<GroupAdjoint> segments;
};

/// Expressions live in the program. What is not differentiable gets a subgradient: operands of a maximum and of a
/// selection by comparison.
GroupAdjoint differentiateGroup(FeatureProgram &program, const FusedGroup &group);
/// `step` is a reduction by a sum.
ReduceAdjoint differentiateReduction(FeatureProgram &program, const Step &step);

/// The adjoint in words, for groups of blocks of `block` columns.
std::string describeAdjoint(FeatureProgram &program, int64_t block);

/// Why no kernel can compute the adjoint of a program; empty if one can. The reason completes "..., but <reason>".
std::string whyNoAdjoint(const FeatureProgram &program);
/// The same for an operation, and for the adjoint that linear attention would have.
std::string whyNoAdjoint(spectral::LinearAttentionGradOp op);
std::string whyNoAdjoint(spectral::LinearAttentionOp op);
/// Whether the maps multiply rows by a matrix as it is, so that a kernel has the moments of its gradient for free.
bool hasMoments(spectral::LinearAttentionOp op, unsigned parameter);

} // namespace bochner

#endif // BOCHNER_LIB_ANALYSIS_FEATUREADJOINT_H
