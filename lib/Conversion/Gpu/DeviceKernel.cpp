//===- DeviceKernel.cpp - a kernel and its launch -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/DeviceKernel.h"
#include "lib/Conversion/Buffers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

Value HostBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value HostBuilder::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value HostBuilder::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value HostBuilder::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); }
Value HostBuilder::ceilDiv(Value x, Value y) {
  Value up = add(x, sub(y, index(1)));
  return b.createOrFold<arith::DivUIOp>(loc, up, y);
}
Value HostBuilder::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value HostBuilder::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }
Value HostBuilder::dim(Value memref, int64_t i) { return b.createOrFold<memref::DimOp>(loc, memref, i); }

Value HostBuilder::workspace(ArrayRef<int64_t> shape, ValueRange dynamic, Type type) {
  return memref::AllocOp::create(b, loc, MemRefType::get(shape, type), dynamic, b.getI64IntegerAttr(kBufferAlignment));
}

//===----------------------------------------------------------------------===//
// Device
//===----------------------------------------------------------------------===//

/// The array that stands for dynamic shared memory. External: ptxas counts one byte for an internal one.
static LLVM::GlobalOp getDynamicShared(gpu::GPUModuleOp kernels) {
  static constexpr llvm::StringLiteral name = "dynamic_shared";
  if (auto global = kernels.lookupSymbol<LLVM::GlobalOp>(name))
    return global;
  OpBuilder b = OpBuilder::atBlockBegin(kernels.getBody());
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
  return LLVM::GlobalOp::create(b, kernels.getLoc(), type, /*isConstant=*/false, LLVM::Linkage::External, name,
                                Attribute(), /*alignment=*/128, kShared);
}

/// A name that PTX allows and the module does not have yet.
static std::string makeKernelName(gpu::GPUModuleOp kernels, StringRef name) {
  std::string base;
  for (char c : name)
    base += llvm::isAlnum(c) || c == '_' ? c : '_';
  std::string unique = base;
  for (unsigned i = 1; kernels.lookupSymbol(unique); ++i)
    unique = base + "_" + std::to_string(i);
  return unique;
}

DeviceKernel::DeviceKernel(HostBuilder &host, StringRef name, int64_t threads)
    : t(host.b, host.loc), threads(threads), host(host) {
  MLIRContext *context = host.b.getContext();
  LLVM::GlobalOp dynamicShared = getDynamicShared(host.kernels);
  t.b.setInsertionPointToEnd(host.kernels.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {});
  function = LLVM::LLVMFuncOp::create(t.b, host.loc, makeKernelName(host.kernels, name), type);
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), UnitAttr::get(context));
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), UnitAttr::get(context));
  function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(), t.b.getDenseI32ArrayAttr({int32_t(threads), 1, 1}));
  // ptxas aims at more blocks of its own accord, and spills a few registers for them, unless it is told a number.
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), t.b.getI32IntegerAttr(1));
  t.b.setInsertionPointToStart(function.addEntryBlock(t.b));
  shared = LLVM::AddressOfOp::create(t.b, t.loc, dynamicShared);
}

Value DeviceKernel::allocateShared(int64_t size) {
  Value address = t.offset(shared, bytes);
  bytes += llvm::alignTo(size, 16);
  return address;
}

/// What is remembered has to dominate all uses.
ThreadBuilder DeviceKernel::atEntry() {
  return ThreadBuilder(OpBuilder::atBlockBegin(&function.getBody().front()), t.loc);
}

Value DeviceKernel::addParameter(Value operand, Type type) {
  operands.push_back(operand);
  return function.getBody().front().addArgument(type, t.loc);
}

Value DeviceKernel::get(Value index) {
  if (Value known = indices.lookup(index))
    return known;
  Value narrow = arith::IndexCastOp::create(host.b, host.loc, host.b.getI32Type(), index);
  return indices[index] = addParameter(narrow, t.b.getI32Type());
}

Value DeviceKernel::dim(Value memref, int64_t i) {
  int64_t size = cast<MemRefType>(memref.getType()).getDimSize(i);
  return ShapedType::isDynamic(size) ? get(host.dim(memref, i)) : t.i32(size);
}

