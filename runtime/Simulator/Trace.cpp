//===- Trace.cpp - counters of memory accesses ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fibers of a warp run one after the other, so the accesses of one instruction are brought together again: each thread
// keeps its accesses until its warp has caught up, and the n-th access of a site by one lane belongs to the n-th of the
// others. Threads whose list is full wait for the rest.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>
#include <cstddef>
#include <unordered_map>

namespace bochner::sim {

static constexpr size_t kTraceLimit = 1024;
static constexpr uint32_t kBanks = 32, kSector = 32;

bool Block::counts() const { return launch.checks(BOCHNER_SIM_COUNT_MEMORY); }

void Block::waitForCounters(Lane &lane, uint32_t site) {
  if (lane.trace.size() < kTraceLimit)
    return;
  blockIn(lane, Wait::counters, site, nullptr, nullptr);
  suspend(lane);
}

/// Wavefronts of 32-bit words at `words`: the largest number of different words of a bank.
static uint32_t wavefronts(std::vector<uint32_t> &words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  uint32_t perBank[kBanks] = {}, most = 0;
  for (uint32_t word : words)
    most = std::max(most, ++perBank[word % kBanks]);
  return most;
}

/// Wide accesses go in groups of lanes that together ask for 128 bytes.
static void countShared(bochner_sim_counters_t &counters, const std::vector<TracedAccess> &group) {
  uint32_t size = group.front().size, lanesAtOnce = std::max(1u, 128 / std::max(size, 4u));
  std::vector<uint32_t> words;
  ++counters.shared_requests;
  for (size_t i = 0; i < group.size(); i += lanesAtOnce) {
    words.clear();
    for (size_t j = i; j < std::min(group.size(), i + lanesAtOnce); ++j)
      for (uint64_t word = group[j].address / 4; word <= (group[j].address + group[j].size - 1) / 4; ++word)
        words.push_back(uint32_t(word));
    counters.shared_wavefronts += wavefronts(words);
    counters.shared_minimum += (words.size() + kBanks - 1) / kBanks; // of the words that are different
  }
}

static void countGlobal(bochner_sim_counters_t &counters, const std::vector<TracedAccess> &group) {
  std::vector<uint64_t> sectors;
  uint64_t bytes = 0;
  for (const TracedAccess &access : group) {
    bytes += access.size;
    for (uint64_t sector = access.address / kSector; sector <= (access.address + access.size - 1) / kSector; ++sector)
      sectors.push_back(sector);
  }
  std::sort(sectors.begin(), sectors.end());
  size_t count = size_t(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
  bool write = group.front().write;
  (write ? counters.global_written_bytes : counters.global_read_bytes) += bytes;
  (write ? counters.global_written_sectors : counters.global_read_sectors) += count;
}

void Block::countTraces() {
  std::unordered_map<uint64_t, std::vector<TracedAccess>> groups;
  std::unordered_map<uint32_t, uint32_t> executions;
  std::vector<uint64_t> order;
  for (uint32_t warp = 0; warp < warps; ++warp) {
    groups.clear();
    order.clear();
    uint32_t end = std::min(threads, (warp + 1) * kWarpSize);
    for (uint32_t i = warp * kWarpSize; i < end; ++i) {
      executions.clear();
      for (const TracedAccess &access : lanes[i].trace) {
        // Shared and global accesses of one site, through a generic pointer, are different requests.
        uint64_t key = uint64_t(access.site) << 33 | uint64_t(executions[access.site]++) << 1 | access.shared;
        std::vector<TracedAccess> &group = groups[key];
        if (group.empty())
          order.push_back(key);
        group.push_back(access);
      }
      lanes[i].trace.clear();
    }
    for (uint64_t key : order) {
      const std::vector<TracedAccess> &group = groups[key];
      if (group.front().shared)
        countShared(counters, group);
      else
        countGlobal(counters, group);
    }
  }
}

/// Each tile of ldmatrix is one wavefront at best.
void Block::countMatrixRows(const uint64_t *addresses, uint32_t tiles) {
  if (!counts())
    return;
  std::vector<uint32_t> words;
  ++counters.shared_requests;
  for (uint32_t tile = 0; tile < tiles; ++tile) {
    words.clear();
    for (uint32_t row = 0; row < 8; ++row)
      for (uint32_t word = 0; word < 4; ++word)
        words.push_back(uint32_t(addresses[tile * 8 + row] / 4 + word));
    counters.shared_wavefronts += wavefronts(words);
    ++counters.shared_minimum;
  }
}

static void addMma(bochner_sim_counters_t &counters, uint32_t key, uint64_t count) {
  for (uint32_t i = 0; i < counters.mma_shapes; ++i)
    if (counters.mma[i].key == key) {
      counters.mma[i].count += count;
      return;
    }
  if (counters.mma_shapes == BOCHNER_SIM_MMA_SHAPES)
    return;
  uint32_t i = counters.mma_shapes++; // by key, whichever block comes first
  for (; i && counters.mma[i - 1].key > key; --i)
    counters.mma[i] = counters.mma[i - 1];
  counters.mma[i] = {key, count};
}

void Block::countMma(uint32_t key) { addMma(counters, key & ((1u << 26) - 1), 1); }

void addCounters(bochner_sim_counters_t &sum, const bochner_sim_counters_t &more) {
  // All members in front of mma_shapes are sums of 64 bits.
  auto *to = reinterpret_cast<uint64_t *>(&sum);
  auto *from = reinterpret_cast<const uint64_t *>(&more);
  for (size_t i = 0; i < offsetof(bochner_sim_counters_t, mma_shapes) / sizeof(uint64_t); ++i)
    to[i] += from[i];
  for (uint32_t i = 0; i < more.mma_shapes; ++i)
    addMma(sum, more.mma[i].key, more.mma[i].count);
}

} // namespace bochner::sim
