//===- CpuTarget.cpp - the CPU that code is compiled for ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a CPU name. Output: CpuTarget. LLVM's lists of CPUs name many features that code generation never uses of its
// own accord (AES, SGX, XSAVE); requiring those of the loading machine would turn away machines that can run the code,
// virtual ones above all. So compiled code is for baseline x86-64 plus the features of one short table, and what the
// table leaves out is off: the list that the runtime checks cannot be too short.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/CpuTarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;

namespace bochner {

/// What instruction selection uses for arithmetic, conversions, shuffles and memory access of plain IR.
static constexpr StringLiteral kUsedFeatures[] = {
    "sse3",     "ssse3",    "sse4.1",     "sse4.2",      "popcnt",     "lzcnt",      "bmi",      "bmi2",
    "movbe",    "avx",      "f16c",       "fma",         "avx2",       "avx512f",    "avx512cd", "avx512bw",
    "avx512dq", "avx512vl", "avx512vbmi", "avx512vbmi2", "avx512bf16", "avx512fp16",
};

bool CpuTarget::has(StringRef feature) const { return is_contained(features, feature); }

unsigned CpuTarget::vectorBits() const { return has("avx512f") ? 512 : has("avx") ? 256 : 128; }

std::string CpuTarget::featureString() const {
  return join(map_range(features, [](StringRef feature) { return ("+" + feature).str(); }), ",");
}

/// Keeps what the table lists and what brings everything that it implies: a hypervisor may hide FMA and show AVX-512,
/// and then LLVM would use FMA because AVX-512 implies it.
static CpuTarget select(StringRef name, const StringMap<bool> &available) {
  CpuTarget target;
  target.name = name.str();
  for (StringLiteral feature : kUsedFeatures) {
    StringMap<bool> implied;
    X86::updateImpliedFeatures(feature, /*Enabled=*/true, implied);
    bool complete =
        all_of(kUsedFeatures, [&](StringLiteral other) { return !implied.lookup(other) || available.lookup(other); });
    if (available.lookup(feature) && complete)
      target.features.push_back(feature);
  }
  return target;
}

static CpuTarget hostTarget() {
  StringMap<bool> available;
#if defined(__x86_64__)
  available = sys::getHostCPUFeatures();
#endif
  // A model that LLVM does not know is tuned like the baseline and still uses all that the host reports.
  StringRef name = sys::getHostCPUName();
  if (X86::parseArchX86(name, /*Only64Bit=*/true) == X86::CK_None)
    name = kBaselineCpu;
  return select(name, available);
}

/// Attaches the names closest to `name`, or how to list all.
static void attachSuggestion(mlir::Diagnostic &note, StringRef name) {
  SmallVector<StringRef, 128> known;
  X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
  known.push_back("host");
  // A third of the letters wrong is a typing error; more is another word.
  unsigned limit = std::max<unsigned>(1, name.size() / 3), best = limit + 1;
  SmallVector<StringRef, 4> closest;
  for (StringRef candidate : known) {
    unsigned distance = candidate.edit_distance(name.lower(), /*AllowReplacements=*/true, limit);
    if (distance < best)
      closest.clear();
    if (distance <= std::min(best, limit)) {
      best = distance;
      closest.push_back(candidate);
    }
  }
  if (closest.empty()) {
    note << "'host', 'x86-64', 'x86-64-v2', 'x86-64-v3' and 'x86-64-v4' are always known; 'llc-" << LLVM_VERSION_MAJOR
         << " -mtriple=x86_64 -mcpu=help' lists all names";
    return;
  }
  note << "did you mean ";
  llvm::sort(closest);
  interleave(closest, [&](StringRef candidate) { note << "'" << candidate << "'"; }, [&] { note << " or "; });
  note << "?";
}

mlir::FailureOr<CpuTarget> resolveCpuTarget(StringRef name, function_ref<mlir::InFlightDiagnostic()> emitError) {
  if (name == "host")
    return hostTarget();
  if (X86::parseArchX86(name, /*Only64Bit=*/true) == X86::CK_None) {
    mlir::InFlightDiagnostic diagnostic = emitError();
    diagnostic << "expected an x86-64 CPU name for LLVM " << LLVM_VERSION_MAJOR << "." << LLVM_VERSION_MINOR
               << ", but got '" << name << "'";
    attachSuggestion(diagnostic.attachNote(), name);
    return diagnostic;
  }
  SmallVector<StringRef, 64> features;
  X86::getFeaturesForCPU(name, features);
  StringMap<bool> available;
  for (StringRef feature : features) { // the list of a CPU leaves out what others in it imply
    available[feature] = true;
    X86::updateImpliedFeatures(feature, /*Enabled=*/true, available);
  }
  return select(name, available);
}

} // namespace bochner
