//===- KernelBuilder.cpp - vector code for kernels ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value KernelBuilder::add(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return index(*cx + *cy);
  if (cx && *cx == 0)
    return y;
  if (cy && *cy == 0)
    return x;
  return arith::AddIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw);
}

Value KernelBuilder::sub(Value x, Value y) {
  if (auto c = getConstantIntValue(y); c && *c == 0)
    return x;
  return arith::SubIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw);
}

Value KernelBuilder::mul(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return index(*cx * *cy);
  if ((cx && *cx == 0) || (cy && *cy == 1))
    return x;
  if ((cy && *cy == 0) || (cx && *cx == 1))
    return y;
  return arith::MulIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw);
}

Value KernelBuilder::div(Value x, Value y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy && *cy)
    return index(*cx / *cy);
  if (cy && *cy == 1)
    return x;
  return arith::DivUIOp::create(b, loc, x, y);
}

Value KernelBuilder::rem(Value x, Value y) {
  if (auto c = getConstantIntValue(y); c && *c == 1)
    return index(0);
  return arith::RemUIOp::create(b, loc, x, y);
}

Value KernelBuilder::ceilDiv(Value x, Value y) { return div(add(x, sub(y, index(1))), y); }
Value KernelBuilder::min(Value x, Value y) { return arith::MinSIOp::create(b, loc, x, y); }
Value KernelBuilder::max(Value x, Value y) { return arith::MaxSIOp::create(b, loc, x, y); }
Value KernelBuilder::equal(Value x, Value y) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y); }
Value KernelBuilder::less(Value x, Value y) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, y); }
Value KernelBuilder::truth(bool value) { return arith::ConstantIntOp::create(b, loc, value, 1); }

Value KernelBuilder::negate(Value condition) { return arith::XOrIOp::create(b, loc, condition, truth(true)); }

Value KernelBuilder::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, loc, condition, x, y);
}

Value KernelBuilder::dim(Value memref, int64_t i) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(i))
    return index(type.getDimSize(i));
  return memref::DimOp::create(b, loc, memref, i);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void KernelBuilder::loop(Value low, Value high, int64_t step, function_ref<void(Value)> body) {
  auto op = scf::ForOp::create(b, loc, low, high, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.getBody()->getTerminator());
  body(op.getInductionVar());
}

SmallVector<Value> KernelBuilder::loop(Value low, Value high, int64_t step, ValueRange init,
                                       function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  if (init.empty()) {
    loop(low, high, step, [&](Value i) { body(i, ValueRange()); });
    return {};
  }
  auto op = scf::ForOp::create(b, loc, low, high, index(step), init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
  scf::YieldOp::create(b, loc, next);
  return SmallVector<Value>(op.getResults());
}

void KernelBuilder::when(Value condition, function_ref<void()> then) {
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  then();
}

void KernelBuilder::when(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  then();
  b.setInsertionPoint(op.elseBlock()->getTerminator());
  otherwise();
}

SmallVector<Value> KernelBuilder::choose(Value condition, ValueRange otherwise,
                                         function_ref<SmallVector<Value>()> then) {
  auto op = scf::IfOp::create(b, loc, otherwise.getTypes(), condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  SmallVector<Value> values = then();
  scf::YieldOp::create(b, loc, values);
  b.setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(b, loc, otherwise);
  return SmallVector<Value>(op.getResults());
}

void KernelBuilder::columnBlocks(int64_t width, int64_t block, function_ref<void(Value, Columns)> body) {
  int64_t full = width / block * block;
  if (full == block)
    body(index(0), {block, block});
  else if (full)
    loop(index(0), index(full), block, [&](Value c) { body(c, {block, block}); });
  if (width > full)
    body(index(full), columns(width - full));
}

void KernelBuilder::registerBlocks(int64_t width, function_ref<void(Value, Columns)> body) {
  columnBlocks(width, schedule.getRegisterColumns(), [&](Value c, Columns block) {
    int64_t first = llvm::bit_floor(uint64_t(block.padded / lanes())) * lanes();
    if (first == block.padded)
      return body(c, block);
    body(c, {first, first});
    body(add(c, first), columns(block.valid - first));
  });
}

void KernelBuilder::rowGroups(int64_t rows, function_ref<void(Value, int64_t)> body) {
  int64_t height = schedule.getRegisterRows(), full = rows / height * height;
  if (full)
    loop(index(0), index(full), height, [&](Value first) { body(first, height); });
  if (rows > full)
    body(index(full), rows - full);
}

Value KernelBuilder::wholeGroups(Value count) {
  Value height = index(schedule.getRegisterRows());
  return mul(ceilDiv(count, height), height);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value KernelBuilder::number(double value) { return arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value)); }

Value KernelBuilder::splat(double value, int64_t width) {
  if (width == 0)
    return number(value);
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(vector(width), b.getFloatAttr(element, value).getValue()));
}

