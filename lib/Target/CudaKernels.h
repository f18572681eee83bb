//===- CudaKernels.h - kernels as constants of a module ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_CUDAKERNELS_H
#define BOCHNER_LIB_TARGET_CUDAKERNELS_H

#include "lib/Target/CodeGen.h"
#include "lib/Target/GpuCode.h"

namespace bochner {

/// A kernel and its code.
struct GpuKernel {
  std::string name, ptx;
  std::vector<std::string> parameterTypes; ///< "pointer", "i32", "f32", ...
  std::vector<uint32_t> parameterSizes;
  uint32_t requiredBlock[3] = {0, 0, 0};                   ///< 0: any
  std::vector<std::pair<std::string, std::string>> cubins; ///< by chip
};

/// Splits a module into its kernels and generates PTX for each, and cubins where ptxas is found. `kernels` stays as it
/// is.
mlir::FailureOr<std::vector<GpuKernel>> compileKernels(const llvm::Module &kernels, const GpuCodeOptions &options,
                                                       mlir::Location location);

/// Writes KERNEL.ptx of each kernel and launch.json, to which calls add what they launch.
mlir::LogicalResult dumpKernels(llvm::ArrayRef<GpuKernel> kernels, const GpuCodeOptions &options,
                                mlir::Location location);

/// Adds the constant `bochner.cuda.<kernel>`, a bochner_cuda_kernel_t of runtime/CudaKernel.h, to a module of the host.
void addKernelConstant(llvm::Module &host, const GpuKernel &kernel, const GpuCodeOptions &options);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_CUDAKERNELS_H
