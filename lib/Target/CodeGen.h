//===- CodeGen.h - LLVM dialect to object code ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Translates a module in the LLVM dialect to LLVM IR, optimizes it and emits a relocatable x86-64 ELF object. Errors
// are diagnostics at the module's location.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_CODEGEN_H
#define BOCHNER_LIB_TARGET_CODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace bochner {

struct CpuTarget;

/// A function with this LLVM attribute (`passthrough = [["bochner-optimize", "full"]]`) runs through the long pipeline
/// with loop and SLP vectorization; all others hold explicit vector code and need only a short one.
inline constexpr llvm::StringLiteral kOptimizeAttr = "bochner-optimize";
inline constexpr llvm::StringLiteral kOptimizeFull = "full";

/// How kernels of a gpu.module become code.
struct GpuCodeOptions {
  std::string device;             ///< "sim" or "cuda"
  std::vector<std::string> chips; ///< the first one is what PTX is for; device cuda gets a cubin for each
  std::string ptxas;              ///< its path; empty: search; "none": PTX only
  std::string dumpDir;            ///< if not empty, receives KERNEL.ptx and launch.json
};

struct CodeGenOptions {
  const CpuTarget &target;
  /// Symbols that stay visible; all other definitions become internal and disappear if nothing uses them.
  llvm::ArrayRef<llvm::StringRef> entries;
  GpuCodeOptions gpu = {"sim", {}, "", ""};
};

/// Registers what the translation to LLVM IR asks of the context; call it when the context is made.
void registerCodeGenTranslations(mlir::DialectRegistry &registry);

/// Returns the object file. Safe to call from several threads, each with a module of its own context.
mlir::FailureOr<llvm::SmallVector<char, 0>> emitObject(mlir::ModuleOp module, const CodeGenOptions &options);

/// The same for a module of LLVM IR, whose target and data layout are set here.
mlir::FailureOr<llvm::SmallVector<char, 0>> emitObject(llvm::Module &module, mlir::Location location,
                                                       const CodeGenOptions &options);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_CODEGEN_H
