//===- Tma.cpp - copies of tiles between global and shared memory ---------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async.bulk.tensor in tile mode, up to five dimensions, with the swizzles of 32, 64 and 128 bytes. A load happens
// when somebody waits on its mbarrier, a store when its group is awaited.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>
#include <cstring>

namespace bochner::sim {

static constexpr uint32_t kUnit = 16; // bytes that a swizzle moves together

static const char *problemOf(const bochner_sim_tensor_map_t &map, uint32_t rank) {
  if (map.magic != BOCHNER_SIM_TENSOR_MAP_MAGIC)
    return "expects a tensor map, but the address holds none";
  if (map.rank != rank)
    return "expects a tensor map of another rank";
  uint64_t inner = uint64_t(map.box[0]) * map.element_bytes;
  if (inner % kUnit)
    return "expects an innermost box of a multiple of 16 bytes";
  if (map.swizzle && inner > map.swizzle)
    return "expects an innermost box no wider than the swizzle";
  for (uint32_t i = 0; i < rank; ++i)
    if (!map.box[i] || map.box[i] > 256)
      return "expects boxes of 1 to 256 elements in each dimension";
  return nullptr;
}

/// The XOR of 16-byte units with rows of 128 bytes, which depends on the address.
static char *swizzle(char *address, uint32_t mode) {
  auto value = uintptr_t(address);
  uint32_t mask = mode == 128 ? 7 : mode == 64 ? 3 : mode == 32 ? 1 : 0;
  return reinterpret_cast<char *>(value ^ (((value >> 7) & mask) << 4));
}

/// Checks the shared side of a transfer. False if it cannot take place.
bool Block::prepareTransfer(Lane &lane, TmaTransfer &transfer, bool load) {
  uint32_t site = transfer.site, alignment = transfer.map ? 128 : kUnit;
  if (uintptr_t(transfer.shared) & (alignment - 1))
    report(BOCHNER_SIM_MISALIGNED, site,
           who(lane, site) +
               format(" requires an alignment of %u bytes in shared memory, but the address ends in 0x%02x", alignment,
                      unsigned(uintptr_t(transfer.shared) & 0xff)));
  uint32_t offset = uint32_t(transfer.shared - arena);
  if (!isShared(transfer.shared) || transfer.bytes > kArenaBytes || offset + transfer.bytes > sharedBytes ||
      !accessShared(lane, offset, transfer.bytes, site, load, false)) {
    outOfBounds(lane, transfer.shared, transfer.bytes, site);
    return false;
  }
  if (pending.on)
    flushPending();
  return true;
}

/// Rank 0 is a copy of coordinates[0] bytes from or to the address in the place of the map.
void Block::tma(Lane &lane, uint32_t site, uint32_t operation, char *shared, char *barrier, const void *descriptor,
                const int32_t *coordinates, uint32_t rank) {
  bool load = operation == BOCHNER_SIM_TMA_LOAD;
  TmaTransfer transfer = {shared, barrier, nullptr, {}, site, lane.linear, 0, nullptr};
  if (rank) {
    transfer.map = static_cast<const bochner_sim_tensor_map_t *>(descriptor);
    if (const char *problem = problemOf(*transfer.map, rank)) {
      report(BOCHNER_SIM_TENSOR_MAP, site, who(lane, site) + " " + problem);
      return;
    }
    transfer.bytes = transfer.map->element_bytes;
    for (uint32_t i = 0; i < rank; ++i) {
      transfer.coordinates[i] = coordinates[i];
      transfer.bytes *= transfer.map->box[i];
    }
  } else {
    transfer.global = static_cast<char *>(const_cast<void *>(descriptor));
    transfer.bytes = uint32_t(coordinates[0]);
    if (!transfer.bytes)
      return;
    if (transfer.bytes % kUnit || uintptr_t(transfer.global) % kUnit)
      report(BOCHNER_SIM_MISALIGNED, site,
             who(lane, site) + format(" requires multiples of 16 for size and address, but got %u bytes and an address "
                                      "that ends in 0x%02x",
                                      transfer.bytes, unsigned(uintptr_t(transfer.global) & 0xff)));
  }
  if (!prepareTransfer(lane, transfer, load))
    return;
  uint32_t offset = uint32_t(shared - arena);
  if (!load) {
    checkProxyFence(lane, offset, transfer.bytes, site);
    lane.stores.push_back(transfer);
    return;
  }
  if (!findBarrier(lane, site, barrier))
    return;
  markInFlight(offset, transfer.bytes);
  memset(shared, 0xff, transfer.bytes);
  transfers.push_back(transfer);
}

void Block::copyBulk(const TmaTransfer &transfer, bool load) {
  Lane &lane = lanes[transfer.thread];
  for (uint32_t done = 0, part; done < transfer.bytes; done += part) {
    part = std::min<uint32_t>(transfer.bytes - done, 1024);
    void *global = access(lane, transfer.global + done, part, 1, transfer.site, !load, false);
    char *shared = transfer.shared + done;
    memcpy(load ? shared : global, load ? global : shared, part);
  }
}

/// Calls row(global, shared, first, count) for each innermost row of the box: `count` elements from the `first` on lie
/// inside of the tensor.
template <typename Row> static void forEachRow(const TmaTransfer &transfer, Row row) {
  const bochner_sim_tensor_map_t &map = *transfer.map;
  uint32_t position[5] = {};
  uint32_t inner = map.box[0] * map.element_bytes;
  for (uint32_t done = 0; done < transfer.bytes; done += inner) {
    bool inside = true;
    char *global = static_cast<char *>(map.base);
    for (uint32_t d = 1; d < map.rank; ++d) {
      int64_t at = int64_t(transfer.coordinates[d]) + position[d];
      inside &= at >= 0 && at < int64_t(map.dims[d]);
      global += at * int64_t(map.strides[d - 1]);
    }
    int64_t start = transfer.coordinates[0], end = start + map.box[0];
    int64_t from = std::max<int64_t>(start, 0), to = std::min(end, int64_t(map.dims[0]));
    if (!inside || from >= to)
      row(global, transfer.shared + done, 0u, 0u);
    else
      row(global + from * map.element_bytes, transfer.shared + done, uint32_t(from - start), uint32_t(to - from));
    for (uint32_t d = 1; d < map.rank; ++d) {
      if (++position[d] < map.box[d])
        break;
      position[d] = 0;
    }
  }
}

void Block::loadTile(const TmaTransfer &transfer) {
  const bochner_sim_tensor_map_t &map = *transfer.map;
  Lane &lane = lanes[transfer.thread];
  uint32_t inner = map.box[0] * map.element_bytes;
  std::vector<char> line(inner);
  forEachRow(transfer, [&](char *global, char *shared, uint32_t first, uint32_t count) {
    std::fill(line.begin(), line.end(), 0);
    uint32_t bytes = count * map.element_bytes;
    if (bytes)
      memcpy(&line[first * map.element_bytes],
             access(lane, global, bytes, map.element_bytes, transfer.site, false, false), bytes);
    for (uint32_t i = 0; i < inner; i += kUnit)
      memcpy(swizzle(shared + i, map.swizzle), &line[i], kUnit);
  });
}

void Block::storeTile(const TmaTransfer &transfer) {
  const bochner_sim_tensor_map_t &map = *transfer.map;
  Lane &lane = lanes[transfer.thread];
  uint32_t inner = map.box[0] * map.element_bytes;
  std::vector<char> line(inner);
  forEachRow(transfer, [&](char *global, char *shared, uint32_t first, uint32_t count) {
    uint32_t bytes = count * map.element_bytes;
    if (!bytes)
      return;
    for (uint32_t i = 0; i < inner; i += kUnit)
      memcpy(&line[i], swizzle(shared + i, map.swizzle), kUnit);
    memcpy(access(lane, global, bytes, map.element_bytes, transfer.site, true, false), &line[first * map.element_bytes],
           bytes);
  });
}

void Block::completeStores(Lane &lane, uint32_t left) {
  while (lane.storeGroups.size() > left) {
    for (const TmaTransfer &store : lane.storeGroups.front())
      store.map ? storeTile(store) : copyBulk(store, /*load=*/false);
    lane.storeGroups.pop_front();
  }
}

/// Executes what is in flight for an mbarrier that somebody looks at.
void Block::completeTransfers(const char *barrier) {
  for (size_t i = 0; i < transfers.size();) {
    if (transfers[i].barrier != barrier) {
      ++i;
      continue;
    }
    TmaTransfer transfer = transfers[i];
    transfers.erase(transfers.begin() + ptrdiff_t(i));
    MBarrier &target = mbarriers[barrier];
    Lane &lane = lanes[transfer.thread];
    if (!transfer.bytes) { // cp.async.mbarrier.arrive
      completeCopies(lane, 0);
      arrive(lane, barrier, target, transfer.site, 1);
      continue;
    }
    transfer.map ? loadTile(transfer) : copyBulk(transfer, /*load=*/true);
    // The mbarrier publishes the data, not the thread that asked for it: a time of its own, which acquire() covers.
    markWritten(uint32_t(transfer.shared - arena), transfer.bytes, transfer.thread, time, transfer.site,
                /*generic=*/false);
    target.published.clock.resize(threads, 0);
    target.published.clock[transfer.thread] = std::max(target.published.clock[transfer.thread], ++time);
    target.bytes -= transfer.bytes;
    completePhase(barrier, target);
  }
}

} // namespace bochner::sim
