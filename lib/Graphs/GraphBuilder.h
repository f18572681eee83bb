//===- GraphBuilder.h - a function under construction -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds one public function on tensors: arguments and results with the names a runner binds by, and loop nests in
// Einstein notation. Every value is named by its location, so that the printed graph reads `%omega`, not `%arg4`.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_GRAPHS_GRAPHBUILDER_H
#define BOCHNER_LIB_GRAPHS_GRAPHBUILDER_H

#include "dialect/Spectral.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include <optional>

namespace bochner::graphs {

/// Everything that a runner needs to know of an argument.
struct ArgumentInfo {
  std::string name;
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<std::string> dims; ///< a name for each dimension
  std::string init;                    ///< how to fill it if it is not given; empty if it must be
};

/// What a graph can draw.
enum class Distribution { Normal, Orthogonal, Signs, Permutation };

class GraphBuilder : public mlir::OpBuilder {
public:
  /// Body of a loop nest: the elements read, then, if it accumulates, what is accumulated so far -> the element
  /// written.
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

  /// `elementType` is what the graph computes in.
  GraphBuilder(mlir::ModuleOp module, llvm::StringRef function, mlir::FloatType elementType);

  mlir::FloatType getElementType() const { return elementType; }

  /// `type` is the element type of the graph if not given.
  mlir::Value addArgument(const ArgumentInfo &info, mlir::Type type = {});
  /// `updates` names the argument whose memory the result may take.
  void addResult(llvm::StringRef name, mlir::Value value, llvm::ArrayRef<std::string> dims,
                 llvm::StringRef updates = {});
  /// Adds the arguments `key` and `offset`, which a graph that draws counts from.
  void addCounter();
  /// All that follows is drawn in the graph; it has a counter.
  void startSampling() { sampling = true; }
  bool isSampling() const { return sampling; }
  /// Random numbers that are no parameter: an argument, or a draw with a stream of its own.
  mlir::Value addRandom(const ArgumentInfo &info, Distribution distribution);
  /// Ends the function; `attributes` describes it to runners.
  mlir::func::FuncOp finish(llvm::StringRef attributes);

  /// A location that names the value defined there.
  mlir::Location named(llvm::StringRef name);
  /// A scalar of the element type, where `b` stands.
  mlir::Value constant(mlir::OpBuilder &b, double value);

  /// A loop nest over `inputs` whose indices `spec` names, one letter a dimension, as in "bhnd,hdf->bhnf". Indices that
  /// the result lacks are reduced, starting from `init`; `sizes` are those of indices that only the result has. The
  /// result has the element type of the first input, if `element` is not given.
  mlir::Value compute(llvm::StringRef name, llvm::StringRef spec, mlir::ValueRange inputs, Body body,
                      std::optional<double> init = std::nullopt,
                      llvm::ArrayRef<std::pair<char, mlir::OpFoldResult>> sizes = {}, mlir::Type element = {});
  /// The tensor with elements of another type of float; itself if it has them.
  mlir::Value convert(llvm::StringRef name, mlir::Value value, mlir::Type element);
  static mlir::Value convertScalar(mlir::OpBuilder &b, mlir::Value value, mlir::Type type);
  /// The sum of products over the indices that the result lacks.
  mlir::Value contract(llvm::StringRef name, llvm::StringRef spec, mlir::ValueRange inputs);
  /// The input with further indices along which it repeats.
  mlir::Value broadcast(llvm::StringRef name, llvm::StringRef spec, mlir::Value input,
                        llvm::ArrayRef<std::pair<char, mlir::OpFoldResult>> sizes);
  /// The softmax along the last index of `indices`.
  mlir::Value softmax(llvm::StringRef name, llvm::StringRef indices, mlir::Value input);
  /// The tensor with a share of `rate` of its elements dropped, by a draw with a stream of its own; itself if none are.
  mlir::Value dropOut(llvm::StringRef name, mlir::Value input, double rate);

  /// [B, H, ...] -> [B H, ...] and back; `like` has the sizes of B and H.
  mlir::Value collapseFirstTwo(llvm::StringRef name, mlir::Value value);
  mlir::Value expandFirst(llvm::StringRef name, mlir::Value value, mlir::Value like);

  /// Sizes of a tensor: those its producer noted, or of an argument. Dimensions of the same name have one size, so that
  /// each is read once.
  llvm::SmallVector<mlir::OpFoldResult> sizesOf(mlir::Value value);
  /// Notes that `value` has the sizes of `rows` but for the last one, which is static. Returns `value`.
  mlir::Value likeRows(mlir::Value value, mlir::Value rows);

private:
  mlir::OpFoldResult sizeOf(mlir::Value value, int64_t dim);
  /// The size of a dynamic dimension that is called `name`.
  mlir::Value namedSize(llvm::StringRef name, mlir::Value value, int64_t dim);

  mlir::FloatType elementType;
  mlir::func::FuncOp function;
  llvm::SmallVector<llvm::SmallVector<std::string>> argumentDims;
  llvm::SmallVector<mlir::DictionaryAttr> argumentAttributes, resultAttributes;
  llvm::SmallVector<mlir::Value> results;
  mlir::Value key, offset;
  bool sampling = false;
  int64_t draws = 0;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::OpFoldResult>> knownSizes;
  llvm::StringMap<mlir::Value> namedSizes;
  llvm::DenseMap<int64_t, mlir::Value> indexConstants;
};

} // namespace bochner::graphs

#endif // BOCHNER_LIB_GRAPHS_GRAPHBUILDER_H
