//===- SpectralDerivativeOps.td - derivatives of functions -----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Derivatives are asked for in the graph: of a function, with respect to some of its arguments. Those of linear
// attention are an operation of their own, which is fused like its forward pass.
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

def Spectral_LinearAttentionGradOp : Spectral_Op<"linear_attention_grad", [
    Pure, AttrSizedOperandSegments, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified]> {
  let summary = "Gradients of linear attention.";
  let description = [{
    The adjoint of `spectral.linear_attention`: gradients of queries, keys, values and parameters of the map, for the
    cotangent of the result. Features are computed again tile by tile, so that nothing of size N x F is stored. Of the
    forward pass it needs the result; the states that `return_state` or, with causality, `return_checkpoints` give, and
    the denominators that `return_denominators` gives, are computed again unless they are given.

    Formula: with `den_l` the denominator of row l, eps included, `g_l = cotangent_l / den_l` and `w_l = -g_l . out_l`,
    sums over the pairs of which query l sees key s:
    `d phi(q_l) = sum_s (g_l . v_s + w_l) phi(k_s)`, `d phi(k_s) = sum_l (g_l . v_s + w_l) phi(q_l)`,
    `d v_s = sum_l (phi(q_l) . phi(k_s)) g_l`. Without causality these are products with `S = sum_s phi(k_s) v_s^T`,
    `z = sum_s phi(k_s)`, `dS = sum_l phi(q_l) g_l^T` and `dz = sum_l w_l phi(q_l)`. With `normalize = false`, g is the
    cotangent and w is 0. The region gives d q, d k and the gradients of parameters, by its adjoint.

    Of a matrix whose columns spread around a center, `P[d, f] = s_f c[d] + ...`, those who chose c and the spread want
    two sums over the columns of its gradient dP, not all of it. For each parameter of 'moments', with its center c of
    'centers', the results are `m0[d] = sum_f s_f dP[d, f]` and `m1[d] = sum_f dP[d, f] (P[d, f] - s_f c[d])`, where s_f
    is 1, or with `mean_sign<plus_minus>` -1 in the second half of the columns. A kernel gets them without the product
    that dP is: m1 comes with the gradients of rows.

    Which keys a query sees, grouped heads and packed sequences are as in `spectral.linear_attention`.

    Numerics: as `spectral.linear_attention`. In `domain<log>` features carry the scales of the forward pass, so that
    none of the sums leaves its range. A query without a visible key has the gradient 0, as has a key that no query
    sees. In m1, `P - s_f c` has the error that P was rounded with, so m1 has fewer digits only where P holds few of the
    spread: for c = 1, f32 and a spread of 1e-3, relative errors of 2e-4. Sums have an order that depends on shapes
    only, so results do not depend on the number of threads.

    Constraints:
    - C1: 'query', 'key', 'value', 'lengths', 'mask', 'sequences', 'key_sequences', 'parameters' and the regions are as
      those of `spectral.linear_attention`.
    - C2: 'output' and 'cotangent' are `[B, H, L, M]` of the element type of 'value'.
    - C3: 'wrt' and 'moments' hold indices of 'parameters' of floating-point elements, each once in one of the two.
    - C4: 'eps' is finite and not negative.
    - C5: 'state' is that of an operation without causality and 'sequences', its S of the type of accumulators.
    - C6: 'denominators' is `[B, H, L, 1]` of the type of accumulators; it needs 'normalize'.
    - C7: 'offset' is that of `spectral.linear_attention`. It has no gradient here: eps and 'denominators' say what it
      is worth.
    - C8: 'checkpoints' are those of `spectral.linear_attention` at 'checkpoint_interval', under the same conditions.
    - C9: the parameters of 'moments' are `[H_kv or 1, D, F]`, F even for `mean_sign<plus_minus>`; 'centers' has a
      tensor for each, of its type without the last dimension.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @gradients(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                         %out: tensor<?x8x?x64xf32>, %cot: tensor<?x8x?x64xf32>, %scales: tensor<8x64xf32>)
        -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x64xf32>) {
      %dq, %dk, %dv, %dscales = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>)
          key(%k : tensor<?x8x?x64xf32>) value(%v : tensor<?x8x?x64xf32>) output(%out : tensor<?x8x?x64xf32>)
          cotangent(%cot : tensor<?x8x?x64xf32>) parameters(%scales : tensor<8x64xf32>)
          {domain = #spectral.domain<log>, wrt = array<i64: 0>}
          features (%x: tensor<?x64xf32>, %scale: tensor<64xf32>) {
            %c0 = arith.constant 0 : index
            %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
            %empty = tensor.empty(%rows) : tensor<?x64xf32>
            %log_phi = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                                        affine_map<(i, j) -> (i, j)>],
                                       iterator_types = ["parallel", "parallel"]}
                ins(%x, %scale : tensor<?x64xf32>, tensor<64xf32>) outs(%empty : tensor<?x64xf32>) {
            ^bb0(%a: f32, %s: f32, %b: f32):
              %y = arith.mulf %a, %s : f32
              linalg.yield %y : f32
            } -> tensor<?x64xf32>
            spectral.yield %log_phi : tensor<?x64xf32>
          } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x64xf32>
      return %dq, %dk, %dv, %dscales
        : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x64xf32>
    }
    ```

    Lowering: `spectral-outline-kernels` gives it a function and a schedule, `spectral-emit-cpu-kernels` writes the
    kernel; `spectral-decompose` writes the forward pass out and differentiates that.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Queries `[B, H, L, D]`, before the feature map.">:$query,
    Arg<Spectral_FloatTensor, "Keys `[B, H, S, D]`, before the feature map.">:$key,
    Arg<Spectral_FloatTensor, "Values `[B, H, S, M]`.">:$value,
    Arg<Optional<Spectral_IndexVector>, "Number of kept keys of each batch entry `[B]`, in `[0, S]`.">:$lengths,
    Arg<Optional<Spectral_BoolMatrix>, "Which keys are kept, `[B, S]`.">:$mask,
    Arg<Optional<Spectral_IndexVector>,
        "Where packed sequences begin and the last one ends, `[sequences + 1]`.">:$sequences,
    Arg<Optional<Spectral_IndexVector>, "The same for keys, if they are packed otherwise.">:$key_sequences,
    Arg<Spectral_FloatTensor, "The attention `[B, H, L, M]`.">:$output,
    Arg<Spectral_FloatTensor, "Its cotangent `[B, H, L, M]`.">:$cotangent,
    Arg<Variadic<Spectral_FloatTensor>, "The state of all keys: S, z and, in `domain<log>`, r.">:$state,
    Arg<Optional<Spectral_FloatTensor>, "What rows were divided by, `[B, H, L, 1]`.">:$denominators,
    Arg<Optional<Spectral_FloatTensor>, "Logarithm of a factor of eps `[B, H]`.">:$offset,
    Arg<Variadic<Spectral_FloatTensor>, "States before every 'checkpoint_interval'-th position.">:$checkpoints,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H_kv or 1, ...]`.">:$parameters,
    Arg<Variadic<Spectral_FloatTensor>, "Centers of the parameters of 'moments', `[H_kv or 1, D]`.">:$centers,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain,
    DefaultValuedAttr<Spectral_CausalityAttr, "::bochner::spectral::Causality::none">:$causality,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps,
    DefaultValuedAttr<BoolAttr, "true">:$normalize,
    DefaultValuedAttr<I64Attr, "0">:$checkpoint_interval,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$wrt,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$moments,
    DefaultValuedAttr<Spectral_MeanSignAttr, "::bochner::spectral::MeanSign::plus">:$mean_sign);
  let results = (outs
    Res<Spectral_FloatTensor, "Gradient of the queries.">:$grad_query,
    Res<Spectral_FloatTensor, "Gradient of the keys.">:$grad_key,
    Res<Spectral_FloatTensor, "Gradient of the values.">:$grad_value,
    Res<Variadic<Spectral_FloatTensor>,
        "Gradients of the parameters that 'wrt' names, then m0 and m1 of each that 'moments' names.">:$grad_parameters);
  let regions = (region SizedRegion<1>:$features, MaxSizedRegion<1>:$queryFeatures);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`sequences` `(` $sequences^ `:` type($sequences) `)`)?
    (`key_sequences` `(` $key_sequences^ `:` type($key_sequences) `)`)?
    `output` `(` $output `:` type($output) `)` `cotangent` `(` $cotangent `:` type($cotangent) `)`
    (`state` `(` $state^ `:` type($state) `)`)? (`denominators` `(` $denominators^ `:` type($denominators) `)`)?
    (`offset` `(` $offset^ `:` type($offset) `)`)?
    (`checkpoints` `(` $checkpoints^ `:` type($checkpoints) `)`)?
    (`parameters` `(` $parameters^ `:` type($parameters) `)`)? (`centers` `(` $centers^ `:` type($centers) `)`)?
    attr-dict `features` custom<FeatureRegion>($features) custom<QueryFeatureRegion>($queryFeatures) `->` type(results)
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Region &getQueryMap() { return getQueryFeatures().empty() ? getFeatures() : getQueryFeatures(); }
    int64_t getFeatureCount();
    int64_t getValueWidth();
    bool isLogDomain() { return getDomain() == Domain::log; }
    bool isCausal() { return getCausality() != Causality::none; }
    ::mlir::Value getKeySequencesOrShared() { return getKeySequences() ? getKeySequences() : getSequences(); }
    /// What each of 'grad_parameters' has the type of.
    ::llvm::SmallVector<::mlir::Value> getParametersOfGradients();
  }];
}

#endif // BOCHNER_SPECTRAL_DERIVATIVE_OPS
