//===- RowwiseLinalg.cpp - row-wise form of structured operations ---------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External model of RowwiseOpInterface for every operation that implements LinalgOp. Its indexing maps alone decide: an
// operand is read by rows, by heads, or whole. On a tile the operation becomes linalg.fill, linalg.matmul where the
// maps allow it, or linalg.generic.
//
//===----------------------------------------------------------------------===//
#include "dialect/Spectral.h"
#include "lib/Transforms/RowwiseModels.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
/// The loops over rows of a structured operation, and what they leave for a tile.
class RowLoops {
public:
  /// Fails if the first three dimensions of the result are not loops of their own.
  static FailureOr<RowLoops> of(linalg::LinalgOp op) {
    AffineMap map = op.getIndexingMapMatchingResult(op->getResult(0));
    RowLoops loops;
    for (AffineExpr expr : map.getResults().take_front(kRowDims)) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop || llvm::is_contained(loops.rowLoops, loop.getPosition()))
        return failure();
      loops.rowLoops.push_back(loop.getPosition());
    }
    for (unsigned loop = 0, kept = 0; loop < op.getNumLoops(); ++loop)
      loops.tileLoops.push_back(loop == loops.rowLoops[0] || loop == loops.rowLoops[1] ? -1 : int64_t(kept++));
    return loops;
  }

  bool isRowLoop(unsigned loop) const { return llvm::is_contained(rowLoops, loop); }
  /// Number of a loop on a tile; batch and heads have none.
  int64_t onTile(unsigned loop) const { return tileLoops[loop]; }

  FailureOr<RowwiseOperand> classify(AffineMap map) const {
    if (leadingRowDims(map) == kRowDims && !mentions(map, kRowDims))
      return RowwiseOperand::Row;
    if (map.getNumResults() && isLoop(map.getResult(0), rowLoops[1]) && !mentions(map, 1))
      return RowwiseOperand::HeadParameter;
    if (!mentions(map, 0))
      return RowwiseOperand::Shared;
    return failure();
  }

  /// Says why `classify` failed.
  StringRef explain(AffineMap map) const {
    auto isPlain = [&](unsigned loop) {
      return llvm::any_of(map.getResults(), [&](AffineExpr e) { return isLoop(e, loop); });
    };
    if (llvm::all_of(rowLoops, isPlain))
      return "in another layout than [B, H, N, ...]";
    if (map.isFunctionOfDim(rowLoops[2]))
      return "by position, not by row";
    if (map.isFunctionOfDim(rowLoops[0]))
      return "by batch entry, not by row";
    return "by head, but not with the head as first dimension";
  }

  /// The map of a row operand, a head parameter or a shared operand without the dimensions that the tile lacks.
  AffineMap tileMap(AffineMap map) const {
    MLIRContext *context = map.getContext();
    unsigned drop = leadingRowDims(map) == kRowDims                                ? 2
                    : map.getNumResults() && isLoop(map.getResult(0), rowLoops[1]) ? 1
                                                                                   : 0;
    SmallVector<AffineExpr> loops;
    for (int64_t loop : tileLoops)
      loops.push_back(loop < 0 ? getAffineConstantExpr(0, context) : getAffineDimExpr(loop, context));
    SmallVector<AffineExpr> results;
    for (AffineExpr result : map.getResults().drop_front(drop))
      results.push_back(result.replaceDims(loops));
    return AffineMap::get(tileLoops.size() - 2, 0, results, context);
  }

private:
  static bool isLoop(AffineExpr expr, unsigned loop) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    return dim && dim.getPosition() == loop;
  }
  int64_t leadingRowDims(AffineMap map) const {
    int64_t count = 0;
    while (count < kRowDims && count < map.getNumResults() && isLoop(map.getResult(count), rowLoops[count]))
      ++count;
    return count;
  }
  /// True if a result from `begin` on depends on batch, head or position.
  bool mentions(AffineMap map, int64_t begin) const {
    return llvm::any_of(map.getResults().drop_front(begin), [&](AffineExpr e) {
      return llvm::any_of(rowLoops, [&](unsigned loop) { return e.isFunctionOfDim(loop); });
    });
  }

  SmallVector<unsigned, 3> rowLoops;
  SmallVector<int64_t> tileLoops;
};

