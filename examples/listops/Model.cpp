//===- Model.cpp - the transformer, compiled -----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Model.h"
#include "Failure.h"
#include "File.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <unistd.h>

namespace listops {

void check(bochner_status_t *status) {
  if (!status)
    return;
  std::string message = bochnerGetStatusMessage(status);
  for (size_t i = 0; i < bochnerGetStatusDiagnosticCount(status); ++i) {
    const bochner_diagnostic_t *diagnostic = bochnerGetStatusDiagnostic(status, i);
    message += concat("\n  ", diagnostic->location, ": ", diagnostic->message);
  }
  bochnerDestroyStatus(status);
  throw Failure(message);
}

static size_t elementCount(const DLTensor &tensor) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor.ndim; ++i)
    count *= static_cast<size_t>(tensor.shape[i]);
  return count;
}
static size_t byteCount(const DLTensor &tensor) { return elementCount(tensor) * (tensor.dtype.bits / 8); }

static std::string typeName(DLDataType type) {
  return concat(type.code == kDLFloat ? "f" : type.code == kDLInt ? "i" : "other", int(type.bits));
}

namespace {
/// A tensor over memory of the program.
struct View {
  DLTensor tensor;
  std::vector<int64_t> shape;
  View(void *data, DLDataType type, std::vector<int64_t> sizes) : shape(std::move(sizes)) {
    tensor = {data, {kDLCPU, 0}, static_cast<int32_t>(shape.size()), type, shape.data(), nullptr, 0};
  }
  template <typename T> static DLDataType typeOf() {
    return {std::is_floating_point_v<T> ? uint8_t(kDLFloat) : uint8_t(kDLInt), 8 * sizeof(T), 1};
  }
  template <typename T>
  View(const std::vector<T> &values, std::vector<int64_t> sizes)
      : View(const_cast<T *>(values.data()), typeOf<T>(), std::move(sizes)) {}
  template <typename T> explicit View(T &scalar) : View(&scalar, typeOf<T>(), std::vector<int64_t>()) {}
};
} // namespace

Graph::Graph(bochner_context_t *context, const std::string &path, const std::string &text) {
  writeFile(path, text);
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.source_name = path.c_str();
  bochner_module_t *compiled = nullptr;
  check(bochnerCompile(context, text.data(), text.size(), &options, &compiled));
  module.reset(compiled);
  check(bochnerLookupFunction(compiled, nullptr, &callee));
}

void Graph::call(const Finder &argument, const Finder &result) const {
  std::vector<const DLTensor *> arguments(bochnerGetArgumentCount(callee));
  std::vector<DLTensor *> results(bochnerGetResultCount(callee));
  for (size_t i = 0; i < arguments.size(); ++i)
    arguments[i] = argument(*bochnerGetArgument(callee, i));
  for (size_t i = 0; i < results.size(); ++i) {
    int64_t updated = bochnerGetUpdatedArgument(callee, i);
    results[i] = updated >= 0 ? const_cast<DLTensor *>(arguments[static_cast<size_t>(updated)])
                              : result(*bochnerGetResult(callee, i));
  }
  check(bochnerInvoke(callee, arguments.data(), arguments.size(), results.data(), results.size(), nullptr));
}

//===----------------------------------------------------------------------===//
// The graphs
//===----------------------------------------------------------------------===//

static std::string findGenerator(const Options &options) {
  if (!options.generator.empty())
    return options.generator;
  char self[4096];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self);
  std::string beside = size > 0 ? std::string(self, static_cast<size_t>(size)) : "";
  beside = beside.substr(0, beside.rfind('/') + 1) + "bochner-gen";
  return access(beside.c_str(), X_OK) == 0 ? beside : "bochner-gen";
}

/// Where the number of features is free: few, since heads are narrow. Smoothed maps have a constant one besides.
static int64_t defaultFeatures(const std::string &map) {
  if (map == "gmm_rks" || map == "generator_rks" || map == "rff" || map == "gauss_rks" || map == "alacarte")
    return 65;
  if (map == "elu" || map == "relu" || map.compare(0, 8, "fastfood") == 0)
    return 0;
  return 64;
}

static std::vector<std::string> mapArguments(const Options &options) {
  std::vector<std::string> result{"--head-dim", std::to_string(options.headDim()), "--heads",
                                  std::to_string(options.heads)};
  if (options.isSoftmax()) {
    result.insert(result.end(), {"--attention", "softmax"});
    return result;
  }
  result.insert(result.end(), {"--map", options.map});
  if (int64_t features = options.features ? options.features : defaultFeatures(options.map))
    result.insert(result.end(), {"--features", std::to_string(features)});
  return result;
}