Value KernelBuilder::broadcast(Value v, int64_t width) {
  if (isa<VectorType>(v.getType()) || width == 0)
    return v;
  return vector::BroadcastOp::create(b, loc, VectorType::get({width}, v.getType()), v);
}

/// A constant mask with the first `valid` of `padded` bits set.
static Value tailMask(KernelBuilder &k, Columns columns) {
  auto type = VectorType::get({columns.padded}, k.b.getI1Type());
  SmallVector<bool> bits(columns.padded, false);
  std::fill_n(bits.begin(), columns.valid, true);
  return arith::ConstantOp::create(k.b, k.loc, DenseElementsAttr::get(type, ArrayRef<bool>(bits)));
}

static Type storedType(Value memref) { return cast<MemRefType>(memref.getType()).getElementType(); }

static Value convert(KernelBuilder &k, Value v, Type element) {
  Type from = getElementTypeOrSelf(v), to = element;
  if (from == element)
    return v;
  if (auto vector = dyn_cast<VectorType>(v.getType()))
    to = vector.clone(element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(k.b, k.loc, to, v);
  return arith::TruncFOp::create(k.b, k.loc, to, v);
}

Value KernelBuilder::widen(Value v) { return convert(*this, v, element); }
Value KernelBuilder::narrow(Value v, Type to) { return convert(*this, v, to); }

Value KernelBuilder::load(Value memref, ValueRange at, Columns columns, double fill) {
  auto type = VectorType::get({columns.padded}, storedType(memref));
  if (!columns.isTail())
    return widen(vector::LoadOp::create(b, loc, type, memref, at));
  auto number = b.getFloatAttr(type.getElementType(), fill);
  Value filler = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, number.getValue()));
  return widen(vector::MaskedLoadOp::create(b, loc, type, memref, at, tailMask(*this, columns), filler));
}

void KernelBuilder::store(Value v, Value memref, ValueRange at, Columns columns) {
  v = narrow(v, storedType(memref));
  if (!columns.isTail())
    vector::StoreOp::create(b, loc, v, memref, at);
  else
    vector::MaskedStoreOp::create(b, loc, memref, at, tailMask(*this, columns), v);
}

Value KernelBuilder::loadScalar(Value memref, ValueRange at) {
  Value v = memref::LoadOp::create(b, loc, memref, at);
  return isa<FloatType>(v.getType()) ? widen(v) : v;
}

void KernelBuilder::storeScalar(Value v, Value memref, ValueRange at) {
  memref::StoreOp::create(b, loc, isa<FloatType>(v.getType()) ? narrow(v, storedType(memref)) : v, memref, at);
}

