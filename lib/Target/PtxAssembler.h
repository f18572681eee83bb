//===- PtxAssembler.h - PTX to machine code by ptxas ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_PTXASSEMBLER_H
#define BOCHNER_LIB_TARGET_PTXASSEMBLER_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace bochner {

/// The path of ptxas: `asked` if it is not empty, else the one of CUDA_HOME, of PATH, or of /usr/local/cuda; empty if
/// there is none. "none" asks for none.
std::string findPtxas(llvm::StringRef asked);

/// The cubin for a chip ("sm_86"), by running ptxas. What ptxas says against the code is a diagnostic.
mlir::FailureOr<std::string> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx, llvm::StringRef chip,
                                         mlir::Location location);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_PTXASSEMBLER_H
