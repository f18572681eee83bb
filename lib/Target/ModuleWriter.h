//===- ModuleWriter.h - LLVM dialect to the bytes of a module ---*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last step of compilation: machine code in the file format of runtime/ModuleFormat.h.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_MODULEWRITER_H
#define BOCHNER_LIB_TARGET_MODULEWRITER_H

#include "lib/Target/CodeGen.h"
#include "lib/Target/CpuTarget.h"
#include "runtime/ModuleFormat.h"

namespace bochner {

/// Compiles `module`, which is in the LLVM dialect, and returns the file. Fills in `info.cpu` and `info.features`; the
/// rest of the description is the caller's, and every symbol that it names must be among `options.entries`. Equal input
/// gives equal bytes. Errors are diagnostics at the module's location.
mlir::FailureOr<std::string> writeModule(mlir::ModuleOp module, const CodeGenOptions &options,
                                         format::ModuleInfo &info);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_MODULEWRITER_H
