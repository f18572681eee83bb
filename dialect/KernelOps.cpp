//===- KernelOps.cpp - operations of the kernel and target phases ---------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of launch, which calls an outlined kernel on tensors, and of parallel_for, which runs tasks on buffers.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace bochner::spectral;

static FailureOr<FunctionOpInterface> lookUp(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name) {
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(op, name);
  if (!function)
    return op->emitOpError() << "expected " << name << " to name a function, but found none";
  return function;
}

LogicalResult LaunchOp::verify() {
  if (failed(expectKnownAttributes(*this)))
    return failure();
  if (getResultTypes() != getOutputs().getTypes()) // C3
    return emitOpError() << "expected results of the outputs' types (" << getOutputs().getTypes() << "), but got ("
                         << getResultTypes() << ")";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = lookUp(*this, symbols, getKernelAttr()); // C1
  if (failed(function))
    return failure();
  // Before emission the kernel takes the inputs; after it, buffers of the inputs and of the outputs.
  size_t inputs = getInputs().size(), got = function->getNumArguments();
  if (got == inputs + getOutputs().size() && llvm::all_of(function->getArgumentTypes(), llvm::IsaPred<MemRefType>))
    return success();
  if (TypeRange(function->getArgumentTypes()) != TypeRange(getInputs().getTypes())) // C2
    return emitOpError() << "expected " << getKernelAttr() << " to take (" << getInputs().getTypes() << "), but got ("
                         << TypeRange(function->getArgumentTypes()) << ")";
  return success();
}

LogicalResult ParallelForOp::verify() { return expectKnownAttributes(*this); }

LogicalResult ParallelForOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = lookUp(*this, symbols, getTaskAttr());
  if (failed(function))
    return failure();
  OpBuilder b(getContext());
  SmallVector<Type> want{b.getIndexType(), MemRefType::get({ShapedType::kDynamic}, b.getI8Type())}; // C1
  llvm::append_range(want, getCaptures().getTypes());
  if (TypeRange(function->getArgumentTypes()) != TypeRange(want))
    return emitOpError() << "expected " << getTaskAttr() << " to take (" << want << "), but got ("
                         << TypeRange(function->getArgumentTypes()) << ")";
  return success();
}
