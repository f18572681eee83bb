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

def BufferizePass : Pass<"spectral-bufferize", "::mlir::ModuleOp"> {
  let summary = "Turn tensors into buffers that the caller provides.";
  let description = [{
    Runs one-shot bufferization on all functions. Arguments become buffers with any strides and a contiguous last
    dimension; results of public functions become trailing arguments, and what computes a result writes there.
    `spectral.launch` becomes a call.

    ```mlir
    func.func private @kernel(memref<?x64xf32, strided<[?, 1]>>, memref<?x64xf32, strided<[?, 1]>>)
    func.func @f(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x64xf32>
      %init = tensor.empty(%n) : tensor<?x64xf32>
      %y = spectral.launch @kernel ins(%x : tensor<?x64xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
      return %y : tensor<?x64xf32>
    }
    ```
    ==>
    ```mlir
    func.func private @kernel(memref<?x64xf32, strided<[?, 1]>>, memref<?x64xf32, strided<[?, 1]>>)
    func.func @f(%x: memref<?x64xf32, strided<[?, 1]>>, %out: memref<?x64xf32, strided<[?, 1]>>) {
      call @kernel(%x, %out) : (memref<?x64xf32, strided<[?, 1]>>, memref<?x64xf32, strided<[?, 1]>>) -> ()
      return
    }
    ```

    Preconditions: kernel functions are on buffers. Destinations do not overlap each other or arguments.

    Refuses public functions whose results are not ranked tensors, and what one-shot bufferization refuses.
  }];
}

def PlanMemoryPass : Pass<"spectral-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Give every allocation of an entry function a place in its workspace.";
  let description = [{
    Inlines kernel functions into the public functions that call them, and replaces each allocation by a view of one
    workspace that the caller provides, so that compiled code allocates nothing. Buffers that do not live at the same
    time share a place if they have the same size. A companion function computes the size of the workspace.

    ```mlir
    func.func private @use(memref<?xf32>)
    func.func @f(%x: memref<?xf32>) {
      %c0 = arith.constant 0 : index
      %n = memref.dim %x, %c0 : memref<?xf32>
      %buffer = memref.alloc(%n) : memref<?xf32>
      memref.dealloc %buffer : memref<?xf32>
      return
    }
    ```
    ==>
    ```mlir
    func.func @f(%x: memref<?xf32>, %workspace: memref<?xi8> {spectral.workspace})
        attributes {spectral.workspace_size = @f.workspace} {
      %c0 = arith.constant 0 : index
      %n = memref.dim %x, %c0 : memref<?xf32>
      %buffer = memref.view %workspace[%c0][%n] : memref<?xi8> to memref<?xf32>
      return
    }
    func.func private @f.workspace(%x: memref<?xf32>) -> i64 {
      %c0 = arith.constant 0 : index
      %c4 = arith.constant 4 : index
      %n = memref.dim %x, %c0 : memref<?xf32>
      %bytes = arith.muli %n, %c4 : index
      %aligned = arith.ceildivui %bytes, %c4 : index
      %size = arith.index_cast %aligned : index to i64
      return %size : i64
    }
    ```

    Preconditions: no tensors.

    Refuses allocations whose size is not a function of the arguments' sizes, allocations in task functions, and
    recursion.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

def LowerParallelForPass : Pass<"spectral-lower-parallel-for", "::mlir::ModuleOp"> {
  let summary = "Turn parallel loops into calls of the runtime.";
  let description = [{
    Packs what a task captures into a structure on the stack and calls the `parallelFor` of the environment
    (runtime/ModuleFormat.h) with a function that unpacks it. An entry function with parallel loops receives the
    environment as its first argument and the maximum of its tasks' scratch as an attribute.

    ```mlir
    func.func private @task(%i: index, %scratch: memref<?xi8>, %n: index) attributes {spectral.scratch_bytes = 64 : i64} {
      return
    }
    func.func @f(%n: index) {
      spectral.parallel_for @task count(%n) args(%n : index)
      return
    }
    ```
    ==>
    ```mlir
    func.func private @task(%i: index, %scratch: memref<?xi8>, %n: index) attributes {spectral.scratch_bytes = 64 : i64} {
      return
    }
    func.func @f(%environment: !llvm.ptr, %n: index) attributes {spectral.scratch_bytes = 64 : i64} {
      %one = llvm.mlir.constant(1 : i64) : i64
      %context = llvm.alloca %one x !llvm.struct<(i64)> : (i64) -> !llvm.ptr
      %count = builtin.unrealized_conversion_cast %n : index to i64
      llvm.store %count, %context : i64, !llvm.ptr
      %run = llvm.load %environment : !llvm.ptr -> !llvm.ptr
      %task = llvm.mlir.addressof @task.run : !llvm.ptr
      llvm.call %run(%environment, %task, %context, %count) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
      return
    }
    llvm.func internal @task.run(%context: !llvm.ptr, %index: i64, %scratch: !llvm.ptr) {
      llvm.return
    }
    ```

    Preconditions: captures are buffers, indices, integers and floats; loops stand in public functions.

    Refuses parallel loops in other functions and captures of other types.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

def MakeEntryPointsPass : Pass<"spectral-make-entry-points", "::mlir::ModuleOp"> {
  let summary = "Give public functions the calling convention of modules.";
  let description = [{
    Turns each public function `f` on buffers into `bochner.entry.f`, which takes the environment and an array of
    pointers to the descriptors of its arguments and results (runtime/ModuleFormat.h), and the function that computes
    the size of its workspace into `bochner.workspace.f`, which takes the descriptors.

    ```mlir
    func.func @f(%x: memref<f32>) {
      return
    }
    ```
    ==>
    ```mlir
    func.func @bochner.entry.f(%environment: !llvm.ptr, %descriptors: !llvm.ptr)
        attributes {passthrough = [["bochner-optimize", "full"]]} {
      return
    }
    ```

    Preconditions: `spectral-plan-memory` and `spectral-lower-parallel-for` have run.

    Refuses arguments that are not buffers.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif // BOCHNER_PASSES
