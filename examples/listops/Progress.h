//===- Progress.h - what one sees while it runs ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bar in the last line of a terminal. Files and pipes get lines only.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_PROGRESS_H
#define LISTOPS_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

namespace listops {

class Progress {
public:
  Progress();
  ~Progress();
  /// A line that stays.
  void print(const std::string &line);
  /// Redraws the bar, but not too often; `text` says more.
  void update(int64_t done, int64_t total, const std::string &text);

private:
  void clear();
  bool isTerminal, isDrawn = false;
  std::chrono::steady_clock::time_point start, drawn;
  int64_t first = -1; ///< the number of steps done when the bar was first drawn
};

} // namespace listops

#endif // LISTOPS_PROGRESS_H
