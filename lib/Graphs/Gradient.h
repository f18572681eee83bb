//===- Gradient.h - functions that return gradients -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs of training: the gradients of a graph that the builder made.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_GRADIENT_H
#define BOCHNER_LIB_GRAPHS_GRADIENT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bochner::graphs {

/// Makes `function` private and adds the public function FUNCTION.grad behind it. That takes its arguments and `cot`,
/// which is like its first result, and returns its results and, for each argument X that is learnt or computed from
/// what is learnt (q, k, v, x, param_*), grad_X: the gradient of the sum of the first result times `cot`.
void addGradient(mlir::func::FuncOp function);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_GRADIENT_H
