//===- Buffers.cpp - buffers at the boundaries of functions ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Buffers.h.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Target/CodeGen.h"

using namespace mlir;

MemRefType bochner::getBoundaryType(TensorType tensor) {
  auto shape = tensor.getShape();
  if (shape.size() < 2)
    return MemRefType::get(shape, tensor.getElementType());
  SmallVector<int64_t> strides(shape.size(), ShapedType::kDynamic);
  strides.back() = 1;
  auto layout = StridedLayoutAttr::get(tensor.getContext(), /*offset=*/0, strides);
  return MemRefType::get(shape, tensor.getElementType(), layout);
}

LLVM::LLVMStructType bochner::getDescriptorType(MemRefType type) {
  MLIRContext *context = type.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto integer = IntegerType::get(context, 64);
  SmallVector<Type> members{pointer, pointer, integer};
  if (type.getRank() > 0)
    members.append(2, LLVM::LLVMArrayType::get(integer, type.getRank()));
  return LLVM::LLVMStructType::getLiteral(context, members);
}

Value bochner::castThroughLLVM(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return UnrealizedConversionCastOp::create(builder, loc, type, value).getResult(0);
}

void bochner::requestLoopVectorizer(Operation *function) {
  Builder b(function->getContext());
  function->setAttr("passthrough", b.getArrayAttr(b.getStrArrayAttr({kOptimizeAttr, kOptimizeFull})));
}

Value bochner::createByteBuffer(OpBuilder &builder, Location loc, Value pointer, Value bytes) {
  auto type = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
  auto constant = [&](int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(value)).getResult();
  };
  Value descriptor = LLVM::PoisonOp::create(builder, loc, getDescriptorType(type));
  auto insert = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(builder, loc, descriptor, value, position);
  };
  insert(pointer, 0);
  insert(pointer, 1);
  insert(constant(0), 2);
  insert(bytes, {3, 0});
  insert(constant(1), {4, 0});
  return castThroughLLVM(builder, loc, descriptor, type);
}
