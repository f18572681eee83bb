//===- GpuCode.cpp - kernels of a module to PTX ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Target/GpuCode.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace llvm;

namespace bochner {

static constexpr StringLiteral kTriple = "nvptx64-nvidia-cuda";

std::unique_ptr<Module> translateKernels(mlir::gpu::GPUModuleOp kernels, LLVMContext &context) {
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

mlir::FailureOr<std::string> emitPtx(std::unique_ptr<Module> module, const GpuChip &chip, mlir::Location location) {
  std::string error;
  std::unique_ptr<TargetMachine> machine = createTargetMachine(chip, error);
  if (!machine)
    return mlir::emitError(location) << "expected LLVM with its NVPTX target: " << error;
  module->setTargetTriple(Triple(kTriple));
  module->setDataLayout(machine->createDataLayout());
  optimize(*module, *machine);
  SmallString<0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile, /*DisableVerify=*/true))
    return mlir::emitError(location) << "expected LLVM to emit PTX";
  passes.run(*module);
  return text.str().str();
}

mlir::FailureOr<std::vector<KernelPtx>> emitKernels(mlir::gpu::GPUModuleOp kernels, const GpuChip &chip) {
  LLVMContext context;
  std::unique_ptr<Module> all = translateKernels(kernels, context);
  if (!all)
    return mlir::failure(); // reported by the translation
  std::vector<KernelPtx> result;
  for (auto kernel : kernels.getOps<mlir::LLVM::LLVMFuncOp>()) {
    if (!kernel->hasAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName()))
      continue;
    ValueToValueMapTy mapping;
    auto keep = [&](const GlobalValue *global) {
      return !isa<Function>(global) || global->getName() == kernel.getName();
    };
    std::unique_ptr<Module> one = CloneModule(*all, mapping, keep);
    for (Function &function : make_early_inc_range(*one))
      if (function.isDeclaration() && function.use_empty())
        function.eraseFromParent();
    mlir::FailureOr<std::string> ptx = emitPtx(std::move(one), chip, kernels.getLoc());
    if (failed(ptx))
      return mlir::failure();
    result.push_back({kernel.getName().str(), std::move(*ptx)});
  }
  return result;
}

} // namespace bochner
