//===- TargetPasses.td - kernels and graphs to native code -----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A part of Passes.td: the passes of phase target, in their order.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TARGET_PASSES
#define BOCHNER_TARGET_PASSES

include "mlir/Pass/PassBase.td"

def EmitCpuKernelsPass : Pass<"spectral-emit-cpu-kernels", "::mlir::ModuleOp"> {
  let summary = "Write kernel functions as vector code for CPUs";
  let description = [{
    Replaces every function that carries a schedule, a private function on tensors with one operation, by a function of
    the same name on buffers: the operands, then the output. Its body allocates the workspace (packed parameters and
    partial states) and runs task functions by `spectral.parallel_for`. Features live in registers and, a tile at a
    time, in scratch; they never reach memory.

    Before:
    ```mlir
    func.func private @exp(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {
        spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                               register_columns = 64, row_chunk = 512>} {
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>}
          features (%tile: tensor<?x64xf32>) {
            spectral.yield %tile : tensor<?x64xf32>
          } -> tensor<?x8x?x64xf32>
      return %phi : tensor<?x8x?x64xf32>
    }
    ```
    After (the body of the task left out):
    ```mlir
    func.func private @exp_features(%i: index, %scratch: memref<?xi8>,
                                    %x: memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>,
                                    %out: memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>, %parts: index)
    func.func private @exp(%x: memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>,
                           %out: memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>) {
      %parts = arith.constant 1 : index
      %count = arith.constant 8 : index
      spectral.parallel_for @exp_features count(%count)
        args(%x, %out, %parts : memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>,
             memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>, index)
      return
    }
    ```

    With `bf16-dot` and vectors of 512 bits, non-causal linear attention, its state and its application on bf16 rows
    multiply pairs of bf16 by the instruction of AVX512_BF16, which adds in f32: parameters, features and states are
    rounded for products, while denominators are summed from what was not rounded. Terms of exponents and angles that
    are large get the rounding errors of their parameters by a second product. The recurrent form rounds a state in bf16
    by an instruction too.

    Preconditions: `spectral-outline-kernels`, `spectral-choose-schedule`. Refuses, at the operation, what a feature
    region cannot hold, element types other than f32 and f64, and schedules that do not fit the vectors.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register in bits: 128, 256 or 512.">,
    Option<"fma", "fma", "bool", "true", "Whether the target multiplies and adds in one instruction.">,
    Option<"bf16Dot", "bf16-dot", "bool", "false", "Whether the target has AVX512_BF16.">
  ];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def EmitGpuKernelsPass : Pass<"spectral-emit-gpu-kernels", "::mlir::ModuleOp"> {
  let summary = "Write kernel functions as kernels for NVIDIA GPUs";
  let description = [{
    Replaces every function that `spectral-outline-kernels` made and that has a kernel for GPUs by a function of the
    same name on buffers: the operands, then the outputs. It allocates the workspace (packed parameters, partial states)
    and launches kernels of one `gpu.module`, written in arith, scf, math, llvm and nvvm. Features stay in the registers
    of tensor cores and never reach memory.

    bf16 and f16 are multiplied as they are and summed in f32; f32 as three products of tf32, or one with `tf32`. What
    has no kernel for GPUs stays for the host, with a remark that names the reason.

    ```mlir
    func.func private @sum(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x64xbf16>)
        -> tensor<?x8x?x64xbf16> attributes {spectral.kernel} {
      %out = spectral.linear_attention query(%q : tensor<?x8x?x64xbf16>) key(%k : tensor<?x8x?x64xbf16>)
          value(%v : tensor<?x8x?x64xbf16>) features (%x: tensor<?x64xbf16>) {
            spectral.yield %x : tensor<?x64xbf16>
          } -> tensor<?x8x?x64xbf16>
      return %out : tensor<?x8x?x64xbf16>
    }
    ```
    becomes a function that allocates states and launches `@kernels::@sum_state0`, `@sum_merge` and `@sum_output`.

    Preconditions: `spectral-outline-kernels`. Refuses what does not fit the shared memory of a block, and by how much.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_80\"", "Chip that has to run the kernels: sm_80, sm_86, ...">,
    Option<"tf32", "tf32", "bool", "false", "Whether f32 may be rounded to tf32 before it is multiplied.">
  ];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

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

def ParallelizeHostPass : Pass<"spectral-parallelize-host", "::mlir::ModuleOp"> {
  let summary = "Split large linalg operations of the host into parallel tasks.";
  let description = [{
    Turns a `linalg` operation on buffers at the top of a public function into `spectral.parallel_for`: a task for each
    index of the outer dimensions of the output and each block of rows, the last dimension but one or, where that has
    few elements, one further out. Columns and reduced
    dimensions stay whole, so each element is computed by one task in the same order as before.

    ```mlir
    func.func @f(%x: memref<4096x512xf32>, %y: memref<4096x512xf32>) {
      linalg.exp ins(%x : memref<4096x512xf32>) outs(%y : memref<4096x512xf32>)
      return
    }
    ```
    ==>
    ```mlir
    func.func private @f_host(%i: index, %scratch: memref<?xi8>, %x: memref<4096x512xf32>, %y: memref<4096x512xf32>)
        attributes {passthrough = [["bochner-optimize", "full"]], spectral.scratch_bytes = 0 : i64} {
      %c128 = arith.constant 128 : index
      %row = arith.muli %i, %c128 : index
      %from = memref.subview %x[%row, 0] [128, 512] [1, 1]
        : memref<4096x512xf32> to memref<128x512xf32, strided<[512, 1], offset: ?>>
      %to = memref.subview %y[%row, 0] [128, 512] [1, 1]
        : memref<4096x512xf32> to memref<128x512xf32, strided<[512, 1], offset: ?>>
      linalg.exp ins(%from : memref<128x512xf32, strided<[512, 1], offset: ?>>)
                 outs(%to : memref<128x512xf32, strided<[512, 1], offset: ?>>)
      return
    }
    func.func @f(%x: memref<4096x512xf32>, %y: memref<4096x512xf32>) {
      %count = arith.constant 32 : index
      spectral.parallel_for @f_host count(%count) args(%x, %y : memref<4096x512xf32>, memref<4096x512xf32>)
      return
    }
    ```

    The operand of a product that has the columns of the output is copied into panels of 64 columns, before all tasks:
    once for all of them, and so that its rows do not share cache sets. Where columns do not make whole panels, it is
    copied if it is not contiguous along them.

    Preconditions: outputs do not overlap inputs, unless element by element.

    What fills the output of a sum before is done by its tasks. Equal tasks, as the layers of a model have them, are one
    function.

    Leaves alone what is known to be small, and accesses that are no projections.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect", "::bochner::spectral::SpectralDialect"];
}

def VectorizeContractionsPass : Pass<"spectral-vectorize-contractions", "::mlir::func::FuncOp"> {
  let summary = "Turn matrix products on buffers into register-tiled loops.";
  let description = [{
    A `linalg` operation that adds products of two buffers over one reduced dimension, with any number of batch
    dimensions, becomes loops around a tile of accumulators in vector registers, 4 rows by 4 vectors. Rows and columns
    that fill no tile use smaller ones, the last columns single elements, so that nothing outside of a buffer is read.

    ```mlir
    func.func @product(%a: memref<?x64xf32>, %b: memref<64x128xf32>, %c: memref<?x128xf32>) {
      linalg.matmul ins(%a, %b : memref<?x64xf32>, memref<64x128xf32>) outs(%c : memref<?x128xf32>)
      return
    }
    ```
    ==> (one row and one vector of the tile)
    ```mlir
    func.func @product(%a: memref<?x64xf32>, %b: memref<64x128xf32>, %c: memref<?x128xf32>, %i: index, %j: index) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c64 = arith.constant 64 : index
      %init = vector.load %c[%i, %j] : memref<?x128xf32>, vector<16xf32>
      %sum = scf.for %k = %c0 to %c64 step %c1 iter_args(%acc = %init) -> (vector<16xf32>) {
        %x = memref.load %a[%i, %k] : memref<?x64xf32>
        %row = vector.broadcast %x : f32 to vector<16xf32>
        %column = vector.load %b[%k, %j] : memref<64x128xf32>, vector<16xf32>
        %next = vector.fma %row, %column, %acc : vector<16xf32>
        scf.yield %next : vector<16xf32>
      }
      vector.store %sum, %c[%i, %j] : memref<?x128xf32>, vector<16xf32>
      return
    }
    ```

    Every element is summed in the order of the reduced dimension, so results do not depend on the tiling.

    Preconditions: f32 or f64 buffers; the output is read and written in the order of its dimensions.

    Leaves alone what does not match; `convert-linalg-to-loops` takes it.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", "256", "Width of a vector register in bits: 128, 256 or 512.">,
    Option<"fma", "fma", "bool", "true", "Contract a product and a sum to one instruction.">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def OrderLoopsPass : Pass<"spectral-order-loops", "::mlir::func::FuncOp"> {
  let summary = "Put the contiguous dimension of linalg operations innermost.";
  let description = [{
    Reorders the dimensions of `linalg` operations on buffers, so that the loops which `convert-linalg-to-loops` makes
    of them walk along memory and can be vectorized. The innermost dimension becomes the one in which the most operands
    are contiguous, less those that it strides through; all others keep their order.

    ```mlir
    #matrix = affine_map<(column, row) -> (row, column)>
    #sum = affine_map<(column, row) -> (column)>
    func.func @sums(%x: memref<?x64xf32>, %y: memref<64xf32>) {
      linalg.generic {indexing_maps = [#matrix, #sum], iterator_types = ["parallel", "reduction"]}
          ins(%x : memref<?x64xf32>) outs(%y : memref<64xf32>) {
      ^bb0(%v: f32, %sum: f32):
        %s = arith.addf %sum, %v : f32
        linalg.yield %s : f32
      }
      return
    }
    ```
    ==>
    ```mlir
    #matrix = affine_map<(row, column) -> (row, column)>
    #sum = affine_map<(row, column) -> (column)>
    func.func @sums(%x: memref<?x64xf32>, %y: memref<64xf32>) {
      linalg.generic {indexing_maps = [#matrix, #sum], iterator_types = ["reduction", "parallel"]}
          ins(%x : memref<?x64xf32>) outs(%y : memref<64xf32>) {
      ^bb0(%v: f32, %sum: f32):
        %s = arith.addf %sum, %v : f32
        linalg.yield %s : f32
      }
      return
    }
    ```

    The order in which the elements of a sum are added does not change.

    Preconditions: none. Leaves operations on tensors alone.
  }];
}

def SumRowsPass : Pass<"spectral-sum-rows", "::mlir::func::FuncOp"> {
  let summary = "Write sums along rows as loops that LLVM vectorizes.";
  let description = [{
    Replaces `linalg.generic` on buffers whose innermost loop reduces by loops that keep what is reduced in registers.
    Additions get the flag `reassoc`, with which LLVM vectorizes the innermost loop: a sum for each lane, and their sum
    at the end.

    ```mlir
    #matrix = affine_map<(row, column) -> (row, column)>
    #sum = affine_map<(row, column) -> (row)>
    func.func @sums(%x: memref<8x64xf32>, %y: memref<8xf32>) {
      linalg.generic {indexing_maps = [#matrix, #sum], iterator_types = ["parallel", "reduction"]}
          ins(%x : memref<8x64xf32>) outs(%y : memref<8xf32>) {
      ^bb0(%v: f32, %sum: f32):
        %s = arith.addf %sum, %v : f32
        linalg.yield %s : f32
      }
      return
    }
    ```
    ==>
    ```mlir
    func.func @sums(%x: memref<8x64xf32>, %y: memref<8xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      %c64 = arith.constant 64 : index
      scf.for %row = %c0 to %c8 step %c1 {
        %start = memref.load %y[%row] : memref<8xf32>
        %sum = scf.for %column = %c0 to %c64 step %c1 iter_args(%s = %start) -> (f32) {
          %v = memref.load %x[%row, %column] : memref<8x64xf32>
          %next = arith.addf %s, %v fastmath<reassoc> : f32
          scf.yield %next : f32
        }
        memref.store %sum, %y[%row] : memref<8xf32>
      }
      return
    }
    ```

    The order in which the elements of a sum are added becomes that of the target's vectors. It does not depend on
    threads or data.

    Preconditions: loops are in their order (`spectral-order-loops`); outputs do not overlap inputs. Leaves alone what
    has a parallel innermost loop, which is vectorized as it is, and accesses that are no projections.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def UnrollShortLoopsPass : Pass<"spectral-unroll-short-loops", "::mlir::func::FuncOp"> {
  let summary = "Write out inner loops of a few iterations.";
  let description = [{
    Replaces innermost `scf.for` loops of at most four iterations, within other loops, by their iterations, so that LLVM
    can vectorize the loop around them.

    ```mlir
    func.func @scale(%x: memref<64x4xf32>, %f: f32) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c64 = arith.constant 64 : index
      scf.for %i = %c0 to %c64 step %c1 {
        scf.for %j = %c0 to %c2 step %c1 {
          memref.store %f, %x[%i, %j] : memref<64x4xf32>
        }
      }
      return
    }
    ```
    ==>
    ```mlir
    func.func @scale(%x: memref<64x4xf32>, %f: f32) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c64 = arith.constant 64 : index
      scf.for %i = %c0 to %c64 step %c1 {
        memref.store %f, %x[%i, %c0] : memref<64x4xf32>
        memref.store %f, %x[%i, %c1] : memref<64x4xf32>
      }
      return
    }
    ```

    Preconditions: none. Leaves loops alone whose number of iterations is not known, and those that hold control flow.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
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

    An allocation whose size depends on a loop gets the place that the largest one needs.

    Refuses allocations whose size nothing but data bounds, allocations in task functions, and recursion.
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
    func.func private @task(%i: index, %scratch: memref<?xi8>, %n: index)
        attributes {spectral.scratch_bytes = 64 : i64} {
      return
    }
    func.func @f(%n: index) {
      spectral.parallel_for @task count(%n) args(%n : index)
      return
    }
    ```
    ==>
    ```mlir
    func.func private @task(%i: index, %scratch: memref<?xi8>, %n: index)
        attributes {spectral.scratch_bytes = 64 : i64} {
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

def ExpandMathPass : Pass<"spectral-expand-math", "::mlir::func::FuncOp"> {
  let summary = "Write elementary functions as polynomials.";
  let description = [{
    Replaces `math.exp`, `exp2`, `expm1`, `log`, `log1p`, `log2`, `log10`, `sin`, `cos`, `tanh`, `rsqrt` of f32 and
    f64 and `erf` of f32, scalars and vectors, by `arith` operations without branches, so that the loop vectorizer
    handles the loops around them; calls of the C library would keep them scalar. Errors are a few units in the last
    place; sines and cosines of arguments beyond 2^22 (f64: 2^51) quarter turns have no meaning.

    ```mlir
    func.func @f(%x: f64) -> f64 {
      %y = math.rsqrt %x : f64
      return %y : f64
    }
    ```
    ==>
    ```mlir
    func.func @f(%x: f64) -> f64 {
      %one = arith.constant 1.0 : f64
      %root = math.sqrt %x : f64
      %y = arith.divf %one, %root : f64
      return %y : f64
    }
    ```

    Preconditions: none.

    Leaves other functions and types alone.
  }];
  let options = [
    Option<"fma", "fma", "bool", "true", "Whether the target multiplies and adds in one instruction.">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def ExpandConversionsPass : Pass<"spectral-expand-conversions", "::mlir::func::FuncOp"> {
  let summary = "Write conversions of 16-bit floats as integer arithmetic.";
  let description = [{
    Computes what scalars and vectors of bf16 and f16 compute in f32, and replaces their conversions to and from f32 and
    f64 by integer operations, which every x86-64 CPU has for vectors too; instruction selection would call a function
    for each element. Conversions round to nearest, ties to even; infinities and denormals are right, a NaN stays a NaN
    (quiet) of its sign.

    ```mlir
    func.func @f(%x: bf16) -> f32 {
      %y = arith.extf %x : bf16 to f32
      return %y : f32
    }
    ```
    ==>
    ```mlir
    func.func @f(%x: bf16) -> f32 {
      %c16 = arith.constant 16 : i32
      %half = arith.bitcast %x : bf16 to i16
      %low = arith.extui %half : i16 to i32
      %high = arith.shli %low, %c16 : i32
      %y = arith.bitcast %high : i32 to f32
      return %y : f32
    }
    ```

    With `f16c`, conversions between f16 and f32 stay, since they are instructions. The instruction of AVX512_BF16 is
    not used: it takes denormals for zero.

    Preconditions: none. Leaves tensors alone, and conversions between f32 and f64. Refuses rounding modes other than
    `to_nearest_even`.
  }];
  let options = [
    Option<"f16c", "f16c", "bool", "false", "Whether the target converts between f16 and f32 by an instruction.">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def LowerLaunchesPass : Pass<"spectral-lower-launches", "::mlir::ModuleOp"> {
  let summary = "Turn launches of kernels into calls of the runtime";
  let description = [{
    Replaces `gpu.launch_func` in public functions by calls of `Environment::launch` (runtime/ModuleFormat.h). The
    environment becomes the first argument of the function if it is not there. Buffers become pointers; a kernel takes
    their sizes and strides as integers of its own. The kernel is named by the symbol `bochner.<device>.<kernel>`, which
    code generation defines.

    ```mlir
    module attributes {gpu.container_module} {
      gpu.module @kernels {
        llvm.func @clear(%x: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
          llvm.return
        }
      }
      func.func @f(%x: memref<?xf32>, %blocks: index) {
        %c1 = arith.constant 1 : index
        gpu.launch_func @kernels::@clear blocks in (%blocks, %c1, %c1) threads in (%c1, %c1, %c1)
          args(%x : memref<?xf32>)
        return
      }
    }
    ```
    becomes a call with a `format::Launch` that holds the address of `@bochner.sim.clear`, an array with the address of
    the pointer, and the sizes of grid and block.

    Preconditions: `spectral-plan-memory`. Refuses launches in private functions and operands of other types than
    buffers, integers and floats.
  }];
  let options = [
    Option<"device", "device", "std::string", "\"sim\"", "Device that runs the kernels: sim or cuda.">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
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

#endif // BOCHNER_TARGET_PASSES
