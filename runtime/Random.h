//===- Random.h - random words and normal numbers ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Streams that can be entered anywhere. Values depend on the seed, the name of the stream and the index alone: not on
// the machine, its vector width or its math library.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_RANDOM_H
#define BOCHNER_RUNTIME_RANDOM_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bochner {

/// A stream of random words: Philox 4x32-10 with a key made of seed and name.
class RandomStream {
public:
  RandomStream(uint64_t seed, std::string_view name);
  explicit RandomStream(uint64_t key) : key{static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)} {}

  /// Words 4 * first .. 4 * (first + count) - 1.
  void words(uint64_t first, size_t count, uint32_t *out) const;
  /// Standard normal numbers of the same indices.
  void normals(uint64_t first, size_t count, float *out) const;

private:
  uint32_t key[2];
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_RANDOM_H
