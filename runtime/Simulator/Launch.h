//===- Launch.h - one launch of a simulated kernel ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the blocks of a launch share: the request, global memory with its shadow, reports and counters. Blocks run on
// several threads; what they report does not depend on how many.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_SIMULATOR_LAUNCH_H
#define BOCHNER_RUNTIME_SIMULATOR_LAUNCH_H

#include "Block.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace bochner::sim {

/// Who touched a granule of global memory: the first and the last block, in the order of blocks, that wrote and that
/// read it. Updates commute, so the outcome does not depend on the order in which blocks run. 0: nobody.
struct GlobalCell {
  std::atomic<uint64_t> firstWriter, lastWriter, firstReader, lastReader;
};

/// Block, site and thread in one word that is ordered by block. "First" words hold the complement of the block, so that
/// both kinds only grow.
struct Toucher {
  static constexpr unsigned kBlockBits = 28, kThreadBits = 11;
  static constexpr uint64_t kBlocks = (uint64_t(1) << kBlockBits) - 1;

  static uint64_t last(uint32_t block, uint32_t site, uint32_t thread) {
    return (uint64_t(block) + 1) << (64 - kBlockBits) | uint64_t(site) << kThreadBits | thread;
  }
  static uint64_t first(uint32_t block, uint32_t site, uint32_t thread) {
    return (kBlocks - block) << (64 - kBlockBits) | uint64_t(site) << kThreadBits | thread;
  }
  static uint32_t blockOfLast(uint64_t word) { return uint32_t(word >> (64 - kBlockBits)) - 1; }
  static uint32_t blockOfFirst(uint64_t word) { return uint32_t(kBlocks - (word >> (64 - kBlockBits))); }
  static uint32_t site(uint64_t word) { return uint32_t(word << kBlockBits >> (kBlockBits + kThreadBits)); }
  static uint32_t thread(uint64_t word) { return word & ((1 << kThreadBits) - 1); }
};

struct GlobalBuffer {
  const bochner_sim_buffer_t *info;
  char *low, *high;
  GlobalCell *cells = nullptr;                // null: not checked
  std::atomic<uint64_t> *unwritten = nullptr; // first reader that had not written; null: the buffer is initialized
  std::vector<uint8_t> touched;               // pages of the buffer with cells in use
  size_t cellCount = 0;
};

struct Launch {
  explicit Launch(const bochner_sim_launch_t &request);
  ~Launch();

  bochner_sim_status_t run();

  /// 1 + index of the buffer that holds the address; 0 if there is none.
  uint32_t findBuffer(const char *address) const;
  void touchGlobal(const Lane &lane, GlobalBuffer &buffer, size_t offset, uint32_t size, uint32_t site, bool write,
                   bool atomic);
  std::string describeGlobal(const char *address, uint32_t size) const;

  bool checks(uint32_t bit) const { return request.checks & bit; }

  const bochner_sim_launch_t &request;
  const bochner_sim_kernel_t &kernel;
  std::vector<GlobalBuffer> buffers; // by address
  uint32_t cellShift;
  uint32_t reportLimit;
  uint64_t stepLimit, idleLimit;

private:
  std::string problem() const;
  bool mapCells();
  void runBlock(uint32_t index);
  void judgeGlobal(Block &block) const;
  bochner_sim_status_t deliver();

  std::mutex mutex;
  std::vector<std::unique_ptr<Block>> idle;        // blocks without work
  std::map<uint32_t, std::vector<Report>> reports; // by block
  bochner_sim_counters_t counters = {};
  uint64_t blockCount;
  std::atomic<bool> outOfMemory{false};
};

void addCounters(bochner_sim_counters_t &sum, const bochner_sim_counters_t &more);

/// What simulated code calls.
extern const bochner_sim_functions_t kFunctions;

} // namespace bochner::sim

#endif // BOCHNER_RUNTIME_SIMULATOR_LAUNCH_H
