//===- Allocator.cpp - memory that is used again --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Free blocks form a list for each size class, threaded through the blocks themselves: releasing needs no memory.
//
//===----------------------------------------------------------------------===//
#include "Allocator.h"

#include <cstdlib>
#include <new>

using namespace bochner;

// Class c holds (4 + c % 4) << (c / 4 + 4) bytes: 64, 80, 96, 112, 128, 160, ...
uint64_t Allocator::sizeOfClass(unsigned index) { return uint64_t(4 + index % 4) << (index / 4 + 4); }

unsigned Allocator::classOf(uint64_t size) {
  if (size <= 64)
    return 0;
  unsigned octave = 63 - __builtin_clzll(size - 1); // 2^octave < size <= 2^(octave + 1)
  unsigned quarter = unsigned((size - 1) >> (octave - 2)) & 3;
  return (octave - 6) * 4 + quarter + 1;
}

void *Allocator::allocate(uint64_t size) noexcept {
  if (size > kLargest)
    return nullptr;
  unsigned index = classOf(size);
  uint64_t bytes = sizeOfClass(index);
  std::lock_guard<std::mutex> lock(mutex);
  void *block = blocks[index];
  if (block) {
    blocks[index] = blocks[index]->next;
    totals.cached -= bytes;
  } else if (posix_memalign(&block, kAlignment, bytes)) {
    trimLocked();
    if (posix_memalign(&block, kAlignment, bytes))
      return nullptr;
  }
  totals.used += bytes;
  if (totals.used > totals.peak)
    totals.peak = totals.used;
  return block;
}

void Allocator::release(void *block, uint64_t size) noexcept {
  if (!block)
    return;
  unsigned index = classOf(size);
  std::lock_guard<std::mutex> lock(mutex);
  blocks[index] = new (block) Block{blocks[index]};
  totals.used -= sizeOfClass(index);
  totals.cached += sizeOfClass(index);
}

void Allocator::trim() noexcept {
  std::lock_guard<std::mutex> lock(mutex);
  trimLocked();
  totals.peak = totals.used;
}

void Allocator::trimLocked() noexcept {
  for (Block *&first : blocks)
    while (Block *block = first) {
      first = block->next;
      free(block);
    }
  totals.cached = 0;
}

Allocator::Statistics Allocator::statistics() const noexcept {
  std::lock_guard<std::mutex> lock(mutex);
  return totals;
}
