//===- GpuChip.h - what is known of NVIDIA's chips --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chips that kernels are generated for. LLVM ends the process when it is asked for an instruction that a chip or a
// version of PTX does not have, so nothing outside of this table reaches it.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_GPUCHIP_H
#define BOCHNER_LIB_TARGET_GPUCHIP_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>

namespace bochner {

/// Limits of the CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
struct GpuChip {
  llvm::StringRef name; ///< "sm_80"
  llvm::StringRef ptx;  ///< the version of PTX that is generated, as LLVM's feature: "+ptx80"
  int64_t sharedBytesPerBlock;
  int64_t sharedBytesPerMultiprocessor;
  int64_t warpsPerMultiprocessor;

  /// 80 of sm_80, 90 of sm_90a.
  unsigned capability() const;
  /// 80 of PTX 8.0.
  unsigned ptxVersion() const;
  /// sm_90a and the like have instructions that no other chip has, later ones included.
  bool isExact() const { return name.ends_with("a"); }
};

std::optional<GpuChip> findGpuChip(llvm::StringRef name);
/// "sm_80, sm_86, ... or sm_90a".
std::string describeGpuChips();

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_GPUCHIP_H
