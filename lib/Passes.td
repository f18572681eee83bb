//===- Passes.td - all passes of the project -------------------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One definition a pass, in the order of the phases: graph, fuse, kernel, target. The implementation of FooBarPass with
// the flag spectral-foo-bar is lib/Transforms/FooBar.cpp (tensors to tensors) or lib/Conversion/FooBar.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PASSES
#define BOCHNER_PASSES

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Phases graph and fuse
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Phase kernel
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Phase target
//===----------------------------------------------------------------------===//

#endif // BOCHNER_PASSES
