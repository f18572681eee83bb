//===- TensorView.h - a tensor of the caller, checked ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the runtime knows about a DLTensor after it was checked against a signature, and the geometry of strided
// memory: extents, overlap, copies.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_TENSORVIEW_H
#define BOCHNER_RUNTIME_TENSORVIEW_H

#include "ModuleFormat.h"
#include "Status.h"
#include "bochner/dlpack.h"

namespace bochner {

/// Element 0 at `data`; rank sizes and strides in elements. Dimensions of at most one element have stride 0, or 1 if
/// they are the last. Points into memory of the call.
struct TensorView {
  char *data = nullptr;
  int32_t rank = 0;
  unsigned elementSize = 1;
  const int64_t *sizes = nullptr;
  const int64_t *strides = nullptr;
  /// Number of elements, and of bytes if compact. The check made sure that they do not overflow.
  uint64_t elements = 0;
  uint64_t bytes() const { return elements * elementSize; }

  /// The bytes between the lowest and the highest element, relative to data; equal if there is none.
  int64_t begin = 0, end = 0;

  bool isAligned() const { return reinterpret_cast<uintptr_t>(data) % elementSize == 0; }
};

/// Multiplies sizes; false if a size is negative or the product times elementSize is above INT64_MAX. A size of 0
/// makes the product 0 whatever the others are.
bool countElements(const int64_t *sizes, int32_t rank, unsigned elementSize, uint64_t &elements);

/// Row-major strides; any numbers if the tensor is empty.
void compactStrides(const int64_t *sizes, int32_t rank, int64_t *strides);

/// Fills in `begin` and `end` from sizes and strides; false if an offset does not fit into int64_t.
bool computeExtent(TensorView &view);

/// True if element by element the two are the same memory. Expects the same element size.
bool isSameMemory(const TensorView &a, const TensorView &b);

/// True unless it can be shown that the two share no byte.
bool mayOverlap(const TensorView &a, const TensorView &b);

/// True unless it can be shown that no two elements share a byte.
bool mayOverlapItself(const TensorView &view);

/// Copies all elements between a strided view and compact memory.
void copyToCompact(const TensorView &from, char *to);
void copyFromCompact(const char *from, const TensorView &to);

/// Element `index` of a row-major count through an integer tensor.
int64_t readInteger(const TensorView &view, format::ScalarType type, uint64_t index);

} // namespace bochner

#endif // BOCHNER_RUNTIME_TENSORVIEW_H
