//===- AttentionOps.cpp - attention and feature maps ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Syntax of feature regions; verifiers, type inference and canonicalization of linear_attention, feature_map and
// exact_attention. The labels C1, C2, ... are those of the operations' documentation.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "dialect/VerifyUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace bochner::spectral;

//===----------------------------------------------------------------------===//
// Feature regions
//===----------------------------------------------------------------------===//

/// `(%x: type, ...) { ... }`
static ParseResult parseFeatureRegion(OpAsmParser &parser, Region &region) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true))
    return failure();
  return parser.parseRegion(region, arguments);
}

static void printFeatureRegion(OpAsmPrinter &printer, Operation *, Region &region) {
  printer << '(';
  llvm::interleaveComma(region.getArguments(), printer, [&](BlockArgument a) { printer.printRegionArgument(a); });
  printer << ") ";
  printer.printRegion(region, /*printEntryBlockArgs=*/false);
}

/// Nothing, or `query_features (%x: type, ...) { ... }`
static ParseResult parseQueryFeatureRegion(OpAsmParser &parser, Region &region) {
  if (failed(parser.parseOptionalKeyword("query_features")))
    return success();
  return parseFeatureRegion(parser, region);
}

static void printQueryFeatureRegion(OpAsmPrinter &printer, Operation *op, Region &region) {
  if (region.empty())
    return;
  printer << "query_features ";
  printFeatureRegion(printer, op, region);
}

/// Number of features that a region yields; 0 if it is malformed.
static int64_t yieldedFeatures(Region &region) {
  if (region.empty() || region.front().empty())
    return 0;
  auto yield = dyn_cast<YieldOp>(region.front().back());
  if (!yield || yield.getFeatures().getType().getRank() != 2)
    return 0;
  int64_t features = yield.getFeatures().getType().getDimSize(1);
  return ShapedType::isDynamic(features) ? 0 : features;
}

/// Checks a region that maps `rows`, [B, H, N, D], against the operation's parameters.
static LogicalResult verifyFeatureRegion(Operation *op, StringRef name, Region &region, Type rows,
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
  if (features.getRank() != 2 || !features.isDynamicDim(0) || features.isDynamicDim(1) || features.getDimSize(1) < 1 ||
      features.getElementType() != rowsType.getElementType())
    return yield.emitOpError() << "expected a tile of features tensor<?xFx" << rowsType.getElementType()
                               << "> with a static number F of features, but got " << features;
  return success();
}

/// Each parameter is [H or 1, ...].
static LogicalResult verifyParameters(Operation *op, OperandRange parameters, StringRef rowsName, Type rows) {
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

/// Shapes of query, key, value, lengths: what linear and exact attention have in common.
template <typename AttentionOp> static LogicalResult verifyAttentionShapes(AttentionOp op, bool sameHeadDimension) {
  auto query = op.getQuery().getType(), key = op.getKey().getType(), value = op.getValue().getType();
  if (failed(expectRank(op, "query", query, 4)) || failed(expectRank(op, "key", key, 4)) ||
      failed(expectRank(op, "value", value, 4)) || failed(expectSameElementType(op, "key", key, "query", query)) ||
      failed(expectSameElementType(op, "value", value, "query", query))) // C1
    return failure();
  for (int64_t dim : {0, 1}) // C2
    if (failed(expectSameDim(op, "key", key, dim, "query", query, dim)) ||
        failed(expectSameDim(op, "value", value, dim, "query", query, dim)))
      return failure();
  if (failed(expectSameDim(op, "value", value, 2, "key", key, 2)) ||
      (sameHeadDimension && failed(expectSameDim(op, "key", key, 3, "query", query, 3))))
    return failure();
  if (failed(expectStaticDim(op, "query", query, 3, "head dimension")) || // C3
      failed(expectStaticDim(op, "key", key, 3, "head dimension")) ||
      failed(expectStaticDim(op, "value", value, 3, "value width")))
    return failure();
  if (op.isCausal() && failed(expectSameDim(op, "key", key, 2, "query", query, 2))) // C4
    return failure();
  if (Value lengths = op.getLengths()) // C5
    if (failed(expectSameDim(op, "lengths", lengths.getType(), 0, "query", query, 0)))
      return failure();
  return success();
}

static LogicalResult inferAttention(Type query, Type value, SmallVectorImpl<Type> &types) {
  auto queryType = cast<RankedTensorType>(query), valueType = cast<RankedTensorType>(value);
  if (queryType.getRank() != 4 || valueType.getRank() != 4)
    return failure();
  types.push_back(withLastDim(queryType, valueType.getDimSize(3)));
  return success();
}

//===----------------------------------------------------------------------===//
// linear_attention
//===----------------------------------------------------------------------===//

LogicalResult LinearAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                  SmallVectorImpl<Type> &types) {
  return inferAttention(adaptor.getQuery().getType(), adaptor.getValue().getType(), types);
}

bool LinearAttentionOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult LinearAttentionOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getQuery(), dims);
}

int64_t LinearAttentionOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
int64_t LinearAttentionOp::getValueWidth() { return lastDim(getValue().getType()); }
OperandRange LinearAttentionOp::getFeatureParameters() { return getParameters(); }
MutableOperandRange LinearAttentionOp::getFeatureParametersMutable() { return getParametersMutable(); }
bool LinearAttentionOp::isLogDomain() { return getDomain() == Domain::log; }

SmallVector<std::pair<OpOperand *, Region *>> LinearAttentionOp::getFeatureOperands() {
  return {{&getQueryMutable(), &getQueryMap()}, {&getKeyMutable(), &getFeatures()}};
}

