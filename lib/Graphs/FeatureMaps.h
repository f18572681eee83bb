//===- FeatureMaps.h - graphs of feature maps -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs of feature maps: the arguments that a map needs, its frequencies, and the features of given rows. One map
// serves queries and keys with the same draw.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_FEATUREMAPS_H
#define BOCHNER_LIB_GRAPHS_FEATUREMAPS_H

#include "lib/Graphs/FeatureMapSpec.h"
#include "lib/Graphs/GraphBuilder.h"

namespace bochner::graphs {

/// A running statistic after the call.
struct UpdatedBuffer {
  std::string name, before; ///< of the result and of the argument
  mlir::Value value;
  std::string dim;
};

/// A map within a graph. Creating it adds its arguments and the operations that rows do not enter.
class FeatureMap {
public:
  /// `heads` is the number of heads if it is static. `calls` says how often one call of the function applies the map,
  /// which is how often the running statistics of a generator move.
  FeatureMap(GraphBuilder &builder, const FeatureMapSpec &spec, std::optional<int64_t> heads, int calls);

  /// The features of unscaled rows [B, H, N, D], or their logarithms, [B, H, N, F], in the type that the graph computes
  /// in, whatever that of the rows. For maps with components, H counts these. `suffix` ends the names of the values.
  mlir::Value apply(mlir::Value rows, llvm::StringRef suffix);
  /// The largest squared norm of the scaled rows of each batch entry and head, [B, H].
  mlir::Value largestNorm(mlir::Value rows, llvm::StringRef suffix);

  const FeatureMapSpec &getSpec() const { return spec; }
  llvm::ArrayRef<UpdatedBuffer> getUpdatedBuffers() const { return updated; }

private:
  mlir::Value addBaseFrequencies();
  void addGaussian();
  void addFastfood();
  mlir::Value drawScale(mlir::Value gaussian);
  std::string nameOf(llvm::StringRef value, llvm::StringRef suffix) const;
  mlir::Value scale(mlir::Value rows, llvm::StringRef suffix);
  mlir::Value project(mlir::Value scaledRows, llvm::StringRef suffix);
  mlir::Value frequenciesFor(mlir::Value rows, llvm::StringRef suffix);

  GraphBuilder &builder;
  FeatureMapSpec spec;
  std::optional<int64_t> heads;
  mlir::Value frequencies;                 ///< [D, m] or [H, D, m]; of a generator [m, D]
  llvm::SmallVector<mlir::Value> fastfood; ///< S, G, B, permutation
  llvm::SmallVector<UpdatedBuffer> updated;
};

/// The network of a generator: noise [m, d0] -> frequencies [m, D]. In training, appends the statistics of its
/// normalizations after `calls` moves to `updated`.
mlir::Value buildGenerator(GraphBuilder &builder, const FeatureMapSpec &spec, int calls,
                           llvm::SmallVectorImpl<UpdatedBuffer> &updated);

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_FEATUREMAPS_H