Value KernelBuilder::addf(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
Value KernelBuilder::subf(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
Value KernelBuilder::mulf(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
Value KernelBuilder::divf(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }

Value KernelBuilder::maxf(Value x, Value y) {
  // One instruction on x86: its maximum returns the second operand if either is NaN.
  Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, loc, greater, x, y);
}

Value KernelBuilder::lanesAt(Value v, int64_t first) {
  if (cast<VectorType>(v.getType()).getDimSize(0) == lanes())
    return v;
  return vector::ExtractStridedSliceOp::create(b, loc, v, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{lanes()},
                                               ArrayRef<int64_t>{1});
}

Value KernelBuilder::sumLanes(Value v) {
  if (!isa<VectorType>(v.getType()))
    return v;
  return vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, v, arith::FastMathFlags::reassoc);
}

Value KernelBuilder::maxLanes(Value v) {
  return vector::ReductionOp::create(b, loc, vector::CombiningKind::MAXNUMF, v);
}

Value KernelBuilder::anyTrue(Value v) { return vector::ReductionOp::create(b, loc, vector::CombiningKind::OR, v); }

Value KernelBuilder::maskTail(Value v, Columns columns, double fill) {
  if (!columns.isTail())
    return v;
  return arith::SelectOp::create(b, loc, tailMask(*this, columns), v, splat(fill, columns.padded));
}

Value KernelBuilder::maskBits(Value v, Columns columns) {
  return columns.isTail() ? arith::AndIOp::create(b, loc, v, tailMask(*this, columns)).getResult() : v;
}

SmallVector<Value> KernelBuilder::transpose(ArrayRef<Value> rows) {
  SmallVector<Value> v(rows);
  int64_t n = rows.size();
  // At distance s, rows i and i + s exchange their off-diagonal s x s blocks.
  for (int64_t s = 1; s < n; s *= 2) {
    SmallVector<int64_t> low(n), high(n);
    for (int64_t j = 0; j < n; ++j) {
      low[j] = j & s ? n + (j ^ s) : j;
      high[j] = j & s ? n + j : j ^ s;
    }
    for (int64_t i = 0; i < n; ++i)
      if (!(i & s)) {
        Value x = v[i], y = v[i + s];
        v[i] = vector::ShuffleOp::create(b, loc, x, y, low);
        v[i + s] = vector::ShuffleOp::create(b, loc, x, y, high);
      }
  }
  return v;
}

void KernelBuilder::transpose(Value source, Value sourceRow, Value target, Value targetRow) {
  auto rows = MemRefType::get({ShapedType::kDynamic, lanes()}, element);
  std::string name = "transpose_" + std::to_string(lanes()) + (element.isF64() ? "xf64" : "xf32");
  auto module = b.getBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    function =
        func::FuncOp::create(b, loc, name, b.getFunctionType({rows, b.getIndexType(), rows, b.getIndexType()}, {}));
    function.setPrivate();
    Block *body = function.addEntryBlock();
    b.setInsertionPointToStart(body);
    SmallVector<Value> square;
    Columns whole{lanes(), lanes()};
    for (int64_t r = 0; r < lanes(); ++r)
      square.push_back(load(body->getArgument(0), {add(body->getArgument(1), r), index(0)}, whole));
    square = transpose(square);
    for (int64_t r = 0; r < lanes(); ++r)
      store(square[r], body->getArgument(2), {add(body->getArgument(3), r), index(0)}, whole);
    func::ReturnOp::create(b, loc);
  }
  auto cast = [&](Value v) { return memref::CastOp::create(b, loc, rows, v).getResult(); };
  func::CallOp::create(b, loc, function, ValueRange{cast(source), sourceRow, cast(target), targetRow});
}

void KernelBuilder::prefetchRow(Value rows, Value row) {
  auto type = cast<MemRefType>(rows.getType());
  int64_t width = type.getShape().back(), line = 64 * 8 / type.getElementTypeBitWidth();
  for (int64_t c = 0; c < width; c += line)
    memref::PrefetchOp::create(b, loc, rows, ValueRange{row, index(c)}, /*isWrite=*/false, /*localityHint=*/2,
                               /*isDataCache=*/true);
}

SmallVector<Value> KernelBuilder::product(ArrayRef<Value> init, Value depth, function_ref<Value(Value, int64_t)> a,
                                          function_ref<Value(Value)> w) {
  return loop(index(0), depth, 1, init, [&](Value kk, ValueRange accumulators) {
    Value row = w(kk);
    SmallVector<Value> next;
    for (auto [r, accumulator] : llvm::enumerate(accumulators)) {
      Value x = vector::BroadcastOp::create(b, loc, row.getType(), a(kk, r));
      if (target.hasFma)
        next.push_back(vector::FMAOp::create(b, loc, x, row, accumulator));
      else
        next.push_back(addf(mulf(x, row), accumulator));
    }
    return next;
  });
}

/// target[first + r, c + block] = more(the same), for `rows` rows; both are whole vectors.
static void continueSums(KernelBuilder &k, Value targetRows, Value first, int64_t rows, Value c, Columns block,
                         llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> more) {
  SmallVector<Value> sums, at;
  Columns whole{block.padded, block.padded};
  for (int64_t r = 0; r < rows; ++r) {
    at.push_back(k.add(first, r));
    sums.push_back(k.load(targetRows, {at.back(), c}, whole));
  }
  sums = more(sums);
  for (auto [row, sum] : llvm::zip(at, sums))
    k.store(sum, targetRows, {row, c}, whole);
}

