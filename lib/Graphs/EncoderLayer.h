//===- EncoderLayer.h - a transformer layer around attention ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The encoder layer of "On Learning the Transformer Kernel", as its authors trained it:
//   y = LN2(x); s = y + drop(O attention(Q y, K y, V y)); out = s + drop(W2 drop(gelu(W1 LN1(s) + b1)) + b2).
// The skip connection starts at the normalized input, unlike that of the usual pre-norm layer. Parameters have the
// names of PyTorch modules, with a prefix such as "layer_".
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_ENCODERLAYER_H
#define BOCHNER_LIB_GRAPHS_ENCODERLAYER_H

#include "lib/Graphs/ModuleBuilder.h"

namespace bochner::graphs {

struct EncoderLayerSpec {
  int64_t heads, headDim, valueDim, feedForward;
  double dropout = 0;            ///< share of elements that `drop` sets to zero
  std::string prefix = "layer_"; ///< of the names of parameters
  int64_t width() const { return heads * headDim; }
};

class EncoderLayer {
public:
  /// `x`, [B, N, width], has elements of the type `storage`; the layer computes in the graph's.
  EncoderLayer(GraphBuilder &builder, const EncoderLayerSpec &spec, mlir::Type storage, mlir::Value x);

  /// Queries, keys or values, [B, H, N, D or M], in the storage type: `name` is "query", "key" or "value".
  mlir::Value project(llvm::StringRef name);
  /// What follows attention [B, H, N, M]: the output of the layer, [B, N, width].
  mlir::Value finish(mlir::Value attention);

private:
  GraphBuilder &builder;
  ModuleBuilder module;
  EncoderLayerSpec spec;
  mlir::Type storage;
  NamedSize width, hiddenWidth;
  mlir::Value input; ///< normalized
};

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_ENCODERLAYER_H
