//===- SupportLibrary.h - conversions of 16-bit floats ----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions that instruction selection calls for f16 and bf16 where the CPU has no instruction. LLVM takes them
// from compiler-rt or libgcc; a module brings its own.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_SUPPORTLIBRARY_H
#define BOCHNER_LIB_TARGET_SUPPORTLIBRARY_H

#include "llvm/Support/Error.h"

namespace llvm {
class Module;
} // namespace llvm

namespace bochner {

/// Whether `module` computes with 16-bit floats, so that code generation may call the library.
bool usesSupportLibrary(const llvm::Module &module);

/// Adds hidden definitions of the library. The linker drops those that no code calls.
llvm::Error addSupportLibrary(llvm::Module &module);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_SUPPORTLIBRARY_H
