//===- TrainingStep.h - a step of an optimizer ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs that train: the loss of a batch and what its gradient makes of the parameters.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_TRAININGSTEP_H
#define BOCHNER_LIB_GRAPHS_TRAININGSTEP_H

#include "lib/Graphs/FeatureMapSpec.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bochner::graphs {

/// Makes `function`, which has a result `loss`, private and adds the public function FUNCTION.train_step behind it.
/// That takes its arguments, the moments moment1_X and moment2_X of each parameter X, the number of steps before,
/// `step`, and `learning_rate`. It returns the results of the function and, as next values of the arguments of that
/// name, parameters, moments and the number of steps.
void addTrainingStep(mlir::func::FuncOp function, const OptimizerSpec &optimizer);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_TRAININGSTEP_H
