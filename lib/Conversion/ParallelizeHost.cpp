//===- ParallelizeHost.cpp - linalg operations to parallel tasks ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: linalg operations on buffers at the top of public functions. Output: spectral.parallel_for over task functions
// that do the operation on a block of rows. A task computes whole elements of the result in the order in which the
// operation would, so that results do not depend on the number of threads.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/MathExtras.h"

namespace bochner {
#define GEN_PASS_DEF_PARALLELIZEHOSTPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

/// A task should take some ten microseconds: so many elements of the iteration space, but at least so many rows.
static constexpr int64_t kTaskElements = 65536;
static constexpr int64_t kTaskRows = 64;
/// What a task for each index of outer dimensions does at least.
static constexpr int64_t kLeastElements = 4096;
/// Columns of a panel of a product's right side: a few vectors of any target.
static constexpr int64_t kPanelColumns = 64;
/// What a dynamic dimension inside of a task is taken for.
static constexpr int64_t kTypicalSize = 64;

namespace {
/// How the iteration space of an operation is split: one task for each index of `outer` and each block of `row`.
struct Grid {
  SmallVector<unsigned> outer;
  unsigned row;
  int64_t block;
};

struct ParallelizeHost : bochner::impl::ParallelizeHostPassBase<ParallelizeHost> {
  using ParallelizeHostPassBase::ParallelizeHostPassBase;
  void runOnOperation() override;

private:
  LogicalResult parallelize(linalg::LinalgOp op, const Grid &grid, SymbolTable &symbols, linalg::FillOp fill = {});
  DenseMap<Type, SmallVector<func::FuncOp>> tasks; ///< by the types of their arguments
};
} // namespace

/// Chooses the grid; fails for operations that are too small or cannot be cut.
static FailureOr<Grid> chooseGrid(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() == 0)
    return failure();
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return failure();
  // Columns of the first output stay whole, for vectors run along them.
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<unsigned> dims;
  for (AffineExpr result : output.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      if (iterators[dim.getPosition()] == utils::IteratorType::parallel)
        dims.push_back(dim.getPosition());
  if (dims.size() > 1)
    dims.pop_back();
  // Each task writes elements of its own.
  llvm::erase_if(dims, [&](unsigned dim) {
    return !llvm::all_of(op.getDpsInitsMutable(),
                         [&](OpOperand &init) { return op.getMatchingIndexingMap(&init).isFunctionOfDim(dim); });
  });
  if (dims.empty())
    return failure();

  Grid grid;
  grid.row = dims.pop_back_val();
  grid.outer = dims;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  double perRow = 1, tasks = 1;
  bool isStatic = true;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    isStatic &= !ShapedType::isDynamic(size);
    if (dim != grid.row)
      (llvm::is_contained(grid.outer, dim) ? tasks : perRow) *= ShapedType::isDynamic(size) ? kTypicalSize : size;
  }
  // A few short rows are no task.
  while (!grid.outer.empty() && !ShapedType::isDynamic(sizes[grid.row]) &&
         perRow * double(sizes[grid.row]) < kLeastElements) {
    perRow *= double(sizes[grid.row]);
    grid.row = grid.outer.pop_back_val();
    tasks /= ShapedType::isDynamic(sizes[grid.row]) ? kTypicalSize : double(sizes[grid.row]);
  }
  double rows = std::max<double>(kTaskRows, std::ceil(kTaskElements / std::max(perRow, 1.0)));
  grid.block = llvm::alignTo(int64_t(std::min<double>(rows, kTaskElements)), 4);
  if (isStatic && tasks * std::ceil(double(sizes[grid.row]) / grid.block) < 2)
    return failure();
  if (isStatic && tasks * sizes[grid.row] * perRow < 2 * kTaskElements)
    return failure();
  return grid;
}

/// memref.expand_shape of dimension `at`, a multiple of `inner`, into two.
static Value splitDimension(OpBuilder &b, Location loc, Value buffer, unsigned at, int64_t inner) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<ReassociationIndices> groups;
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> shape;
  for (unsigned i = 0; i < type.getRank(); ++i) {
    groups.push_back({int64_t(shape.size())});
    if (i == at) {
      groups.back().push_back(int64_t(shape.size()) + 1);
      shape.append({type.getDimSize(i) / inner, inner});
      sizes.append({b.getIndexAttr(shape[i]), b.getIndexAttr(inner)});
      continue;
    }
    shape.push_back(type.getDimSize(i));
    sizes.push_back(memref::getMixedSize(b, loc, buffer, i));
  }
  return memref::ExpandShapeOp::create(b, loc, shape, buffer, groups, sizes);
}

