//===- RowwiseModels.cpp - row-wise forms of upstream operations ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of RowwiseOpInterface: which operations of `linalg`, `arith`, `math` and `tensor` on `[B, H, N, ...]`
// work row by row, and how they look on a tile of rows of one head (structured operations: RowwiseLinalg.cpp).
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/RowwiseModels.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

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

/// The tensor and its leading dimension that `size` is read of; none if it is anything else.
static std::optional<std::pair<Value, int64_t>> getReadRowDim(Value size) {
  auto dim = size.getDefiningOp<tensor::DimOp>();
  std::optional<int64_t> index = dim ? dim.getConstantIndex() : std::nullopt;
  auto type = dim ? dyn_cast<RankedTensorType>(dim.getSource().getType()) : RankedTensorType();
  if (!index || !type || *index < 0 || *index >= std::min(type.getRank(), kRowDims))
    return std::nullopt;
  return std::make_pair(dim.getSource(), *index);
}

std::pair<Value, int64_t> bochner::getRowDimOrigin(Value rows, int64_t dim) {
  while (Operation *op = rows.getDefiningOp()) {
    std::optional<OpFoldResult> size;
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      size = empty.getMixedSizes()[dim];
    } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      if (slice.getSourceType().getRank() != slice.getType().getRank())
        break;
      size = slice.getMixedSizes()[dim];
    } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
      rows = destination.getTiedOpOperand(cast<OpResult>(rows))->get();
      continue;
    } else if (auto rowwise = dyn_cast<RowwiseOpInterface>(op)) {
      SmallVector<RowwiseOperand> kinds;
      std::string reason;
      if (failed(rowwise.classifyOperands(kinds, reason)))
        break;
      auto *row = llvm::find(kinds, RowwiseOperand::Row);
      if (row == kinds.end())
        break;
      rows = op->getOperand(row - kinds.begin());
      continue;
    }
    auto value = size ? dyn_cast<Value>(*size) : Value();
    if (!value)
      break;
    std::optional<std::pair<Value, int64_t>> read = getReadRowDim(value);
    if (!read)
      return {value, -1};
    std::tie(rows, dim) = *read;
  }
  return {rows, dim};
}

LogicalResult bochner::refuse(std::string &reason, Operation *op, const Twine &why) {
  reason = ("'" + op->getName().getStringRef() + "' " + why).str();
  return failure();
}

LogicalResult bochner::expectRows(Operation *op, Type type, std::string &reason) {
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
  auto value = cast<Value>(size);
  std::optional<std::pair<Value, int64_t>> read = getReadRowDim(value);
  return getRowDimOrigin(rows, dim) ==
         (read ? getRowDimOrigin(read->first, read->second) : std::pair(value, int64_t(-1)));
}

bool bochner::isScalarConstant(Value value) {
  return !isa<ShapedType>(value.getType()) && matchPattern(value, m_Constant());
}

bool bochner::convertsDouble(Operation *op) {
  return isa<arith::ExtFOp, arith::TruncFOp>(op) &&
         (getElementTypeOrSelf(op->getOperand(0)).isF64() || getElementTypeOrSelf(op->getResult(0)).isF64());
}

/// Content of a tensor.empty must not be read: only its shape takes part.
static RowwiseOperand rowOrInitial(Value value) {
  return value.getDefiningOp<tensor::EmptyOp>() ? RowwiseOperand::Initial : RowwiseOperand::Row;
}

Value bochner::createEmptyTile(OpBuilder &b, Location loc, Value rows, RankedTensorType type) {
  return tensor::EmptyOp::create(b, loc, type, rows);
}

static Value filledTile(OpBuilder &b, Location loc, Value scalar, Value rows, RankedTensorType type) {
  return linalg::FillOp::create(b, loc, scalar, createEmptyTile(b, loc, rows, type)).getResult(0);
}

//===----------------------------------------------------------------------===//
// arith, math
//===----------------------------------------------------------------------===//

namespace {
/// Operations that work element by element.
struct ElementwiseModel : RowwiseOpInterface::FallbackModel<ElementwiseModel> {
  LogicalResult classifyOperands(Operation *op, Kinds &kinds, std::string &reason) const {
    if (op->getNumResults() != 1)
      return refuse(reason, op, "has " + Twine(op->getNumResults()) + " results");
    if (failed(expectRows(op, op->getResult(0).getType(), reason)))
      return failure();
    if (convertsDouble(op))
      return refuse(reason, op, "converts to or from f64, beside which regions compute in no other type");
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
    Value dest = operands[1] ? operands[1] : createEmptyTile(b, op.getLoc(), rows, getTileType(op.getType()));
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

static bool isElementwise(const RegisteredOperationName &name) { return name.hasTrait<OpTrait::Elementwise>(); }

void bochner::registerRowwiseModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, linalg::LinalgDialect *dialect) { attachLinalgRowwiseModel(dialect); });
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
