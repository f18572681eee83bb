//===- ListRules.cpp - prints the operations that have a derivative -------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The names of what implements ReverseDifferentiableOpInterface, one a line, so that a test can ask for a case of each.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "lib/Passes.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

int main() {
  mlir::DialectRegistry registry;
  bochner::registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  for (mlir::RegisteredOperationName name : context.getRegisteredOperations())
    if (name.hasInterface<bochner::spectral::ReverseDifferentiableOpInterface>())
      llvm::outs() << name.getStringRef() << "\n";
  return 0;
}
