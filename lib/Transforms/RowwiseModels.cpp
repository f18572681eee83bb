//===- RowwiseModels.cpp - row-wise forms of upstream operations ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of RowwiseOpInterface: which operations of `linalg`, `arith`, `math` and `tensor` on `[B, H, N, ...]`
// work row by row, and how they look on a tile of rows of one head. Structured operations are judged by their indexing
// maps alone; on a tile they become linalg.fill, linalg.matmul where the maps allow it, or linalg.generic.
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/RowwiseModels.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

using Kinds = SmallVectorImpl<RowwiseOperand>;

//===----------------------------------------------------------------------===//
// Rows and tiles
//===----------------------------------------------------------------------===//

RankedTensorType bochner::getTileType(Type rows) {
  auto type = cast<RankedTensorType>(rows);
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  llvm::append_range(shape, type.getShape().drop_front(kRowDims));
  return RankedTensorType::get(shape, type.getElementType());
}

std::pair<Value, int64_t> bochner::getRowDimOrigin(Value rows, int64_t dim) {
  while (Operation *op = rows.getDefiningOp()) {
    // A size that is given as a value: that of a tensor's dimension, or an origin of its own.
    auto followSize = [&](OpFoldResult size) {
      auto value = dyn_cast_if_present<Value>(size);
      if (!value)
        return false;
      auto ofTensor = value.getDefiningOp<tensor::DimOp>();
      std::optional<int64_t> index = ofTensor ? ofTensor.getConstantIndex() : std::nullopt;
      rows = index ? ofTensor.getSource() : value;
      dim = index ? *index : -1;
      return index && *index < kRowDims;
    };
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      if (!followSize(empty.getMixedSizes()[dim]))
        break;
    } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      if (slice.getSourceType().getRank() != slice.getType().getRank() || !followSize(slice.getMixedSizes()[dim]))
        break;
    } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
      rows = destination.getTiedOpOperand(cast<OpResult>(rows))->get();
    } else if (auto rowwise = dyn_cast<RowwiseOpInterface>(op)) {
      SmallVector<RowwiseOperand> kinds;
      std::string reason;
      if (failed(rowwise.classifyOperands(kinds, reason)))
        break;
      auto *row = llvm::find(kinds, RowwiseOperand::Row);
      if (row == kinds.end())
        break;
      rows = op->getOperand(row - kinds.begin());
    } else {
      break;
    }
  }
  return {rows, dim};
}

static LogicalResult refuse(std::string &reason, Operation *op, const Twine &why) {
  reason = ("'" + op->getName().getStringRef() + "' " + why).str();
  return failure();
}

/// A result or operand that has rows, with columns of known sizes.
static LogicalResult expectRows(Operation *op, Type type, std::string &reason) {
  auto rows = dyn_cast<RankedTensorType>(type);
  if (!rows || rows.getRank() < kRowDims)
    return refuse(reason, op, "has no rows [B, H, N, ...]");
  if (llvm::any_of(rows.getShape().drop_front(kRowDims), ShapedType::isDynamic))
    return refuse(reason, op, "has columns of dynamic size");
  return success();
}

/// True if `size` is all of dimension `dim` of `rows`.
static bool isWholeDim(OpFoldResult size, Value rows, int64_t dim) {
  int64_t known = cast<RankedTensorType>(rows.getType()).getDimSize(dim);
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant == known;
  std::pair<Value, int64_t> origin(cast<Value>(size), -1);
  auto ofTensor = origin.first.getDefiningOp<tensor::DimOp>();
  if (std::optional<int64_t> index = ofTensor ? ofTensor.getConstantIndex() : std::nullopt) {
    origin = {ofTensor.getSource(), *index};
    if (*index < kRowDims)
      origin = getRowDimOrigin(origin.first, *index);
  }
  return getRowDimOrigin(rows, dim) == origin;
}

static bool isScalarConstant(Value value) {
  return !isa<ShapedType>(value.getType()) && matchPattern(value, m_Constant());
}

/// Content of a tensor.empty must not be read: only its shape takes part.
static RowwiseOperand rowOrInitial(Value value) {
  return value.getDefiningOp<tensor::EmptyOp>() ? RowwiseOperand::Initial : RowwiseOperand::Row;
}