void LinearAttentionOp::separateFeatureRegions() {
  IRMapping mapping;
  if (getQueryFeatures().empty())
    getFeatures().cloneInto(&getQueryFeatures(), mapping);
}

LogicalResult LinearAttentionOp::verify() {
  bool sharedMap = getQueryFeatures().empty();
  if (failed(expectKnownAttributes(*this)) || failed(verifyAttentionShapes(*this, sharedMap)) ||
      failed(verifyParameters(*this, getParameters(), "query", getQuery().getType()))) // C7
    return failure();
  if (Value offset = getOffset()) { // C6
    Type type = offset.getType(), query = getQuery().getType();
    if (failed(expectRank(*this, "offset", type, 2)) ||
        failed(expectSameElementType(*this, "offset", type, "query", query)) ||
        failed(expectSameDim(*this, "offset", type, 0, "query", query, 0)) ||
        failed(expectSameDim(*this, "offset", type, 1, "query", query, 1)))
      return failure();
  }
  return expectNotNegative(*this, "eps", getEps()); // C10
}

LogicalResult LinearAttentionOp::verifyRegions() {
  if (failed(verifyFeatureRegion(*this, "features", getFeatures(), getKey().getType(), getParameters()))) // C8, C9
    return failure();
  if (getQueryFeatures().empty())
    return success();
  if (failed(verifyFeatureRegion(*this, "query_features", getQueryFeatures(), getQuery().getType(), getParameters())))
    return failure();
  int64_t want = yieldedFeatures(getFeatures()), got = yieldedFeatures(getQueryFeatures());
  if (want != got)
    return emitOpError() << "expected 'query_features' to yield " << want << " features as 'features' does, but got "
                         << got;
  return success();
}

namespace {
/// A region for queries that equals the one for keys -> one region.
struct MergeEqualRegions : OpRewritePattern<LinearAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearAttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getQueryFeatures().empty())
      return rewriter.notifyMatchFailure(op, "expected a region for queries");
    if (op.getQuery().getType().getDimSize(3) != op.getKey().getType().getDimSize(3) ||
        !OperationEquivalence::isRegionEquivalentTo(&op.getFeatures(), &op.getQueryFeatures(),
                                                    OperationEquivalence::IgnoreLocations))
      return rewriter.notifyMatchFailure(op, "expected equal regions");
    rewriter.modifyOpInPlace(op, [&] { rewriter.eraseBlock(&op.getQueryFeatures().front()); });
    return success();
  }
};

/// Parameters that no region reads, or that are given twice, are dropped.
template <typename AttentionOp> struct DropParameters : OpRewritePattern<AttentionOp> {
  using OpRewritePattern<AttentionOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    SmallVector<Region *> regions;
    for (Region &region : op->getRegions())
      if (!region.empty())
        regions.push_back(&region);
    llvm::SmallDenseMap<Value, unsigned> first;
    llvm::BitVector drop(op.getParameters().size());
    for (auto [i, parameter] : llvm::enumerate(op.getParameters())) {
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
          op.getParametersMutable().erase(i);
        }
    });
    return success();
  }
};
} // namespace

void LinearAttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeEqualRegions, DropParameters<LinearAttentionOp>>(context);
}

//===----------------------------------------------------------------------===//
// feature_map
//===----------------------------------------------------------------------===//

LogicalResult FeatureMapOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  auto rows = cast<RankedTensorType>(adaptor.getRows().getType());
  int64_t features = yieldedFeatures(adaptor.getFeatures());
  if (rows.getRank() != 4)
    return failure();
  types.push_back(withLastDim(rows, features ? features : ShapedType::kDynamic));
  return success();
}

bool FeatureMapOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult FeatureMapOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getRows(), dims);
}

int64_t FeatureMapOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
OperandRange FeatureMapOp::getFeatureParameters() { return getParameters(); }
MutableOperandRange FeatureMapOp::getFeatureParametersMutable() { return getParametersMutable(); }
void FeatureMapOp::separateFeatureRegions() {}
bool FeatureMapOp::isLogDomain() { return getDomain() == Domain::log; }

SmallVector<std::pair<OpOperand *, Region *>> FeatureMapOp::getFeatureOperands() {
  return {{&getRowsMutable(), &getFeatures()}};
}

LogicalResult FeatureMapOp::verify() {
  auto rows = getRows().getType();
  return failure(failed(expectKnownAttributes(*this)) || failed(expectRank(*this, "rows", rows, 4)) || // C1
                 failed(expectStaticDim(*this, "rows", rows, 3, "head dimension")) ||
                 failed(verifyParameters(*this, getParameters(), "rows", rows))); // C2
}

LogicalResult FeatureMapOp::verifyRegions() { // C3, C4
  return verifyFeatureRegion(*this, "features", getFeatures(), getRows().getType(), getParameters());
}

void FeatureMapOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropParameters<FeatureMapOp>>(context);
}

LogicalResult YieldOp::verify() { return expectKnownAttributes(*this); }

//===----------------------------------------------------------------------===//
// exact_attention
//===----------------------------------------------------------------------===//

LogicalResult ExactAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                                 SmallVectorImpl<Type> &types) {
  return inferAttention(adaptor.getQuery().getType(), adaptor.getValue().getType(), types);
}

bool ExactAttentionOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult ExactAttentionOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  return reifyLike(b, *this, getQuery(), dims);
}

LogicalResult ExactAttentionOp::verify() {
  return failure(failed(expectKnownAttributes(*this)) || failed(verifyAttentionShapes(*this, true)) ||
                 failed(expectFinite(*this, "scale", getScale())) || failed(expectNotNegative(*this, "eps", getEps())));
}

#define GET_OP_CLASSES
#include "dialect/SpectralOps.cpp.inc"
