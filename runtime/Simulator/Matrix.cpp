//===- Matrix.cpp - matrix operations of a warp ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fragment layouts are those of the PTX ISA: with g = lane / 4 and t = lane % 4, register r of A holds row g (r even)
// or g + 8, register r of B column g; elements of a register are neighbors along k.
//
//===----------------------------------------------------------------------===//
#include "Matrix.h"

#include <cstring>

namespace bochner::sim {

uint16_t floatToHalf(float value) {
  uint32_t bits = bitsOf(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return uint16_t(sign | 0x7e00);
  if (magnitude >= 0x47800000) // 65536
    return uint16_t(sign | 0x7c00);
  if (magnitude < 0x38800000) { // subnormal: let the addition round at the last bit of a half
    float shifted = floatOf(magnitude) + 0.5f;
    return uint16_t(sign | (bitsOf(shifted) - 0x3f000000));
  }
  uint32_t odd = magnitude >> 13 & 1;
  return uint16_t(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
}

static void *addressOf(const Lane &lane) {
  void *address;
  memcpy(&address, lane.in, sizeof address);
  return address;
}

namespace {
/// Up to four 8x8 matrices of 16-bit elements, or as many rows of 16 bytes.
struct Tiles {
  uint16_t elements[4][8][8];

  uint32_t fragment(uint32_t tile, uint32_t lane, bool transpose) const {
    uint32_t row = lane / 4, column = lane % 4 * 2;
    const auto &m = elements[tile];
    return transpose ? m[column][row] | uint32_t(m[column + 1][row]) << 16
                     : m[row][column] | uint32_t(m[row][column + 1]) << 16;
  }
  void setFragment(uint32_t tile, uint32_t lane, uint32_t value, bool transpose) {
    uint32_t row = lane / 4, column = lane % 4 * 2;
    auto &m = elements[tile];
    (transpose ? m[column][row] : m[row][column]) = uint16_t(value);
    (transpose ? m[column + 1][row] : m[row][column + 1]) = uint16_t(value >> 16);
  }
};
} // namespace

static void moveTiles(Block &block, const Lane &first, Lane *const *lanes, bool store) {
  Tiles tiles;
  uint32_t count = first.key & 0xff;
  bool transpose = first.key & 0x100;
  uint64_t addresses[kWarpSize];
  if (store)
    for (uint32_t lane = 0; lane < kWarpSize; ++lane)
      for (uint32_t tile = 0; tile < count; ++tile)
        tiles.setFragment(tile, lane, lanes[lane]->in[2 + tile], transpose);
  for (uint32_t i = 0; i < 8 * count; ++i) { // lane i has the address of row i % 8 of tile i / 8
    Lane &lane = *lanes[i];
    auto *address = static_cast<char *>(addressOf(lane));
    addresses[i] = uint64_t(address - block.arena);
    if (!block.isShared(address)) {
      block.outOfBounds(lane, address, 16, lane.site);
      memset(tiles.elements[i / 8][i % 8], 0, 16);
      continue;
    }
    void *row = block.accessMatrixRow(lane, address, store);
    if (store)
      memcpy(row, tiles.elements[i / 8][i % 8], 16);
    else
      memcpy(tiles.elements[i / 8][i % 8], row, 16);
  }
  block.countMatrixRows(addresses, count);
  if (!store)
    for (uint32_t lane = 0; lane < kWarpSize; ++lane)
      for (uint32_t tile = 0; tile < count; ++tile)
        lanes[lane]->out[tile] = tiles.fragment(tile, lane, transpose);
}

static void transposeTile(Lane *const *lanes) {
  Tiles tile;
  for (uint32_t lane = 0; lane < kWarpSize; ++lane)
    tile.setFragment(0, lane, lanes[lane]->in[0], false);
  for (uint32_t lane = 0; lane < kWarpSize; ++lane)
    lanes[lane]->out[0] = tile.fragment(0, lane, true);
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

namespace {
struct Shape {
  explicit Shape(uint32_t key)
      : m(key % 16 * 8), n((key >> 4) % 64 * 8), k((key >> 10) % 16 * 4), a(bochner_sim_type_t(key >> 14 & 7)),
        b(bochner_sim_type_t(key >> 17 & 7)), c(bochner_sim_type_t(key >> 20 & 7)),
        d(bochner_sim_type_t(key >> 23 & 7)) {}
  uint32_t m, n, k;
  bochner_sim_type_t a, b, c, d;
};
} // namespace

template <unsigned perRegister, typename Convert>
static void multiplyFloats(const Shape &shape, Lane *const *lanes, Convert convert) {
  constexpr unsigned bits = 32 / perRegister;
  float a[16][16], b[16][8], c[16][8];
  uint32_t registersA = shape.k / (2 * perRegister), registersB = registersA / 2;
  constexpr uint32_t mask = uint32_t((uint64_t(1) << bits) - 1);
  for (uint32_t lane = 0; lane < kWarpSize; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    const uint32_t *in = lanes[lane]->in;
    for (uint32_t r = 0; r < registersA; ++r)
      for (uint32_t j = 0; j < perRegister; ++j)
        a[g + 8 * (r & 1)][t * perRegister + j + (r >> 1) * 4 * perRegister] = convert(in[r] >> (bits * j) & mask);
    in += registersA;
    for (uint32_t r = 0; r < registersB; ++r)
      for (uint32_t j = 0; j < perRegister; ++j)
        b[t * perRegister + j + r * 4 * perRegister][g] = convert(in[r] >> (bits * j) & mask);
    in += registersB;
    for (uint32_t i = 0; i < 4; ++i)
      c[g + 8 * (i >> 1)][t * 2 + (i & 1)] =
          shape.c == BOCHNER_SIM_F32 ? floatOf(in[i]) : halfToFloat(in[i >> 1] >> (16 * (i & 1)) & 0xffff);
  }
  for (uint32_t i = 0; i < 16; ++i)
    for (uint32_t k = 0; k < shape.k; ++k)
      for (uint32_t j = 0; j < 8; ++j)
        c[i][j] += a[i][k] * b[k][j];
  for (uint32_t lane = 0; lane < kWarpSize; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    uint32_t *out = lanes[lane]->out;
    if (shape.d == BOCHNER_SIM_F32)
      for (uint32_t i = 0; i < 4; ++i)
        out[i] = bitsOf(c[g + 8 * (i >> 1)][t * 2 + (i & 1)]);
    else
      for (uint32_t i = 0; i < 2; ++i)
        out[i] = floatToHalf(c[g + 8 * i][t * 2]) | uint32_t(floatToHalf(c[g + 8 * i][t * 2 + 1])) << 16;
  }
}

/// m8n8k4: A[g][t], B[t][g], C[g][2t..2t+1].
static void multiplyDoubles(Lane *const *lanes) {
  double a[8][4], b[4][8], c[8][8];
  for (uint32_t lane = 0; lane < kWarpSize; ++lane) {
    const uint32_t *in = lanes[lane]->in;
    memcpy(&a[lane / 4][lane % 4], in, 8);
    memcpy(&b[lane % 4][lane / 4], in + 2, 8);
    memcpy(&c[lane / 4][lane % 4 * 2], in + 4, 16);
  }
  for (uint32_t i = 0; i < 8; ++i)
    for (uint32_t k = 0; k < 4; ++k)
      for (uint32_t j = 0; j < 8; ++j)
        c[i][j] += a[i][k] * b[k][j];
  for (uint32_t lane = 0; lane < kWarpSize; ++lane)
    memcpy(lanes[lane]->out, &c[lane / 4][lane % 4 * 2], 16);
}

void runMatrixOperation(Block &block, Lane &first, Lane *const *lanes) {
  switch (first.operation) {
  case BOCHNER_SIM_LDMATRIX:
    return moveTiles(block, first, lanes, /*store=*/false);
  case BOCHNER_SIM_STMATRIX:
    return moveTiles(block, first, lanes, /*store=*/true);
  case BOCHNER_SIM_MOVMATRIX:
    return transposeTile(lanes);
  default:
    break;
  }
  block.countMma(first.key);
  Shape shape(first.key);
  switch (shape.a) {
  case BOCHNER_SIM_F16:
    return multiplyFloats<2>(shape, lanes, [](uint32_t x) { return halfToFloat(x); });
  case BOCHNER_SIM_BF16:
    return multiplyFloats<2>(shape, lanes, [](uint32_t x) { return bfloatToFloat(x); });
  case BOCHNER_SIM_TF32:
    return multiplyFloats<1>(shape, lanes, [](uint32_t x) { return tf32ToFloat(x); });
  default:
    return multiplyDoubles(lanes);
  }
}

} // namespace bochner::sim
