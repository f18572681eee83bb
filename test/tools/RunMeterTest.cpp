//===- RunMeterTest.cpp - what is measured alongside ----------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every member of a team works in every round. No test depends on the speed.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Bandwidth.h"

using namespace bochner::run;
using testing::Each;

TEST(RunMeter, TeamsWorkTogether) {
  for (int32_t size : {1, 3}) {
    Team team(size);
    EXPECT_EQ(team.size(), size);
    std::vector<int> rounds(size);
    for (int round = 1; round < 20; ++round) {
      EXPECT_GE(team.run([&](int32_t member) { ++rounds[member]; }), 0);
      EXPECT_THAT(rounds, Each(round));
    }
  }
}

TEST(RunMeter, MeasuresStatesOfAnySize) {
  for (uint64_t bytes : {1, 100, 1 << 20})
    for (int32_t threads : {1, 2}) {
      BandwidthMeter meter(bytes, threads);
      meter.measure();
      EXPECT_GT(meter.medianMs(), 0) << bytes;
    }
}
