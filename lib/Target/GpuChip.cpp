//===- GpuChip.cpp - what is known of NVIDIA's chips ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Target/GpuChip.h"
#include "llvm/ADT/STLExtras.h"

using namespace bochner;

// A block may use all shared memory of a multiprocessor but 1 KB. PTX 8.0 came with CUDA 12.0.
static constexpr GpuChip kChips[] = {
    {"sm_80", "+ptx80", 163 * 1024, 164 * 1024, 64},
    {"sm_86", "+ptx80", 99 * 1024, 100 * 1024, 48},
    {"sm_89", "+ptx80", 99 * 1024, 100 * 1024, 48},
    {"sm_90a", "+ptx80", 227 * 1024, 228 * 1024, 64},
};

static unsigned readNumber(llvm::StringRef text) {
  unsigned number = 0;
  text.consumeInteger(10, number);
  return number;
}

unsigned GpuChip::capability() const { return readNumber(name.drop_front(3)); }
unsigned GpuChip::ptxVersion() const { return readNumber(ptx.drop_front(4)); }

std::optional<GpuChip> bochner::findGpuChip(llvm::StringRef name) {
  for (const GpuChip &chip : kChips)
    if (chip.name == name)
      return chip;
  return std::nullopt;
}

std::string bochner::describeGpuChips() {
  std::string text;
  for (const GpuChip &chip : kChips) {
    bool last = &chip == std::end(kChips) - 1;
    text += (&chip == kChips ? "" : last ? " or " : ", ") + chip.name.str();
  }
  return text;
}
