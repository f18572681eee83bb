//===- Task.cpp - expressions of ListOps ---------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Task.h"

#include <algorithm>

namespace listops {

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t Random::next() { return mix(state += 0x9e3779b97f4a7c15u); }

// Mixed twice: seeds that are neighbors must not give streams that are shifted copies of each other.
Random Random::fork(uint64_t number) const { return Random(mix(mix(state + 0x9e3779b97f4a7c15u) + number)); }

std::string Example::text() const {
  static const char *const names[] = {"", "[MAX", "[MIN", "[MED", "[SM", "]"};
  std::string result;
  for (uint8_t token : tokens) {
    if (!result.empty())
      result += ' ';
    result += token < kDigit ? names[token] : std::to_string(token - kDigit);
  }
  return result;
}

/// The median of an even number of values is the mean of the two in the middle, rounded down, as the original has it.
static int evaluate(Token op, std::vector<int> &values) {
  switch (op) {
  case kMaximum:
    return *std::max_element(values.begin(), values.end());
  case kMinimum:
    return *std::min_element(values.begin(), values.end());
  case kMedian:
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  default: {
    int sum = 0;
    for (int value : values)
      sum += value;
    return sum % 10;
  }
  }
}

namespace {
/// Writes one expression; gives up as soon as it is too long.
class Writer {
public:
  Writer(const TaskOptions &options, Random &random, std::vector<uint8_t> &tokens)
      : options(options), random(random), tokens(tokens) {}

  /// The value, or -1.
  int write(int depth) {
    bool isOperator = depth < options.maxDepth && random.below(4) == 0;
    if (!isOperator) {
      int digit = static_cast<int>(random.below(10));
      return add(static_cast<uint8_t>(kDigit + digit)) ? digit : -1;
    }
    auto op = static_cast<Token>(kMaximum + random.below(4));
    if (!add(op))
      return -1;
    std::vector<int> values(2 + random.below(static_cast<uint32_t>(options.maxArguments - 1)));
    for (int &value : values)
      if ((value = write(depth + 1)) < 0)
        return -1;
    return add(kEnd) ? evaluate(op, values) : -1;
  }

private:
  bool add(uint8_t token) {
    tokens.push_back(token);
    return tokens.size() <= static_cast<size_t>(options.maxLength);
  }
  const TaskOptions &options;
  Random &random;
  std::vector<uint8_t> &tokens;
};
} // namespace

Example makeExample(const TaskOptions &options, uint64_t seed, Split split, uint64_t index) {
  Random random = Random(seed).fork(static_cast<uint64_t>(split)).fork(index);
  Example example;
  do {
    example.tokens.clear();
    example.label = Writer(options, random, example.tokens).write(1);
  } while (example.label < 0 || example.tokens.size() < static_cast<size_t>(options.shortest()));
  return example;
}

} // namespace listops
