//===- Bench.h - repeated runs --------------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How long one call takes, and how fast the machine could compute meanwhile.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_BENCH_H
#define BOCHNER_TOOLS_RUN_BENCH_H

#include "Bandwidth.h"
#include "Peak.h"
#include "Signature.h"

namespace bochner::run {

struct Timing {
  int64_t runs = 0;
  double medianMs = 0, minMs = 0;
  double peakGflops = 0;     ///< 0: not measured
  std::string peakUnit;      ///< the vector unit, "avx512 f32"
  uint64_t updatedBytes = 0; ///< of arguments that results are the next values of
  double stateMs = 0;        ///< to read and write so much in place; 0: not measured
};

/// Warms up, then repeats the call at least seven times and for half a second, with bursts of the peak measurement in
/// between. With `updatedBytes`, also measures before and behind it how long such a state takes to read and write.
Timing benchmark(Invocation &invocation, DLDataType type, std::string_view features, int32_t threads,
                 uint64_t updatedBytes);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_BENCH_H
