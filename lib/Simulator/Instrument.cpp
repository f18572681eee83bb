//===- Instrument.cpp - checks of memory accesses and loops ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before each access to shared or global memory the simulator is asked where to do it: at the address, or elsewhere if
// that is out of bounds. Each pass of a loop takes one of the steps that a thread has.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/MDBuilder.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include <cstddef>

using namespace llvm;

namespace bochner::sim {

namespace {
struct MemoryAccess {
  Instruction *instruction;
  unsigned pointerOperand;
  Type *type;
  Align alignment;
  bool write, atomic, spins;
};
} // namespace

static std::optional<MemoryAccess> describe(Instruction &instruction) {
  if (auto *load = dyn_cast<LoadInst>(&instruction))
    return MemoryAccess{load,  LoadInst::getPointerOperandIndex(),    load->getType(), load->getAlign(), false,
                        false, load->isAtomic() || load->isVolatile()};
  if (auto *store = dyn_cast<StoreInst>(&instruction))
    return MemoryAccess{store,
                        StoreInst::getPointerOperandIndex(),
                        store->getValueOperand()->getType(),
                        store->getAlign(),
                        true,
                        store->isAtomic(),
                        false};
  if (auto *rmw = dyn_cast<AtomicRMWInst>(&instruction))
    return MemoryAccess{rmw, AtomicRMWInst::getPointerOperandIndex(), rmw->getType(), rmw->getAlign(), true, true,
                        true};
  if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction))
    return MemoryAccess{exchange,
                        AtomicCmpXchgInst::getPointerOperandIndex(),
                        exchange->getCompareOperand()->getType(),
                        exchange->getAlign(),
                        true,
                        true,
                        true};
  return std::nullopt;
}

bool isPrivate(const Value *address) {
  const Value *object = getUnderlyingObject(address, /*MaxLookup=*/0);
  if (isa<AllocaInst>(object))
    return true;
  if (const auto *global = dyn_cast<GlobalVariable>(object))
    return global->isConstant();
  const auto *argument = dyn_cast<Argument>(object);
  return argument && (argument->getArgNo() == 0 || argument->hasByValAttr());
}

static StringRef nameOf(const MemoryAccess &access) {
  if (access.atomic && !isa<StoreInst>(access.instruction))
    return "atomic";
  return access.write ? "store" : "load";
}

void instrumentAccesses(KernelRewriter &rewriter) {
  SmallVector<MemoryAccess> accesses;
  for (Instruction &instruction : instructions(rewriter.body))
    if (std::optional<MemoryAccess> access = describe(instruction))
      if (!isPrivate(instruction.getOperand(access->pointerOperand)))
        accesses.push_back(*access);

  const DataLayout &layout = rewriter.module.getDataLayout();
  for (const MemoryAccess &access : accesses) {
    IRBuilder<> builder(access.instruction);
    Value *address = access.instruction->getOperand(access.pointerOperand);
    uint32_t size = uint32_t(layout.getTypeStoreSize(access.type));
    // Front ends may claim more than the GPU needs, which is the alignment of its widest access, 16 bytes.
    uint64_t alignment = std::min<uint64_t>({access.alignment.value(), PowerOf2Ceil(size), 16});
    rewriter.granularity = std::min<uint32_t>(rewriter.granularity, size & 1 ? 1 : size & 2 ? 2 : 4);
    Value *site = rewriter.site(access.instruction, nameOf(access), size);
    if (access.spins)
      rewriter.call(builder, offsetof(bochner_sim_functions_t, yield), rewriter.voidType, {site});
    uint32_t bits = size | Log2_64(alignment) << 16 | (access.write ? BOCHNER_SIM_WRITE : 0) |
                    (access.atomic ? BOCHNER_SIM_ATOMIC : 0);
    Value *checked = rewriter.call(builder, offsetof(bochner_sim_functions_t, access), rewriter.pointer,
                                   {rewriter.generic(builder, address), site, rewriter.word(bits)});
    if (checked->getType() != address->getType())
      checked = builder.CreateAddrSpaceCast(checked, address->getType());
    access.instruction->setOperand(access.pointerOperand, checked);
    // The address that comes back need not be aligned.
    if (auto *load = dyn_cast<LoadInst>(access.instruction); load && !load->isAtomic())
      load->setAlignment(Align(1));
    else if (auto *store = dyn_cast<StoreInst>(access.instruction); store && !store->isAtomic())
      store->setAlignment(Align(1));
    access.instruction->setMetadata(LLVMContext::MD_invariant_load, nullptr);
    access.instruction->setMetadata(LLVMContext::MD_noalias, nullptr);
    access.instruction->setMetadata(LLVMContext::MD_alias_scope, nullptr);
  }
}

void instrumentLoops(KernelRewriter &rewriter) {
  DominatorTree dominators(rewriter.body);
  LoopInfo loops(dominators);
  SmallVector<BasicBlock *> headers;
  for (Loop *loop : loops.getLoopsInPreorder())
    headers.push_back(loop->getHeader());
  MDNode *unlikely = MDBuilder(rewriter.context).createUnlikelyBranchWeights();
  for (BasicBlock *header : headers) {
    IRBuilder<> builder(header, header->getFirstInsertionPt());
    const Instruction *at = header->getTerminator();
    Value *counter =
        builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), rewriter.lane(), offsetof(bochner_sim_lane, steps));
    Value *left = builder.CreateSub(builder.CreateLoad(rewriter.i64, counter), builder.getInt64(1));
    builder.CreateStore(left, counter);
    Value *none = builder.CreateICmpSLT(left, builder.getInt64(0));
    Instruction *then = SplitBlockAndInsertIfThen(none, builder.GetInsertPoint(), /*Unreachable=*/false, unlikely);
    builder.SetInsertPoint(then);
    rewriter.call(builder, offsetof(bochner_sim_functions_t, step), rewriter.voidType, {rewriter.site(at, "loop")});
  }
}

} // namespace bochner::sim
