//===- ModuleBuilder.h - parts of transformers ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What layers and models are made of, with parameters that have the names of PyTorch modules behind a prefix.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_MODULEBUILDER_H
#define BOCHNER_LIB_GRAPHS_MODULEBUILDER_H

#include "lib/Graphs/GraphBuilder.h"

namespace bochner::graphs {

struct NamedSize {
  int64_t size;
  std::string name;
};

class ModuleBuilder {
public:
  ModuleBuilder(GraphBuilder &builder, llvm::StringRef prefix) : builder(builder), prefix(prefix) {}

  /// A matrix of a dense layer, by Glorot and Bengio's uniform initialization.
  mlir::Value addWeight(llvm::StringRef name, const NamedSize &outputs, const NamedSize &inputs);
  mlir::Value addVector(llvm::StringRef name, const NamedSize &width, llvm::StringRef init);
  /// A row for each index.
  mlir::Value addTable(llvm::StringRef name, const NamedSize &rows, const NamedSize &width, llvm::StringRef init);
  /// Rows [B, N, W] with mean 0 and variance 1, times a learnt scale, plus a learnt shift.
  mlir::Value normalize(llvm::StringRef name, mlir::Value rows, const NamedSize &width);

private:
  GraphBuilder &builder;
  std::string prefix;
};

// Scalars in bodies of loop nests.
mlir::Value add(mlir::OpBuilder &b, mlir::Value x, mlir::Value y);
mlir::Value subtract(mlir::OpBuilder &b, mlir::Value x, mlir::Value y);
mlir::Value multiply(mlir::OpBuilder &b, mlir::Value x, mlir::Value y);
mlir::Value divide(mlir::OpBuilder &b, mlir::Value x, mlir::Value y);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_MODULEBUILDER_H
