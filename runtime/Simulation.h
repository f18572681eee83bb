//===- Simulation.h - kernels of one call on the device sim ------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libbochner-sim.so runs kernels; this is what a call tells it: the memory that kernels may touch, the threads to run
// blocks on, and where reports go. docs/Simulator.md says what is found.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_SIMULATION_H
#define BOCHNER_RUNTIME_SIMULATION_H

#include "Call.h"
#include "LaunchDump.h"
#include "Simulator/Interface.h"

namespace bochner {

/// Loads libbochner-sim.so from beside this library or from the search path, once.
/// Errors: UNAVAILABLE if it is missing, VERSION_MISMATCH.
Status loadSimulator(const bochner_sim_interface_t *&simulator);

/// The launches of one call. Not thread-safe: compiled code launches from the thread that called it.
class Simulation {
public:
  Simulation(const bochner_sim_interface_t *simulator, const bochner_simulation_options_t &options)
      : simulator(simulator), options(options) {}

  /// Memory that kernels may touch. The name lives as long as the call.
  void addBuffer(const char *name, void *address, uint64_t bytes, bool writable);
  /// Runs blocks; null: one after the other.
  using ParallelFor = void (*)(void *host, bochner_sim_task_fn task, void *context, int64_t count);
  void setThreads(ParallelFor run, void *host);

  /// Records launches; may be null.
  void setDump(LaunchDump *newDump) { dump = newDump; }

  void launch(const format::Launch &launch);
  /// What the launches found; empty if nothing. To be called once, after the last one.
  Status takeStatus();

private:
  static void runBlocks(void *self, bochner_sim_task_fn task, void *context, int64_t count);
  static void receive(void *self, const bochner_sim_report_t *report);

  const bochner_sim_interface_t *simulator;
  const bochner_simulation_options_t options;
  std::vector<bochner_sim_buffer_t> buffers;
  ParallelFor run = nullptr;
  void *host = nullptr;
  LaunchDump *dump = nullptr;
  const char *kernel = "";
  bochner_sim_status_t worst = BOCHNER_SIM_OK;
  Diagnostics reports;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_SIMULATION_H
