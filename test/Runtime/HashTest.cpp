//===- HashTest.cpp - keys of the cache -----------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Hash.h"

#include <cstring>
#include <gtest/gtest.h>
#include <set>

using namespace bochner;

/// Test vectors of the authors: key 00 01 .. 0f, message 00 01 .. (length - 1); the words of the output in memory
/// order.
TEST(Hash, EqualsTheReference) {
  uint64_t k0 = 0x0706050403020100ull, k1 = 0x0f0e0d0c0b0a0908ull;
  std::string message;
  for (int i = 0; i < 15; ++i)
    message += char(i);
  auto bytes = [](const Hash128 &hash) {
    std::string out;
    for (size_t i = 0; i < 16; ++i) {
      static const char digits[] = "0123456789abcdef";
      unsigned char c;
      memcpy(&c, reinterpret_cast<const char *>(&hash) + i, 1);
      out += digits[c >> 4];
      out += digits[c & 15];
    }
    return out;
  };
  EXPECT_EQ(bytes(sipHash128("", k0, k1)), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(bytes(sipHash128(message.substr(0, 1), k0, k1)), "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(bytes(sipHash128(message.substr(0, 8), k0, k1)), "3b62a9ba6258f5610f83e264f31497b4");
  EXPECT_EQ(bytes(sipHash128(message, k0, k1)), "5493e99933b0a8117e08ec0f97cfc3d9");
}

TEST(Hash, FieldsDoNotRunIntoEachOther) {
  std::set<Hash128> keys = {KeyBuilder().field("ab").field("c").finish(), KeyBuilder().field("a").field("bc").finish(),
                            KeyBuilder().field("abc").finish(), KeyBuilder().field("abc").field("").finish(),
                            KeyBuilder().field("").field("abc").finish()};
  EXPECT_EQ(keys.size(), 5u);
}

TEST(Hash, HexHas32Digits) { EXPECT_EQ(toHex({0x0123456789abcdefull, 0xfull}), "0123456789abcdef000000000000000f"); }