static Value emptyTile(OpBuilder &b, Location loc, Value rows, RankedTensorType type) {
  return tensor::EmptyOp::create(b, loc, type, rows);
}

static Value filledTile(OpBuilder &b, Location loc, Value scalar, Value rows, RankedTensorType type) {
  return linalg::FillOp::create(b, loc, scalar, emptyTile(b, loc, rows, type)).getResult(0);
}

//===----------------------------------------------------------------------===//
// linalg
//===----------------------------------------------------------------------===//

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
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
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
    Value init = operands.back() ? operands.back() : emptyTile(b, loc, rows, type);
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

//===----------------------------------------------------------------------===//
// arith, math
//===----------------------------------------------------------------------===//

/// Operations that work element by element.
struct ElementwiseModel : RowwiseOpInterface::FallbackModel<ElementwiseModel> {
  LogicalResult classifyOperands(Operation *op, Kinds &kinds, std::string &reason) const {
    if (op->getNumResults() != 1)
      return refuse(reason, op, "has " + Twine(op->getNumResults()) + " results");
    if (failed(expectRows(op, op->getResult(0).getType(), reason)))
      return failure();
    kinds.clear();
    for (Value operand : op->getOperands()) {
      if (!isa<RankedTensorType>(operand.getType()) && !isScalarConstant(operand))
        return refuse(reason, op, "reads a scalar that is not constant");
      kinds.push_back(isa<RankedTensorType>(operand.getType()) ? RowwiseOperand::Row : RowwiseOperand::Constant);
    }
    return success();
  }
  Value cloneOnTile(Operation *op, OpBuilder &b, Value rows, ValueRange operands) const {
    OperationState state(op->getLoc(), op->getName(), operands, getTileType(op->getResult(0).getType()),
                         op->getAttrs());
    return b.create(state)->getResult(0);
  }
};

/// The same value in all rows and columns.
struct ConstantModel : RowwiseOpInterface::ExternalModel<ConstantModel, arith::ConstantOp> {
  LogicalResult classifyOperands(Operation *op, Kinds &kinds, std::string &reason) const {
    if (failed(expectRows(op, op->getResult(0).getType(), reason)))
      return failure();
    kinds.clear();
    if (!isa<SplatElementsAttr>(cast<arith::ConstantOp>(op).getValue()))
      return refuse(reason, op, "has rows of its own");
    return success();
  }
  Value cloneOnTile(Operation *op, OpBuilder &b, Value rows, ValueRange) const {
    auto value = cast<SplatElementsAttr>(cast<arith::ConstantOp>(op).getValue()).getSplatValue<TypedAttr>();
    Value scalar = arith::ConstantOp::create(b, op->getLoc(), value);
    return filledTile(b, op->getLoc(), scalar, rows, getTileType(op->getResult(0).getType()));
  }
};

//===----------------------------------------------------------------------===//
// tensor
//===----------------------------------------------------------------------===//

/// tensor.splat -> linalg.fill.
struct SplatModel : RowwiseOpInterface::ExternalModel<SplatModel, tensor::SplatOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::SplatOp>(o);
    if (failed(expectRows(o, op.getType(), reason)))
      return failure();
    if (!isScalarConstant(op.getInput()))
      return refuse(reason, o, "reads a scalar that is not constant");
    kinds.assign(o->getNumOperands(), RowwiseOperand::Initial);
    kinds[0] = RowwiseOperand::Constant;
    return success();
  }
  Value cloneOnTile(Operation *op, OpBuilder &b, Value rows, ValueRange operands) const {
    return filledTile(b, op->getLoc(), operands[0], rows, getTileType(op->getResult(0).getType()));
  }
};

/// tensor.cast: a tile knows its columns, and its rows are dynamic, so nothing is left of it.
struct CastModel : RowwiseOpInterface::ExternalModel<CastModel, tensor::CastOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::CastOp>(o);
    if (failed(expectRows(o, op.getSource().getType(), reason)) || failed(expectRows(o, op.getType(), reason)))
      return failure();
    kinds.assign(1, RowwiseOperand::Row);
    return success();
  }
  Value cloneOnTile(Operation *, OpBuilder &, Value, ValueRange operands) const { return operands[0]; }
};

