//===- Hash.h - 128-bit keys of the cache ------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SipHash-2-4 with 128 bits of output over length-prefixed fields: no field can pose as the end of the one before it,
// and at 128 bits two sources do not meet by accident.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_HASH_H
#define BOCHNER_RUNTIME_HASH_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bochner {

using Hash128 = std::array<uint64_t, 2>;

/// SipHash-2-4-128 of `data` under the key (k0, k1).
Hash128 sipHash128(std::string_view data, uint64_t k0, uint64_t k1);

/// Collects fields, then hashes them.
class KeyBuilder {
public:
  KeyBuilder &field(std::string_view value);
  KeyBuilder &field(uint64_t value);
  Hash128 finish() const;

private:
  std::string bytes;
};

/// 32 hexadecimal digits.
std::string toHex(const Hash128 &hash);

} // namespace bochner

#endif // BOCHNER_RUNTIME_HASH_H
