//===- FeatureRegions.cpp - what owners of feature regions share ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "dialect/FeatureRegions.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bochner::spectral;

//===----------------------------------------------------------------------===//
// Regions and parameters
//===----------------------------------------------------------------------===//

int64_t bochner::spectral::yieldedFeatures(Region &region) {
  if (region.empty() || region.front().empty())
    return 0;
  auto yield = dyn_cast<YieldOp>(region.front().back());
  if (!yield || yield.getFeatures().getType().getRank() != 2)
    return 0;
  int64_t features = yield.getFeatures().getType().getDimSize(1);
  return ShapedType::isDynamic(features) ? 0 : features;
}

LogicalResult bochner::spectral::verifyFeatureRegion(Operation *op, StringRef name, Region &region, Type rows,
                                                     OperandRange parameters) {
  Block &block = region.front();
  size_t want = 1 + parameters.size();
  if (block.getNumArguments() != want)
    return op->emitOpError() << "expected '" << name << "' to have " << want << " arguments (a tile of rows and "
                             << parameters.size() << " parameters), but got " << block.getNumArguments();
  auto rowsType = cast<RankedTensorType>(rows);
  auto tile = RankedTensorType::get({ShapedType::kDynamic, rowsType.getDimSize(3)}, rowsType.getElementType());
  if (block.getArgument(0).getType() != tile)
    return op->emitOpError() << "expected argument 0 of '" << name << "' to be a tile of rows " << tile << ", but got "
                             << block.getArgument(0).getType();
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    auto type = cast<RankedTensorType>(parameter.getType());
    auto slice = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
    if (block.getArgument(1 + i).getType() != slice)
      return op->emitOpError() << "expected argument " << 1 + i << " of '" << name << "' to be the slice of one head "
                               << slice << " of parameter " << i << ", but got " << block.getArgument(1 + i).getType();
  }
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield)
    return op->emitOpError() << "expected '" << name << "' to end with 'spectral.yield', but got '"
                             << block.getTerminator()->getName() << "'";
  auto features = yield.getFeatures().getType();
  Type element = rowsType.getElementType(), yielded = features.getElementType();
  bool widened = yielded == getAccumulatorType(element); // maps of 16-bit rows may compute in f32
  if (features.getRank() != 2 || !features.isDynamicDim(0) || features.isDynamicDim(1) || features.getDimSize(1) < 1 ||
      (yielded != element && !widened))
    return yield.emitOpError() << "expected a tile of features tensor<?xFx" << element
                               << "> with a static number F of features, but got " << features;
  return success();
}

LogicalResult bochner::spectral::verifyParameters(Operation *op, OperandRange parameters, StringRef rowsName,
                                                  Type rows) {
  int64_t heads = cast<RankedTensorType>(rows).getDimSize(1);
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (type.getRank() < 1)
      return op->emitOpError() << "expected parameter " << i << " to have a first dimension for heads, but got "
                               << type;
    int64_t first = type.getDimSize(0);
    if (!ShapedType::isDynamic(first) && first != 1 && !ShapedType::isDynamic(heads) && first != heads)
      return op->emitOpError() << "expected dimension 0 of parameter " << i << " to be 1 or " << heads
                               << " (dimension 1 of '" << rowsName << "'), but got " << first;
    for (int64_t size : type.getShape().drop_front())
      if (ShapedType::isDynamic(size))
        return op->emitOpError() << "expected parameter " << i << " to be static but for its first dimension, but got "
                                 << type;
  }
  return success();
}

LogicalResult bochner::spectral::verifyKeyMasks(Operation *op, Value lengths, Value mask, Value sequences,
                                                Value keySequences, StringRef rowsName, Type rows) {
  if (lengths && failed(expectSameDim(op, "lengths", lengths.getType(), 0, rowsName, rows, 0)))
    return failure();
  if (mask && (failed(expectSameDim(op, "mask", mask.getType(), 0, rowsName, rows, 0)) ||
               failed(expectSameDim(op, "mask", mask.getType(), 1, rowsName, rows, 2))))
    return failure();
  if (keySequences && !sequences)
    return op->emitOpError() << "expected 'sequences' with 'key_sequences', but they are not given";
  if (!sequences)
    return success();
  if (lengths)
    return op->emitOpError() << "expected 'lengths' or 'sequences', but got both; sequences say how long they are";
  int64_t batch = cast<RankedTensorType>(rows).getDimSize(0);
  if (!ShapedType::isDynamic(batch) && batch != 1)
    return op->emitOpError() << "expected dimension 0 of '" << rowsName
                             << "' to be 1, since 'sequences' are packed along its rows, but got " << batch;
  if (keySequences &&
      failed(expectSameDim(op, "key_sequences", keySequences.getType(), 0, "sequences", sequences.getType(), 0)))
    return failure();
  return success();
}

LogicalResult bochner::spectral::verifyDenominator(Operation *op, Domain domain, bool normalize, Denominator policy,
                                                   const APFloat &floor) {
  if (failed(expectNotNegative(op, "floor", floor)))
    return failure();
  if (policy == Denominator::none)
    return success();
  StringRef name = stringifyDenominator(policy);
  if (domain == Domain::log || !normalize)
    return op->emitOpError() << "expected domain<linear> and 'normalize' for denominator<" << name << ">, but got "
                             << (normalize ? "domain<log>, whose denominators are positive" : "no denominators");
  if (floor.isZero())
    return op->emitOpError() << "expected a positive 'floor' for denominator<" << name << ">, but got 0";
  return success();
}

