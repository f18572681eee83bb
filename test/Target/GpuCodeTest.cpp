//===- GpuCodeTest.cpp - LLVM IR of kernels to PTX ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM ends the process for what these tests expect a diagnostic.
//
//===----------------------------------------------------------------------===//
#include "TargetTestUtils.h"
#include "lib/Target/CudaKernels.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"

using namespace bochner;
using llvm::StringRef;

namespace {
class GpuCode : public bochner::test::TargetTest {
protected:
  mlir::Location location() { return mlir::UnknownLoc::get(&context); }

  std::unique_ptr<llvm::Module> parse(const std::string &text) {
    llvm::SMDiagnostic error;
    std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, error, llvmContext);
    EXPECT_TRUE(module) << error.getMessage().str() << "\n" << text;
    return module;
  }
  /// The PTX, or what is said against it.
  std::string emit(const std::string &text, StringRef chip = "sm_80") {
    diagnostics.clear();
    mlir::FailureOr<std::string> ptx = emitPtx(parse(text), *findGpuChip(chip), location());
    return succeeded(ptx) ? *ptx : diagnostics;
  }
  /// A kernel that calls a function of f32 and stores its result.
  static std::string callOf(const std::string &name, const std::string &type = "float") {
    return "declare " + type + " @" + name + "(" + type + ")\n" + "define ptx_kernel void @k(ptr addrspace(1) %p) {\n" +
           "  %x = load " + type + ", ptr addrspace(1) %p\n  %y = call " + type + " @" + name + "(" + type + " %x)\n" +
           "  store " + type + " %y, ptr addrspace(1) %p\n  ret void\n}\n";
  }
  static std::string kernelOf(const std::string &body, const std::string &before = "") {
    return before + "\ndefine ptx_kernel void @k(ptr addrspace(1) %p) {\n" + body + "\n  ret void\n}\n";
  }

  llvm::LLVMContext llvmContext;
};
} // namespace

TEST_F(GpuCode, ChipsKnowTheirNumbers) {
  EXPECT_EQ(findGpuChip("sm_90a")->capability(), 90u);
  EXPECT_TRUE(findGpuChip("sm_90a")->isExact());
  EXPECT_EQ(findGpuChip("sm_86")->capability(), 86u);
  EXPECT_FALSE(findGpuChip("sm_86")->isExact());
  EXPECT_EQ(findGpuChip("sm_80")->ptxVersion(), 80u);
}

TEST_F(GpuCode, HasTheTargetOfTheChip) {
  std::string ptx = emit(callOf("llvm.nvvm.ex2.approx.ftz.f32"), "sm_90a");
  EXPECT_NE(ptx.find(".version 8.0"), std::string::npos) << ptx;
  EXPECT_NE(ptx.find(".target sm_90a"), std::string::npos) << ptx;
  EXPECT_NE(ptx.find("ex2.approx.ftz.f32"), std::string::npos) << ptx;
}

TEST_F(GpuCode, RefusesWhatAChipLacks) {
  EXPECT_EQ(emit(callOf("llvm.nvvm.ex2.approx.ftz.bf16", "bfloat")),
            "intrinsic 'llvm.nvvm.ex2.approx.ftz.bf16' requires sm_90 or later, but the chip is sm_80\n");
  EXPECT_EQ(
      emit(kernelOf("  call void @llvm.nvvm.wgmma.fence.sync.aligned()",
                    "declare void @llvm.nvvm.wgmma.fence.sync.aligned()")),
      "intrinsic 'llvm.nvvm.wgmma.fence.sync.aligned' requires exactly sm_90a, but the chip is sm_80; choose chip "
      "sm_90a\n");
  std::string fence =
      kernelOf("  call void @llvm.nvvm.fence.proxy.alias()", "declare void @llvm.nvvm.fence.proxy.alias()");
  EXPECT_NE(emit(fence).find("requires sm_90 or later"), std::string::npos) << diagnostics;
  EXPECT_NE(emit(kernelOf("  %x = call float @llvm.nvvm.redux.sync.fmin(float 1.0, i32 -1)\n"
                          "  store float %x, ptr addrspace(1) %p",
                          "declare float @llvm.nvvm.redux.sync.fmin(float, i32)"))
                .find("requires a chip that this version generates no code for, but the chip is sm_80"),
            std::string::npos)
      << diagnostics;
}