void KernelBuilder::accumulate(Value targetRows, Value first, int64_t rows, int64_t width, Value depth,
                               function_ref<Value(Value, int64_t)> a, function_ref<Value(Value, Value, Columns)> w) {
  registerBlocks(width, [&](Value c, Columns block) {
    accumulateBlock(targetRows, first, rows, c, block, depth, a, [&](Value kk) { return w(kk, c, block); });
  });
}

void KernelBuilder::accumulateBlock(Value targetRows, Value first, int64_t rows, Value c, Columns block, Value depth,
                                    function_ref<Value(Value, int64_t)> a, function_ref<Value(Value)> w) {
  continueSums(*this, targetRows, first, rows, c, block,
               [&](ArrayRef<Value> sums) { return product(sums, depth, a, w); });
}

SmallVector<Value> KernelBuilder::productCausal(ArrayRef<Value> init, Value first, Value depth, Value masked,
                                                function_ref<Value(Value, int64_t)> a, function_ref<Value(Value)> w) {
  int64_t rows = init.size(), width = cast<VectorType>(init[0].getType()).getDimSize(0);
  // All rows see the first ones; of the next ones, row r sees r.
  Value seen = select(masked, min(add(first, 1), depth), depth);
  SmallVector<Value> sums = product(init, seen, a, w);
  return choose(masked, sums, [&] {
    SmallVector<Value> more(sums);
    for (int64_t u = 1; u < rows; ++u) {
      // Past the end, the last row that all of these see is multiplied by 0.
      Value kk = add(first, u), last = sub(depth, index(1));
      Value inside = less(kk, depth), row = w(min(kk, last));
      for (int64_t r = u; r < rows; ++r) {
        Value factor = select(inside, a(kk, r), number(0));
        more[r] = fma(broadcast(factor, width), row, more[r]);
      }
    }
    return more;
  });
}

void KernelBuilder::accumulateCausal(Value targetRows, Value first, int64_t rows, int64_t width, Value depth,
                                     Value masked, function_ref<Value(Value, int64_t)> a,
                                     function_ref<Value(Value, Value, Columns)> w) {
  registerBlocks(width, [&](Value c, Columns block) {
    continueSums(*this, targetRows, first, rows, c, block, [&](ArrayRef<Value> init) {
      return productCausal(init, first, depth, masked, a, [&](Value kk) { return w(kk, c, block); });
    });
  });
}

//===----------------------------------------------------------------------===//
// Tasks and buffers
//===----------------------------------------------------------------------===//

TaskBuilder::TaskBuilder(KernelBuilder &body, func::FuncOp before, StringRef name, ValueRange captured)
    : captures(captured), loc(body.loc) {
  OpBuilder b(before);
  SmallVector<Type> types{b.getIndexType(), MemRefType::get({ShapedType::kDynamic}, b.getI8Type())};
  llvm::append_range(types, captured.getTypes());
  function = func::FuncOp::create(b, loc, name, b.getFunctionType(types, {}));
  function.setPrivate();
  Block *block = function.addEntryBlock();
  taskIndex = block->getArgument(0);
  body.b.setInsertionPointToEnd(block);
}

Value TaskBuilder::captured(Value outer) {
  auto it = llvm::find(captures, outer);
  return it == captures.end() ? Value() : function.getArgument(2 + (it - captures.begin()));
}

Value TaskBuilder::scratch(ArrayRef<int64_t> shape, Type type) {
  auto memref = MemRefType::get(shape, type);
  OpBuilder entry = OpBuilder::atBlockBegin(&function.front()); // whatever asks for it may be nested
  Value offset = arith::ConstantIndexOp::create(entry, loc, scratchBytes);
  int64_t bits = type.isIndex() ? IndexType::kInternalStorageBitWidth : type.getIntOrFloatBitWidth();
  int64_t bytes = memref.getNumElements() * std::max<int64_t>(1, bits / 8);
  // Between buffers a cache line is left free: rows of two of them, a power of two apart, would share cache sets.
  scratchBytes += (bytes + 63) / 64 * 64 + 64;
  return memref::ViewOp::create(entry, loc, memref, function.getArgument(1), offset, ValueRange());
}

void TaskBuilder::finish(KernelBuilder &host, KernelBuilder &body, Value count) {
  func::ReturnOp::create(body.b, loc);
  function->setAttr("spectral.scratch_bytes", body.b.getI64IntegerAttr(scratchBytes));
  spectral::ParallelForOp::create(host.b, loc, FlatSymbolRefAttr::get(function), count, captures);
}

