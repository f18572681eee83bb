//===- Signature.cpp - a function as the runner sees it ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Thin wrappers of the queries and the call of bochner/bochner.h.
//
//===----------------------------------------------------------------------===//
#include "Signature.h"

namespace bochner::run {

Signature::Signature(const bochner_function_t *function) : function(function) {
  for (size_t i = 0, e = bochnerGetArgumentCount(function); i < e; ++i)
    arguments.push_back(bochnerGetArgument(function, i));
  for (size_t i = 0, e = bochnerGetResultCount(function); i < e; ++i)
    results.push_back(bochnerGetResult(function, i));
}

int Signature::find(const std::vector<const bochner_tensor_info_t *> &tensors, const std::string &name) {
  for (size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i]->name == name)
      return static_cast<int>(i);
  return -1;
}

std::string Signature::argumentNames() const {
  std::string names;
  for (const bochner_tensor_info_t *argument : arguments)
    names += concat(names.empty() ? "'" : ", '", argument->name, "'");
  return names.empty() ? "nothing" : names;
}

std::string Signature::attribute(const std::string &key) const {
  std::string_view text = bochnerGetFunctionAttributes(function);
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    if (word.size() > key.size() && word[key.size()] == '=' && word.substr(0, key.size()) == key)
      return std::string(word.substr(key.size() + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return "";
}

DLDataType Signature::elementType() const {
  for (const bochner_tensor_info_t *result : results)
    if (isFloat(result->dtype))
      return result->dtype;
  return kF32;
}

std::vector<Tensor> Signature::createResults(const std::vector<Tensor> &arguments, Layout layout) const {
  TensorList given(arguments);
  std::vector<Tensor> created;
  for (size_t i = 0; i < results.size(); ++i) {
    std::vector<int64_t> shape(results[i]->rank), fileShape(results[i]->rank);
    check(bochnerResolveResultShape(function, given.data(), given.size(), i, shape.data()));
    std::vector<int> axes = fileAxes(layout, results[i]->name, results[i]->rank);
    for (size_t axis = 0; axis < axes.size(); ++axis)
      fileShape[axes[axis]] = shape[axis];
    Tensor tensor = Tensor::create(results[i]->dtype, fileShape).permuted(axes);
    // Kernels write rows; an array whose last axis is elsewhere is permuted when it is written to the file.
    created.push_back(tensor.hasContiguousRows() ? tensor : Tensor::create(results[i]->dtype, shape));
  }
  return created;
}

bool Signature::hasUpdates() const {
  for (size_t i = 0; i < results.size(); ++i)
    if (updatedArgument(i) >= 0)
      return true;
  return false;
}

uint64_t Signature::shareUpdates(std::vector<Tensor> &arguments, std::vector<Tensor> &results) const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    int index = updatedArgument(i);
    if (index < 0 || arguments[index].shape != results[i].shape)
      continue;
    results[i] = arguments[index] = arguments[index].copy();
    bytes += static_cast<uint64_t>(results[i].elements()) * elementSize(results[i].type);
  }
  return bytes;
}

bochner_cost_t Signature::cost(const std::vector<Tensor> &arguments) const {
  TensorList given(arguments);
  bochner_cost_t cost = BOCHNER_COST_INIT;
  check(bochnerEstimateCost(function, given.data(), given.size(), &cost));
  return cost;
}

TensorList::TensorList(const std::vector<Tensor> &tensors) {
  for (const Tensor &tensor : tensors)
    views.push_back(tensor.view());
  for (DLTensor &view : views)
    pointers.push_back(&view);
}

void Invocation::run(const char *dumpFolder) {
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.simulation = simulation;
  options.dump_dir = dumpFolder;
  check(bochnerInvoke(function, arguments.data(), arguments.size(), results.data(), results.size(), &options));
}

} // namespace bochner::run
