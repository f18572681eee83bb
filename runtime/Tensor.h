//===- Tensor.h - tensors that the runtime makes -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DLPack tensors whose memory comes from an allocator and goes back to it by their deleter.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_TENSOR_H
#define BOCHNER_RUNTIME_TENSOR_H

#include "Allocator.h"
#include "Status.h"
#include "bochner/dlpack.h"

namespace bochner {

struct TensorDeleter {
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using OwnedTensor = std::unique_ptr<DLManagedTensorVersioned, TensorDeleter>;

/// A compact, aligned, uninitialized tensor on the CPU. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY.
Status createTensor(const std::shared_ptr<Allocator> &allocator, DLDataType type, int32_t rank, const int64_t *shape,
                    OwnedTensor &tensor);

} // namespace bochner

#endif // BOCHNER_RUNTIME_TENSOR_H
