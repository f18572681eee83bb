//===- Buffers.h - buffers at the boundaries of functions -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The types that passes of the phase `target` agree on: how a tensor argument becomes a buffer, and how a buffer stands
// in memory where compiled code meets its caller.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_BUFFERS_H
#define BOCHNER_LIB_CONVERSION_BUFFERS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace bochner {

/// Names of the attributes with which passes of the phase `target` talk to each other.
/// On a task function, its scratch in bytes; on an entry function, the maximum over its tasks.
inline constexpr llvm::StringLiteral kScratchBytesAttr = "spectral.scratch_bytes";
/// On the argument of an entry function that receives its workspace.
inline constexpr llvm::StringLiteral kWorkspaceAttr = "spectral.workspace";
/// On an entry function, the function that computes the size of its workspace.
inline constexpr llvm::StringLiteral kWorkspaceSizeAttr = "spectral.workspace_size";
/// On an entry function, numbers of arguments whose memory the results that update them may take while it runs.
inline constexpr llvm::StringLiteral kInPlaceAttr = "spectral.in_place";

/// Workspaces, scratch and every buffer in them start at multiples of this.
inline constexpr int64_t kBufferAlignment = 64;

/// Any strides but a contiguous last dimension, offset 0.
mlir::MemRefType getBoundaryType(mlir::TensorType tensor);

/// { allocated, aligned, offset, sizes, strides }: what runtime/ModuleFormat.h describes and what the conversion to
/// LLVM makes of `type`.
mlir::LLVM::LLVMStructType getDescriptorType(mlir::MemRefType type);

/// Reinterprets a value between a type and what the conversion to LLVM makes of it; the casts cancel out there.
mlir::Value castThroughLLVM(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type);

/// Lets LLVM vectorize the loops of a function; kernels hold explicit vectors and need only a short pipeline.
void requestLoopVectorizer(mlir::Operation *function);

/// `bytes` bytes at `pointer` as memref<?xi8>.
mlir::Value createByteBuffer(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer, mlir::Value bytes);

} // namespace bochner

#endif // BOCHNER_LIB_CONVERSION_BUFFERS_H
