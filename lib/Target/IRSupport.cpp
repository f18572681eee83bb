//===- IRSupport.cpp - what a module may contain --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a translated module. Output: the same with final linkage, or diagnostics for everything that code generation
// or the module format cannot take, all of them at once.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/IRSupport.h"
#include "lib/Target/CpuTarget.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace bochner {

mlir::LogicalResult keepOnlyEntries(Module &module, ArrayRef<StringRef> entries, mlir::Location location) {
  bool complete = true;
  for (StringRef entry : entries) {
    Function *function = module.getFunction(entry);
    if (function && !function->isDeclaration())
      continue;
    mlir::emitError(location) << "expected a definition of the entry function '" << entry << "'";
    complete = false;
  }
  for (GlobalValue &value : module.global_values()) {
    if (value.isDeclaration() || value.hasLocalLinkage() || value.hasAppendingLinkage())
      continue;
    if (auto *object = dyn_cast<GlobalObject>(&value))
      object->setComdat(nullptr);
    value.setVisibility(GlobalValue::DefaultVisibility);
    value.setDSOLocal(true);
    value.setLinkage(is_contained(entries, value.getName()) ? GlobalValue::ExternalLinkage
                                                            : GlobalValue::InternalLinkage);
  }
  return mlir::success(complete);
}

/// The feature that an intrinsic llvm.x86.FAMILY.* needs; null for a family without an entry. Families whose members
/// need different features are not listed.
static const StringLiteral *featureOfFamily(StringRef family) {
  static constexpr StringLiteral baseline = "";
  static constexpr struct {
    StringLiteral family, feature;
  } families[] = {{"sse3", "sse3"}, {"ssse3", "ssse3"}, {"sse41", "sse4.1"},          {"avx", "avx"},
                  {"avx2", "avx2"}, {"bmi", "bmi"},     {"avx512bf16", "avx512bf16"}, {"avx512fp16", "avx512fp16"}};
  if (family == "sse" || family == "sse2")
    return &baseline;
  for (const auto &entry : families)
    if (entry.family == family)
      return &entry.feature;
  return nullptr;
}

static mlir::LogicalResult checkIntrinsic(const Function &declaration, const CpuTarget &target,
                                          mlir::Location location) {
  StringRef name = declaration.getName(), family = name;
  const StringLiteral *feature = nullptr;
  if (family.consume_front("llvm.x86."))
    feature = featureOfFamily(family.take_until([](char c) { return c == '.'; }));
  if (!feature)
    return mlir::emitError(location) << "unsupported intrinsic '" << name << "' on x86-64";
  if (!feature->empty() && !target.has(*feature))
    return mlir::emitError(location) << "intrinsic '" << name << "' requires the feature " << *feature
                                     << ", which the CPU '" << target.name << "' does not have";
  // The 128 and 256 bit forms of AVX-512 are an extension of their own.
  if (feature->starts_with("avx512") && !name.ends_with(".512") && !target.has("avx512vl"))
    return mlir::emitError(location) << "intrinsic '" << name << "' requires the feature avx512vl, which the CPU '"
                                     << target.name << "' does not have";
  return mlir::success();
}

/// Types whose operations instruction selection does not cover, or not on every CPU.
static bool isUnsupported(Type *type) {
  Type *scalar = type->getScalarType();
  return type->isScalableTy() || scalar->isX86_FP80Ty() || scalar->isFP128Ty() || scalar->isPPC_FP128Ty() ||
         type->isX86_AMXTy() || type->isTargetExtTy();
}

/// The first unsupported type that `function` computes with; null if there is none.
static Type *findUnsupportedType(const Function &function) {
  for (const Argument &argument : function.args())
    if (isUnsupported(argument.getType()))
      return argument.getType();
  for (const Instruction &instruction : instructions(function)) {
    if (isUnsupported(instruction.getType()))
      return instruction.getType();
    for (const Use &operand : instruction.operands())
      if (isUnsupported(operand->getType()))
        return operand->getType();
    if (const auto *alloca = dyn_cast<AllocaInst>(&instruction))
      if (isUnsupported(alloca->getAllocatedType()))
        return alloca->getAllocatedType();
  }
  return nullptr;
}

mlir::LogicalResult checkSupported(Module &module, const CpuTarget &target, mlir::Location location) {
  bool supported = true;
  auto fail = [&](const Twine &message) {
    mlir::emitError(location) << message;
    supported = false;
  };
  for (const GlobalVariable &global : module.globals()) {
    if (global.getName() == "llvm.used" || global.getName() == "llvm.compiler.used")
      continue;
    if (global.isThreadLocal())
      fail("unsupported thread-local global '" + global.getName() + "'");
    else if (global.hasAppendingLinkage())
      fail("unsupported list of constructors or destructors '" + global.getName() + "'");
    else if (!global.isDeclaration() && !global.isConstant())
      fail("expected global '" + global.getName() + "' to be constant: compiled modules are read-only");
  }
  for (const Function &function : module) {
    if (function.isDeclaration()) {
      if (function.isTargetIntrinsic() && !function.use_empty() && failed(checkIntrinsic(function, target, location)))
        supported = false;
      continue;
    }
    if (function.hasGC())
      fail("unsupported garbage collector of function '" + function.getName() + "'");
    if (Type *type = findUnsupportedType(function)) {
      std::string text;
      raw_string_ostream(text) << *type;
      fail("unsupported type '" + text + "' in function '" + function.getName() + "'");
    }
  }
  return mlir::success(supported);
}

} // namespace bochner