/// In a product, the operand that has the columns of the output is read once for each few rows. It is copied into
/// panels of columns first, [panels, ..., kPanelColumns]: rows that are a power of two apart would share a few sets of
/// the caches, and columns that are not contiguous would be gathered by every task. Where the columns do not make whole
/// panels, it is copied as a whole, and only if they are not contiguous. Returns the operation to go on with, whose
/// dimensions are those of `op`, and then the one over panels; `copy` is set if there is one.
static linalg::LinalgOp packColumns(linalg::LinalgOp op, IRRewriter &rewriter, linalg::LinalgOp &copy) {
  if (!linalg::isaContractionOpInterface(op))
    return op;
  OpOperand *output = op.getDpsInitOperand(0), *operand = nullptr;
  AffineMap outputMap = op.getMatchingIndexingMap(output);
  auto column = dyn_cast<AffineDimExpr>(outputMap.getResults().back());
  for (OpOperand *input : op.getDpsInputOperands())
    if (column && op.getMatchingIndexingMap(input).isFunctionOfDim(column.getPosition()))
      operand = operand ? nullptr : input;
  if (!operand)
    return op;
  AffineMap map = op.getMatchingIndexingMap(operand);
  auto type = cast<MemRefType>(operand->get().getType());
  unsigned rank = map.getNumResults(), at = *map.getResultPosition(column), loops = op.getNumLoops();
  int64_t columns = type.getDimSize(at);
  bool panels = !ShapedType::isDynamic(columns) && columns % kPanelColumns == 0 && columns >= 2 * kPanelColumns;
  if (!panels && at + 1 == rank)
    return op;

  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  Value source = operand->get();
  SmallVector<AffineExpr> indices(map.getResults());
  SmallVector<int64_t> order; // of dimensions in the copy
  if (panels) {
    source = splitDimension(rewriter, loc, source, at, kPanelColumns);
    type = cast<MemRefType>(source.getType());
    indices.insert(indices.begin() + at, rewriter.getAffineDimExpr(loops));
    order.push_back(at++);
    ++rank;
  }
  for (unsigned i = 0; i < rank; ++i)
    if (i != at && !llvm::is_contained(order, i))
      order.push_back(i);
  order.push_back(at);
  SmallVector<int64_t> shape = applyPermutation(type.getShape(), order);
  SmallVector<Value> sizes;
  for (int64_t i : order)
    if (type.isDynamicDim(i))
      sizes.push_back(memref::DimOp::create(rewriter, loc, source, i));
  Value packed = memref::AllocOp::create(rewriter, loc, MemRefType::get(shape, type.getElementType()), sizes,
                                         rewriter.getI64IntegerAttr(kBufferAlignment));
  copy = cast<linalg::LinalgOp>(linalg::TransposeOp::create(rewriter, loc, source, packed, order).getOperation());

  unsigned newLoops = loops + panels;
  SmallVector<AffineMap> maps;
  for (AffineMap each : op.getIndexingMapsArray())
    maps.push_back(AffineMap::get(newLoops, 0, each.getResults(), rewriter.getContext()));
  maps[operand->getOperandNumber()] =
      AffineMap::get(newLoops, 0, applyPermutation(indices, order), rewriter.getContext());
  SmallVector<Value> inputs = op.getDpsInputs();
  inputs[operand->getOperandNumber()] = packed;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  Value target = output->get();
  if (panels) {
    unsigned last = outputMap.getNumResults() - 1;
    target = splitDimension(rewriter, loc, target, last, kPanelColumns);
    SmallVector<AffineExpr> outputs(outputMap.getResults());
    outputs.insert(outputs.begin() + last, rewriter.getAffineDimExpr(loops));
    maps.back() = AffineMap::get(newLoops, 0, outputs, rewriter.getContext());
    iterators.push_back(utils::IteratorType::parallel);
  }
  auto product = linalg::GenericOp::create(rewriter, loc, inputs, target, maps, iterators);
  product.getRegion().takeBody(op->getRegion(0));
  rewriter.eraseOp(op);
  return product;
}

/// True if something behind `fill`, up to and with `op`, may access `buffer`, other than `op` by an operand; also by
/// views, whose `isView` is true.
static bool isAccessedBetween(Value buffer, Operation *fill, Operation *op, bool isView = false) {
  return llvm::any_of(buffer.getUsers(), [&](Operation *user) {
    if (isa<ViewLikeOpInterface>(user))
      return llvm::any_of(user->getResults(), [&](Value view) { return isAccessedBetween(view, fill, op, true); });
    Operation *access = fill->getBlock()->findAncestorOpInBlock(*user);
    return access && fill->isBeforeInBlock(access) && !op->isBeforeInBlock(access) && (isView || user != op);
  });
}

