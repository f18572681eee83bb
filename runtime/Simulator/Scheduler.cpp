//===- Scheduler.cpp - runs the threads of a block as fibers --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread runs until it blocks in an operation or ends; then the next one that can run does, in order or, with a seed,
// in a random order. When nobody can run, the block is done, or threads wait for what never comes.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <cstring>
#include <sys/mman.h>

using namespace boost::context::detail;

namespace bochner::sim {

static constexpr size_t kPage = 4096, kStackBytes = 64 << 10, kCompactReady = 1 << 16;

Block::Block(Launch &launch)
    : launch(launch), kernel(*launch.request.kernel),
      threads(launch.request.block[0] * launch.request.block[1] * launch.request.block[2]),
      warps((threads + kWarpSize - 1) / kWarpSize), sharedBytes(kernel.static_shared + launch.request.dynamic_shared),
      cellShift(launch.cellShift) {}

Block::~Block() {
  if (stacks)
    munmap(stacks, stacksBytes);
  if (arenaMapping)
    munmap(arenaMapping, 2 * kArenaBytes);
}

/// Below 2 GiB, since kernels keep shared addresses in 32 bits, and aligned, since descriptors of wgmma keep 18 of
/// them.
char *Block::mapArena() {
  void *mapping = mmap(nullptr, 2 * kArenaBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return nullptr;
  arenaMapping = static_cast<char *>(mapping);
  return reinterpret_cast<char *>((uintptr_t(mapping) + kArenaBytes - 1) & ~uintptr_t(kArenaBytes - 1));
}

bool Block::allocate() {
  if (!(arena = mapArena()))
    return false;
  size_t stackBytes = (kStackBytes + kernel.stack_bytes + kPage - 1) / kPage * kPage + kPage;
  stacksBytes = stackBytes * threads;
  void *mapping =
      mmap(nullptr, stacksBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return false;
  stacks = static_cast<char *>(mapping);
  lanes.resize(threads);
  for (uint32_t i = 0; i < threads; ++i) {
    char *guard = stacks + i * stackBytes;
    mprotect(guard, kPage, PROT_NONE); // without it, an overflow is not found; nothing else depends on it
    lanes[i].stackLow = guard + kPage;
    lanes[i].stackHigh = guard + stackBytes;
  }
  bufferOfSite.assign(kernel.site_count, 0);
  warpWaiting.resize(warps);
  warpLive.resize(warps);
  return true;
}

void Block::reset(uint32_t blockIndex) {
  const bochner_sim_launch_t &request = launch.request;
  index = blockIndex;
  alive = threads;
  time = 1;
  idleYields = 0;
  givenUp = false;
  pending.on = false;
  mbarriers.clear();
  transfers.clear();
  wgmmaReads.clear();
  reports.clear();
  reportOfPlace.clear();
  counters = {};
  ready.clear();
  readyHead = 0;
  for (NamedBarrier &barrier : barriers)
    barrier = {};
  memset(arena, 0xff, sharedBytes); // what nobody has written is not zero
  initializeCells();
  random.seed(request.seed * 0x9e3779b97f4a7c15u + blockIndex);
  std::fill(warpWaiting.begin(), warpWaiting.end(), 0);
  std::fill(warpLive.begin(), warpLive.end(), 0);
  uint32_t block[3] = {blockIndex % request.grid[0], blockIndex / request.grid[0] % request.grid[1],
                       blockIndex / request.grid[0] / request.grid[1]};
  for (uint32_t i = 0; i < threads; ++i) {
    Lane &lane = lanes[i];
    static_cast<bochner_sim_lane &>(lane) = {};
    lane.functions = &kFunctions;
    lane.shared = arena;
    lane.thread[0] = i % request.block[0];
    lane.thread[1] = i / request.block[0] % request.block[1];
    lane.thread[2] = i / request.block[0] / request.block[1];
    memcpy(lane.block, block, sizeof block);
    memcpy(lane.block_dim, request.block, sizeof block);
    memcpy(lane.grid, request.grid, sizeof block);
    lane.lane = i % kWarpSize;
    lane.warp = i / kWarpSize;
    lane.warps = warps;
    lane.linear = i;
    lane.dynamic_shared = request.dynamic_shared;
    lane.total_shared = sharedBytes;
    lane.steps = int64_t(launch.stepLimit);
    lane.owner = this;
    lane.wait = Wait::none;
    lane.site = 0;
    lane.exited = false;
    lane.now = lane.floor = lane.warpFloor = 1;
    lane.proxyFence = 0;
    lane.clock.clear();
    lane.copies.clear();
    lane.groups.clear();
    lane.stores.clear();
    lane.storeGroups.clear();
    lane.trace.clear();
    lane.wgmmaOpen = lane.wgmmaGroups = lane.wgmmaCommitted = 0;
    lane.context = make_fcontext(lane.stackHigh, size_t(lane.stackHigh - lane.stackLow), fiberMain);
    warpLive[lane.warp] |= 1u << lane.lane;
    ready.push_back(i);
  }
}

void Block::fiberMain(transfer_t transfer) {
  Lane &lane = *static_cast<Lane *>(transfer.data);
  lane.owner->scheduler = transfer.fctx;
  lane.owner->kernel.entry(&lane, lane.owner->launch.request.parameters);
  lane.owner->finish(lane);
  jump_fcontext(lane.owner->scheduler, nullptr); // never resumed
}

/// Everything that a function on a fiber's stack owns is lost if the block is given up meanwhile.
void Block::suspend(Lane &lane) {
  if (pending.on)
    flushPending();
  scheduler = jump_fcontext(scheduler, nullptr).fctx;
}

void Block::abandon(Lane &lane) {
  givenUp = true;
  jump_fcontext(scheduler, nullptr);
  __builtin_unreachable();
}

void Block::makeReady(Lane &lane) {
  lane.wait = Wait::none;
  ready.push_back(lane.linear);
}

void Block::blockIn(Lane &lane, Wait wait, uint32_t site, const uint32_t *in, uint32_t *out) {
  lane.wait = wait;
  lane.site = site;
  lane.in = in;
  lane.out = out;
}

void Block::releaseMembers() {
  idleYields = 0;
  for (Lane *lane : members) {
    warpWaiting[lane->warp] &= ~(1u << lane->lane);
    makeReady(*lane);
  }
}

void Block::finish(Lane &lane) {
  if (pending.on)
    flushPending();
  lane.exited = true;
  lane.wait = Wait::gone;
  --alive;
  idleYields = 0;
  counters.mufu += lane.mufu;
  warpLive[lane.warp] &= ~(1u << lane.lane);
  if (lane.wgmmaOpen || lane.wgmmaGroups)
    report(BOCHNER_SIM_WGMMA, lane.wgmmaSite, who(lane, lane.wgmmaSite) + " is never awaited by wgmma.wait_group");
  std::vector<PendingCopy> *left = &lane.copies;
  if (left->empty() && !lane.groups.empty())
    left = &lane.groups.back();
  if (!left->empty())
    report(BOCHNER_SIM_COPY_NOT_AWAITED, left->front().site,
           who(lane, left->front().site) + " is never awaited by cp.async.wait_group");
  if (!lane.stores.empty() || !lane.storeGroups.empty()) {
    uint32_t site = lane.stores.empty() ? lane.storeGroups.front().front().site : lane.stores.front().site;
    report(BOCHNER_SIM_COPY_NOT_AWAITED, site, who(lane, site) + " is never awaited by cp.async.bulk.wait_group");
  }
  if (!alive)
    return;
  for (uint32_t id = 0; id < kBarriers; ++id)
    if (barriers[id].waiting)
      tryBarrier(id);
  tryWarp(lane.warp);
}

void Block::countStep(Lane &lane, uint32_t site) {
  report(BOCHNER_SIM_STEP_LIMIT, site,
         who(lane, site) + format(": gave up after %llu passes of loops", (unsigned long long)launch.stepLimit));
  abandon(lane);
}

/// Before an atomic or volatile access: whoever spins on it waits for another thread.
void Block::yield(Lane &lane, uint32_t site) {
  if (++idleYields > launch.idleLimit) {
    report(BOCHNER_SIM_STEP_LIMIT, site,
           who(lane, site) + format(": gave up after %llu atomic or volatile accesses of the block without progress",
                                    (unsigned long long)launch.idleLimit));
    abandon(lane);
  }
  lane.site = site;
  makeReady(lane);
  suspend(lane);
}

/// Makes threads ready that nothing but the end of everybody's work holds back. False if there are none.
bool Block::schedule() {
  if (counts())
    countTraces();
  bool some = false;
  for (Lane &lane : lanes)
    if (lane.wait == Wait::counters) {
      makeReady(lane);
      some = true;
    }
  if (some || !alive)
    return some;
  for (uint32_t warp = 0; warp < warps; ++warp)
    some |= tryWarp(warp);
  for (uint32_t id = 0; id < kBarriers; ++id)
    if (barriers[id].waiting)
      some |= tryBarrier(id);
  return some;
}

static std::string listThreads(const std::vector<uint32_t> &threads) {
  std::string text;
  size_t ranges = 0;
  for (size_t i = 0; i < threads.size(); ++ranges) {
    if (ranges == 8)
      return text + ", ...";
    size_t j = i;
    while (j + 1 < threads.size() && threads[j + 1] == threads[j] + 1)
      ++j;
    text += (text.empty() ? "" : ", ") + std::to_string(threads[i]);
    if (j > i)
      text += "-" + std::to_string(threads[j]);
    i = j + 1;
  }
  return text;
}

void Block::reportDeadlock() {
  std::map<std::string, std::vector<uint32_t>> groups;
  uint32_t site = 0;
  for (const Lane &lane : lanes) {
    if (!lane.exited && !site)
      site = lane.site;
    groups[lane.exited ? "have exited" : "wait in " + place(lane.site)].push_back(lane.linear);
  }
  std::string text = blockName();
  const char *separator = ": ";
  for (const auto &[what, threads] : groups) {
    text += separator + std::to_string(threads.size()) + " threads " + what + " (" + listThreads(threads) + ")";
    separator = "; ";
  }
  report(BOCHNER_SIM_DEADLOCK, site, text);
}

void Block::run(uint32_t blockIndex) {
  reset(blockIndex);
  while (!givenUp) {
    if (readyHead == ready.size()) {
      ready.clear();
      readyHead = 0;
      if (schedule())
        continue;
      if (alive)
        reportDeadlock();
      break;
    }
    if (readyHead == kCompactReady) { // warps that never wait for each other never drain the queue
      ready.erase(ready.begin(), ready.begin() + ptrdiff_t(readyHead));
      readyHead = 0;
    }
    if (launch.request.seed)
      std::swap(ready[readyHead], ready[readyHead + random() % (ready.size() - readyHead)]);
    Lane &lane = lanes[ready[readyHead++]];
    lane.context = jump_fcontext(lane.context, &lane).fctx;
  }
  for (const TmaTransfer &transfer : transfers)
    report(BOCHNER_SIM_COPY_NOT_AWAITED, transfer.site,
           threadName(transfer.thread) + " of " + blockName() + ", " + place(transfer.site) +
               " is never awaited on its mbarrier");
  counters.blocks = 1;
  counters.threads = threads;
}

} // namespace bochner::sim
