//===- CodeGen.cpp - LLVM dialect to object code --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a module in the LLVM dialect. Output: position-independent object code for the small code model. Steps: the
// translation of MLIR, a check for what the backend answers by ending the process, attributes of the target,
// optimization per function, instruction selection.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/CodeGen.h"
#include "lib/Simulator/SimulateKernels.h"
#include "lib/Target/CpuTarget.h"
#include "lib/Target/CudaKernels.h"
#include "lib/Target/DiagnosticForwarder.h"
#include "lib/Target/GpuCode.h"
#include "lib/Target/IRSupport.h"
#include "lib/Target/SupportLibrary.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "runtime/ModuleFormat.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace llvm;

namespace bochner {

/// Without an environment (-gnu), the backend keeps to libm functions of ISO C: it makes no call of sincos.
static constexpr StringLiteral kTriple = "x86_64-unknown-linux";

/// Loops hold explicit vectors and register tiles: promote, hoist, simplify. It comes within 1 % of the speed of -O3
/// for them. Unrolling would win that back, but takes 50 to 170 ms a function, since it copies the loops of rare paths
/// too.
static constexpr StringLiteral kShortPipeline =
    "sroa,early-cse,loop-mssa(loop-rotate,licm),loop(indvars),early-cse,simplifycfg";

/// What the loop vectorizer needs, for loops over scalars; the other passes of -O3 won nothing for them. LLVM treats an
/// instcombine that has not reached its fixpoint as a fatal error, unless told that this does not matter.
static constexpr StringLiteral kFullPipeline =
    "sroa,early-cse<memssa>,simplifycfg,"
    "loop-simplify,lcssa,loop-mssa(loop-rotate,licm),instcombine<no-verify-fixpoint>,"
    "loop(loop-idiom,indvars,loop-deletion),loop-mssa(licm),"
    "loop-vectorize,instcombine<no-verify-fixpoint>,simplifycfg,early-cse";

void registerCodeGenTranslations(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerGPUDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
}

static const Target *lookupX86Target(std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser(); // for inline assembly
  });
  return TargetRegistry::lookupTarget(Triple(kTriple), error);
}

static std::unique_ptr<TargetMachine> createTargetMachine(const CpuTarget &cpu, std::string &error) {
  const Target *target = lookupX86Target(error);
  if (!target)
    return nullptr;
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Standard; // contraction is the IR's decision
  options.FunctionSections = true;                // the linker drops unused functions of the support library
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(Triple(kTriple), kBaselineCpu, cpu.featureString(),
                                                                    options, Reloc::PIC_, CodeModel::Small,
                                                                    CodeGenOptLevel::Aggressive));
}

/// The optimizer may introduce calls only of what the runtime can resolve.
static TargetLibraryInfoImpl libraryInfo() {
  TargetLibraryInfoImpl info{Triple(kTriple)};
  info.disableAllFunctions();
  LibFunc function;
  for (const char *name : format::kRuntimeFunctions)
    if (info.getLibFunc(name, function))
      info.setAvailable(function);
  return info;
}

static void setFunctionAttributes(Module &module, const CpuTarget &cpu) {
  std::string features = cpu.featureString(), width = std::to_string(cpu.vectorBits());
  for (Function &function : module) {
    // No function of a kernel or of libm throws, so no unwind tables are needed.
    function.setDoesNotThrow();
    if (function.isDeclaration())
      continue;
    function.setUWTableKind(UWTableKind::None);
    function.removeFnAttr("stack-protector");
    function.addFnAttr("target-cpu", kBaselineCpu);
    function.addFnAttr("tune-cpu", cpu.name);
    function.addFnAttr("target-features", features);
    // The kernels are written for full registers; some CPUs are tuned to avoid them.
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("no-stack-arg-probe");
  }
}

static Error optimize(Module &module, TargetMachine &machine) {
  LoopAnalysisManager loopAnalyses;
  FunctionAnalysisManager functionAnalyses;
  CGSCCAnalysisManager sccAnalyses;
  ModuleAnalysisManager moduleAnalyses;
  PassBuilder builder(&machine);
  functionAnalyses.registerPass([] { return TargetLibraryAnalysis(libraryInfo()); });
  builder.registerModuleAnalyses(moduleAnalyses);
  builder.registerCGSCCAnalyses(sccAnalyses);
  builder.registerFunctionAnalyses(functionAnalyses);
  builder.registerLoopAnalyses(loopAnalyses);
  builder.crossRegisterProxies(loopAnalyses, functionAnalyses, sccAnalyses, moduleAnalyses);

  ModulePassManager prepare;
  if (Error error = builder.parsePassPipeline(prepare, "always-inline,globaldce"))
    return error;
  prepare.run(module, moduleAnalyses);

  FunctionPassManager shortPipeline, fullPipeline;
  if (Error error = builder.parsePassPipeline(shortPipeline, kShortPipeline))
    return error;
  if (Error error = builder.parsePassPipeline(fullPipeline, kFullPipeline))
    return error;
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    bool full = function.getFnAttribute(kOptimizeAttr).getValueAsString() == kOptimizeFull;
    (full ? fullPipeline : shortPipeline).run(function, functionAnalyses);
    functionAnalyses.clear(function, function.getName());
  }
  return Error::success();
}

