//===- RandomOps.cpp - random numbers from counters -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of random_bits, random_normal, random_signs, random_permutation and random_orthogonal: keys and offsets are
// right by their types; what is left is the shape of the result. Dropout, with its derivative.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"

using namespace mlir;
using namespace bochner::spectral;

/// `rank` is the only one that the operation has, or 0 if any but 0 will do.
static LogicalResult verifySample(Operation *op, int64_t rank = 0) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (failed(expectKnownAttributes(op)))
    return failure();
  if (rank && failed(expectRank(op, "sample", type, rank))) // C1
    return failure();
  if (type.getRank() == 0)
    return op->emitOpError() << "expected 'sample' to have dimensions, but got " << type;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) // C2
    if (failed(expectStaticDim(op, "sample", type, dim, "a draw")))
      return failure();
  return success();
}

LogicalResult RandomBitsOp::verify() { return verifySample(*this); }
LogicalResult RandomNormalOp::verify() { return verifySample(*this); }
LogicalResult RandomSignsOp::verify() { return verifySample(*this); }
LogicalResult RandomPermutationOp::verify() { return verifySample(*this, 1); }
LogicalResult RandomOrthogonalOp::verify() { return verifySample(*this, 2); }

LogicalResult DropoutOp::verify() {
  if (failed(expectKnownAttributes(*this)))
    return failure();
  double rate = getRate().convertToDouble();
  if (!(rate >= 0 && rate < 1)) // C1
    return emitOpError() << "expected 'rate' to be at least 0 and less than 1, but got " << rate;
  auto type = getInput().getType();
  if (type.getRank() == 0)
    return emitOpError() << "expected 'input' to have dimensions, but got " << type;
  return expectStaticDim(*this, "input", type, type.getRank() - 1, "columns"); // C2
}

LogicalResult DropoutOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getInput(), dims);
}

/// Linear in the input, with the same factors of its elements.
LogicalResult DropoutOp::buildAdjoint(OpBuilder &b, ReverseSweep &sweep) {
  Value g = sweep.cotangentOf(getResult());
  sweep.add(b, getInput(), create(b, getLoc(), g.getType(), g, getKey(), getOffset(), getRateAttr(), getStreamAttr()));
  return success();
}
