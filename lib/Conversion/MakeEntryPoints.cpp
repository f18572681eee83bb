//===- MakeEntryPoints.cpp - the calling convention of modules ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: public functions on buffers, each with at most an environment, a workspace and a companion that computes the
// size of the workspace. Output: EntryFn and WorkspaceFn of runtime/ModuleFormat.h, which read their buffers from an
// array of pointers to descriptors.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Passes.h"

namespace bochner {
#define GEN_PASS_DEF_MAKEENTRYPOINTSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
struct MakeEntryPoints : bochner::impl::MakeEntryPointsPassBase<MakeEntryPoints> {
  using MakeEntryPointsPassBase::MakeEntryPointsPassBase;
  void runOnOperation() override;
};
} // namespace

/// The buffer that descriptor `index` describes. The type promises offset 0, so an offset moves the pointer.
static Value loadBuffer(OpBuilder &b, Location loc, Value descriptors, int32_t index, MemRefType type) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value place = LLVM::GEPOp::create(b, loc, pointer, pointer, descriptors, ArrayRef<LLVM::GEPArg>{index});
  Value address = LLVM::LoadOp::create(b, loc, pointer, place);
  Value descriptor = LLVM::LoadOp::create(b, loc, getDescriptorType(type), address);
  Value aligned = LLVM::ExtractValueOp::create(b, loc, descriptor, 1);
  Value offset = LLVM::ExtractValueOp::create(b, loc, descriptor, 2);
  Type element = type.getElementType();
  Value start = LLVM::GEPOp::create(b, loc, pointer, element, aligned, ArrayRef<LLVM::GEPArg>{offset});
  Value zero = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
  descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, start, 1);
  descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, zero, 2);
  return castThroughLLVM(b, loc, descriptor, type);
}

/// Replaces the arguments from `first` on, all buffers, by loads from a new last argument, the descriptors, and renames
/// the function.
static LogicalResult takeDescriptors(func::FuncOp function, unsigned first, const Twine &name, SymbolTable &symbols) {
  Location loc = function.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(function.getContext());
  unsigned count = function.getNumArguments();
  if (failed(function.insertArgument(count, pointer, {}, loc)))
    return failure();
  OpBuilder b = OpBuilder::atBlockBegin(&function.getBody().front());
  BitVector erased(count + 1);
  int32_t index = 0;
  for (BlockArgument argument : function.getArguments().slice(first, count - first)) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type)
      return function.emitError() << "expected argument " << argument.getArgNumber() << " of public function '"
                                  << function.getName() << "' to be a tensor or a buffer, but got "
                                  << argument.getType() << "; pass a scalar as a tensor of rank 0";
    argument.replaceAllUsesWith(loadBuffer(b, loc, function.getArgument(count), index++, type));
    erased.set(argument.getArgNumber());
  }
  if (failed(function.eraseArguments(erased)))
    return failure();
  if (failed(symbols.rename(function, name.str())))
    return function.emitError() << "cannot rename function '" << function.getName() << "' to '" << name << "'";
  function.setPublic();
  requestLoopVectorizer(function);
  return success();
}

/// Makes the environment the first argument and loads the workspace from it; the other arguments are the caller's.
static LogicalResult takeEnvironment(func::FuncOp function) {
  Location loc = function.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(function.getContext());
  if (function.getNumArguments() == 0 || !isa<LLVM::LLVMPointerType>(function.getArgumentTypes().front()))
    if (failed(function.insertArgument(0, pointer, {}, loc)))
      return failure();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (!function.getArgAttr(i, kWorkspaceAttr))
      continue;
    OpBuilder b = OpBuilder::atBlockBegin(&function.getBody().front());
    Value place = LLVM::GEPOp::create(b, loc, pointer, pointer, function.getArgument(0), ArrayRef<LLVM::GEPArg>{1});
    Value start = LLVM::LoadOp::create(b, loc, pointer, place);
    // Views are within bounds by construction; nothing reads the size.
    Value bytes = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
    function.getArgument(i).replaceAllUsesWith(createByteBuffer(b, loc, start, bytes));
    return function.eraseArgument(i);
  }
  return success();
}

void MakeEntryPoints::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  auto isEntry = [](func::FuncOp function) { return function.isPublic() && !function.isExternal(); };
  // Collected first: companions become public on the way.
  for (func::FuncOp function : llvm::to_vector(llvm::make_filter_range(module.getOps<func::FuncOp>(), isEntry))) {
    if (auto name = function->getAttrOfType<FlatSymbolRefAttr>(kWorkspaceSizeAttr)) {
      auto companion = symbols.lookup<func::FuncOp>(name.getAttr());
      if (!companion || failed(takeDescriptors(companion, 0, "bochner.workspace." + function.getName(), symbols)))
        return signalPassFailure();
      function->removeAttr(kWorkspaceSizeAttr);
    }
    if (failed(takeEnvironment(function)) ||
        failed(takeDescriptors(function, 1, "bochner.entry." + function.getName(), symbols)))
      return signalPassFailure();
  }
}
