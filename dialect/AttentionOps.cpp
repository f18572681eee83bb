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
#include "dialect/AttentionVerifiers.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/PatternMatch.h"

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

static LogicalResult inferAttention(Type query, Type value, SmallVectorImpl<Type> &types) {
  auto queryType = cast<RankedTensorType>(query), valueType = cast<RankedTensorType>(value);
  if (queryType.getRank() != 4 || valueType.getRank() != 4)
    return failure();
  auto out = withLastDim(queryType, valueType.getDimSize(3));
  types.push_back(out.clone(valueType.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// linear_attention
//===----------------------------------------------------------------------===//

LogicalResult LinearAttentionOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, Adaptor adaptor,
                                                  SmallVectorImpl<Type> &types) {
  auto query = cast<RankedTensorType>(adaptor.getQuery().getType()),
       key = cast<RankedTensorType>(adaptor.getKey().getType()),
       value = cast<RankedTensorType>(adaptor.getValue().getType());
  if (failed(inferAttention(query, value, types)) || key.getRank() != 4)
    return failure();
  if (adaptor.getReturnState()) {
    Type accumulator = getAccumulatorType(query.getElementType());
    llvm::append_range(types, stateTypes(key.getDimSize(0), key.getDimSize(1), yieldedFeatures(adaptor.getFeatures()),
                                         value.getDimSize(3), adaptor.getDomain() == Domain::log,
                                         adaptor.getStateType().value_or(accumulator), accumulator));
  }
  if (adaptor.getDenominator() == Denominator::count)
    types.push_back(RankedTensorType::get(query.getShape().take_front(2), IntegerType::get(context, 64)));
  if (adaptor.getReturnCheckpoints() && adaptor.getCheckpointInterval() > 0)
    llvm::append_range(types, checkpointTypes(key, yieldedFeatures(adaptor.getFeatures()), value.getDimSize(3),
                                              adaptor.getDomain() == Domain::log, adaptor.getCheckpointInterval(),
                                              bool(adaptor.getSequences())));
  if (adaptor.getReturnDenominators())
    types.push_back(withLastDim(query, 1).clone(getAccumulatorType(query.getElementType())));
  return success();
}

bool LinearAttentionOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) { return areCompatible(left, right); }

LogicalResult LinearAttentionOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &dims) {
  if (failed(reifyLike(b, *this, getQuery(), dims)))
    return failure();
  reifyState(b, *this, getKey(), getFinalState().getTypes(), dims);
  if (Value counts = getCounts())
    reifyState(b, *this, getQuery(), counts.getType(), dims);
  if (getReturnCheckpoints()) {
    Location loc = getLoc();
    auto constant = [&](int64_t v) { return arith::ConstantIndexOp::create(b, loc, v).getResult(); };
    Value count = getValueOrCreateConstantIndexOp(b, loc, tensor::getMixedSize(b, loc, getKey(), 2));
    count = arith::CeilDivUIOp::create(b, loc, count, constant(getCheckpointInterval()));
    if (Value offsets = getSequences()) {
      Value sequences = getValueOrCreateConstantIndexOp(b, loc, tensor::getMixedSize(b, loc, offsets, 0));
      sequences = arith::SubIOp::create(b, loc, sequences, constant(1));
      count = arith::AddIOp::create(b, loc, count, sequences);
    }
    for (Value v : getCheckpoints()) {
      auto type = cast<RankedTensorType>(v.getType());
      SmallVector<OpFoldResult> &sizes = dims.emplace_back();
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (!type.isDynamicDim(dim))
          sizes.push_back(b.getIndexAttr(type.getDimSize(dim)));
        else
          sizes.push_back(dim == 2 ? OpFoldResult(count) : tensor::getMixedSize(b, loc, getKey(), dim));
    }
  }
  if (getReturnDenominators()) {
    dims.push_back(dims.front());
    dims.back().back() = b.getIndexAttr(1);
  }
  return success();
}

int64_t LinearAttentionOp::getFeatureCount() { return yieldedFeatures(getFeatures()); }
int64_t LinearAttentionOp::getValueWidth() { return lastDim(getValue().getType()); }
OperandRange LinearAttentionOp::getFeatureParameters() { return getParameters(); }
MutableOperandRange LinearAttentionOp::getFeatureParametersMutable() { return getParametersMutable(); }
bool LinearAttentionOp::isLogDomain() { return getDomain() == Domain::log; }

ValueRange LinearAttentionOp::getFinalState() {
  return getReturnState() ? ValueRange(getExtra()).take_front(isLogDomain() ? 3 : 2) : ValueRange();
}

Value LinearAttentionOp::getCounts() {
  return getDenominator() == Denominator::count ? Value(getExtra().drop_front(getFinalState().size()).front())
                                                : Value();
}

