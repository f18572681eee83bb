//===- ReverseMode.h - reverse sweeps over code -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode for operations in a block, by the rules that they bring (ReverseDifferentiableOpInterface): tensors of a
// function as well as the scalars of a `linalg` body.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_REVERSEMODE_H
#define BOCHNER_LIB_TRANSFORMS_REVERSEMODE_H

#include "dialect/Spectral.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace bochner {

/// A floating-point scalar, or a tensor or vector of them: what can have a cotangent.
bool isDifferentiable(mlir::Type type);
/// `value` in the type and shape of `like`, a scalar or a tensor.
mlir::Value constantLike(mlir::OpBuilder &b, mlir::Location loc, double value, mlir::Value like);
/// `value` with elements of a floating-point type.
mlir::Value convertTo(mlir::OpBuilder &b, mlir::Location loc, mlir::Type element, mlir::Value value);
/// Erases what is dead in a block and the blocks in it.
void eraseDead(mlir::Block &block);
/// The sizes of a tensor, from where they are known without computing it.
llvm::SmallVector<mlir::OpFoldResult> sizesOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor);

class ReverseMode : public spectral::ReverseSweep {
public:
  /// Differentiates with respect to `v`; before propagate().
  void activate(mlir::Value v) { active.insert(v); }
  /// Marks the results of `operations`, in their order, that depend on what is active.
  void propagate(llvm::ArrayRef<mlir::Operation *> operations);
  /// Runs the rules of `operations` from the last to the first, building at the insertion point. Errors are emitted at
  /// the operation.
  llvm::LogicalResult run(mlir::OpBuilder &b, llvm::ArrayRef<mlir::Operation *> operations);
  /// The cotangent of `v`, zeros if nothing depends on it.
  mlir::Value gradientOf(mlir::OpBuilder &b, mlir::Value v) const;

  bool isActive(mlir::Value v) const override { return active.contains(v); }
  mlir::Value cotangentOf(mlir::Value result) const override { return cotangents.lookup(result); }
  void add(mlir::OpBuilder &b, mlir::Value v, mlir::Value cotangent) override;
  mlir::Value sumOf(mlir::Value v) const override { return sums.lookup(v); }
  void setSum(mlir::Value v, mlir::Value sum) override;

private:
  llvm::DenseSet<mlir::Value> active;
  llvm::DenseMap<mlir::Value, mlir::Value> sums;
  llvm::DenseMap<mlir::Value, mlir::Value> cotangents; ///< sums that are complete, in the types of their values
};

/// The sum for `v` so far, zeros if there is none, in the type that its elements are summed in.
mlir::Value sumOrZeros(mlir::OpBuilder &b, const spectral::ReverseSweep &sweep, mlir::Value v);
/// Active values from around `regions` that they read.
llvm::SmallVector<mlir::Value> activeCaptures(llvm::MutableArrayRef<mlir::Region> regions,
                                              const spectral::ReverseSweep &sweep);

/// A value that nothing else is, to differentiate with respect to: one value may be two inputs.
mlir::Value aliasOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value v);
/// Puts the value itself in its place.
void removeAlias(mlir::Value alias);

/// The operations of a block from `first` on, up to and without `end`.
llvm::SmallVector<mlir::Operation *> operationsBetween(mlir::Block::iterator first, mlir::Block::iterator end);

} // namespace bochner

#endif // BOCHNER_LIB_TRANSFORMS_REVERSEMODE_H
