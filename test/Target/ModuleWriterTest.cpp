//===- ModuleWriterTest.cpp - module files and refusals -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layout of a module, that equal input gives equal bytes, which instructions come out, and what is an error.
//
//===----------------------------------------------------------------------===//
#include "TargetTestUtils.h"
#include "llvm-c/Disassembler.h"
#include "llvm/Support/TargetSelect.h"
#include <thread>

using namespace bochner;
using llvm::StringRef;

namespace {

class ModuleWriterTest : public test::TargetTest {
protected:
  void expectError(StringRef source, StringRef message, StringRef cpu = "x86-64-v3") {
    diagnostics.clear();
    EXPECT_TRUE(compile(source, cpu, {"f"}).empty()) << "expected: " << message.str();
    EXPECT_NE(diagnostics.find(message.str()), std::string::npos) << "got: " << diagnostics;
  }
};

std::string disassemble(StringRef text, StringRef cpu) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86Disassembler();
  LLVMDisasmContextRef context =
      LLVMCreateDisasmCPU("x86_64-unknown-linux", cpu.str().c_str(), nullptr, 0, nullptr, nullptr);
  auto *bytes = reinterpret_cast<uint8_t *>(const_cast<char *>(text.data()));
  std::string result;
  for (size_t at = 0; at < text.size();) {
    char line[256];
    size_t length = LLVMDisasmInstruction(context, bytes + at, text.size() - at, at, line, sizeof line);
    result += length ? line : "?";
    result += '\n';
    at += std::max<size_t>(length, 1);
  }
  LLVMDisasmDispose(context);
  return result;
}

/// Uses a constant pool, an internal function, a table of pointers and several imports.
constexpr StringRef kRichModule = R"(
  llvm.mlir.global private constant @text("0123456789abcdef") : !llvm.array<16 x i8>
  llvm.mlir.global internal constant @table() : !llvm.array<2 x ptr> {
    %u = llvm.mlir.undef : !llvm.array<2 x ptr>
    %a = llvm.mlir.addressof @inner : !llvm.ptr
    %b = llvm.mlir.addressof @text : !llvm.ptr
    %0 = llvm.insertvalue %a, %u[0] : !llvm.array<2 x ptr>
    %1 = llvm.insertvalue %b, %0[1] : !llvm.array<2 x ptr>
    llvm.return %1 : !llvm.array<2 x ptr>
  }
  llvm.func @tanf(f32) -> f32
  llvm.func @inner(%x: f32) -> f32 attributes {passthrough = ["noinline"]} {
    %c = llvm.mlir.constant(3.25 : f32) : f32
    %y = llvm.fmul %x, %c : f32
    %z = llvm.intr.exp(%y) : (f32) -> f32
    %w = llvm.intr.sin(%z) : (f32) -> f32
    %v = llvm.intr.cos(%z) : (f32) -> f32
    %t = llvm.call @tanf(%v) : (f32) -> f32
    %s = llvm.fadd %t, %w : f32
    llvm.return %s : f32
  }
  llvm.func @unused(%x: f32) -> f32 {
    llvm.return %x : f32
  }
  llvm.func @f(%p: !llvm.ptr, %i: i64, %x: f32) -> f32 {
    %zero = llvm.mlir.constant(0 : i8) : i8
    "llvm.intr.memset"(%p, %zero, %i) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()
    %t = llvm.mlir.addressof @table : !llvm.ptr
    %e = llvm.getelementptr %t[0, %i] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.array<2 x ptr>
    %g = llvm.load %e : !llvm.ptr -> !llvm.ptr
    %y = llvm.call %g(%x) : !llvm.ptr, (f32) -> f32
    %r = llvm.call @inner(%y) : (f32) -> f32
    llvm.return %r : f32
  }
  llvm.func @g(%x: i64) -> i64 {
    llvm.return %x : i64
  })";

format::ModuleInfo richInfo() {
  format::ModuleInfo info;
  info.producer = "test";
  format::FunctionInfo function;
  function.name = "main";
  function.entry = "f";
  function.workspace = "g";
  info.functions.push_back(function);
  return info;
}

