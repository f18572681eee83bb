//===- Allocator.h - memory that is used again -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A caching allocator of 64-byte aligned blocks in size classes. A call of a compiled function needs the same few
// blocks again and again, and a fresh page costs more than the work on it: released blocks wait for the next call.
// Thread-safe. Blocks know nothing of their size; release() is told.
//
// Huge pages are not asked for: where this was measured they made the first touch 2.3 to 6 times slower.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_ALLOCATOR_H
#define BOCHNER_RUNTIME_ALLOCATOR_H

#include <array>
#include <cstdint>
#include <mutex>

namespace bochner {

class Allocator {
public:
  static constexpr uint64_t kAlignment = 64;
  /// Larger requests fail.
  static constexpr uint64_t kLargest = uint64_t(1) << 45;

  struct Statistics {
    uint64_t used = 0, peak = 0, cached = 0;
  };

  Allocator() = default;
  ~Allocator() { trim(); }
  Allocator(const Allocator &) = delete;
  Allocator &operator=(const Allocator &) = delete;

  /// At least `size` bytes, also for 0; null if there is no memory, after giving back what was cached.
  void *allocate(uint64_t size) noexcept;
  /// `size` as it was asked for. Accepts null.
  void release(void *block, uint64_t size) noexcept;
  /// Gives cached blocks back to the system and starts the peak anew.
  void trim() noexcept;
  Statistics statistics() const noexcept;

  /// The size class of a request: four classes an octave, hence at most a quarter of a block is unused.
  static unsigned classOf(uint64_t size);
  static uint64_t sizeOfClass(unsigned index);

private:
  struct Block {
    Block *next;
  };
  void trimLocked() noexcept;

  static constexpr unsigned kClasses = 41 * 4;
  mutable std::mutex mutex;
  std::array<Block *, kClasses> blocks{};
  Statistics totals;
};

/// A block for the time of a scope.
class ScopedBlock {
public:
  explicit ScopedBlock(Allocator &allocator) : allocator(allocator) {}
  ~ScopedBlock() { allocator.release(block, size); }
  ScopedBlock(const ScopedBlock &) = delete;
  ScopedBlock &operator=(const ScopedBlock &) = delete;

  /// False if there is no memory.
  bool allocate(uint64_t bytes) {
    size = bytes;
    return (block = static_cast<char *>(allocator.allocate(bytes)));
  }
  char *data() const { return block; }

private:
  Allocator &allocator;
  char *block = nullptr;
  uint64_t size = 0;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_ALLOCATOR_H
