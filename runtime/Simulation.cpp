//===- Simulation.cpp - kernels of one call on the device sim -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Simulation.h"
#include "Library.h"

#include <dlfcn.h>

using namespace bochner;

static constexpr LibraryNames kLibraryNames = {"libbochner-sim.so.0", "libbochner-sim.so"};

Status bochner::loadSimulator(const bochner_sim_interface_t *&simulator) {
  static std::mutex mutex;
  static const bochner_sim_interface_t *loaded = nullptr; // as long as the process lives
  std::lock_guard<std::mutex> lock(mutex);
  if (!loaded) {
    std::string path = findBeside(kLibraryNames);
    Diagnostics notes;
    void *handle = openLibrary(path, kLibraryNames, notes);
    if (!handle) {
      std::string reason = notes.back()->message;
      return Status(BOCHNER_STATUS_UNAVAILABLE,
                    concat("expected the simulator ", kLibraryNames.second,
                           " beside libbochner.so or on the library search path, but it could not be loaded (", reason,
                           "); install Bochner's runtime completely, or use device cpu"),
                    std::move(notes));
    }
    auto entry = reinterpret_cast<bochner_sim_entry_point_fn>(dlsym(handle, BOCHNER_SIM_ENTRY));
    const bochner_sim_interface_t *interface = entry ? entry() : nullptr;
    if (!interface || interface->version != BOCHNER_SIM_INTERFACE_VERSION) {
      std::string got =
          interface ? concat("has interface ", interface->version) : concat("has no function ", BOCHNER_SIM_ENTRY);
      dlclose(handle);
      return Status(BOCHNER_STATUS_VERSION_MISMATCH,
                    concat("expected '", path.empty() ? kLibraryNames.second : path.c_str(), "' to have interface ",
                           BOCHNER_SIM_INTERFACE_VERSION, ", but it ", got,
                           "; install runtime and simulator of one release"));
    }
    loaded = interface;
  }
  simulator = loaded;
  return {};
}

void Simulation::addBuffer(const char *name, void *address, uint64_t bytes, bool writable) {
  if (bytes)
    buffers.push_back({name, address, bytes,
                       uint32_t(BOCHNER_SIM_BUFFER_INITIALIZED) | (writable ? BOCHNER_SIM_BUFFER_WRITABLE : 0)});
}

void Simulation::setThreads(ParallelFor newRun, void *newHost) {
  run = newRun;
  host = newHost;
}

void Simulation::runBlocks(void *self, bochner_sim_task_fn task, void *context, int64_t count) {
  auto &simulation = *static_cast<Simulation *>(self);
  simulation.run(simulation.host, task, context, count);
}

void Simulation::receive(void *self, const bochner_sim_report_t *report) {
  auto &simulation = *static_cast<Simulation *>(self);
  std::string text = concat(report->kind_name, " in kernel '", simulation.kernel, "': ", report->text);
  if (report->count > 1)
    text += concat(" (", report->count, " times)");
  simulation.reports.push_back(std::make_unique<Diagnostic>(BOCHNER_SEVERITY_ERROR, "", text.c_str()));
}

/// Of one mma: twice m n k, which the key holds in units of 8, 8 and 4.
static uint64_t flopOf(uint32_t key) {
  return uint64_t(2) * (key & 15) * 8 * (key >> 4 & 63) * 8 * (key >> 10 & 15) * 4;
}

static bool isTf32(uint32_t key) { return (key >> 14 & 7) == BOCHNER_SIM_TF32; }

void Simulation::launch(const format::Launch &given) {
  if (worst != BOCHNER_SIM_OK || !given.grid[0] || !given.grid[1] || !given.grid[2])
    return;
  bochner_sim_launch_t launch = {};
  launch.kernel = static_cast<const bochner_sim_kernel_t *>(given.kernel);
  kernel = launch.kernel->name;
  for (int i = 0; i < 3; ++i) {
    launch.grid[i] = uint32_t(given.grid[i]);
    launch.block[i] = given.block[i];
    if (given.grid[i] < 0 || given.grid[i] > (i ? 65535 : INT32_MAX)) { // limits of CUDA
      worst = BOCHNER_SIM_INVALID;
      std::string text = concat("expected dimension ", i, " of the grid of kernel '", kernel, "' to be at most ",
                                i ? 65535 : INT32_MAX, " blocks, but got ", given.grid[i], "; use smaller batches");
      reports.push_back(std::make_unique<Diagnostic>(BOCHNER_SEVERITY_ERROR, "", text.c_str()));
      return;
    }
  }
  launch.dynamic_shared = given.sharedBytes;
  launch.parameters = given.parameters;
  launch.buffers = buffers.data();
  launch.buffer_count = buffers.size();
  launch.seed = options.seed;
  launch.checks = options.unchecked ? 0 : BOCHNER_SIM_CHECK_DEFAULT;
  if (options.launched)
    launch.checks |= BOCHNER_SIM_COUNT_MEMORY;
  launch.parallel_for = run ? runBlocks : nullptr;
  launch.report = receive;
  launch.user = this;
  bochner_sim_counters_t counters = {};
  launch.counters = options.launched ? &counters : nullptr;
  if (dump)
    dump->addLaunch(kernel, given, launch.kernel->parameter_sizes, launch.kernel->parameter_count);
  worst = simulator->launch(&launch);
  if (dump)
    dump->endLaunch();
  if (!options.launched)
    return;
  bochner_launch_counts_t counts = {};
  counts.struct_size = sizeof counts;
  counts.kernel = kernel;
  for (int i = 0; i < 3; ++i) {
    counts.grid[i] = given.grid[i];
    counts.block[i] = int32_t(given.block[i]);
  }
  counts.shared_bytes = launch.kernel->static_shared + given.sharedBytes;
  counts.barriers = counters.barriers;
  counts.shuffles = counters.shuffles;
  counts.mufu = counters.mufu;
  for (uint32_t i = 0; i < counters.mma_shapes; ++i)
    (isTf32(counters.mma[i].key) ? counts.mma_tf32_flop : counts.mma_flop) +=
        counters.mma[i].count * flopOf(counters.mma[i].key);
  counts.shared_requests = counters.shared_requests;
  counts.shared_wavefronts = counters.shared_wavefronts;
  counts.shared_minimum = counters.shared_minimum;
  counts.global_read_bytes = counters.global_read_bytes;
  counts.global_written_bytes = counters.global_written_bytes;
  counts.global_read_sectors = counters.global_read_sectors;
  counts.global_written_sectors = counters.global_written_sectors;
  options.launched(options.user, &counts);
}

Status Simulation::takeStatus() {
  if (worst == BOCHNER_SIM_OK)
    return {};
  if (worst == BOCHNER_SIM_OUT_OF_MEMORY)
    return Status(BOCHNER_STATUS_OUT_OF_MEMORY, concat("expected memory to simulate kernel '", kernel, "'"));
  std::string message = reports.empty() ? std::string("a kernel failed") : reports.front()->message;
  return Status(BOCHNER_STATUS_KERNEL_FAULT, std::move(message), std::move(reports));
}