TEST_F(GpuCode, RefusesWhatPtxLacks) {
  std::string text = kernelOf("  %x = call i32 @llvm.nvvm.f2tf32.rna.satfinite(float 1.0)\n"
                              "  store i32 %x, ptr addrspace(1) %p",
                              "declare i32 @llvm.nvvm.f2tf32.rna.satfinite(float)");
  EXPECT_EQ(emit(text), "intrinsic 'llvm.nvvm.f2tf32.rna.satfinite' requires PTX 8.1, but PTX 8.0 is generated for "
                        "sm_80\n");
}

TEST_F(GpuCode, RefusesIntrinsicsThatItDoesNotKnow) {
  EXPECT_EQ(emit(kernelOf("  call void @llvm.nvvm.discard.global.L2(ptr addrspace(1) %p, i64 128)",
                          "declare void @llvm.nvvm.discard.global.L2(ptr addrspace(1), i64)")),
            "unsupported intrinsic 'llvm.nvvm.discard.global.L2' in a kernel; add what it requires to "
            "lib/Target/GpuPreflight.cpp\n");
  EXPECT_EQ(emit(callOf("llvm.exp.f32")),
            "unsupported intrinsic 'llvm.exp.f32' in a kernel; GPUs have no instruction for it\n");
}

TEST_F(GpuCode, RefusesFunctionsWithoutABody) {
  EXPECT_EQ(emit(callOf("__nv_cosf")), "kernels call '__nv_cosf', which has no body; GPU code links to nothing\n");
}

TEST_F(GpuCode, RefusesGlobals) {
  EXPECT_NE(emit(kernelOf("  store i32 0, ptr addrspace(3) @s", "@s = addrspace(3) global i32 1"))
                .find("expected shared memory 's' to have no initial value; GPUs cannot set it"),
            std::string::npos)
      << diagnostics;
  EXPECT_NE(emit(kernelOf("  store i32 0, ptr @t", "@t = thread_local global i32 0"))
                .find("unsupported thread-local global 't' in GPU code"),
            std::string::npos)
      << diagnostics;
  EXPECT_NE(emit(kernelOf("  store i32 0, ptr addrspace(1) @g", "@g = external addrspace(1) global i32"))
                .find("GPU code refers to 'g', which has no definition; it links to nothing"),
            std::string::npos)
      << diagnostics;
  EXPECT_NE(
      emit(kernelOf("", "define void @f() { ret void }\n@llvm.global_ctors = appending global [1 x { i32, ptr, ptr "
                        "}] [{ i32, ptr, ptr } { i32 1, ptr @f, ptr null }]"))
          .find("unsupported list of constructors or destructors 'llvm.global_ctors' in GPU code"),
      std::string::npos)
      << diagnostics;
  EXPECT_NE(emit(kernelOf("  store i32 0, ptr @a", "@g = global i32 0\n@a = alias i32, ptr @g"))
                .find("unsupported alias 'a' in GPU code"),
            std::string::npos)
      << diagnostics;
  EXPECT_NE(emit(kernelOf("", "define ptr @r() { ret ptr null }\n@i = ifunc void (), ptr @r"))
                .find("unsupported indirect function 'i' in GPU code"),
            std::string::npos)
      << diagnostics;
}

TEST_F(GpuCode, RefusesTypesAndInstructions) {
  EXPECT_EQ(emit(kernelOf("  %x = load fp128, ptr addrspace(1) %p\n  store fp128 %x, ptr addrspace(1) %p")),
            "unsupported type 'fp128' in GPU function 'k'\n");
  EXPECT_EQ(emit(kernelOf("  %x = load i128, ptr addrspace(1) %p\n  %y = udiv i128 %x, 7\n"
                          "  store i128 %y, ptr addrspace(1) %p")),
            "unsupported operation 'udiv' on integers of more than 64 bits in GPU function 'k'\n");
  EXPECT_EQ(emit(kernelOf("  %b = load ptr, ptr addrspace(1) %p\n  indirectbr ptr %b, [label %next]\nnext:")),
            "unsupported instruction 'indirectbr' in GPU function 'k'\n");
  EXPECT_EQ(emit("define void @f() gc \"shadow-stack\" { ret void }"),
            "unsupported garbage collector of function 'f' in GPU code\n");
}

