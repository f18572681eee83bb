//===- OutlineKernels.cpp - one function per fused operation --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Moves each attention and feature map into a private function of its own, from tensors to a tensor, and calls it by
// spectral.launch with destinations. Target passes then see one operation a function, and what they make of it is
// called the same way. Equal operations share a function.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bochner {
#define GEN_PASS_DEF_OUTLINEKERNELSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

/// What a kernel of `op` is called after its function; empty for operations that stay where they are.
static StringRef getKernelKind(Operation *op) {
  return TypeSwitch<Operation *, StringRef>(op)
      .Case<LinearAttentionOp>([](auto) { return "attention"; })
      .Case<LinearAttentionGradOp>([](auto) { return "gradients"; })
      .Case<AttentionStateOp>([](auto) { return "state"; })
      .Case<ApplyStateOp>([](auto) { return "apply"; })
      .Case<FeatureMapOp>([](auto) { return "features"; })
      .Case<ExactAttentionOp>([](auto) { return "exact"; })
      .Default([](Operation *) { return ""; });
}

/// True if the operations do the same to operands of the same types.
static bool areEqual(Operation *a, Operation *b) {
  return a->getName() == b->getName() && a->getAttrDictionary() == b->getAttrDictionary() &&
         a->getOperandTypes() == b->getOperandTypes() && a->getResultTypes() == b->getResultTypes() &&
         llvm::all_of(llvm::zip_equal(a->getRegions(), b->getRegions()), [](auto regions) {
           return OperationEquivalence::isRegionEquivalentTo(&std::get<0>(regions), &std::get<1>(regions),
                                                             OperationEquivalence::IgnoreLocations);
         });
}

/// `func.func private @name(operands) { op; return }`
static func::FuncOp createKernel(Operation *op, StringRef name) {
  MLIRContext *context = op->getContext();
  auto type = FunctionType::get(context, op->getOperandTypes(), op->getResultTypes());
  auto kernel = func::FuncOp::create(op->getLoc(), name, type);
  kernel.setPrivate();
  kernel->setAttr(kKernelAttr, UnitAttr::get(context));
  Block *body = kernel.addEntryBlock();
  OpBuilder b = OpBuilder::atBlockEnd(body);
  Operation *inside = b.clone(*op);
  inside->setOperands(body->getArguments());
  func::ReturnOp::create(b, op->getLoc(), inside->getResults());
  return kernel;
}

/// Replaces `op` by a call of its kernel.
static LogicalResult launch(Operation *op, func::FuncOp kernel) {
  OpBuilder b(op);
  ReifiedRankedShapedTypeDims shapes;
  if (failed(cast<ReifyRankedShapedTypeOpInterface>(op).reifyResultShapes(b, shapes)))
    return op->emitOpError() << "expected the sizes of its results to follow from its operands";
  SmallVector<Value> outputs;
  for (auto [result, sizes] : llvm::zip_equal(op->getResults(), shapes)) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<Value> dynamicSizes;
    for (auto [dim, size] : llvm::enumerate(sizes))
      if (type.isDynamicDim(dim))
        dynamicSizes.push_back(getValueOrCreateConstantIndexOp(b, op->getLoc(), size));
    outputs.push_back(tensor::EmptyOp::create(b, op->getLoc(), type, dynamicSizes));
  }
  auto call = LaunchOp::create(b, op->getLoc(), op->getResultTypes(), FlatSymbolRefAttr::get(kernel), op->getOperands(),
                               outputs);
  op->replaceAllUsesWith(call);
  op->erase();
  return success();
}

namespace {
struct OutlineKernelsPass : bochner::impl::OutlineKernelsPassBase<OutlineKernelsPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    // Kernels of this run by the kind of their operation: candidates for sharing.
    llvm::MapVector<StringRef, SmallVector<func::FuncOp>> kernels;
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (function->hasAttr(kKernelAttr))
        continue;
      SmallVector<Operation *> ops;
      function.walk([&](Operation *op) {
        if (!getKernelKind(op).empty())
          ops.push_back(op);
      });
      Operation *last = function;
      llvm::StringMap<unsigned> count;
      for (Operation *op : ops) {
        StringRef kind = getKernelKind(op);
        auto *equal = llvm::find_if(
            kernels[kind], [&](func::FuncOp kernel) { return areEqual(&kernel.getBody().front().front(), op); });
        func::FuncOp kernel;
        if (equal != kernels[kind].end()) {
          kernel = *equal;
        } else {
          kernel = createKernel(op, (function.getName() + "_" + kind + "_" + Twine(count[kind]++)).str());
          symbols.insert(kernel, std::next(Block::iterator(last)));
          last = kernel;
          kernels[kind].push_back(kernel);
        }
        if (failed(launch(op, kernel)))
          return signalPassFailure();
      }
    }
  }
};
} // namespace
