//===- SpectralDerivativeOps.td - derivatives of functions -----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Derivatives are asked for in the graph: of a function, with respect to some of its arguments.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_DERIVATIVE_OPS
#define BOCHNER_SPECTRAL_DERIVATIVE_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/SpectralBase.td"

def Spectral_VjpOp : Spectral_Op<"vjp", [
    Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Results of a function and the gradient of their product with cotangents.";
  let description = [{
    Calls a function and differentiates it in reverse mode: what `jax.vjp` and `torch.autograd.grad` compute.

    Formula: `results = f(inputs)`; for each index `i` of 'wrt', `gradient_i = sum_j (d results_j / d inputs_i)^T
    cotangents_j`. Results of the operation are those of the function, then the gradients in the order of 'wrt'.

    Numerics: each gradient has the type of its input. Sums over 16-bit elements are computed in f32. Where a function
    is not differentiable (maxima, absolute values, comparisons), one of its subgradients.

    Constraints:
    - C1: 'callee' names a function with a body of one block in the symbol table.
    - C2: 'inputs' have the types of its arguments.
    - C3: 'cotangents' have the types of its results.
    - C4: 'wrt' holds indices of inputs, each once; these are tensors of floating-point elements.
    - C5: the results have the types of the function's results, then of the inputs of 'wrt'.

    Dynamic dimensions: those of the function; gradients have the sizes of their inputs.

    Example:
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

    Lowering: `spectral-differentiate`.
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Arg<Variadic<AnyType>, "Arguments of the function.">:$inputs,
    Arg<Variadic<AnyType>, "What the gradients of its results are.">:$cotangents,
    DenseI64ArrayAttr:$wrt);
  let results = (outs Res<Variadic<AnyType>, "Results of the function, then gradients.">:$results);
  let assemblyFormat = [{
    $callee `inputs` `(` $inputs `:` type($inputs) `)` `cotangents` `(` $cotangents `:` type($cotangents) `)`
    `wrt` $wrt attr-dict `->` type($results)
  }];
}

def Spectral_JvpOp : Spectral_Op<"jvp", [
    Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Results of a function and their derivatives along tangents.";
  let description = [{
    Calls a function and differentiates it in forward mode: what `jax.jvp` computes.

    Formula: `results = f(inputs)`; `tangent_j = sum_i (d results_j / d inputs_i) tangents_i` over the indices `i` of
    'wrt'. Results of the operation are those of the function, then a tangent for each. It is the derivative of
    `spectral.vjp` with respect to cotangents, in which that is linear, and needs no rules of its own.

    Numerics: those of `spectral.vjp`.

    Constraints:
    - C1: 'callee' names a function with a body of one block in the symbol table.
    - C2: 'inputs' have the types of its arguments.
    - C3: 'wrt' holds indices of inputs, each once; these are tensors of floating-point elements.
    - C4: 'tangents' have the types of the inputs of 'wrt'.
    - C5: the results have the types of the function's results, twice; these are tensors of floating-point elements.

    Dynamic dimensions: those of the function.

    Example:
    ```mlir
    func.func private @square(%x: tensor<4xf32>) -> tensor<4xf32> {
      %y = arith.mulf %x, %x : tensor<4xf32>
      return %y : tensor<4xf32>
    }
    func.func @derivative(%x: tensor<4xf32>, %dx: tensor<4xf32>) -> tensor<4xf32> {
      %y, %dy = spectral.jvp @square inputs(%x : tensor<4xf32>) tangents(%dx : tensor<4xf32>) wrt [0]
        -> tensor<4xf32>, tensor<4xf32>
      return %dy : tensor<4xf32>
    }
    ```

    Lowering: `spectral-differentiate`.
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$callee,
    Arg<Variadic<AnyType>, "Arguments of the function.">:$inputs,
    Arg<Variadic<AnyType>, "Directions.">:$tangents,
    DenseI64ArrayAttr:$wrt);
  let results = (outs Res<Variadic<AnyType>, "Results of the function, then their tangents.">:$results);
  let assemblyFormat = [{
    $callee `inputs` `(` $inputs `:` type($inputs) `)` `tangents` `(` $tangents `:` type($tangents) `)`
    `wrt` $wrt attr-dict `->` type($results)
  }];
}

#endif // BOCHNER_SPECTRAL_DERIVATIVE_OPS
