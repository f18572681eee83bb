//===- GpuCode.cpp - kernels of a module to PTX ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Target/GpuCode.h"
#include "lib/Target/GpuPreflight.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace llvm;

namespace bochner {

static constexpr StringLiteral kTriple = "nvptx64-nvidia-cuda";

/// Loops that must stay loops say so by llvm.loop_annotation. The conversion from scf copies it under that name to
/// branches, where the translation expects it as a property; ptxas would unroll the loops and spill.
static void restoreLoopAnnotations(mlir::gpu::GPUModuleOp kernels) {
  auto restore = [](auto branch) {
    if (auto annotation = branch->template getAttrOfType<mlir::LLVM::LoopAnnotationAttr>("llvm.loop_annotation")) {
      branch->removeDiscardableAttr("llvm.loop_annotation");
      branch.setLoopAnnotationAttr(annotation);
    }
  };
  kernels.walk([&](mlir::LLVM::BrOp branch) { restore(branch); });
  kernels.walk([&](mlir::LLVM::CondBrOp branch) { restore(branch); });
}

std::unique_ptr<Module> translateKernels(mlir::gpu::GPUModuleOp kernels, LLVMContext &context) {
  restoreLoopAnnotations(kernels);
  return mlir::translateModuleToLLVMIR(kernels, context, kernels.getName());
}

static std::unique_ptr<TargetMachine> createTargetMachine(const GpuChip &chip, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  const Target *target = TargetRegistry::lookupTarget(Triple(kTriple), error);
  if (!target)
    return nullptr;
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(
      Triple(kTriple), chip.name, chip.ptx, TargetOptions(), Reloc::PIC_, std::nullopt, CodeGenOptLevel::Aggressive));
}

static void optimize(Module &module, TargetMachine &machine) {
  LoopAnalysisManager loopAnalyses;
  FunctionAnalysisManager functionAnalyses;
  CGSCCAnalysisManager sccAnalyses;
  ModuleAnalysisManager moduleAnalyses;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(moduleAnalyses);
  builder.registerCGSCCAnalyses(sccAnalyses);
  builder.registerFunctionAnalyses(functionAnalyses);
  builder.registerLoopAnalyses(loopAnalyses);
  builder.crossRegisterProxies(loopAnalyses, functionAnalyses, sccAnalyses, moduleAnalyses);
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O3).run(module, moduleAnalyses);
}

/// Dynamic shared memory is an array without elements. Defined in a module, ptxas counts it as a byte and the driver
/// places it wrongly; declared, it is the memory of the launch.
static void externalizeDynamicShared(Module &module) {
  for (GlobalVariable &global : module.globals()) {
    if (global.getAddressSpace() != 3 || !module.getDataLayout().getTypeAllocSize(global.getValueType()).isZero())
      continue;
    global.setInitializer(nullptr);
    global.setLinkage(GlobalValue::ExternalLinkage);
  }
}

mlir::FailureOr<std::string> emitPtx(std::unique_ptr<Module> module, const GpuChip &chip, mlir::Location location) {
  std::string error;
  std::unique_ptr<TargetMachine> machine = createTargetMachine(chip, error);
  if (!machine)
    return mlir::emitError(location) << "expected LLVM with its NVPTX target: " << error;
  module->setTargetTriple(Triple(kTriple));
  module->setDataLayout(machine->createDataLayout());
  externalizeDynamicShared(*module);
  // Before, because the optimizer asks the backend, too; after, because it introduces intrinsics.
  if (failed(checkGpuCode(*module, chip, location)))
    return mlir::failure();
  optimize(*module, *machine);
  if (failed(checkGpuCode(*module, chip, location)))
    return mlir::failure();
  SmallString<0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile, /*DisableVerify=*/true))
    return mlir::emitError(location) << "expected LLVM to emit PTX";
  passes.run(*module);
  return text.str().str();
}

} // namespace bochner
