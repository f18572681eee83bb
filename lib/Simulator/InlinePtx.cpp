//===- InlinePtx.cpp - operations that exist only as inline PTX -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// convert-nvvm-to-llvm turns some operations of NVVM into text. Before it runs, replaceInlinePtx makes them calls of
// functions bochner.sim.op.<operation>.<key>.<address spaces>; after the translation, lowerInlinePtxOp makes these
// calls of the simulator.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"
#include "lib/Simulator/SimulateKernels.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include <cstddef>

using namespace llvm;

namespace bochner {

//===----------------------------------------------------------------------===//
// Before the conversion
//===----------------------------------------------------------------------===//

namespace {
/// The call that stands for an operation.
struct Replacement {
  std::string name;
  SmallVector<mlir::Value> arguments;
  mlir::Value predicate = nullptr; // becomes the last argument
  bool erase = false;
};
} // namespace

static std::optional<bochner_sim_type_t> typeOf(mlir::NVVM::WGMMATypes type) {
  switch (type) {
  case mlir::NVVM::WGMMATypes::f16:
    return BOCHNER_SIM_F16;
  case mlir::NVVM::WGMMATypes::bf16:
    return BOCHNER_SIM_BF16;
  case mlir::NVVM::WGMMATypes::tf32:
    return BOCHNER_SIM_TF32;
  case mlir::NVVM::WGMMATypes::f32:
    return BOCHNER_SIM_F32;
  default:
    return std::nullopt;
  }
}

static mlir::FailureOr<Replacement> describe(mlir::NVVM::WgmmaMmaAsyncOp op) {
  auto a = typeOf(op.getTypeA()), b = typeOf(op.getTypeB()), d = typeOf(op.getTypeD());
  if (!a || !b || !d || *a != *b)
    return op.emitOpError("has no simulation for these types; use f16, bf16 or tf32");
  auto shape = op.getShape();
  uint32_t key = BOCHNER_SIM_MMA_KEY(64, shape.getN(), shape.getK(), *a, *b, *d, *d);
  key |= op.getScaleA() == mlir::NVVM::WGMMAScaleIn::neg ? BOCHNER_SIM_WGMMA_NEGATE_A : 0;
  key |= op.getScaleB() == mlir::NVVM::WGMMAScaleIn::neg ? BOCHNER_SIM_WGMMA_NEGATE_B : 0;
  key |= op.getLayoutA() == mlir::NVVM::MMALayout::col ? BOCHNER_SIM_WGMMA_TRANSPOSE_A : 0;
  key |= op.getLayoutB() == mlir::NVVM::MMALayout::row ? BOCHNER_SIM_WGMMA_TRANSPOSE_B : 0;
  bool scale = op.getScaleD() == mlir::NVVM::WGMMAScaleOut::one;
  return Replacement{(scale ? "wgmma_add." : "wgmma.") + std::to_string(key),
                     {op.getInouts(), op.getDescriptorA(), op.getDescriptorB()}};
}

static mlir::FailureOr<Replacement> describe(mlir::Operation *op) {
  using namespace mlir::NVVM;
  if (auto wgmma = dyn_cast<WgmmaMmaAsyncOp>(op))
    return describe(wgmma);
  if (auto init = dyn_cast<MBarrierInitOp>(op))
    return Replacement{"mbarrier_init", {init.getAddr(), init.getCount()}, init.getPredicate()};
  if (auto arrive = dyn_cast<MBarrierArriveExpectTxOp>(op))
    return Replacement{"mbarrier_arrive", {arrive.getAddr(), arrive.getTxcount()}, arrive.getPredicate()};
  if (auto wait = dyn_cast<MBarrierTryWaitParityOp>(op))
    return Replacement{"mbarrier_wait", {wait.getAddr(), wait.getPhase()}};
  if (auto arrive = dyn_cast<BarrierArriveOp>(op)) {
    mlir::OpBuilder builder(op);
    mlir::Value id = arrive.getBarrierId();
    if (!id)
      id = mlir::LLVM::ConstantOp::create(builder, op->getLoc(), builder.getI32Type(), builder.getI32IntegerAttr(0));
    return Replacement{"barrier_arrive", {id, arrive.getNumberOfThreads()}};
  }
  if (auto load = dyn_cast<CpAsyncBulkTensorGlobalToSharedClusterOp>(op)) {
    if (!load.getIm2colOffsets().empty() || load.getMulticastMask())
      return load.emitOpError("has no simulation for im2col and multicast; copy tiles to the own block");
    Replacement result{"tma_load", {load.getDstMem(), load.getMbar(), load.getTmaDescriptor()}, load.getPredicate()};
    append_range(result.arguments, load.getCoordinates());
    return result;
  }
  if (auto store = dyn_cast<CpAsyncBulkTensorSharedCTAToGlobalOp>(op)) {
    Replacement result{"tma_store", {store.getSrcMem(), store.getTmaDescriptor()}, store.getPredicate()};
    append_range(result.arguments, store.getCoordinates());
    return result;
  }
  if (isa<PrefetchOp>(op))
    return Replacement{"", {}, nullptr, /*erase=*/true};
  return op->emitOpError("has no simulation; docs/Simulator.md lists the operations that have one");
}

/// Functions that differ in types have different names.
static std::string mangle(const Replacement &replacement) {
  std::string name = (sim::kSimOpPrefix + replacement.name).str();
  for (mlir::Value argument : replacement.arguments)
    if (auto pointer = dyn_cast<mlir::LLVM::LLVMPointerType>(argument.getType()))
      name += "." + std::to_string(pointer.getAddressSpace());
  name += "." + std::to_string(replacement.arguments.size());
  return name + (replacement.predicate ? ".predicated" : "");
}

mlir::LogicalResult replaceInlinePtx(mlir::Operation *root) {
  SmallVector<mlir::Operation *> operations;
  root->walk([&](mlir::NVVM::BasicPtxBuilderInterface op) {
    if (!op.hasIntrinsic() && !isa<mlir::NVVM::InlinePtxOp>(op)) // that one becomes inline assembly, see LowerInlineAsm
      operations.push_back(op);
  });
  bool good = true;
  for (mlir::Operation *op : operations) {
    mlir::FailureOr<Replacement> replacement = describe(op);
    if (failed(replacement)) {
      good = false;
      continue;
    }
    if (replacement->erase) {
      op->erase();
      continue;
    }
    mlir::OpBuilder builder(op);
    std::string name = mangle(*replacement);
    SmallVector<mlir::Value> arguments = replacement->arguments;
    if (replacement->predicate)
      arguments.push_back(replacement->predicate);
    mlir::Type result = mlir::LLVM::LLVMVoidType::get(builder.getContext());
    if (op->getNumResults())
      result = op->getResult(0).getType();
    mlir::Operation *table = mlir::SymbolTable::getNearestSymbolTable(op->getParentOp());
    while (table && !isa<mlir::gpu::GPUModuleOp, mlir::ModuleOp>(table))
      table = mlir::SymbolTable::getNearestSymbolTable(table->getParentOp());
    if (table && !mlir::SymbolTable::lookupSymbolIn(table, name)) {
      mlir::OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&table->getRegion(0).front());
      auto function = mlir::LLVM::LLVMFuncOp::create(
          builder, op->getLoc(), name,
          mlir::LLVM::LLVMFunctionType::get(result, to_vector(mlir::ValueRange(arguments).getTypes())));
      function.setConvergent(true);
    }
    auto call = mlir::LLVM::CallOp::create(
        builder, op->getLoc(), op->getNumResults() ? mlir::TypeRange(result) : mlir::TypeRange(), name, arguments);
    if (op->getNumResults())
      op->getResult(0).replaceAllUsesWith(call.getResult());
    op->erase();
  }
  return mlir::success(good);
}

