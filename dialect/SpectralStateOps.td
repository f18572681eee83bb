//===- SpectralStateOps.td - attention in two halves -----------*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The summary form of linear attention, for decoding and for sequences that are split over devices: keys and values
// become a state, states of parts merge, queries are applied to a state.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_STATE_OPS
#define BOCHNER_SPECTRAL_STATE_OPS

include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/SpectralBase.td"

def Spectral_AttentionStateOp : Spectral_Op<"attention_state", [
    Pure, AttrSizedOperandSegments, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "The state of keys and values.";
  let description = [{
    Sums up what queries need to know of keys and values.

    Formula: with masks `m_s` as for `spectral.linear_attention`, `S_f = sum_s m_s phi_f(k_s) v_s` and
    `z_f = sum_s m_s phi_f(k_s)`, plus what `initial` holds; key `[B, H, S, D]`, value `[B, H, S, M]`, results
    `S [B, H, F, M]`, `z [B, H, F]`. In `domain<log>` a third result `r [B, H, F]` holds binary logarithms:
    `S_f = sum_s m_s phi_f(k_s) 2^-r_f v_s`, and z alike, with r near the largest `log2 phi_f`, so that features of any
    size stay in range. Where z is 0 there is no key, whatever r says: zeros are the state of no keys.

    Numerics: sums and z, r have f64 for f64 inputs, f32 otherwise; S is rounded to 'state_type' at the end. Partial
    sums merge in a fixed order, so that results do not depend on the number of threads.

    Constraints:
    - C1: 'key' and 'value' have rank 4 and one element type, and agree in the batch and head dimensions and in the
      number of positions.
    - C2: the head dimension, the value width and the number of features are static and positive.
    - C3: 'lengths' is `[B]`, 'mask' `[B, S]` of i1.
    - C4: 'initial' is a state: S, z and, in `domain<log>`, r.
    - C5: the first dimension of each of 'parameters' is H, or 1 if all heads share it.
    - C6: the region maps a tile `tensor<?xD>` and the parameters of a head to a tile `tensor<?xF>`.
    - C7: results are a state whose S has 'state_type', that of z if not given.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @state(%k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>)
        -> (tensor<?x8x64x32xf32>, tensor<?x8x64xf32>, tensor<?x8x64xf32>) {
      %s, %z, %r = spectral.attention_state key(%k : tensor<?x8x?x64xf32>) value(%v : tensor<?x8x?x32xf32>)
          {domain = #spectral.domain<log>}
          features (%x: tensor<?x64xf32>) {
            spectral.yield %x : tensor<?x64xf32>
          } -> tensor<?x8x64x32xf32>, tensor<?x8x64xf32>, tensor<?x8x64xf32>
      return %s, %z, %r : tensor<?x8x64x32xf32>, tensor<?x8x64xf32>, tensor<?x8x64xf32>
    }
    ```

    Lowering: as `spectral.linear_attention`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Keys `[B, H, S, D]`, before the feature map.">:$key,
    Arg<Spectral_FloatTensor, "Values `[B, H, S, M]`.">:$value,
    Arg<Optional<Spectral_IndexVector>, "Number of kept keys of each batch entry `[B]`, in `[0, S]`.">:$lengths,
    Arg<Optional<Spectral_BoolMatrix>, "Which keys are kept, `[B, S]`.">:$mask,
    Arg<Variadic<Spectral_FloatTensor>, "The state of keys seen before: S, z and, in `domain<log>`, r.">:$initial,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H or 1, ...]`.">:$parameters,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain,
    OptionalAttr<TypeAttr>:$state_type);
  let results = (outs Res<Variadic<Spectral_FloatTensor>, "S, z and, in `domain<log>`, r.">:$state);
  let regions = (region SizedRegion<1>:$features);
  let assemblyFormat = [{
    `key` `(` $key `:` type($key) `)` `value` `(` $value `:` type($value) `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`initial` `(` $initial^ `:` type($initial) `)`)?
    (`parameters` `(` $parameters^ `:` type($parameters) `)`)? attr-dict
    `features` custom<FeatureRegion>($features) `->` type($state)
  }];
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    int64_t getValueWidth();
  }];
}

def Spectral_MergeStatesOp : Spectral_Op<"merge_states", [
    Pure, AttrSizedOperandSegments, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified]> {
  let summary = "The state of the keys of two states.";
  let description = [{
    Merges states of different keys. Associative and commutative up to rounding, with the state of no keys (zeros) as
    its neutral element: parts of a sequence, on one device or on many, can be merged in any order.

    Formula: `S = S1 + S2`, `z = z1 + z2`; in `domain<log>`, `r = max(r1, r2)` over those with `z != 0`,
    `S = S1 2^(r1 - r) + S2 2^(r2 - r)`, and z alike.

    Numerics: computed in the type of z, rounded to that of S.

    Constraints:
    - C1: 'left' and 'right' are states of the same types: S `[B, H, F, M]`, z `[B, H, F]` and, in `domain<log>`,
      r `[B, H, F]`.

    Dynamic dimensions: batch and heads.

    Example:
    ```mlir
    func.func @merge(%s: tensor<?x8x64x32xf32>, %z: tensor<?x8x64xf32>, %t: tensor<?x8x64x32xf32>,
                     %y: tensor<?x8x64xf32>) -> (tensor<?x8x64x32xf32>, tensor<?x8x64xf32>) {
      %u, %w = spectral.merge_states left(%s, %z : tensor<?x8x64x32xf32>, tensor<?x8x64xf32>)
          right(%t, %y : tensor<?x8x64x32xf32>, tensor<?x8x64xf32>) -> tensor<?x8x64x32xf32>, tensor<?x8x64xf32>
      return %u, %w : tensor<?x8x64x32xf32>, tensor<?x8x64xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as `linalg` on both routes; it is bound by memory.
  }];
  let arguments = (ins
    Arg<Variadic<Spectral_FloatTensor>, "S, z and, in `domain<log>`, r.">:$left,
    Arg<Variadic<Spectral_FloatTensor>, "S, z and, in `domain<log>`, r.">:$right,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain);
  let results = (outs Res<Variadic<Spectral_FloatTensor>, "S, z and, in `domain<log>`, r.">:$state);
  let assemblyFormat = [{
    `left` `(` $left `:` type($left) `)` `right` `(` $right `:` type($right) `)` attr-dict `->` type($state)
  }];
}

def Spectral_ApplyStateOp : Spectral_Op<"apply_state", [
    Pure, AttrSizedOperandSegments, IsolatedFromAbove, InferTypeOpAdaptorWithIsCompatible, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_FeatureMapOpInterface>]> {
  let summary = "Attention of queries to the keys of a state.";
  let description = [{
    Applies queries to a state. Attention that is not causal is `apply_state(q, attention_state(k, v))`.

    Formula: `out_l = (sum_f phi_f(q_l) S_f) / (sum_f phi_f(q_l) z_f + eps exp(offset))`, with S and z times `2^r` in
    `domain<log>`; query `[B, H, L, D]`, state as `spectral.attention_state` returns it, result `[B, H, L, M]`.
    Grouped heads, 'offset', 'normalize' and 'denominator' as for `spectral.linear_attention`.

    Numerics: as for `spectral.linear_attention`; the state of no keys gives 0 for any `eps`.

    Constraints:
    - C1: 'query' has rank 4; its head dimension is static and positive.
    - C2: 'state' is a state: S `[B, H_kv, F, M]`, z `[B, H_kv, F]` and, in `domain<log>`, r `[B, H_kv, F]`; the number
      of heads of 'query' is a multiple of H_kv, and the same if either is dynamic.
    - C3: 'offset' is `[B, H]` of the element type of 'query'.
    - C4: the first dimension of each of 'parameters' is H_kv, or 1 if all heads share it.
    - C5: the region maps a tile `tensor<?xD>` and the parameters of a head to a tile `tensor<?xF>`.
    - C6: 'eps' and 'floor' are as for `spectral.linear_attention`; `denominator<count>` is not supported here.

    Dynamic dimensions: batch, heads and positions.

    Example:
    ```mlir
    func.func @apply(%q: tensor<?x8x?x64xf32>, %s: tensor<?x8x64x32xf32>, %z: tensor<?x8x64xf32>)
        -> tensor<?x8x?x32xf32> {
      %out = spectral.apply_state query(%q : tensor<?x8x?x64xf32>)
          state(%s, %z : tensor<?x8x64x32xf32>, tensor<?x8x64xf32>)
          features (%x: tensor<?x64xf32>) {
            spectral.yield %x : tensor<?x64xf32>
          } -> tensor<?x8x?x32xf32>
      return %out : tensor<?x8x?x32xf32>
    }
    ```

    Lowering: as `spectral.linear_attention`.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Queries `[B, H, L, D]`, before the feature map.">:$query,
    Arg<Variadic<Spectral_FloatTensor>, "S, z and, in `domain<log>`, r.">:$state,
    Arg<Optional<Spectral_FloatTensor>, "Logarithm of a factor of eps `[B, H]`, for stabilized maps.">:$offset,
    Arg<Variadic<AnyRankedTensor>, "Parameters of the map, `[H_kv or 1, ...]`.">:$parameters,
    DefaultValuedAttr<Spectral_DomainAttr, "::bochner::spectral::Domain::linear">:$domain,
    DefaultValuedAttr<F64Attr, "1.0e-6">:$eps,
    DefaultValuedAttr<BoolAttr, "true">:$normalize,
    DefaultValuedAttr<Spectral_DenominatorAttr, "::bochner::spectral::Denominator::none">:$denominator,
    DefaultValuedAttr<F64Attr, "0.0">:$floor);
  let results = (outs Res<Spectral_FloatTensor, "Attention `[B, H, L, M]`.">:$out);
  let regions = (region SizedRegion<1>:$features);
  let assemblyFormat = [{
    `query` `(` $query `:` type($query) `)` `state` `(` $state `:` type($state) `)`
    (`offset` `(` $offset^ `:` type($offset) `)`)?
    (`parameters` `(` $parameters^ `:` type($parameters) `)`)? attr-dict
    `features` custom<FeatureRegion>($features) `->` type($out)
  }];
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    int64_t getValueWidth();
  }];
}

#endif // BOCHNER_SPECTRAL_STATE_OPS
