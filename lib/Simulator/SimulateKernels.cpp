//===- SimulateKernels.cpp - GPU kernels for the CPU ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: the LLVM module of a gpu.module. Output: the same module for the CPU. Steps: device functions are inlined; a
// kernel gets a lane as its first argument and its parameters from an array; shared memory becomes offsets in the
// block's arena; accesses are instrumented, intrinsics replaced; tables for reports are added.
//
//===----------------------------------------------------------------------===//
#include "lib/Simulator/SimulateKernels.h"
#include "lib/Simulator/Rewriter.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/SourceMgr.h"
#include <cstddef>

using namespace llvm;

namespace bochner {

using sim::KernelRewriter;

static constexpr unsigned kSharedSpace = 3;
/// Nobody's bytes behind each shared buffer.
static constexpr uint64_t kRedZone = 16;
/// Buffers with less alignment than this are placed so that they have no more of it than they declare.
static constexpr uint64_t kAdversarialAlignment = 16;

//===----------------------------------------------------------------------===//
// Device functions
//===----------------------------------------------------------------------===//

static bool isKernel(const Function &function) {
  return !function.isDeclaration() && function.getCallingConv() == CallingConv::PTX_Kernel;
}

static mlir::LogicalResult linkLibdevice(Module &module, StringRef path, mlir::Location location) {
  bool needed = any_of(module, [](const Function &function) {
    return function.isDeclaration() && function.getName().starts_with("__nv_");
  });
  if (!needed || path.empty() || !sys::fs::exists(path))
    return mlir::success();
  SMDiagnostic diagnostic;
  std::unique_ptr<Module> library = parseIRFile(path, diagnostic, module.getContext());
  if (!library)
    return mlir::emitError(location) << "expected '" << path
                                     << "' to be LLVM bitcode, but got: " << diagnostic.getMessage();
  library->setTargetTriple(module.getTargetTriple());
  library->setDataLayout(module.getDataLayout());
  if (Linker::linkModules(module, std::move(library), Linker::LinkOnlyNeeded))
    return mlir::emitError(location) << "cannot link '" << path << "'";
  return mlir::success();
}

/// Functions of libdevice by the C library's of the same name: __nv_expf is expf.
static void useHostMathematics(Module &module) {
  static const StringSet<> known = {"exp",  "exp2",  "expm1", "log",  "log2", "log10", "log1p",   "pow",
                                    "sin",  "cos",   "tan",   "tanh", "sinh", "cosh",  "asin",    "acos",
                                    "atan", "atan2", "erf",   "erfc", "cbrt", "sqrt",  "fabs",    "floor",
                                    "ceil", "trunc", "fma",   "fmin", "fmax", "fmod",  "copysign"};
  for (Function &function : module) {
    StringRef name = function.getName();
    if (!function.isDeclaration() || !name.consume_front("__nv_"))
      continue;
    StringRef base = name;
    if (known.contains(base) || (base.consume_back("f") && known.contains(base)))
      function.setName(name.str());
  }
}

/// What libdevice asks about the target.
static void resolveReflection(Module &module) {
  for (StringRef name : {"__nvvm_reflect", "llvm.nvvm.reflect"}) {
    Function *function = module.getFunction(name);
    if (!function)
      continue;
    for (User *user : make_early_inc_range(function->users())) {
      auto *call = dyn_cast<CallInst>(user);
      if (!call)
        continue;
      StringRef question;
      if (auto *global = dyn_cast<GlobalVariable>(call->getArgOperand(0)->stripPointerCasts()))
        if (auto *text = dyn_cast<ConstantDataSequential>(global->getInitializer()))
          question = text->isCString() ? text->getAsCString() : text->getAsString();
      uint64_t answer = question == "__CUDA_ARCH" ? 800 : question == "__CUDA_FTZ" ? 0 : 1;
      call->replaceAllUsesWith(ConstantInt::get(call->getType(), answer));
      call->eraseFromParent();
    }
  }
}

/// Inlines device functions and makes variables registers. More would hide bugs: it moves and drops accesses.
static Error prepare(Module &module) {
  for (Function &function : module) {
    function.removeFnAttr("target-cpu");
    function.removeFnAttr("target-features");
    if (function.isDeclaration() || isKernel(function))
      continue;
    function.removeFnAttr(Attribute::NoInline);
    function.removeFnAttr(Attribute::OptimizeNone);
    function.addFnAttr(Attribute::AlwaysInline);
    function.setLinkage(GlobalValue::InternalLinkage);
    function.setComdat(nullptr);
  }
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PassBuilder builder;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  ModulePassManager passes;
  if (Error error = builder.parsePassPipeline(passes, "always-inline,function(sroa,early-cse,simplifycfg),globaldce"))
    return error;
  passes.run(module, modules);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {
struct Kernel {
  std::string name;
  Function *entry, *body;
  SmallVector<uint32_t> parameterSizes;
  uint32_t requiredBlock[3] = {}, maxThreads = 0;
  std::vector<bochner_sim_shared_t> shared;
  uint32_t staticShared = 0;
};
} // namespace

/// The sizes x,y,z of an attribute; those that are missing are 1. False if there is no such attribute.
static bool readBlock(const Function &function, StringRef attribute, uint32_t *block) {
  SmallVector<StringRef> sizes;
  function.getFnAttribute(attribute).getValueAsString().split(sizes, ',', -1, /*KeepEmpty=*/false);
  for (unsigned i = 0; i < 3 && !sizes.empty(); ++i) {
    block[i] = 1;
    if (i < sizes.size())
      sizes[i].trim().getAsInteger(10, block[i]);
  }
  return !sizes.empty();
}

/// kernel(args...) becomes entry(lane, parameters), which calls body(lane, args...).
static Kernel makeEntry(Function &function) {
  Module &module = *function.getParent();
  LLVMContext &context = module.getContext();
  auto *pointer = PointerType::get(context, 0);
  Type *voidType = Type::getVoidTy(context);
  Kernel kernel;
  kernel.name = function.getName().str();
  readBlock(function, "nvvm.reqntid", kernel.requiredBlock);
  if (uint32_t most[3]; readBlock(function, "nvvm.maxntid", most))
    kernel.maxThreads = most[0] * most[1] * most[2];

  SmallVector<Type *> types{pointer};
  for (Argument &argument : function.args())
    types.push_back(argument.getType());
  kernel.body = Function::Create(FunctionType::get(voidType, types, false), GlobalValue::InternalLinkage,
                                 kSimKernelPrefix + "body." + kernel.name, module);
  kernel.body->splice(kernel.body->begin(), &function);
  kernel.body->setSubprogram(function.getSubprogram());
  function.setSubprogram(nullptr);
  kernel.body->addFnAttr(Attribute::AlwaysInline);
  kernel.body->addFnAttr(Attribute::NoUnwind);

  kernel.entry = Function::Create(FunctionType::get(voidType, {pointer, pointer}, false), GlobalValue::InternalLinkage,
                                  kSimKernelPrefix + "entry." + kernel.name, module);
  kernel.entry->addFnAttr(Attribute::NoUnwind);
  IRBuilder<> builder(BasicBlock::Create(context, "", kernel.entry));
  SmallVector<Value *> values{kernel.entry->getArg(0)};
  const DataLayout &layout = module.getDataLayout();
  for (Argument &argument : function.args()) {
    unsigned index = argument.getArgNo();
    Value *slot =
        builder.CreateLoad(pointer, builder.CreateConstInBoundsGEP1_32(pointer, kernel.entry->getArg(1), index));
    Argument *inBody = kernel.body->getArg(index + 1);
    Type *type = argument.getType();
    if (Type *byValue = argument.getParamByValType()) {
      inBody->addAttr(Attribute::getWithByValType(context, byValue));
      values.push_back(builder.CreateAddrSpaceCast(slot, type));
      type = byValue;
    } else {
      values.push_back(builder.CreateAlignedLoad(type, slot, Align(1)));
    }
    kernel.parameterSizes.push_back(uint32_t(layout.getTypeAllocSize(type)));
    argument.replaceAllUsesWith(inBody);
  }
  builder.CreateCall(kernel.body, values);
  builder.CreateRetVoid();
  function.eraseFromParent();
  return kernel;
}

/// A byval argument is a copy of the callee's; the simulator's parameters are read where they are.
static void dropByValue(Kernel &kernel) {
  for (Argument &argument : kernel.body->args())
    argument.removeAttr(Attribute::ByVal);
}

/// Places the shared buffers that a kernel uses and replaces them by addresses in its arena. Static ones come first,
/// dynamic memory, an array without elements, behind them.
static void placeShared(Kernel &kernel, KernelRewriter &rewriter) {
  Module &module = rewriter.module;
  const DataLayout &layout = module.getDataLayout();
  auto sizeOf = [&](const GlobalVariable *global) { return layout.getTypeAllocSize(global->getValueType()); };
  SmallVector<std::pair<GlobalVariable *, SmallVector<Use *>>> buffers, dynamic;
  for (GlobalVariable &global : module.globals()) {
    if (global.getAddressSpace() != kSharedSpace)
      continue;
    SmallVector<Use *> uses;
    for (Use &use : global.uses())
      if (auto *user = dyn_cast<Instruction>(use.getUser()); user && user->getFunction() == kernel.body)
        uses.push_back(&use);
    if (!uses.empty())
      (sizeOf(&global) ? buffers : dynamic).push_back({&global, std::move(uses)});
  }
  append_range(buffers, dynamic);
  uint64_t offset = 0;
  for (auto &[global, uses] : buffers) {
    uint64_t size = sizeOf(global);
    uint64_t alignment =
        std::max(global->getAlign().valueOrOne(), layout.getABITypeAlign(global->getValueType())).value();
    offset = alignTo(offset, alignment);
    if (size && alignment < kAdversarialAlignment && offset % (2 * alignment) == 0)
      offset += alignment;
    kernel.shared.push_back({rewriter.strings.add(global->getName()), uint32_t(offset), uint32_t(size)});
    for (Use *use : uses) {
      auto *user = cast<Instruction>(use->getUser());
      auto *phi = dyn_cast<PHINode>(user);
      IRBuilder<> builder(phi ? phi->getIncomingBlock(*use)->getTerminator() : user);
      Value *base = rewriter.laneField(builder, offsetof(bochner_sim_lane, shared), rewriter.pointer);
      Value *address = builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), base, offset);
      use->set(builder.CreateAddrSpaceCast(address, global->getType()));
    }
    if (size)
      offset += size + kRedZone;
  }
  kernel.staticShared = uint32_t(offset);
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

static SmallVector<CallInst *> findCalls(Function &function) {
  SmallVector<CallInst *> calls;
  for (Instruction &instruction : instructions(function))
    if (auto *call = dyn_cast<CallInst>(&instruction))
      calls.push_back(call);
  return calls;
}

static mlir::LogicalResult lowerCalls(KernelRewriter &rewriter, ArrayRef<CallInst *> calls) {
  bool good = true;
  for (CallInst *call : calls) {
    if (call->isInlineAsm()) {
      good &= sim::lowerInlineAsm(rewriter, call);
      continue;
    }
    Function *callee = call->getCalledFunction();
    if (!callee) {
      rewriter.error(call) << "unsupported indirect call in kernel code";
      good = false;
    } else if (callee->getName().starts_with("llvm.nvvm.")) {
      good &= sim::lowerIntrinsic(rewriter, call);
    } else if (callee->getName().starts_with(sim::kSimOpPrefix)) {
      good &= sim::lowerInlinePtxOp(rewriter, call);
    } else if (callee->getIntrinsicID() == Intrinsic::trap || callee->getIntrinsicID() == Intrinsic::debugtrap) {
      IRBuilder<> builder(call);
      rewriter.call(builder, offsetof(bochner_sim_functions_t, trap), rewriter.voidType, {rewriter.site(call, "trap")});
      call->eraseFromParent();
    } else if (auto *memory = dyn_cast<MemIntrinsic>(call)) {
      auto *transfer = dyn_cast<MemTransferInst>(call);
      if (sim::isPrivate(memory->getDest()) && (!transfer || sim::isPrivate(transfer->getSource())))
        continue;
      StringRef name = callee->getName().take_until([](char c) { return c == '.'; });
      name = callee->getName().take_front(callee->getName().find('.', name.size() + 1));
      rewriter.error(call) << "unsupported '" << name
                           << "' in kernel code; copy element by element, so that each access is checked";
      good = false;
    } else if (callee->getName().starts_with("__nv_")) {
      rewriter.error(call) << "no simulation of '" << callee->getName()
                           << "'; expand the function before the kernel is translated, or install libdevice.10.bc";
      good = false;
    } else if (!callee->isDeclaration()) {
      rewriter.error(call) << "unsupported recursive call of '" << callee->getName() << "' in kernel code";
      good = false;
    }
  }
  for (Instruction &instruction : make_early_inc_range(instructions(rewriter.body)))
    if (auto *fence = dyn_cast<FenceInst>(&instruction))
      fence->eraseFromParent(); // fibers of a block take turns
  return mlir::success(good);
}

static mlir::LogicalResult checkGlobals(Module &module, mlir::Location location) {
  for (const GlobalVariable &global : module.globals())
    if (!global.isConstant() && global.getAddressSpace() != kSharedSpace && !global.getName().starts_with("llvm."))
      return mlir::emitError(location) << "unsupported writable global '" << global.getName()
                                       << "' in kernel code; pass memory as a parameter";
  return mlir::success();
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static GlobalVariable *addConstant(Module &module, Constant *value, const Twine &name) {
  return new GlobalVariable(module, value->getType(), /*isConstant=*/true, GlobalValue::PrivateLinkage, value, name);
}

template <typename T> static Constant *wordsOf(LLVMContext &context, ArrayRef<T> rows) {
  static_assert(sizeof(T) % sizeof(uint32_t) == 0);
  return ConstantDataArray::get(
      context, ArrayRef(reinterpret_cast<const uint32_t *>(rows.data()), rows.size() * sizeof(T) / sizeof(uint32_t)));
}

/// The constant bochner_sim_kernel_t, member by member.
static void addKernelConstant(const Kernel &kernel, KernelRewriter &rewriter, uint32_t stackBytes) {
  Module &module = rewriter.module;
  LLVMContext &context = module.getContext();
  uint32_t name = rewriter.strings.add(kernel.name);
  if (rewriter.sites.empty())
    rewriter.sites.push_back({}); // so that there is a site 0
  GlobalVariable *strings =
      addConstant(module, ConstantDataArray::getString(context, rewriter.strings.content(), /*AddNull=*/true),
                  "bochner.sim.strings");
  GlobalVariable *sites = addConstant(module, wordsOf(context, ArrayRef(rewriter.sites)), "bochner.sim.sites");
  GlobalVariable *shared = addConstant(module, wordsOf(context, ArrayRef(kernel.shared)), "bochner.sim.shared");
  GlobalVariable *parameters =
      addConstant(module, wordsOf(context, ArrayRef(kernel.parameterSizes)), "bochner.sim.parameters");
  auto word = [&](size_t value) { return ConstantInt::get(rewriter.i32, value); };
  Constant *nameAddress = ConstantExpr::getInBoundsGetElementPtr(
      Type::getInt8Ty(context), strings, ArrayRef<Constant *>(ConstantInt::get(rewriter.i64, name)));
  Constant *members[] = {
      word(BOCHNER_SIM_INTERFACE_VERSION),
      word(kernel.staticShared),
      kernel.entry,
      nameAddress,
      strings,
      sites,
      shared,
      parameters,
      word(rewriter.sites.size()),
      word(kernel.shared.size()),
      word(kernel.parameterSizes.size()),
      word(stackBytes),
      word(kernel.requiredBlock[0]),
      word(kernel.requiredBlock[1]),
      word(kernel.requiredBlock[2]),
      word(kernel.maxThreads),
      word(rewriter.granularity),
      word(0),
  };
  static_assert(sizeof(bochner_sim_kernel_t) == 8 + 6 * 8 + 10 * 4 && offsetof(bochner_sim_kernel_t, entry) == 8 &&
                offsetof(bochner_sim_kernel_t, reserved) == 8 + 6 * 8 + 9 * 4);
  Constant *value = ConstantStruct::getAnon(context, members);
  new GlobalVariable(module, value->getType(), /*isConstant=*/true, GlobalValue::ExternalLinkage, value,
                     kSimKernelPrefix + kernel.name);
}

static mlir::LogicalResult rewriteKernel(Kernel &kernel, mlir::Location location) {
  KernelRewriter rewriter(*kernel.body, location);
  SmallVector<CallInst *> calls = findCalls(*kernel.body);
  placeShared(kernel, rewriter);
  sim::instrumentAccesses(rewriter);
  if (failed(lowerCalls(rewriter, calls)))
    return mlir::failure();
  sim::instrumentLoops(rewriter);
  dropByValue(kernel);
  addKernelConstant(kernel, rewriter, uint32_t(rewriter.stackBytes()));
  return mlir::success();
}

mlir::LogicalResult simulateKernels(Module &module, mlir::Location location, const SimulationOptions &options,
                                    SmallVectorImpl<std::string> &names) {
  if (failed(linkLibdevice(module, options.libdevice, location)) || failed(checkGlobals(module, location)))
    return mlir::failure();
  useHostMathematics(module);
  resolveReflection(module);
  if (Error error = prepare(module))
    return mlir::emitError(location) << toString(std::move(error));
  if (NamedMDNode *annotations = module.getNamedMetadata("nvvm.annotations"))
    annotations->eraseFromParent();

  std::vector<Constant *> shared;
  for (GlobalVariable &global : module.globals())
    if (global.getAddressSpace() == kSharedSpace)
      shared.push_back(&global);
  convertUsersOfConstantsToInstructions(shared);

  SmallVector<Function *> functions;
  for (Function &function : module)
    if (isKernel(function))
      functions.push_back(&function);
  bool good = true;
  for (Function *function : functions) {
    Kernel kernel = makeEntry(*function);
    good &= succeeded(rewriteKernel(kernel, location));
    names.push_back(kernel.name);
  }
  if (!good)
    return mlir::failure();
  for (GlobalVariable &global : make_early_inc_range(module.globals()))
    if (global.getAddressSpace() == kSharedSpace && global.use_empty())
      global.eraseFromParent();
  for (Function &function : make_early_inc_range(module))
    if (function.use_empty() && (function.isDeclaration() || function.hasLocalLinkage()))
      function.eraseFromParent();
  std::string problem;
  raw_string_ostream stream(problem);
  if (verifyModule(module, &stream))
    return mlir::emitError(location) << "the simulator made invalid code: " << problem;
  return mlir::success();
}

} // namespace bochner
