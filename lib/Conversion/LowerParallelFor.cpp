//===- LowerParallelFor.cpp - parallel loops to calls of the runtime ------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: public functions with spectral.parallel_for. Output: calls of Environment::parallelFor with a TaskFn
// (runtime/ModuleFormat.h) that unpacks what the task captures.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Passes.h"

namespace bochner {
#define GEN_PASS_DEF_LOWERPARALLELFORPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
struct LowerParallelFor : bochner::impl::LowerParallelForPassBase<LowerParallelFor> {
  using LowerParallelForPassBase::LowerParallelForPassBase;
  void runOnOperation() override;

private:
  LogicalResult lower(func::FuncOp entry, ArrayRef<ParallelForOp> loops, SymbolTable &symbols);
  LLVM::LLVMFuncOp getRunner(func::FuncOp task, ArrayRef<Type> captures, LLVM::LLVMStructType context,
                             int64_t scratchBytes, SymbolTable &symbols);
  DenseMap<Operation *, LLVM::LLVMFuncOp> runners; // of tasks
};
} // namespace

/// How a captured value stands in the context; null for types that cannot be captured.
static Type getStoredType(Type type) {
  if (isa<IndexType>(type))
    return IntegerType::get(type.getContext(), 64);
  if (auto memref = dyn_cast<MemRefType>(type))
    return getDescriptorType(memref);
  return isa<IntegerType, FloatType>(type) ? type : Type();
}

/// llvm.func @task.run(%context, %index, %scratch): calls the task with what %context holds.
LLVM::LLVMFuncOp LowerParallelFor::getRunner(func::FuncOp task, ArrayRef<Type> captures, LLVM::LLVMStructType context,
                                             int64_t scratchBytes, SymbolTable &symbols) {
  LLVM::LLVMFuncOp &runner = runners[task];
  if (runner)
    return runner;
  Location loc = task.getLoc();
  OpBuilder b(task.getContext());
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, b.getI64Type(), pointer});
  runner = LLVM::LLVMFuncOp::create(b, loc, (task.getName() + ".run").str(), type, LLVM::Linkage::Internal);
  symbols.insert(runner, std::next(task->getIterator()));
  Block *body = runner.addEntryBlock(b);
  b.setInsertionPointToStart(body);
  Value bytes = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(scratchBytes));
  SmallVector<Value> arguments{castThroughLLVM(b, loc, body->getArgument(1), b.getIndexType()),
                               createByteBuffer(b, loc, body->getArgument(2), bytes)};
  for (auto [i, capture] : llvm::enumerate(captures)) {
    Value place =
        LLVM::GEPOp::create(b, loc, pointer, context, body->getArgument(0), ArrayRef<LLVM::GEPArg>{0, int32_t(i)});
    Value stored = LLVM::LoadOp::create(b, loc, context.getBody()[i], place);
    arguments.push_back(castThroughLLVM(b, loc, stored, capture));
  }
  func::CallOp::create(b, loc, task, arguments);
  LLVM::ReturnOp::create(b, loc, ValueRange());
  return runner;
}

LogicalResult LowerParallelFor::lower(func::FuncOp entry, ArrayRef<ParallelForOp> loops, SymbolTable &symbols) {
  auto pointer = LLVM::LLVMPointerType::get(&getContext());
  if (failed(entry.insertArgument(0, pointer, {}, entry.getLoc())))
    return failure();
  Value environment = entry.getArgument(0);
  int64_t maxScratch = 0;
  for (ParallelForOp loop : loops) {
    Location loc = loop.getLoc();
    auto task = symbols.lookup<func::FuncOp>(loop.getTask());
    if (!task)
      return loop.emitOpError() << "expected " << loop.getTaskAttr() << " to be a func.func";
    SmallVector<Type> stored;
    for (Type type : loop.getCaptures().getTypes()) {
      stored.push_back(getStoredType(type));
      if (!stored.back())
        return loop.emitOpError() << "expected buffers, indices, integers and floats as captures, but got " << type;
    }
    int64_t scratch = 0;
    if (auto bytes = task->getAttrOfType<IntegerAttr>(kScratchBytesAttr))
      scratch = bytes.getInt();
    maxScratch = std::max(maxScratch, scratch);

    auto contextType = LLVM::LLVMStructType::getLiteral(&getContext(), stored);
    SmallVector<Type> captures(loop.getCaptures().getTypes());
    LLVM::LLVMFuncOp runner = getRunner(task, captures, contextType, scratch, symbols);

    // On top, so that a loop around it does not grow the stack.
    OpBuilder b = OpBuilder::atBlockBegin(&entry.getBody().front());
    Value one = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(1));
    Value context = LLVM::AllocaOp::create(b, loc, pointer, contextType, one);
    b.setInsertionPoint(loop);
    for (auto [i, capture] : llvm::enumerate(loop.getCaptures())) {
      Value place = LLVM::GEPOp::create(b, loc, pointer, contextType, context, ArrayRef<LLVM::GEPArg>{0, int32_t(i)});
      LLVM::StoreOp::create(b, loc, castThroughLLVM(b, loc, capture, stored[i]), place);
    }
    Value run = LLVM::LoadOp::create(b, loc, pointer, environment);
    Value function = LLVM::AddressOfOp::create(b, loc, runner);
    Value count = castThroughLLVM(b, loc, loop.getCount(), b.getI64Type());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()),
                                            {pointer, pointer, pointer, b.getI64Type()});
    LLVM::CallOp::create(b, loc, type, ValueRange{run, environment, function, context, count});
    loop.erase();
  }
  entry->setAttr(kScratchBytesAttr, OpBuilder(entry).getI64IntegerAttr(maxScratch));
  return success();
}

void LowerParallelFor::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  runners.clear();
  for (func::FuncOp function : llvm::to_vector(module.getOps<func::FuncOp>())) {
    SmallVector<ParallelForOp> loops;
    function.walk([&](ParallelForOp loop) { loops.push_back(loop); });
    if (loops.empty())
      continue;
    if (!function.isPublic()) {
      loops.front().emitOpError() << "cannot stand in a private function; tasks do not start tasks";
      return signalPassFailure();
    }
    if (failed(lower(function, loops, symbols)))
      return signalPassFailure();
  }
}
