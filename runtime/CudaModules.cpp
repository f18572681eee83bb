//===- CudaModules.cpp - kernels of a module on devices -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaModules.h"

#include <algorithm>

using namespace bochner;

std::string bochner::describe(const bochner_cuda_image_t &image) {
  return concat(image.is_ptx ? "PTX" : "cubin", " for sm_", image.capability, image.is_exact ? "a" : "");
}

std::vector<const bochner_cuda_image_t *> bochner::rankImages(const bochner_cuda_kernel_t &kernel, int major,
                                                              int minor) {
  uint32_t capability = uint32_t(major * 10 + minor);
  std::vector<const bochner_cuda_image_t *> fitting;
  for (uint32_t i = 0; i < kernel.image_count; ++i) {
    const bochner_cuda_image_t &image = kernel.images[i];
    bool fits = image.is_exact ? image.capability == capability
                : image.is_ptx ? image.capability <= capability
                               : image.capability / 10 == uint32_t(major) && image.capability <= capability;
    if (fits)
      fitting.push_back(&image);
  }
  auto rank = [](const bochner_cuda_image_t *image) {
    return (image->is_ptx ? 0 : 10000) + 2 * image->capability + image->is_exact;
  };
  std::sort(fitting.begin(), fitting.end(), [&](auto *a, auto *b) { return rank(a) > rank(b); });
  return fitting;
}

CudaModules::~CudaModules() {
  for (auto &[key, entry] : entries) {
    // A context that is gone took its modules along, and another one may have its address.
    if (driver->identify(entry.context) != key.context)
      continue;
    CudaScope scope(*driver);
    if (!scope.enter(entry.context))
      driver->ModuleUnload(entry.loaded.module);
  }
}

Status CudaModules::load(const bochner_cuda_kernel_t &kernel, Loaded &loaded) const {
  CudaDevice device;
  int major = 0, minor = 0, shared = 0;
  if (CudaResult result = driver->CtxGetDevice(&device))
    return driver->error(result, "cuCtxGetDevice");
  const struct {
    int *value, attribute;
  } queries[] = {{&major, cuda::kComputeCapabilityMajor},
                 {&minor, cuda::kComputeCapabilityMinor},
                 {&shared, cuda::kMaxSharedBytesOptIn}};
  for (const auto &query : queries)
    if (CudaResult result = driver->DeviceGetAttribute(query.value, query.attribute, device))
      return driver->error(result, "cuDeviceGetAttribute");

  Diagnostics refusals;
  CudaResult last = 0;
  for (const bochner_cuda_image_t *image : rankImages(kernel, major, minor)) {
    char log[2048] = "";
    int options[] = {cuda::kJitErrorLog, cuda::kJitErrorLogSize};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log - 1)};
    last = driver->ModuleLoadDataEx(&loaded.module, image->data, 2, options, values);
    if (!last) {
      loaded.image = image;
      break;
    }
    loaded.module = nullptr;
    std::string text = concat(describe(*image), " refused: ", driver->nameOf(last), *log ? ": " : "", log);
    refusals.push_back(std::make_unique<Diagnostic>(BOCHNER_SEVERITY_NOTE, "", text.c_str()));
    if (last == cuda::kOutOfMemory)
      break;
  }
  if (!loaded.module && refusals.empty()) {
    std::string has;
    for (uint32_t i = 0; i < kernel.image_count; ++i)
      has += concat(i ? ", " : "", describe(kernel.images[i]));
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected a GPU that kernel '", kernel.name, "' has code for (", has,
                         "), but the device has compute capability ", major, '.', minor, "; compile for its chip"));
  }
  if (!loaded.module) {
    std::string reason = refusals.back()->message;
    Status status = driver->error(last, "cuModuleLoadDataEx", concat("kernel '", kernel.name, "', ", reason));
    status->diagnostics = std::move(refusals);
    return status;
  }
  auto fail = [&](CudaResult result, const char *call) {
    driver->ModuleUnload(loaded.module);
    return driver->error(result, call, concat("kernel '", kernel.name, "'"));
  };
  if (CudaResult result = driver->ModuleGetFunction(&loaded.function, loaded.module, kernel.name))
    return fail(result, "cuModuleGetFunction");
  int fixed = 0;
  if (CudaResult result = driver->FuncGetAttribute(&fixed, cuda::kFunctionSharedBytes, loaded.function))
    return fail(result, "cuFuncGetAttribute");
  loaded.sharedLimit = uint32_t(std::max(shared - fixed, 0));
  loaded.dynamicAllowed = cuda::kSharedBytesWithoutOptIn - uint32_t(std::min<int>(fixed, 48 * 1024));
  return {};
}

Status CudaModules::allowShared(const bochner_cuda_kernel_t &kernel, uint32_t bytes, Loaded &loaded) const {
  if (bytes <= loaded.dynamicAllowed)
    return {};
  if (bytes > loaded.sharedLimit)
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("kernel '", kernel.name, "' needs ", bytes, " bytes of shared memory, but the device gives ",
                         loaded.sharedLimit, "; compile for its chip"));
  if (CudaResult result = driver->FuncSetAttribute(loaded.function, cuda::kFunctionMaxDynamicSharedBytes, int(bytes)))
    return driver->error(result, "cuFuncSetAttribute",
                         concat("kernel '", kernel.name, "', ", bytes, " bytes of shared memory"));
  loaded.dynamicAllowed = bytes;
  return {};
}

Status CudaModules::find(const CudaDriver &given, CudaContext context, const bochner_cuda_kernel_t &kernel,
                         uint32_t sharedBytes, bool mayLoad, CudaFunction &function) {
  Key key{given.identify(context), &kernel};
  std::lock_guard<std::mutex> lock(mutex);
  driver = &given;
  auto found = entries.find(key);
  bool ready = found != entries.end() && sharedBytes <= found->second.loaded.dynamicAllowed;
  if (!ready && !mayLoad)
    return invalidArgument("expected kernel '", kernel.name,
                           "' to be loaded before a stream is captured; call the function once with tensors of these "
                           "shapes before the capture");
  if (kernel.version != BOCHNER_CUDA_KERNEL_VERSION)
    return Status(BOCHNER_STATUS_INVALID_MODULE, concat("expected kernel '", kernel.name, "' to have version ",
                                                        BOCHNER_CUDA_KERNEL_VERSION, ", but got ", kernel.version));
  if (found == entries.end()) {
    Loaded loaded;
    if (Status status = load(kernel, loaded))
      return status;
    found = entries.insert({key, {context, loaded}}).first;
  }
  if (Status status = allowShared(kernel, sharedBytes, found->second.loaded))
    return status;
  function = found->second.loaded.function;
  return {};
}
