//===- VectorizeContractions.cpp - matrix products to vector loops --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: linalg contractions on buffers. Output: scf loops around a tile of accumulators, 4 rows by 2 or 4 vectors,
// which LLVM keeps in registers ("Anatomy of High-Performance Matrix Multiplication", without its blocking for caches:
// the matrices here are projections of some hundred rows).
//
// The columns are the last dimension of the output. The operand that has them is loaded as vectors, the other one as
// broadcast elements; if the columns are not contiguous in the former, a panel of it is packed first.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bochner {
#define GEN_PASS_DEF_VECTORIZECONTRACTIONSPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;

/// Rows of the register tile; with them, 16 registers of AVX2 hold 2 columns of vectors and 32 of AVX-512 hold 4.
static constexpr int64_t kTileRows = 4;

namespace {
/// An operand and the loop dimensions that index it.
struct Access {
  Value buffer;
  SmallVector<unsigned> dims;

  bool uses(unsigned dim) const { return llvm::is_contained(dims, dim); }
};

/// C[.., i, .., j] += A[.., i, .., k, ..] * B[.., k, .., j, ..], where A does not use j and B does not use i.
struct Contraction {
  Access a, b, c;
  unsigned column = 0;              // j
  std::optional<unsigned> row;      // i
  SmallVector<unsigned> reductions; // k
  SmallVector<unsigned> shared;     // other dimensions that B uses: outside of the loop over columns
  SmallVector<unsigned> repeated;   // other dimensions that B does not use: inside of it
  bool packs = false;               // B is not contiguous in j
};

/// Emits the loops of one contraction.
class Emitter {
public:
  Emitter(OpBuilder &builder, Location loc, const Contraction &contraction, unsigned dimCount, unsigned vectorBits,
          bool fma);
  void emit();

private:
  using Body = function_ref<void(Value)>;
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value add(Value left, int64_t right) {
    return right ? arith::AddIOp::create(b, loc, left, constant(right)).getResult() : left;
  }
  std::optional<int64_t> knownSize(unsigned dim) { return getConstantIntValue(sizes[dim]); }
  Value size(unsigned dim) { return getValueOrCreateConstantIndexOp(b, loc, sizes[dim]); }
  OpFoldResult roundDown(OpFoldResult value, int64_t multiple);

  /// for (dim = from; dim < to; dim += step) body; nothing if the range is known to be empty.
  void loop(unsigned dim, OpFoldResult from, OpFoldResult to, int64_t step, function_ref<void()> body);
  void loops(ArrayRef<unsigned> dims, function_ref<void()> body);
  void columns(int64_t vectors, Value mask);
  void pack(int64_t vectors);
  void tile(int64_t rows, int64_t vectors, Value mask);
  SmallVector<Value> reduce(ArrayRef<unsigned> dims, SmallVector<Value> accumulators, int64_t rows, int64_t vectors,
                            Value mask);
  SmallVector<Value> indices(const Access &access, int64_t rowOffset, int64_t columnOffset);
  Value load(Value buffer, ValueRange indices, Value mask);

  OpBuilder &b;
  Location loc;
  const Contraction &op;
  FloatType element;
  VectorType vector;
  int64_t width, tileVectors;
  bool fma;
  SmallVector<OpFoldResult> sizes; // by loop dimension
  SmallVector<Value> position;     // the current index, by loop dimension
  Value panel;                     // columns of B, packed: [k, column]
};
} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

static Access getAccess(linalg::LinalgOp op, OpOperand &operand) {
  Access access{operand.get(), {}};
  for (AffineExpr result : op.getMatchingIndexingMap(&operand).getResults())
    access.dims.push_back(cast<AffineDimExpr>(result).getPosition());
  return access;
}

