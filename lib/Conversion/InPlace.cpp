//===- InPlace.cpp - results in the memory of arguments -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations on buffers run in the order of their block, and what comes after bufferization keeps it. So it is enough
// that all that reads the argument stands before the first access to the destination, or is that access: an operation
// that computes each element from the same element.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/InPlace.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace bochner;

/// Appends what may access a buffer, also by its views; false if that cannot be told.
static bool collectAccesses(Value buffer, SmallVectorImpl<OpOperand *> &accesses) {
  for (OpOperand &use : buffer.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DimOp, memref::DeallocOp>(user))
      continue;
    if (isa<ViewLikeOpInterface>(user)) {
      for (Value view : user->getResults())
        if (isa<MemRefType>(view.getType()) && !collectAccesses(view, accesses))
          return false;
      continue;
    }
    bool mayPassOn = user->hasTrait<OpTrait::IsTerminator>() || llvm::any_of(user->getResultTypes(), [](Type type) {
                       return isa<BaseMemRefType, IndexType>(type);
                     });
    if (mayPassOn && !isa<memref::LoadOp>(user))
      return false;
    accesses.push_back(&use);
  }
  return true;
}

static Value stripCasts(Value buffer) {
  while (auto cast = buffer.getDefiningOp<memref::CastOp>())
    buffer = cast.getSource();
  return buffer;
}

/// True if `op` reads elements of `source` only to write those of `destination` at the same place.
static bool isElementwise(Operation *op, Value source, Value destination) {
  auto loops = dyn_cast<linalg::LinalgOp>(op);
  if (!loops || loops.getNumParallelLoops() != loops.getNumLoops())
    return false;
  AffineMap written;
  for (OpOperand &init : loops.getDpsInitsMutable())
    if (stripCasts(init.get()) == destination)
      written = loops.getMatchingIndexingMap(&init);
  if (!written || !written.isPermutation())
    return false;
  return llvm::all_of(loops.getDpsInputOperands(), [&](OpOperand *input) {
    return stripCasts(input->get()) != source || loops.getMatchingIndexingMap(input) == written;
  });
}

bool bochner::runsInPlace(func::FuncOp function, Value source, Value destination) {
  if (!llvm::hasSingleElement(function.getBody()))
    return false;
  Block &body = function.getBody().front();
  SmallVector<OpOperand *> reads, writes;
  if (!collectAccesses(source, reads) || !collectAccesses(destination, writes) || writes.empty())
    return false;
  auto ancestor = [&](OpOperand *access) { return body.findAncestorOpInBlock(*access->getOwner()); };
  Operation *first = ancestor(writes.front());
  for (OpOperand *write : writes)
    if (ancestor(write)->isBeforeInBlock(first))
      first = ancestor(write);
  return llvm::all_of(reads, [&](OpOperand *read) {
    Operation *op = ancestor(read);
    if (op->isBeforeInBlock(first))
      return true;
    // By operands of the operation itself, not by views or within its body.
    return op == first && read->getOwner() == op && stripCasts(read->get()) == source &&
           isElementwise(op, source, destination);
  });
}