TEST_F(ModuleWriterTest, layout) {
  namespace ELF = llvm::ELF;
  std::string file = compile(kRichModule, "x86-64-v3", {"f", "g"}, richInfo());
  ASSERT_FALSE(file.empty()) << diagnostics;
  EXPECT_EQ(diagnostics, "");
  test::ParsedModule module(file);
  EXPECT_EQ(module.elf.getELFFile().getHeader().e_type, ELF::ET_DYN);
  EXPECT_EQ(module.elf.getELFFile().getHeader().e_machine, ELF::EM_X86_64);

  // Offset equals address; each segment starts a page; nothing is writable and executable.
  std::string protections;
  uint64_t end = 0;
  for (const auto &segment : llvm::cantFail(module.elf.getELFFile().program_headers())) {
    EXPECT_EQ(segment.p_offset, segment.p_vaddr);
    EXPECT_EQ(segment.p_filesz, segment.p_memsz);
    EXPECT_EQ(segment.p_offset % 4096, 0u);
    EXPECT_GE(segment.p_offset, end);
    end = segment.p_offset + segment.p_filesz;
    EXPECT_LE(end, file.size());
    protections += std::to_string(segment.p_flags) + " ";
  }
  EXPECT_EQ(protections, "5 4 6 "); // R|X, R, R|W

  uint64_t stored;
  memcpy(&stored, file.data() + file.size() - 8, 8);
  EXPECT_EQ(stored, format::checksum(file.data(), file.size() - 8));

  ASSERT_TRUE(module.described);
  EXPECT_EQ(module.info.producer, "test");
  EXPECT_EQ(module.info.cpu, "x86-64-v3");
  EXPECT_EQ(module.info.features, resolve("x86-64-v3")->featureString());
  EXPECT_EQ(module.info.functions[0].workspace, "g");

  // Entries are global, what they use is local and visible to debuggers, the rest is gone.
  std::string symbols;
  for (llvm::object::ELFSymbolRef symbol : module.elf.symbols()) {
    symbols += llvm::cantFail(symbol.getName()).str() + (symbol.getBinding() == ELF::STB_GLOBAL ? "+ " : " ");
    EXPECT_GT(symbol.getSize(), 0u);
    EXPECT_EQ(symbol.getELFType() == ELF::STT_FUNC, llvm::cantFail(symbol.getName()) != "table");
  }
  EXPECT_EQ(symbols, "inner table f+ g+ ");

  EXPECT_EQ(module.imports(), "cosf expf memset sinf tanf");
  EXPECT_EQ(module.tables.relocations.size(), 2u);
  uint64_t dataStart = 0, dataSize = 0;
  for (llvm::object::SectionRef section : module.elf.sections())
    if (llvm::cantFail(section.getName()) == ".data") {
      dataStart = section.getAddress();
      dataSize = section.getSize();
    }
  auto expectEmptySlot = [&](uint64_t slot) {
    EXPECT_GE(slot, dataStart);
    EXPECT_LE(slot + 8, dataStart + dataSize);
    EXPECT_EQ(file.substr(slot, 8), std::string(8, 0));
  };
  for (const format::Import &import : module.tables.imports)
    expectEmptySlot(import.slot);
  for (const format::Relocation &relocation : module.tables.relocations)
    expectEmptySlot(relocation.slot);
  EXPECT_EQ(module.tables.relocations[0].target, module.address("inner"));
}

