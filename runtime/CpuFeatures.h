//===- CpuFeatures.h - what this machine can execute -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The identity of the CPU for the cache key of "host", and the check that keeps code for another CPU from running
// into an illegal instruction.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_CPUFEATURES_H
#define BOCHNER_RUNTIME_CPUFEATURES_H

#include <string>
#include <string_view>

namespace bochner {

/// The raw CPUID leaves that describe model and features, and the register state that the system saves. Equal on all
/// cores of a machine and different wherever the compiler may choose different code. Read once.
const std::string &cpuIdentity();

/// The vector features among `features` ("+avx2,-sse4a,+fma", names of LLVM) that this machine lacks, separated by
/// commas. Names that no vector code depends on are not looked at.
std::string missingCpuFeatures(std::string_view features);

} // namespace bochner

#endif // BOCHNER_RUNTIME_CPUFEATURES_H
