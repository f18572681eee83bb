//===- Task.h - expressions of ListOps ------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The task of Nangia and Bowman (2018) as the Long Range Arena generates it: nested [MAX, [MIN, [MED and [SM (sum
// modulo 10) over digits; the label is the value of the expression. An expression is a function of seed, split and
// index alone, on every machine, so that nothing needs to be stored and a run continues anywhere.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_TASK_H
#define LISTOPS_TASK_H

#include <cstdint>
#include <string>
#include <vector>

namespace listops {

/// SplitMix64: additions, shifts and products of 64-bit integers.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  /// A generator of its own for each number.
  Random fork(uint64_t number) const;
  uint64_t next();
  /// Less than `bound`, which is small: the bias is bound / 2^32.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }

private:
  uint64_t state;
};

/// What the embedding sees. Padding is never attended to.
enum Token : uint8_t { kPadding, kMaximum, kMinimum, kMedian, kSum, kEnd, kDigit };
constexpr int kVocabulary = kDigit + 10;
constexpr int kClasses = 10;

struct Example {
  std::vector<uint8_t> tokens;
  int label = 0;
  std::string text() const;
};

struct TaskOptions {
  int maxLength = 500;
  int minLength = 0; ///< 0: a quarter of maxLength, as in the original (500 of 2000)
  int maxDepth = 10;
  int maxArguments = 10;
  int shortest() const { return minLength ? minLength : maxLength / 4; }
};

/// Train and held-out examples come from streams of their own.
enum class Split : uint64_t { Train = 1, HeldOut = 2 };

/// Draws expressions until one has a length in bounds. At each place above the deepest level an operator stands with
/// probability 1/4, whose number of arguments is uniform in 2 .. maxArguments.
Example makeExample(const TaskOptions &options, uint64_t seed, Split split, uint64_t index);

} // namespace listops

#endif // LISTOPS_TASK_H
