//===- Wgmma.cpp - matrix products of a warpgroup -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma.mma_async: the last of 128 threads to arrive computes D = A B + D with B, and A unless it is in registers, read
// from shared memory through descriptors (PTX ISA, matrix-descriptor format). The product is complete at once, but
// the operands count as being read until wgmma.wait_group.
//
//===----------------------------------------------------------------------===//
#include "Matrix.h"

#include <algorithm>
#include <cstring>

namespace bochner::sim {

namespace {
struct Shape {
  explicit Shape(uint32_t key)
      : columns((key >> 4) % 64 * 8), depth((key >> 10) % 16 * 4), type(bochner_sim_type_t(key >> 14 & 7)),
        result(bochner_sim_type_t(key >> 23 & 7)), elementBytes(type == BOCHNER_SIM_TF32 ? 4 : 2),
        resultWords(result == BOCHNER_SIM_F32 ? columns / 2 : columns / 4) {}
  uint32_t columns, depth;
  bochner_sim_type_t type, result;
  uint32_t elementBytes, resultWords;

  float convert(uint32_t bits) const {
    return type == BOCHNER_SIM_F16    ? halfToFloat(bits & 0xffff)
           : type == BOCHNER_SIM_BF16 ? bfloatToFloat(bits & 0xffff)
                                      : tf32ToFloat(bits);
  }
};

constexpr uint32_t kRows = 64, kMaxColumns = 256, kMaxDepth = 16;

/// An operand in shared memory: rows of the result's dimension, columns along k.
struct Operand {
  uint64_t descriptor;
  bool transposed; // contiguous along the rows