GlobalTensor DeviceKernel::tensor(Value memref) {
  auto known = tensors.find(memref);
  if (known != tensors.end())
    return known->second;
  auto type = cast<MemRefType>(memref.getType());
  GlobalTensor tensor;
  tensor.element = type.getElementType();
  tensor.address = addParameter(memref, LLVM::LLVMPointerType::get(t.b.getContext(), kGlobal));
  auto [strides, offset] = type.getStridesAndOffset();
  memref::ExtractStridedMetadataOp metadata;
  for (auto [i, stride] : llvm::enumerate(strides)) {
    if (!ShapedType::isDynamic(stride)) {
      tensor.strides.push_back(atEntry().i64(stride));
      continue;
    }
    if (!metadata)
      metadata = memref::ExtractStridedMetadataOp::create(host.b, host.loc, memref);
    Value wide = arith::IndexCastOp::create(host.b, host.loc, host.b.getI64Type(), metadata.getStrides()[i]);
    tensor.strides.push_back(addParameter(wide, t.b.getI64Type()));
  }
  tensors[memref] = tensor;
  return tensor;
}

Value DeviceKernel::address(const GlobalTensor &tensor, ValueRange at) {
  Value elements;
  for (auto [position, stride] : llvm::zip(at, tensor.strides)) {
    Value part = t.mul(t.toI64(position), stride);
    elements = elements ? t.add(elements, part) : part;
  }
  return elements ? t.offset(tensor.address, t.mul(elements, tensor.elementBytes())) : tensor.address;
}

GlobalRows DeviceKernel::rows(Value memref, Value batch, Value head) {
  GlobalTensor all = tensor(memref);
  return {address(all, {batch, head}), all.strides[2], all.element, cast<MemRefType>(memref.getType()).getDimSize(3),
          isAligned(memref)};
}

Value DeviceKernel::isAligned(Value memref) {
  if (Value known = aligned.lookup(memref))
    return known;
  OpBuilder &b = host.b;
  Location loc = host.loc;
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  int64_t bytes = cast<MemRefType>(memref.getType()).getElementTypeBitWidth() / 8;
  auto inBytes = [&](Value elements) { return host.mul(elements, host.index(bytes)); };
  Value bits = host.add(address, inBytes(metadata.getOffset()));
  for (Value stride : metadata.getStrides().drop_back())
    bits = b.createOrFold<arith::OrIOp>(loc, bits, inBytes(stride));
  Value low = b.createOrFold<arith::AndIOp>(loc, bits, host.index(15));
  Value flag = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, low, host.index(0));
  Value parameter = addParameter(arith::ExtUIOp::create(b, loc, b.getI32Type(), flag), t.b.getI32Type());
  return aligned[memref] = atEntry().equal(parameter, 1);
}

LogicalResult DeviceKernel::finish(ValueRange grid, const ChipLimits &limits) {
  if (bytes > limits.sharedBytes)
    return emitError(t.loc) << "kernel '" << function.getName() << "' needs " << bytes
                            << " bytes of shared memory for a block, but the chip has " << limits.sharedBytes
                            << "; use smaller head dimensions, fewer features or a chip with more";
  LLVM::ReturnOp::create(t.b, t.loc, ValueRange());
  SmallVector<Type> types(function.getBody().front().getArgumentTypes());
  function.setType(LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(t.b.getContext()), types));
  auto name = SymbolRefAttr::get(host.kernels.getNameAttr(), {FlatSymbolRefAttr::get(function.getNameAttr())});
  Value one = host.index(1);
  gpu::KernelDim3 blocks{grid[0], grid.size() > 1 ? grid[1] : one, one}, block{host.index(threads), one, one};
  Value sharedSize = arith::ConstantOp::create(host.b, host.loc, host.b.getI32IntegerAttr(bytes));
  gpu::LaunchFuncOp::create(host.b, host.loc, name, blocks, block, sharedSize, operands);
  return success();
}
