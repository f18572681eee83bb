//===- SupportLibrary.cpp - conversions of 16-bit floats ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: an optimized module. Output: the module with the definitions below. All round to nearest, ties to even, keep
// infinities and return a quiet NaN for a NaN. They are slow, one element at a time: kernels for CPUs without the
// instructions convert with integer vectors.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/SupportLibrary.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

namespace bochner {

static constexpr StringLiteral kLibrary = R"(
define hidden bfloat @__truncsfbf2(float %x) {
  %bits = bitcast float %x to i32
  %high = lshr i32 %bits, 16
  %odd = and i32 %high, 1
  %half.ulp = add i32 %odd, 32767
  %sum = add i32 %bits, %half.ulp
  %rounded = lshr i32 %sum, 16
  %quiet = or i32 %high, 64
  %nan = fcmp uno float %x, 0.0
  %chosen = select i1 %nan, i32 %quiet, i32 %rounded
  %short = trunc i32 %chosen to i16
  %result = bitcast i16 %short to bfloat
  ret bfloat %result
}

define hidden half @__truncsfhf2(float %x) {
  %bits = bitcast float %x to i32
  %magnitude = and i32 %bits, 2147483647
  ; Normal results: rebias the exponent by 15 - 127 and round.
  %shifted = lshr i32 %magnitude, 13
  %odd = and i32 %shifted, 1
  %rebiased = add i32 %magnitude, -939520001       ; ((15 - 127) << 23) + 0xfff
  %sum = add i32 %rebiased, %odd
  %normal = lshr i32 %sum, 13
  ; Subnormal results: the addition of 0.5 puts the last bit of the result at the last bit of the sum and rounds.
  %absolute = bitcast i32 %magnitude to float
  %aligned = fadd float %absolute, 0.5
  %aligned.bits = bitcast float %aligned to i32
  %subnormal = add i32 %aligned.bits, -1056964608  ; bits of 0.5
  %small = icmp ult i32 %magnitude, 947912704      ; 2^-14
  %finite = select i1 %small, i32 %subnormal, i32 %normal
  %large = icmp ugt i32 %magnitude, 1199570943     ; at least 65536, infinity or NaN
  %nan = icmp ugt i32 %magnitude, 2139095040
  %quiet = select i1 %nan, i32 32256, i32 31744
  %chosen = select i1 %large, i32 %quiet, i32 %finite
  %sign = lshr i32 %bits, 16
  %sign.bit = and i32 %sign, 32768
  %signed = or i32 %chosen, %sign.bit
  %short = trunc i32 %signed to i16
  %result = bitcast i16 %short to half
  ret half %result
}

define hidden float @__extendhfsf2(half %x) {
  %short = bitcast half %x to i16
  %bits = zext i16 %short to i32
  %magnitude = and i32 %bits, 32767
  %shifted = shl i32 %magnitude, 13
  %rebiased = add i32 %shifted, 939524096          ; (127 - 15) << 23
  ; Infinity and NaN: the exponent once more up to 255; NaN becomes quiet.
  %nonfinite = add i32 %rebiased, 939524096
  %nan = icmp ugt i32 %magnitude, 31744
  %quiet = select i1 %nan, i32 4194304, i32 0
  %special = or i32 %nonfinite, %quiet
  ; Subnormal: 2^-14 (1 + fraction) - 2^-14.
  %one.up = add i32 %rebiased, 8388608
  %scaled = bitcast i32 %one.up to float
  %exact = fsub float %scaled, 0x3F10000000000000
  %subnormal = bitcast float %exact to i32
  %is.special = icmp ugt i32 %magnitude, 31743
  %is.small = icmp ult i32 %magnitude, 1024
  %a = select i1 %is.small, i32 %subnormal, i32 %rebiased
  %b = select i1 %is.special, i32 %special, i32 %a
  %sign = and i32 %bits, 32768
  %sign.bit = shl i32 %sign, 16
  %signed = or i32 %b, %sign.bit
  %result = bitcast i32 %signed to float
  ret float %result
}

; Rounded to odd, a float is a step on the way to a shorter format that does not round twice.
define internal float @round.to.odd(double %x) {
  %near = fptrunc double %x to float
  %back = fpext float %near to double
  %absolute = call double @llvm.fabs.f64(double %x)
  %back.absolute = call double @llvm.fabs.f64(double %back)
  %bits = bitcast float %near to i32
  %away = fcmp ogt double %back.absolute, %absolute
  %step = sext i1 %away to i32
  %toward.zero = add i32 %bits, %step
  %inexact = fcmp one double %back, %x
  %sticky = zext i1 %inexact to i32
  %odd = or i32 %toward.zero, %sticky
  %result = bitcast i32 %odd to float
  ret float %result
}

define hidden half @__truncdfhf2(double %x) {
  %odd = call float @round.to.odd(double %x)
  %result = fptrunc float %odd to half
  ret half %result
}

define hidden bfloat @__truncdfbf2(double %x) {
  %odd = call float @round.to.odd(double %x)
  %result = fptrunc float %odd to bfloat
  ret bfloat %result
}

declare double @llvm.fabs.f64(double)
)";

static bool isShortFloat(const Type *type) {
  type = type->getScalarType();
  return type->isHalfTy() || type->isBFloatTy();
}

bool usesSupportLibrary(const Module &module) {
  for (const Function &function : module)
    for (const Instruction &instruction : instructions(function))
      if (isShortFloat(instruction.getType()) ||
          any_of(instruction.operands(), [](const Use &use) { return isShortFloat(use->getType()); }))
        return true;
  return false;
}

Error addSupportLibrary(Module &module) {
  SMDiagnostic diagnostic;
  std::unique_ptr<Module> library = parseAssemblyString(kLibrary, diagnostic, module.getContext());
  if (!library)
    return make_error<StringError>("support library: " + diagnostic.getMessage(), inconvertibleErrorCode());
  library->setTargetTriple(module.getTargetTriple());
  library->setDataLayout(module.getDataLayout());
  if (Linker::linkModules(module, std::move(library)))
    return make_error<StringError>("support library: a function of the module has the name of one of its own",
                                   inconvertibleErrorCode());
  return Error::success();
}

} // namespace bochner
