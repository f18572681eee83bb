//===- GpuPreflightTest.cpp - no intrinsic ends the process ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel for every NVVM intrinsic of LLVM, each in a process of its own: it is refused or becomes PTX. Of the 3000
// products of matrices, which differ in types and layouts only, a sample.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/GpuPreflight.h"
#include "TargetTestUtils.h"
#include "lib/Target/GpuCode.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"

#include <sys/wait.h>
#include <unistd.h>

using namespace bochner;
using namespace llvm;

namespace {
enum Outcome { kEmitted, kRefused, kNoSuchOverload, kNotEmitted };

class GpuPreflight : public bochner::test::TargetTest {
protected:
  /// A kernel with the parameters of the intrinsic, which stores its result.
  std::unique_ptr<Module> build(Intrinsic::ID id, ArrayRef<Type *> overload) {
    auto module = std::make_unique<Module>("intrinsic", llvmContext);
    Function *intrinsic = Intrinsic::getOrInsertDeclaration(module.get(), id, overload);
    ArrayRef<Type *> types = intrinsic->getFunctionType()->params();
    auto *kernel = Function::Create(FunctionType::get(Type::getVoidTy(llvmContext), types, false),
                                    GlobalValue::ExternalLinkage, "k", *module);
    kernel->setCallingConv(CallingConv::PTX_Kernel);
    IRBuilder<> builder(BasicBlock::Create(llvmContext, "", kernel));
    SmallVector<Value *> operands;
    for (unsigned i = 0; i < types.size(); ++i)
      operands.push_back(intrinsic->hasParamAttribute(i, Attribute::ImmArg) ? Constant::getNullValue(types[i])
                                                                            : (Value *)kernel->getArg(i));
    Value *result = builder.CreateCall(intrinsic, operands);
    if (!result->getType()->isVoidTy()) {
      auto *target = new GlobalVariable(*module, result->getType(), /*isConstant=*/false, GlobalValue::InternalLinkage,
                                        Constant::getNullValue(result->getType()), "target", nullptr,
                                        GlobalValue::NotThreadLocal, /*AddressSpace=*/1);
      builder.CreateStore(result, target, /*isVolatile=*/true);
    }
    builder.CreateRetVoid();
    return module;
  }

  Outcome emit(Intrinsic::ID id, ArrayRef<Type *> overload, StringRef chip) {
    std::unique_ptr<Module> module = build(id, overload);
    if (verifyModule(*module))
      return kNoSuchOverload;
    mlir::Location location = mlir::UnknownLoc::get(&context);
    if (failed(checkGpuCode(*module, *findGpuChip(chip), location)))
      return kRefused;
    return succeeded(emitPtx(std::move(module), *findGpuChip(chip), location)) ? kEmitted : kNotEmitted;
  }

  /// The outcome in a process of its own, or that it died.
  std::string run(Intrinsic::ID id, ArrayRef<Type *> overload, StringRef chip) {
    pid_t child = fork();
    if (!child) {
      if (!freopen("/dev/null", "w", stderr))
        _exit(kNotEmitted);
      _exit(emit(id, overload, chip));
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) >= kNotEmitted)
      return "ends the process or gives no PTX";
    emitted += WEXITSTATUS(status) == kEmitted;
    return "";
  }

  LLVMContext llvmContext;
  int emitted = 0;
};
} // namespace

TEST_F(GpuPreflight, NoIntrinsicEndsTheProcess) {
  Type *overloads[] = {Type::getFloatTy(llvmContext), Type::getHalfTy(llvmContext), Type::getBFloatTy(llvmContext),
                       PointerType::get(llvmContext, 1), PointerType::get(llvmContext, 3)};
  unsigned matrices = 0;
  for (StringRef chip : {"sm_80", "sm_90a"})
    for (Intrinsic::ID id = 1; id < Intrinsic::num_intrinsics; ++id) {
      StringRef name = Intrinsic::getBaseName(id);
      if (!name.starts_with("llvm.nvvm.") || (name.contains("mma.m") && matrices++ % 16))
        continue;
      if (!Intrinsic::isOverloaded(id)) {
        EXPECT_EQ(run(id, {}, chip), "") << name.str() << " for " << chip.str();
        continue;
      }
      // As builders of kernels name them: one type, of a number or of a pointer.
      for (Type *type : overloads)
        if (name.contains("matrix") == type->isPointerTy() &&
            (type->isPointerTy() || name.contains("approx") || name.contains("fabs") || name.contains("neg")))
          EXPECT_EQ(run(id, type, chip), "") << name.str() << " for " << chip.str();
    }
  EXPECT_GT(emitted, 300) << "the check refuses what there is";
}

TEST_F(GpuPreflight, GenericIntrinsicsAreInstructions) {
  Type *floats[] = {Type::getHalfTy(llvmContext), Type::getBFloatTy(llvmContext), Type::getFloatTy(llvmContext),
                    Type::getDoubleTy(llvmContext)};
  Type *integers[] = {Type::getInt16Ty(llvmContext), Type::getInt32Ty(llvmContext), Type::getInt64Ty(llvmContext)};
  for (StringRef chip : {"sm_80", "sm_90a"}) {
    for (Intrinsic::ID id :
         {Intrinsic::fma,     Intrinsic::fmuladd,    Intrinsic::fabs,       Intrinsic::sqrt,      Intrinsic::floor,
          Intrinsic::ceil,    Intrinsic::trunc,      Intrinsic::rint,       Intrinsic::nearbyint, Intrinsic::roundeven,
          Intrinsic::round,   Intrinsic::copysign,   Intrinsic::minnum,     Intrinsic::maxnum,    Intrinsic::minimum,
          Intrinsic::maximum, Intrinsic::minimumnum, Intrinsic::maximumnum, Intrinsic::exp,       Intrinsic::sin,
          Intrinsic::pow})
      for (Type *type : floats)
        EXPECT_EQ(run(id, type, chip), "") << Intrinsic::getBaseName(id).str() << " for " << chip.str();
    for (Intrinsic::ID id :
         {Intrinsic::smin, Intrinsic::smax, Intrinsic::umin, Intrinsic::umax, Intrinsic::abs, Intrinsic::ctpop,
          Intrinsic::ctlz, Intrinsic::cttz, Intrinsic::bswap, Intrinsic::bitreverse, Intrinsic::fshl, Intrinsic::fshr,
          Intrinsic::sadd_sat, Intrinsic::usub_sat, Intrinsic::uadd_with_overflow, Intrinsic::ssub_with_overflow,
          Intrinsic::smul_with_overflow, Intrinsic::umul_with_overflow})
      for (Type *type : integers)
        EXPECT_EQ(run(id, type, chip), "") << Intrinsic::getBaseName(id).str() << " for " << chip.str();
  }
  EXPECT_GT(emitted, 200);
}
