//===- CpuFeatures.cpp - what this machine can execute --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CPUID of x86-64. On other architectures there is no identity and nothing is missing; the loader refuses x86-64
// modules there before it comes to that.
//
//===----------------------------------------------------------------------===//
#include "CpuFeatures.h"

#include <cstdint>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

using namespace bochner;

#if defined(__x86_64__)

namespace {
enum Register { EAX, EBX, ECX, EDX };
struct Leaf {
  uint32_t registers[4] = {0, 0, 0, 0};
};

/// Parts of the register state of which the system says in XCR0 that it saves them.
enum StateBits : uint64_t { kNoState = 0, kAvx = 0x6, kAvx512 = 0xe6, kAmx = 0x60000 };

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register reg;
  unsigned bit;
  StateBits state;
};
} // namespace

static constexpr Feature kFeatures[] = {
    {"sse3", 1, 0, ECX, 0, kNoState},
    {"pclmul", 1, 0, ECX, 1, kNoState},
    {"ssse3", 1, 0, ECX, 9, kNoState},
    {"fma", 1, 0, ECX, 12, kAvx},
    {"cx16", 1, 0, ECX, 13, kNoState},
    {"sse4.1", 1, 0, ECX, 19, kNoState},
    {"sse4.2", 1, 0, ECX, 20, kNoState},
    {"movbe", 1, 0, ECX, 22, kNoState},
    {"popcnt", 1, 0, ECX, 23, kNoState},
    {"aes", 1, 0, ECX, 25, kNoState},
    {"avx", 1, 0, ECX, 28, kAvx},
    {"f16c", 1, 0, ECX, 29, kAvx},
    {"bmi", 7, 0, EBX, 3, kNoState},
    {"avx2", 7, 0, EBX, 5, kAvx},
    {"bmi2", 7, 0, EBX, 8, kNoState},
    {"avx512f", 7, 0, EBX, 16, kAvx512},
    {"avx512dq", 7, 0, EBX, 17, kAvx512},
    {"adx", 7, 0, EBX, 19, kNoState},
    {"avx512ifma", 7, 0, EBX, 21, kAvx512},
    {"avx512cd", 7, 0, EBX, 28, kAvx512},
    {"sha", 7, 0, EBX, 29, kNoState},
    {"avx512bw", 7, 0, EBX, 30, kAvx512},
    {"avx512vl", 7, 0, EBX, 31, kAvx512},
    {"avx512vbmi", 7, 0, ECX, 1, kAvx512},
    {"avx512vbmi2", 7, 0, ECX, 6, kAvx512},
    {"gfni", 7, 0, ECX, 8, kNoState},
    {"vaes", 7, 0, ECX, 9, kAvx},
    {"vpclmulqdq", 7, 0, ECX, 10, kAvx},
    {"avx512vnni", 7, 0, ECX, 11, kAvx512},
    {"avx512bitalg", 7, 0, ECX, 12, kAvx512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, kAvx512},
    {"avx512vp2intersect", 7, 0, EDX, 8, kAvx512},
    {"amx-bf16", 7, 0, EDX, 22, kAmx},
    {"avx512fp16", 7, 0, EDX, 23, kAvx512},
    {"amx-tile", 7, 0, EDX, 24, kAmx},
    {"amx-int8", 7, 0, EDX, 25, kAmx},
    {"sha512", 7, 1, EAX, 0, kAvx},
    {"avxvnni", 7, 1, EAX, 4, kAvx},
    {"avx512bf16", 7, 1, EAX, 5, kAvx512},
    {"amx-fp16", 7, 1, EAX, 21, kAmx},
    {"avxifma", 7, 1, EAX, 23, kAvx},
    {"avxvnniint8", 7, 1, EDX, 4, kAvx},
    {"avxneconvert", 7, 1, EDX, 5, kAvx},
    {"avxvnniint16", 7, 1, EDX, 10, kAvx},
    {"avx10.1", 7, 1, EDX, 19, kAvx512},
    {"lzcnt", 0x80000001, 0, ECX, 5, kNoState},
    {"sse4a", 0x80000001, 0, ECX, 6, kNoState},
    {"xop", 0x80000001, 0, ECX, 11, kAvx},
    {"fma4", 0x80000001, 0, ECX, 16, kAvx},
    {"tbm", 0x80000001, 0, ECX, 21, kNoState},
};

/// Zeros if the CPU does not know the leaf.
static Leaf readLeaf(uint32_t leaf, uint32_t subleaf) {
  Leaf out;
  uint32_t *r = out.registers;
  if (!__get_cpuid_count(leaf, subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
    return Leaf();
  return out;
}

static uint64_t readSavedState() {
  if (!(readLeaf(1, 0).registers[ECX] >> 27 & 1)) // OSXSAVE
    return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

static std::string readIdentity() {
  std::string identity;
  auto add = [&](const void *data, size_t size) { identity.append(static_cast<const char *>(data), size); };
  for (uint32_t leaf : {0u, 1u, 7u, 0x80000000u, 0x80000001u, 0x80000002u, 0x80000003u, 0x80000004u})
    for (uint32_t subleaf = 0; subleaf < (leaf == 7 ? 3u : 1u); ++subleaf) {
      Leaf value = readLeaf(leaf, subleaf);
      if (leaf == 1)
        value.registers[EBX] &= 0xffff; // the rest says on which core this runs
      add(value.registers, sizeof value.registers);
    }
  uint64_t state = readSavedState();
  add(&state, sizeof state);
  return identity;
}

const std::string &bochner::cpuIdentity() {
  static const std::string identity = readIdentity();
  return identity;
}

static bool isSupported(const Feature &feature) {
  static const uint64_t saved = readSavedState();
  Leaf leaf = readLeaf(feature.leaf, feature.subleaf);
  return (leaf.registers[feature.reg] >> feature.bit & 1) && (saved & feature.state) == feature.state;
}

std::string bochner::missingCpuFeatures(std::string_view features) {
  std::string missing;
  while (!features.empty()) {
    size_t comma = features.find(',');
    std::string_view item = features.substr(0, comma);
    features.remove_prefix(comma == features.npos ? features.size() : comma + 1);
    if (item.empty() || item[0] != '+')
      continue;
    for (const Feature &feature : kFeatures)
      if (item.substr(1) == feature.name && !isSupported(feature))
        missing.append(missing.empty() ? "" : ",").append(feature.name);
  }
  return missing;
}

#else

const std::string &bochner::cpuIdentity() {
  static const std::string identity;
  return identity;
}

std::string bochner::missingCpuFeatures(std::string_view) { return ""; }

#endif
