//===- Peak.h - the FMA peak of this machine, now -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Measures how many floating-point operations a second the given threads can do with nothing but independent fused
// multiply-adds in registers, with the vector unit that the compiled code uses. Meant to be called in between the runs
// that are compared with it: the clock of a machine and its neighbors change from second to second.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_PEAK_H
#define BOCHNER_TOOLS_RUN_PEAK_H

#include "Team.h"
#include "Tensor.h"

#include <string_view>

namespace bochner::run {

class PeakMeter {
public:
  /// `features` are those of the compiled code, "+avx2,+fma".
  PeakMeter(DLDataType type, std::string_view features, int32_t threads);

  /// Measures for about two milliseconds.
  void burst();
  /// The best so far; in GFLOP/s.
  double gflops() const { return best; }
  /// "avx512 f32".
  const std::string &description() const { return text; }

private:
  struct Loop;
  static const Loop &selectLoop(DLDataType type, std::string_view features);
  double run(int64_t iterations);

  const Loop &loop;
  Team team;
  std::string text;
  int64_t iterations = 1 << 14;
  double best = 0;
};

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_PEAK_H