struct ConcatModel : RowwiseOpInterface::ExternalModel<ConcatModel, tensor::ConcatOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::ConcatOp>(o);
    for (Type type : o->getOperandTypes())
      if (failed(expectRows(o, type, reason)))
        return failure();
    if (op.getDim() < uint64_t(kRowDims))
      return refuse(reason, o, "joins dimension " + Twine(op.getDim()) + ", not columns");
    kinds.assign(o->getNumOperands(), RowwiseOperand::Row);
    return expectRows(o, op.getType(), reason);
  }
  Value cloneOnTile(Operation *o, OpBuilder &b, Value rows, ValueRange operands) const {
    auto op = cast<tensor::ConcatOp>(o);
    return tensor::ConcatOp::create(b, op.getLoc(), getTileType(op.getType()), op.getDim() - kRowDims + 1, operands);
  }
};

/// Offsets, sizes and strides of all rows and static columns: what slices on a tile have.
struct ColumnSlice {
  SmallVector<OpFoldResult> offsets, sizes, strides;

  template <typename SliceOp>
  static LogicalResult check(SliceOp op, Value whole, RankedTensorType part, std::string &reason) {
    if (failed(expectRows(op, whole.getType(), reason)) || failed(expectRows(op, part, reason)))
      return failure();
    llvm::SmallBitVector dropped = op.getDroppedDims();
    for (int64_t dim = 0; dim < kRowDims; ++dim)
      if (dropped[dim] || !isZeroInteger(op.getMixedOffsets()[dim]) || !isOneInteger(op.getMixedStrides()[dim]) ||
          !isWholeDim(op.getMixedSizes()[dim], whole, dim))
        return refuse(reason, op, "does not take all rows");
    for (ArrayRef<int64_t> numbers : {op.getStaticOffsets(), op.getStaticSizes(), op.getStaticStrides()})
      if (llvm::any_of(numbers.drop_front(kRowDims), ShapedType::isDynamic))
        return refuse(reason, op, "takes columns that are not constant");
    return success();
  }

  template <typename SliceOp> ColumnSlice(SliceOp op, OpBuilder &b, Value rows) {
    auto onTile = [](SmallVector<OpFoldResult> numbers, OpFoldResult first) {
      numbers.erase(numbers.begin(), numbers.begin() + kRowDims - 1);
      numbers[0] = first;
      return numbers;
    };
    offsets = onTile(op.getMixedOffsets(), b.getIndexAttr(0));
    sizes = onTile(op.getMixedSizes(), rows);
    strides = onTile(op.getMixedStrides(), b.getIndexAttr(1));
  }
};

struct ExtractSliceModel : RowwiseOpInterface::ExternalModel<ExtractSliceModel, tensor::ExtractSliceOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::ExtractSliceOp>(o);
    if (failed(ColumnSlice::check(op, op.getSource(), op.getType(), reason)))
      return failure();
    kinds.assign(o->getNumOperands(), RowwiseOperand::Initial); // sizes of the rows
    kinds[0] = RowwiseOperand::Row;
    return success();
  }
  Value cloneOnTile(Operation *o, OpBuilder &b, Value rows, ValueRange operands) const {
    auto op = cast<tensor::ExtractSliceOp>(o);
    ColumnSlice slice(op, b, rows);
    return tensor::ExtractSliceOp::create(b, op.getLoc(), getTileType(op.getType()), operands[0], slice.offsets,
                                          slice.sizes, slice.strides);
  }
};

struct InsertSliceModel : RowwiseOpInterface::ExternalModel<InsertSliceModel, tensor::InsertSliceOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::InsertSliceOp>(o);
    if (failed(ColumnSlice::check(op, op.getDest(), op.getSourceType(), reason)))
      return failure();
    kinds.assign(o->getNumOperands(), RowwiseOperand::Initial); // sizes of the rows
    kinds[0] = RowwiseOperand::Row;
    kinds[1] = rowOrInitial(op.getDest());
    return success();
  }
  Value cloneOnTile(Operation *o, OpBuilder &b, Value rows, ValueRange operands) const {
    auto op = cast<tensor::InsertSliceOp>(o);
    ColumnSlice slice(op, b, rows);
    Value dest = operands[1] ? operands[1] : emptyTile(b, op.getLoc(), rows, getTileType(op.getType()));
    return tensor::InsertSliceOp::create(b, op.getLoc(), operands[0], dest, slice.offsets, slice.sizes, slice.strides);
  }
};

