//===- DeviceKernel.h - a kernel and its launch -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel is written together with the host code that launches it: what the kernel uses of the host becomes a
// parameter of the kernel and an operand of the launch.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_DEVICEKERNEL_H
#define BOCHNER_LIB_CONVERSION_GPU_DEVICEKERNEL_H

#include "lib/Conversion/Gpu/ThreadBuilder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/ADT/MapVector.h"

namespace bochner::simt {

/// What kernels are generated for.
struct ChipLimits {
  int64_t sharedBytes = 101376; ///< of a block
};

/// Index arithmetic of the host function that launches kernels.
class HostBuilder {
public:
  HostBuilder(OpBuilder b, Location loc, mlir::gpu::GPUModuleOp kernels) : b(b), loc(loc), kernels(kernels) {}

  OpBuilder b;
  Location loc;
  mlir::gpu::GPUModuleOp kernels; ///< receives the kernels

  Value index(int64_t value);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value ceilDiv(Value x, Value y);
  Value min(Value x, Value y);
  Value max(Value x, Value y);
  Value dim(Value memref, int64_t i);
  /// A buffer for `shape` in the workspace; `dynamic` are its dynamic sizes.
  Value workspace(ArrayRef<int64_t> shape, ValueRange dynamic, Type type);
};

/// A tensor in global memory; strides are i64 and count elements, the last one is 1.
struct GlobalTensor {
  Value address;
  SmallVector<Value> strides;
  Type element;

  int64_t elementBytes() const { return (element.getIntOrFloatBitWidth() + 7) / 8; }
};

/// Rows of a head, [N, W].
struct GlobalRows {
  Value address, stride; ///< i64, in elements
  Type element;
  int64_t width;
  Value aligned; ///< whether rows begin at multiples of 16 bytes; null if they do
};

class DeviceKernel {
public:
  /// Begins a kernel of `threads` threads a block; writes its launch where `host` stands when it is finished.
  DeviceKernel(HostBuilder &host, StringRef name, int64_t threads);

  ThreadBuilder t;
  int64_t threads;
  Value shared; ///< start of the block's shared memory, aligned to 128 bytes

  /// Bytes of shared memory, aligned to 16 bytes; the address.
  Value allocateShared(int64_t bytes);

  /// Parameters for values of the host: an index as i32 (sizes, counts), the elements of a buffer.
  Value get(Value index);
  GlobalTensor tensor(Value memref);
  /// The size of a dimension, i32.
  Value dim(Value memref, int64_t i);

  /// Whether all rows of a tensor begin at multiples of 16 bytes; the host looks at addresses and strides.
  Value isAligned(Value memref);
  /// Address of the element at `at`, a number for each dimension but the last ones.
  Value address(const GlobalTensor &tensor, ValueRange at);
  /// Rows of [B, H, N, W] of one head.
  GlobalRows rows(Value memref, Value batch, Value head);

  /// Ends the kernel and launches it. Fails if it needs more shared memory than the chip has.
  mlir::LogicalResult finish(ValueRange grid, const ChipLimits &limits);

private:
  Value addParameter(Value operand, Type type);
  ThreadBuilder atEntry();

  HostBuilder &host;
  mlir::LLVM::LLVMFuncOp function;
  llvm::MapVector<Value, Value> indices;
  llvm::DenseMap<Value, GlobalTensor> tensors;
  llvm::DenseMap<Value, Value> aligned;
  SmallVector<Value> operands;
  int64_t bytes = 0;
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_DEVICEKERNEL_H
