//===- Fill.h - arrays that nobody gave -----------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fills arrays from an initializer such as normal(0.5). Values depend on the seed, the name of the array and the index
// of the element alone: not on the machine, its vector width, its math library or the element type (they are exact in
// f32, so that f32 and f64 graphs see the same numbers).
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_FILL_H
#define BOCHNER_TOOLS_RUN_FILL_H

#include "Tensor.h"

#include <string_view>

namespace bochner::run {

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

/// zeros, ones, normal, normal(std), uniform(a) on (-a, a), signs, permutation (along the last axis), chi, mask (1 for
/// seven of eight elements, and at least one along the last axis), offsets(dim), below(n) (integers from 0 on) or
/// constant(x).
struct Initializer {
  enum Kind { Zeros, Ones, Normal, Uniform, Signs, Permutation, Chi, Mask, Offsets, Below, Constant } kind;
  double parameter = 1;
  std::string dimension = "N"; ///< offsets: the dimension whose rows they divide
  int64_t rows = 0;            ///< offsets: its size, which the caller knows
};

/// Throws Failure for an initializer that is not one; `name` is that of the array.
Initializer parseInitializer(std::string_view text, const std::string &name);

/// A compact array. Integer types take all but normal, uniform and chi.
Tensor fill(const Initializer &initializer, DLDataType type, const std::vector<int64_t> &shape, uint64_t seed,
            const std::string &name);

/// --in NAME=random:SHAPE:SEED: standard normal, a mask if the array holds truth values, or what the initializer `init`
/// says if that is below(n).
Tensor fillRandom(DLDataType type, const std::vector<int64_t> &shape, uint64_t seed, const std::string &name,
                  std::string_view init = "");

/// Divides by the Euclidean norm of `divisor`: makes chi_D / |G| of FastFood's scaling.
void divideByNorm(Tensor &tensor, const Tensor &divisor);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_FILL_H
