//===- Hash.cpp - 128-bit keys of the cache -------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SipHash-2-4-128 after the paper and the reference parameters of Aumasson and Bernstein; little-endian.
//
//===----------------------------------------------------------------------===//
#include "Hash.h"

#include <cstring>

using namespace bochner;

namespace {
struct SipState {
  uint64_t v0, v1, v2, v3;

  static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1, v2 += v3;
      v1 = rotate(v1, 13) ^ v0, v3 = rotate(v3, 16) ^ v2;
      v0 = rotate(v0, 32);
      v2 += v1, v0 += v3;
      v1 = rotate(v1, 17) ^ v2, v3 = rotate(v3, 21) ^ v0;
      v2 = rotate(v2, 32);
    }
  }
  void absorb(uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  uint64_t squeeze() const { return v0 ^ v1 ^ v2 ^ v3; }
};
} // namespace

Hash128 bochner::sipHash128(std::string_view data, uint64_t k0, uint64_t k1) {
  SipState state{0x736f6d6570736575ull ^ k0, 0x646f72616e646f6dull ^ k1 ^ 0xee, 0x6c7967656e657261ull ^ k0,
                 0x7465646279746573ull ^ k1};
  size_t at = 0;
  uint64_t word;
  for (; at + 8 <= data.size(); at += 8) {
    memcpy(&word, data.data() + at, 8);
    state.absorb(word);
  }
  word = 0;
  memcpy(&word, data.data() + at, data.size() - at);
  state.absorb(word | uint64_t(data.size()) << 56);

  Hash128 hash;
  state.v2 ^= 0xee;
  state.rounds(4);
  hash[0] = state.squeeze();
  state.v1 ^= 0xdd;
  state.rounds(4);
  hash[1] = state.squeeze();
  return hash;
}

KeyBuilder &KeyBuilder::field(std::string_view value) {
  field(uint64_t(value.size()));
  bytes += value;
  return *this;
}

KeyBuilder &KeyBuilder::field(uint64_t value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  return *this;
}

Hash128 KeyBuilder::finish() const { return sipHash128(bytes, 0x426f63686e657221ull, 0x6d6f64756c65206bull); }

std::string bochner::toHex(const Hash128 &hash) {
  std::string out;
  for (uint64_t word : hash)
    for (int shift = 60; shift >= 0; shift -= 4)
      out += "0123456789abcdef"[word >> shift & 15];
  return out;
}
