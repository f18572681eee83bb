//===- Rewriter.cpp - state of the rewrite of a kernel --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Program points, calls through the table of functions that a lane points to, and the two buffers that operands and
// results of warp operations pass through.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/InstIterator.h"
#include <cstddef>

using namespace llvm;

namespace bochner::sim {

uint32_t StringPool::add(StringRef text) {
  auto [entry, isNew] = offsets.try_emplace(text, uint32_t(bytes.size()));
  if (isNew) {
    bytes += text;
    bytes.push_back(0);
  }
  return entry->second;
}

KernelRewriter::KernelRewriter(Function &body, mlir::Location location)
    : body(body), module(*body.getParent()), context(body.getContext()), i32(Type::getInt32Ty(context)),
      i64(Type::getInt64Ty(context)), f32(Type::getFloatTy(context)), voidType(Type::getVoidTy(context)),
      pointer(PointerType::get(context, 0)), location(location) {}

Value *KernelRewriter::site(const Instruction *at, StringRef what, uint32_t size) {
  bochner_sim_site_t entry = {};
  entry.what = strings.add(what);
  entry.size = size;
  if (const DILocation *where = at->getDebugLoc()) {
    entry.file = strings.add(where->getFilename());
    entry.line = where->getLine();
    entry.column = where->getColumn();
  }
  // Unrolled copies are one point; without a line, nothing tells two points from copies.
  auto key = std::make_tuple(entry.what, entry.file, entry.line, entry.column, entry.size);
  if (entry.line)
    if (auto found = siteIndices.find(key); found != siteIndices.end())
      return word(found->second);
  uint32_t index = uint32_t(sites.size());
  sites.push_back(entry);
  siteIndices[key] = index;
  return word(index);
}

mlir::InFlightDiagnostic KernelRewriter::error(const Instruction *at) {
  if (const DILocation *where = at->getDebugLoc(); where && where->getLine())
    return mlir::emitError(
        mlir::FileLineColLoc::get(location.getContext(), where->getFilename(), where->getLine(), where->getColumn()));
  return mlir::emitError(location);
}

Value *KernelRewriter::laneField(IRBuilderBase &builder, size_t offset, Type *type) const {
  Value *address = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), lane(), offset);
  LoadInst *load = builder.CreateLoad(type, address);
  load->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(context, {}));
  return load;
}

Value *KernelRewriter::call(IRBuilderBase &builder, size_t offset, Type *result, ArrayRef<Value *> arguments) const {
  Value *table = laneField(builder, offsetof(bochner_sim_lane, functions), pointer);
  Value *member = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), table, offset);
  LoadInst *function = builder.CreateLoad(pointer, member);
  function->setMetadata(LLVMContext::MD_invariant_load, MDNode::get(context, {}));
  SmallVector<Value *> all{lane()};
  append_range(all, arguments);
  SmallVector<Type *> types;
  for (Value *argument : all)
    types.push_back(argument->getType());
  CallInst *call = builder.CreateCall(FunctionType::get(result, types, false), function, all);
  // Whatever waits for other threads must stay where it is, once.
  call->addFnAttr(Attribute::Convergent);
  call->addFnAttr(Attribute::NoDuplicate);
  call->addFnAttr(Attribute::NoUnwind);
  return call;
}

Value *KernelRewriter::generic(IRBuilderBase &builder, Value *value) const {
  if (value->getType()->isIntegerTy()) // a shared address in a register of 32 bits
    return builder.CreateIntToPtr(builder.CreateZExtOrTrunc(value, i64), pointer);
  return value->getType() == pointer ? value : builder.CreateAddrSpaceCast(value, pointer);
}

Value *KernelRewriter::bufferWord(IRBuilderBase &builder, AllocaInst *&buffer, unsigned words) {
  words = std::max(words, 4u);
  if (!buffer) {
    IRBuilder<> entry(&body.getEntryBlock(), body.getEntryBlock().begin());
    buffer = entry.CreateAlloca(ArrayType::get(i32, words));
    buffer->setAlignment(Align(16));
  } else if (buffer->getAllocatedType()->getArrayNumElements() < words) {
    buffer->setAllocatedType(ArrayType::get(i32, words));
  }
  return buffer;
}

