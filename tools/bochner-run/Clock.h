//===- Clock.h - time and memory of this process --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The monotonic clock, when the process began, and the most memory it had.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_CLOCK_H
#define BOCHNER_TOOLS_RUN_CLOCK_H

#include <cstdint>

namespace bochner::run {

/// Monotonic, in milliseconds.
double nowMs();

/// Made first thing in main(), tells how long the process has existed.
///
/// The system tells when a process began in ticks of 10 ms only. That interval is narrowed by the processor time spent
/// before main(), by dynamic linking mostly, which cannot exceed the time that passed. Of what remains possible the
/// shortest time is taken: exact when the process did not have to wait before main(), at most a tick short otherwise.
class ProcessClock {
public:
  ProcessClock();
  double elapsedMs() const { return nowMs() - startMs; }

private:
  double startMs;
};

/// The largest resident set so far; 0 if the system does not say.
uint64_t peakResidentBytes();

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_CLOCK_H
