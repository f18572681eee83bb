//===- DimensionSolver.h - union-find over dimensions -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The engine of DimensionClasses: it knows what sizes are, not which operations tie them.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_ANALYSIS_DIMENSIONSOLVER_H
#define BOCHNER_LIB_ANALYSIS_DIMENSIONSOLVER_H

#include "lib/Analysis/DimensionClasses.h"
#include "mlir/IR/OpDefinition.h"
#include <string>

namespace bochner {

/// Collects which sizes are equal in a function and which are products of others, then solves for arguments. The first
/// contradiction is an error at the operation that brings it; nothing is collected after it.
class DimensionSolver {
public:
  explicit DimensionSolver(mlir::func::FuncOp function);

  void tie(mlir::Value a, int64_t dimOfA, mlir::Value b, int64_t dimOfB, mlir::Operation *op) {
    tie(nodeOf(a, dimOfA), nodeOf(b, dimOfB), op);
  }
  void tie(mlir::Value tensor, int64_t dim, mlir::OpFoldResult size, mlir::Operation *op) {
    tie(nodeOf(tensor, dim), nodeOf(size), op);
  }
  /// All dimensions but the last `except`.
  void tieShapes(mlir::Value a, mlir::Value b, mlir::Operation *op, int64_t except = 0);
  /// Dimension `dim` of `whole` is the product of the dimensions `factors` of `parts`.
  void tieProduct(mlir::Value whole, int64_t dim, mlir::Value parts, mlir::ArrayRef<int64_t> factors,
                  mlir::Operation *op);

  mlir::FailureOr<DimensionClasses> solve();

private:
  struct Node {
    unsigned parent;   ///< of a root: itself; a root is the first node of its class
    mlir::Value value; ///< null for a constant
    int64_t dim;       ///< of the tensor; -1 if the value is a size itself
    // Of a root:
    int64_t size;     ///< static, or kDynamic
    unsigned sizedBy; ///< the node that brought the size
  };
  /// whole = constant * factors
  struct Product {
    unsigned whole;
    int64_t constant;
    llvm::SmallVector<unsigned> factors;
    mlir::Operation *op;
  };

  unsigned add(mlir::Value value, int64_t dim, int64_t size);
  unsigned nodeOf(mlir::Value tensor, int64_t dim);
  unsigned nodeOf(mlir::OpFoldResult size);
  void readProduct(unsigned whole, mlir::Value size);
  unsigned find(unsigned node);
  bool isSized(unsigned node) { return !mlir::ShapedType::isDynamic(nodes[find(node)].size); }
  void tie(unsigned a, unsigned b, mlir::Operation *op);

  bool simplify(Product &product);
  bool cancel(const Product &a, const Product &b);
  std::optional<DimensionSize> multiplyKnown(const Product &product, mlir::ArrayRef<unsigned> factors);
  bool propagate(const Product &product);
  void check(const Product &product);

  std::string describe(mlir::Value value);
  std::string describe(unsigned node);
  std::string describe(const DimensionSize &size);

  mlir::func::FuncOp function;
  llvm::SmallVector<Node> nodes; ///< dimensions of arguments first, so that they become roots
  llvm::SmallVector<ArgumentDim> argumentDims;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, unsigned> ids;
  llvm::SmallVector<Product> products;
  llvm::DenseMap<unsigned, DimensionSize> known; ///< by root
  bool failed = false;
};

} // namespace bochner

#endif // BOCHNER_LIB_ANALYSIS_DIMENSIONSOLVER_H
