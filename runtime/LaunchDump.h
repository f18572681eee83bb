//===- LaunchDump.h - what launches of a call looked like --------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes launch.json beside the KERNEL.ptx files of the compiler, so that another interpreter of PTX can run the same
// call: for each launch the entry, grid, block, dynamic shared memory and parameters. A pointer is a buffer and an
// offset; the content of buffers that host code has changed since the launch before stands in files of their own.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_LAUNCHDUMP_H
#define BOCHNER_RUNTIME_LAUNCHDUMP_H

#include "ModuleFormat.h"
#include "Simulator/Interface.h"
#include "Status.h"

namespace bochner {

class LaunchDump {
public:
  explicit LaunchDump(std::string folder) : folder(std::move(folder)) {}

  /// Before and after a launch. Errors are kept for write().
  void begin(const format::Launch &launch, const std::vector<bochner_sim_buffer_t> &buffers);
  void end(const std::vector<bochner_sim_buffer_t> &buffers);
  /// Errors: IO_ERROR.
  Status write();

private:
  std::string folder, launches;
  std::vector<uint64_t> checksums; ///< of buffers after the last launch
  size_t number = 0;
  Status failure;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_LAUNCHDUMP_H
