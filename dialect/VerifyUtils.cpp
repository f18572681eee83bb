//===- VerifyUtils.cpp - checks with one wording --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bochner::spectral;

LogicalResult bochner::spectral::expectKnownAttributes(Operation *op) {
  for (NamedAttribute attribute : op->getDiscardableAttrs())
    if (!attribute.getName().strref().contains('.')) {
      auto diagnostic = op->emitOpError() << "expected an attribute of the operation, but got '"
                                          << attribute.getName().strref() << "'; known are";
      StringRef separator = " ";
      for (StringAttr known : op->getName().getAttributeNames())
        if (known.strref() != "operandSegmentSizes") {
          diagnostic << separator << "'" << known.strref() << "'";
          separator = ", ";
        }
      if (separator == " ")
        diagnostic << " none";
      return diagnostic;
    }
  return success();
}

LogicalResult bochner::spectral::expectRank(Operation *op, StringRef name, Type type, int64_t rank) {
  int64_t got = cast<RankedTensorType>(type).getRank();
  if (got != rank)
    return op->emitOpError() << "expected '" << name << "' to have rank " << rank << ", but got " << type;
  return success();
}

LogicalResult bochner::spectral::expectSameDim(Operation *op, StringRef name, Type type, int64_t dim, StringRef other,
                                               Type otherType, int64_t otherDim) {
  int64_t got = cast<RankedTensorType>(type).getDimSize(dim);
  int64_t want = cast<RankedTensorType>(otherType).getDimSize(otherDim);
  if (!ShapedType::isDynamic(got) && !ShapedType::isDynamic(want) && got != want)
    return op->emitOpError() << "expected dimension " << dim << " of '" << name << "' to be " << want << " (dimension "
                             << otherDim << " of '" << other << "'), but got " << got;
  return success();
}

LogicalResult bochner::spectral::expectStaticDim(Operation *op, StringRef name, Type type, int64_t dim,
                                                 StringRef what) {
  int64_t got = cast<RankedTensorType>(type).getDimSize(dim);
  if (ShapedType::isDynamic(got) || got < 1)
    return op->emitOpError() << "expected dimension " << dim << " of '" << name << "' (" << what
                             << ") to be static and positive, but got " << type;
  return success();
}

LogicalResult bochner::spectral::expectPowerOfTwo(Operation *op, StringRef name, Type type, int64_t dim) {
  int64_t got = cast<RankedTensorType>(type).getDimSize(dim);
  if (ShapedType::isDynamic(got) || got < 1 || !llvm::isPowerOf2_64(got))
    return op->emitOpError() << "expected dimension " << dim << " of '" << name
                             << "' to be a static power of two, but got " << type;
  return success();
}

LogicalResult bochner::spectral::expectSameElementType(Operation *op, StringRef name, Type type, StringRef other,
                                                       Type otherType) {
  if (getElementTypeOrSelf(type) != getElementTypeOrSelf(otherType))
    return op->emitOpError() << "expected '" << name << "' to have the element type of '" << other << "' ("
                             << getElementTypeOrSelf(otherType) << "), but got " << type;
  return success();
}

LogicalResult bochner::spectral::expectFinite(Operation *op, StringRef name, const APFloat &value) {
  if (!value.isFinite())
    return op->emitOpError() << "expected '" << name << "' to be finite, but got " << value.convertToDouble();
  return success();
}

LogicalResult bochner::spectral::expectNotNegative(Operation *op, StringRef name, const APFloat &value) {
  if (!value.isFinite() || value.isNegative())
    return op->emitOpError() << "expected '" << name << "' to be finite and not negative, but got "
                             << value.convertToDouble();
  return success();
}

RankedTensorType bochner::spectral::withLastDim(Type type, int64_t size) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape.back() = size;
  return RankedTensorType::get(shape, tensor.getElementType());
}

LogicalResult bochner::spectral::reifyLike(OpBuilder &b, Operation *op, Value rows, ReifiedRankedShapedTypeDims &dims) {
  SmallVector<OpFoldResult> &sizes = dims.emplace_back();
  for (auto [dim, size] : llvm::enumerate(cast<RankedTensorType>(op->getResult(0).getType()).getShape()))
    sizes.push_back(ShapedType::isDynamic(size) ? tensor::getMixedSize(b, op->getLoc(), rows, dim)
                                                : OpFoldResult(b.getIndexAttr(size)));
  return success();
}

bool bochner::spectral::areCompatible(TypeRange inferred, TypeRange results) {
  return inferred.size() == results.size() && llvm::all_of(llvm::zip(inferred, results), [](auto pair) {
           auto [want, got] = pair;
           return getElementTypeOrSelf(want) == getElementTypeOrSelf(got) &&
                  succeeded(verifyCompatibleShape(want, got)) &&
                  (ShapedType::isDynamic(lastDim(want)) || !ShapedType::isDynamic(lastDim(got)));
         });
}
