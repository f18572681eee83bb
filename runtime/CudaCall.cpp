//===- CudaCall.cpp - kernels of one call on the device cuda --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stream under capture records what is called; allocating, loading and waiting would end the capture or put calls
// into the graph that do not belong there. All of it is refused with what to do before the capture.
//
//===----------------------------------------------------------------------===//
#include "CudaCall.h"

using namespace bochner;

Status CudaCall::begin(int32_t device, void *given, size_t givenSize, uint64_t needed) {
  if (Status failure = scope.enter(device))
    return failure;
  int state = 0;
  if (CudaResult result = driver.StreamIsCapturing(stream, &state))
    return driver.error(result, "cuStreamIsCapturing");
  capturing = state != 0;
  memory = reinterpret_cast<uintptr_t>(given);
  if (given) {
    if (memory % Allocator::kAlignment)
      return invalidArgument("expected the workspace to be aligned to ", Allocator::kAlignment, " bytes");
    if (givenSize < needed)
      return invalidArgument("expected at least ", needed, " bytes of workspace, but got ", givenSize);
    return {};
  }
  if (!needed)
    return {};
  if (capturing)
    return invalidArgument("expected ", needed, " bytes of workspace in device memory for a call on a stream that is ",
                           "being captured, where nothing is allocated; allocate it before the capture and pass it as "
                           "'workspace' of the options");
  CudaDevice handle;
  int supported = 0;
  if (CudaResult result = driver.CtxGetDevice(&handle))
    return driver.error(result, "cuCtxGetDevice");
  if (CudaResult result = driver.DeviceGetAttribute(&supported, cuda::kMemoryPoolsSupported, handle))
    return driver.error(result, "cuDeviceGetAttribute");
  if (!supported)
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected a device with stream-ordered allocation, which this one lacks; pass ", needed,
                         " bytes of device memory as 'workspace' of the options"));
  if (CudaResult result = driver.MemAllocAsync(&memory, needed, stream)) {
    memory = 0;
    return driver.error(result, "cuMemAllocAsync", concat(needed, " bytes of workspace"));
  }
  allocated = true;
  return {};
}

CudaCall::~CudaCall() {
  if (allocated)
    driver.MemFreeAsync(memory, stream);
}

Status CudaCall::tryLaunch(const format::Launch &given) {
  const auto &kernel = *static_cast<const bochner_cuda_kernel_t *>(given.kernel);
  for (int i = 0; i < 3; ++i)
    if (given.grid[i] < 0 || given.grid[i] > (i ? 65535 : INT32_MAX))
      return invalidArgument("expected dimension ", i, " of the grid of kernel '", kernel.name, "' to be at most ",
                             i ? 65535 : INT32_MAX, " blocks, but got ", given.grid[i], "; use smaller batches");
  if (!given.grid[0] || !given.grid[1] || !given.grid[2])
    return {};
  CudaFunction function = nullptr;
  if (Status failure = modules.find(driver, scope.context(), kernel, given.sharedBytes, !capturing, function))
    return failure;
  if (CudaResult result = driver.LaunchKernel(
          function, unsigned(given.grid[0]), unsigned(given.grid[1]), unsigned(given.grid[2]), given.block[0],
          given.block[1], given.block[2], given.sharedBytes, stream, const_cast<void **>(given.parameters), nullptr))
    return driver.error(result, "cuLaunchKernel", concat("kernel '", kernel.name, "'"));
  if (dump)
    dump->addLaunch(kernel.name, given, kernel.parameter_sizes, kernel.parameter_count);
  return {};
}

void CudaCall::launch(const format::Launch &given) {
  if (status)
    return;
  try {
    status = tryLaunch(given);
  } catch (...) { // compiled code, on the stack, knows no exceptions
    status = Status(statusOfCurrentException());
  }
}
