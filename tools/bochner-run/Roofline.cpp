//===- Roofline.cpp - what kernels did and may cost -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Roofline.h"
#include "Report.h"

#include <algorithm>
#include <cstdio>

namespace bochner::run {

// A100 SXM 80 GB: 108 multiprocessors at 1.41 GHz. H100 SXM: 132 at 1.83 GHz. L4: 58 at 2.04 GHz.
const GpuPeaks kGpuPeaks[3] = {
    {"A100", 312e12, 156e12, 108 * 16 * 1.41e9, 2039e9},
    {"H100", 989e12, 494e12, 132 * 16 * 1.83e9, 3352e9},
    {"L4", 121e12, 60e12, 58 * 16 * 2.04e9, 300e9},
};

double rooflineTime(const KernelCounts &kernel, const GpuPeaks &gpu) {
  double tensor = double(kernel.mma_flop) / gpu.flop16 + double(kernel.mma_tf32_flop) / gpu.flopTf32;
  double special = double(kernel.mufu) / gpu.specialFunctions, memory = double(kernel.globalBytes()) / gpu.bytes;
  return 1e6 * std::max({tensor, special, memory});
}

static double perByte(double flop, uint64_t bytes) { return bytes ? flop / double(bytes) : 0; }

static std::string line(const std::string &name, const KernelCounts &kernel, const double (&times)[3]) {
  char text[256];
  std::snprintf(text, sizeof text, "%-36s %9.4g %9.4g %9.4g %9.3g %9.3g %9llu %8.3g %8.3g %8.3g\n", name.c_str(),
                kernel.flop() * 1e-9, double(kernel.mufu) * 1e-6, double(kernel.globalBytes()) * 1e-6,
                perByte(kernel.flop(), kernel.globalBytes()), perByte(kernel.flop(), kernel.sharedBytes()),
                static_cast<unsigned long long>(kernel.conflicts()), times[0], times[1], times[2]);
  return text;
}

std::string describeKernels(const std::vector<KernelCounts> &kernels) {
  char header[256];
  std::snprintf(header, sizeof header, "%-36s %9s %9s %9s %9s %9s %9s %8s %8s %8s\n", "kernel", "GFLOP", "M special",
                "global MB", "FLOP/B", "of shared", "conflicts", "A100 us", "H100 us", "L4 us");
  std::string text = header;
  KernelCounts total{bochner_launch_counts_t{}};
  double sums[3] = {};
  for (const KernelCounts &kernel : kernels) {
    double times[3];
    for (int i = 0; i < 3; ++i)
      sums[i] += times[i] = rooflineTime(kernel, kGpuPeaks[i]);
    text += line(kernel.name, kernel, times);
    total.mma_flop += kernel.mma_flop;
    total.mma_tf32_flop += kernel.mma_tf32_flop;
    total.mufu += kernel.mufu;
    total.global_read_sectors += kernel.global_read_sectors;
    total.global_written_sectors += kernel.global_written_sectors;
    total.shared_wavefronts += kernel.shared_wavefronts;
    total.shared_minimum += kernel.shared_minimum;
  }
  return text + line("sum", total, sums);
}

std::string kernelsToJson(const std::vector<KernelCounts> &kernels) {
  std::string text;
  for (const KernelCounts &kernel : kernels) {
    JsonObject object;
    object.add("kernel", kernel.name);
    object.add("grid", kernel.grid[0] * kernel.grid[1] * kernel.grid[2]);
    object.add("block", kernel.block[0] * kernel.block[1] * kernel.block[2]);
    object.add("shared_bytes", int64_t(kernel.shared_bytes));
    object.add("mma_flop", kernel.mma_flop);
    object.add("mma_tf32_flop", kernel.mma_tf32_flop);
    object.add("special_functions", kernel.mufu);
    object.add("barriers", kernel.barriers);
    object.add("shuffles", kernel.shuffles);
    object.add("shared_wavefronts", kernel.shared_wavefronts);
    object.add("bank_conflicts", kernel.conflicts());
    object.add("global_read_bytes", kernel.global_read_bytes);
    object.add("global_written_bytes", kernel.global_written_bytes);
    object.add("global_read_sectors", kernel.global_read_sectors);
    object.add("global_written_sectors", kernel.global_written_sectors);
    JsonObject times;
    for (const GpuPeaks &gpu : kGpuPeaks)
      times.add(gpu.name, rooflineTime(kernel, gpu));
    object.add("roofline_us", times);
    text += (text.empty() ? "" : ",") + object.text();
  }
  return "[" + text + "]";
}

} // namespace bochner::run
