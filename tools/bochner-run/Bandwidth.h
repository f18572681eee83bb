//===- Bandwidth.h - how fast a state can be updated ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a step of decoding cannot beat: reading a state and writing it back once, in place, on the given threads. Memory
// of the state's size, used again and again as the state is, so it lies in the same caches.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_BANDWIDTH_H
#define BOCHNER_TOOLS_RUN_BANDWIDTH_H

#include "Team.h"

#include <memory>

namespace bochner::run {

class BandwidthMeter {
public:
  BandwidthMeter(uint64_t bytes, int32_t threads);

  /// Measures for about fifty milliseconds, and once at least.
  void measure();
  /// The median over all measurements so far, of one update.
  double medianMs() const;

private:
  double run(int64_t passes);

  Team team;
  uint64_t blocks; ///< of 64 bytes
  std::shared_ptr<void> memory;
  std::vector<double> times;
};

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_BANDWIDTH_H
