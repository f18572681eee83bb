//===- Roofline.h - what kernels did and may cost ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts of the device sim beside the limits of some GPUs. A time is the largest of what tensor cores, special
// functions and memory need if each ran at its peak and all overlapped: no kernel is faster, real ones are slower.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_ROOFLINE_H
#define BOCHNER_TOOLS_RUN_ROOFLINE_H

#include "bochner/bochner.h"

#include <string>
#include <vector>

namespace bochner::run {

struct KernelCounts : bochner_launch_counts_t {
  explicit KernelCounts(const bochner_launch_counts_t &counts)
      : bochner_launch_counts_t(counts), name(counts.kernel ? counts.kernel : "") {}
  std::string name; ///< `kernel` lives for the callback only

  double flop() const { return double(mma_flop) + double(mma_tf32_flop); }
  uint64_t globalBytes() const { return 32 * (global_read_sectors + global_written_sectors); }
  /// Bytes that accesses to shared memory move: a wavefront is 128.
  uint64_t sharedBytes() const { return 128 * shared_wavefronts; }
  uint64_t conflicts() const { return shared_wavefronts - shared_minimum; }
};

/// Peaks of vendor data sheets, dense and without boost beyond them.
struct GpuPeaks {
  const char *name;
  double flop16, flopTf32; ///< per second
  double specialFunctions; ///< per second: 16 a cycle on each multiprocessor
  double bytes;            ///< of memory, per second
};
extern const GpuPeaks kGpuPeaks[3];

/// Microseconds.
double rooflineTime(const KernelCounts &kernel, const GpuPeaks &gpu);

/// A table, a line for each launch and one for their sum.
std::string describeKernels(const std::vector<KernelCounts> &kernels);
/// The same as a JSON array.
std::string kernelsToJson(const std::vector<KernelCounts> &kernels);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_ROOFLINE_H
