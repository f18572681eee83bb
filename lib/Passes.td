//===- Passes.td - all passes of the project -------------------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One definition a pass, in the order of the phases: graph, differentiate, fuse, kernel; target stands in
// TargetPasses.td. The implementation of FooBarPass with the flag spectral-foo-bar is lib/Transforms/FooBar.cpp
// (tensors to tensors) or lib/Conversion/FooBar.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PASSES
#define BOCHNER_PASSES

include "mlir/Pass/PassBase.td"
include "lib/AlgebraPasses.td"
include "lib/TargetPasses.td"

//===----------------------------------------------------------------------===//
// Phases graph and fuse
//===----------------------------------------------------------------------===//

def FuseFeatureMapPass : Pass<"spectral-fuse-feature-map", "::mlir::func::FuncOp"> {
  let summary = "Sink row-wise producers into the regions that map rows to features.";
  let description = [{
    Moves the operations that produce queries, keys and rows into the feature regions, where they work on tiles of rows
    that never reach memory. What an operation reads per head or for all rows becomes a parameter of the region.

    ```mlir
    #rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
    #omega = affine_map<(b, h, n, f, d) -> (d, f)>
    #features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
    func.func @relu(%x: tensor<?x8x?x64xf32>, %omega: tensor<64x256xf32>, %init: tensor<?x8x?x256xf32>)
        -> tensor<?x8x?x256xf32> {
      %u = linalg.generic {indexing_maps = [#rows, #omega, #features],
                           iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
          ins(%x, %omega : tensor<?x8x?x64xf32>, tensor<64x256xf32>) outs(%init : tensor<?x8x?x256xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %p = arith.mulf %a, %b : f32
        %s = arith.addf %c, %p : f32
        linalg.yield %s : f32
      } -> tensor<?x8x?x256xf32>
      %phi = spectral.feature_map rows(%u : tensor<?x8x?x256xf32>) features (%tile: tensor<?x256xf32>) {
        spectral.yield %tile : tensor<?x256xf32>
      } -> tensor<?x8x?x256xf32>
      return %phi : tensor<?x8x?x256xf32>
    }
    ==>
    func.func @relu(%x: tensor<?x8x?x64xf32>, %omega: tensor<64x256xf32>) -> tensor<?x8x?x256xf32> {
      %w = tensor.expand_shape %omega [[0, 1], [2]] output_shape [1, 64, 256]
        : tensor<64x256xf32> into tensor<1x64x256xf32>
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) parameters(%w : tensor<1x64x256xf32>)
          features (%tile: tensor<?x64xf32>, %omega_h: tensor<64x256xf32>) {
            %c0 = arith.constant 0 : index
            %zero = arith.constant 0.0 : f32
            %rows = tensor.dim %tile, %c0 : tensor<?x64xf32>
            %empty = tensor.empty(%rows) : tensor<?x256xf32>
            %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
            %u = linalg.matmul ins(%tile, %omega_h : tensor<?x64xf32>, tensor<64x256xf32>)
                               outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
            spectral.yield %u : tensor<?x256xf32>
          } -> tensor<?x8x?x256xf32>
      return %phi : tensor<?x8x?x256xf32>
    }
    ```

    From each operand, producers in the same block are taken last first, as long as they implement
    `RowwiseOpInterface` and classify as row-wise. Wherever the operations taken so far read the rows of one tensor
    `[B, H, N, D]` with a static D and the operand's element type, the operand can be cut; the deepest such cut is made,
    unless only views (`tensor.extract_slice`, `tensor.cast`) lie behind a shallower one. Operands that share a region
    get copies of it; if they end equal, canonicalization merges them.

    Not sunk: what stays in memory anyway, because a result is returned or read by anything but operations that sink
    (sizes by `tensor.dim` do not count: they are read from the new rows). An operation whose users are several
    attentions, or both operands of one, sinks into each of them.

    A remark of the category `spectral-fuse-feature-map` (`--remarks-filter`, `--remark-format=emitRemark`) says of
    each operand what was fused and, unless rows end at an argument of a function, why not more.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
  let options = [
    Option<"maxRowWidth", "max-row-width", "int64_t", /*default=*/"1024",
           "The most columns of rows that a region is given in place of narrower ones; a tile of them should "
           "stay in the L2 cache.">,
  ];
}

//===----------------------------------------------------------------------===//
// Route decompose
//===----------------------------------------------------------------------===//

def ConvertElementTypePass : Pass<"spectral-convert-element-type", "::mlir::ModuleOp"> {
  let summary = "Replaces every floating-point type by one.";
  let description = [{
    Gives function signatures, results, block arguments and constants the floating-point type `to`, whatever type they
    had, and drops extensions and truncations between such types. The file of an f32 graph then also compiles as its f64
    oracle. Constants keep the value that they had in their old type.

    ```mlir
    func.func @scale(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
      %c = arith.constant dense<0.5> : tensor<64xf32>
      return %x : tensor<?x64xf32>
    }
    ```
    ==>
    ```mlir
    func.func @scale(%x: tensor<?x64xf64>) -> tensor<?x64xf64> {
      %c = arith.constant dense<5.000000e-01> : tensor<64xf64>
      return %x : tensor<?x64xf64>
    }
    ```

    Preconditions: none; the module may hold any operation. Attributes of spectral operations (eps, amplitude, ...) are
    f64 by definition and stay. Refuses bit casts from or to floating-point types, and resources
    whose contents are missing.
  }];
  let options = [Option<"to", "to", "std::string", /*default=*/"\"f64\"", "The type that replaces all: f64 or f32">];
}

def DecomposePass : Pass<"spectral-decompose"> {
  let summary = "Writes spectral operations out as plain linalg.";
  let description = [{
    Replaces every spectral operation by `linalg`, `arith`, `math`, `tensor` and `scf` on tensors that state its formula
    and store its features: the independent route that is the oracle of the fused kernels.

    ```mlir
    func.func @smooth(%phi: tensor<?x256xf32>) -> tensor<?x257xf32> {
      %0 = spectral.constant_feature %phi {value = 1.0 : f64} : tensor<?x256xf32> -> tensor<?x257xf32>
      return %0 : tensor<?x257xf32>
    }
    ```
    ==>
    ```mlir
    func.func @smooth(%phi: tensor<?x256xf32>) -> tensor<?x257xf32> {
      %one = arith.constant 1.0 : f32
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %phi, %c0 : tensor<?x256xf32>
      %empty = tensor.empty(%rows) : tensor<?x257xf32>
      %features = tensor.insert_slice %phi into %empty[0, 0] [%rows, 256] [1, 1]
        : tensor<?x256xf32> into tensor<?x257xf32>
      %last = tensor.extract_slice %features[0, 256] [%rows, 1] [1, 1] : tensor<?x257xf32> to tensor<?x1xf32>
      %ones = linalg.fill ins(%one : f32) outs(%last : tensor<?x1xf32>) -> tensor<?x1xf32>
      %0 = tensor.insert_slice %ones into %features[0, 256] [%rows, 1] [1, 1] : tensor<?x1xf32> into tensor<?x257xf32>
      return %0 : tensor<?x257xf32>
    }
    ```

    Operations on `[B, H, N, D]` become loops over batch entries and heads; within, features of one head are stored, and
    causal attention carries its state from position to position. Exponents are relative to a maximum, so that the
    result is right for features of any size. Sums run over visible keys only. Loops are nested so that the innermost
    one is parallel and contiguous wherever the time is spent.

    Preconditions: none. Functions with the attribute `spectral.kernel` stay as they are, and so do launches: after
    outlining, what stayed outside of kernels is written out. With `ops=gaussian_frequencies,...` only the named
    operations are. With `keep-attention`, linear attention whose gradients fit a kernel stays, with
    `keep-differentiable` whatever else has a rule of reverse mode. Refuses names in `ops` that are not operations on
    tensors.
  }];
  let options = [
    ListOption<"ops", "ops", "std::string", "Operations to write out, without `spectral.` (all)">,
    Option<"keepDifferentiable", "keep-differentiable", "bool", "false",
           "Leave operations that implement ReverseDifferentiableOpInterface, except attention.">,
    Option<"keepAttention", "keep-attention", "bool", "false",
           "Leave linear attention that spectral-differentiate turns into linear_attention_grad.">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def DifferentiatePass : Pass<"spectral-differentiate", "::mlir::ModuleOp"> {
  let summary = "Write the derivatives that a graph asks for.";
  let description = [{
    Replaces `spectral.vjp` and `spectral.jvp` by the operations of the function and of its adjoint, by the rules of
    `ReverseDifferentiableOpInterface`. Only what depends on the inputs that are asked for is differentiated.
    Derivatives of functions that ask for derivatives are expanded from the inside. Private functions that are not used
    any more are removed.

    ```mlir
    func.func private @square(%x: tensor<4xf32>) -> tensor<4xf32> {
      %y = arith.mulf %x, %x : tensor<4xf32>
      return %y : tensor<4xf32>
    }
    func.func @gradient(%x: tensor<4xf32>, %cot: tensor<4xf32>) -> tensor<4xf32> {
      %y, %grad = spectral.vjp @square inputs(%x : tensor<4xf32>) cotangents(%cot : tensor<4xf32>) wrt [0]
        -> tensor<4xf32>, tensor<4xf32>
      return %grad : tensor<4xf32>
    }
    ```
    ==>
    ```mlir
    func.func @gradient(%x: tensor<4xf32>, %cot: tensor<4xf32>) -> tensor<4xf32> {
      %y = arith.mulf %x, %x : tensor<4xf32>
      %0 = arith.mulf %cot, %x : tensor<4xf32>
      %1 = arith.mulf %cot, %x : tensor<4xf32>
      %grad = arith.addf %0, %1 : tensor<4xf32>
      return %grad : tensor<4xf32>
    }
    ```

    `spectral.linear_attention` becomes `spectral.linear_attention_grad`, whose regions are its own; means and log
    variances of the frequencies that it reads get theirs from its moments, without the gradient of frequencies. With
    `decompose`, spectral operations of functions that are differentiated are written out first, except those that have
    a rule of their own and adjoints that have one, such as `spectral.dropout`. With `fuse`, rows sink into feature
    regions before, and attention whose gradients fit a kernel is not written out, unless derivatives of its gradients
    are asked for.

    Preconditions: none. Refuses, at the operation, what has no rule and depends on an input that is asked for, and
    functions that ask for their own derivative.
  }];
  let options = [
    Option<"decompose", "decompose", "bool", "false",
           "Write spectral operations of functions that are differentiated out first.">,
    Option<"fuse", "fuse", "bool", "false",
           "Fuse these functions before, and keep attention whose gradients fit a kernel.">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

//===----------------------------------------------------------------------===//
// Phase kernel
//===----------------------------------------------------------------------===//

def OutlineKernelsPass : Pass<"spectral-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Give each attention and feature map a function of its own.";
  let description = [{
    Moves `spectral.linear_attention`, `spectral.feature_map` and `spectral.exact_attention` into private functions
    `@FUNCTION_attention_N`, `@FUNCTION_features_N` and `@FUNCTION_exact_N` with the attribute `spectral.kernel`, and
    calls these by `spectral.launch` with destinations. Operations that do the same to operands of the same types share
    a function.

    ```mlir
    func.func @f(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
        spectral.yield %tile : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
      return %phi : tensor<?x8x?x64xf32>
    }
    ==>
    func.func @f(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %c0 = arith.constant 0 : index
      %c2 = arith.constant 2 : index
      %b = tensor.dim %x, %c0 : tensor<?x8x?x64xf32>
      %n = tensor.dim %x, %c2 : tensor<?x8x?x64xf32>
      %empty = tensor.empty(%b, %n) : tensor<?x8x?x64xf32>
      %phi = spectral.launch @f_features_0 ins(%x : tensor<?x8x?x64xf32>) outs(%empty : tensor<?x8x?x64xf32>)
        -> tensor<?x8x?x64xf32>
      return %phi : tensor<?x8x?x64xf32>
    }
    func.func private @f_features_0(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel} {
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
        spectral.yield %tile : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
      return %phi : tensor<?x8x?x64xf32>
    }
    ```

    Functions that have the attribute already are left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect",
                           "::bochner::spectral::SpectralDialect"];
}

def ChooseSchedulePass : Pass<"spectral-choose-schedule", "::mlir::func::FuncOp"> {
  let summary = "Choose how kernels are tiled and which form attention takes.";
  let description = [{
    Sets `spectral.schedule` on functions with the attribute `spectral.kernel`, from the vector registers of the target
    and the element type of the result.

    ```mlir
    func.func private @kernel(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel}
    ==>
    func.func private @kernel(tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel,
      spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                             register_columns = 64, row_chunk = 512>}
    ```

    A product keeps `register_rows` rows of as many vectors as the registers hold: 4 of 512 bits, 2 of 128 or 256 bits.
    A schedule that is already there is kept, so that it can be overridden in the IR. Refuses an attribute of that name
    that is not a schedule.

    In these functions `spectral.linear_attention` with `form<auto>` gets the form that takes the fewest multiplications
    where the numbers of queries and keys are static (`lib/Analysis/AttentionCost.h`), else `form<chunked>`.
  }];
  let dependentDialects = ["::bochner::spectral::SpectralDialect"];
  let options = [
    Option<"cpuVectorBits", "cpu-vector-bits", "int64_t", /*default=*/"512",
           "The width of vector registers: 128, 256 or 512.">,
    Option<"registers", "registers", "int64_t", /*default=*/"0",
           "The number of vector registers, at least 8; 0 stands for 32 of 512 bits and 16 of other widths.">,
    Option<"bf16Dot", "bf16-dot", "bool", /*default=*/"false",
           "Whether the target has AVX512_BF16, for the choice of form<auto>.">,
  ];
}

def FuseElementwisePass : Pass<"spectral-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Fuse elementwise linalg operations where nothing is computed twice.";
  let description = [{
    Fuses an elementwise `linalg` operation into the only one that reads its result, if that one is elementwise too and
    reads every element once. Not into a broadcast and not into a product or sum, which would compute the operation
    again for each element that they form from it.

    ```mlir
    #id = affine_map<(i) -> (i)>
    func.func @f(%x: tensor<64xf32>, %init: tensor<64xf32>) -> tensor<64xf32> {
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
          ins(%x : tensor<64xf32>) outs(%init : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32):
        %e = math.exp %a : f32
        linalg.yield %e : f32
      } -> tensor<64xf32>
      %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
          ins(%y : tensor<64xf32>) outs(%init : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32):
        %s = arith.addf %a, %a : f32
        linalg.yield %s : f32
      } -> tensor<64xf32>
      return %z : tensor<64xf32>
    }
    ```
    ==>
    ```mlir
    #id = affine_map<(i) -> (i)>
    func.func @f(%x: tensor<64xf32>, %init: tensor<64xf32>) -> tensor<64xf32> {
      %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
          ins(%x : tensor<64xf32>) outs(%init : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32):
        %e = math.exp %a : f32
        %s = arith.addf %e, %e : f32
        linalg.yield %s : f32
      } -> tensor<64xf32>
      return %z : tensor<64xf32>
    }
    ```

    Preconditions: none.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect"];
}

//===----------------------------------------------------------------------===//
// Contracts
//===----------------------------------------------------------------------===//

def VerifyPhasePass : Pass<"spectral-verify-phase", "::mlir::ModuleOp"> {
  let summary = "Verify that a module is what a phase promises.";
  let description = [{
    Ends every phase. Changes nothing, reports every violation, each with its likely cause.

    - `graph`, `fuse`: public functions exist and take and return ranked tensors of f64, f32, bf16, f16, i64, i32, i8 or
      i1; functions have bodies and call nothing; operations are of the dialects that graphs may use.
    - `kernel`: the same; `spectral` operations stand in kernel functions, and only `spectral.launch` outside of them.
    - `target`: functions and operations are of the LLVM dialect.

    ```mlir
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      return %x : tensor<4xf32>
    }
    ```

    Preconditions: none.
  }];
  let options = [
    Option<"phase", "phase", "std::string", "\"graph\"",
           "The phase that has run: graph, differentiate, fuse, kernel or target.">,
  ];
}

//===----------------------------------------------------------------------===//
// Debugging aids
//===----------------------------------------------------------------------===//

def PrintFeatureProgramsPass : Pass<"spectral-print-feature-programs"> {
  let summary = "Say which program a kernel runs for each feature region.";
  let description = [{
    Changes nothing. Emits the feature program of every region of `linear_attention` and `feature_map` as a remark on
    the operation: products, steps that must be complete before, and the features as expressions. A region that does not
    fit gets the error that `spectral-emit-cpu-kernels` would report.

    For this operation the remark reads `rows of 4 -> 4 log2 features`, `phi = [4: (1.4427*tile0)]`:
    ```mlir
    func.func @exp(%x: tensor<?x8x?x4xf32>) -> tensor<?x8x?x4xf32> {
      %phi = spectral.feature_map rows(%x : tensor<?x8x?x4xf32>) {domain = #spectral.domain<log>}
          features (%tile: tensor<?x4xf32>) {
            spectral.yield %tile : tensor<?x4xf32>
          } -> tensor<?x8x?x4xf32>
      return %phi : tensor<?x8x?x4xf32>
    }
    ```

    With `adjoint`, what follows is what a kernel of gradients has to compute: cotangents of products, rows and
    parameters in terms of those of features (in `domain<log>`: of their binary logarithms).

    Preconditions: none; after the phase `fuse` the regions are those of kernels.
  }];
  let options = [
    Option<"adjoint", "adjoint", "bool", "false", "Print the adjoint of each program too.">,
  ];
}

#endif // BOCHNER_PASSES
