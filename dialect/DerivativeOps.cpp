//===- DerivativeOps.cpp - derivatives of functions -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace bochner::spectral;

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

static LogicalResult checkTypes(Operation *op, StringRef what, TypeRange got, TypeRange expected) {
  if (got == expected)
    return success();
  return op->emitOpError() << "expected '" << what << "' to have the types (" << expected << "), but got (" << got
                           << ")";
}

/// The types of the inputs that 'wrt' names.
static FailureOr<SmallVector<Type>> typesOf(Operation *op, ValueRange inputs, ArrayRef<int64_t> wrt) {
  SmallVector<Type> types;
  llvm::SmallSet<int64_t, 8> seen;
  for (int64_t i : wrt) {
    if (i < 0 || i >= int64_t(inputs.size()))
      return op->emitOpError() << "expected 'wrt' to hold indices of the " << inputs.size() << " inputs, but got " << i;
    if (!seen.insert(i).second)
      return op->emitOpError() << "expected 'wrt' to name each input once, but got " << i << " again";
    Type type = inputs[i].getType();
    if (!isFloatTensor(type))
      return op->emitOpError() << "expected input " << i << " of 'wrt' to be a ranked tensor of floating-point "
                               << "elements, but got " << type;
    types.push_back(type);
  }
  return types;
}

/// The function, whose arguments the inputs fit.
template <typename Op> static FailureOr<FunctionOpInterface> lookUp(Op op, SymbolTableCollection &symbols) {
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(op, op.getCalleeAttr());
  if (!function || function.isExternal() || !function.getFunctionBody().hasOneBlock())
    return op.emitOpError() << "expected " << op.getCalleeAttr() << " to be a function with a body of one block";
  if (failed(checkTypes(op, "inputs", op.getInputs().getTypes(), function.getArgumentTypes())))
    return failure();
  return function;
}

LogicalResult VjpOp::verify() { return success(succeeded(typesOf(*this, getInputs(), getWrt()))); } // C4

LogicalResult VjpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = lookUp(*this, symbols); // C1, C2
  if (failed(function) ||
      failed(checkTypes(*this, "cotangents", getCotangents().getTypes(), function->getResultTypes()))) // C3
    return failure();
  SmallVector<Type> expected(function->getResultTypes());
  for (int64_t i : getWrt())
    expected.push_back(getInputs()[i].getType());
  return checkTypes(*this, "results", getResultTypes(), expected); // C5
}

LogicalResult JvpOp::verify() {
  auto directions = typesOf(*this, getInputs(), getWrt()); // C3
  if (failed(directions))
    return failure();
  return checkTypes(*this, "tangents", getTangents().getTypes(), *directions); // C4
}

LogicalResult JvpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = lookUp(*this, symbols); // C1, C2
  if (failed(function))
    return failure();
  for (auto [i, type] : llvm::enumerate(function->getResultTypes()))
    if (!isFloatTensor(type))
      return emitOpError() << "expected result " << i << " of " << getCalleeAttr() << " to be a ranked tensor of "
                           << "floating-point elements, but got " << type;
  SmallVector<Type> expected(function->getResultTypes());
  llvm::append_range(expected, function->getResultTypes());
  return checkTypes(*this, "results", getResultTypes(), expected); // C5
}
