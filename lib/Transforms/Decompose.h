//===- Decompose.h - plain linalg for spectral operations -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the files of spectral-decompose share: a builder that writes loops over tensors as one line of index letters,
// and the function that writes out each group of operations. The builder serves other passes too; what writes
// operations out is used by no fused kernel, for which the result is the oracle.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TRANSFORMS_DECOMPOSE_H
#define BOCHNER_LIB_TRANSFORMS_DECOMPOSE_H

#include "dialect/Spectral.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bochner::decompose {

/// A tensor with a letter for each dimension.
struct Indexed {
  mlir::Value tensor;
  std::string dims;
};

class TensorBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
  /// Receives an element of each input and the old element of the output, returns the new one.
  using Body = llvm::function_ref<mlir::Value(TensorBuilder &, mlir::ValueRange)>;

  mlir::Value index(int64_t value);
  mlir::Value real(mlir::Type element, double value);
  mlir::Value minusInfinity(mlir::Type element);
  mlir::Value dim(mlir::Value tensor, int64_t dim);
  Sizes sizes(mlir::Value tensor);
  /// A tensor without content, and one that holds `value` everywhere.
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element);
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Value value);

  /// A `linalg.generic` whose loops are nested as the letters of `order`, the last one innermost. Letters that the
  /// output lacks are reduced. Code that runs fast reads and writes the last dimension in the innermost loop and
  /// reduces further out, so that the loop vectorizes without reordering a sum.
  mlir::Value loops(llvm::StringRef order, llvm::ArrayRef<Indexed> inputs, const Indexed &output, Body body);
  /// `output += product of the inputs`.
  mlir::Value contract(llvm::StringRef order, llvm::ArrayRef<Indexed> inputs, const Indexed &output);
  /// Letters for the first `count` dimensions: A, B, C, ...
  std::string letters(int64_t count);
  /// Letters for all dimensions but the last.
  std::string leading(mlir::Value tensor);
  /// A tensor without content of the rows of `like` with `count` columns.
  mlir::Value emptyRows(mlir::Value like, int64_t count);
  /// The tensor with elements of another type.
  mlir::Value convert(mlir::Value tensor, mlir::Type element);

  /// Columns [first, first + count) of every row.
  mlir::Value columns(mlir::Value tensor, int64_t first, int64_t count);
  /// Replaces these columns by what `write` makes of a destination for them.
  mlir::Value writeColumns(mlir::Value tensor, int64_t first, int64_t count,
                           llvm::function_ref<mlir::Value(mlir::Value)> write);

  mlir::Value add(mlir::Value left, mlir::Value right);
  mlir::Value subtract(mlir::Value left, mlir::Value right);
  mlir::Value multiply(mlir::Value left, mlir::Value right);
  mlir::Value divide(mlir::Value left, mlir::Value right);
  mlir::Value maximum(mlir::Value left, mlir::Value right);
  mlir::Value exp(mlir::Value value);
};

/// Values of the operation, written out at the builder's position; their types are those of the operation's results up
/// to dynamic dimensions.
mlir::Value write(TensorBuilder &b, spectral::TrigOp op);
mlir::Value write(TensorBuilder &b, spectral::LogPositiveOp op);
mlir::Value write(TensorBuilder &b, spectral::HadamardOp op);
mlir::Value write(TensorBuilder &b, spectral::PermuteOp op);
mlir::Value write(TensorBuilder &b, spectral::FastfoodOp op);
mlir::Value write(TensorBuilder &b, spectral::ConstantFeatureOp op);
mlir::Value write(TensorBuilder &b, spectral::KernelSumOp op);
mlir::Value write(TensorBuilder &b, spectral::KernelProductOp op);
mlir::Value write(TensorBuilder &b, spectral::GaussianFrequenciesOp op);
mlir::Value write(TensorBuilder &b, spectral::FeatureMapOp op);
mlir::Value write(TensorBuilder &b, spectral::ApplyStateOp op);
llvm::SmallVector<mlir::Value> write(TensorBuilder &b, spectral::AttentionStateOp op);
llvm::SmallVector<mlir::Value> write(TensorBuilder &b, spectral::LinearAttentionOp op);
llvm::SmallVector<mlir::Value> write(TensorBuilder &b, spectral::MergeStatesOp op);
mlir::Value write(TensorBuilder &b, spectral::ExactAttentionOp op);
mlir::Value write(TensorBuilder &b, spectral::RandomBitsOp op);
mlir::Value write(TensorBuilder &b, spectral::RandomNormalOp op);
mlir::Value write(TensorBuilder &b, spectral::RandomOrthogonalOp op);
mlir::Value write(TensorBuilder &b, spectral::RandomPermutationOp op);
mlir::Value write(TensorBuilder &b, spectral::RandomSignsOp op);
mlir::Value write(TensorBuilder &b, spectral::DropoutOp op);

} // namespace bochner::decompose

#endif // BOCHNER_LIB_TRANSFORMS_DECOMPOSE_H
