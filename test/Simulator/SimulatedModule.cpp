//===- SimulatedModule.cpp - compile and simulate kernels in tests --------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The passes are those of the GPU route, so that what is tested is what becomes PTX.
//
//===----------------------------------------------------------------------===//
#include "SimulatedModule.h"
#include "lib/Simulator/SimulateKernels.h"
#include "lib/Target/CodeGen.h"
#include "lib/Target/CpuTarget.h"
#include "lib/Target/ImageLinker.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Path.h"
#include <atomic>
#include <dlfcn.h>
#include <sys/mman.h>
#include <thread>

using namespace bochner;
using namespace bochner::test;

static constexpr const char *kBeforeHook = "convert-nvgpu-to-nvvm,convert-vector-to-scf,convert-scf-to-cf";
static constexpr const char *kAfterHook =
    "convert-nvvm-to-llvm,expand-strided-metadata,lower-affine,convert-arith-to-llvm,convert-index-to-llvm,"
    "canonicalize,"
    "cse,gpu.module(convert-gpu-to-nvvm{use-bare-ptr-memref-call-conv=true has-redux=true},canonicalize,cse,"
    "reconcile-unrealized-casts),ensure-debug-info-scope-on-llvm-func";

static mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllToLLVMIRTranslations(registry);
  mlir::registerConversionPasses();
  mlir::registerTransformsPasses();
  mlir::memref::registerMemRefPasses();
  mlir::LLVM::registerLLVMPasses();
  return registry;
}

static bool runPasses(mlir::ModuleOp module, const char *pipeline) {
  mlir::PassManager manager(module.getContext());
  return succeeded(mlir::parsePassPipeline(pipeline, manager)) && succeeded(manager.run(module));
}

static std::string kernelGetter(const std::string &name) { return "get." + name; }

/// Adds a function that returns the address of the kernel's constant: images export functions.
static void addGetter(llvm::Module &module, const std::string &name) {
  auto *type = llvm::FunctionType::get(llvm::PointerType::get(module.getContext(), 0), false);
  auto *function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kernelGetter(name), module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "", function));
  builder.CreateRet(module.getGlobalVariable((kSimKernelPrefix + name).str()));
}

std::unique_ptr<SimulatedModule> SimulatedModule::compile(const std::string *path, const std::string *source,
                                                          std::string &diagnostics, const std::string &libdevice) {
  mlir::MLIRContext context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED);
  context.getDiagEngine().registerHandler([&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream stream(diagnostics);
    if (auto at = llvm::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation()))
      stream << llvm::sys::path::filename(at.getFilename()) << ":" << at.getLine() << ":" << at.getColumn() << ": ";
    stream << "error: " << diagnostic.str() << "\n";
  });
  auto module = path ? mlir::parseSourceFile<mlir::ModuleOp>(*path, &context)
                     : mlir::parseSourceString<mlir::ModuleOp>(*source, &context, "source");
  if (!module || !runPasses(*module, kBeforeHook) || failed(replaceInlinePtx(*module)) ||
      !runPasses(*module, kAfterHook))
    return nullptr;
  auto gpuModules = module->getOps<mlir::gpu::GPUModuleOp>();
  if (gpuModules.empty())
    return nullptr;
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code = mlir::translateModuleToLLVMIR(*gpuModules.begin(), llvmContext, "simulated");
  llvm::SmallVector<std::string> kernels;
  if (!code || failed(simulateKernels(*code, module->getLoc(), {libdevice}, kernels)))
    return nullptr;
  std::vector<std::string> getters;
  for (const std::string &name : kernels) {
    addGetter(*code, name);
    getters.push_back(kernelGetter(name));
  }
  if (getenv("BOCHNER_SIM_DUMP"))
    code->print(llvm::errs(), nullptr);
  llvm::SmallVector<llvm::StringRef> entries(getters.begin(), getters.end());
  auto target = resolveCpuTarget("host", [&] { return mlir::emitError(module->getLoc()); });
  if (failed(target))
    return nullptr;
  auto object = emitObject(*code, module->getLoc(), {*target, entries});
  if (failed(object))
    return nullptr;
  return load(std::string(object->data(), object->size()), {kernels.begin(), kernels.end()}, diagnostics);
}

