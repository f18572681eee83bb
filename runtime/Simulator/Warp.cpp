//===- Warp.cpp - operations of a warp ------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shuffles, votes, reductions and matches. The last lane of the member mask to arrive computes the operation for all.
//
//===----------------------------------------------------------------------===//
#include "Matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace bochner::sim {

void Block::warp(Lane &lane, uint32_t site, uint32_t operation, uint32_t key, uint32_t mask, const uint32_t *in,
                 uint32_t *out) {
  blockIn(lane, Wait::warp, site, in, out);
  lane.operation = operation;
  lane.key = key;
  lane.mask = mask;
  warpWaiting[lane.warp] |= 1u << lane.lane;
  if (!(mask & warpLive[lane.warp] & ~warpWaiting[lane.warp]))
    tryWarp(lane.warp);
  suspend(lane);
}

/// Operations that all 32 lanes must execute together at one instruction.
static bool isAligned(uint32_t operation) { return operation >= BOCHNER_SIM_LDMATRIX; }

bool Block::tryWarp(uint32_t warp) {
  uint32_t begin = warp * kWarpSize, end = std::min(begin + kWarpSize, threads);
  for (uint32_t i = begin; i < end; ++i) {
    Lane &first = lanes[i];
    if (first.wait != Wait::warp)
      continue;
    uint32_t needed = first.mask & warpLive[warp];
    if (needed & ~warpWaiting[warp])
      continue;
    uint32_t got = 0;
    Lane *byLane[kWarpSize] = {};
    for (uint32_t rest = needed; rest; rest &= rest - 1) {
      uint32_t number = uint32_t(__builtin_ctz(rest));
      Lane &lane = lanes[begin + number];
      if (lane.wait == Wait::warp && lane.operation == first.operation && lane.key == first.key &&
          lane.mask == first.mask) {
        got |= 1u << number;
        byLane[number] = &lane;
      }
    }
    if (!(first.mask >> first.lane & 1)) {
      report(BOCHNER_SIM_DIVERGENT_WARP, first.site,
             who(first, first.site) +
                 format(" executes with the member mask 0x%08x, which lacks its lane", first.mask));
      got |= 1u << first.lane; // go on
      byLane[first.lane] = &first;
    } else if (needed != got) {
      continue;
    }
    members.clear();
    for (Lane *lane : byLane)
      if (lane)
        members.push_back(lane);
    runWarpOperation(first, byLane, got);
    releaseMembers();
    return true;
  }
  return false;
}

/// PTX ISA, shfl.sync: the lane that `lane` reads, and whether it is in range.
static bool sourceOfShuffle(uint32_t mode, uint32_t lane, uint32_t b, uint32_t c, uint32_t &source) {
  uint32_t clamp = c & 31, segment = c >> 8 & 31, delta = b & 31;
  int last = int((lane & segment) | (clamp & ~segment)), first = int(lane & segment), j = int(lane);
  bool inRange;
  switch (mode) {
  case 0:
    j -= int(delta);
    inRange = j >= last;
    break;
  case 1:
    j += int(delta);
    inRange = j <= last;
    break;
  case 2:
    j ^= int(delta);
    inRange = j <= last;
    break;
  default:
    j = int(uint32_t(first) | (delta & ~segment));
    inRange = j <= last;
  }
  source = inRange ? uint32_t(j) : lane;
  return inRange;
}

static void shuffle(Block &block, const std::vector<Lane *> &members, Lane *const *lanes) {
  uint32_t values[kWarpSize];
  bool inRange[kWarpSize];
  for (const Lane *lane : members) {
    uint32_t source;
    inRange[lane->lane] = sourceOfShuffle(lane->key, lane->lane, lane->in[1], lane->in[2], source);
    if (lanes[source]) {
      values[lane->lane] = lanes[source]->in[0];
      continue;
    }
    block.report(BOCHNER_SIM_INACTIVE_LANE, lane->site,
                 block.who(*lane, lane->site) + format(" reads lane %u, which does not take part", source));
    values[lane->lane] = 0xdeadbeef;
  }
  for (Lane *lane : members) {
    lane->out[0] = values[lane->lane];
    lane->out[1] = inRange[lane->lane];
  }
}

