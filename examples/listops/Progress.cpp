//===- Progress.cpp - what one sees while it runs ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Progress.h"

#include <cstdio>
#include <unistd.h>

namespace listops {

using Clock = std::chrono::steady_clock;

Progress::Progress() : isTerminal(isatty(STDOUT_FILENO)), start(Clock::now()) {}
Progress::~Progress() { clear(); }

void Progress::clear() {
  if (isDrawn)
    std::fputs("\r\033[K", stdout); // erases to the end of the line
  isDrawn = false;
}

void Progress::print(const std::string &line) {
  clear();
  std::puts(line.c_str());
  std::fflush(stdout);
}

static std::string durationText(double seconds) {
  auto whole = static_cast<long>(seconds);
  char text[32];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

void Progress::update(int64_t done, int64_t total, const std::string &text) {
  Clock::time_point now = Clock::now();
  if (first < 0) {
    first = done;
    start = now;
  }
  if (!isTerminal || (isDrawn && now - drawn < std::chrono::milliseconds(100)))
    return;
  constexpr int64_t width = 24;
  int64_t filled = total ? width * done / total : width;
  std::string bar(static_cast<size_t>(filled), '=');
  bar.resize(width, ' ');
  std::string left;
  if (done > first)
    left =
        ", " +
        durationText(std::chrono::duration<double>(now - start).count() * double(total - done) / double(done - first)) +
        " left";
  std::printf("\r[%s] %lld/%lld %s%s\033[K", bar.c_str(), static_cast<long long>(done), static_cast<long long>(total),
              text.c_str(), left.c_str());
  std::fflush(stdout);
  isDrawn = true;
  drawn = now;
}

} // namespace listops