std::unique_ptr<SimulatedModule> SimulatedModule::load(const std::string &object, std::vector<std::string> kernels,
                                                       std::string &diagnostics) {
  llvm::Expected<Image> linked = linkImage(object, /*base=*/0);
  if (!linked) {
    diagnostics += llvm::toString(linked.takeError()) + "\n";
    return nullptr;
  }
  std::unique_ptr<SimulatedModule> module(new SimulatedModule);
  module->size = linked->bytes.size();
  module->image =
      static_cast<char *>(mmap(nullptr, module->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memcpy(module->image, linked->bytes.data(), module->size);
  for (const format::Import &import : linked->tables.imports) {
    void *function = dlsym(RTLD_DEFAULT, import.name.c_str());
    memcpy(module->image + import.slot, &function, 8);
  }
  for (const format::Relocation &relocation : linked->tables.relocations) {
    char *target = module->image + relocation.target;
    memcpy(module->image + relocation.slot, &target, 8);
  }
  mprotect(module->image, module->size, PROT_READ);
  const ImageSegment &text = linked->segments[unsigned(SegmentKind::text)];
  mprotect(module->image + text.address, text.size, PROT_READ | PROT_EXEC);
  for (const ImageSymbol &symbol : linked->symbols)
    for (const std::string &name : kernels)
      if (symbol.name == kernelGetter(name))
        module->kernels[name] = reinterpret_cast<const bochner_sim_kernel_t *(*)()>(module->image + symbol.address)();
  return module;
}

std::unique_ptr<SimulatedModule> SimulatedModule::fromFile(const std::string &path, std::string &diagnostics,
                                                           const std::string &libdevice) {
  return compile(&path, nullptr, diagnostics, libdevice);
}

std::unique_ptr<SimulatedModule> SimulatedModule::fromSource(const std::string &source, std::string &diagnostics) {
  return compile(nullptr, &source, diagnostics, "");
}

SimulatedModule::~SimulatedModule() {
  if (image)
    munmap(image, size);
}

const bochner_sim_kernel_t *SimulatedModule::kernel(const std::string &name) const {
  auto found = kernels.find(name);
  return found == kernels.end() ? nullptr : found->second;
}

std::vector<std::string> SimulatedModule::names() const {
  std::vector<std::string> result;
  for (const auto &entry : kernels)
    result.push_back(entry.first);
  return result;
}

const bochner_sim_interface_t *SimulatedModule::simulator() {
  static const bochner_sim_interface_t *interface = [] {
    void *library = dlopen(BOCHNER_SIM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    auto *entry = library ? reinterpret_cast<bochner_sim_entry_point_fn>(dlsym(library, BOCHNER_SIM_ENTRY)) : nullptr;
    return entry ? entry() : nullptr;
  }();
  return interface;
}

namespace {
/// What a launch hands to its callbacks.
struct Host {
  SimulatedModule *module;
  int threads;

  static void report(void *self, const bochner_sim_report_t *report) {
    static_cast<Host *>(self)->module->reports.push_back(
        {report->kind, report->kind_name, report->text, report->count});
  }
  static void parallelFor(void *self, bochner_sim_task_fn task, void *context, int64_t count) {
    std::atomic<int64_t> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < static_cast<Host *>(self)->threads; ++i)
      threads.emplace_back([&] {
        for (int64_t index; (index = next++) < count;)
          task(context, index);
      });
    for (std::thread &thread : threads)
      thread.join();
  }
};
} // namespace

bochner_sim_status_t SimulatedModule::launch(const std::string &name, const LaunchOptions &options,
                                             std::vector<uint64_t> parameters, const std::vector<Buffer> &buffers) {
  reports.clear();
  counters = {};
  std::vector<void *> addresses;
  for (size_t i = 0; i < parameters.size(); ++i)
    addresses.push_back(byValue.count(i) ? byValue[i] : &parameters[i]);
  std::vector<bochner_sim_buffer_t> table;
  for (const Buffer &buffer : buffers)
    table.push_back({buffer.name.c_str(), buffer.address, buffer.bytes, buffer.flags});
  Host host = {this, options.threads};
  bochner_sim_launch_t request = {};
  request.kernel = kernel(name);
  std::copy(options.grid.begin(), options.grid.end(), request.grid);
  std::copy(options.block.begin(), options.block.end(), request.block);
  request.dynamic_shared = options.dynamicShared;
  request.parameters = addresses.data();
  request.buffers = table.data();
  request.buffer_count = table.size();
  request.seed = options.seed;
  request.checks = options.checks;
  request.step_limit = options.stepLimit;
  request.report_limit = options.reportLimit;
  if (options.threads > 1)
    request.parallel_for = Host::parallelFor;
  request.report = Host::report;
  request.user = &host;
  request.counters = &counters;
  return request.kernel && simulator() ? simulator()->launch(&request) : BOCHNER_SIM_INVALID;
}
