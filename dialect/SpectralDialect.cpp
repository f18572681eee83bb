//===- SpectralDialect.cpp - registration and attributes ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

#include "dialect/BochnerDialect.cpp.inc"
#include "dialect/SpectralDialect.cpp.inc"
#include "dialect/SpectralEnums.cpp.inc"
#include "dialect/SpectralInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/SpectralAttrs.cpp.inc"

namespace {
/// Operations mean the same wherever they stand.
struct SpectralInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Operation *, bool) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void SpectralDialect::initialize() {
  addInterfaces<SpectralInliner>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/SpectralAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/SpectralOps.cpp.inc"
      >();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t rowTile, int64_t featureBlock,
                                   int64_t registerRows, int64_t registerColumns, int64_t rowChunk) {
  for (int64_t size : {rowTile, featureBlock, registerRows, registerColumns, rowChunk})
    if (size < 1)
      return emitError() << "expected positive sizes in a schedule, but got " << size;
  if (rowTile % registerRows)
    return emitError() << "expected 'register_rows' to divide 'row_tile' (" << rowTile << "), but got " << registerRows;
  if (featureBlock % registerColumns)
    return emitError() << "expected 'register_columns' to divide 'feature_block' (" << featureBlock << "), but got "
                       << registerColumns;
  if (rowChunk % rowTile)
    return emitError() << "expected 'row_tile' to divide 'row_chunk' (" << rowChunk << "), but got " << rowTile;
  return success();
}

//===----------------------------------------------------------------------===//
// Dialect bochner
//===----------------------------------------------------------------------===//

void BochnerDialect::initialize() {}

/// `normal(0.5)` -> true for the initializers that FORMULAS-style graphs use.
static bool isInitializer(StringRef text) {
  auto [name, rest] = text.split('(');
  if (rest.empty())
    return llvm::StringSet<>{"zeros", "ones", "signs", "permutation", "chi", "normal", "uniform", "mask", "offsets"}
        .contains(name);
  if (name == "offsets")
    return rest.consume_back(")") && !rest.empty();
  int64_t bound;
  if (name == "below")
    return rest.consume_back(")") && !rest.getAsInteger(10, bound) && bound > 0;
  double value;
  if (!rest.consume_back(")") || rest.getAsDouble(value))
    return false;
  return name == "constant" || ((name == "normal" || name == "uniform") && value >= 0);
}

static LogicalResult verifyTensorAttribute(Operation *op, NamedAttribute attribute, Type type, StringRef where,
                                           bool isResult) {
  StringRef name = attribute.getName().strref();
  auto text = dyn_cast<StringAttr>(attribute.getValue());
  if (name == kNameAttr || (isResult && name == kUpdatesAttr)) {
    if (!text || text.empty())
      return op->emitOpError() << "expected '" << name << "' of " << where << " to be a string, but got "
                               << attribute.getValue();
    return success();
  }
  if (name == kInitAttr) {
    if (!text || !isInitializer(text.strref()))
      return op->emitOpError() << "expected '" << name << "' of " << where
                               << " to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, "
                                  "offsets(dim), below(n) or constant(x), but got "
                               << attribute.getValue();
    return success();
  }
  if (name == kDimsAttr) {
    auto dims = dyn_cast<ArrayAttr>(attribute.getValue());
    auto shaped = dyn_cast<ShapedType>(type);
    if (!dims || !llvm::all_of(dims, llvm::IsaPred<StringAttr>) || !shaped || !shaped.hasRank() ||
        int64_t(dims.size()) != shaped.getRank())
      return op->emitOpError() << "expected '" << name << "' of " << where << " to name each dimension of " << type
                               << ", but got " << attribute.getValue();
    return success();
  }
  return op->emitOpError() << "expected 'bochner.name', 'bochner.init'" << (isResult ? ", " : " or ")
                           << "'bochner.dims'" << (isResult ? " or 'bochner.updates'" : "") << " on " << where
                           << ", but got '" << name << "'";
}

LogicalResult BochnerDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName().strref();
  if (name != "bochner.attributes")
    return op->emitOpError() << "expected 'bochner.attributes' on an operation, but got '" << name << "'";
  if (!isa<StringAttr>(attribute.getValue()))
    return op->emitOpError() << "expected '" << name << "' to be a string, but got " << attribute.getValue();
  return success();
}

LogicalResult BochnerDialect::verifyRegionArgAttribute(Operation *op, unsigned regionIndex, unsigned argIndex,
                                                       NamedAttribute attribute) {
  Type type;
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    type = function.getArgumentTypes()[argIndex];
  return verifyTensorAttribute(op, attribute, type, "argument " + std::to_string(argIndex), false);
}

LogicalResult BochnerDialect::verifyRegionResultAttribute(Operation *op, unsigned regionIndex, unsigned resultIndex,
                                                          NamedAttribute attribute) {
  Type type;
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    type = function.getResultTypes()[resultIndex];
  return verifyTensorAttribute(op, attribute, type, "result " + std::to_string(resultIndex), true);
}
