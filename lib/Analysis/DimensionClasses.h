//===- DimensionClasses.h - dimensions that always agree --------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which dimensions of the tensors of a function have the same size at every call, and what that size is in terms of
// the arguments. Operations tie dimensions: a contraction its loops, attention its batch, heads and positions, a
// reshape a dimension and the product of others. What the ties demand of arguments is what a call has to check.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_ANALYSIS_DIMENSIONCLASSES_H
#define BOCHNER_LIB_ANALYSIS_DIMENSIONCLASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <tuple>

namespace bochner {

/// Dimension `dim` of argument number `argument`.
struct ArgumentDim {
  unsigned argument;
  int64_t dim;
  bool operator==(const ArgumentDim &other) const { return argument == other.argument && dim == other.dim; }
  bool operator<(const ArgumentDim &other) const {
    return std::tie(argument, dim) < std::tie(other.argument, other.dim);
  }
};

/// `constant` times the sizes of dimensions of arguments, which are in order.
struct DimensionSize {
  int64_t constant = 1;
  llvm::SmallVector<ArgumentDim, 2> factors;
  bool operator==(const DimensionSize &other) const { return constant == other.constant && factors == other.factors; }
  bool operator!=(const DimensionSize &other) const { return !(*this == other); }

  bool isConstant() const { return factors.empty(); }
  bool isArgumentDim() const { return constant == 1 && factors.size() == 1; }
};

/// What a call has to check: a dynamic dimension has this size, which is a constant or a dimension of an argument.
struct DimensionEquality {
  ArgumentDim dimension;
  DimensionSize size;
};

class DimensionClasses {
public:
  /// Fails, with a diagnostic at the operation that ties them, if dimensions cannot agree: different static sizes, or
  /// a product of arguments' dimensions that no call can check.
  static mlir::FailureOr<DimensionClasses> compute(mlir::func::FuncOp function);

  /// The size of a dimension of a tensor in the function, if it is known in terms of the arguments. Two dimensions of
  /// arguments that agree have the same size here: the first one's.
  std::optional<DimensionSize> getSize(mlir::Value tensor, int64_t dim) const;

  /// In the order of the arguments; each dimension is compared with the first one of its class.
  llvm::ArrayRef<DimensionEquality> getEqualities() const { return equalities; }

private:
  friend class DimensionSolver;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, DimensionSize> sizes;
  llvm::SmallVector<DimensionEquality> equalities;
};

} // namespace bochner

#endif // BOCHNER_LIB_ANALYSIS_DIMENSIONCLASSES_H
