//===- Memory.cpp - checks of accesses to memory --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds out what an address belongs to and checks alignment, bounds, initialization and, in shared memory, the order
// of accesses of different threads. An access that must not happen is redirected to zeroed scratch, so that the kernel
// goes on and the host survives.
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include <algorithm>
#include <cstring>

namespace bochner::sim {

void Block::initializeCells() {
  if (!launch.checks(BOCHNER_SIM_CHECK_SHARED_RACES | BOCHNER_SIM_CHECK_UNINITIALIZED)) {
    cells.clear();
    return;
  }
  cells.assign((sharedBytes >> cellShift) + 1, Cell{});
  if (!kernel.static_shared)
    return;
  // What lies between the buffers is nobody's.
  uint32_t end = kernel.static_shared >> cellShift;
  for (uint32_t cell = 0; cell < end; ++cell)
    cells[cell].flags = kHole;
  for (uint32_t i = 0; i < kernel.shared_count; ++i) {
    const bochner_sim_shared_t &buffer = kernel.shared[i];
    if (!buffer.size)
      continue;
    uint32_t last = (buffer.offset + buffer.size - 1) >> cellShift;
    for (uint32_t cell = buffer.offset >> cellShift; cell <= last; ++cell)
      cells[cell].flags = 0;
  }
}

std::string Block::nameOfShared(uint32_t offset) const {
  const bochner_sim_shared_t *best = nullptr;
  for (uint32_t i = 0; i < kernel.shared_count; ++i) {
    const bochner_sim_shared_t &buffer = kernel.shared[i];
    if (buffer.offset <= offset && (!best || buffer.offset >= best->offset))
      best = &buffer; // of buffers that begin before it, the last one: a buffer of size 0 is dynamic memory
  }
  if (!best)
    return format("shared memory at byte %u", offset);
  return format("'%s' at byte %u", kernel.strings + best->name, offset - best->offset);
}

void Block::reportRace(Lane &lane, const char *kind, uint32_t site, uint32_t offset, uint32_t other,
                       uint32_t otherSite) {
  if (!launch.checks(BOCHNER_SIM_CHECK_SHARED_RACES))
    return;
  report(BOCHNER_SIM_SHARED_RACE, site,
         std::string(kind) + " race on " + nameOfShared(offset) + ": " + who(lane, site) + " conflicts with " +
             threadName(other) + ", " + place(otherSite) + "; no barrier orders them");
}

/// Decides about the last unordered write to what another thread has written.
void Block::flushPending() {
  pending.on = false;
  if (pending.size <= sizeof pending.before && !memcmp(pending.before, arena + pending.offset, pending.size))
    ++counters.same_value_writes;
  else
    reportRace(*pending.lane, "write-after-write", pending.site, pending.offset, pending.otherThread,
               pending.otherSite);
}

/// Keeps reads of two warps if there are such: then a writer finds a conflict if there is one, whichever warp it is in.
static void recordRead(const Block &block, Cell &cell, const Lane &lane, uint32_t site) {
  auto set = [&](unsigned slot, uint16_t flag) {
    cell.reader[slot] = uint16_t(lane.linear);
    cell.readTime[slot] = lane.now;
    cell.readSite[slot] = site;
    cell.flags |= flag;
  };
  if (!(cell.flags & kHasRead0) || block.isOrdered(lane, cell.reader[0], cell.readTime[0]))
    return set(0, kHasRead0);
  bool keep = (cell.flags & kHasRead1) && cell.reader[1] / kWarpSize != cell.reader[0] / kWarpSize &&
              cell.reader[0] / kWarpSize == lane.warp && !block.isOrdered(lane, cell.reader[1], cell.readTime[1]);
  if (!keep)
    set(1, kHasRead1);
}

bool Block::accessShared(Lane &lane, uint32_t offset, uint32_t size, uint32_t site, bool write, bool atomic) {
  if (cells.empty())
    return true;
  for (uint32_t index = offset >> cellShift, last = (offset + size - 1) >> cellShift; index <= last; ++index) {
    Cell &cell = cells[index];
    uint32_t start = index << cellShift;
    if (cell.flags & (kHole | kInFlight)) {
      if (cell.flags & kHole)
        return false;
      report(BOCHNER_SIM_COPY_IN_FLIGHT, site,
             who(lane, site) + " touches " + nameOfShared(start) + " while the copy of " + threadName(cell.writer) +
                 ", " + place(cell.writeSite) + " is in flight; it must be awaited first");
      return true;
    }
    if (write && cell.flags >= kReading) {
      report(BOCHNER_SIM_WGMMA, site,
             who(lane, site) + " writes " + nameOfShared(start) + " while " + place(cell.readSite[0]) +
                 " may still read it; wgmma.wait_group must come first");
      cell.flags %= kReading;
    }
    bool ordered = !(cell.flags & kWritten) || isOrdered(lane, cell.writer, cell.writeTime);
    if (!ordered && !atomic) {
      if (!write) {
        reportRace(lane, "read-after-write", site, start, cell.writer, cell.writeSite);
        return true;
      }
      if (!pending.on) {
        pending.on = true;
        pending.offset = offset;
        pending.size = size;
        pending.site = site;
        pending.otherThread = cell.writer;
        pending.otherSite = cell.writeSite;
        pending.lane = &lane;
        memcpy(pending.before, arena + offset, std::min<size_t>(size, sizeof pending.before));
      }
    }
    if (!(cell.flags & kWritten) && (!write || atomic)) {
      if (launch.checks(BOCHNER_SIM_CHECK_UNINITIALIZED))
        report(BOCHNER_SIM_UNINITIALIZED, site,
               who(lane, site) + " reads " + nameOfShared(start) + ", which no thread of the block has written");
      if (!atomic)
        return true;
    }
    if (!write) {
      recordRead(*this, cell, lane, site);
      continue;
    }
    for (unsigned slot : {0, 1})
      if ((cell.flags & (slot ? kHasRead1 : kHasRead0)) && !isOrdered(lane, cell.reader[slot], cell.readTime[slot])) {
        reportRace(lane, "write-after-read", site, start, cell.reader[slot], cell.readSite[slot]);
        break;
      }
    cell.writeTime = lane.now;
    cell.writer = uint16_t(lane.linear);
    cell.writeSite = site;
    cell.flags = kWritten | kGeneric;
  }
  return true;
}

void Block::markInFlight(uint32_t offset, uint32_t size) {
  if (!cells.empty())
    for (uint32_t index = offset >> cellShift, last = (offset + size - 1) >> cellShift; index <= last; ++index)
      cells[index].flags |= kInFlight;
}

void Block::markWritten(uint32_t offset, uint32_t size, uint32_t thread, uint32_t at, uint32_t site, bool generic) {
  if (cells.empty())
    return;
  for (uint32_t index = offset >> cellShift, last = (offset + size - 1) >> cellShift; index <= last; ++index) {
    Cell &cell = cells[index];
    cell.flags = kWritten | (generic ? kGeneric : 0);
    cell.writer = uint16_t(thread);
    cell.writeTime = at;
    cell.writeSite = site;
  }
}

void Block::checkProxyFence(Lane &lane, uint32_t offset, uint32_t size, uint32_t site) {
  if (cells.empty())
    return;
  for (uint32_t index = offset >> cellShift, last = (offset + size - 1) >> cellShift; index <= last; ++index) {
    const Cell &cell = cells[index];
    if (!(cell.flags & kGeneric) || cell.writeTime < lanes[cell.writer].proxyFence || cell.writeTime < lane.proxyFence)
      continue;
    report(BOCHNER_SIM_PROXY_FENCE, site,
           who(lane, site) + " reads " + nameOfShared(index << cellShift) + ", written by " + threadName(cell.writer) +
               ", " + place(cell.writeSite) + ", without fence.proxy.async in between");
    return;
  }
}

void *Block::outOfBounds(Lane &lane, char *address, uint32_t size, uint32_t site) {
  std::string where;
  if (isShared(address)) {
    uint32_t offset = uint32_t(address - arena);
    where = offset + size <= sharedBytes
                ? format("%u bytes at ", size) + nameOfShared(offset) + ", behind its end"
                : format("%u bytes at byte %u of shared memory (%u bytes)", size, offset, sharedBytes);
  } else {
    where = launch.describeGlobal(address, size);
  }
  report(BOCHNER_SIM_OUT_OF_BOUNDS, site, who(lane, site) + ": " + where);
  memset(scratch, 0, std::min<size_t>(size, sizeof scratch));
  return scratch;
}

/// A row of ldmatrix or stmatrix: 16 bytes, counted by the caller.
void *Block::accessMatrixRow(Lane &lane, char *address, bool write) {
  ++counters.accesses;
  if (pending.on)
    flushPending();
  if (uintptr_t(address) & 15)
    report(BOCHNER_SIM_MISALIGNED, lane.site,
           who(lane, lane.site) + format(" requires an alignment of 16 bytes, but the address ends in 0x%02x",
                                         unsigned(uintptr_t(address) & 0xff)));
  uint32_t offset = uint32_t(address - arena);
  if (offset + 16 > sharedBytes || !accessShared(lane, offset, 16, lane.site, write, /*atomic=*/false))
    return outOfBounds(lane, address, 16, lane.site);
  return address;
}

void *Block::access(Lane &lane, char *address, uint32_t size, uint32_t alignment, uint32_t site, bool write,
                    bool atomic) {
  ++counters.accesses;
  if (pending.on)
    flushPending();
  if (uintptr_t(address) & (alignment - 1))
    report(BOCHNER_SIM_MISALIGNED, site,
           who(lane, site) + format(" requires an alignment of %u bytes, but the address ends in 0x%02x", alignment,
                                    unsigned(uintptr_t(address) & 0xff)));
  if (isShared(address)) {
    uint32_t offset = uint32_t(address - arena);
    if (offset + size > sharedBytes || !accessShared(lane, offset, size, site, write, atomic))
      return outOfBounds(lane, address, size, site);
    if (counts())
      lane.trace.push_back({offset, site, uint16_t(size), true, write});
    return address;
  }
  if (address >= lane.stackLow && address + size <= lane.stackHigh)
    return address;

  uint32_t &hint = bufferOfSite[site];
  auto inside = [&](uint32_t index) {
    return index && address >= launch.buffers[index - 1].low && address + size <= launch.buffers[index - 1].high;
  };
  if (!inside(hint)) {
    uint32_t found = launch.findBuffer(address);
    if (!inside(found))
      return outOfBounds(lane, address, size, site);
    hint = found;
  }
  GlobalBuffer &buffer = launch.buffers[hint - 1];
  if (write && !(buffer.info->flags & BOCHNER_SIM_BUFFER_WRITABLE)) {
    report(BOCHNER_SIM_READ_ONLY, site,
           who(lane, site) + format(" writes byte %zu of '%s'", size_t(address - buffer.low), buffer.info->name));
    memcpy(scratch, address, size);
    return scratch;
  }
  if (buffer.cells)
    launch.touchGlobal(lane, buffer, size_t(address - buffer.low), size, site, write, atomic);
  if (counts())
    lane.trace.push_back({uint64_t(address), site, uint16_t(size), false, write});
  if (atomic)
    ++counters.atomics;
  return address;
}

} // namespace bochner::sim