TEST_F(ModuleWriterTest, equalInputGivesEqualBytes) {
  std::string first = compile(kRichModule, "skylake-avx512", {"f", "g"}, richInfo());
  ASSERT_FALSE(first.empty()) << diagnostics;
  std::vector<std::string> files(4);
  std::vector<std::thread> threads;
  for (std::string &file : files)
    threads.emplace_back([&file] {
      mlir::MLIRContext context(test::makeRegistry(), mlir::MLIRContext::Threading::DISABLED);
      for (int repetition = 0; repetition < 3; ++repetition) {
        mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(kRichModule, &context);
        auto target =
            resolveCpuTarget("skylake-avx512", [&] { return mlir::emitError(mlir::UnknownLoc::get(&context)); });
        format::ModuleInfo info = richInfo();
        auto result = writeModule(*module, {*target, {"f", "g"}}, info);
        file = failed(result) ? "failed" : *result;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &file : files)
    EXPECT_TRUE(file == first);
}

TEST_F(ModuleWriterTest, usesFullRegistersOfTheTarget) {
  constexpr StringRef source = R"(
    llvm.func @f(%p: !llvm.ptr) {
      %a = llvm.load %p : !llvm.ptr -> vector<16xf32>
      %b = llvm.intr.fma(%a, %a, %a) : (vector<16xf32>, vector<16xf32>, vector<16xf32>) -> vector<16xf32>
      llvm.store %b, %p : vector<16xf32>, !llvm.ptr
      llvm.return
    })";
  auto code = [&](StringRef cpu) {
    std::string file = compile(source, cpu, {"f"});
    return disassemble(test::ParsedModule(file).section(".text"), "znver5");
  };
  EXPECT_NE(code("skylake-avx512").find("zmm"), std::string::npos);
  std::string avx2 = code("x86-64-v3");
  EXPECT_EQ(avx2.find("zmm"), std::string::npos);
  EXPECT_NE(avx2.find("vfmadd"), std::string::npos);
  EXPECT_NE(avx2.find("ymm"), std::string::npos);
  EXPECT_EQ(code("x86-64").find("ymm"), std::string::npos);
}

TEST_F(ModuleWriterTest, fullPipelineIsPerFunction) {
  auto loop = [](StringRef name, StringRef attributes) {
    return ("llvm.func @" + name + "(%p: !llvm.ptr {llvm.noalias}, %q: !llvm.ptr {llvm.noalias}, %n: i64) " +
            attributes + R"( {
      %zero = llvm.mlir.constant(0 : i64) : i64
      %one = llvm.mlir.constant(1 : i64) : i64
      llvm.br ^head(%zero : i64)
    ^head(%i: i64):
      %c = llvm.icmp "slt" %i, %n : i64
      llvm.cond_br %c, ^body, ^exit
    ^body:
      %a = llvm.getelementptr %p[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %b = llvm.getelementptr %q[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %x = llvm.load %a : !llvm.ptr -> f32
      %y = llvm.fmul %x, %x : f32
      llvm.store %y, %b : f32, !llvm.ptr
      %next = llvm.add %i, %one : i64
      llvm.br ^head(%next : i64)
    ^exit:
      llvm.return
    })")
        .str();
  };
  std::string source = loop("f", "attributes {passthrough = [[\"bochner-optimize\", \"full\"]]}") + loop("g", "");
  auto code = [&](StringRef cpu, StringRef name) {
    std::string file = compile(source, cpu, {"f", "g"});
    test::ParsedModule module(file);
    for (llvm::object::ELFSymbolRef symbol : module.elf.symbols())
      if (llvm::cantFail(symbol.getName()) == name)
        return disassemble(StringRef(file).substr(module.address(name), symbol.getSize()), cpu);
    return std::string();
  };
  std::string full = code("x86-64-v3", "f"), plain = code("x86-64-v3", "g");
  EXPECT_NE(full.find("vmulps"), std::string::npos) << full;
  EXPECT_EQ(plain.find("vmulps"), std::string::npos) << plain;
  EXPECT_NE(plain.find("vmulss"), std::string::npos) << plain;
  // LLVM's own choice for this CPU is half of it.
  EXPECT_NE(code("skylake-avx512", "f").find("zmm"), std::string::npos);
}

TEST_F(ModuleWriterTest, undefinedSymbolsAreNamed) {
  expectError(R"(
    llvm.func @puts(!llvm.ptr) -> i32
    llvm.func @malloc(i64) -> !llvm.ptr
    llvm.func @expf(f32) -> f32
    llvm.func @unusedAndHarmless()
    llvm.func @f(%n: i64, %x: f32) -> i32 {
      %p = llvm.call @malloc(%n) : (i64) -> !llvm.ptr
      %y = llvm.call @expf(%x) : (f32) -> f32
      llvm.store %y, %p : f32, !llvm.ptr
      %r = llvm.call @puts(%p) : (!llvm.ptr) -> i32
      llvm.return %r : i32
    })",
              "undefined symbol 'malloc', 'puts': compiled code can call");
}

TEST_F(ModuleWriterTest, missingEntryIsAnError) {
  expectError("llvm.func @g() { llvm.return }", "expected a definition of the entry function 'f'");
  expectError("llvm.func @f()", "expected a definition of the entry function 'f'");
  format::ModuleInfo info = richInfo();
  info.functions[0].workspace = "h";
  diagnostics.clear();
  EXPECT_TRUE(compile(kRichModule, "x86-64", {"f", "g"}, info).empty());
  EXPECT_EQ(diagnostics, "expected symbol 'h' of function 'main' to be among the entries of the module\n");
}

TEST_F(ModuleWriterTest, writableDataIsAnError) {
  expectError(R"(
    llvm.mlir.global internal @counter(0 : i64) : i64
    llvm.func @f() -> i64 {
      %a = llvm.mlir.addressof @counter : !llvm.ptr
      %one = llvm.mlir.constant(1 : i64) : i64
      %r = llvm.atomicrmw add %a, %one monotonic : !llvm.ptr, i64
      llvm.return %r : i64
    })",
              "expected global 'counter' to be constant: compiled modules are read-only");
  expectError(R"(
    llvm.mlir.global internal thread_local @mine(0 : i64) : i64
    llvm.func @f() -> !llvm.ptr {
      %a = llvm.mlir.addressof @mine : !llvm.ptr
      llvm.return %a : !llvm.ptr
    })",
              "unsupported thread-local global 'mine'");
  expectError(R"(
    llvm.mlir.global_ctors ctors = [@f], priorities = [0 : i32], data = [#llvm.zero]
    llvm.func @f() { llvm.return })",
              "unsupported list of constructors or destructors 'llvm.global_ctors'");
}

