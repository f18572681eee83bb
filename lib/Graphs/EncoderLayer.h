//===- EncoderLayer.h - a transformer layer around attention ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The encoder layer of "On Learning the Transformer Kernel" (as its authors trained it, without dropout):
//   y = LN2(x); s = y + O attention(Q y, K y, V y); out = s + W2 gelu(W1 LN1(s) + b1) + b2.
// The skip connection starts at the normalized input, unlike that of the usual pre-norm layer. Parameters have the
// names of PyTorch modules, with the prefix "layer_".
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_ENCODERLAYER_H
#define BOCHNER_LIB_GRAPHS_ENCODERLAYER_H

#include "lib/Graphs/GraphBuilder.h"

namespace bochner::graphs {

struct EncoderLayerSizes {
  int64_t heads, headDim, valueDim, feedForward;
  int64_t width() const { return heads * headDim; }
};

class EncoderLayer {
public:
  /// Adds the argument `x` [B, N, width], whose element type is `storage`, and computes in the graph's.
  EncoderLayer(GraphBuilder &builder, const EncoderLayerSizes &sizes, mlir::Type storage);

  /// Queries, keys or values, [B, H, N, D or M], in the storage type: `name` is "query", "key" or "value".
  mlir::Value project(llvm::StringRef name);
  /// What follows attention [B, H, N, M]: the output of the layer, [B, N, width].
  mlir::Value finish(mlir::Value attention);

private:
  mlir::Value normalize(llvm::StringRef name, mlir::Value rows);
  struct Dim {
    int64_t size;
    std::string name;
  };
  mlir::Value addWeight(llvm::StringRef name, const Dim &outputs, const Dim &inputs);
  mlir::Value addVector(llvm::StringRef name, const Dim &width, llvm::StringRef init);

  GraphBuilder &builder;
  EncoderLayerSizes sizes;
  mlir::Type storage;
  Dim width, hiddenWidth;
  mlir::Value input; ///< normalized
};

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_ENCODERLAYER_H
