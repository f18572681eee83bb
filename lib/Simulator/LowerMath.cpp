//===- LowerMath.cpp - arithmetic of the GPU for the simulator ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Intrinsics of floating-point arithmetic and conversion by LLVM's own and by functions of the C library. Flushing of
// subnormals and the errors of the GPU's approximations are not reproduced.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/Rewriter.h"

using namespace llvm;

namespace bochner::sim {

Value *specialFunction(KernelRewriter &rewriter, IRBuilderBase &builder, StringRef name, Value *operand) {
  Type *type = operand->getType();
  auto unary = [&](Intrinsic::ID id) { return builder.CreateIntrinsic(id, {type}, {operand}); };
  Value *one = ConstantFP::get(type, 1.0);
  Value *result = name == "ex2"     ? unary(Intrinsic::exp2)
                  : name == "lg2"   ? unary(Intrinsic::log2)
                  : name == "sin"   ? unary(Intrinsic::sin)
                  : name == "cos"   ? unary(Intrinsic::cos)
                  : name == "tanh"  ? unary(Intrinsic::tanh)
                  : name == "sqrt"  ? unary(Intrinsic::sqrt)
                  : name == "rsqrt" ? builder.CreateFDiv(one, unary(Intrinsic::sqrt))
                  : name == "rcp"   ? builder.CreateFDiv(one, operand)
                                    : nullptr;
  if (result)
    rewriter.countSpecial(builder);
  return result;
}

/// To nearest, ties away from zero: half of the last bit is added to the magnitude.
Value *roundToTf32(KernelRewriter &rewriter, IRBuilderBase &builder, Value *operand) {
  Value *bits = builder.CreateBitCast(operand, rewriter.i32);
  Value *rounded = builder.CreateAnd(builder.CreateAdd(bits, builder.getInt32(0x1000)), 0xffffe000);
  Value *special = builder.CreateICmpEQ(builder.CreateAnd(bits, 0x7f800000), builder.getInt32(0x7f800000));
  return builder.CreateSelect(special, bits, rounded);
}

/// The mode of a conversion to integers.
static Intrinsic::ID roundingOf(StringRef mode) {
  return mode == "rn"   ? Intrinsic::roundeven
         : mode == "rz" ? Intrinsic::trunc
         : mode == "rm" ? Intrinsic::floor
         : mode == "rp" ? Intrinsic::ceil
                        : Intrinsic::not_intrinsic;
}

/// f2i, f2ui, d2i, ...: saturating; NaN becomes 0, as on the GPU.
static Value *convertToInteger(IRBuilderBase &builder, CallInst *call, StringRef name) {
  auto [conversion, mode] = name.split('.');
  Intrinsic::ID rounding = roundingOf(mode.take_front(2));
  bool isSigned = conversion == "f2i" || conversion == "f2ll" || conversion == "d2i" || conversion == "d2ll";
  bool isUnsigned = conversion == "f2ui" || conversion == "f2ull" || conversion == "d2ui" || conversion == "d2ull";
  if (rounding == Intrinsic::not_intrinsic || (!isSigned && !isUnsigned))
    return nullptr;
  Type *from = call->getArgOperand(0)->getType();
  Value *rounded = builder.CreateIntrinsic(rounding, {from}, {call->getArgOperand(0)});
  return builder.CreateIntrinsic(isSigned ? Intrinsic::fptosi_sat : Intrinsic::fptoui_sat, {call->getType(), from},
                                 {rounded});
}

/// f2bf16, ff2bf16x2, ff2f16x2 (the first operand is the upper half), f2tf32; `.relu` clamps below.
static Value *convertToNarrow(KernelRewriter &rewriter, IRBuilderBase &builder, CallInst *call, StringRef name) {
  auto [conversion, mode] = name.split('.');
  bool relu = mode.consume_back(".relu");
  auto value = [&](unsigned i) {
    Value *operand = call->getArgOperand(i);
    return relu ? builder.CreateMaxNum(operand, ConstantFP::get(operand->getType(), 0.0)) : operand;
  };
  if (conversion == "f2tf32" && (mode == "rna" || mode == "rz"))
    return mode == "rna" ? roundToTf32(rewriter, builder, value(0))
                         : builder.CreateAnd(builder.CreateBitCast(value(0), rewriter.i32), 0xffffe000);
  if (mode != "rn")
    return nullptr;
  Type *half = conversion.contains("bf16") ? builder.getBFloatTy() : builder.getHalfTy();
  Value *result;
  if (conversion == "f2bf16" || conversion == "f2f16" || conversion == "f2h") {
    result = builder.CreateFPTrunc(value(0), half);
  } else if (conversion == "ff2bf16x2" || conversion == "ff2f16x2") {
    result = PoisonValue::get(FixedVectorType::get(half, 2));
    for (unsigned i : {0, 1})
      result = builder.CreateInsertElement(result, builder.CreateFPTrunc(value(1 - i), half), i);
  } else {
    return nullptr;
  }
  return builder.CreateBitCast(result, call->getType());
}

static Value *arithmetic(IRBuilderBase &builder, CallInst *call, StringRef name) {
  auto a = [&](unsigned i) { return call->getArgOperand(i); };
  auto intrinsic = [&](Intrinsic::ID id) {
    return builder.CreateIntrinsic(id, {call->getType()}, SmallVector<Value *>(call->args()));
  };
  if (name.contains("xorsign") || name.contains(".sat") || name.contains("relu"))
    return nullptr;
  if (name.starts_with("fma.rn."))
    return intrinsic(Intrinsic::fma);
  if (name.starts_with("mul.rn."))
    return builder.CreateFMul(a(0), a(1));
  if (name.starts_with("add.rn."))
    return builder.CreateFAdd(a(0), a(1));
  if (name.starts_with("div.rn.") || name.starts_with("div.approx.") || name.starts_with("div.full"))
    return builder.CreateFDiv(a(0), a(1));
  if (name.starts_with("sqrt.rn.") || name.starts_with("sqrt.f"))
    return intrinsic(Intrinsic::sqrt);
  if (name.starts_with("rcp.rn."))
    return builder.CreateFDiv(ConstantFP::get(call->getType(), 1.0), a(0));
  for (auto [prefix, id] : {std::pair<StringRef, Intrinsic::ID>{"fabs.", Intrinsic::fabs},
                            {"trunc.", Intrinsic::trunc},
                            {"floor.", Intrinsic::floor},
                            {"ceil.", Intrinsic::ceil},
                            {"round.", Intrinsic::roundeven}})
    if (name.starts_with(prefix))
      return intrinsic(id);
  bool nan = name.contains(".nan.");
  if (name.starts_with("fmin."))
    return intrinsic(nan ? Intrinsic::minimum : Intrinsic::minnum);
  if (name.starts_with("fmax."))
    return intrinsic(nan ? Intrinsic::maximum : Intrinsic::maxnum);
  if (name.starts_with("move."))
    return a(0);
  if (name.starts_with("saturate.")) {
    Value *low = builder.CreateMaxNum(a(0), ConstantFP::get(call->getType(), 0.0));
    return builder.CreateMinNum(low, ConstantFP::get(call->getType(), 1.0));
  }
  return nullptr;
}

/// Fused operations in another rounding mode, which libdevice uses in its argument reductions, rounded to nearest: the
/// result differs by one unit in the last place.
static Value *directedFma(IRBuilderBase &builder, CallInst *call, StringRef name) {
  for (StringRef prefix : {"fma.rm.", "fma.rp.", "fma.rz."})
    if (name.starts_with(prefix))
      return builder.CreateIntrinsic(Intrinsic::fma, {call->getType()}, SmallVector<Value *>(call->args()));
  return nullptr;
}

bool lowerMathIntrinsic(KernelRewriter &rewriter, CallInst *call, StringRef name) {
  IRBuilder<> builder(call);
  Value *result = nullptr;
  auto [function, variant] = name.split('.');
  if (variant.starts_with("approx") && call->arg_size() == 1)
    result = specialFunction(rewriter, builder, function, call->getArgOperand(0));
  if (!result)
    result = convertToInteger(builder, call, name);
  if (!result)
    result = convertToNarrow(rewriter, builder, call, name);
  if (!result)
    result = arithmetic(builder, call, name);
  if (!result)
    result = directedFma(builder, call, name);
  if (!result)
    return false;
  call->replaceAllUsesWith(result);
  call->eraseFromParent();
  return true;
}

} // namespace bochner::sim
