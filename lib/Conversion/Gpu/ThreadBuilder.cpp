//===- ThreadBuilder.cpp - the code of one GPU thread ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/ThreadBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace bochner::simt;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value ThreadBuilder::i32(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }
Value ThreadBuilder::i64(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }
Value ThreadBuilder::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value ThreadBuilder::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value ThreadBuilder::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); }
Value ThreadBuilder::div(Value x, Value y) { return b.createOrFold<arith::DivUIOp>(loc, x, y); }
Value ThreadBuilder::rem(Value x, Value y) { return b.createOrFold<arith::RemUIOp>(loc, x, y); }
Value ThreadBuilder::bitAnd(Value x, int64_t y) { return b.createOrFold<arith::AndIOp>(loc, x, like(x, y)); }
Value ThreadBuilder::shiftRight(Value x, int64_t bits) { return b.createOrFold<arith::ShRUIOp>(loc, x, like(x, bits)); }
Value ThreadBuilder::shiftLeft(Value x, int64_t bits) { return b.createOrFold<arith::ShLIOp>(loc, x, like(x, bits)); }
Value ThreadBuilder::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value ThreadBuilder::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }
Value ThreadBuilder::both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(loc, x, y); }
Value ThreadBuilder::less(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, y);
}
Value ThreadBuilder::lessEqual(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, x, y);
}
Value ThreadBuilder::equal(Value x, int64_t y) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, like(x, y));
}
Value ThreadBuilder::isNotZero(Value x) {
  Value zero = arith::ConstantOp::create(b, loc, b.getIntegerAttr(x.getType(), 0));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x, zero);
}
Value ThreadBuilder::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(loc, condition, x, y);
}
Value ThreadBuilder::toI64(Value x) {
  return x.getType().isInteger(64) ? x : b.createOrFold<arith::ExtUIOp>(loc, b.getI64Type(), x);
}
Value ThreadBuilder::signedToI64(Value x) { return b.createOrFold<arith::ExtSIOp>(loc, b.getI64Type(), x); }
Value ThreadBuilder::toI32(Value x) {
  return x.getType().isInteger(32) ? x : b.createOrFold<arith::TruncIOp>(loc, b.getI32Type(), x);
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

Value ThreadBuilder::f32(double value) { return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value)); }
Value ThreadBuilder::addf(Value x, Value y) { return b.createOrFold<arith::AddFOp>(loc, x, y); }
Value ThreadBuilder::subf(Value x, Value y) { return b.createOrFold<arith::SubFOp>(loc, x, y); }
Value ThreadBuilder::mulf(Value x, Value y) { return b.createOrFold<arith::MulFOp>(loc, x, y); }
Value ThreadBuilder::divf(Value x, Value y) { return b.createOrFold<arith::DivFOp>(loc, x, y); }
Value ThreadBuilder::fma(Value x, Value y, Value z) { return math::FmaOp::create(b, loc, x, y, z); }
Value ThreadBuilder::abs(Value x) { return maxf(x, subf(f32(0), x)); }
Value ThreadBuilder::maxf(Value x, Value y) { return arith::MaxNumFOp::create(b, loc, x, y); }
Value ThreadBuilder::unlessInfinite(Value x, Value otherwise) {
  Value infinite =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, f32(std::numeric_limits<double>::infinity()));
  return select(infinite, otherwise, x);
}
Value ThreadBuilder::isZero(Value x) { return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, f32(0)); }
Value ThreadBuilder::awayFromZero(Value x, double least) {
  Value size = abs(x), limit = f32(least);
  Value negative = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, f32(0));
  Value small = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, size, limit);
  return select(small, select(negative, f32(-least), limit), x);
}
Value ThreadBuilder::bits(Value x) { return b.createOrFold<arith::BitcastOp>(loc, b.getI32Type(), x); }
Value ThreadBuilder::number(Value bits) { return b.createOrFold<arith::BitcastOp>(loc, b.getF32Type(), bits); }

static Value callIntrinsic(ThreadBuilder &t, StringRef name, Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(t.b, t.loc, type, t.b.getStringAttr(name), operands).getResult(0);
}

Value ThreadBuilder::exp2(Value x) { return callIntrinsic(*this, "llvm.nvvm.ex2.approx.ftz", b.getF32Type(), x); }
Value ThreadBuilder::cos(Value x) { return callIntrinsic(*this, "llvm.nvvm.cos.approx.ftz.f", b.getF32Type(), x); }
Value ThreadBuilder::sin(Value x) { return callIntrinsic(*this, "llvm.nvvm.sin.approx.ftz.f", b.getF32Type(), x); }
Value ThreadBuilder::log2(Value x) { return callIntrinsic(*this, "llvm.nvvm.lg2.approx.ftz.f", b.getF32Type(), x); }
Value ThreadBuilder::toTf32(Value x) { return callIntrinsic(*this, "llvm.nvvm.f2tf32.rna", b.getI32Type(), x); }

