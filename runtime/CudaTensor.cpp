//===- CudaTensor.cpp - tensors in device memory --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a program needs that has no allocator of its own: memory, and copies that are done when they return.
//
//===----------------------------------------------------------------------===//
#include "CudaDriver.h"
#include "LoadedModule.h"
#include "Tensor.h"
#include "TensorView.h"

#include <algorithm>

using namespace bochner;

namespace {
/// The structure that applications see, with all that belongs to it behind.
struct DeviceTensor {
  DLManagedTensorVersioned managed = {};
  const CudaDriver *driver = nullptr;
  std::vector<int64_t> dims; // sizes, then strides
  CudaPointer memory = 0;
};
} // namespace

static void deleteTensor(DLManagedTensorVersioned *managed) {
  auto *tensor = static_cast<DeviceTensor *>(managed->manager_ctx);
  if (tensor->memory) {
    CudaScope scope(*tensor->driver);
    if (!scope.enter(managed->dl_tensor.device.device_id))
      tensor->driver->MemFree(tensor->memory);
  }
  delete tensor;
}

static bool isDeviceMemory(const DLTensor &tensor) { return tensor.device.device_type == kDLCUDA; }

bochner_status_t *bochnerCreateDeviceTensor(DLDevice device, DLDataType dtype, int32_t rank, const int64_t *shape,
                                            DLManagedTensorVersioned **result) {
  return protect([&]() -> Status {
    if (!result)
      return invalidArgument("expected a pointer for the tensor, but got NULL");
    *result = nullptr;
    if (device.device_type != kDLCUDA)
      return invalidArgument("expected DLPack device type 2 (CUDA), but got ", int(device.device_type));
    if (dtype.lanes != 1 || !dtype.bits || dtype.bits % 8)
      return invalidArgument("expected an element type of whole bytes with one lane, but got ", toString(dtype));
    uint64_t elements;
    if (rank < 0 || rank > 64 || (rank && !shape) || !countElements(shape, rank, dtype.bits / 8, elements))
      return invalidArgument("expected a shape of at most 64 dimensions whose bytes stay within 63 bits");
    const CudaDriver *driver;
    if (Status status = CudaDriver::load(driver))
      return status;
    CudaScope scope(*driver);
    if (Status status = scope.enter(device.device_id))
      return status;
    auto tensor = std::make_unique<DeviceTensor>();
    tensor->driver = driver;
    tensor->dims.assign(shape, shape + rank);
    tensor->dims.resize(2 * size_t(rank));
    compactStrides(tensor->dims.data(), rank, tensor->dims.data() + rank);
    uint64_t bytes = elements * (dtype.bits / 8);
    if (bytes)
      if (CudaResult failure = driver->MemAlloc(&tensor->memory, bytes))
        return driver->error(failure, "cuMemAlloc", concat(bytes, " bytes for a tensor"));
    tensor->managed.version = {1, 0};
    tensor->managed.manager_ctx = tensor.get();
    tensor->managed.deleter = deleteTensor;
    tensor->managed.dl_tensor = {reinterpret_cast<void *>(uintptr_t(tensor->memory)),
                                 device,
                                 rank,
                                 dtype,
                                 tensor->dims.data(),
                                 tensor->dims.data() + rank,
                                 0};
    *result = &tensor.release()->managed;
    return {};
  });
}

static Status checkCompact(const char *what, const DLTensor *tensor, uint64_t &bytes) {
  if (!tensor || (tensor->ndim && !tensor->shape))
    return invalidArgument("expected a tensor to copy ", what, ", but got NULL");
  uint64_t elements;
  if (tensor->ndim < 0 || tensor->ndim > 64 || tensor->dtype.lanes != 1 || !tensor->dtype.bits ||
      tensor->dtype.bits % 8 || !countElements(tensor->shape, tensor->ndim, tensor->dtype.bits / 8, elements))
    return invalidArgument("expected a tensor to copy ", what, " whose bytes stay within 63 bits");
  int64_t strides[64];
  compactStrides(tensor->shape, tensor->ndim, strides);
  for (int32_t i = 0; elements && tensor->strides && i < tensor->ndim; ++i)
    if (tensor->shape[i] > 1 && tensor->strides[i] != strides[i])
      return invalidArgument("expected a compact tensor to copy ", what, ", but stride ", i, " is ", tensor->strides[i],
                             " instead of ", strides[i]);
  bytes = elements * (tensor->dtype.bits / 8);
  if (bytes && !tensor->data)
    return invalidArgument("expected data of the tensor to copy ", what, ", but got NULL");
  return {};
}

bochner_status_t *bochnerCopyTensor(const DLTensor *from, DLTensor *to, void *opaque) {
  return protect([&]() -> Status {
    uint64_t bytes, others;
    if (Status status = checkCompact("from", from, bytes))
      return status;
    if (Status status = checkCompact("to", to, others))
      return status;
    if (bytes != others || from->ndim != to->ndim || toString(from->dtype) != toString(to->dtype) ||
        !std::equal(from->shape, from->shape + from->ndim, to->shape))
      return invalidArgument("expected tensors of one type and shape to copy between");
    if (!isDeviceMemory(*from) && !isDeviceMemory(*to))
      return invalidArgument("expected a tensor in the memory of a CUDA device to copy from or to");
    const CudaDriver *driver;
    if (Status status = CudaDriver::load(driver))
      return status;
    CudaScope scope(*driver);
    if (Status status = scope.enter((isDeviceMemory(*to) ? to : from)->device.device_id))
      return status;
    if (!bytes)
      return {};
    auto *stream = static_cast<CudaStream>(opaque);
    const char *source = static_cast<const char *>(from->data) + from->byte_offset;
    char *target = static_cast<char *>(to->data) + to->byte_offset;
    auto address = [](const char *pointer) { return CudaPointer(reinterpret_cast<uintptr_t>(pointer)); };
    const char *name = "cuMemcpyDtoDAsync";
    CudaResult result;
    if (!isDeviceMemory(*from)) {
      name = "cuMemcpyHtoDAsync";
      result = driver->MemcpyHtoDAsync(address(target), source, bytes, stream);
    } else if (!isDeviceMemory(*to)) {
      name = "cuMemcpyDtoHAsync";
      result = driver->MemcpyDtoHAsync(target, address(source), bytes, stream);
    } else {
      result = driver->MemcpyDtoDAsync(address(target), address(source), bytes, stream);
    }
    if (result)
      return driver->error(result, name);
    // Kernels before the copy may have failed; the driver says so here.
    if ((result = driver->StreamSynchronize(stream)))
      return driver->error(result, "cuStreamSynchronize");
    return {};
  });
}