/// Structured operations, named or generic.
struct LinalgModel : RowwiseOpInterface::FallbackModel<LinalgModel> {
  LogicalResult classifyOperands(Operation *o, SmallVectorImpl<RowwiseOperand> &kinds, std::string &reason) const {
    auto op = cast<linalg::LinalgOp>(o);
    if (o->getNumResults() != 1)
      return refuse(reason, o, "has " + Twine(o->getNumResults()) + " results");
    if (failed(expectRows(o, o->getResult(0).getType(), reason)))
      return failure();
    FailureOr<RowLoops> loops = RowLoops::of(op);
    if (failed(loops))
      return refuse(reason, o, "does not write its rows one by one");
    WalkResult index = op.getBlock()->walk([&](linalg::IndexOp i) {
      return loops->isRowLoop(i.getDim()) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (index.wasInterrupted())
      return refuse(reason, o, "reads the indices of its rows");
    if (llvm::any_of(*op.getBlock(), [](Operation &inner) { return convertsDouble(&inner); }))
      return refuse(reason, o, "converts to or from f64, beside which regions compute in no other type");
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(o->getRegions(), captured);
    if (!llvm::all_of(captured, isScalarConstant))
      return refuse(reason, o, "reads a value that is not an operand");
    kinds.clear();
    for (OpOperand &operand : o->getOpOperands()) {
      FailureOr<RowwiseOperand> kind = classifyOperand(op, operand, *loops, reason);
      if (failed(kind))
        return failure();
      kinds.push_back(*kind);
    }
    return success();
  }

  Value cloneOnTile(Operation *o, OpBuilder &b, Value rows, ValueRange operands) const {
    auto op = cast<linalg::LinalgOp>(o);
    Location loc = o->getLoc();
    RankedTensorType type = getTileType(o->getResult(0).getType());
    SmallVector<Value> inputs(operands.drop_back());
    Value init = operands.back() ? operands.back() : createEmptyTile(b, loc, rows, type);
    if (isa<linalg::FillOp>(o))
      return linalg::FillOp::create(b, loc, inputs, init).getResult(0);
    FailureOr<RowLoops> loops = RowLoops::of(op);
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getIndexingMapsArray())
      maps.push_back(loops->tileMap(map));
    if (Value product = createMatmul(b, op, maps, inputs, init))
      return product;
    SmallVector<utils::IteratorType> iterators;
    for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
      if (loops->onTile(loop) >= 0)
        iterators.push_back(iterator);
    auto generic = linalg::GenericOp::create(b, loc, type, inputs, init, maps, iterators);
    IRMapping mapping;
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(o->getRegions(), captured);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(generic);
    for (Value constant : captured)
      mapping.map(constant, b.clone(*constant.getDefiningOp())->getResult(0));
    o->getRegion(0).cloneInto(&generic.getRegion(), mapping);
    generic.getBody()->walk([&](linalg::IndexOp i) { i.setDim(loops->onTile(i.getDim())); });
    return generic.getResult(0);
  }

private:
  static FailureOr<RowwiseOperand> classifyOperand(linalg::LinalgOp op, OpOperand &operand, const RowLoops &loops,
                                                   std::string &reason) {
    Value value = operand.get();
    if (op.isDpsInit(&operand) && (!op.payloadUsesValueFromOperand(&operand) || value.getDefiningOp<tensor::EmptyOp>()))
      return RowwiseOperand::Initial;
    std::string number = std::to_string(operand.getOperandNumber());
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type) {
      if (isScalarConstant(value))
        return RowwiseOperand::Constant;
      return refuse(reason, op, "reads operand " + Twine(number) + ", a scalar that is not constant");
    }
    AffineMap map = op.getMatchingIndexingMap(&operand);
    FailureOr<RowwiseOperand> kind = loops.classify(map);
    if (failed(kind))
      return refuse(reason, op, "reads operand " + Twine(number) + " " + loops.explain(map));
    ArrayRef<int64_t> columns = type.getShape().drop_front(*kind == RowwiseOperand::Row             ? kRowDims
                                                           : *kind == RowwiseOperand::HeadParameter ? 1
                                                                                                    : 0);
    if (llvm::any_of(columns, ShapedType::isDynamic))
      return refuse(reason, op, "reads operand " + Twine(number) + " with columns of dynamic size");
    return kind;
  }

  /// A sum of products of a tile with a matrix of parameters -> linalg.matmul; null if `op` is something else.
  static Value createMatmul(OpBuilder &b, linalg::LinalgOp op, ArrayRef<AffineMap> maps, ArrayRef<Value> inputs,
                            Value init) {
    Type element = cast<RankedTensorType>(init.getType()).getElementType();
    if (!isa<FloatType>(element) || inputs.size() != 2 || maps[0].getNumDims() != 3 ||
        !linalg::isaContractionOpInterface(op))
      return nullptr;
    for (Value input : inputs)
      if (getElementTypeOrSelf(input.getType()) != element)
        return nullptr;
    AffineMap out = maps[2];
    if (out.getNumResults() != 2 || !out.isProjectedPermutation())
      return nullptr;
    AffineExpr row = out.getResult(0), column = out.getResult(1), depth;
    for (unsigned loop = 0; loop < 3; ++loop)
      if (!out.isFunctionOfDim(loop))
        depth = b.getAffineDimExpr(loop);
    auto isMap = [](AffineMap map, AffineExpr first, AffineExpr second) {
      return map.getNumResults() == 2 && map.getResult(0) == first && map.getResult(1) == second;
    };
    for (unsigned left : {0, 1}) { // the factors commute
      SmallVector<Value, 2> factors{inputs[left], inputs[1 - left]};
      if (!isMap(maps[left], row, depth))
        continue;
      if (isMap(maps[1 - left], depth, column))
        return linalg::MatmulOp::create(b, op.getLoc(), init.getType(), factors, init).getResult(0);
      if (isMap(maps[1 - left], column, depth))
        return linalg::MatmulTransposeBOp::create(b, op.getLoc(), init.getType(), factors, init)->getResult(0);
    }
    return nullptr;
  }
};
} // namespace

void bochner::attachLinalgRowwiseModel(Dialect *linalg) {
  attachToDialect<LinalgModel>(
      linalg, [](const RegisteredOperationName &name) { return name.hasInterface<linalg::LinalgOp>(); });
}
