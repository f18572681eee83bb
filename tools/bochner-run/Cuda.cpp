//===- Cuda.cpp - calls of functions for device cuda ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Signature.h"

#include <cstring>

namespace bochner::run {

namespace {
struct ManagedDeleter {
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using DeviceTensor = std::unique_ptr<DLManagedTensorVersioned, ManagedDeleter>;

DeviceTensor createOnDevice(const Tensor &host) {
  DLManagedTensorVersioned *created;
  check(bochnerCreateDeviceTensor(DLDevice{kDLCUDA, 0}, host.type, host.rank(), host.shape.data(), &created));
  return DeviceTensor(created);
}

/// Row by row, for results that are views of what is written to a file.
void copyRows(const Tensor &compact, const Tensor &to) {
  size_t bytes = elementSize(to.type) * static_cast<size_t>(to.shape.empty() ? 1 : to.shape.back());
  const char *from = static_cast<const char *>(compact.data);
  forEachRow(to, [&](const char *row) {
    std::memcpy(const_cast<char *>(row), from, bytes);
    from += bytes;
  });
}
} // namespace

void runOnCuda(const Signature &signature, const std::vector<Tensor> &arguments, std::vector<Tensor> &results,
               const char *dumpFolder) {
  std::vector<DeviceTensor> owned;
  std::vector<DLTensor *> given, written;
  for (const Tensor &argument : arguments) {
    Tensor host = argument.compact();
    DLTensor view = host.view();
    given.push_back(&owned.emplace_back(createOnDevice(host))->dl_tensor);
    check(bochnerCopyTensor(&view, given.back(), nullptr));
  }
  for (const Tensor &result : results)
    written.push_back(&owned.emplace_back(createOnDevice(result))->dl_tensor);
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.dump_dir = dumpFolder;
  check(bochnerInvoke(signature.function, given.data(), given.size(), written.data(), written.size(), &options));
  for (size_t i = 0; i < results.size(); ++i) {
    Tensor host = Tensor::create(results[i].type, results[i].shape);
    DLTensor view = host.view();
    check(bochnerCopyTensor(written[i], &view, nullptr));
    copyRows(host, results[i]);
  }
}

} // namespace bochner::run
