//===- TargetTestUtils.h - compile small modules in tests -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixture that parses LLVM dialect, compiles it for a named CPU and keeps the diagnostics.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_TARGET_TARGETTESTUTILS_H
#define BOCHNER_TEST_TARGET_TARGETTESTUTILS_H

#include "lib/Target/ModuleWriter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "gtest/gtest.h"
#include <string>

namespace bochner::test {

inline mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registry.insert<mlir::LLVM::LLVMDialect>();
  registerCodeGenTranslations(registry);
  return registry;
}

/// The section .bochner and the ELF reader of LLVM over the bytes of a module, which must outlive it.
struct ParsedModule {
  explicit ParsedModule(llvm::StringRef file)
      : elf(llvm::cantFail(
            llvm::object::ELFObjectFile<llvm::object::ELF64LE>::create(llvm::MemoryBufferRef(file, "module")))) {
    llvm::StringRef content = section(".bochner");
    described = format::deserializeSection(content.data(), content.size(), info, tables);
  }
  llvm::StringRef section(llvm::StringRef name) const {
    for (llvm::object::SectionRef section : elf.sections())
      if (llvm::cantFail(section.getName()) == name)
        return llvm::cantFail(section.getContents());
    return {};
  }
  /// Address of a symbol, 0 if there is none.
  uint64_t address(llvm::StringRef name) const {
    for (llvm::object::ELFSymbolRef symbol : elf.symbols())
      if (llvm::cantFail(symbol.getName()) == name)
        return llvm::cantFail(symbol.getAddress());
    return 0;
  }
  std::string imports() const {
    std::vector<std::string> names;
    for (const format::Import &import : tables.imports)
      names.push_back(import.name);
    llvm::sort(names);
    return llvm::join(names, " ");
  }

  llvm::object::ELFObjectFile<llvm::object::ELF64LE> elf;
  bool described = false;
  format::ModuleInfo info;
  format::LoaderTables tables;
};

class TargetTest : public testing::Test {
protected:
  TargetTest() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &diagnostic) {
      diagnostics += diagnostic.str() + "\n";
      for (mlir::Diagnostic &note : diagnostic.getNotes())
        diagnostics += "note: " + note.str() + "\n";
    });
  }

  mlir::FailureOr<CpuTarget> resolve(llvm::StringRef name) {
    return resolveCpuTarget(name, [&] { return mlir::emitError(mlir::UnknownLoc::get(&context)); });
  }

  /// The bytes of the module; empty after an error.
  std::string compile(llvm::StringRef source, llvm::StringRef cpu, llvm::ArrayRef<llvm::StringRef> entries,
                      format::ModuleInfo info = {}) {
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    mlir::FailureOr<CpuTarget> target = resolve(cpu);
    if (!module || failed(target))
      return "";
    mlir::FailureOr<std::string> file = writeModule(*module, {*target, entries}, info);
    return failed(file) ? "" : *file;
  }

  mlir::MLIRContext context;
  std::string diagnostics; // one line each
};

} // namespace bochner::test

#endif // BOCHNER_TEST_TARGET_TARGETTESTUTILS_H
