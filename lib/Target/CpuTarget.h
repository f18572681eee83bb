//===- CpuTarget.h - the CPU that code is compiled for ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Resolves the name of an x86-64 CPU to the instruction sets that compiled code may use. Whatever the name, the answer
// is a target that LLVM accepts or a diagnostic; LLVM itself would warn on stderr or end the process.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_CPUTARGET_H
#define BOCHNER_LIB_TARGET_CPUTARGET_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace bochner {

struct CpuTarget {
  /// As LLVM spells it; "host" is resolved to the model of the host.
  std::string name;
  /// Every instruction set beyond baseline x86-64 that compiled code may use, in LLVM's spelling and one fixed order.
  llvm::SmallVector<llvm::StringRef, 24> features;

  bool has(llvm::StringRef feature) const;
  /// Width of the widest vector registers in bits: 512, 256 or 128.
  unsigned vectorBits() const;
  /// Whether llvm.fma is one instruction. Without, it is a call of fmaf per element.
  bool hasFma() const { return has("fma"); }
  /// Whether conversions between f16 and f32 are instructions. Without, they are a call per element.
  bool hasF16c() const { return has("f16c"); }
  /// Whether bf16 dot products and conversions are instructions.
  bool hasBf16() const { return has("avx512bf16"); }

  /// "+sse3,+ssse3,...": for a TargetMachine, for the function attribute "target-features", and what the loading
  /// machine must have (format::ModuleInfo::features).
  std::string featureString() const;
};

/// The base that `CpuTarget::features` extends, as LLVM's target-cpu.
inline constexpr llvm::StringLiteral kBaselineCpu = "x86-64";

/// Resolves "host" or the name of a 64-bit x86 CPU or level (x86-64-v3, skylake-avx512, znver5). The named CPU need not
/// resemble the host: the runtime checks format::ModuleInfo::features when it loads a module.
mlir::FailureOr<CpuTarget> resolveCpuTarget(llvm::StringRef name,
                                            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_CPUTARGET_H
