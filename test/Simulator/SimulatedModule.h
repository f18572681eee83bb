//===- SimulatedModule.h - compile and simulate kernels in tests -*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers a gpu.module as for the GPU, compiles it for the host with lib/Simulator and lib/Target, maps the image as the
// runtime does, and launches its kernels through libbochner-sim.so.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_SIMULATOR_SIMULATEDMODULE_H
#define BOCHNER_TEST_SIMULATOR_SIMULATEDMODULE_H

#include "runtime/Simulator/Interface.h"
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bochner::test {

struct FoundReport {
  bochner_sim_report_kind_t kind;
  std::string kindName, text;
  uint64_t count;
};

/// Global memory of a test, at the end of a mapping, so that the host would notice an access behind it.
struct Buffer {
  std::string name;
  void *address;
  uint64_t bytes;
  uint32_t flags = BOCHNER_SIM_BUFFER_INITIALIZED | BOCHNER_SIM_BUFFER_WRITABLE;
};

struct LaunchOptions {
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {32, 1, 1};
  uint32_t dynamicShared = 0;
  uint64_t seed = 0, stepLimit = 0;
  uint32_t checks = BOCHNER_SIM_CHECK_DEFAULT, reportLimit = 0;
  int threads = 1;
};

class SimulatedModule {
public:
  /// Null after an error; `diagnostics` gets a line for each.
  static std::unique_ptr<SimulatedModule> fromFile(const std::string &path, std::string &diagnostics,
                                                   const std::string &libdevice = "");
  static std::unique_ptr<SimulatedModule> fromSource(const std::string &source, std::string &diagnostics);
  ~SimulatedModule();

  /// Of libbochner-sim.so; null if it cannot be loaded.
  static const bochner_sim_interface_t *simulator();

  const bochner_sim_kernel_t *kernel(const std::string &name) const;
  std::vector<std::string> names() const;

  /// Parameters are values of up to 8 bytes each (pointers, scalars), or what byValue says.
  bochner_sim_status_t launch(const std::string &name, const LaunchOptions &options, std::vector<uint64_t> parameters,
                              const std::vector<Buffer> &buffers);

  std::vector<FoundReport> reports;
  bochner_sim_counters_t counters = {};
  /// Addresses of parameters that are larger than 8 bytes, by position.
  std::map<size_t, void *> byValue;

private:
  SimulatedModule() = default;
  static std::unique_ptr<SimulatedModule> load(const std::string &object, std::vector<std::string> kernels,
                                               std::string &diagnostics);
  static std::unique_ptr<SimulatedModule> compile(const std::string *path, const std::string *source,
                                                  std::string &diagnostics, const std::string &libdevice);

  char *image = nullptr;
  size_t size = 0;
  std::map<std::string, const bochner_sim_kernel_t *> kernels;
};

} // namespace bochner::test

#endif // BOCHNER_TEST_SIMULATOR_SIMULATEDMODULE_H