static void vote(const std::vector<Lane *> &members, uint32_t got) {
  uint32_t ballot = 0;
  for (const Lane *lane : members)
    ballot |= (lane->in[0] & 1) << lane->lane;
  for (Lane *lane : members)
    lane->out[0] = lane->key == 0   ? ballot == got
                   : lane->key == 1 ? ballot != 0
                   : lane->key == 2 ? ballot == got || !ballot
                                    : ballot;
}

static uint32_t reduce(uint32_t key, uint32_t a, uint32_t b) {
  switch (key) {
  case BOCHNER_SIM_REDUX_ADD:
    return a + b;
  case BOCHNER_SIM_REDUX_UMIN:
    return std::min(a, b);
  case BOCHNER_SIM_REDUX_UMAX:
    return std::max(a, b);
  case BOCHNER_SIM_REDUX_AND:
    return a & b;
  case BOCHNER_SIM_REDUX_OR:
    return a | b;
  case BOCHNER_SIM_REDUX_XOR:
    return a ^ b;
  case BOCHNER_SIM_REDUX_MIN:
    return uint32_t(std::min(int32_t(a), int32_t(b)));
  case BOCHNER_SIM_REDUX_MAX:
    return uint32_t(std::max(int32_t(a), int32_t(b)));
  case BOCHNER_SIM_REDUX_FMIN:
    return bitsOf(std::fmin(floatOf(a), floatOf(b)));
  default:
    return bitsOf(std::fmax(floatOf(a), floatOf(b)));
  }
}

static void match(const std::vector<Lane *> &members, uint32_t got) {
  uint32_t words = members[0]->key & 2 ? 2 : 1;
  for (Lane *lane : members) {
    uint32_t equal = 0;
    for (const Lane *other : members)
      if (!memcmp(lane->in, other->in, 4 * words))
        equal |= 1u << other->lane;
    bool all = lane->key & 1;
    lane->out[0] = all && equal != got ? 0 : equal;
    lane->out[1] = equal == got;
  }
}

/// Reports lanes that are missing or elsewhere. False if the operation cannot be computed.
static bool checkAligned(Block &block, const std::vector<Lane *> &members, const Lane &first, uint32_t got) {
  for (const Lane *lane : members)
    if (lane->site != first.site)
      block.report(BOCHNER_SIM_DIVERGENT_WARP, lane->site,
                   block.who(*lane, lane->site) + format(" meets lane %u, ", first.lane) + block.place(first.site));
  if (got == ~0u)
    return true;
  block.report(BOCHNER_SIM_DIVERGENT_WARP, first.site,
               block.who(first, first.site) + format(" requires all 32 lanes, but only 0x%08x take part", got));
  return false;
}

void Block::runWarpOperation(Lane &first, Lane *const *byLane, uint32_t got) {
  bool complete = !isAligned(first.operation) || checkAligned(*this, members, first, got);
  if (first.operation == BOCHNER_SIM_WARP_SYNC || !launch.checks(BOCHNER_SIM_STRICT_COLLECTIVES)) {
    bool whole = got == warpLive[first.warp];
    for (const Lane *lane : members)
      whole &= lane->clock.empty();
    if (whole)
      synchronizeWarp(members);
    else
      synchronize(members);
  }
  if (first.operation == BOCHNER_SIM_SHUFFLE)
    ++counters.shuffles;
  else if (first.operation != BOCHNER_SIM_MMA)
    ++counters.collectives;
  switch (first.operation) {
  case BOCHNER_SIM_WARP_SYNC:
    return;
  case BOCHNER_SIM_SHUFFLE:
    return shuffle(*this, members, byLane);
  case BOCHNER_SIM_VOTE:
    return vote(members, got);
  case BOCHNER_SIM_REDUX: {
    uint32_t value = members[0]->in[0];
    for (size_t i = 1; i < members.size(); ++i)
      value = reduce(first.key, value, members[i]->in[0]);
    for (Lane *lane : members)
      lane->out[0] = value;
    return;
  }
  case BOCHNER_SIM_MATCH:
    return match(members, got);
  case BOCHNER_SIM_ELECT:
    for (Lane *lane : members) {
      lane->out[0] = members[0]->lane;
      lane->out[1] = lane == members[0];
    }
    return;
  default:
    if (complete)
      runMatrixOperation(*this, first, byLane);
    else
      for (Lane *lane : members)
        if (lane->out)
          lane->out[0] = 0;
  }
}

} // namespace bochner::sim
