//===- Clock.cpp - what happened before what in a block -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Time is a counter of the block that each synchronization advances. As long as barriers join all threads, one number
// per thread says what it may rely on (Lane::floor); vector clocks appear with the first partial synchronization.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>

namespace bochner::sim {

void Block::synchronizeAll() {
  ++time;
  for (Lane &lane : lanes)
    if (!lane.exited)
      lane.now = lane.floor = time;
}

void Block::synchronizeWarp(const std::vector<Lane *> &members) {
  ++time;
  for (Lane *lane : members)
    lane->now = lane->warpFloor = time;
}

/// Adds what `lane` knows to a clock.
static void join(std::vector<uint32_t> &clock, const Lane &lane, uint32_t threads) {
  if (!lane.clock.empty())
    for (uint32_t i = 0; i < threads; ++i)
      clock[i] = std::max(clock[i], lane.clock[i]);
  uint32_t begin = lane.warp * kWarpSize, end = std::min(threads, begin + kWarpSize);
  for (uint32_t i = begin; i < end; ++i)
    clock[i] = std::max(clock[i], lane.warpFloor);
}

void Block::synchronize(const std::vector<Lane *> &members) {
  if (members.size() == threads) {
    synchronizeAll();
    return;
  }
  ++time;
  uint32_t floor = 0;
  std::vector<uint32_t> clock(threads, 0);
  for (const Lane *lane : members) {
    floor = std::max(floor, lane->floor);
    join(clock, *lane, threads);
  }
  for (const Lane *lane : members)
    clock[lane->linear] = time; // whatever it did has an earlier time
  for (Lane *lane : members) {
    lane->clock = clock;
    lane->floor = floor;
    lane->now = time;
  }
}

void Block::publish(Lane &lane, Published &published) {
  published.clock.resize(threads, 0);
  published.floor = std::max(published.floor, lane.floor);
  join(published.clock, lane, threads);
  published.clock[lane.linear] = lane.now = ++time;
}

void Block::acquire(Lane &lane, const Published &published) {
  lane.floor = std::max(lane.floor, published.floor);
  if (published.clock.empty())
    return;
  lane.clock.resize(threads, 0);
  for (uint32_t i = 0; i < threads; ++i)
    lane.clock[i] = std::max(lane.clock[i], published.clock[i]);
}

} // namespace bochner::sim
