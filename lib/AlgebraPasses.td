//===- AlgebraPasses.td - kernels and their parameters ---------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A part of Passes.td: what rewrites graphs as formulas, before rows sink into regions.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_ALGEBRA_PASSES
#define BOCHNER_ALGEBRA_PASSES

include "mlir/Pass/PassBase.td"

def SplitAggregatesPass : Pass<"spectral-split-aggregates", "::mlir::func::FuncOp"> {
  let summary = "Split linalg operations that stand for several.";
  let description = [{
    Replaces operations such as `linalg.softmax` by the structured operations that they stand for, which later phases
    fuse and turn into loops.

    ```mlir
    func.func @softmax(%x: tensor<4xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
      %y = linalg.softmax dimension(0) ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>) -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```
    ==> (the exponentials of the differences from the largest element; their sum and the division follow)
    ```mlir
    #id = affine_map<(i) -> (i)>
    #scalar = affine_map<(i) -> ()>
    func.func @exponentials(%x: tensor<4xf32>, %max: tensor<f32>, %init: tensor<4xf32>) -> tensor<4xf32> {
      %y = linalg.generic {indexing_maps = [#id, #scalar, #id], iterator_types = ["parallel"]}
          ins(%x, %max : tensor<4xf32>, tensor<f32>) outs(%init : tensor<4xf32>) {
      ^bb0(%a: f32, %m: f32, %b: f32):
        %d = arith.subf %a, %m : f32
        %e = math.exp %d : f32
        linalg.yield %e : f32
      } -> tensor<4xf32>
      return %y : tensor<4xf32>
    }
    ```

    Preconditions: none. Refuses what MLIR cannot split.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ExpandKernelAlgebraPass : Pass<"spectral-expand-kernel-algebra", "::mlir::func::FuncOp"> {
  let summary = "Write sums and products of kernels as columns side by side.";
  let description = [{
    Replaces `spectral.kernel_sum` by its scaled terms side by side, and `spectral.kernel_product` in the way that takes
    the fewest multiplications a row. What is left are operations that sink into feature regions and have an expression
    in feature programs.

    ```mlir
    func.func @sum(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x8xf32> {
      %0 = spectral.kernel_sum %a, %b : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
      return %0 : tensor<?x8xf32>
    }
    ```
    ==>
    ```mlir
    func.func @sum(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x8xf32> {
      %c0 = arith.constant 0 : index
      %rows = tensor.dim %a, %c0 : tensor<?x4xf32>
      %empty = tensor.empty(%rows) : tensor<?x8xf32>
      %0 = tensor.insert_slice %a into %empty[0, 0] [%rows, 4] [1, 1] : tensor<?x4xf32> into tensor<?x8xf32>
      %1 = tensor.insert_slice %b into %0[0, 4] [%rows, 4] [1, 1] : tensor<?x4xf32> into tensor<?x8xf32>
      return %1 : tensor<?x8xf32>
    }
    ```

    A product of F_1 by F_2 features becomes

    - F_1 blocks of columns, `a_i b`, if F_1 is at most `max-blocks`: feature i of the left factor is then a number for
      each row. A kernel gets a step for each block, so many blocks compile slowly.
    - one projection, if both factors are `spectral.log_positive` of projections of the same rows x on parameters A and
      B: the `spectral.log_positive` of the projection of x on all sums A_i + B_j, where counts multiply and factors of
      the norm add up. D F_1 F_2 multiplications a row.
    - the product of two projections otherwise, on matrices of zeros and ones that repeat the columns of each factor:
      (F_1 + F_2) F_1 F_2 multiplications a row, taken as well if that is less than one projection takes.

    Features are the same in the same order. Within a feature region only blocks are possible, since parameters cannot
    be added there: more than `max-region-blocks` are refused. Preconditions: none. Remarks of the category
    `spectral-expand-kernel-algebra` say which way was taken, and why not one projection.
  }];
  let options = [
    Option<"maxBlocks", "max-blocks", "int64_t", /*default=*/"4",
           "The most features of a left factor that become blocks of columns.">,
    Option<"maxRegionBlocks", "max-region-blocks", "int64_t", /*default=*/"16",
           "The same within feature regions, where there is no other way.">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FoldProjectionsPass : Pass<"spectral-fold-projections", "::mlir::func::FuncOp"> {
  let summary = "Project rows once where they are projected on weights and then on frequencies.";
  let description = [{
    Rewrites `(x W) Omega` as `x (W Omega)` where that takes fewer multiplications a row.

    ```mlir
    #rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
    #p = affine_map<(b, h, n, f, d) -> (d, f)>
    #features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
    #contraction = {indexing_maps = [#rows, #p, #features],
                    iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
    func.func @relu(%x: tensor<?x8x?x64xf32>, %w: tensor<64x64xf32>, %omega: tensor<64x64xf32>,
                    %zeros: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
      %zero = arith.constant 0.0 : f32
      %init = linalg.fill ins(%zero : f32) outs(%zeros : tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
      %q = linalg.generic #contraction ins(%x, %w : tensor<?x8x?x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<?x8x?x64xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %t = arith.mulf %a, %b : f32
        %s = arith.addf %c, %t : f32
        linalg.yield %s : f32
      } -> tensor<?x8x?x64xf32>
      %u = linalg.generic #contraction ins(%q, %omega : tensor<?x8x?x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<?x8x?x64xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %t = arith.mulf %a, %b : f32
        %s = arith.addf %c, %t : f32
        linalg.yield %s : f32
      } -> tensor<?x8x?x64xf32>
      return %u : tensor<?x8x?x64xf32>
    }
    ```
    ==> (with `%w_omega`, the product of the two parameters, which costs once a call)
    ```mlir
    #rows = affine_map<(b, h, n, e, f) -> (b, h, n, e)>
    #p = affine_map<(b, h, n, e, f) -> (e, f)>
    #features = affine_map<(b, h, n, e, f) -> (b, h, n, f)>
    func.func @relu(%x: tensor<?x8x?x64xf32>, %w_omega: tensor<64x64xf32>, %init: tensor<?x8x?x64xf32>)
        -> tensor<?x8x?x64xf32> {
      %u = linalg.generic {indexing_maps = [#rows, #p, #features],
                           iterator_types = ["parallel", "parallel", "parallel", "reduction", "parallel"]}
          ins(%x, %w_omega : tensor<?x8x?x64xf32>, tensor<64x64xf32>) outs(%init : tensor<?x8x?x64xf32>) {
      ^bb0(%a: f32, %b: f32, %c: f32):
        %t = arith.mulf %a, %b : f32
        %s = arith.addf %c, %t : f32
        linalg.yield %s : f32
      } -> tensor<?x8x?x64xf32>
      return %u : tensor<?x8x?x64xf32>
    }
    ```

    Rows `[B, H, N, E]` times W `[H?, E, D]`, times Omega `[H?, D, F]`, with dimensions of parameters in any order and
    constant factors between the two products. One projection takes E F multiplications a row, two take E D + D F; if
    anything else reads the rows between them, such as the norm of a positive map, E D happen in any case and do not
    count. The first product starts from zero.

    Refuses nothing. Remarks of the category `spectral-fold-projections` give the counts, and say why two projections
    stay.
  }];
  let options = [
    Option<"maxRowWidth", "max-row-width", "int64_t", /*default=*/"1024",
           "The most columns of rows in place of narrower ones, as in spectral-fuse-feature-map.">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FoldConstantsPass : Pass<"spectral-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "Compute what depends on constants only.";
  let description = [{
    Replaces frequencies and structured operations of constants by constants: for graphs whose parameters are baked in.

    ```mlir
    func.func @frequencies() -> tensor<2x2xf32> {
      %omega = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
      %mean = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
      %sigma = arith.constant dense<0.0> : tensor<f32>
      %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
        : tensor<2x2xf32>, tensor<2xf32>, tensor<f32> -> tensor<2x2xf32>
      return %w : tensor<2x2xf32>
    }
    ```
    ==>
    ```mlir
    func.func @frequencies() -> tensor<2x2xf32> {
      %w = arith.constant dense<[[1.5, 2.5], [2.5, 3.5]]> : tensor<2x2xf32>
      return %w : tensor<2x2xf32>
    }
    ```

    A Gaussian with mean 0 and log variance 0 gives its base, whether that is constant or not. Structured operations are
    evaluated if they have one result of static shape, operands indexed by plain loops, and bodies of addf, subf, mulf,
    divf, negf, cmpf, select, exp, sqrt and tanh. Values are computed in f64 and rounded once to the element type, so
    that they may differ in the last place from what the operation yields. Operations with more elements, or more steps
    of their loops, than `max-operations` stay; so do those that only repeat elements, since a constant would be larger
    than what it is made of, and everything in feature regions.
  }];
  let options = [Option<"maxOperations", "max-operations", "int64_t", /*default=*/"1 << 20",
                        "The most steps that are evaluated for one operation.">];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def HoistParametersPass : Pass<"spectral-hoist-parameters", "::mlir::ModuleOp"> {
  let summary = "Make a function of its own of what depends on parameters only.";
  let description = [{
    Splits a public function `@f` in two: `@f.prepare` takes parameters and draws and makes the values that depend on
    nothing else, such as frequencies or the output of the network that generates them; `@f` takes these as arguments
    `prepared_0`, `prepared_1`, ... in their place. A caller whose parameters stay between calls, as in serving, pays
    for them once.

    ```mlir
    func.func @attention(%q: tensor<?x8x?x64xf32> {bochner.name = "q"},
                         %mean: tensor<8x64xf32> {bochner.name = "param_mean", bochner.init = "uniform(0.1)"},
                         %sigma: tensor<8x64xf32> {bochner.name = "param_sigma", bochner.init = "uniform(0.1)"},
                         %omega: tensor<64x256xf32> {bochner.name = "rand_omega", bochner.init = "normal(1)"})
        -> (tensor<?x8x?x64xf32>, tensor<8x64x256xf32>) {
      %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
        {covariance = #spectral.covariance<diagonal>}
        : tensor<64x256xf32>, tensor<8x64xf32>, tensor<8x64xf32> -> tensor<8x64x256xf32>
      %out = spectral.feature_map rows(%q : tensor<?x8x?x64xf32>) parameters(%w : tensor<8x64x256xf32>)
          features (%x: tensor<?x64xf32>, %omega_h: tensor<64x256xf32>) {
            spectral.yield %x : tensor<?x64xf32>
          } -> tensor<?x8x?x64xf32>
      return %out, %w : tensor<?x8x?x64xf32>, tensor<8x64x256xf32>
    }
    ```
    ==>
    ```mlir
    func.func @attention(%q: tensor<?x8x?x64xf32> {bochner.name = "q"},
                         %w: tensor<8x64x256xf32> {bochner.name = "prepared_0"}) -> tensor<?x8x?x64xf32> {
      %out = spectral.feature_map rows(%q : tensor<?x8x?x64xf32>) parameters(%w : tensor<8x64x256xf32>)
          features (%x: tensor<?x64xf32>, %omega_h: tensor<64x256xf32>) {
            spectral.yield %x : tensor<?x64xf32>
          } -> tensor<?x8x?x64xf32>
      return %out : tensor<?x8x?x64xf32>
    }
    func.func @attention.prepare(
        %mean: tensor<8x64xf32> {bochner.name = "param_mean", bochner.init = "uniform(0.1)"},
        %sigma: tensor<8x64xf32> {bochner.name = "param_sigma", bochner.init = "uniform(0.1)"},
        %omega: tensor<64x256xf32> {bochner.name = "rand_omega", bochner.init = "normal(1)"})
        -> (tensor<8x64x256xf32> {bochner.name = "prepared_0"}, tensor<8x64x256xf32>) {
      %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
        {covariance = #spectral.covariance<diagonal>}
        : tensor<64x256xf32>, tensor<8x64xf32>, tensor<8x64xf32> -> tensor<8x64x256xf32>
      return %w, %w : tensor<8x64x256xf32>, tensor<8x64x256xf32>
    }
    ```

    Parameters are the arguments with a `bochner.init`, or those that `parameters` names. Results that depend on
    parameters only, such as running statistics, move to `@f.prepare` with their names. Constants, sizes, views and
    filled tensors stay where they are read. Preconditions: the function has one block; it is not called within the
    module, since its signature changes. Run it after the passes that form new parameters
    (`spectral-expand-kernel-algebra`, `spectral-fold-projections`), so that these are prepared too.

    Refuses names in `parameters` that no argument has, and a module that has `@f.prepare` already. Remarks of the
    category `spectral-hoist-parameters` say what was hoisted, or why nothing was.
  }];
  let options = [ListOption<"parameters", "parameters", "std::string",
                            "Names of the arguments that stay the same between calls (those with an initializer)">];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

#endif // BOCHNER_ALGEBRA_PASSES
