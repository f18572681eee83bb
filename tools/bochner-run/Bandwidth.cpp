//===- Bandwidth.cpp - how fast a state can be updated -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each thread adds to a part of its own, which it has touched first, so that the memory is near it. The loop is
// compiled for the vector units that there are: in the first caches their width decides.
//
//===----------------------------------------------------------------------===//
#include "Bandwidth.h"
#include "Clock.h"
#include "Tensor.h"

#include <algorithm>

namespace bochner::run {

namespace {
typedef float Block __attribute__((vector_size(64)));

__attribute__((always_inline)) inline void addOne(Block *first, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    first[i] += 1.0f;
    asm volatile("" : : "r"(first) : "memory"); // each pass has to write
  }
}

void addOneBaseline(Block *first, uint64_t count) { addOne(first, count); }
#if defined(__x86_64__)
__attribute__((target("avx2"))) void addOneAvx2(Block *first, uint64_t count) { addOne(first, count); }
__attribute__((target("avx512f"))) void addOneAvx512(Block *first, uint64_t count) { addOne(first, count); }
#endif

auto selectLoop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return &addOneAvx512;
  if (__builtin_cpu_supports("avx2"))
    return &addOneAvx2;
#endif
  return &addOneBaseline;
}
} // namespace

BandwidthMeter::BandwidthMeter(uint64_t bytes, int32_t threads)
    : team(threads), blocks((bytes + sizeof(Block) - 1) / sizeof(Block)), memory(allocate(blocks * sizeof(Block))) {
  auto *first = static_cast<Block *>(memory.get());
  team.run([&](int32_t member) {
    uint64_t begin = blocks * member / team.size(), end = blocks * (member + 1) / team.size();
    std::fill(first + begin, first + end, Block{});
  });
  run(1);
}

double BandwidthMeter::run(int64_t passes) {
  static auto *const loop = selectLoop();
  auto *first = static_cast<Block *>(memory.get());
  return team.run([&](int32_t member) {
    uint64_t begin = blocks * member / team.size(), end = blocks * (member + 1) / team.size();
    for (int64_t pass = 0; pass < passes; ++pass)
      loop(first + begin, end - begin);
  });
}

void BandwidthMeter::measure() {
  // So many passes that the clock and waking up do not matter.
  constexpr double kLeastMs = 0.2, kMs = 50;
  int64_t passes = 1;
  double ms = run(passes);
  while (ms < kLeastMs && passes < int64_t(1) << 24) {
    passes *= 2;
    ms = run(passes);
  }
  double end = nowMs() + kMs;
  do
    times.push_back(run(passes) / static_cast<double>(passes));
  while (nowMs() < end);
}

double BandwidthMeter::medianMs() const {
  std::vector<double> sorted = times;
  auto middle = sorted.begin() + static_cast<int64_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

} // namespace bochner::run
