//===- ConvertElementType.cpp - spectral-convert-element-type -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces every floating-point type of a module by one, so that the file of an f32 or 16-bit graph also compiles as
// its f64 oracle. Input: a module on tensors. Output: the same with one floating-point type in signatures, results,
// block arguments and constants; extensions and truncations between such types are gone.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace bochner {
#define GEN_PASS_DEF_CONVERTELEMENTTYPEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;

static APFloat converted(APFloat value, FloatType to) {
  bool losesInfo;
  value.convert(to.getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value;
}

static Attribute converted(DenseFPElementsAttr values, FloatType to) {
  return values.mapValues(to, [to](const APFloat &value) { return converted(value, to).bitcastToAPInt(); });
}

/// The values of a resource; null if its blob is missing or is not of floating-point numbers.
static DenseFPElementsAttr valuesOf(DenseResourceElementsAttr resource) {
  auto type = cast<ShapedType>(resource.getType());
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  bool isSplat;
  if (!blob || !isa<FloatType>(type.getElementType()) ||
      !DenseElementsAttr::isValidRawBuffer(type, blob->getData(), isSplat))
    return {};
  return cast<DenseFPElementsAttr>(DenseElementsAttr::getFromRawBuffer(type, blob->getData()));
}

/// Types and constants with `to` in place of any other floating-point type.
static void addReplacements(AttrTypeReplacer &replacer, FloatType to) {
  using Replacement = std::optional<std::pair<Attribute, WalkResult>>;
  replacer.addReplacement([to](FloatType) -> Type { return to; });
  replacer.addReplacement(
      [to](FloatAttr value) -> Attribute { return FloatAttr::get(to, converted(value.getValue(), to)); });
  replacer.addReplacement([to](DenseFPElementsAttr values) -> Replacement {
    if (!isa<FloatType>(values.getElementType()))
      return std::nullopt;
    return std::make_pair(converted(values, to), WalkResult::skip());
  });
  // A resource is a blob in the old type; it becomes a plain constant.
  replacer.addReplacement([to](DenseResourceElementsAttr resource) -> Replacement {
    if (DenseFPElementsAttr values = valuesOf(resource))
      return std::make_pair(converted(values, to), WalkResult::skip());
    return std::nullopt;
  });
}

namespace {
struct ConvertElementTypePass : bochner::impl::ConvertElementTypePassBase<ConvertElementTypePass> {
  using ConvertElementTypePassBase::ConvertElementTypePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (to == "f64")
      target = Float64Type::get(context);
    else if (to == "f32")
      target = Float32Type::get(context);
    else
      return emitError(UnknownLoc::get(context)) << "expected 'to' to be f64 or f32, but got '" << to << "'";
    return success();
  }

  void runOnOperation() override {
    SmallVector<Operation *> casts;
    WalkResult refused = getOperation()->walk([&](Operation *op) -> WalkResult {
      if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
        casts.push_back(op);
        return WalkResult::advance();
      }
      auto isFloat = [](Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); };
      if (isa<arith::BitcastOp, tensor::BitcastOp>(op) &&
          (isFloat(op->getOperand(0).getType()) || isFloat(op->getResult(0).getType())))
        return op->emitOpError() << "cannot change its element type, because it reads the bits of a number";
      for (NamedAttribute attribute : op->getAttrs())
        if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute.getValue()))
          if (isFloat(resource.getType()) && !valuesOf(resource))
            return op->emitOpError() << "cannot change its element type, because the contents of resource '"
                                     << resource.getRawHandle().getKey() << "' are missing or of another size";
      return WalkResult::advance();
    });
    if (refused.wasInterrupted())
      return signalPassFailure();

    AttrTypeReplacer replacer;
    addReplacements(replacer, target);
    getOperation()->walk([&](Operation *op) {
      // Attributes of spectral operations are numbers of the formula, not of the element type.
      bool isSpectral = isa_and_nonnull<bochner::spectral::SpectralDialect>(op->getDialect());
      replacer.replaceElementsIn(op, /*replaceAttrs=*/!isSpectral, /*replaceLocs=*/false, /*replaceTypes=*/true);
      // The type of a state is one of the element types.
      for (NamedAttribute attribute : op->getAttrs())
        if (auto type = dyn_cast<TypeAttr>(attribute.getValue()); type && isSpectral)
          op->setAttr(attribute.getName(), cast<TypeAttr>(replacer.replace(type)));
    });
    for (Operation *cast : casts) {
      cast->getResult(0).replaceAllUsesWith(cast->getOperand(0));
      cast->erase();
    }
  }

private:
  FloatType target;
};
} // namespace