/// tensor.pad of columns by a constant -> tensor.concat with filled tiles.
struct PadModel : RowwiseOpInterface::ExternalModel<PadModel, tensor::PadOp> {
  LogicalResult classifyOperands(Operation *o, Kinds &kinds, std::string &reason) const {
    auto op = cast<tensor::PadOp>(o);
    if (failed(expectRows(o, op.getSourceType(), reason)) || failed(expectRows(o, op.getResultType(), reason)))
      return failure();
    Value padding = op.getConstantPaddingValue();
    if (!padding || !isScalarConstant(padding))
      return refuse(reason, o, "pads with a value that is not constant");
    if (op.getSourceType().getRank() != kRowDims + 1)
      return refuse(reason, o, "pads more than one dimension of columns");
    for (int64_t dim = 0; dim < kRowDims; ++dim)
      if (!isZeroInteger(op.getMixedLowPad()[dim]) || !isZeroInteger(op.getMixedHighPad()[dim]))
        return refuse(reason, o, "adds rows");
    if (!getConstantIntValue(op.getMixedLowPad().back()) || !getConstantIntValue(op.getMixedHighPad().back()))
      return refuse(reason, o, "pads by a number of columns that is not constant");
    kinds.assign(o->getNumOperands(), RowwiseOperand::Initial);
    kinds[0] = RowwiseOperand::Row;
    return success();
  }
  Value cloneOnTile(Operation *o, OpBuilder &b, Value rows, ValueRange operands) const {
    auto op = cast<tensor::PadOp>(o);
    Location loc = op.getLoc();
    RankedTensorType type = getTileType(op.getResultType());
    Value padding = b.clone(*op.getConstantPaddingValue().getDefiningOp())->getResult(0);
    auto columns = [&](int64_t count) {
      return filledTile(b, loc, padding, rows,
                        RankedTensorType::get({ShapedType::kDynamic, count}, type.getElementType()));
    };
    int64_t low = *getConstantIntValue(op.getMixedLowPad().back());
    int64_t high = *getConstantIntValue(op.getMixedHighPad().back());
    SmallVector<Value> parts{operands[0]};
    if (low)
      parts.insert(parts.begin(), columns(low));
    if (high)
      parts.push_back(columns(high));
    return parts.size() == 1 ? parts[0] : tensor::ConcatOp::create(b, loc, type, 1, parts).getResult();
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

/// Attaches a model to every operation of a dialect that `accepts`.
template <typename Model>
static void attachToDialect(Dialect *dialect, function_ref<bool(const RegisteredOperationName &)> accepts) {
  // MLIRContext::getRegisteredOperationsByDialect of MLIR 22 misses operations: its search compares names wrongly.
  for (RegisteredOperationName name : dialect->getContext()->getRegisteredOperations())
    if (&name.getDialect() == dialect && accepts(name))
      name.attachInterface<Model>();
}

static bool isElementwise(const RegisteredOperationName &name) { return name.hasTrait<OpTrait::Elementwise>(); }

void bochner::registerRowwiseModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, linalg::LinalgDialect *dialect) {
    attachToDialect<LinalgModel>(
        dialect, [](const RegisteredOperationName &name) { return name.hasInterface<linalg::LinalgOp>(); });
  });
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *dialect) {
    attachToDialect<ElementwiseModel>(dialect, isElementwise);
    arith::ConstantOp::attachInterface<ConstantModel>(*context);
  });
  registry.addExtension(
      +[](MLIRContext *, math::MathDialect *dialect) { attachToDialect<ElementwiseModel>(dialect, isElementwise); });
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::SplatOp::attachInterface<SplatModel>(*context);
    tensor::CastOp::attachInterface<CastModel>(*context);
    tensor::ConcatOp::attachInterface<ConcatModel>(*context);
    tensor::ExtractSliceOp::attachInterface<ExtractSliceModel>(*context);
    tensor::InsertSliceOp::attachInterface<InsertSliceModel>(*context);
    tensor::PadOp::attachInterface<PadModel>(*context);
  });
}
