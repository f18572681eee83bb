//===- LowerLaunches.cpp - launches of kernels to calls of the runtime ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: public functions with gpu.launch_func. Output: calls of Environment::launch (runtime/ModuleFormat.h) with a
// format::Launch on the stack; its kernel is a global `bochner.<device>.<kernel>` that code generation defines.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bochner {
#define GEN_PASS_DEF_LOWERLAUNCHESPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;

namespace {
struct LowerLaunches : bochner::impl::LowerLaunchesPassBase<LowerLaunches> {
  using LowerLaunchesPassBase::LowerLaunchesPassBase;
  void runOnOperation() override;

private:
  LogicalResult lower(func::FuncOp entry, ArrayRef<gpu::LaunchFuncOp> launches);
  LLVM::GlobalOp getKernel(StringRef name);
};
} // namespace

/// What the device describes a kernel by; a declaration.
LLVM::GlobalOp LowerLaunches::getKernel(StringRef kernel) {
  std::string name = ("bochner." + device + "." + kernel).str();
  if (auto global = getOperation().lookupSymbol<LLVM::GlobalOp>(name))
    return global;
  OpBuilder b = OpBuilder::atBlockBegin(getOperation().getBody());
  return LLVM::GlobalOp::create(b, getOperation().getLoc(), b.getI8Type(), /*isConstant=*/true, LLVM::Linkage::External,
                                name, Attribute());
}

/// The value as the kernel's parameter has it; null for types that no kernel takes.
static Value toParameter(OpBuilder &b, Location loc, Value operand) {
  if (isa<IntegerType, FloatType>(operand.getType()))
    return operand;
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type)
    return {};
  Value descriptor = castThroughLLVM(b, loc, operand, getDescriptorType(type));
  Value aligned = LLVM::ExtractValueOp::create(b, loc, descriptor, 1);
  Value offset = LLVM::ExtractValueOp::create(b, loc, descriptor, 2);
  Type element = type.getElementType().isInteger(1) ? b.getI8Type() : type.getElementType();
  return LLVM::GEPOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), element, aligned,
                             ArrayRef<LLVM::GEPArg>{offset});
}

LogicalResult LowerLaunches::lower(func::FuncOp entry, ArrayRef<gpu::LaunchFuncOp> launches) {
  MLIRContext *context = &getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  if (entry.getNumArguments() == 0 || !isa<LLVM::LLVMPointerType>(entry.getArgumentTypes().front()))
    if (failed(entry.insertArgument(0, pointer, {}, entry.getLoc())))
      return failure();
  // format::Launch
  auto launchType = LLVM::LLVMStructType::getLiteral(
      context, {pointer, pointer, LLVM::LLVMArrayType::get(i64, 3), LLVM::LLVMArrayType::get(i32, 3), i32});
  for (gpu::LaunchFuncOp launch : launches) {
    Location loc = launch.getLoc();
    OpBuilder b(launch);
    SmallVector<Value> values;
    SmallVector<Type> types;
    for (Value operand : launch.getKernelOperands()) {
      values.push_back(toParameter(b, loc, operand));
      if (!values.back())
        return launch.emitOpError() << "expected buffers, integers and floats as operands of a kernel, but got "
                                    << operand.getType();
      types.push_back(values.back().getType());
    }
    // On top, so that a loop around it does not grow the stack.
    auto valuesType = LLVM::LLVMStructType::getLiteral(context, types);
    auto pointersType = LLVM::LLVMArrayType::get(pointer, types.size());
    OpBuilder top = OpBuilder::atBlockBegin(&entry.getBody().front());
    Value one = LLVM::ConstantOp::create(top, loc, top.getI64IntegerAttr(1));
    Value stored = LLVM::AllocaOp::create(top, loc, pointer, valuesType, one);
    Value pointers = LLVM::AllocaOp::create(top, loc, pointer, pointersType, one);
    Value record = LLVM::AllocaOp::create(top, loc, pointer, launchType, one);
    auto place = [&](Type type, Value base, ArrayRef<LLVM::GEPArg> at) -> Value {
      return LLVM::GEPOp::create(b, loc, pointer, type, base, at);
    };
    for (auto [i, value] : llvm::enumerate(values)) {
      Value at = place(valuesType, stored, {0, int32_t(i)});
      LLVM::StoreOp::create(b, loc, value, at);
      LLVM::StoreOp::create(b, loc, at, place(pointersType, pointers, {0, int32_t(i)}));
    }
    auto set = [&](Value value, ArrayRef<LLVM::GEPArg> at) {
      LLVM::StoreOp::create(b, loc, value, place(launchType, record, at));
    };
    LLVM::GlobalOp kernel = getKernel(launch.getKernelName());
    set(LLVM::AddressOfOp::create(b, loc, kernel), {0, 0});
    set(pointers, {0, 1});
    gpu::KernelDim3 grid = launch.getGridSizeOperandValues(), block = launch.getBlockSizeOperandValues();
    for (auto [i, size] : llvm::enumerate(std::array{grid.x, grid.y, grid.z}))
      set(castThroughLLVM(b, loc, size, i64), {0, 2, int32_t(i)});
    for (auto [i, size] : llvm::enumerate(std::array{block.x, block.y, block.z}))
      set(LLVM::TruncOp::create(b, loc, i32, castThroughLLVM(b, loc, size, i64)), {0, 3, int32_t(i)});
    Value shared = launch.getDynamicSharedMemorySize();
    set(shared ? shared : Value(LLVM::ConstantOp::create(b, loc, b.getI32IntegerAttr(0))), {0, 4});
    Value environment = entry.getArgument(0);
    // The member behind parallelFor, workspace and host.
    Value run = LLVM::LoadOp::create(b, loc, pointer, place(pointer, environment, {3}));
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer, pointer});
    LLVM::CallOp::create(b, loc, type, ValueRange{run, environment, record});
    launch.erase();
  }
  return success();
}

/// Memory of device cuda is not the host's: a copy or an access that an earlier pass left there would be a fault.
static LogicalResult checkHostAccesses(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (isa<gpu::GPUModuleOp>(op))
      return WalkResult::skip();
    if (!isa<memref::LoadOp, memref::StoreOp, memref::CopyOp, memref::AtomicRMWOp, memref::GetGlobalOp>(op) &&
        !(op->getDialect() && op->getDialect()->getNamespace() == "vector" && !isMemoryEffectFree(op)))
      return WalkResult::advance();
    op->emitOpError() << "accesses memory on the host, which cannot touch that of device cuda; compute this in a "
                         "function that is compiled for device cpu";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

void LowerLaunches::runOnOperation() {
  if (device == "cuda" && failed(checkHostAccesses(getOperation())))
    return signalPassFailure();
  for (func::FuncOp function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
    SmallVector<gpu::LaunchFuncOp> launches;
    function.walk([&](gpu::LaunchFuncOp launch) { launches.push_back(launch); });
    if (launches.empty())
      continue;
    if (!function.isPublic()) {
      launches.front().emitOpError() << "cannot stand in a private function; tasks do not launch kernels";
      return signalPassFailure();
    }
    if (failed(lower(function, launches)))
      return signalPassFailure();
  }
}
