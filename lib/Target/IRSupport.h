//===- IRSupport.h - what a module may contain ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Steps of code generation that look at LLVM IR as a whole: linkage, limits of the target, support functions.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_IRSUPPORT_H
#define BOCHNER_LIB_TARGET_IRSUPPORT_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"

namespace llvm {
class Module;
} // namespace llvm

namespace bochner {

struct CpuTarget;

/// Gives every definition but `entries` internal linkage. Fails if an entry is not a function with a body.
mlir::LogicalResult keepOnlyEntries(llvm::Module &module, llvm::ArrayRef<llvm::StringRef> entries,
                                    mlir::Location location);

/// Fails for constructs that the backend answers with report_fatal_error (scalable vectors, long floats, intrinsics of
/// other targets or of features that are off) and for data that a read-only image cannot hold.
mlir::LogicalResult checkSupported(llvm::Module &module, const CpuTarget &target, mlir::Location location);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_IRSUPPORT_H
