//===- Bench.cpp - repeated runs -----------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Median and minimum over all runs; the peak is the best of all bursts, as the machine's ceiling has to be.
//
//===----------------------------------------------------------------------===//
#include "Bench.h"
#include "Clock.h"

#include <algorithm>
#include <optional>

namespace bochner::run {

constexpr int64_t kLeastRuns = 7, kMostWarmUpRuns = 1000;
constexpr int kMostBursts = 5;
constexpr double kWarmUpMs = 50, kLeastMs = 500, kMsBetweenBursts = 20;

static double timeOnce(Invocation &invocation) {
  double start = nowMs();
  invocation.run();
  return nowMs() - start;
}

Timing benchmark(Invocation &invocation, DLDataType type, std::string_view features, int32_t threads,
                 uint64_t updatedBytes) {
  std::optional<BandwidthMeter> state;
  if (updatedBytes) {
    state.emplace(updatedBytes, threads);
    state->measure();
  }
  double spent = 0;
  int64_t warmUpRuns = 0;
  for (; spent < kWarmUpMs && warmUpRuns < kMostWarmUpRuns; ++warmUpRuns)
    spent += timeOnce(invocation);
  // The first run behind a burst finds the library's threads asleep: what the caller of a single call sees, but not
  // what one run takes. Long runs do not notice.
  bool wakesThreads = spent / warmUpRuns < kMsBetweenBursts;

  PeakMeter meter(type, features, threads);
  std::vector<double> times;
  double total = 0, sinceBurst = kMsBetweenBursts;
  while (static_cast<int64_t>(times.size()) < kLeastRuns || total < kLeastMs) {
    if (sinceBurst >= kMsBetweenBursts) {
      // Several behind a long run: a neighbor that takes a core must not make the peak look low.
      for (int bursts = 0; bursts < kMostBursts && sinceBurst >= kMsBetweenBursts; ++bursts) {
        meter.burst();
        sinceBurst -= kMsBetweenBursts;
      }
      sinceBurst = 0;
      if (wakesThreads)
        timeOnce(invocation);
    }
    double ms = timeOnce(invocation);
    times.push_back(ms);
    total += ms;
    sinceBurst += ms;
  }
  meter.burst();

  Timing timing;
  timing.runs = times.size();
  std::sort(times.begin(), times.end());
  size_t half = times.size() / 2;
  timing.medianMs = times.size() % 2 ? times[half] : (times[half - 1] + times[half]) / 2;
  timing.minMs = times.front();
  timing.peakGflops = meter.gflops();
  timing.peakUnit = meter.description();
  if (state) {
    state->measure(); // again, as the machine may have changed meanwhile
    timing.updatedBytes = updatedBytes;
    timing.stateMs = state->medianMs();
  }
  return timing;
}

} // namespace bochner::run