// LLVM ends the process on each of these.
TEST_F(ModuleWriterTest, whatTheBackendAbortsOnIsAnError) {
  constexpr StringRef dot = R"(
    llvm.func @f(%a: vector<16xf32>, %b: vector<32xbf16>) -> vector<16xf32> {
      %r = llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%a, %b, %b)
          : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
      llvm.return %r : vector<16xf32>
    })";
  expectError(dot,
              "intrinsic 'llvm.x86.avx512bf16.dpbf16ps.512' requires the feature avx512bf16, which the CPU "
              "'skylake-avx512' does not have",
              "skylake-avx512");
  EXPECT_FALSE(compile(dot, "cooperlake", {"f"}).empty()) << diagnostics;
  expectError(R"(
    llvm.func @f() -> i32 {
      %r = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"() : () -> i32
      llvm.return %r : i32
    })",
              "unsupported intrinsic 'llvm.nvvm.read.ptx.sreg.tid.x' on x86-64");
  expectError(R"(
    llvm.func @f(%p: !llvm.ptr) {
      %a = llvm.load %p : !llvm.ptr -> vector<[4]xf32>
      %b = llvm.fadd %a, %a : vector<[4]xf32>
      llvm.store %b, %p : vector<[4]xf32>, !llvm.ptr
      llvm.return
    })",
              "unsupported type '<vscale x 4 x float>' in function 'f'");
  expectError(R"(
    llvm.func @f(%p: !llvm.ptr) {
      %a = llvm.load %p : !llvm.ptr -> f80
      %b = llvm.intr.round(%a) : (f80) -> f80
      llvm.store %b, %p : f80, !llvm.ptr
      llvm.return
    })",
              "unsupported type 'x86_fp80' in function 'f'");
  expectError(R"(
    llvm.func @f() attributes {garbageCollector = "shadow"} { llvm.return })",
              "unsupported garbage collector of function 'f'");
  expectError(R"(
    llvm.func @f() {
      llvm.inline_asm has_side_effects "no such instruction", "" : () -> ()
      llvm.return
    })",
              "code generation failed: ");
}

TEST_F(ModuleWriterTest, failedTranslationIsAnError) {
  expectError(R"(
    llvm.func @f(%x: i32) -> f32 {
      %r = builtin.unrealized_conversion_cast %x : i32 to f32
      llvm.return %r : f32
    })",
              "LLVM Translation failed for operation: builtin.unrealized_conversion_cast");
}

} // namespace
