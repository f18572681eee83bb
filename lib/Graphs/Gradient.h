//===- Gradient.h - functions that return gradients -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs of training: functions around the derivative of a graph that the builder made.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_GRADIENT_H
#define BOCHNER_LIB_GRAPHS_GRADIENT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>

namespace bochner::graphs {

/// Makes `function` private and adds the public function FUNCTION.grad behind it. That takes its arguments and returns
/// its results and, for each argument X that is learnt or computed from what is learnt (q, k, v, x, parameters),
/// grad_X: the gradient of the result `loss`, or, if there is none, of the sum of the first result times a further
/// argument `cot`, which is like it.
void addGradient(mlir::func::FuncOp function);

/// Whether an argument of that name is learnt.
bool isParameter(llvm::StringRef name);
/// The name that runners bind by.
llvm::StringRef nameOf(mlir::DictionaryAttr attributes);
/// The attributes of a tensor with the dimensions of another.
mlir::DictionaryAttr describeLike(mlir::DictionaryAttr attributes, const llvm::Twine &name, llvm::StringRef init = {});

/// A public function under construction that takes the arguments of a function, and maybe more, and calls its
/// derivative.
class DerivedFunction : public mlir::OpBuilder {
public:
  explicit DerivedFunction(mlir::func::FuncOp function);

  /// Of the function, with what has been added.
  llvm::ArrayRef<mlir::DictionaryAttr> getArguments() const { return arguments; }
  llvm::ArrayRef<mlir::DictionaryAttr> getResults() const { return results; }
  std::optional<unsigned> findResult(llvm::StringRef name) const;

  void addArgument(mlir::Type type, mlir::DictionaryAttr attributes);
  /// Begins the body of FUNCTION.SUFFIX and makes the function private.
  mlir::func::FuncOp start(llvm::StringRef suffix);
  /// The results of the function, then the gradients of `objective` times `cotangent`.
  llvm::SmallVector<mlir::Value> differentiate(unsigned objective, mlir::Value cotangent, llvm::ArrayRef<int64_t> wrt);
  /// 1 in the type of a result.
  mlir::Value one(unsigned result);
  void finish(mlir::ValueRange values, llvm::ArrayRef<mlir::DictionaryAttr> attributes);
  mlir::Location named(llvm::StringRef name) { return mlir::NameLoc::get(getStringAttr(name)); }

private:
  mlir::Value zerosFor(unsigned result);
  mlir::OpFoldResult sizeOf(mlir::Attribute name);

  mlir::func::FuncOp function, derived;
  llvm::SmallVector<mlir::DictionaryAttr> arguments, results;
  llvm::SmallVector<mlir::Type> argumentTypes;
  size_t inputs; ///< arguments of the function
};

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_GRADIENT_H
