//===- Classifier.h - a transformer that classifies sequences ---*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What stands before and behind the layers: embeddings of tokens and positions; then a normalization, the mean of the
// rows of each sequence, a linear layer, and cross entropy. Parameters have the prefix "model_".
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_CLASSIFIER_H
#define BOCHNER_LIB_GRAPHS_CLASSIFIER_H

#include "lib/Graphs/ModuleBuilder.h"

namespace bochner::graphs {

struct ClassifierSpec {
  int64_t vocabulary, maxLength, width, classes;
  double dropout;
};

class Classifier {
public:
  /// Adds the argument `tokens` [B, N]; arguments that follow are the caller's, up to embed().
  Classifier(GraphBuilder &builder, const ClassifierSpec &spec);

  /// drop(embedding of the token + embedding of the position), [B, N, W]. Positions beyond the table share its last
  /// row.
  mlir::Value embed();
  /// Logits [B, C] of rows [B, N, W], of which the first `lengths` [B] count, or all if it is null.
  mlir::Value classify(mlir::Value rows, mlir::Value lengths);

  struct Loss {
    mlir::Value loss;    ///< the mean cross entropy, a scalar
    mlir::Value correct; ///< how often the label has the largest logit, the first of equals; i64
  };
  Loss compare(mlir::Value logits, mlir::Value labels);

private:
  mlir::Value pool(mlir::Value rows, mlir::Value lengths);
  mlir::Value divideByCount(mlir::OpBuilder &b, mlir::Value sum, mlir::Value count);

  GraphBuilder &builder;
  ModuleBuilder module;
  ClassifierSpec spec;
  NamedSize width, classes;
  mlir::Value tokens;
};

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_CLASSIFIER_H
