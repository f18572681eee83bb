//===- GpuCode.h - kernels of a module to PTX -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_GPUCODE_H
#define BOCHNER_LIB_TARGET_GPUCODE_H

#include "lib/Target/GpuChip.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace bochner {

/// The LLVM IR of kernels in the LLVM and NVVM dialects, with a name for each argument. Fails with diagnostics.
std::unique_ptr<llvm::Module> translateKernels(mlir::gpu::GPUModuleOp kernels, llvm::LLVMContext &context);

/// PTX of all kernels for a chip of the table. `location` is for diagnostics.
mlir::FailureOr<std::string> emitPtx(std::unique_ptr<llvm::Module> module, const GpuChip &chip,
                                     mlir::Location location);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_GPUCODE_H
