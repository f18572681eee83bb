//===- CpuFeaturesTest.cpp - what this machine can execute ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/CpuFeatures.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

using namespace bochner;

TEST(CpuFeatures, IdentityIsTheSameOnEveryCore) {
  std::string first = cpuIdentity();
  EXPECT_GT(first.size(), 100u);
  EXPECT_EQ(cpuIdentity(), first);
}

/// Compares with what the kernel says, for names that both know.
TEST(CpuFeatures, AgreesWithTheSystem) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line, flags;
  while (std::getline(cpuinfo, line) && flags.empty())
    if (line.rfind("flags", 0) == 0)
      flags = line.substr(line.find(':') + 1) + " ";
  if (flags.empty())
    GTEST_SKIP() << "no flags in /proc/cpuinfo";
  // LLVM's name, the kernel's name.
  const std::pair<const char *, const char *> names[] = {{"sse4.2", "sse4_2"},
                                                         {"avx", "avx"},
                                                         {"avx2", "avx2"},
                                                         {"fma", "fma"},
                                                         {"f16c", "f16c"},
                                                         {"bmi2", "bmi2"},
                                                         {"avx512f", "avx512f"},
                                                         {"avx512bw", "avx512bw"},
                                                         {"avx512vl", "avx512vl"},
                                                         {"avx512vnni", "avx512_vnni"},
                                                         {"avx512bf16", "avx512_bf16"},
                                                         {"amx-tile", "amx_tile"},
                                                         {"avxvnni", "avx_vnni"},
                                                         {"sse4a", "sse4a"},
                                                         {"lzcnt", "abm"},
                                                         {"avx512fp16", "avx512_fp16"}};
  for (auto [llvm, kernel] : names) {
    bool present = flags.find(std::string(" ") + kernel + " ") != std::string::npos;
    EXPECT_EQ(missingCpuFeatures(std::string("+") + llvm), present ? "" : llvm);
  }
}

TEST(CpuFeatures, ReadsAListOfFeatures) {
  // No CPU has both xop, which ended with AMD's family 15h, and amx-fp16.
  std::string missing = missingCpuFeatures("+sse3,-avx2,+xop,+fast-unaligned-access,,+amx-fp16");
  EXPECT_TRUE(missing == "xop,amx-fp16" || missing == "xop" || missing == "amx-fp16") << missing;
  EXPECT_EQ(missingCpuFeatures(""), "");
  EXPECT_EQ(missingCpuFeatures("-xop,-amx-fp16"), "");
}