Value ThreadBuilder::widen(Value x) {
  if (x.getType().isF32())
    return x;
  if (x.getType().isF64())
    return arith::TruncFOp::create(b, loc, b.getF32Type(), x);
  return arith::ExtFOp::create(b, loc, b.getF32Type(), x);
}

Value ThreadBuilder::narrow(Value x, Type type) {
  if (type.isF32())
    return x;
  if (type.isF64())
    return arith::ExtFOp::create(b, loc, type, x);
  return arith::TruncFOp::create(b, loc, type, x);
}

Value ThreadBuilder::pack(Value low, Value high, Type type) {
  auto pair = VectorType::get({2}, type);
  StringRef name = type.isBF16() ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn";
  return LLVM::BitcastOp::create(b, loc, b.getI32Type(), callIntrinsic(*this, name, pair, {high, low}));
}

Value ThreadBuilder::joinHalves(Value low, Value high) {
  Value wide = arith::ExtUIOp::create(b, loc, b.getI32Type(), high);
  return arith::OrIOp::create(b, loc, arith::ExtUIOp::create(b, loc, b.getI32Type(), low).getResult(),
                              shiftLeft(wide, 16));
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// Lets `body` write where `inner` stands.
static void writeAt(ThreadBuilder &t, OpBuilder &inner, llvm::function_ref<void()> body) {
  OpBuilder::InsertPoint outer = t.b.saveInsertionPoint();
  t.b.restoreInsertionPoint(inner.saveInsertionPoint());
  body();
  inner.restoreInsertionPoint(t.b.saveInsertionPoint());
  t.b.restoreInsertionPoint(outer);
}

void ThreadBuilder::loop(Value low, Value high, Value step, llvm::function_ref<void(Value)> body) {
  scf::ForOp::create(b, loc, low, high, step, ValueRange(), [&](OpBuilder &inner, Location, Value i, ValueRange) {
    writeAt(*this, inner, [&] { body(i); });
    scf::YieldOp::create(inner, loc);
  });
}

void ThreadBuilder::loop(Value low, Value high, int64_t step, llvm::function_ref<void(Value)> body) {
  loop(low, high, like(low, step), body);
}

SmallVector<Value> ThreadBuilder::loop(Value low, Value high, int64_t step, ValueRange init,
                                       llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  return llvm::to_vector_of<Value>(scf::ForOp::create(b, loc, low, high, like(low, step), init,
                                                      [&](OpBuilder &inner, Location, Value i, ValueRange carried) {
                                                        SmallVector<Value> next;
                                                        writeAt(*this, inner, [&] { next = body(i, carried); });
                                                        scf::YieldOp::create(inner, loc, next);
                                                      })
                                       .getResults());
}

void ThreadBuilder::when(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  auto region = [&](llvm::function_ref<void()> body) {
    return [this, body](OpBuilder &inner, Location loc) {
      writeAt(*this, inner, body);
      scf::YieldOp::create(inner, loc);
    };
  };
  if (otherwise)
    scf::IfOp::create(b, loc, condition, region(then), region(otherwise));
  else
    scf::IfOp::create(b, loc, condition, region(then));
}

SmallVector<Value> ThreadBuilder::choose(Value condition, ValueRange otherwise,
                                         llvm::function_ref<SmallVector<Value>()> then) {
  auto chosen = scf::IfOp::create(
      b, loc, condition,
      [&](OpBuilder &inner, Location) {
        SmallVector<Value> values;
        writeAt(*this, inner, [&] { values = then(); });
        scf::YieldOp::create(inner, loc, values);
      },
      [&](OpBuilder &inner, Location) { scf::YieldOp::create(inner, loc, otherwise); });
  return llvm::to_vector_of<Value>(chosen.getResults());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value ThreadBuilder::offset(Value address, Value bytes) {
  return LLVM::GEPOp::create(b, loc, address.getType(), b.getI8Type(), address, ArrayRef<LLVM::GEPArg>{bytes});
}

Value ThreadBuilder::offset(Value address, int64_t bytes) {
  if (!bytes)
    return address;
  return LLVM::GEPOp::create(b, loc, address.getType(), b.getI8Type(), address, ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
}

Value ThreadBuilder::load(Type type, Value address, int64_t alignment) {
  return LLVM::LoadOp::create(b, loc, type, address, alignment);
}

void ThreadBuilder::store(Value value, Value address, int64_t alignment) {
  LLVM::StoreOp::create(b, loc, value, address, alignment);
}

Value ThreadBuilder::loadNumber(Type element, Value address) {
  return widen(load(element, address, element.getIntOrFloatBitWidth() / 8));
}

void ThreadBuilder::storeNumber(Value x, Type element, Value address) {
  store(narrow(x, element), address, element.getIntOrFloatBitWidth() / 8);
}

Value ThreadBuilder::element(Value vector, int64_t i) {
  if (isa<LLVM::LLVMStructType>(vector.getType()))
    return LLVM::ExtractValueOp::create(b, loc, vector, i);
  return LLVM::ExtractElementOp::create(b, loc, vector, i32(i));
}

Value ThreadBuilder::vector(ValueRange elements) {
  auto type = VectorType::get({int64_t(elements.size())}, elements[0].getType());
  Value v = LLVM::PoisonOp::create(b, loc, type);
  for (auto [i, x] : llvm::enumerate(elements))
    v = LLVM::InsertElementOp::create(b, loc, type, v, x, i32(i));
  return v;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value ThreadBuilder::threadId() { return NVVM::ThreadIdXOp::create(b, loc, b.getI32Type()); }

Value ThreadBuilder::blockId(unsigned dimension) {
  return dimension == 0   ? Value(NVVM::BlockIdXOp::create(b, loc, b.getI32Type()))
         : dimension == 1 ? Value(NVVM::BlockIdYOp::create(b, loc, b.getI32Type()))
                          : Value(NVVM::BlockIdZOp::create(b, loc, b.getI32Type()));
}

void ThreadBuilder::barrier() { NVVM::Barrier0Op::create(b, loc); }
void ThreadBuilder::warpBarrier() { NVVM::SyncWarpOp::create(b, loc, i32(-1)); }

static Value shuffle(ThreadBuilder &t, Value x, Value lane, NVVM::ShflKind kind) {
  return NVVM::ShflOp::create(t.b, t.loc, x.getType(), t.i32(-1), x, lane, t.i32(kWarpSize - 1), kind, UnitAttr());
}

Value ThreadBuilder::shuffleXor(Value x, int64_t mask) { return shuffle(*this, x, i32(mask), NVVM::ShflKind::bfly); }
Value ThreadBuilder::shuffleFrom(Value x, Value lane) { return shuffle(*this, x, lane, NVVM::ShflKind::idx); }

void ThreadBuilder::copyAsync16(Value target, Value source, Value valid) {
  NVVM::CpAsyncOp::create(b, loc, target, source, b.getI32IntegerAttr(16),
                          NVVM::LoadCacheModifierKindAttr::get(b.getContext(), NVVM::LoadCacheModifierKind::CG), valid);
}

void ThreadBuilder::commitCopies() { NVVM::CpAsyncCommitGroupOp::create(b, loc); }
void ThreadBuilder::waitForCopies(int64_t pending) { NVVM::CpAsyncWaitGroupOp::create(b, loc, pending); }

SmallVector<Value> ThreadBuilder::loadMatrices(Value address, int64_t count, bool transposed) {
  SmallVector<Type> registers(count, b.getI32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), registers);
  auto layout = transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  Value loaded =
      NVVM::LdMatrixOp::create(b, loc, type, address, count, layout,
                               NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8), NVVM::LdStMatrixEltType::B16);
  SmallVector<Value> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(element(loaded, i));
  return values;
}

SmallVector<Value> ThreadBuilder::mma(MmaType type, ValueRange a, ValueRange w, ValueRange c) {
  SmallVector<Value> left(a), right(w);
  NVVM::MMATypes elements = type == MmaType::bf16  ? NVVM::MMATypes::bf16
                            : type == MmaType::f16 ? NVVM::MMATypes::f16
                                                   : NVVM::MMATypes::tf32;
  if (type == MmaType::f16) // the only type with vector registers
    for (SmallVector<Value> *registers : {&left, &right})
      for (Value &v : *registers)
        v = LLVM::BitcastOp::create(b, loc, VectorType::get({2}, b.getF16Type()), v);
  SmallVector<Type> sums(4, b.getF32Type());
  auto result = LLVM::LLVMStructType::getLiteral(b.getContext(), sums);
  Value d = NVVM::MmaOp::create(b, loc, result, left, right, c, {16, 8, type == MmaType::tf32 ? 8 : 16}, std::nullopt,
                                std::nullopt, std::array<NVVM::MMATypes, 2>{elements, elements},
                                std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
  SmallVector<Value> values;
  for (int64_t i = 0; i < 4; ++i)
    values.push_back(element(d, i));
  return values;
}