/// The entry of a model's step packs the arguments of hundreds of calls, in blocks of thousands of instructions.
/// Optimizing instruction selection takes seconds for these, since its time grows faster than their length. That code
/// runs once a call, so it is selected fast.
static void selectLongEntriesFast(Module &module, ArrayRef<StringRef> entries) {
  constexpr unsigned kLong = 10000;
  for (StringRef name : entries)
    if (Function *entry = module.getFunction(name); entry && entry->getInstructionCount() > kLong) {
      entry->addFnAttr(Attribute::OptimizeNone);
      entry->addFnAttr(Attribute::NoInline);
    }
}

static bool emit(Module &module, TargetMachine &machine, SmallVectorImpl<char> &object) {
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  passes.add(new TargetLibraryInfoWrapperPass(libraryInfo()));
  if (machine.addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::ObjectFile, /*DisableVerify=*/true))
    return false;
  passes.run(module);
  return true;
}

mlir::FailureOr<SmallVector<char, 0>> emitObject(Module &module, mlir::Location location,
                                                 const CodeGenOptions &options) {
  std::string error;
  std::unique_ptr<TargetMachine> machine = createTargetMachine(options.target, error);
  if (!machine)
    return mlir::emitError(location) << "expected LLVM with its X86 target: " << error;

  bool sawError = false;
  module.getContext().setDiagnosticHandler(std::make_unique<DiagnosticForwarder>(location, sawError));
  auto restore = scope_exit([&] { module.getContext().setDiagnosticHandler(nullptr); });
  module.setTargetTriple(Triple(kTriple));
  module.setDataLayout(machine->createDataLayout());
  module.setPICLevel(PICLevel::BigPIC);

  if (failed(keepOnlyEntries(module, options.entries, location)))
    return mlir::failure();
  setFunctionAttributes(module, options.target);
  if (Error failure = optimize(module, *machine))
    return mlir::emitError(location) << "optimization failed: " << toString(std::move(failure));
  if (failed(checkSupported(module, options.target, location)))
    return mlir::failure();
  if (usesSupportLibrary(module)) {
    if (Error failure = addSupportLibrary(module))
      return mlir::emitError(location) << toString(std::move(failure));
    setFunctionAttributes(module, options.target);
  }

  selectLongEntriesFast(module, options.entries);

  SmallVector<char, 0> object;
  if (!emit(module, *machine, object))
    return mlir::emitError(location) << "expected LLVM to emit objects for " << kTriple;
  if (sawError)
    return mlir::failure();
  return object;
}

/// Adds kernels as code that libbochner-sim.so runs to the module that launches them.
static mlir::LogicalResult addSimulatedKernels(Module &module, std::unique_ptr<Module> code, mlir::Location location) {
  SmallVector<std::string> names;
  if (failed(simulateKernels(*code, location, {}, names)))
    return mlir::failure();
  code->setTargetTriple(module.getTargetTriple());
  code->setDataLayout(module.getDataLayout());
  if (Linker::linkModules(module, std::move(code)))
    return mlir::emitError(location) << "cannot link simulated kernels to the code that launches them";
  return mlir::success();
}

static mlir::LogicalResult addKernels(Module &module, mlir::gpu::GPUModuleOp kernels, const GpuCodeOptions &options) {
  std::unique_ptr<Module> code = translateKernels(kernels, module.getContext());
  if (!code)
    return mlir::failure();
  if (options.device == "cuda" || !options.dumpDir.empty()) {
    mlir::FailureOr<std::vector<GpuKernel>> compiled = compileKernels(*code, options, kernels.getLoc());
    if (failed(compiled))
      return mlir::failure();
    if (!options.dumpDir.empty() && failed(dumpKernels(*compiled, options, kernels.getLoc())))
      return mlir::failure();
    if (options.device == "cuda")
      for (const GpuKernel &kernel : *compiled)
        addKernelConstant(module, kernel, options);
  }
  return options.device == "cuda" ? mlir::success() : addSimulatedKernels(module, std::move(code), kernels.getLoc());
}

mlir::FailureOr<SmallVector<char, 0>> emitObject(mlir::ModuleOp op, const CodeGenOptions &options) {
  LLVMContext context;
  bool sawError = false;
  context.setDiagnosticHandler(std::make_unique<DiagnosticForwarder>(op.getLoc(), sawError));
  std::unique_ptr<Module> module = mlir::translateModuleToLLVMIR(op, context, "bochner");
  if (!module || sawError)
    return mlir::failure(); // reported by the translation
  for (auto kernels : op.getOps<mlir::gpu::GPUModuleOp>())
    if (failed(addKernels(*module, kernels, options.gpu)) || sawError)
      return mlir::failure();
  return emitObject(*module, op.getLoc(), options);
}

} // namespace bochner
