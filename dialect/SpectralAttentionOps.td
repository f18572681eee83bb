//===- SpectralAttentionOps.td - linear and exact attention ----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_ATTENTION_OPS
#define BOCHNER_SPECTRAL_ATTENTION_OPS

include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/SpectralBase.td"

def Spectral_LinearAttentionOp : Spectral_Op<"linear_attention", [
    Pure, AttrSizedOperandSegments, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "Linear attention that owns its feature map.";
  let description = [{
    Computes attention with the kernel `phi(q) . phi(k)` in time linear in the number of positions.

    Formula: with `phi` the map of the region, mask `m_s = 1` if `s < lengths[b]` (and, if causal, `s <= l`),
    `out_l = (sum_s m_s phi(q_l) . phi(k_s) v_s) / (sum_s m_s phi(q_l) . phi(k_s) + eps exp(offset))`,
    query `[B, H, L, D]`, key `[B, H, S, D]`, value `[B, H, S, M]`, result `[B, H, L, M]`
    ("Transformers are RNNs", equations 4 and 5). The mask acts on `phi(k)`, so it reaches the denominator. The
    temperature is part of the map: the graph scales the rows.

    - Masks: `m_s = 0` also where `mask[b, s]` is false. `causality<anticausal>` is the scan from the other end:
      `s >= l`.
    - Grouped heads: keys and values may have fewer heads than queries; query head `h` reads key head
      `h / (H / H_kv)`, whose features are computed once.
    - Packed sequences: with `sequences` the only batch entry holds sequences one behind another; sequence `i` is rows
      `sequences[i]` to `sequences[i + 1]` of the queries and, unless `key_sequences` says otherwise, of the keys. The
      result is that of a loop over sequences.
    - State: `initial` adds keys seen before, `return_state` returns the sums over all keys: `S = sum phi(k) v^T`,
      `z = sum phi(k)` and, in `domain<log>`, `r` with `S` and `z` scaled by `2^-r`, feature by feature; see
      `spectral.attention_state`. A causal run over a whole sequence equals runs over its parts, each of which starts
      with the state that the one before returned. Every query sees the keys of `initial`.
    - `normalize = false`: `out_l` is the numerator alone.
    - `denominator<clamp>` moves `den + eps` out of `(-floor, floor)`, keeping its sign (0 counts as positive), before
      it divides: outputs stay bounded by the numerator over `floor`, biased towards zero in such rows.
      `denominator<count>` leaves the outputs as the formula says and returns how many queries of each head are there;
      those that see no key are not counted.
    - `return_denominators` returns, as the last result `[B, H, L, 1]`, what each row was divided by, `den + eps`, or
      its natural logarithm in `domain<log>`: `spectral.linear_attention_grad` needs it. It is unspecified for rows that
      see no key.
    - `return_checkpoints` returns the states before every n-th position of a causal scan, n = `checkpoint_interval`,
      in the order of the scan, so that `spectral.linear_attention_grad` need not scan the keys again: S
      `[B, H_kv, G, F, M]`, z `[B, H_kv, G, F]` and, in `domain<log>`, r, with `G = ceil(S / n)`. With `sequences` there
      are as many more as there are sequences, and those of sequence i begin at `sequences[i] / n + i`; what lies
      between is unspecified. Without `return_checkpoints` the interval is what differentiation will ask for; 0 lets it
      choose.

    Numerics: products accumulate in the element type (f32 for 16-bit inputs). In `domain<log>` the region yields
    `log phi`, and the op exponentiates with a running maximum of each feature over the keys, so features of any size
    neither overflow nor underflow; `eps` is compared with the unscaled denominator, exactly as the formula says. A
    query without a visible key (length 0) yields 0 for any `eps`. Denominators of maps that are not positive may be
    near zero; `denominator` says what then happens. Results do not depend on the number of threads. `form` names the
    order of the sums, which changes results by rounding only: `chunked` (blocks of rows and a state), `recurrent` (row
    by row, for decoding), `quadratic` (weights of all pairs, for short sequences), or `auto`: the cheapest of them
    where the numbers of queries and keys are static (with D = M = 64 and 256 features `quadratic` up to 64 positions,
    causal up to 256), else `chunked`. A kernel for any length is not compiled twice for the sake of short ones; name
    the form where sequences are known to be short. Weights are never stored beyond a tile.

    Constraints:
    - C1: 'query', 'key' and 'value' have rank 4, 'query' and 'key' one element type; that of 'value' and the result may
      be another one, but is f64 if theirs is.
    - C2: they agree in the batch dimension, 'key' and 'value' in the head dimension and the number of positions; the
      number of heads of 'query' is a multiple of that of 'key', and the same if either is dynamic.
    - C3: head dimensions, the value width and the number of features are static and positive.
    - C4: causal attention has as many queries as keys, unless 'initial' is given and it is not anticausal.
    - C5: 'lengths' has an element for each batch entry.
    - C6: 'offset' is `[B, H]` of the element type of 'query', or of f32 if that has 16 bits.
    - C7: the first dimension of each of 'parameters' is the number of key heads, or 1 if all heads share it.
    - C8: a region's arguments are a tile `tensor<?xD>` of the rows and each parameter without its first dimension.
    - C9: a region yields a tile `tensor<?xF>`; both regions yield the same F.
    - C10: 'eps' is finite and not negative.
    - C11: 'mask' is `[B, S]` of i1.
    - C12: with 'sequences' the batch dimension is 1, and there are neither 'lengths' nor states; 'key_sequences' has as
      many elements as 'sequences', without which it cannot stand. Without 'key_sequences' there are as many queries as
      keys.
    - C13: 'initial' is `S [B, H_kv, F, M]`, `z [B, H_kv, F]` and, in `domain<log>`, `r [B, H_kv, F]`.
      z and r have the type of accumulators: f64 for f64, f32 otherwise.
    - C14: with 'return_state' the results are 'out', then a state of such types, whose S has 'state_type' (that of z if
      not given); with `denominator<count>` counts `[B, H]` of i64 follow.
    - C15: 'floor' is finite and not negative, and positive where 'denominator' reads it; `clamp` and `count` need
      `domain<linear>` and 'normalize': positive features have positive denominators; `count` has no 'sequences'.
    - C16: `form<recurrent>` is causal, `form<quadratic>` has neither 'initial' nor 'return_state'.
    - C17: 'return_denominators' needs 'normalize', `denominator<none>`, and `form<chunked>` or `form<auto>`.
    - C18: 'checkpoint_interval' is a multiple of 64, and not 0 with 'return_checkpoints', which needs causality,
      `form<chunked>` or `form<auto>`, no 'initial', no 'key_sequences', and no 'lengths' if anticausal.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @gmm_prf(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                       %w: tensor<8x64x256xf32>, %lengths: tensor<?xi64>) -> tensor<?x8x?x64xf32> {
      %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
          value(%v : tensor<?x8x?x64xf32>) lengths(%lengths : tensor<?xi64>)
          parameters(%w : tensor<8x64x256xf32>) {domain = #spectral.domain<log>, eps = 1.0e-6 : f64}
          features (%x: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
            %c0 = arith.constant 0 : index
            %zero = arith.constant 0.0 : f32
            %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
            %empty = tensor.empty(%rows) : tensor<?x256xf32>
            %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
            %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                               outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
            %log_phi = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 256 : i64}
              : tensor<?x256xf32>, tensor<?x64xf32> -> tensor<?x256xf32>
            spectral.yield %log_phi : tensor<?x256xf32>
          } -> tensor<?x8x?x64xf32>
      return %out : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: `spectral-outline-kernels` gives it a function and a schedule, `spectral-emit-cpu-kernels` writes the
    kernel; `spectral-decompose` writes it out as plain `linalg` with stored features.
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
    Arg<Optional<Spectral_FloatTensor>, "Logarithm of a factor of eps `[B, H]`, for stabilized maps.">:$offset,
    Arg<Variadic<Spectral_FloatTensor>, "The state of keys seen before: S, z and, in `domain<log>`, r.">:$initial,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H_kv or 1, ...]`.">:$parameters,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain,
    DefaultValuedAttr<Spectral_CausalityAttr, "::bochner::spectral::Causality::none">:$causality,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps,
    DefaultValuedAttr<BoolAttr, "true">:$normalize,
    DefaultValuedAttr<Spectral_DenominatorAttr, "::bochner::spectral::Denominator::none">:$denominator,
    DefaultValuedAttr<F64Attr, "0.0">:$floor,
    DefaultValuedAttr<Spectral_FormAttr, "::bochner::spectral::Form::automatic">:$form,
    UnitAttr:$return_state,
    OptionalAttr<TypeAttr>:$state_type,
    UnitAttr:$return_checkpoints,
    DefaultValuedAttr<I64Attr, "0">:$checkpoint_interval,
    UnitAttr:$return_denominators);
  let results = (outs
    Res<Spectral_FloatTensor, "Attention `[B, H, L, M]`.">:$out,
    Res<Variadic<AnyRankedTensor>,
        "The final state, the counts, the checkpoints, the denominators, if asked for.">:$extra);
  let regions = (region SizedRegion<1>:$features, MaxSizedRegion<1>:$queryFeatures);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`sequences` `(` $sequences^ `:` type($sequences) `)`)?
    (`key_sequences` `(` $key_sequences^ `:` type($key_sequences) `)`)?
    (`offset` `(` $offset^ `:` type($offset) `)`)? (`initial` `(` $initial^ `:` type($initial) `)`)?
    (`parameters` `(` $parameters^ `:` type($parameters) `)`)? attr-dict
    `features` custom<FeatureRegion>($features) custom<QueryFeatureRegion>($queryFeatures) `->` type(results)
  }];
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// The region that maps queries: its own, or the keys'.
    ::mlir::Region &getQueryMap() { return getQueryFeatures().empty() ? getFeatures() : getQueryFeatures(); }
    int64_t getValueWidth();
    bool isCausal() { return getCausality() != Causality::none; }
    /// The final state, and the counts of small denominators; empty if not asked for.
    ::mlir::ValueRange getFinalState();
    ::mlir::Value getCounts();
    /// States at intervals; empty if not asked for.
    ::mlir::ValueRange getCheckpoints();
    /// What rows were divided by; null if not asked for.
    ::mlir::Value getRowDenominators() { return getReturnDenominators() ? getExtra().back() : ::mlir::Value(); }
    ::mlir::Value getKeySequencesOrShared() { return getKeySequences() ? getKeySequences() : getSequences(); }
  }];
}

def Spectral_ExactAttentionOp : Spectral_Op<"exact_attention", [
    Pure, AttrSizedOperandSegments, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified]> {
  let summary = "Attention with a kernel in closed form.";
  let description = [{
    Computes the attention that feature maps estimate, in quadratic time and without storing the weights.

    Formula: `out_l = sum_s m_s w_ls v_s / (sum_s m_s w_ls + eps)` with `w_ls = exp(scale q_l . k_s)` and no eps for
    `kernel<softmax>`, `w_ls = exp(-scale |q_l - k_s|^2 / 2)` for `kernel<gaussian>`; masks, causality, grouped heads,
    packed sequences, shapes and a query without a visible key as for `spectral.linear_attention`.

    Numerics: weights are exponentiated with a running maximum of each query ("Online normalizer calculation for
    softmax"); `eps` is compared with the unscaled denominator. Accumulates in the element type (f32 for 16-bit inputs).
    Results do not depend on the number of threads.

    Constraints:
    - C1: 'query', 'key' and 'value' have rank 4, 'query' and 'key' one element type; that of 'value' and the result may
      be another one, but is f64 if theirs is.
    - C2: they agree in the batch dimension, 'query' and 'key' in the head dimension, 'key' and 'value' in the number of
      heads and of positions; the number of heads of 'query' is a multiple of that of 'key', and the same if either is
      dynamic.
    - C3: the head dimension and the value width are static and positive.
    - C4: causal attention has as many queries as keys.
    - C5: 'lengths' has an element for each batch entry.
    - C6: 'scale' is finite, 'eps' is finite and not negative.
    - C7: 'mask' is `[B, S]` of i1.
    - C8: with 'sequences' the batch dimension is 1 and there are no 'lengths'; 'key_sequences' has as many elements as
      'sequences', without which it cannot stand. Without 'key_sequences' there are as many queries as keys.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @softmax(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
        -> tensor<?x8x?x64xf32> {
      %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
          value(%v : tensor<?x8x?x64xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64}
          -> tensor<?x8x?x64xf32>
      return %out : tensor<?x8x?x64xf32>
    }
    ```

    Lowering: as `spectral.linear_attention`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Queries `[B, H, L, D]`.">:$query,
    Arg<Spectral_FloatTensor, "Keys `[B, H, S, D]`.">:$key,
    Arg<Spectral_FloatTensor, "Values `[B, H, S, M]`.">:$value,
    Arg<Optional<Spectral_IndexVector>, "Number of kept keys of each batch entry `[B]`, in `[0, S]`.">:$lengths,
    Arg<Optional<Spectral_BoolMatrix>, "Which keys are kept, `[B, S]`.">:$mask,
    Arg<Optional<Spectral_IndexVector>,
        "Where packed sequences begin and the last one ends, `[sequences + 1]`.">:$sequences,
    Arg<Optional<Spectral_IndexVector>, "The same for keys, if they are packed otherwise.">:$key_sequences,
    Spectral_KernelAttr:$kernel, F64Attr:$scale,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps,
    DefaultValuedAttr<Spectral_CausalityAttr, "::bochner::spectral::Causality::none">:$causality);
  let results = (outs Res<Spectral_FloatTensor, "Attention `[B, H, L, M]`.">:$out);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`sequences` `(` $sequences^ `:` type($sequences) `)`)?
    (`key_sequences` `(` $key_sequences^ `:` type($key_sequences) `)`)? attr-dict `->` type($out)
  }];
  let extraClassDeclaration = [{
    bool isCausal() { return getCausality() != Causality::none; }
    ::mlir::Value getKeySequencesOrShared() { return getKeySequences() ? getKeySequences() : getSequences(); }
  }];
}

#endif // BOCHNER_SPECTRAL_ATTENTION_OPS
