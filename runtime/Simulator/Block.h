//===- Block.h - a simulated block of threads --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The state of a block while it runs. Each thread is a fiber (Lane); the scheduler runs one until it blocks in an
// operation that needs others, and the last thread to arrive computes the operation for all. A block runs on one
// thread of the host, so nothing in here is locked; what blocks share is in Launch.h.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_SIMULATOR_BLOCK_H
#define BOCHNER_RUNTIME_SIMULATOR_BLOCK_H

#include "Interface.h"
#include "Report.h"

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace bochner::sim {

class Block;
struct Launch;

constexpr uint32_t kArenaBytes = 256 << 10; // shared memory; also its alignment, so that descriptors decode
constexpr uint32_t kWarpSize = 32, kMaxThreads = 1024, kBarriers = 16, kWarpgroup = 128;
/// What a thread waits for.
enum class Wait : uint8_t { none, barrier, warp, mbarrier, wgmma, counters, gone };

struct PendingCopy {
  char *target;
  const char *source;
  uint32_t size, sourceSize, site;
};

/// One access of a thread to memory, kept for the counters until its warp has caught up.
struct TracedAccess {
  uint64_t address; // offset in shared memory, or a global address
  uint32_t site;
  uint16_t size;
  bool shared, write;
};

/// A load that completes on an mbarrier, or a store that a group waits for; the arrival of cp.async has no map.
struct TmaTransfer {
  char *shared;
  const char *barrier;
  const bochner_sim_tensor_map_t *map;
  int32_t coordinates[5];
  uint32_t site, thread, bytes;
  char *global; // of a copy without a map
};

struct Lane : bochner_sim_lane {
  Block *owner;
  boost::context::detail::fcontext_t context;
  char *stackLow, *stackHigh;

  // The operation that the thread is blocked in, or was last.
  Wait wait;
  uint32_t operation, key, mask, site;
  const uint32_t *in;
  uint32_t *out;
  const char *barrier; // mbarrier
  bool exited;

  // Happens-before. Accesses with a time below `floor` happened before whatever this thread does now; `warpFloor` is
  // the same for threads of the own warp only; `clock[t]`, if there is one, for thread t.
  uint32_t now, floor, warpFloor;
  uint32_t proxyFence; // the time of its last fence.proxy.async
  std::vector<uint32_t> clock;

  std::vector<PendingCopy> copies;             // not committed
  std::deque<std::vector<PendingCopy>> groups; // of cp.async
  std::vector<TracedAccess> trace;
  uint64_t stepsLeft;
  std::vector<TmaTransfer> stores;                  // of TMA, not committed
  std::deque<std::vector<TmaTransfer>> storeGroups; // committed
  // Operations since the last commit, groups in flight, groups in all.
  uint32_t wgmmaOpen, wgmmaGroups, wgmmaCommitted, wgmmaSite;
};

/// Shadow of one granule of shared memory: its last write and two reads by threads of different warps, if possible.
struct Cell {
  uint32_t writeTime, readTime[2];
  uint32_t writeSite, readSite[2];
  uint16_t writer, reader[2];
  uint16_t flags;
};
/// kReading counts the wgmma operations, in the upper byte, that may still read the granule. kGeneric: written by an
/// ordinary store or cp.async, which TMA and wgmma see only behind a fence.
enum CellFlags : uint16_t {
  kWritten = 1,
  kInFlight = 2,
  kHasRead0 = 4,
  kHasRead1 = 8,
  kHole = 16,
  kGeneric = 32,
  kReading = 256
};

/// What threads knew when they arrived somewhere, for those that wait there.
struct Published {
  uint32_t floor = 0;
  std::vector<uint32_t> clock;
};

struct MBarrier {
  uint32_t expected = 0, pending = 0;
  int64_t bytes = 0;
  uint64_t phase = 0;
  Published published;
};

/// Shared memory that a wgmma of a warpgroup reads until the group is awaited.
struct WgmmaRead {
  uint32_t warpgroup, group, offset, size;
};

/// A barrier of the block and the arrivals of barrier.arrive, which do not block.
struct NamedBarrier {
  uint32_t waiting = 0, arrived = 0, count = 0;
  Published published;
};

class Block {
public:
  explicit Block(Launch &launch);
  ~Block();
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  /// False if memory ran out.
  bool allocate();
  /// Runs one block of the grid from its beginning to its end.
  void run(uint32_t index);

  // Scheduling (Scheduler.cpp)
  void suspend(Lane &lane);
  void makeReady(Lane &lane);
  void blockIn(Lane &lane, Wait wait, uint32_t site, const uint32_t *in, uint32_t *out);
  /// Gives the block up from within a fiber; does not return.
  [[noreturn]] void abandon(Lane &lane);
  void finish(Lane &lane);
  void countStep(Lane &lane, uint32_t site);
  void yield(Lane &lane, uint32_t site);

  // Happens-before (Clock.cpp)
  bool isOrdered(const Lane &lane, uint32_t thread, uint32_t time) const {
    return thread == lane.linear || time < lane.floor || (thread / kWarpSize == lane.warp && time < lane.warpFloor) ||
           (!lane.clock.empty() && time < lane.clock[thread]);
  }
  void synchronizeAll();
  void synchronizeWarp(const std::vector<Lane *> &members);
  void synchronize(const std::vector<Lane *> &members);
  void publish(Lane &lane, Published &published);
  void acquire(Lane &lane, const Published &published);

  // Memory (Shared.cpp, Global.cpp)
  void *access(Lane &lane, char *address, uint32_t size, uint32_t alignment, uint32_t site, bool write, bool atomic);
  void *accessMatrixRow(Lane &lane, char *address, bool write);
  bool isShared(const void *address) const {
    return uint64_t(static_cast<const char *>(address) - arena) < kArenaBytes;
  }
  /// False if the access hits bytes between two buffers.
  bool accessShared(Lane &lane, uint32_t offset, uint32_t size, uint32_t site, bool write, bool atomic);
  void reportRace(Lane &lane, const char *kind, uint32_t site, uint32_t offset, uint32_t other, uint32_t otherSite);
  void markInFlight(uint32_t offset, uint32_t size);
  void markWritten(uint32_t offset, uint32_t size, uint32_t thread, uint32_t time, uint32_t site, bool generic);
  /// Before TMA or wgmma read shared memory: what ordinary stores wrote needs a fence by the writer, or by the reader.
  void checkProxyFence(Lane &lane, uint32_t offset, uint32_t size, uint32_t site);
  void *outOfBounds(Lane &lane, char *address, uint32_t size, uint32_t site);
  void flushPending();
  std::string nameOfShared(uint32_t offset) const;

  // Operations
  void barrier(Lane &lane, uint32_t site, uint32_t kind, uint32_t id, uint32_t count, const uint32_t *in,
               uint32_t *out); // Barrier.cpp
  bool tryBarrier(uint32_t id);
  void warp(Lane &lane, uint32_t site, uint32_t operation, uint32_t key, uint32_t mask, const uint32_t *in,
            uint32_t *out); // Warp.cpp
  bool tryWarp(uint32_t warp);
  void cpAsync(Lane &lane, uint32_t site, char *shared, const char *global, uint32_t size, uint32_t sourceSize);
  void group(Lane &lane, uint32_t site, uint32_t operation, uint32_t n); // Async.cpp
  uint64_t mbarrier(Lane &lane, uint32_t site, uint32_t operation, char *shared, uint64_t a, uint64_t b);
  void tma(Lane &lane, uint32_t site, uint32_t operation, char *shared, char *barrier, const void *map,
           const int32_t *coordinates, uint32_t rank); // Tma.cpp
  void completeTransfers(const char *barrier);
  void completePhase(const char *address, MBarrier &barrier);
  bool prepareTransfer(Lane &lane, TmaTransfer &transfer, bool load);
  void loadTile(const TmaTransfer &transfer);
  void copyBulk(const TmaTransfer &transfer, bool load);
  void storeTile(const TmaTransfer &transfer);
  void completeStores(Lane &lane, uint32_t left);
  void completeCopies(Lane &lane, uint32_t left);
  MBarrier *findBarrier(Lane &lane, uint32_t site, char *address);
  void arrive(Lane &lane, const char *address, MBarrier &barrier, uint32_t site, uint32_t count);
  void wgmma(Lane &lane, uint32_t site, uint32_t key, const uint32_t *in, uint32_t *out); // Wgmma.cpp
  void beginRead(const Lane &lane, uint32_t offset, uint32_t size);
  void endReads(const Lane &lane, uint32_t left);

  // Counters (Trace.cpp)
  /// Called before an access, while nothing is half done.
  void waitForCounters(Lane &lane, uint32_t site);
  void countTraces();
  void countMma(uint32_t key);
  void countMatrixRows(const uint64_t *addresses, uint32_t tiles);
  bool counts() const;

  // Reports
  void report(bochner_sim_report_kind_t kind, uint32_t site, const std::string &text);
  std::string place(uint32_t site) const;                 // "load at file:3:4"
  std::string threadName(uint32_t linear) const;          // "thread (1,0,0)"
  std::string who(const Lane &lane, uint32_t site) const; // "thread (1,0,0) of block (0,0,0), load at file:3:4"
  std::string blockName() const;

  Launch &launch;
  const bochner_sim_kernel_t &kernel;
  uint32_t threads, warps, sharedBytes, cellShift;
  uint32_t index = 0; // of the block in the grid
  char *arena = nullptr;
  std::vector<Lane> lanes;
  uint32_t alive = 0;
  uint32_t time = 1;
  uint64_t idleYields = 0;                     // of all threads, since the last operation was completed
  std::vector<uint32_t> warpWaiting, warpLive; // bits of lanes blocked in an operation of the warp; not exited
  std::vector<Cell> cells;
  bochner_sim_counters_t counters = {};
  std::map<const char *, MBarrier> mbarriers;
  std::vector<TmaTransfer> transfers;
  std::vector<WgmmaRead> wgmmaReads;
  std::vector<Report> reports;
  std::map<uint64_t, size_t> reportOfPlace;
  std::vector<uint32_t> bufferOfSite; // 1 + index of the last buffer, a hint
  alignas(64) char scratch[4096];

private:
  void reset(uint32_t index);
  void initializeCells();
  bool schedule();
  void reportDeadlock();
  static void fiberMain(boost::context::detail::transfer_t transfer);
  char *mapArena();

  /// A write that conflicts with an unordered write, unless it turns out to store the value that is there.
  struct {
    bool on = false;
    uint32_t offset, size, site, otherThread, otherSite;
    Lane *lane;
    char before[64];
  } pending;
  std::vector<uint32_t> ready;
  size_t readyHead = 0;
  boost::context::detail::fcontext_t scheduler = nullptr;
  bool givenUp = false;
  std::mt19937_64 random;
  NamedBarrier barriers[kBarriers];
  char *stacks = nullptr, *arenaMapping = nullptr;
  size_t stacksBytes = 0;
  std::vector<Lane *> members; // of an operation; kept to save allocations

  void releaseMembers();
  void runWarpOperation(Lane &first, Lane *const *lanes, uint32_t got);
  void checkBarrierSites(const Lane &first, uint32_t id, bool all);
  void wakeWaiters(const char *address, const MBarrier &barrier);
};

} // namespace bochner::sim

#endif // BOCHNER_RUNTIME_SIMULATOR_BLOCK_H
