//===- CudaDriver.h - the driver of NVIDIA GPUs -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libcuda.so.1, loaded when a device is first asked for, and the few declarations of its C interface that the runtime
// needs: neither the toolkit nor its headers take part in a build.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CUDADRIVER_H
#define BOCHNER_RUNTIME_CUDADRIVER_H

#include "Status.h"

#include <cstdint>
#include <map>
#include <mutex>

namespace bochner {

using CudaResult = int;
using CudaDevice = int;
using CudaPointer = unsigned long long;
using CudaContext = struct CUctx_st *;
using CudaModule = struct CUmod_st *;
using CudaFunction = struct CUfunc_st *;
using CudaStream = struct CUstream_st *;

/// Values of cuda.h.
namespace cuda {
constexpr CudaResult kOutOfMemory = 2, kNoDevice = 100, kInvalidDevice = 101, kNotInitialized = 3, kDeinitialized = 4;
constexpr CudaResult kStubLibrary = 34, kSystemNotReady = 802, kSystemDriverMismatch = 803;
constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76, kMaxSharedBytesOptIn = 97,
              kMemoryPoolsSupported = 115;
constexpr int kFunctionSharedBytes = 1, kFunctionMaxDynamicSharedBytes = 8;
constexpr int kJitErrorLog = 5, kJitErrorLogSize = 6;
/// Beyond this, a kernel has to opt in to dynamic shared memory.
constexpr uint32_t kSharedBytesWithoutOptIn = 48 * 1024;
} // namespace cuda

class CudaDriver {
public:
  /// Loads and initializes the driver, once. Errors: UNAVAILABLE.
  static Status load(const CudaDriver *&driver);

  /// A status for a call that failed, with the driver's name of the error. OUT_OF_MEMORY, UNAVAILABLE or DEVICE_ERROR.
  Status error(CudaResult result, const char *call, const std::string &detail = "") const;
  std::string nameOf(CudaResult result) const;

  /// The device's primary context, which the process then keeps.
  Status primaryContext(int32_t device, CudaContext &context) const;
  /// Identifies a context, whose address another one may take after it is gone.
  uint64_t identify(CudaContext context) const;

  // The driver's functions without the prefix cu. The last ones may be missing from old drivers.
  CudaResult (*Init)(unsigned);
  CudaResult (*CtxGetCurrent)(CudaContext *);
  CudaResult (*CtxPushCurrent)(CudaContext);
  CudaResult (*CtxPopCurrent)(CudaContext *);
  CudaResult (*CtxGetDevice)(CudaDevice *);
  CudaResult (*DeviceGet)(CudaDevice *, int);
  CudaResult (*DeviceGetCount)(int *);
  CudaResult (*DeviceGetAttribute)(int *, int, CudaDevice);
  CudaResult (*DevicePrimaryCtxRetain)(CudaContext *, CudaDevice);
  CudaResult (*ModuleLoadDataEx)(CudaModule *, const void *, unsigned, int *, void **);
  CudaResult (*ModuleUnload)(CudaModule);
  CudaResult (*ModuleGetFunction)(CudaFunction *, CudaModule, const char *);
  CudaResult (*FuncGetAttribute)(int *, int, CudaFunction);
  CudaResult (*FuncSetAttribute)(CudaFunction, int, int);
  CudaResult (*LaunchKernel)(CudaFunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                             CudaStream, void **, void **);
  CudaResult (*StreamIsCapturing)(CudaStream, int *);
  CudaResult (*StreamSynchronize)(CudaStream);
  CudaResult (*MemAlloc)(CudaPointer *, size_t);
  CudaResult (*MemFree)(CudaPointer);
  CudaResult (*MemAllocAsync)(CudaPointer *, size_t, CudaStream);
  CudaResult (*MemFreeAsync)(CudaPointer, CudaStream);
  CudaResult (*MemcpyHtoDAsync)(CudaPointer, const void *, size_t, CudaStream);
  CudaResult (*MemcpyDtoHAsync)(void *, CudaPointer, size_t, CudaStream);
  CudaResult (*MemcpyDtoDAsync)(CudaPointer, CudaPointer, size_t, CudaStream);
  CudaResult (*GetErrorName)(CudaResult, const char **);
  CudaResult (*GetErrorString)(CudaResult, const char **);
  CudaResult (*CtxGetId)(CudaContext, unsigned long long *);

private:
  Status open();

  mutable std::mutex mutex;
  mutable std::map<int32_t, CudaContext> primaries;
};

/// Makes the context that a device is to be used in the calling thread's for a scope: the current one if it is of that
/// device, else the primary one.
class CudaScope {
public:
  explicit CudaScope(const CudaDriver &driver) : driver(driver) {}
  ~CudaScope();
  CudaScope(const CudaScope &) = delete;
  CudaScope &operator=(const CudaScope &) = delete;

  Status enter(int32_t device);
  Status enter(CudaContext given);
  CudaContext context() const { return entered; }

private:
  const CudaDriver &driver;
  CudaContext entered = nullptr;
  bool pushed = false;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_CUDADRIVER_H
