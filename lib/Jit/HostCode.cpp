//===- HostCode.cpp - what device cuda leaves to the host -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are private functions at this point, one operation each; spectral-emit-gpu-kernels says of some that they
// run on the host. What stands in the graph itself runs there in any case, unless it only renames memory.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/HostCode.h"
#include "dialect/Spectral.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;

/// Sizes, and views of tensors.
static bool touchesNoMemory(Operation &op) {
  if (isa<spectral::LaunchOp, tensor::EmptyOp, tensor::DimOp, tensor::CastOp, tensor::ExtractSliceOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return true;
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  return llvm::none_of(op.getOperandTypes(), isTensor) && llvm::none_of(op.getResultTypes(), isTensor) &&
         op.getNumRegions() == 0;
}

static LogicalResult checkOperation(Operation &op) {
  if (auto returned = dyn_cast<func::ReturnOp>(op)) {
    // A copy of an argument; kernels write results, which have memory of their own.
    for (Value value : returned.getOperands())
      if (isa<BlockArgument>(value)) {
        InFlightDiagnostic error = op.emitError() << "'func.return' of an argument copies it on the host";
        error.attachNote() << kHostCodeRemedy;
        return error;
      }
    return success();
  }
  if (touchesNoMemory(op))
    return success();
  InFlightDiagnostic error = op.emitError() << "'" << op.getName() << "' runs on the host";
  error.attachNote() << kHostCodeRemedy;
  return error;
}

LogicalResult bochner::checkHostCode(ModuleOp module) {
  bool good = true;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    for (Operation &op : function.getBody().front())
      good &= succeeded(checkOperation(op));
  }
  return success(good);
}
