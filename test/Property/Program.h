//===- Program.h - functions whose tensors have names -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles a text and calls its function "f" with arrays by name; all arrays lie between forbidden pages.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_PROGRAM_H
#define BOCHNER_TEST_PROPERTY_PROGRAM_H

#include "Harness.h"
#include <map>

namespace bochner::test {

struct Array {
  Shape shape;
  Values values;

  /// Slices [first, end) of a dimension.
  Array slice(size_t dimension, int64_t first, int64_t end) const;
};
bool operator==(const Array &a, const Array &b); ///< bit by bit
using Arrays = std::map<std::string, Array>;
/// `a` before `b` in a dimension.
Array concatenate(const Array &a, const Array &b, size_t dimension);
/// Largest error relative to the largest expected value; infinite if sizes differ.
double relativeError(const Array &got, const Array &expected);

/// Numbers of a test, and a line in its failures that says which; --gtest_random_seed=N takes others.
class Seeded {
public:
  explicit Seeded(uint64_t number)
      : seed(1000 * uint64_t(GTEST_FLAG_GET(random_seed)) + number), random(seed),
        trace(__FILE__, __LINE__, "seed " + std::to_string(seed)) {}

  const uint64_t seed;
  Random random;

private:
  testing::ScopedTrace trace;
};

class Program {
public:
  Program() = default;
  explicit Program(const std::string &text, const std::string &route = "fused", const std::string &elementType = "");
  /// The same after another choice of tiles, as a user would overrule it in the IR of the phase "kernel". `shrink`
  /// divides the numbers of rows and of features that a kernel keeps at a time.
  Program withSmallerTiles(int64_t shrink) const;

  /// Takes what it needs of the arrays. `inPlace`: results that are next values of arguments are given their memory.
  /// Empty after a failure, which is then reported.
  Arrays call(const Arrays &in, const How &how = {}, bool inPlace = false) const;

private:
  std::string compile(const std::string &text, const std::string &route, const std::string &elementType);

  std::string text, error;
  std::shared_ptr<bochner_module_t> module;
  const bochner_function_t *function = nullptr;
};

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_PROGRAM_H