/// What fills the output of a sum with a constant before. Tasks do so for their parts, which then are in the cache.
static linalg::FillOp findFill(linalg::LinalgOp op) {
  OpOperand *output = op.getDpsInitOperand(0);
  AffineMap map = op.getMatchingIndexingMap(output);
  Value buffer = output->get();
  bool isWhole = op.getNumDpsInits() == 1 && map.isProjectedPermutation() && op.getNumReductionLoops() > 0 &&
                 buffer.getDefiningOp<memref::AllocOp>() && llvm::count(op->getOperands(), buffer) == 1;
  if (!isWhole)
    return {};
  for (Operation *user : buffer.getUsers())
    if (auto fill = dyn_cast<linalg::FillOp>(user))
      if (fill->getBlock() == op->getBlock() && fill->isBeforeInBlock(op) &&
          matchPattern(fill.getInputs().front(), m_Constant()) && !isAccessedBetween(buffer, fill, op))
        return fill;
  return {};
}

/// parallel_for @task count(blocks) args(operands): the task cuts its part out of each operand. `fill`, if it is not
/// null, becomes part of the tasks.
LogicalResult ParallelizeHost::parallelize(linalg::LinalgOp op, const Grid &grid, SymbolTable &symbols,
                                           linalg::FillOp fill) {
  Location loc = op.getLoc();
  OpBuilder b(op);
  SmallVector<OpFoldResult> sizes; // by dimension of the iteration space
  sizes.resize(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands())
    for (auto [i, result] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(result); dim && isa<MemRefType>(operand.get().getType())) {
        OpFoldResult &size = sizes[dim.getPosition()];
        if (!size || !getConstantIntValue(size))
          size = memref::getMixedSize(b, loc, operand.get(), i);
      }
  Value block = arith::ConstantIndexOp::create(b, loc, grid.block);
  Value rowCount = getValueOrCreateConstantIndexOp(b, loc, sizes[grid.row]);
  Value blocks = b.createOrFold<arith::CeilDivUIOp>(loc, rowCount, block);
  Value count = blocks;
  for (unsigned dim : grid.outer)
    count = b.createOrFold<arith::MulIOp>(loc, count, getValueOrCreateConstantIndexOp(b, loc, sizes[dim]));

  // Captures: operands, what else the body reads, and what the task needs to find its part.
  SetVector<Value> captures(op->operand_begin(), op->operand_end());
  SmallVector<Operation *> constants;
  SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  for (Value value : above) {
    if (matchPattern(value, m_Constant()))
      constants.push_back(value.getDefiningOp());
    else
      captures.insert(value);
  }
  for (unsigned dim : grid.outer)
    if (auto size = dyn_cast<Value>(sizes[dim]))
      captures.insert(size);
  for (Value value : {blocks, rowCount}) {
    if (value == blocks && grid.outer.empty())
      continue;
    if (matchPattern(value, m_Constant()))
      constants.push_back(value.getDefiningOp());
    else
      captures.insert(value);
  }
  for (Value value : captures)
    if (!isa<MemRefType, IndexType, IntegerType, FloatType>(value.getType()))
      return failure();

  auto entry = op->getParentOfType<func::FuncOp>();
  SmallVector<Type> types{b.getIndexType(), MemRefType::get({ShapedType::kDynamic}, b.getI8Type())};
  llvm::append_range(types, ValueRange(captures.getArrayRef()).getTypes());
  auto task = func::FuncOp::create(loc, (entry.getName() + "_host").str(), b.getFunctionType(types, {}));
  task.setPrivate();
  task->setAttr(kScratchBytesAttr, b.getI64IntegerAttr(0));
  requestLoopVectorizer(task);

  Block *body = task.addEntryBlock();
  OpBuilder t = OpBuilder::atBlockBegin(body);
  IRMapping mapping;
  mapping.map(captures.getArrayRef(), body->getArguments().drop_front(2));
  for (Operation *constant : constants)
    if (!mapping.contains(constant->getResult(0)))
      t.clone(*constant, mapping);
  auto inTask = [&](OpFoldResult size) {
    auto value = dyn_cast<Value>(size);
    return value ? mapping.lookup(value) : getValueOrCreateConstantIndexOp(t, loc, size);
  };

  // index = (outer_0 * size_1 + outer_1) * blocks + block
  SmallVector<OpFoldResult> offsets(op.getNumLoops(), t.getIndexAttr(0)), extents = sizes;
  Value index = body->getArgument(0), rest = index;
  if (!grid.outer.empty()) {
    rest = arith::DivUIOp::create(t, loc, index, mapping.lookup(blocks));
    index = arith::RemUIOp::create(t, loc, index, mapping.lookup(blocks));
  }
  Value first = arith::MulIOp::create(t, loc, index, arith::ConstantIndexOp::create(t, loc, grid.block));
  for (unsigned dim : llvm::reverse(grid.outer)) {
    Value size = inTask(sizes[dim]);
    offsets[dim] = arith::RemUIOp::create(t, loc, rest, size).getResult();
    extents[dim] = t.getIndexAttr(1);
    rest = arith::DivUIOp::create(t, loc, rest, size);
  }
  offsets[grid.row] = first;
  std::optional<int64_t> rows = getConstantIntValue(sizes[grid.row]);
  if (rows && *rows % grid.block == 0) {
    extents[grid.row] = t.getIndexAttr(grid.block);
  } else {
    Value left = arith::SubIOp::create(t, loc, inTask(sizes[grid.row]), first);
    extents[grid.row] =
        arith::MinUIOp::create(t, loc, left, arith::ConstantIndexOp::create(t, loc, grid.block)).getResult();
  }

  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    Value buffer = mapping.lookup(operand.get());
    auto type = dyn_cast<MemRefType>(buffer.getType());
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool cut = llvm::any_of(map.getResults(), [&](AffineExpr result) {
      auto dim = dyn_cast<AffineDimExpr>(result);
      return dim && (dim.getPosition() == grid.row || llvm::is_contained(grid.outer, dim.getPosition()));
    });
    if (type && cut) {
      SmallVector<OpFoldResult> from, shape, strides(type.getRank(), t.getIndexAttr(1));
      for (auto [i, result] : llvm::enumerate(map.getResults())) {
        auto dim = dyn_cast<AffineDimExpr>(result);
        bool isCut = dim && (dim.getPosition() == grid.row || llvm::is_contained(grid.outer, dim.getPosition()));
        from.push_back(isCut ? offsets[dim.getPosition()] : t.getIndexAttr(0));
        shape.push_back(isCut ? extents[dim.getPosition()] : memref::getMixedSize(t, loc, buffer, i));
      }
      buffer = memref::SubViewOp::create(t, loc, buffer, from, shape, strides);
    }
    operands.push_back(buffer);
  }
  if (fill) {
    Operation *value = t.clone(*fill.getInputs().front().getDefiningOp());
    linalg::FillOp::create(t, loc, value->getResult(0), operands.back());
  }
  Operation *part = t.clone(*op.getOperation(), mapping);
  part->setOperands(operands);
  part->walk([&](linalg::IndexOp index) { // counts from where the part begins
    OpFoldResult offset = offsets[index.getDim()];
    if (isConstantIntValue(offset, 0))
      return;
    OpBuilder inner(index);
    inner.setInsertionPointAfter(index);
    auto whole = arith::AddIOp::create(inner, loc, index, getValueOrCreateConstantIndexOp(inner, loc, offset));
    index.getResult().replaceAllUsesExcept(whole, whole);
  });
  func::ReturnOp::create(t, loc);

  // Layers of a model do the same: one task serves all, which is compiled once.
  auto isSame = [&](func::FuncOp other) {
    return other.getFunctionType() == task.getFunctionType() &&
           OperationEquivalence::isRegionEquivalentTo(&task.getBody(), &other.getBody(),
                                                      OperationEquivalence::IgnoreLocations);
  };
  SmallVector<func::FuncOp> &alike = tasks[task.getFunctionType()];
  if (auto same = llvm::find_if(alike, isSame); same != alike.end()) {
    task.erase();
    task = *same;
  } else {
    symbols.insert(task, entry->getIterator());
    alike.push_back(task);
  }
  ParallelForOp::create(b, loc, task.getSymName(), count, captures.getArrayRef());
  op->erase();
  if (fill)
    fill->erase();
  return success();
}

