//===- Compile.h - MLIR to the bytes of a module ----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The whole compilation as one call. No MLIR in the interface: its callers are C APIs and drivers.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_JIT_COMPILE_H
#define BOCHNER_LIB_JIT_COMPILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace bochner {

struct CompileRequest {
  llvm::StringRef source; ///< MLIR text or bytecode
  llvm::StringRef sourceName = "<input>";
  llvm::StringRef route = "fused"; ///< or "decompose"
  llvm::StringRef device = "cpu";  ///< or "sim", "cuda"
  llvm::StringRef chip = "sm_80";  ///< of devices other than cpu; for cuda, more behind a comma get cubins
  llvm::StringRef ptxas;           ///< of device cuda: its path; empty: search; "none": PTX only
  bool tf32 = false;               ///< such devices may round f32 to tf32
  llvm::StringRef cpu = "host";
  llvm::StringRef elementType; ///< if not empty, what every float type becomes before anything else
  llvm::StringRef dumpDir;     ///< if not empty, receives the IR before and after each phase
  bool keepPhases = false;     ///< store the same IR in the module
  llvm::StringRef producer;    ///< who compiled, for the module's description
};

enum class CompileCode {
  Compiled,
  UserError,     ///< the source or the request is at fault; diagnostics say how
  InternalError, ///< a defect of the compiler
};

struct CompileResult {
  CompileCode code = CompileCode::InternalError;
  std::string module;
};

enum class CompileSeverity { Note, Remark, Warning, Error };

/// `location` is "file:line:column" or empty.
using CompileDiagnostic = llvm::function_ref<void(CompileSeverity, llvm::StringRef location, llvm::StringRef message)>;

/// Told the name of each stage when it ends.
using CompileStage = llvm::function_ref<void(llvm::StringRef stage)>;

/// Compiles. Thread-safe; every call has a context of its own, so that nothing is kept in memory between calls.
CompileResult compileModule(const CompileRequest &request, CompileDiagnostic diagnostic, CompileStage stage = nullptr);

} // namespace bochner

#endif // BOCHNER_LIB_JIT_COMPILE_H