TEST_F(GpuCode, LeavesDynamicSharedMemoryToTheLaunch) {
  std::string ptx = emit(kernelOf("  store i32 1, ptr addrspace(3) @dynamic",
                                  "@dynamic = internal addrspace(3) global [0 x i8] poison, align 16"));
  EXPECT_NE(ptx.find(".extern .shared .align 16 .b8 dynamic[]"), std::string::npos) << ptx;
}

TEST_F(GpuCode, KeepsLoopsThatMustNotBeUnrolled) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
  context.appendDialectRegistry(registry);
  // As the conversion from scf leaves it: the annotation under another name.
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    #loop = #llvm.loop_annotation<unroll = <disable = true>>
    module { gpu.module @kernels {
      llvm.func @k(%p: !llvm.ptr<1>, %n: i32) attributes {gpu.kernel, nvvm.kernel} {
        %zero = llvm.mlir.constant(0 : i32) : i32
        %one = llvm.mlir.constant(1 : i32) : i32
        llvm.br ^head(%zero : i32)
      ^head(%i: i32):
        %more = llvm.icmp "slt" %i, %n : i32
        llvm.cond_br %more, ^body, ^end
      ^body:
        llvm.store volatile %i, %p : i32, !llvm.ptr<1>
        %next = llvm.add %i, %one : i32
        llvm.br ^head(%next : i32) {llvm.loop_annotation = #loop}
      ^end:
        llvm.return
      } } })",
                                                        &context);
  ASSERT_TRUE(module) << diagnostics;
  auto kernels = *module->getOps<mlir::gpu::GPUModuleOp>().begin();
  mlir::FailureOr<std::string> ptx = emitPtx(translateKernels(kernels, llvmContext), *findGpuChip("sm_80"), location());
  ASSERT_TRUE(succeeded(ptx)) << diagnostics;
  EXPECT_NE(ptx->find(".pragma \"nounroll\""), std::string::npos) << *ptx;
}

TEST_F(GpuCode, SplitsKernels) {
  std::unique_ptr<llvm::Module> module =
      parse("define internal float @twice(float %x) {\n  %y = fadd float %x, %x\n  ret float %y\n}\n"
            "define ptx_kernel void @one(ptr addrspace(1) %p, i32 %n, float %f) {\n  %x = call float @twice(float %f)\n"
            "  store float %x, ptr addrspace(1) %p\n  ret void\n}\n"
            "define ptx_kernel void @two(ptr addrspace(1) %p, i64 %n) \"nvvm.reqntid\"=\"128\" {\n"
            "  store i64 %n, ptr addrspace(1) %p\n  ret void\n}\n");
  GpuCodeOptions options{"cuda", {"sm_80"}, "none", ""};
  mlir::FailureOr<std::vector<GpuKernel>> kernels = compileKernels(*module, options, location());
  ASSERT_TRUE(succeeded(kernels)) << diagnostics;
  ASSERT_EQ(kernels->size(), 2u);
  const GpuKernel &one = kernels->at(0), &two = kernels->at(1);
  EXPECT_EQ(one.name, "one");
  EXPECT_EQ(one.parameterTypes, (std::vector<std::string>{"pointer", "i32", "f32"}));
  EXPECT_EQ(one.parameterSizes, (std::vector<uint32_t>{8, 4, 4}));
  EXPECT_EQ(one.requiredBlock[0], 0u);
  EXPECT_EQ(two.requiredBlock[0], 128u);
  EXPECT_EQ(two.requiredBlock[1], 1u);
  EXPECT_NE(two.ptx.find(".entry two"), std::string::npos);
  EXPECT_EQ(two.ptx.find("one"), std::string::npos) << two.ptx;
  EXPECT_TRUE(one.cubins.empty());
}

TEST_F(GpuCode, RefusesChipsThatItDoesNotKnow) {
  std::unique_ptr<llvm::Module> module = parse("define ptx_kernel void @k() { ret void }");
  EXPECT_TRUE(failed(compileKernels(*module, {"cuda", {"sm_42"}, "none", ""}, location())));
  EXPECT_EQ(diagnostics, "expected chip sm_80, sm_86, sm_89 or sm_90a, but got 'sm_42'\n");
  diagnostics.clear();
  EXPECT_TRUE(failed(dumpKernels({}, {"sim", {"sm_80"}, "", "/dev/null/folder"}, location())));
  EXPECT_EQ(diagnostics, "cannot write kernels to '/dev/null/folder': Not a directory\n");
}
