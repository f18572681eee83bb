//===- Pipelines.h - the phases of compilation ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that knows the order of passes. Phases run in the order of the enumeration; each is a registered
// pipeline, `spectral-<phase>`, with the options below.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_PIPELINES_PIPELINES_H
#define BOCHNER_LIB_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace bochner {

struct CpuTarget;

enum class Phase { graph, differentiate, fuse, kernel, target };

inline constexpr Phase kPhases[] = {Phase::graph, Phase::differentiate, Phase::fuse, Phase::kernel, Phase::target};

/// "graph", "differentiate", "fuse", "kernel" or "target".
llvm::StringRef getPhaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

struct PhaseOptions : mlir::PassPipelineOptions<PhaseOptions> {
  Option<std::string> route{*this, "route",
                            llvm::cl::desc("'fused' emits kernels; 'decompose' writes every operation out as plain "
                                           "loops, which serve as the oracle."),
                            llvm::cl::init("fused")};
  Option<unsigned> vectorBits{*this, "vector-bits",
                              llvm::cl::desc("Width of a vector register in bits: 128, 256 or 512."),
                              llvm::cl::init(256)};
  Option<bool> fma{*this, "fma", llvm::cl::desc("Whether the target multiplies and adds in one instruction."),
                   llvm::cl::init(true)};
  Option<bool> f16c{*this, "f16c", llvm::cl::desc("Whether the target converts between f16 and f32 by an instruction."),
                    llvm::cl::init(true)};
  Option<bool> bf16Dot{*this, "bf16-dot", llvm::cl::desc("Whether the target has the instructions of AVX512_BF16."),
                       llvm::cl::init(false)};
  Option<std::string> device{*this, "device",
                             llvm::cl::desc("What runs kernels: 'cpu', 'cuda', or 'sim', which simulates a GPU."),
                             llvm::cl::init("cpu")};
  Option<std::string> chip{*this, "chip", llvm::cl::desc("GPU of the devices 'cuda' and 'sim'."),
                           llvm::cl::init("sm_80")};
  Option<bool> tf32{*this, "tf32", llvm::cl::desc("Whether GPUs may round f32 to tf32 before they multiply."),
                    llvm::cl::init(false)};

  /// Sets what depends on the CPU.
  void setTarget(const CpuTarget &target);
};

/// Appends the passes of `phase` to a pass manager of modules. The last one verifies what the phase promises.
void buildPhase(mlir::OpPassManager &pm, Phase phase, const PhaseOptions &options);

/// Registers spectral-graph, spectral-fuse, spectral-kernel and spectral-target, for command lines.
void registerPhases();

} // namespace bochner

#endif // BOCHNER_LIB_PIPELINES_PIPELINES_H
