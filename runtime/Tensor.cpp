//===- Tensor.cpp - tensors that the runtime makes ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Creation, and the views of managed tensors of other libraries.
//
//===----------------------------------------------------------------------===//
#include "Tensor.h"

#include "Context.h"
#include "TensorView.h"

#include <algorithm>

using namespace bochner;

namespace {
/// The structure that applications see, with all that belongs to it behind.
struct TensorStorage {
  DLManagedTensorVersioned managed = {};
  std::shared_ptr<Allocator> allocator;
  std::vector<int64_t> dims; // sizes, then strides
  uint64_t bytes = 0;
};
} // namespace

static void deleteTensor(DLManagedTensorVersioned *managed) {
  auto *storage = static_cast<TensorStorage *>(managed->manager_ctx);
  storage->allocator->release(managed->dl_tensor.data, storage->bytes);
  delete storage;
}

Status bochner::createTensor(const std::shared_ptr<Allocator> &allocator, DLDataType type, int32_t rank,
                             const int64_t *shape, OwnedTensor &tensor) {
  if (type.lanes != 1 || !type.bits || type.bits % 8)
    return invalidArgument("expected an element type of whole bytes with one lane, but got ", toString(type));
  if (rank < 0 || rank > 64 || (rank && !shape))
    return invalidArgument("expected a shape of at most 64 dimensions, but got ", rank);
  uint64_t elements;
  if (!countElements(shape, rank, type.bits / 8, elements))
    return invalidArgument("expected a shape whose sizes are at least 0 and whose bytes stay within 63 bits");

  auto storage = std::make_unique<TensorStorage>();
  storage->allocator = allocator;
  storage->dims.assign(shape, shape + rank);
  storage->dims.resize(2 * size_t(rank));
  storage->bytes = elements * (type.bits / 8);
  compactStrides(storage->dims.data(), rank, storage->dims.data() + rank);
  void *data = allocator->allocate(storage->bytes);
  if (!data)
    return Status(BOCHNER_STATUS_OUT_OF_MEMORY,
                  concat("expected ", storage->bytes, " bytes for a tensor, but there is no memory"));

  DLManagedTensorVersioned &managed = storage->managed;
  managed.version = {1, 0}; // uses nothing of later minor versions
  managed.manager_ctx = storage.get();
  managed.deleter = deleteTensor;
  managed.dl_tensor = {data, {kDLCPU, 0}, rank, type, storage->dims.data(), storage->dims.data() + rank, 0};
  tensor.reset(&storage.release()->managed);
  return {};
}

bochner_status_t *bochnerCreateTensor(bochner_context_t *context, DLDataType dtype, int32_t rank, const int64_t *shape,
                                      DLManagedTensorVersioned **tensor) {
  return protect([&]() -> Status {
    if (!tensor)
      return invalidArgument("expected a pointer for the tensor, but got NULL");
    *tensor = nullptr;
    if (!context)
      return invalidArgument("expected a context, but got NULL");
    OwnedTensor owned;
    if (Status status = createTensor(context->impl->allocator, dtype, rank, shape, owned))
      return status;
    *tensor = owned.release();
    return {};
  });
}

DLTensor *bochnerBorrowTensor(DLManagedTensor *managed) { return managed ? &managed->dl_tensor : nullptr; }

bochner_status_t *bochnerBorrowVersionedTensor(DLManagedTensorVersioned *managed, int writable, DLTensor **tensor) {
  return protect([&]() -> Status {
    if (!tensor)
      return invalidArgument("expected a pointer for the tensor, but got NULL");
    *tensor = nullptr;
    if (!managed)
      return invalidArgument("expected a managed tensor, but got NULL");
    if (managed->version.major != 1)
      return Status(BOCHNER_STATUS_VERSION_MISMATCH, concat("expected a tensor of DLPack 1.x, but got version ",
                                                            managed->version.major, ".", managed->version.minor));
    if (writable && (managed->flags & DLPACK_FLAG_BITMASK_READ_ONLY))
      return invalidArgument("expected a writable tensor for a result, but it is read-only");
    *tensor = &managed->dl_tensor;
    return {};
  });
}
