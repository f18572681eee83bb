//===- Async.cpp - cp.async and mbarriers ---------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies are adversarial: the destination holds garbage from the issue on, and the data arrives at the wait that the
// kernel relies on, not earlier. An mbarrier's state lives in the block; its word in shared memory is opaque.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>
#include <cstring>

namespace bochner::sim {

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

void Block::cpAsync(Lane &lane, uint32_t site, char *shared, const char *global, uint32_t size, uint32_t sourceSize) {
  if (sourceSize > size)
    sourceSize = size;
  if (sourceSize)
    global = static_cast<const char *>(access(lane, const_cast<char *>(global), sourceSize, size, site, false, false));
  if (!isShared(shared)) {
    outOfBounds(lane, shared, size, site);
    return;
  }
  if (access(lane, shared, size, size, site, true, false) != shared)
    return;
  if (pending.on)
    flushPending();
  memset(shared, 0xff, size);
  markInFlight(uint32_t(shared - arena), size);
  lane.copies.push_back({shared, global, size, sourceSize, site});
}

static void finishCopies(Block &block, Lane &lane, const std::vector<PendingCopy> &copies) {
  for (const PendingCopy &copy : copies) {
    if (copy.sourceSize)
      memcpy(copy.target, copy.source, copy.sourceSize);
    memset(copy.target + copy.sourceSize, 0, copy.size - copy.sourceSize);
    block.markWritten(uint32_t(copy.target - block.arena), copy.size, lane.linear, lane.now, copy.site,
                      /*generic=*/true);
  }
}

/// Lets at most `left` committed groups stay in flight.
void Block::completeCopies(Lane &lane, uint32_t left) {
  while (lane.groups.size() > left) {
    finishCopies(*this, lane, lane.groups.front());
    lane.groups.pop_front();
  }
  while (!lane.groups.empty() && lane.groups.back().empty() && lane.groups.size() > left)
    lane.groups.pop_back();
}

void Block::group(Lane &lane, uint32_t site, uint32_t operation, uint32_t n) {
  switch (operation) {
  case BOCHNER_SIM_CP_ASYNC_COMMIT:
    lane.groups.push_back(std::move(lane.copies));
    lane.copies.clear();
    return;
  case BOCHNER_SIM_CP_ASYNC_WAIT:
    return completeCopies(lane, n);
  case BOCHNER_SIM_CP_ASYNC_WAIT_ALL:
    lane.groups.push_back(std::move(lane.copies));
    lane.copies.clear();
    return completeCopies(lane, 0);
  case BOCHNER_SIM_BULK_COMMIT:
    if (!lane.stores.empty())
      lane.storeGroups.push_back(std::move(lane.stores));
    lane.stores.clear();
    return;
  case BOCHNER_SIM_BULK_WAIT:
  case BOCHNER_SIM_BULK_WAIT_READ:
    return completeStores(lane, n);
  case BOCHNER_SIM_WGMMA_COMMIT:
    if (lane.wgmmaOpen) {
      ++lane.wgmmaGroups;
      ++lane.wgmmaCommitted;
    }
    lane.wgmmaOpen = 0;
    return;
  case BOCHNER_SIM_WGMMA_WAIT:
    endReads(lane, n);
    lane.wgmmaGroups = std::min(lane.wgmmaGroups, n);
    return;
  case BOCHNER_SIM_FENCE_PROXY:
    lane.now = lane.proxyFence = ++time;
    return;
  default: // fences: operations are executed in order
    return;
  }
}

//===----------------------------------------------------------------------===//
// mbarrier
//===----------------------------------------------------------------------===//

MBarrier *Block::findBarrier(Lane &lane, uint32_t site, char *address) {
  auto found = mbarriers.find(address);
  if (found == mbarriers.end()) {
    report(BOCHNER_SIM_MBARRIER, site,
           who(lane, site) + " uses " +
               (isShared(address) ? nameOfShared(uint32_t(address - arena)) : std::string("memory outside the block")) +
               ", which is no initialized mbarrier");
    return nullptr;
  }
  accessShared(lane, uint32_t(address - arena), 8, site, /*write=*/false, /*atomic=*/false); // ordered after init
  return &found->second;
}

void Block::wakeWaiters(const char *address, const MBarrier &barrier) {
  for (Lane &lane : lanes)
    if (lane.wait == Wait::mbarrier && lane.barrier == address && lane.key != (barrier.phase & 1))
      makeReady(lane);
}

void Block::completePhase(const char *address, MBarrier &barrier) {
  if (barrier.pending || barrier.bytes)
    return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  idleYields = 0;
  wakeWaiters(address, barrier);
}

void Block::arrive(Lane &lane, const char *address, MBarrier &barrier, uint32_t site, uint32_t count) {
  if (barrier.pending < count) {
    report(BOCHNER_SIM_MBARRIER, site,
           who(lane, site) +
               format(" arrives %u times, but the phase expects only %u more arrivals", count, barrier.pending));
    return;
  }
  publish(lane, barrier.published);
  barrier.pending -= count;
  completePhase(address, barrier);
}

uint64_t Block::mbarrier(Lane &lane, uint32_t site, uint32_t operation, char *shared, uint64_t a, uint64_t b) {
  if (operation == BOCHNER_SIM_MBARRIER_INIT) {
    if (!isShared(shared) || access(lane, shared, 8, 8, site, true, false) != shared)
      return 0;
    if (pending.on)
      flushPending();
    if (!a || a >= 1 << 20)
      report(BOCHNER_SIM_MBARRIER, site,
             who(lane, site) + format(" expects a count between 1 and 2^20 - 1, but got %llu", (unsigned long long)a));
    MBarrier &barrier = mbarriers[shared];
    barrier = {};
    barrier.expected = barrier.pending = uint32_t(a);
    memset(shared, 0x5a, 8); // opaque
    return 0;
  }
  MBarrier *barrier = findBarrier(lane, site, shared);
  if (!barrier)
    return 1;
  switch (operation) {
  case BOCHNER_SIM_MBARRIER_INVAL:
    mbarriers.erase(shared);
    return 0;
  case BOCHNER_SIM_MBARRIER_EXPECT:
    barrier->bytes += int64_t(a);
    return 0;
  case BOCHNER_SIM_MBARRIER_ARRIVE: {
    uint64_t state = barrier->phase;
    barrier->bytes += int64_t(a);
    arrive(lane, shared, *barrier, site, uint32_t(b));
    return state;
  }
  case BOCHNER_SIM_MBARRIER_CP_ASYNC:
    // The arrival takes place when somebody looks; see completeTransfers.
    if (!a)
      ++barrier->pending;
    lane.groups.push_back(std::move(lane.copies));
    lane.copies.clear();
    transfers.push_back({nullptr, shared, nullptr, {}, site, lane.linear, 0, nullptr});
    return 0;
  default:
    break;
  }
  bool test = operation == BOCHNER_SIM_MBARRIER_TEST || operation == BOCHNER_SIM_MBARRIER_TEST_PARITY;
  bool parity = operation == BOCHNER_SIM_MBARRIER_TEST_PARITY || operation == BOCHNER_SIM_MBARRIER_WAIT_PARITY;
  uint32_t wanted = uint32_t(a & 1); // the phase with this parity must be over
  auto isOver = [&] { return parity ? (barrier->phase & 1) != wanted : barrier->phase > a; };
  completeTransfers(shared);
  if (test && !isOver()) {
    yield(lane, site);
    completeTransfers(shared);
  }
  if (!test)
    while (!isOver()) {
      blockIn(lane, Wait::mbarrier, site, nullptr, nullptr);
      lane.key = wanted;
      lane.barrier = shared;
      suspend(lane);
      completeTransfers(shared);
    }
  if (!isOver())
    return 0;
  acquire(lane, barrier->published);
  return 1;
}

} // namespace bochner::sim