Value bochner::cpu::headRows(KernelBuilder &k, Value tensor, Value batch, Value head) {
  return headRows(k, tensor, batch, head, {k.index(0), k.dim(tensor, 2)}, /*reversed=*/false);
}

Value bochner::cpu::headRows(KernelBuilder &k, Value tensor, Value batch, Value head, const RowSpan &span,
                             bool reversed) {
  auto type = cast<MemRefType>(tensor.getType());
  int64_t any = ShapedType::kDynamic, width = type.getDimSize(3);
  auto metadata = memref::ExtractStridedMetadataOp::create(k.b, k.loc, tensor);
  Value apart = metadata.getStrides()[2], first = span.first;
  if (reversed) { // the last row first
    first = k.sub(k.add(first, span.count), k.index(1));
    apart = k.sub(k.index(0), apart);
  }
  Value offset = metadata.getOffset();
  const Value position[] = {batch, head, first};
  for (auto [dim, at] : llvm::enumerate(position))
    offset = k.add(offset, k.mul(at, metadata.getStrides()[dim]));
  auto layout = StridedLayoutAttr::get(k.b.getContext(), any, {any, 1});
  auto rows = MemRefType::get({any, width}, type.getElementType(), layout);
  return memref::ReinterpretCastOp::create(k.b, k.loc, rows, metadata.getBaseBuffer(), OpFoldResult(offset),
                                           ArrayRef<OpFoldResult>{span.count, k.b.getIndexAttr(width)},
                                           ArrayRef<OpFoldResult>{apart, k.b.getIndexAttr(1)});
}

void bochner::cpu::copyRow(KernelBuilder &k, Value from, Value row, Value to, Value target) {
  auto width = [](Value rows) { return cast<MemRefType>(rows.getType()).getShape().back(); };
  k.registerBlocks(std::min(width(from), width(to)), [&](Value c, Columns columns) {
    k.store(k.load(from, {row, c}, columns), to, {target, c}, columns);
  });
}

void bochner::cpu::clearRows(KernelBuilder &k, Value rows, Value low, Value high) {
  k.loop(low, high, 1, [&](Value i) {
    k.registerBlocks(cast<MemRefType>(rows.getType()).getShape().back(),
                     [&](Value c, Columns columns) { k.store(k.splat(0, columns.padded), rows, {i, c}, columns); });
  });
}

StagedRows bochner::cpu::stageRows(KernelBuilder &k, Value rows, Value first, Value count, Value scratch) {
  auto type = cast<MemRefType>(rows.getType());
  Type element = cast<MemRefType>(scratch.getType()).getElementType();
  auto copy = [&] {
    k.loop(k.index(0), count, 1, [&](Value i) { copyRow(k, rows, k.add(first, i), scratch, i); });
    auto staged = MemRefType::get(type.getShape(), element, type.getLayout());
    return SmallVector<Value>{memref::CastOp::create(k.b, k.loc, staged, scratch), k.index(0)};
  };
  SmallVector<Value> staged;
  if (type.getElementType() != element) {
    staged = copy();
  } else {
    auto metadata = memref::ExtractStridedMetadataOp::create(k.b, k.loc, rows);
    Value apart = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, metadata.getStrides()[0],
                                        k.index(type.getShape().back()));
    staged = k.choose(apart, {rows, first}, copy);
  }
  return {staged[0], staged[1]};
}

Value bochner::cpu::workspace(KernelBuilder &k, ArrayRef<int64_t> shape, ValueRange dynamic, Type type) {
  return memref::AllocOp::create(k.b, k.loc, MemRefType::get(shape, type), dynamic);
}

Value bochner::cpu::slice(KernelBuilder &k, Value memref, Value i) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> offsets(rank, k.b.getIndexAttr(0)), strides(rank, k.b.getIndexAttr(1)), sizes;
  offsets[0] = i;
  sizes.push_back(k.b.getIndexAttr(1));
  for (int64_t d = 1; d < rank; ++d)
    sizes.push_back(type.isDynamicDim(d) ? OpFoldResult(k.dim(memref, d)) : k.b.getIndexAttr(type.getDimSize(d)));
  auto result = cast<MemRefType>(
      memref::SubViewOp::inferRankReducedResultType(type.getShape().drop_front(), type, offsets, sizes, strides));
  return memref::SubViewOp::create(k.b, k.loc, result, memref, offsets, sizes, strides);
}