static FailureOr<Contraction> matchContraction(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || !linalg::isaContractionOpInterface(op))
    return failure();
  Type element = getElementTypeOrSelf(op.getDpsInits()[0]);
  if (!element.isF32() && !element.isF64())
    return failure();
  for (Value operand : op->getOperands())
    if (getElementTypeOrSelf(operand) != element)
      return failure();

  Contraction result;
  result.c = getAccess(op, *op.getDpsInitOperand(0));
  if (result.c.dims.empty())
    return failure();
  result.column = result.c.dims.back();
  result.a = getAccess(op, *op.getDpsInputOperand(0));
  result.b = getAccess(op, *op.getDpsInputOperand(1));
  if (result.a.uses(result.column))
    std::swap(result.a, result.b);
  if (result.a.uses(result.column) || !result.b.uses(result.column))
    return failure();
  auto isContiguous = [&](const Access &access) {
    return access.dims.back() == result.column && cast<MemRefType>(access.buffer.getType()).isLastDimUnitStride();
  };
  if (!isContiguous(result.c))
    return failure();
  result.packs = !isContiguous(result.b);

  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (unsigned dim : llvm::reverse(result.c.dims))
    if (!result.row && dim != result.column && result.a.uses(dim) && !result.b.uses(dim))
      result.row = dim;
  for (auto [dim, iterator] : llvm::enumerate(iterators)) {
    if (iterator == utils::IteratorType::reduction)
      result.reductions.push_back(dim);
    else if (dim != result.column && dim != result.row)
      (result.b.uses(dim) ? result.shared : result.repeated).push_back(dim);
  }
  // A panel has one dimension beside its columns; a product of one row is not worth packing for; tasks do not allocate.
  bool inTask = op->getParentOfType<func::FuncOp>()->hasAttr(kScratchBytesAttr);
  if (result.packs && (result.reductions.size() != 1 || !result.row || inTask))
    return failure();
  return result;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Emitter::Emitter(OpBuilder &builder, Location loc, const Contraction &contraction, unsigned dimCount,
                 unsigned vectorBits, bool fma)
    : b(builder), loc(loc), op(contraction), element(cast<FloatType>(getElementTypeOrSelf(contraction.c.buffer))),
      width(vectorBits / element.getWidth()), tileVectors(vectorBits >= 512 ? 4 : 2), fma(fma), sizes(dimCount),
      position(dimCount) {
  vector = VectorType::get({width}, element);
  for (const Access *access : {&op.c, &op.b, &op.a})
    for (auto [i, dim] : llvm::enumerate(access->dims)) {
      bool isStatic = !cast<MemRefType>(access->buffer.getType()).isDynamicDim(i);
      if (!sizes[dim] || (isStatic && !getConstantIntValue(sizes[dim]))) // operands agree, but not all know
        sizes[dim] = memref::getMixedSize(b, loc, access->buffer, i);
    }
}

OpFoldResult Emitter::roundDown(OpFoldResult value, int64_t multiple) {
  if (auto known = getConstantIntValue(value))
    return b.getIndexAttr(*known / multiple * multiple);
  Value dynamic = cast<Value>(value);
  Value rest = arith::RemUIOp::create(b, loc, dynamic, constant(multiple));
  return arith::SubIOp::create(b, loc, dynamic, rest).getResult();
}

void Emitter::loop(unsigned dim, OpFoldResult from, OpFoldResult to, int64_t step, function_ref<void()> body) {
  if (auto known = getConstantIntValue(to); known && known == getConstantIntValue(from))
    return;
  auto loop = scf::ForOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, from),
                                 getValueOrCreateConstantIndexOp(b, loc, to), constant(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  position[dim] = loop.getInductionVar();
  body();
}

void Emitter::loops(ArrayRef<unsigned> dims, function_ref<void()> body) {
  if (dims.empty())
    return body();
  loop(dims.front(), b.getIndexAttr(0), sizes[dims.front()], 1, [&] { loops(dims.drop_front(), body); });
}

SmallVector<Value> Emitter::indices(const Access &access, int64_t rowOffset, int64_t columnOffset) {
  SmallVector<Value> result;
  for (unsigned dim : access.dims)
    result.push_back(add(position[dim], dim == op.column ? columnOffset : dim == op.row ? rowOffset : 0));
  return result;
}

Value Emitter::load(Value buffer, ValueRange indices, Value mask) {
  if (!mask)
    return vector::LoadOp::create(b, loc, vector, buffer, indices);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vector));
  return vector::MaskedLoadOp::create(b, loc, vector, buffer, indices, mask, zero);
}

void Emitter::emit() {
  loops(op.shared, [&] {
    OpFoldResult count = sizes[op.column], zero = b.getIndexAttr(0);
    OpFoldResult tiles = roundDown(count, tileVectors * width), vectors = roundDown(count, width);
    loop(op.column, zero, tiles, tileVectors * width, [&] { columns(tileVectors, {}); });
    loop(op.column, tiles, vectors, width, [&] { columns(1, {}); });
    loop(op.column, vectors, count, width, [&] {
      Value rest = arith::SubIOp::create(b, loc, size(op.column), position[op.column]);
      columns(1, vector::CreateMaskOp::create(b, loc, VectorType::get({width}, b.getI1Type()), rest));
    });
  });
}