ValueRange LinearAttentionOp::getCheckpoints() {
  if (!getReturnCheckpoints())
    return ValueRange();
  size_t before = getFinalState().size() + size_t(getDenominator() == Denominator::count);
  return ValueRange(getExtra()).drop_front(before).take_front(isLogDomain() ? 3 : 2);
}

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
  bool initial = !getInitial().empty() && getCausality() != Causality::anticausal;
  bool sameLength = haveSameLength(isCausal(), initial, getSequences(), getKeySequences());
  if (failed(expectKnownAttributes(*this)) || failed(verifyAttentionShapes(*this, sharedMap, sameLength)) ||
      failed(verifyGroupedParameters(*this))) // C7
    return failure();
  auto query = getQuery().getType(), key = getKey().getType();
  if (failed(verifyOffset(*this)) || failed(expectNotNegative(*this, "eps", getEps())) ||          // C6, C10
      failed(verifyDenominator(*this, getDomain(), getNormalize(), getDenominator(), getFloor()))) // C15
    return failure();
  if (getStateType() && !isa<FloatType>(*getStateType())) // C14
    return emitOpError() << "expected 'state_type' to be a floating-point type, but got " << *getStateType();
  if (!getInitial().empty()) { // C13
    Type accumulator = getAccumulatorType(query.getElementType());
    auto types = stateTypes(key.getDimSize(0), key.getDimSize(1), yieldedFeatures(getFeatures()), getValueWidth(),
                            isLogDomain(), accumulator, accumulator);
    if (failed(verifyState(*this, "initial", getInitial().getTypes(), types)))
      return failure();
  }
  if (getSequences() && (!getInitial().empty() || getReturnState())) // C12
    return emitOpError() << "expected no state with 'sequences', whose number no dimension tells; pad them and give "
                            "'lengths'";
  if (getSequences() && getDenominator() == Denominator::count) // C15
    return emitOpError() << "expected no counts with 'sequences', which share a batch entry; use denominator<none> or "
                            "denominator<clamp>";
  if (getForm() == Form::recurrent && !isCausal()) // C16
    return emitOpError() << "expected 'causality' to be causal or anticausal for form<recurrent>, but got none";
  if (getForm() == Form::quadratic && (!getInitial().empty() || getReturnState()))
    return emitOpError() << "expected no state for form<quadratic>, which has none; use form<chunked>";
  if (failed(verifyCheckpoints(*this, getReturnCheckpoints()))) // C18
    return failure();
  if (getReturnCheckpoints() && (!getInitial().empty() || (getForm() != Form::chunked && getForm() != Form::automatic)))
    return emitOpError() << "expected no 'initial', and form<chunked> or form<auto>, with 'return_checkpoints'";
  if (getReturnDenominators()) { // C17
    if (!getNormalize() || getDenominator() != Denominator::none)
      return emitOpError() << "expected 'return_denominators' with 'normalize' and denominator<none>";
    if (getForm() != Form::chunked && getForm() != Form::automatic)
      return emitOpError() << "expected form<chunked> or form<auto> with 'return_denominators', but got form<"
                           << stringifyForm(getForm()) << ">";
  }
  return success();
}

LogicalResult LinearAttentionOp::verifyRegions() { return verifyFeatureRegions(*this); } // C8, C9

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

/// A parameter that repeats another for every query head of a group, [H_kv, ...] -> [H_kv, H / H_kv, ...] -> [H, ...]:
/// kernels find the slice of the group themselves.
struct UnrepeatParameters : OpRewritePattern<LinearAttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearAttentionOp op, PatternRewriter &rewriter) const override {
    int64_t groups = op.getKey().getType().getDimSize(1);
    bool changed = false;
    for (OpOperand &operand : op.getParametersMutable()) {
      auto collapse = operand.get().getDefiningOp<tensor::CollapseShapeOp>();
      auto repeat = collapse ? collapse.getSrc().getDefiningOp<linalg::GenericOp>() : linalg::GenericOp();
      if (!repeat || !isRepetition(repeat) || collapse.getReassociationIndices().front().size() != 2 ||
          repeat.getInputs().front().getType() == operand.get().getType() ||
          cast<RankedTensorType>(repeat.getInputs().front().getType()).getDimSize(0) != groups)
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(repeat.getInputs().front()); });
      changed = true;
    }
    return success(changed);
  }

  /// out[h, g, ...] = in[h, ...]
  static bool isRepetition(linalg::GenericOp op) {
    auto maps = op.getIndexingMapsArray();
    if (op.getNumDpsInputs() != 1 || maps.size() != 2 || !maps[1].isIdentity() || op.getNumReductionLoops() ||
        maps[0].getNumResults() + 1 != maps[1].getNumResults() || op.getNumLoops() < 2)
      return false;
    for (auto [i, result] : llvm::enumerate(maps[0].getResults()))
      if (result != rewriterDim(op, i == 0 ? 0 : i + 1))
        return false;
    return op.getBody()->getTerminator()->getOperand(0) == op.getBody()->getArgument(0);
  }
  static AffineExpr rewriterDim(linalg::GenericOp op, unsigned i) { return getAffineDimExpr(i, op.getContext()); }
};
} // namespace

void LinearAttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeEqualRegions, UnrepeatParameters>(context);
  populateDropParameters(patterns, getOperationName());
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

bool FeatureMapOp::isCompatibleReturnTypes(TypeRange left, TypeRange right) {
  if (areCompatible(left, right))
    return true;
  // Features of 16-bit rows may stay in the type that they are computed in.
  auto inferred = cast<RankedTensorType>(left.front());
  return areCompatible(inferred.clone(getAccumulatorType(inferred.getElementType())), right);
}

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

void FeatureMapOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *) {
  populateDropParameters(patterns, getOperationName());
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
  return failure(failed(expectKnownAttributes(*this)) ||
                 failed(verifyAttentionShapes(*this, true,
                                              haveSameLength(isCausal(), false, getSequences(), getKeySequences()))) ||
                 failed(expectFinite(*this, "scale", getScale())) || failed(expectNotNegative(*this, "eps", getEps())));
}

#define GET_OP_CLASSES
#include "dialect/SpectralOps.cpp.inc"
