//===- HostCode.h - what device cuda leaves to the host ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_HOSTCODE_H
#define BOCHNER_LIB_JIT_HOSTCODE_H

#include "mlir/IR/BuiltinOps.h"

namespace bochner {

/// Fails with a diagnostic for each operation of a graph, as it is after the phase `kernel`, that would compute on the
/// host: tensors of device cuda are in memory that the host cannot touch.
mlir::LogicalResult checkHostCode(mlir::ModuleOp module);

/// The remedy, for a diagnostic's note.
inline constexpr llvm::StringLiteral kHostCodeRemedy =
    "device cuda runs kernels only, and the host cannot touch their memory: compute this in a function that is "
    "compiled for device cpu, and pass its result as an argument";

} // namespace bochner

#endif // BOCHNER_LIB_JIT_HOSTCODE_H