static std::vector<std::string> modelArguments(const Options &options) {
  std::vector<std::string> result = mapArguments(options);
  auto add = [&](const char *name, auto value) { result.insert(result.end(), {concat("--", name), concat(value)}); };
  add("model", "classifier");
  add("vocab", kVocabulary);
  add("max-length", options.maxLength);
  add("layers", options.layers);
  add("classes", kClasses);
  add("feed-forward", options.feedForward);
  result.insert(result.end(), {"--lengths", "--labels"});
  return result;
}

static bool hasRunningStatistics(const Options &options) { return options.map.compare(0, 9, "generator") == 0; }

Model::Model(const Options &options, const std::function<void(const std::string &)> &log) : options(options) {
  bochner_context_options_t contextOptions = BOCHNER_CONTEXT_OPTIONS_INIT;
  contextOptions.threads = static_cast<int32_t>(options.threads);
  bochner_context_t *made = nullptr;
  check(bochnerCreateContext(&contextOptions, &made));
  context.reset(made);

  auto build = [&](const char *name, std::vector<std::string> arguments) {
    auto start = std::chrono::steady_clock::now();
    arguments.insert(arguments.begin(), findGenerator(options));
    std::string text = outputOf(arguments, "give --bochner-gen FILE");
    auto graph = std::make_unique<Graph>(made, concat(options.out, "/", name, ".mlir"), text);
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    char line[80];
    std::snprintf(line, sizeof line, "%s.mlir compiled or found in the cache in %.1f s", name, seconds.count());
    log(line);
    if (hash.empty())
      hash = toHex(hashOf(text));
    return graph;
  };
  std::vector<std::string> arguments = modelArguments(options);
  if (hasRunningStatistics(options))
    arguments.push_back("--eval");
  std::vector<std::string> training = modelArguments(options);
  training.insert(training.end(), {"--train-step", "--weight-decay", concat(options.weightDecay)});
  if (options.clipNorm > 0)
    training.insert(training.end(), {"--clip-norm", concat(options.clipNorm)});
  if (options.dropout > 0)
    training.insert(training.end(), {"--dropout", concat(options.dropout)});
  trainStep = build("train", training);
  classifier = build("classifier", arguments);
  if (!options.isSoftmax()) {
    std::vector<std::string> map = mapArguments(options);
    map.insert(map.end(), {"--attention", "features"});
    if (hasRunningStatistics(options))
      map.push_back("--eval");
    featureMap = build("features", map);
    const bochner_tensor_info_t *out = bochnerGetResult(featureMap->function(), 0);
    featureWidth = out->shape[out->rank - 1];
  }
  fillArguments();
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static bool isInput(std::string_view name) {
  return name == "tokens" || name == "lengths" || name == "labels" || name == "learning_rate" || name == "key" ||
         name == "offset";
}

void Model::fillArguments() {
  const bochner_function_t *function = trainStep->function();
  for (size_t i = 0; i < bochnerGetArgumentCount(function); ++i) {
    const bochner_tensor_info_t *info = bochnerGetArgument(function, i);
    if (isInput(info->name))
      continue;
    DLManagedTensorVersioned *tensor = nullptr;
    check(bochnerCreateTensor(context.get(), info->dtype, info->rank, info->shape, &tensor));
    tensors[info->name].reset(tensor);
    std::string init = info->init;
    if (std::string_view(info->name) == "model_positions.weight")
      init = concat("normal(", options.positions, ")");
    check(bochnerFillTensor(init.c_str(), static_cast<uint64_t>(options.seed), info->name, &tensor->dl_tensor));
  }
  for (size_t i = 0; i < bochnerGetResultCount(function); ++i)
    if (int64_t argument = bochnerGetUpdatedArgument(function, i); argument >= 0)
      updated.push_back(bochnerGetArgument(function, static_cast<size_t>(argument))->name);
}

DLTensor *Model::find(const std::string &name) {
  auto found = tensors.find(name);
  if (found == tensors.end())
    fail("the graph has an argument '", name, "', which this program does not know; use the bochner-gen of one ",
         "installation with it");
  return &found->second->dl_tensor;
}

size_t Model::parameterCount() const {
  size_t count = 0;
  for (const auto &[name, tensor] : tensors)
    if (name.compare(0, 8, "moment1_") == 0)
      count += elementCount(tensor->dl_tensor);
  return count;
}

std::vector<SavedTensor> Model::save() const {
  std::vector<SavedTensor> saved;
  for (const std::string &name : updated) {
    const DLTensor &tensor = tensors.at(name)->dl_tensor;
    saved.push_back({name, typeName(tensor.dtype), std::vector<int64_t>(tensor.shape, tensor.shape + tensor.ndim),
                     std::string(static_cast<const char *>(tensor.data), byteCount(tensor))});
  }
  return saved;
}

void Model::restore(const std::vector<SavedTensor> &saved, const std::string &path) {
  if (saved.size() != updated.size())
    fail("expected ", updated.size(), " tensors in the checkpoint '", path, "', but got ", saved.size(),
         "; it is of another model, so start a new run with another --out");
  for (const SavedTensor &from : saved) {
    auto found = tensors.find(from.name);
    if (found == tensors.end())
      fail("the checkpoint '", path, "' has a tensor '", from.name,
           "', which the model does not have; start a new run ", "with another --out");
    DLTensor &to = found->second->dl_tensor;
    if (typeName(to.dtype) != from.type || std::vector<int64_t>(to.shape, to.shape + to.ndim) != from.shape ||
        byteCount(to) != from.bytes.size())
      fail("expected '", from.name, "' of the checkpoint '", path, "' to have the type and shape that it has in the ",
           "model, but they differ; start a new run with another --out");
    std::memcpy(to.data, from.bytes.data(), from.bytes.size());
  }
}

std::string Model::stateHash() const {
  uint64_t hash = hashOf("");
  for (const SavedTensor &tensor : save())
    hash = hashOf(tensor.bytes, hashOf(tensor.name, hash));
  return toHex(hash);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

void Model::train(const Batch &batch, int64_t step, Meter &meter) {
  View tokens(batch.tokens, {batch.size, batch.length}), lengths(batch.lengths, {batch.size}),
      labels(batch.labels, {batch.size});
  auto rate = static_cast<float>(options.learningRateAt(step));
  int64_t key = options.seed, offset = step << 32, correct = 0; // other dropout in each step
  float loss = 0;
  View rateView(rate), keyView(key), offsetView(offset), lossView(loss), correctView(correct);
  trainStep->call(
      [&](const bochner_tensor_info_t &info) {
        std::string_view name = info.name;
        return name == "tokens"          ? &tokens.tensor
               : name == "lengths"       ? &lengths.tensor
               : name == "labels"        ? &labels.tensor
               : name == "learning_rate" ? &rateView.tensor
               : name == "key"           ? &keyView.tensor
               : name == "offset"        ? &offsetView.tensor
                                         : find(info.name);
      },
      [&](const bochner_tensor_info_t &info) {
        return std::string_view(info.name) == "loss" ? &lossView.tensor : &correctView.tensor;
      });
  if (!std::isfinite(loss))
    fail("the loss of step ", step + 1, " is ", loss, "; start again with a smaller --learning-rate or a --clip-norm");
  meter.add(loss, correct, batch.size);
}

Meter Model::evaluate(const std::vector<Batch> &batches) {
  Meter meter;
  std::vector<float> logits;
  for (const Batch &batch : batches) {
    View tokens(batch.tokens, {batch.size, batch.length}), lengths(batch.lengths, {batch.size}),
        labels(batch.labels, {batch.size});
    float loss = 0;
    int64_t correct = 0;
    logits.resize(static_cast<size_t>(batch.size * kClasses));
    View logitsView(logits, {batch.size, kClasses}), lossView(loss), correctView(correct);
    classifier->call(
        [&](const bochner_tensor_info_t &info) {
          std::string_view name = info.name;
          return name == "tokens"    ? &tokens.tensor
                 : name == "lengths" ? &lengths.tensor
                 : name == "labels"  ? &labels.tensor
                                     : find(info.name);
        },
        [&](const bochner_tensor_info_t &info) {
          std::string_view name = info.name;
          return name == "logits" ? &logitsView.tensor : name == "loss" ? &lossView.tensor : &correctView.tensor;
        });
    meter.add(loss, correct, batch.size);
  }
  return meter;
}

std::vector<float> Model::features(int64_t layer, const std::vector<float> &points, int64_t count,
                                   int64_t &components) {
  View q(points, {1, options.heads, count, options.headDim()});
  std::string prefix = concat("layer", layer, "_");
  const bochner_tensor_info_t *info = bochnerGetResult(featureMap->function(), 0);
  components = info->rank == 5 ? info->shape[1] : 1;
  std::vector<float> out(static_cast<size_t>(components * options.heads * count * featureWidth));
  std::vector<int64_t> shape{1, options.heads, count, featureWidth};
  if (info->rank == 5)
    shape.insert(shape.begin() + 1, components);
  View outView(out, shape);
  featureMap->call(
      [&](const bochner_tensor_info_t &info) {
        return std::string_view(info.name) == "q" ? &q.tensor : find(prefix + info.name);
      },
      [&](const bochner_tensor_info_t &) { return &outView.tensor; });
  return out;
}

} // namespace listops