LogicalResult bochner::spectral::expectGroupedHeads(Operation *op, StringRef name, Type rows, StringRef keysName,
                                                    Type keys) {
  int64_t heads = cast<RankedTensorType>(rows).getDimSize(1), groups = cast<RankedTensorType>(keys).getDimSize(1);
  if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(groups) || (groups > 0 && heads % groups == 0))
    return success();
  return op->emitOpError() << "expected dimension 1 of '" << name << "' to be a multiple of " << groups
                           << " (dimension 1 of '" << keysName << "'), but got " << heads;
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

Type bochner::spectral::getAccumulatorType(Type element) {
  return element.getIntOrFloatBitWidth() < 32 ? Float32Type::get(element.getContext()) : element;
}

SmallVector<Type> bochner::spectral::stateTypes(int64_t batch, int64_t heads, int64_t features, int64_t width,
                                                bool isLog, Type sums, Type accumulator) {
  SmallVector<Type> types{RankedTensorType::get({batch, heads, features, width}, sums)};
  types.append(isLog ? 2 : 1, RankedTensorType::get({batch, heads, features}, accumulator));
  return types;
}

SmallVector<Type> bochner::spectral::checkpointTypes(RankedTensorType key, int64_t features, int64_t width, bool isLog,
                                                     int64_t interval, bool packed) {
  Type accumulator = getAccumulatorType(key.getElementType());
  int64_t count = packed || key.isDynamicDim(2) ? ShapedType::kDynamic : llvm::divideCeil(key.getDimSize(2), interval);
  auto types = stateTypes(key.getDimSize(0), key.getDimSize(1), features, width, isLog, accumulator, accumulator);
  for (Type &type : types) {
    auto shape = llvm::to_vector(cast<RankedTensorType>(type).getShape());
    shape.insert(shape.begin() + 2, count);
    type = RankedTensorType::get(shape, accumulator);
  }
  return types;
}

LogicalResult bochner::spectral::verifyState(Operation *op, StringRef name, TypeRange state, ArrayRef<Type> expected) {
  if (state.size() != expected.size())
    return op->emitOpError() << "expected '" << name << "' to have " << expected.size()
                             << (expected.size() == 3 ? " tensors (S, z and r)" : " tensors (S and z)") << ", but got "
                             << state.size();
  for (auto [i, got, want] : llvm::enumerate(state, expected)) {
    bool sameElement = i == 0 || getElementTypeOrSelf(got) == getElementTypeOrSelf(want);
    if (!sameElement || failed(verifyCompatibleShape(got, want)) ||
        llvm::any_of(cast<RankedTensorType>(got).getShape().drop_front(2), ShapedType::isDynamic))
      return op->emitOpError() << "expected tensor " << i << " of '" << name << "' to be " << want << ", but got "
                               << got;
  }
  return success();
}

void bochner::spectral::reifyState(OpBuilder &b, Operation *op, Value rows, TypeRange types,
                                   ReifiedRankedShapedTypeDims &dims) {
  for (Type type : types) {
    SmallVector<OpFoldResult> &sizes = dims.emplace_back();
    for (auto [dim, size] : llvm::enumerate(cast<RankedTensorType>(type).getShape()))
      sizes.push_back(ShapedType::isDynamic(size) ? tensor::getMixedSize(b, op->getLoc(), rows, dim)
                                                  : OpFoldResult(b.getIndexAttr(size)));
  }
}

//===----------------------------------------------------------------------===//
// Canonicalization
//===----------------------------------------------------------------------===//

namespace {
struct DropParameters : RewritePattern {
  DropParameters(StringRef opName, MLIRContext *context) : RewritePattern(opName, 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    auto map = cast<FeatureMapOpInterface>(op);
    SmallVector<Region *> regions;
    for (Region &region : op->getRegions())
      if (!region.empty())
        regions.push_back(&region);
    llvm::SmallDenseMap<Value, unsigned> first;
    llvm::BitVector drop(map.getFeatureParameters().size());
    for (auto [i, parameter] : llvm::enumerate(map.getFeatureParameters())) {
      auto [seen, isNew] = first.try_emplace(parameter, i);
      if (!isNew)
        for (Region *region : regions)
          rewriter.replaceAllUsesWith(region->getArgument(1 + i), region->getArgument(1 + seen->second));
      drop[i] = llvm::all_of(regions, [&, i = i](Region *r) { return r->getArgument(1 + i).use_empty(); });
    }
    if (drop.none())
      return rewriter.notifyMatchFailure(op, "expected a parameter without use");
    rewriter.modifyOpInPlace(op, [&] {
      for (int i = drop.size() - 1; i >= 0; --i)
        if (drop[i]) {
          for (Region *region : regions)
            region->eraseArgument(1 + i);
          map.getFeatureParametersMutable().erase(i);
        }
    });
    return success();
  }
};
} // namespace

void bochner::spectral::populateDropParameters(RewritePatternSet &patterns, StringRef opName) {
  patterns.add<DropParameters>(opName, patterns.getContext());
}
