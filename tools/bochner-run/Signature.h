//===- Signature.h - a function as the runner sees it ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a compiled function says about its arguments and results, and calls to it with tensors.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_SIGNATURE_H
#define BOCHNER_TOOLS_RUN_SIGNATURE_H

#include "Failure.h"
#include "Layout.h"
#include "Tensor.h"

namespace bochner::run {

class Signature {
public:
  explicit Signature(const bochner_function_t *function);

  const bochner_function_t *function;
  std::vector<const bochner_tensor_info_t *> arguments, results;

  std::string name() const { return bochnerGetFunctionName(function); }
  /// -1 if there is none.
  int findArgument(const std::string &name) const { return find(arguments, name); }
  int findResult(const std::string &name) const { return find(results, name); }
  /// "'q', 'k', 'v'".
  std::string argumentNames() const;
  /// The value of KEY=VALUE in the function's attributes; empty if it is not there.
  std::string attribute(const std::string &key) const;
  /// The type of the first result that holds floats, else f32.
  DLDataType elementType() const;

  /// The number of the argument whose next value the result is; -1 if it is none.
  int updatedArgument(size_t result) const { return static_cast<int>(bochnerGetUpdatedArgument(function, result)); }
  bool hasUpdates() const;
  /// Gives the results that are next values and their arguments the same memory, with the arguments' values. Returns
  /// its size.
  uint64_t shareUpdates(std::vector<Tensor> &arguments, std::vector<Tensor> &results) const;

  /// Uninitialized results for these arguments, in memory as the layout's files have them.
  std::vector<Tensor> createResults(const std::vector<Tensor> &arguments, Layout layout) const;
  bochner_cost_t cost(const std::vector<Tensor> &arguments) const;

private:
  static int find(const std::vector<const bochner_tensor_info_t *> &tensors, const std::string &name);
};

/// Tensors as the C interface wants them; they must stay where they are.
class TensorList {
public:
  explicit TensorList(const std::vector<Tensor> &tensors);
  DLTensor **data() { return pointers.data(); }
  size_t size() const { return pointers.size(); }

private:
  std::vector<DLTensor> views;
  std::vector<DLTensor *> pointers;
};

/// One call that can be repeated.
class Invocation {
public:
  Invocation(const Signature &signature, const std::vector<Tensor> &arguments, const std::vector<Tensor> &results,
             const bochner_simulation_options_t &simulation = {})
      : function(signature.function), arguments(arguments), results(results), simulation(simulation) {}
  /// `dumpFolder`: where the launches of devices sim and cuda are written; null: nowhere.
  void run(const char *dumpFolder = nullptr);

private:
  const bochner_function_t *function;
  TensorList arguments, results;
  bochner_simulation_options_t simulation;
};

/// Calls a function for device cuda once, with copies of the arguments on device 0 and of its results back.
void runOnCuda(const Signature &signature, const std::vector<Tensor> &arguments, std::vector<Tensor> &results,
               const char *dumpFolder);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_SIGNATURE_H
