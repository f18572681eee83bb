//===- Kernels.h - the kernels of attention ---------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One emitter a kernel family. Each fills the body of `kernel`, a function on buffers (operands of the operation, then
// the output), with workspace and parallel loops, and adds its task functions before it.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_KERNELS_H
#define BOCHNER_LIB_CONVERSION_CPU_KERNELS_H

#include "lib/Conversion/Cpu/AttentionOperands.h"

namespace bochner::cpu {

/// `k` writes into the entry block of `kernel`. Fail with a diagnostic if a feature region does not fit.
mlir::LogicalResult emitLinearAttention(KernelBuilder &k, mlir::func::FuncOp kernel, spectral::LinearAttentionOp op);
mlir::LogicalResult emitLinearAttentionGrad(KernelBuilder &k, mlir::func::FuncOp kernel,
                                            spectral::LinearAttentionGradOp op);
mlir::LogicalResult emitAttentionState(KernelBuilder &k, mlir::func::FuncOp kernel, spectral::AttentionStateOp op);
mlir::LogicalResult emitApplyState(KernelBuilder &k, mlir::func::FuncOp kernel, spectral::ApplyStateOp op);
mlir::LogicalResult emitFeatureMap(KernelBuilder &k, mlir::func::FuncOp kernel, spectral::FeatureMapOp op);
mlir::LogicalResult emitExactAttention(KernelBuilder &k, mlir::func::FuncOp kernel, spectral::ExactAttentionOp op);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_KERNELS_H
