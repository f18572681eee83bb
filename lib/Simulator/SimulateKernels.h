//===- SimulateKernels.h - GPU kernels for the CPU --------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler's half of the device `sim`. The module that would become PTX is rewritten so that the CPU runs it, a
// fiber a thread, under the checks of libbochner-sim.so. docs/Simulator.md says what these find.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_SIMULATOR_SIMULATEKERNELS_H
#define BOCHNER_LIB_SIMULATOR_SIMULATEKERNELS_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace bochner {

/// The global of a simulated kernel is this and the kernel's name.
inline constexpr llvm::StringLiteral kSimKernelPrefix = "bochner.sim.";

struct SimulationOptions {
  /// libdevice.10.bc, for functions __nv_*. Empty or not there: those that the C library has become calls of it.
  std::string libdevice;
};

/// Replaces the NVVM operations below `root` whose only lowering is inline PTX by calls of functions bochner.sim.op.*.
/// Runs between convert-nvgpu-to-nvvm and convert-nvvm-to-llvm. What has no simulation is an error at the operation.
mlir::LogicalResult replaceInlinePtx(mlir::Operation *root);

/// Rewrites what translateModuleToLLVMIR made of a gpu.module, before any optimization. Afterwards the module has, for
/// each kernel, the constant `bochner.sim.<kernel>` of type bochner_sim_kernel_t (runtime/Simulator/Interface.h); it
/// has no other undefined symbols than functions of the C library, and no writable globals. Target and data layout are
/// the caller's to set. Appends the names of the kernels. Errors are diagnostics, at the source locations of the
/// module's debug information where it has any.
mlir::LogicalResult simulateKernels(llvm::Module &module, mlir::Location location, const SimulationOptions &options,
                                    llvm::SmallVectorImpl<std::string> &kernels);

} // namespace bochner

#endif // BOCHNER_LIB_SIMULATOR_SIMULATEKERNELS_H