//===----------------------------------------------------------------------===//
// After the translation
//===----------------------------------------------------------------------===//

namespace sim {

static Value *callMbarrier(KernelRewriter &rewriter, IRBuilderBase &builder, CallInst *call, StringRef what,
                           bochner_sim_mbarrier_t operation, Value *a, uint64_t b) {
  return rewriter.call(builder, offsetof(bochner_sim_functions_t, mbarrier), rewriter.i64,
                       {rewriter.site(call, what), rewriter.word(operation),
                        rewriter.generic(builder, call->getArgOperand(0)), builder.CreateZExt(a, rewriter.i64),
                        builder.getInt64(b)});
}

static void callTma(KernelRewriter &rewriter, IRBuilderBase &builder, CallInst *call, bool load, unsigned arguments) {
  unsigned first = load ? 3 : 2;
  SmallVector<Value *> coordinates(call->arg_begin() + first, call->arg_begin() + arguments);
  uint32_t rank = uint32_t(coordinates.size());
  rewriter.pack(builder, coordinates);
  auto pointer = [&](unsigned i) { return rewriter.generic(builder, call->getArgOperand(i)); };
  Value *barrier = load ? pointer(1) : ConstantPointerNull::get(rewriter.pointer);
  rewriter.call(builder, offsetof(bochner_sim_functions_t, tma), rewriter.voidType,
                {rewriter.site(call, load ? "cp.async.bulk.tensor load" : "cp.async.bulk.tensor store"),
                 rewriter.word(load ? BOCHNER_SIM_TMA_LOAD : BOCHNER_SIM_TMA_STORE), pointer(0), barrier,
                 pointer(first - 1), rewriter.operands(builder, rank), rewriter.word(rank)});
}

bool lowerInlinePtxOp(KernelRewriter &rewriter, CallInst *call) {
  StringRef name = call->getCalledFunction()->getName().drop_front(kSimOpPrefix.size());
  bool predicated = name.consume_back(".predicated");
  auto [operation, rest] = name.split('.');
  unsigned arguments = call->arg_size() - predicated;
  Instruction *at = call;
  if (predicated)
    at = SplitBlockAndInsertIfThen(call->getArgOperand(arguments), call->getIterator(), /*Unreachable=*/false);
  IRBuilder<> builder(at);
  builder.SetCurrentDebugLocation(call->getDebugLoc());
  auto a = [&](unsigned i) { return call->getArgOperand(i); };
  Value *result = nullptr;
  if (operation == "mbarrier_init") {
    callMbarrier(rewriter, builder, call, "mbarrier.init", BOCHNER_SIM_MBARRIER_INIT, a(1), 0);
  } else if (operation == "mbarrier_arrive") {
    callMbarrier(rewriter, builder, call, "mbarrier.arrive.expect_tx", BOCHNER_SIM_MBARRIER_ARRIVE, a(1), 1);
  } else if (operation == "mbarrier_wait") {
    callMbarrier(rewriter, builder, call, "mbarrier.try_wait.parity", BOCHNER_SIM_MBARRIER_WAIT_PARITY, a(1), 0);
  } else if (operation == "barrier_arrive") {
    rewriter.call(builder, offsetof(bochner_sim_functions_t, barrier), rewriter.voidType,
                  {rewriter.site(call, "barrier.arrive"), rewriter.word(BOCHNER_SIM_BARRIER_ARRIVE), a(0), a(1),
                   rewriter.operands(builder, 1), rewriter.results(builder, 1)});
  } else if (operation == "tma_load" || operation == "tma_store") {
    callTma(rewriter, builder, call, operation == "tma_load", arguments);
  } else { // wgmma, with or without adding to D
    uint32_t key = 0;
    rest.split('.').first.getAsInteger(10, key);
    rewriter.pack(builder, {a(0), a(1), a(2), rewriter.word(operation == "wgmma_add")});
    rewriter.results(builder, call->getType()->getStructNumElements());
    rewriter.call(builder, offsetof(bochner_sim_functions_t, wgmma), rewriter.voidType,
                  {rewriter.site(call, "wgmma.mma_async"), rewriter.word(key), rewriter.operands(builder, 0),
                   rewriter.results(builder, 0)});
    result = rewriter.unpack(builder, call->getType());
  }
  if (result)
    call->replaceAllUsesWith(result);
  call->eraseFromParent();
  return true;
}

} // namespace sim
} // namespace bochner
