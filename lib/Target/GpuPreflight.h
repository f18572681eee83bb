//===- GpuPreflight.h - what a chip can execute -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_GPUPREFLIGHT_H
#define BOCHNER_LIB_TARGET_GPUPREFLIGHT_H

#include "lib/Target/GpuChip.h"
#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

namespace llvm {
class Module;
} // namespace llvm

namespace bochner {

/// Fails, with a diagnostic for each, for what LLVM's backend for GPUs answers by ending the process, or the driver by
/// refusing the module: intrinsics that the chip or its version of PTX lacks or that are unknown here, functions
/// without a body, functions of the C library, types that no GPU has, initialized shared memory.
mlir::LogicalResult checkGpuCode(const llvm::Module &module, const GpuChip &chip, mlir::Location location);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_GPUPREFLIGHT_H