/// The columns from position[op.column] on: all rows of `vectors` vectors, of which `mask`, if any, cuts off the end.
void Emitter::columns(int64_t vectors, Value mask) {
  if (op.packs)
    pack(vectors);
  loops(op.repeated, [&] {
    if (!op.row)
      return tile(1, vectors, mask);
    OpFoldResult count = sizes[*op.row], tiles = roundDown(count, kTileRows);
    loop(*op.row, b.getIndexAttr(0), tiles, kTileRows, [&] { tile(kTileRows, vectors, mask); });
    loop(*op.row, tiles, count, 1, [&] { tile(1, vectors, mask); });
  });
}

/// panel[k, j - first] = B[.., k, .., j, ..] for the columns of a tile.
void Emitter::pack(int64_t vectors) {
  unsigned k = op.reductions.front();
  SmallVector<Value> dynamic;
  if (!knownSize(k))
    dynamic.push_back(size(k));
  auto type = MemRefType::get({knownSize(k).value_or(ShapedType::kDynamic), vectors * width}, element);
  panel = memref::AllocOp::create(b, loc, type, dynamic, b.getI64IntegerAttr(64));
  Value first = position[op.column];
  Value end = arith::MinUIOp::create(b, loc, add(first, vectors * width), size(op.column));
  // In the order of B's memory: it is larger than the panel.
  bool columnsOutside = llvm::find(op.b.dims, op.column) < llvm::find(op.b.dims, k);
  auto copy = [&] {
    Value column = arith::SubIOp::create(b, loc, position[op.column], first);
    Value value = memref::LoadOp::create(b, loc, op.b.buffer, indices(op.b, 0, 0));
    memref::StoreOp::create(b, loc, value, panel, ValueRange{position[k], column});
  };
  auto overColumns = [&](function_ref<void()> body) { loop(op.column, first, end, 1, body); };
  auto overK = [&](function_ref<void()> body) { loop(k, b.getIndexAttr(0), sizes[k], 1, body); };
  if (columnsOutside)
    overColumns([&] { overK(copy); });
  else
    overK([&] { overColumns(copy); });
  position[op.column] = first;
}

void Emitter::tile(int64_t rows, int64_t vectors, Value mask) {
  SmallVector<Value> accumulators;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      accumulators.push_back(load(op.c.buffer, indices(op.c, r, v * width), mask));
  accumulators = reduce(op.reductions, std::move(accumulators), rows, vectors, mask);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value sum = accumulators[r * vectors + v];
      SmallVector<Value> place = indices(op.c, r, v * width);
      if (mask)
        vector::MaskedStoreOp::create(b, loc, op.c.buffer, place, mask, sum);
      else
        vector::StoreOp::create(b, loc, sum, op.c.buffer, place);
    }
}

SmallVector<Value> Emitter::reduce(ArrayRef<unsigned> dims, SmallVector<Value> accumulators, int64_t rows,
                                   int64_t vectors, Value mask) {
  if (dims.empty()) {
    SmallVector<Value> columns;
    for (int64_t v = 0; v < vectors; ++v) {
      SmallVector<Value> place = indices(op.b, 0, v * width);
      if (op.packs)
        place = {position[op.reductions.front()], constant(v * width)};
      columns.push_back(load(op.packs ? panel : op.b.buffer, place, mask));
    }
    for (int64_t r = 0; r < rows; ++r) {
      Value scalar = memref::LoadOp::create(b, loc, op.a.buffer, indices(op.a, r, 0));
      Value row = vector::BroadcastOp::create(b, loc, vector, scalar);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = accumulators[r * vectors + v];
        if (fma)
          sum = vector::FMAOp::create(b, loc, row, columns[v], sum);
        else
          sum = arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, row, columns[v]));
      }
    }
    return accumulators;
  }
  unsigned dim = dims.front();
  auto loop = scf::ForOp::create(b, loc, constant(0), size(dim), constant(1), accumulators);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  position[dim] = loop.getInductionVar();
  accumulators = reduce(dims.drop_front(), llvm::to_vector_of<Value>(loop.getRegionIterArgs()), rows, vectors, mask);
  scf::YieldOp::create(b, loc, accumulators);
  return loop.getResults();
}

namespace {
struct VectorizeContractions : bochner::impl::VectorizeContractionsPassBase<VectorizeContractions> {
  using VectorizeContractionsPassBase::VectorizeContractionsPassBase;

  void runOnOperation() override {
    if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) {
      getOperation().emitError() << "expected option 'vector-bits' to be 128, 256 or 512, but got "
                                 << vectorBits.getValue();
      return signalPassFailure();
    }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      FailureOr<Contraction> contraction = matchContraction(op);
      if (failed(contraction))
        continue;
      OpBuilder b(op);
      Emitter(b, op.getLoc(), *contraction, op.getNumLoops(), vectorBits, fma).emit();
      op->erase();
    }
  }
};
} // namespace
