//===- TensorView.cpp - a tensor of the caller, checked -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The geometry of strided memory. Sizes and strides come from outside: every product is checked.
//
//===----------------------------------------------------------------------===//
#include "TensorView.h"

#include <algorithm>
#include <cstring>

using namespace bochner;

bool bochner::countElements(const int64_t *sizes, int32_t rank, unsigned elementSize, uint64_t &elements) {
  int64_t product = elementSize;
  bool overflow = false, empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (sizes[i] < 0)
      return false;
    empty |= sizes[i] == 0;
    overflow |= __builtin_mul_overflow(product, sizes[i], &product);
  }
  elements = empty ? 0 : uint64_t(product) / elementSize;
  return empty || !overflow;
}

void bochner::compactStrides(const int64_t *sizes, int32_t rank, int64_t *strides) {
  int64_t stride = 1;
  for (int32_t i = rank; i-- > 0;) {
    strides[i] = stride;
    if (__builtin_mul_overflow(stride, sizes[i], &stride))
      stride = 0;
  }
}

bool bochner::computeExtent(TensorView &view) {
  view.begin = view.end = 0;
  if (!view.elements)
    return true;
  for (int32_t i = 0; i < view.rank; ++i) {
    int64_t offset;
    if (__builtin_mul_overflow(view.strides[i], view.sizes[i] - 1, &offset) ||
        __builtin_mul_overflow(offset, int64_t(view.elementSize), &offset) ||
        __builtin_add_overflow(offset < 0 ? view.begin : view.end, offset, offset < 0 ? &view.begin : &view.end))
      return false;
  }
  return !__builtin_add_overflow(view.end, int64_t(view.elementSize), &view.end);
}

/// True if the tensor's bytes, modulo `period`, all lie in one window [first, first + width) with width <= period:
/// every dimension either steps by multiples of the period or stays inside the window.
static bool findWindow(const TensorView &view, uint64_t period, uint64_t &first, uint64_t &width) {
  unsigned __int128 total = view.elementSize;
  int64_t low = 0;
  for (int32_t i = 0; i < view.rank; ++i) {
    int64_t stride = view.strides[i] * int64_t(view.elementSize); // fits: computeExtent() has multiplied it
    if (view.sizes[i] <= 1 || stride % int64_t(period) == 0)
      continue;
    int64_t reach = stride * (view.sizes[i] - 1);
    low += std::min<int64_t>(reach, 0);
    total += reach < 0 ? uint64_t(0) - uint64_t(reach) : uint64_t(reach);
  }
  if (total > period)
    return false;
  width = uint64_t(total);
  first = (reinterpret_cast<uintptr_t>(view.data) + uint64_t(low)) % period;
  return true;
}

/// Views into one buffer interleave (query, key and value of one projection, for example): their extents overlap, but
/// modulo the stride of a row each stays in a window of its own.
static bool areDisjointModulo(const TensorView &a, const TensorView &b, uint64_t period) {
  uint64_t firstA, widthA, firstB, widthB;
  if (!findWindow(a, period, firstA, widthA) || !findWindow(b, period, firstB, widthB))
    return false;
  uint64_t fromAToB = firstB >= firstA ? firstB - firstA : firstB + (period - firstA);
  return fromAToB >= widthA && widthB <= period - fromAToB;
}

bool bochner::isSameMemory(const TensorView &a, const TensorView &b) {
  return a.data == b.data && a.rank == b.rank && std::equal(a.sizes, a.sizes + a.rank, b.sizes) &&
         std::equal(a.strides, a.strides + a.rank, b.strides);
}

bool bochner::mayOverlap(const TensorView &a, const TensorView &b) {
  if (!a.elements || !b.elements)
    return false;
  auto low = [](const TensorView &view) { return reinterpret_cast<uintptr_t>(view.data) + uintptr_t(view.begin); };
  auto high = [](const TensorView &view) { return reinterpret_cast<uintptr_t>(view.data) + uintptr_t(view.end); };
  if (high(a) <= low(b) || high(b) <= low(a))
    return false;
  for (const TensorView *view : {&a, &b})
    for (int32_t i = 0; i < view->rank; ++i) {
      int64_t period = view->strides[i] * int64_t(view->elementSize);
      if (view->sizes[i] > 1 && period > 0 && areDisjointModulo(a, b, uint64_t(period)))
        return false;
    }
  return true;
}

bool bochner::mayOverlapItself(const TensorView &view) {
  if (!view.elements)
    return false;
  // From the innermost dimension outwards, each step must pass over everything inside. Ranks are small: instead of
  // sorting, look for the next larger stride.
  uint64_t covered = 1, last = 0;
  for (int32_t done = 0; done < view.rank; ++done) {
    uint64_t next = UINT64_MAX, reach = 0;
    int same = 0;
    for (int32_t i = 0; i < view.rank; ++i) {
      uint64_t stride = view.strides[i] < 0 ? 0 - uint64_t(view.strides[i]) : uint64_t(view.strides[i]);
      if (view.sizes[i] <= 1 || stride < last || (stride == last && done))
        continue;
      if (stride < next) {
        next = stride;
        reach = stride * uint64_t(view.sizes[i] - 1);
        same = 1;
      } else if (stride == next) {
        ++same;
      }
    }
    if (next == UINT64_MAX)
      return false;
    if (same > 1 || next < covered)
      return true;
    covered += reach;
    last = next;
  }
  return false;
}

/// Calls visit(offset in bytes from data) for the first element of each innermost row, in row-major order.
template <typename Visitor> static void forEachRow(const TensorView &view, Visitor visit) {
  if (!view.elements)
    return;
  int32_t outer = std::max(view.rank - 1, 0);
  int64_t index[64] = {};
  int64_t offset = 0;
  while (true) {
    visit(offset * view.elementSize);
    int32_t i = outer - 1;
    for (; i >= 0; --i) {
      offset += view.strides[i];
      if (++index[i] < view.sizes[i])
        break;
      offset -= view.strides[i] * view.sizes[i];
      index[i] = 0;
    }
    if (i < 0)
      return;
  }
}

// The innermost dimension is contiguous.
static size_t rowBytes(const TensorView &view) {
  return view.elementSize * size_t(view.rank ? view.sizes[view.rank - 1] : 1);
}

void bochner::copyToCompact(const TensorView &from, char *to) {
  size_t size = rowBytes(from);
  forEachRow(from, [&](int64_t offset) {
    memcpy(to, from.data + offset, size);
    to += size;
  });
}

void bochner::copyFromCompact(const char *from, const TensorView &to) {
  size_t size = rowBytes(to);
  forEachRow(to, [&](int64_t offset) {
    memcpy(to.data + offset, from, size);
    from += size;
  });
}

template <typename T> static int64_t load(const char *at) {
  T value;
  memcpy(&value, at, sizeof value); // the caller's memory may be misaligned
  return value;
}

int64_t bochner::readInteger(const TensorView &view, format::ScalarType type, uint64_t index) {
  int64_t offset = 0;
  for (int32_t i = view.rank; i-- > 0;) {
    offset += int64_t(index % uint64_t(view.sizes[i])) * view.strides[i];
    index /= uint64_t(view.sizes[i]);
  }
  const char *at = view.data + offset * view.elementSize;
  switch (type) {
  case format::ScalarType::i64:
    return load<int64_t>(at);
  case format::ScalarType::i32:
    return load<int32_t>(at);
  default:
    return load<int8_t>(at);
  }
}
