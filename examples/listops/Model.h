//===- Model.h - the transformer, compiled --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three graphs of bochner-gen, which share parameters by name: a step of training (loss, gradients and AdamW in one
// function, which updates parameters in place), the classifier, and the feature map of one layer.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_MODEL_H
#define LISTOPS_MODEL_H

#include "Batches.h"
#include "Checkpoint.h"
#include "bochner/bochner.h"

#include <functional>
#include <memory>

namespace listops {

template <auto destroy> struct Destroyer {
  template <typename T> void operator()(T *object) const { destroy(object); }
};
using Context = std::unique_ptr<bochner_context_t, Destroyer<bochnerDestroyContext>>;
using Module = std::unique_ptr<bochner_module_t, Destroyer<bochnerDestroyModule>>;
struct TensorDeleter {
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using Tensor = std::unique_ptr<DLManagedTensorVersioned, TensorDeleter>;

/// Throws what `status` says, with the compiler's diagnostics; takes it over. Returns if it is NULL.
void check(bochner_status_t *status);

/// A module with one function.
class Graph {
public:
  /// Writes the text beside the checkpoint, so that bochner-opt and bochner-run can look at it, and compiles it.
  Graph(bochner_context_t *context, const std::string &path, const std::string &text);
  /// Finds the memory of an argument, or of a result that is not the next value of an argument.
  using Finder = std::function<DLTensor *(const bochner_tensor_info_t &)>;
  void call(const Finder &argument, const Finder &result) const;
  const bochner_function_t *function() const { return callee; }

private:
  Module module;
  const bochner_function_t *callee = nullptr;
};

class Model {
public:
  Model(const Options &options, const std::function<void(const std::string &)> &log);

  /// Of the graph that is trained.
  const std::string &graphHash() const { return hash; }
  size_t parameterCount() const;

  /// One step; returns loss and number of right answers by adding them to `meter`.
  void train(const Batch &batch, int64_t step, Meter &meter);
  Meter evaluate(const std::vector<Batch> &batches);
  /// Features of points [H, N, D] under the map of a layer: [C, H, N, F], C = 1 for all but mixtures. Nothing for
  /// softmax.
  std::vector<float> features(int64_t layer, const std::vector<float> &points, int64_t count, int64_t &components);
  int64_t featureCount() const { return featureWidth; }

  std::vector<SavedTensor> save() const;
  /// Throws Failure unless the tensors are those of this model.
  void restore(const std::vector<SavedTensor> &tensors, const std::string &path);
  /// Of everything that save() returns.
  std::string stateHash() const;

private:
  DLTensor *find(const std::string &name);
  void fillArguments();

  const Options &options;
  Context context;
  std::unique_ptr<Graph> trainStep, classifier, featureMap;
  std::string hash;
  int64_t featureWidth = 0;
  std::map<std::string, Tensor> tensors; ///< parameters, moments, buffers and draws by the names of the train step
  std::vector<std::string> updated;      ///< those that a step changes, in its order
};

} // namespace listops

#endif // LISTOPS_MODEL_H