void ParallelizeHost::runOnOperation() {
  SymbolTable symbols(getOperation());
  tasks.clear();
  SmallVector<linalg::LinalgOp> ops;
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function.isPublic())
      for (Block &block : function.getBody())
        llvm::append_range(ops, block.getOps<linalg::LinalgOp>());
  DenseMap<Operation *, linalg::FillOp> fills; ///< by what sums there
  DenseSet<Operation *> joined;
  for (linalg::LinalgOp op : ops)
    if (linalg::FillOp fill = findFill(op); fill && succeeded(chooseGrid(op)))
      joined.insert(fills[op] = fill);
  IRRewriter rewriter(&getContext());
  for (linalg::LinalgOp op : ops) {
    FailureOr<Grid> grid = chooseGrid(op);
    if (failed(grid) || joined.contains(op))
      continue;
    linalg::FillOp fill = fills.lookup(op);
    linalg::LinalgOp copy;
    op = packColumns(op, rewriter, copy);
    if (copy)
      if (FailureOr<Grid> copyGrid = chooseGrid(copy); succeeded(copyGrid))
        (void)parallelize(copy, *copyGrid, symbols);
    if (succeeded(parallelize(op, *grid, symbols, fill)) || !fill)
      continue;
    if (FailureOr<Grid> fillGrid = chooseGrid(fill); succeeded(fillGrid)) // what it cannot capture stays serial
      (void)parallelize(fill, *fillGrid, symbols);
  }
}