  uint32_t start() const { return uint32_t(descriptor & 0x3fff) << 4; }
  uint32_t leading() const { return uint32_t(descriptor >> 16 & 0x3fff) << 4; }
  uint32_t stride() const { return uint32_t(descriptor >> 32 & 0x3fff) << 4; }
  uint32_t swizzle() const { // bytes
    static constexpr uint32_t widths[] = {0, 128, 64, 32};
    return widths[descriptor >> 62];
  }
  /// Offset in shared memory of the 16-byte unit that holds an element, before swizzling.
  uint32_t unit(uint32_t row, uint32_t column, uint32_t elementBytes) const {
    uint32_t width = swizzle(), bytes = column * elementBytes;
    if (transposed) {
      uint32_t along = row * elementBytes;
      return start() + along / width * leading() + column / 8 * stride() + column % 8 * width + along % width;
    }
    if (!width)
      return start() + row / 8 * stride() + bytes / 16 * leading() + row % 8 * 16;
    return start() + row / 8 * stride() + row % 8 * width + bytes;
  }
  uint32_t swizzled(uint32_t offset) const {
    uint32_t mask = swizzle() ? swizzle() / 16 - 1 : 0;
    return offset ^ ((offset >> 7 & mask) << 4);
  }
};
} // namespace

/// Reads an operand in units of 16 bytes, each checked once as an access of `lane`; they stay under reading until the
/// group of the operation is awaited.
static void fetch(Block &block, Lane &lane, const Shape &shape, const Operand &operand, uint32_t rows,
                  float (*matrix)[kMaxDepth]) {
  uint32_t perUnit = 16 / shape.elementBytes;
  std::vector<uint32_t> ranges;
  uint32_t rowStep = operand.transposed ? perUnit : 1, columnStep = operand.transposed ? 1 : perUnit;
  for (uint32_t row = 0; row < rows; row += rowStep)
    for (uint32_t column = 0; column < shape.depth; column += columnStep) {
      uint32_t offset = operand.swizzled(operand.unit(row, column, shape.elementBytes)) % kArenaBytes;
      if (offset + 16 <= block.sharedBytes)
        block.checkProxyFence(lane, offset, 16, lane.site);
      if (offset + 16 <= block.sharedBytes)
        ranges.push_back(offset);
      auto *unit = static_cast<char *>(block.access(lane, block.arena + offset, 16, 16, lane.site, false, false));
      for (uint32_t i = 0; i < perUnit; ++i) {
        uint32_t bits = 0;
        memcpy(&bits, unit + i * shape.elementBytes, shape.elementBytes);
        uint32_t r = operand.transposed ? row + i : row, c = operand.transposed ? column : column + i;
        matrix[r][c] = shape.convert(bits);
      }
    }
  for (uint32_t offset : ranges)
    block.beginRead(lane, offset, 16);
}

/// Registers of A: the fragments of mma.m16n8k16, 16 rows a warp.
static void unpackRegisters(const Shape &shape, Lane *group, uint32_t words, float (*matrix)[kMaxDepth]) {
  uint32_t perRegister = 4 / shape.elementBytes, bits = 8 * shape.elementBytes;
  for (uint32_t i = 0; i < kWarpgroup; ++i) {
    const uint32_t *in = group[i].in + words;
    uint32_t g = i % kWarpSize / 4, t = i % 4, base = i / kWarpSize * 16;
    for (uint32_t r = 0; r < 4; ++r)
      for (uint32_t j = 0; j < perRegister; ++j)
        matrix[base + g + 8 * (r & 1)][t * perRegister + j + (r >> 1) * 4 * perRegister] =
            shape.convert(perRegister == 1 ? in[r] : in[r] >> (bits * j) & 0xffff);
  }
}

static void multiply(Block &block, Lane *group, const Shape &shape, uint32_t key, uint32_t site) {
  static_assert(kWarpgroup == 128);
  const uint32_t *in = group[0].in;
  uint32_t words = shape.resultWords;
  bool registerA = key & BOCHNER_SIM_WGMMA_REGISTER_A;
  uint32_t at = words + (registerA ? 4 : 0), uniform = registerA ? 3 : 5; // words that must be equal in all threads
  for (uint32_t i = 1; i < kWarpgroup; ++i)
    if (memcmp(group[i].in + at, in + at, 4 * uniform)) {
      block.report(BOCHNER_SIM_WGMMA, site,
                   block.who(group[i], site) + " has other descriptors than " + block.threadName(group[0].linear));
      break;
    }
  auto descriptor = [&](uint32_t word) {
    uint64_t value;
    memcpy(&value, in + word, 8);
    return value;
  };
  Operand a = {registerA ? 0 : descriptor(words), bool(key & BOCHNER_SIM_WGMMA_TRANSPOSE_A)};
  Operand b = {descriptor(registerA ? words + 4 : words + 2), bool(key & BOCHNER_SIM_WGMMA_TRANSPOSE_B)};
  for (const Operand *operand : {&a, &b})
    if (operand->transposed && !operand->swizzle() && !(operand == &a && registerA)) {
      block.report(BOCHNER_SIM_WGMMA, site,
                   block.who(group[0], site) + " has a transposed operand without swizzle, which is not simulated");
      return;
    }
  std::vector<float> storage((kRows + kMaxColumns) * kMaxDepth);
  auto *matrixA = reinterpret_cast<float (*)[kMaxDepth]>(storage.data());
  auto *matrixB = reinterpret_cast<float (*)[kMaxDepth]>(storage.data() + kRows * kMaxDepth);
  if (registerA)
    unpackRegisters(shape, group, words, matrixA);
  else
    fetch(block, group[0], shape, a, kRows, matrixA);
  fetch(block, group[0], shape, b, shape.columns, matrixB);

  bool readD = in[at + uniform - 1] & 1;
  float sign = !(key & BOCHNER_SIM_WGMMA_NEGATE_A) == !(key & BOCHNER_SIM_WGMMA_NEGATE_B) ? 1.0f : -1.0f;
  for (uint32_t i = 0; i < kWarpgroup; ++i) {
    Lane &lane = group[i];
    uint32_t g = i % kWarpSize / 4, t = i % 4, base = i / kWarpSize * 16;
    for (uint32_t e = 0; e < shape.columns / 2; ++e) {
      const float *x = matrixA[base + g + 8 * (e >> 1 & 1)], *y = matrixB[8 * (e >> 2) + 2 * t + (e & 1)];
      float sum = 0, old = 0;
      for (uint32_t k = 0; k < shape.depth; ++k)
        sum += x[k] * y[k];
      uint32_t shift = 16 * (e & 1);
      if (readD)
        old = shape.result == BOCHNER_SIM_F32 ? floatOf(lane.in[e]) : halfToFloat(lane.in[e >> 1] >> shift & 0xffff);
      float value = old + sign * sum;
      if (shape.result == BOCHNER_SIM_F32) {
        lane.out[e] = bitsOf(value);
      } else {
        uint32_t &word = lane.out[e >> 1];
        word = (word & ~(0xffffu << shift)) | uint32_t(floatToHalf(value)) << shift;
      }
    }
  }
}

void Block::beginRead(const Lane &lane, uint32_t offset, uint32_t size) {
  if (cells.empty())
    return;
  wgmmaReads.push_back({lane.linear / kWarpgroup, lane.wgmmaCommitted, offset, size});
  for (uint32_t index = offset >> cellShift, last = (offset + size - 1) >> cellShift; index <= last; ++index)
    if (cells[index].flags < 0xff00)
      cells[index].flags += kReading;
}

/// The first thread of a warpgroup that waits knows that its groups are done, whoever else still has to wait.
void Block::endReads(const Lane &lane, uint32_t left) {
  uint32_t warpgroup = lane.linear / kWarpgroup;
  if (lane.wgmmaCommitted <= left)
    return;
  auto isDone = [&](const WgmmaRead &read) {
    return read.warpgroup == warpgroup && read.group < lane.wgmmaCommitted - left;
  };
  for (const WgmmaRead &read : wgmmaReads)
    if (isDone(read))
      for (uint32_t index = read.offset >> cellShift, last = (read.offset + read.size - 1) >> cellShift; index <= last;
           ++index)
        if (cells[index].flags >= kReading)
          cells[index].flags -= kReading;
  wgmmaReads.erase(std::remove_if(wgmmaReads.begin(), wgmmaReads.end(), isDone), wgmmaReads.end());
}

void Block::wgmma(Lane &lane, uint32_t site, uint32_t key, const uint32_t *in, uint32_t *out) {
  blockIn(lane, Wait::wgmma, site, in, out);
  lane.key = key;
  ++lane.wgmmaOpen;
  lane.wgmmaSite = site;
  uint32_t begin = lane.linear / kWarpgroup * kWarpgroup, here = 0;
  for (uint32_t i = begin; i < std::min(threads, begin + kWarpgroup); ++i)
    here += lanes[i].wait == Wait::wgmma && lanes[i].key == key && lanes[i].site == site;
  if (here == kWarpgroup) {
    if (pending.on)
      flushPending();
    Lane *group = &lanes[begin];
    multiply(*this, group, Shape(key), key, site);
    countMma(key);
    members.clear();
    for (uint32_t i = 0; i < kWarpgroup; ++i)
      members.push_back(&group[i]);
    releaseMembers();
  }
  suspend(lane);
}

} // namespace bochner::sim
