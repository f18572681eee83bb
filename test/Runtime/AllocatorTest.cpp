//===- AllocatorTest.cpp - memory that is used again ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Allocator.h"

#include <cstring>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using bochner::Allocator;

TEST(Allocator, SizeClassesHoldTheirRequests) {
  for (uint64_t size = 0; size < 5000; ++size) {
    uint64_t bytes = Allocator::sizeOfClass(Allocator::classOf(size));
    EXPECT_GE(bytes, size);
    EXPECT_LE(bytes, std::max<uint64_t>(64, size + size / 4)) << size;
  }
  for (int shift = 7; shift <= 45; ++shift)
    for (int64_t delta : {-1, 0, 1}) {
      uint64_t size = (uint64_t(1) << shift) + uint64_t(delta);
      if (size > Allocator::kLargest)
        continue;
      unsigned index = Allocator::classOf(size);
      EXPECT_GE(Allocator::sizeOfClass(index), size);
      EXPECT_LT(Allocator::sizeOfClass(index - 1), size);
    }
}

TEST(Allocator, ReusesBlocksOfAClass) {
  Allocator allocator;
  void *first = allocator.allocate(1000);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  memset(first, 1, 1000);
  allocator.release(first, 1000);
  EXPECT_EQ(allocator.allocate(1001), first); // both are of the class of 1024 bytes
  void *second = allocator.allocate(1000);
  EXPECT_NE(second, first);
  allocator.release(first, 1001);
  allocator.release(second, 1000);
}

TEST(Allocator, CountsUsedPeakAndCached) {
  Allocator allocator;
  void *a = allocator.allocate(1024), *b = allocator.allocate(2048);
  allocator.release(a, 1024);
  EXPECT_EQ(allocator.statistics().used, 2048u);
  EXPECT_EQ(allocator.statistics().peak, 3072u);
  EXPECT_EQ(allocator.statistics().cached, 1024u);
  allocator.trim();
  EXPECT_EQ(allocator.statistics().cached, 0u);
  EXPECT_EQ(allocator.statistics().peak, 2048u);
  allocator.release(b, 2048);
}

TEST(Allocator, GivesABlockForNothingAndNoneForTooMuch) {
  Allocator allocator;
  void *empty = allocator.allocate(0);
  EXPECT_NE(empty, nullptr);
  allocator.release(empty, 0);
  allocator.release(nullptr, 100);
  EXPECT_EQ(allocator.allocate(UINT64_MAX), nullptr);
  EXPECT_EQ(allocator.allocate(Allocator::kLargest + 1), nullptr);
  EXPECT_EQ(allocator.statistics().used, 0u);
}

TEST(Allocator, ServesThreads) {
  Allocator allocator;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 2000; ++i) {
        uint64_t size = 64 + (i * 37 + uint64_t(t)) % 4096;
        auto *block = static_cast<unsigned char *>(allocator.allocate(size));
        memset(block, t, size);
        ASSERT_EQ(block[size - 1], t);
        allocator.release(block, size);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(allocator.statistics().used, 0u);
}
