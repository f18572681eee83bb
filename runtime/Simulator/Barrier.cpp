//===- Barrier.cpp - barriers of a block ----------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// barrier.cta of all threads or of a count of them. The last thread to arrive lets the others go, and judges whether
// they stand where they should.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

namespace bochner::sim {

void Block::barrier(Lane &lane, uint32_t site, uint32_t kind, uint32_t id, uint32_t count, const uint32_t *in,
                    uint32_t *out) {
  if (id >= kBarriers || count % kWarpSize || count > kMaxThreads) {
    report(BOCHNER_SIM_BAD_BARRIER, site,
           who(lane, site) + format(" expects a barrier below 16 and a multiple of 32 threads, but got barrier %u and "
                                    "%u threads",
                                    id, count));
    id %= kBarriers;
  }
  NamedBarrier &named = barriers[id];
  lane.key = id;
  lane.operation = kind;
  if (count)
    named.count = count;
  if (kind == BOCHNER_SIM_BARRIER_ARRIVE) {
    lane.site = site;
    publish(lane, named.published);
    ++named.arrived;
    tryBarrier(id);
    return;
  }
  blockIn(lane, Wait::barrier, site, in, out);
  ++named.waiting;
  tryBarrier(id);
  suspend(lane);
}

/// Aligned barriers want the threads of a warp at one instruction; barriers of all threads want all of them there.
void Block::checkBarrierSites(const Lane &first, uint32_t id, bool all) {
  const Lane *ofWarp = nullptr;
  for (const Lane *lane : members) {
    if (!ofWarp || ofWarp->warp != lane->warp)
      ofWarp = lane;
    const Lane *other = all ? &first : ofWarp;
    if (lane->site == other->site)
      continue;
    report(BOCHNER_SIM_DIVERGENT_BARRIER, lane->site,
           who(*lane, lane->site) + " meets " + threadName(other->linear) + ", " + place(other->site) +
               format(" (barrier %u)", id));
    return;
  }
}

bool Block::tryBarrier(uint32_t id) {
  NamedBarrier &named = barriers[id];
  if (!named.waiting || named.waiting + named.arrived < (named.count ? named.count : alive))
    return false;
  members.clear();
  for (Lane &lane : lanes)
    if (lane.wait == Wait::barrier && lane.key == id)
      members.push_back(&lane);

  Lane &first = *members.front();
  checkBarrierSites(first, id, !named.count);
  if (!named.count && alive < threads) {
    uint32_t gone = 0;
    while (!lanes[gone].exited)
      ++gone;
    report(BOCHNER_SIM_BARRIER_AFTER_EXIT, first.site,
           format("%u threads of ", threads - alive) + blockName() + ", " + threadName(gone) +
               " among them, have exited while the others pass " + place(first.site));
  }
  uint32_t sum = 0, all = 1, any = 0;
  for (const Lane *lane : members)
    if (lane->operation != BOCHNER_SIM_BARRIER_SYNC) {
      uint32_t value = lane->in[0] & 1;
      sum += value;
      all &= value;
      any |= value;
    }
  for (Lane *lane : members)
    if (lane->operation != BOCHNER_SIM_BARRIER_SYNC)
      lane->out[0] = lane->operation == BOCHNER_SIM_BARRIER_POPC  ? sum
                     : lane->operation == BOCHNER_SIM_BARRIER_AND ? all
                                                                  : any;
  ++counters.barriers;
  synchronize(members);
  if (named.arrived)
    for (Lane *lane : members)
      acquire(*lane, named.published);
  named = {};
  releaseMembers();
  return true;
}

} // namespace bochner::sim
