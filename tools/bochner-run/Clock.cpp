//===- Clock.cpp - time and memory of this process -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// clock_gettime and /proc/self.
//
//===----------------------------------------------------------------------===//
#include "Clock.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace bochner::run {

static double readClock(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

double nowMs() { return readClock(CLOCK_MONOTONIC); }

/// One of the short files of /proc; empty if it is not there.
static std::string readProc(const char *path) {
  char buffer[8192];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? 0 : read(fd, buffer, sizeof buffer);
  if (fd >= 0)
    close(fd);
  return std::string(buffer, std::max<ssize_t>(size, 0));
}

/// How long the process has existed at most, to a tick; negative if the system does not say.
static double elapsedMsInTicks(double tickMs) {
  // Field 22, counted behind the name in parentheses, which may hold anything.
  std::string stat = readProc("/proc/self/stat");
  size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field)
    at = stat.find(' ', at + 1);
  if (at == std::string::npos)
    return -1;
  return readClock(CLOCK_BOOTTIME) - std::strtoull(stat.c_str() + at, nullptr, 10) * tickMs;
}

ProcessClock::ProcessClock() {
  double now = nowMs(), processor = readClock(CLOCK_PROCESS_CPUTIME_ID);
  double tick = 1e3 / std::max(sysconf(_SC_CLK_TCK), 1L), longest = elapsedMsInTicks(tick);
  // Where the clock of /proc is that of another time namespace, only the processor time can be trusted.
  constexpr double kPlausibleMs = 60e3;
  bool known = longest >= processor && longest < kPlausibleMs;
  startMs = now - (known ? std::max(processor, longest - tick) : processor);
}

uint64_t peakResidentBytes() {
  // Not getrusage(), whose maximum includes that of the program which started this one.
  std::string status = readProc("/proc/self/status");
  size_t at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 6, nullptr, 10) * 1024;
}

} // namespace bochner::run
