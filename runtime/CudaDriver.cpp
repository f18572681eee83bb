//===- CudaDriver.cpp - the driver of NVIDIA GPUs -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaDriver.h"

#include <cstring>
#include <dlfcn.h>

using namespace bochner;

static constexpr const char *kLibrary = "libcuda.so.1";

Status CudaDriver::load(const CudaDriver *&driver) {
  static std::mutex mutex;
  static const CudaDriver *loaded = nullptr; // as long as the process lives; the driver may go first at exit
  std::lock_guard<std::mutex> lock(mutex);
  if (!loaded) {
    auto fresh = std::make_unique<CudaDriver>();
    if (Status status = fresh->open())
      return status;
    loaded = fresh.release();
  }
  driver = loaded;
  return {};
}

Status CudaDriver::open() {
  void *library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected a driver for NVIDIA GPUs, but ", kLibrary, " could not be loaded (",
                         reason ? reason : "no reason given", "); install the driver, or use device cpu or sim"));
  }
  // The names of cuda.h are macros for these.
  const struct {
    const char *name;
    void *entry;
    bool optional;
  } table[] = {
      {"cuInit", &Init, false},
      {"cuCtxGetCurrent", &CtxGetCurrent, false},
      {"cuCtxPushCurrent_v2", &CtxPushCurrent, false},
      {"cuCtxPopCurrent_v2", &CtxPopCurrent, false},
      {"cuCtxGetDevice", &CtxGetDevice, false},
      {"cuDeviceGet", &DeviceGet, false},
      {"cuDeviceGetCount", &DeviceGetCount, false},
      {"cuDeviceGetAttribute", &DeviceGetAttribute, false},
      {"cuDevicePrimaryCtxRetain", &DevicePrimaryCtxRetain, false},
      {"cuModuleLoadDataEx", &ModuleLoadDataEx, false},
      {"cuModuleUnload", &ModuleUnload, false},
      {"cuModuleGetFunction", &ModuleGetFunction, false},
      {"cuFuncGetAttribute", &FuncGetAttribute, false},
      {"cuFuncSetAttribute", &FuncSetAttribute, false},
      {"cuLaunchKernel", &LaunchKernel, false},
      {"cuStreamIsCapturing", &StreamIsCapturing, false},
      {"cuStreamSynchronize", &StreamSynchronize, false},
      {"cuMemAlloc_v2", &MemAlloc, false},
      {"cuMemFree_v2", &MemFree, false},
      {"cuMemAllocAsync", &MemAllocAsync, false},
      {"cuMemFreeAsync", &MemFreeAsync, false},
      {"cuMemcpyHtoDAsync_v2", &MemcpyHtoDAsync, false},
      {"cuMemcpyDtoHAsync_v2", &MemcpyDtoHAsync, false},
      {"cuMemcpyDtoDAsync_v2", &MemcpyDtoDAsync, false},
      {"cuGetErrorName", &GetErrorName, false},
      {"cuGetErrorString", &GetErrorString, false},
      {"cuCtxGetId", &CtxGetId, true}, // CUDA 12.0
  };
  Status status;
  for (const auto &row : table) {
    void *symbol = dlsym(library, row.name);
    memcpy(row.entry, &symbol, sizeof symbol);
    if (!symbol && !row.optional)
      status = Status(BOCHNER_STATUS_UNAVAILABLE, concat("expected a driver of CUDA 11.2 or later, but ", kLibrary,
                                                         " has no function ", row.name, "; install a newer driver"));
  }
  if (!status)
    if (CudaResult result = Init(0))
      status = Status(BOCHNER_STATUS_UNAVAILABLE, concat("expected an NVIDIA GPU that can be used, but cuInit failed: ",
                                                         nameOf(result), "; use device cpu or sim"));
  if (status)
    dlclose(library);
  return status;
}

std::string CudaDriver::nameOf(CudaResult result) const {
  const char *name = nullptr, *text = nullptr;
  if (GetErrorName(result, &name) || !name)
    return concat("error ", result);
  return GetErrorString(result, &text) || !text ? name : concat(name, " (", text, ")");
}

Status CudaDriver::error(CudaResult result, const char *call, const std::string &detail) const {
  bochner_status_code_t code = BOCHNER_STATUS_DEVICE_ERROR;
  if (result == cuda::kOutOfMemory)
    code = BOCHNER_STATUS_OUT_OF_MEMORY;
  else if (result == cuda::kNoDevice || result == cuda::kInvalidDevice || result == cuda::kStubLibrary ||
           result == cuda::kSystemNotReady || result == cuda::kSystemDriverMismatch)
    code = BOCHNER_STATUS_UNAVAILABLE;
  return Status(code, concat(call, " failed: ", nameOf(result), detail.empty() ? "" : ": ", detail));
}

Status CudaDriver::primaryContext(int32_t device, CudaContext &context) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto [entry, isNew] = primaries.insert({device, nullptr});
  if (isNew) {
    CudaDevice handle;
    CudaResult result = DeviceGet(&handle, device);
    Status status = result ? error(result, "cuDeviceGet", concat("device ", device)) : Status();
    if (!status && (result = DevicePrimaryCtxRetain(&entry->second, handle)))
      status = error(result, "cuDevicePrimaryCtxRetain");
    if (status) {
      primaries.erase(entry);
      return status;
    }
  }
  context = entry->second;
  return {};
}

uint64_t CudaDriver::identify(CudaContext context) const {
  unsigned long long id = 0;
  if (CtxGetId && !CtxGetId(context, &id))
    return id;
  return reinterpret_cast<uintptr_t>(context);
}

Status CudaScope::enter(int32_t device) {
  CudaContext current = nullptr;
  if (CudaResult result = driver.CtxGetCurrent(&current))
    return driver.error(result, "cuCtxGetCurrent");
  if (current) {
    CudaDevice own, wanted;
    if (CudaResult result = driver.CtxGetDevice(&own))
      return driver.error(result, "cuCtxGetDevice");
    if (CudaResult result = driver.DeviceGet(&wanted, device))
      return driver.error(result, "cuDeviceGet", concat("device ", device));
    if (own == wanted) {
      entered = current;
      return {};
    }
  }
  CudaContext primary = nullptr;
  if (Status status = driver.primaryContext(device, primary))
    return status;
  return enter(primary);
}

Status CudaScope::enter(CudaContext given) {
  if (CudaResult result = driver.CtxPushCurrent(given))
    return driver.error(result, "cuCtxPushCurrent");
  entered = given;
  pushed = true;
  return {};
}

CudaScope::~CudaScope() {
  CudaContext popped;
  if (pushed)
    driver.CtxPopCurrent(&popped);
}
