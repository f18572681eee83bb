//===- Launch.cpp - one launch of a simulated kernel ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks the request, runs the blocks on the threads that the caller lends, judges what they did to global memory and
// delivers reports in the order of blocks.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <tuple>

namespace bochner::sim {

static constexpr size_t kTouchedPage = 4096; // bytes of a buffer
static constexpr uint32_t kMaxShared = 227 << 10;

Launch::Launch(const bochner_sim_launch_t &request)
    : request(request), kernel(*request.kernel), cellShift(kernel.granularity == 1   ? 0
                                                           : kernel.granularity == 2 ? 1
                                                                                     : 2),
      reportLimit(request.report_limit ? request.report_limit : 20),
      stepLimit(request.step_limit ? request.step_limit : uint64_t(1) << 28),
      idleLimit(std::max<uint64_t>(stepLimit >> 6, 1)),
      blockCount(uint64_t(request.grid[0]) * request.grid[1] * request.grid[2]) {}

Launch::~Launch() {
  for (GlobalBuffer &buffer : buffers) {
    if (buffer.cells)
      munmap(static_cast<void *>(buffer.cells), buffer.cellCount * sizeof(GlobalCell));
    if (buffer.unwritten)
      munmap(static_cast<void *>(buffer.unwritten), buffer.cellCount * sizeof(uint64_t));
  }
}

/// Why the GPU's driver would refuse the launch; empty if it would not.
std::string Launch::problem() const {
  const uint32_t *block = request.block;
  uint64_t threads = uint64_t(block[0]) * block[1] * block[2];
  std::string name = format("kernel '%s': ", kernel.name);
  if (kernel.version != BOCHNER_SIM_INTERFACE_VERSION)
    return name + format("expected version %d of the simulator's interface, but got %u", BOCHNER_SIM_INTERFACE_VERSION,
                         kernel.version);
  if (!blockCount || !threads)
    return name + "expected a grid and blocks that are not empty";
  if (threads > kMaxThreads || block[2] > 64)
    return name + format("expected at most %u threads of a block and 64 in z, but got %ux%ux%u", kMaxThreads, block[0],
                         block[1], block[2]);
  if (request.grid[1] > 65535 || request.grid[2] > 65535 || blockCount >= Toucher::kBlocks)
    return name + format("expected at most 65535 blocks in y and z, and %llu in all, but got %ux%ux%u",
                         (unsigned long long)Toucher::kBlocks, request.grid[0], request.grid[1], request.grid[2]);
  for (int i = 0; i < 3; ++i)
    if (kernel.required_block[i] && kernel.required_block[i] != block[i])
      return name + format("expected blocks of %ux%ux%u threads, for which it was compiled, but got %ux%ux%u",
                           kernel.required_block[0], kernel.required_block[1], kernel.required_block[2], block[0],
                           block[1], block[2]);
  if (kernel.max_threads && threads > kernel.max_threads)
    return name + format("expected at most %u threads of a block, for which it was compiled, but got %llu",
                         kernel.max_threads, (unsigned long long)threads);
  if (kernel.static_shared + uint64_t(request.dynamic_shared) > kMaxShared)
    return name + format("expected at most %u bytes of shared memory, but got %u static and %u dynamic ones",
                         kMaxShared, kernel.static_shared, request.dynamic_shared);
  return "";
}

template <typename T> static T *mapZeros(size_t count) {
  void *mapping =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return mapping == MAP_FAILED ? nullptr : static_cast<T *>(mapping);
}

bool Launch::mapCells() {
  bool races = checks(BOCHNER_SIM_CHECK_GLOBAL_RACES) && blockCount > 1;
  for (size_t i = 0; i < request.buffer_count; ++i) {
    const bochner_sim_buffer_t &info = request.buffers[i];
    if (!info.bytes)
      continue;
    GlobalBuffer buffer;
    buffer.info = &info;
    buffer.low = static_cast<char *>(info.address);
    buffer.high = buffer.low + info.bytes;
    bool writable = info.flags & BOCHNER_SIM_BUFFER_WRITABLE;
    bool unwritten = checks(BOCHNER_SIM_CHECK_UNINITIALIZED) && !(info.flags & BOCHNER_SIM_BUFFER_INITIALIZED);
    buffer.cellCount = (info.bytes >> cellShift) + 1;
    if ((races && writable) || unwritten) {
      buffer.cells = mapZeros<GlobalCell>(buffer.cellCount);
      buffer.touched.assign(info.bytes / kTouchedPage + 1, 0);
      if (!buffer.cells)
        return false;
    }
    if (unwritten && !(buffer.unwritten = mapZeros<std::atomic<uint64_t>>(buffer.cellCount)))
      return false;
    buffers.push_back(std::move(buffer));
  }
  std::sort(buffers.begin(), buffers.end(), [](const GlobalBuffer &a, const GlobalBuffer &b) {
    return std::tie(a.low, a.info) < std::tie(b.low, b.info);
  });
  return true;
}

uint32_t Launch::findBuffer(const char *address) const {
  auto after = std::upper_bound(buffers.begin(), buffers.end(), address,
                                [](const char *p, const GlobalBuffer &buffer) { return p < buffer.low; });
  if (after == buffers.begin() || address >= (after - 1)->high)
    return 0;
  return uint32_t(after - buffers.begin());
}

std::string Launch::describeGlobal(const char *address, uint32_t size) const {
  const GlobalBuffer *best = nullptr;
  uint64_t distance = 1 << 20;
  for (const GlobalBuffer &buffer : buffers) {
    uint64_t away = address >= buffer.high ? uint64_t(address - buffer.high)
                    : address < buffer.low ? uint64_t(buffer.low - address)
                                           : 0;
    if (away < distance) {
      distance = away;
      best = &buffer;
    }
  }
  if (!best)
    return format("%u bytes at an address that is near no buffer", size);
  return format("%u bytes at byte %lld of '%s' (%llu bytes)", size, (long long)(address - best->low), best->info->name,
                (unsigned long long)best->info->bytes);
}

static void raise(std::atomic<uint64_t> &word, uint64_t value) {
  uint64_t old = word.load(std::memory_order_relaxed);
  while (value > old && !word.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
}

void Launch::touchGlobal(const Lane &lane, GlobalBuffer &buffer, size_t offset, uint32_t size, uint32_t site,
                         bool write, bool atomic) {
  uint32_t block = lane.owner->index;
  // Several threads write bytes, but all of them the same value.
  __atomic_store_n(&buffer.touched[offset / kTouchedPage], 1, __ATOMIC_RELAXED);
  __atomic_store_n(&buffer.touched[(offset + size - 1) / kTouchedPage], 1, __ATOMIC_RELAXED);
  for (size_t i = offset >> cellShift, end = (offset + size - 1) >> cellShift; i <= end; ++i) {
    GlobalCell &cell = buffer.cells[i];
    bool reads = !write || atomic;
    if (reads && buffer.unwritten) {
      uint64_t first = cell.firstWriter.load(std::memory_order_relaxed);
      uint64_t last = cell.lastWriter.load(std::memory_order_relaxed);
      bool mine = (first && Toucher::blockOfFirst(first) == block) || (last && Toucher::blockOfLast(last) == block);
      uint64_t seen = buffer.unwritten[i].load(std::memory_order_relaxed);
      if (!mine && (!seen || Toucher::blockOfFirst(seen) != block))
        raise(buffer.unwritten[i], Toucher::first(block, site, lane.linear));
    }
    if (atomic)
      continue;
    std::atomic<uint64_t> &last = write ? cell.lastWriter : cell.lastReader;
    std::atomic<uint64_t> &first = write ? cell.firstWriter : cell.firstReader;
    uint64_t seen = last.load(std::memory_order_relaxed);
    if (seen && Toucher::blockOfLast(seen) == block)
      continue;
    raise(last, Toucher::last(block, site, lane.linear));
    seen = first.load(std::memory_order_relaxed);
    if (!seen || Toucher::blockOfFirst(seen) != block)
      raise(first, Toucher::first(block, site, lane.linear));
  }
}

void Launch::runBlock(uint32_t index) {
  std::unique_ptr<Block> block;
  bool good = true;
  try {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (outOfMemory)
        return;
      if (!idle.empty()) {
        block = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (!block) {
      block = std::make_unique<Block>(*this);
      good = block->allocate();
    }
    if (good)
      block->run(index);
    std::lock_guard<std::mutex> lock(mutex);
    if (good) {
      addCounters(counters, block->counters);
      if (!block->reports.empty())
        reports[index] = std::move(block->reports);
      idle.push_back(std::move(block));
    }
  } catch (const std::bad_alloc &) {
    good = false;
  }
  if (!good)
    outOfMemory = true;
}

/// Conflicts between blocks and reads of what nobody wrote, once all blocks have run.
void Launch::judgeGlobal(Block &block) const {
  auto at = [&](uint32_t index, uint64_t word) {
    block.index = index;
    return block.threadName(Toucher::thread(word)) + " of " + block.blockName() + ", " +
           block.place(Toucher::site(word));
  };
  for (const GlobalBuffer &buffer : buffers) {
    for (size_t page = 0; page < buffer.touched.size(); ++page) {
      if (!buffer.touched[page])
        continue;
      size_t begin = page * kTouchedPage >> cellShift;
      size_t end = std::min((page + 1) * kTouchedPage >> cellShift, buffer.cellCount);
      for (size_t i = begin; i < end; ++i) {
        const GlobalCell &cell = buffer.cells[i];
        uint64_t firstWrite = cell.firstWriter, lastWrite = cell.lastWriter;
        auto where = [&] { return format("byte %zu of '%s'", i << cellShift, buffer.info->name); };
        if (!lastWrite) {
          if (uint64_t word = buffer.unwritten ? buffer.unwritten[i].load() : 0)
            block.report(BOCHNER_SIM_UNINITIALIZED, Toucher::site(word),
                         at(Toucher::blockOfFirst(word), word) + " reads " + where() + ", which nobody has written");
          continue;
        }
        uint32_t writer = Toucher::blockOfFirst(firstWrite), other = Toucher::blockOfLast(lastWrite);
        uint64_t otherWord = lastWrite;
        if (other == writer && cell.lastReader) {
          otherWord = cell.lastReader;
          other = Toucher::blockOfLast(otherWord);
          if (other == writer) {
            otherWord = cell.firstReader;
            other = Toucher::blockOfFirst(otherWord);
          }
        }
        if (other != writer && checks(BOCHNER_SIM_CHECK_GLOBAL_RACES)) {
          block.report(BOCHNER_SIM_GLOBAL_RACE, Toucher::site(otherWord),
                       where() + ": " + at(other, otherWord) + " conflicts with " + at(writer, firstWrite) +
                           "; nothing orders blocks");
        } else if (uint64_t word = buffer.unwritten ? buffer.unwritten[i].load() : 0) {
          block.report(BOCHNER_SIM_UNINITIALIZED, Toucher::site(word),
                       at(Toucher::blockOfFirst(word), word) + " reads " + where() + " before it is written");
        }
      }
    }
  }
}

bochner_sim_status_t Launch::deliver() {
  std::vector<Report> merged;
  std::map<uint64_t, size_t> indices;
  uint64_t more = 0;
  auto add = [&](Report &report) {
    auto [entry, isNew] = indices.try_emplace(report.place, merged.size());
    if (!isNew && entry->second < merged.size())
      merged[entry->second].count += report.count;
    else if (merged.size() < reportLimit)
      merged.push_back(std::move(report));
    else
      more += report.count;
  };
  for (auto &[block, list] : reports)
    for (Report &report : list)
      add(report);
  if (!idle.empty()) {
    Block &block = *idle.front();
    block.reports.clear();
    block.reportOfPlace.clear();
    judgeGlobal(block);
    for (Report &report : block.reports)
      add(report);
  }
  if (request.report)
    for (const Report &report : merged) {
      bochner_sim_report_t out = {report.kind, kindName(report.kind), report.count, report.text.c_str()};
      request.report(request.user, &out);
    }
  if (request.counters)
    addCounters(*request.counters, counters);
  return outOfMemory ? BOCHNER_SIM_OUT_OF_MEMORY : merged.empty() ? BOCHNER_SIM_OK : BOCHNER_SIM_REPORTED;
}

bochner_sim_status_t Launch::run() {
  if (std::string text = problem(); !text.empty()) {
    bochner_sim_report_t report = {BOCHNER_SIM_LAUNCH, kindName(BOCHNER_SIM_LAUNCH), 1, text.c_str()};
    if (request.report)
      request.report(request.user, &report);
    return BOCHNER_SIM_INVALID;
  }
  if (!mapCells())
    return BOCHNER_SIM_OUT_OF_MEMORY;
  auto task = [](void *self, int64_t index) { static_cast<Launch *>(self)->runBlock(uint32_t(index)); };
  if (request.parallel_for)
    request.parallel_for(request.user, task, this, int64_t(blockCount));
  else
    for (uint64_t i = 0; i < blockCount; ++i)
      task(this, int64_t(i));
  return deliver();
}

//===----------------------------------------------------------------------===//
// What simulated code and the runtime call
//===----------------------------------------------------------------------===//

static Lane &laneOf(bochner_sim_lane_t *lane) { return *static_cast<Lane *>(lane); }

const bochner_sim_functions_t kFunctions = {
    /*access=*/[](bochner_sim_lane_t *lane, void *address, uint32_t site, uint32_t bits) {
      if (!laneOf(lane).trace.empty())
        laneOf(lane).owner->waitForCounters(laneOf(lane), site);
      return laneOf(lane).owner->access(laneOf(lane), static_cast<char *>(address), bits & 0xffff,
                                        1u << (bits >> 16 & 15), site, bits & BOCHNER_SIM_WRITE,
                                        bits & BOCHNER_SIM_ATOMIC);
    },
    /*step=*/[](bochner_sim_lane_t *lane, uint32_t site) { laneOf(lane).owner->countStep(laneOf(lane), site); },
    /*yield=*/[](bochner_sim_lane_t *lane, uint32_t site) { laneOf(lane).owner->yield(laneOf(lane), site); },
    /*barrier=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t kind, uint32_t id, uint32_t count, const uint32_t *in,
       uint32_t *out) { laneOf(lane).owner->barrier(laneOf(lane), site, kind, id, count, in, out); },
    /*warp=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, uint32_t key, uint32_t mask, const uint32_t *in,
       uint32_t *out) { laneOf(lane).owner->warp(laneOf(lane), site, operation, key, mask, in, out); },
    /*activemask=*/
    [](bochner_sim_lane_t *lane) { return laneOf(lane).owner->warpLive[lane->warp]; },
    /*cp_async=*/
    [](bochner_sim_lane_t *lane, uint32_t site, void *shared, const void *global, uint32_t size, uint32_t sourceSize) {
      laneOf(lane).owner->cpAsync(laneOf(lane), site, static_cast<char *>(shared), static_cast<const char *>(global),
                                  size, sourceSize);
    },
    /*group=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, uint32_t n) {
      laneOf(lane).owner->group(laneOf(lane), site, operation, n);
    },
    /*mbarrier=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, void *shared, uint64_t a, uint64_t b) {
      return laneOf(lane).owner->mbarrier(laneOf(lane), site, operation, static_cast<char *>(shared), a, b);
    },
    /*tma=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t operation, void *shared, void *barrier, const void *map,
       const int32_t *coordinates, uint32_t rank) {
      laneOf(lane).owner->tma(laneOf(lane), site, operation, static_cast<char *>(shared), static_cast<char *>(barrier),
                              map, coordinates, rank);
    },
    /*wgmma=*/
    [](bochner_sim_lane_t *lane, uint32_t site, uint32_t key, const uint32_t *in, uint32_t *out) {
      laneOf(lane).owner->wgmma(laneOf(lane), site, key, in, out);
    },
    /*clock=*/[](bochner_sim_lane_t *lane) { return laneOf(lane).owner->counters.accesses; },
    /*trap=*/
    [](bochner_sim_lane_t *lane, uint32_t site) {
      Block &block = *laneOf(lane).owner;
      block.report(BOCHNER_SIM_TRAP, site, block.who(laneOf(lane), site));
      block.abandon(laneOf(lane));
    },
};

static bochner_sim_status_t launchKernel(const bochner_sim_launch_t *request) {
  try {
    Launch launch(*request);
    return launch.run();
  } catch (const std::bad_alloc &) {
    return BOCHNER_SIM_OUT_OF_MEMORY;
  }
}

} // namespace bochner::sim

extern "C" __attribute__((visibility("default"))) const bochner_sim_interface_t *bochnerSimGetInterface(void) {
  static const bochner_sim_interface_t interface = {BOCHNER_SIM_INTERFACE_VERSION, bochner::sim::launchKernel};
  return &interface;
}
