//===- CudaModules.h - kernels of a module on devices -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CUDAMODULES_H
#define BOCHNER_RUNTIME_CUDAMODULES_H

#include "CudaDriver.h"
#include "CudaKernel.h"

namespace bochner {

/// The images that a device may run, best first: machine code for exactly this chip, for the nearest earlier one of
/// the same major version, then PTX.
std::vector<const bochner_cuda_image_t *> rankImages(const bochner_cuda_kernel_t &kernel, int major, int minor);
/// "cubin for sm_80" or "PTX for sm_80".
std::string describe(const bochner_cuda_image_t &image);

/// Loaded kernels by context. Thread-safe: threads that need the same kernel wait for one of them to load it.
class CudaModules {
public:
  CudaModules() = default;
  ~CudaModules();
  CudaModules(const CudaModules &) = delete;
  CudaModules &operator=(const CudaModules &) = delete;

  struct Loaded {
    CudaModule module = nullptr;
    CudaFunction function = nullptr;
    const bochner_cuda_image_t *image = nullptr;
    uint32_t sharedLimit = 0;    ///< dynamic bytes that the device can give
    uint32_t dynamicAllowed = 0; ///< dynamic bytes that the function has been allowed so far
  };

  /// The kernel in the current context, with `sharedBytes` of dynamic memory allowed. If it is not loaded yet and
  /// `mayLoad` is false, INVALID_ARGUMENT. Images that the driver refuses are passed over; if it refuses all, the
  /// status says why.
  Status find(const CudaDriver &driver, CudaContext context, const bochner_cuda_kernel_t &kernel, uint32_t sharedBytes,
              bool mayLoad, CudaFunction &function);
  /// What was loaded for a kernel in a context; null if nothing was. For the log and for tests.
  const bochner_cuda_image_t *imageOf(const CudaDriver &driver, CudaContext context,
                                      const bochner_cuda_kernel_t &kernel);

private:
  struct Key {
    uint64_t context;
    const bochner_cuda_kernel_t *kernel;
    bool operator<(const Key &other) const {
      return context != other.context ? context < other.context : kernel < other.kernel;
    }
  };
  struct Entry {
    CudaContext context;
    Loaded loaded;
  };
  Status load(const bochner_cuda_kernel_t &kernel, Loaded &loaded) const;
  Status allowShared(const bochner_cuda_kernel_t &kernel, uint32_t bytes, Loaded &loaded) const;

  std::mutex mutex;
  const CudaDriver *driver = nullptr;
  std::map<Key, Entry> entries;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_CUDAMODULES_H