Value *KernelRewriter::operands(IRBuilderBase &builder, unsigned words) {
  return bufferWord(builder, operandBuffer, words);
}

Value *KernelRewriter::results(IRBuilderBase &builder, unsigned words) {
  return bufferWord(builder, resultBuffer, words);
}

/// Words of a value in a buffer.
static unsigned wordsOf(const DataLayout &layout, Type *type) {
  return std::max<uint64_t>(1, (layout.getTypeStoreSize(type) + 3) / 4);
}

unsigned KernelRewriter::pack(IRBuilderBase &builder, ArrayRef<Value *> values) {
  const DataLayout &layout = module.getDataLayout();
  SmallVector<Value *> flat;
  for (Value *value : values) {
    auto *type = dyn_cast<StructType>(value->getType());
    if (!type) {
      flat.push_back(value);
      continue;
    }
    for (unsigned i = 0; i < type->getNumElements(); ++i)
      flat.push_back(builder.CreateExtractValue(value, i));
  }
  unsigned words = 0;
  for (Value *value : flat)
    words += value->getType()->isPointerTy() ? 2 : wordsOf(layout, value->getType());
  Value *buffer = operands(builder, words);
  words = 0;
  for (Value *value : flat) {
    if (value->getType()->isPointerTy())
      value = builder.CreatePtrToInt(generic(builder, value), i64);
    if (value->getType()->isIntegerTy() && value->getType()->getIntegerBitWidth() < 32)
      value = builder.CreateZExt(value, i32);
    builder.CreateAlignedStore(value, builder.CreateConstInBoundsGEP1_32(i32, buffer, words), Align(4));
    words += wordsOf(layout, value->getType());
  }
  return words;
}

Value *KernelRewriter::unpack(IRBuilderBase &builder, Type *type) {
  if (type->isVoidTy())
    return nullptr;
  const DataLayout &layout = module.getDataLayout();
  unsigned at = 0;
  auto read = [&](Type *element) -> Value * {
    Value *buffer = results(builder, at + wordsOf(layout, element));
    Value *address = builder.CreateConstInBoundsGEP1_32(i32, buffer, at);
    at += wordsOf(layout, element);
    if (element->isIntegerTy() && element->getIntegerBitWidth() < 32)
      return builder.CreateTrunc(builder.CreateLoad(i32, address), element);
    return builder.CreateAlignedLoad(element, address, Align(4));
  };
  auto *structType = dyn_cast<StructType>(type);
  if (!structType)
    return read(type);
  Value *result = PoisonValue::get(type);
  for (unsigned i = 0; i < structType->getNumElements(); ++i)
    result = builder.CreateInsertValue(result, read(structType->getElementType(i)), i);
  return result;
}

Value *KernelRewriter::warp(IRBuilderBase &builder, const Instruction *at, StringRef what, bochner_sim_warp_t operation,
                            Value *key, Value *mask, ArrayRef<Value *> values, Type *result) {
  pack(builder, values);
  call(builder, offsetof(bochner_sim_functions_t, warp), voidType,
       {site(at, what), word(operation), key, mask, operands(builder, 0), results(builder, 0)});
  return unpack(builder, result);
}

void KernelRewriter::countSpecial(IRBuilderBase &builder) const {
  Value *counter = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), lane(), offsetof(bochner_sim_lane, mufu));
  builder.CreateStore(builder.CreateAdd(builder.CreateLoad(i64, counter), builder.getInt64(1)), counter);
}

uint64_t KernelRewriter::stackBytes() const {
  uint64_t bytes = 0;
  for (const Instruction &instruction : instructions(body))
    if (const auto *variable = dyn_cast<AllocaInst>(&instruction))
      if (std::optional<TypeSize> size = variable->getAllocationSize(module.getDataLayout()))
        bytes += size->getFixedValue() + variable->getAlign().value();
  return bytes;
}

} // namespace bochner::sim
