// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// What the forward pass returns to its adjoint: C17 of linear_attention, C5 and C6 of linear_attention_grad.

func.func @c17_normalize(%q: tensor<1x2x4x8xf32>, %offset: tensor<1x2xf32>) {
  // expected-error @below {{expected 'return_denominators' with 'normalize' and denominator<none>}}
  %out, %den = spectral.linear_attention query(%q : tensor<1x2x4x8xf32>) key(%q : tensor<1x2x4x8xf32>) value(%q : tensor<1x2x4x8xf32>) {return_denominators, normalize = false}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x4x8xf32>, tensor<1x2x4x1xf32>
  return
}

// -----

func.func @c17_form(%q: tensor<1x2x4x8xf32>, %offset: tensor<1x2xf32>) {
  // expected-error @below {{expected form<chunked> or form<auto> with 'return_denominators', but got form<quadratic>}}
  %out, %den = spectral.linear_attention query(%q : tensor<1x2x4x8xf32>) key(%q : tensor<1x2x4x8xf32>) value(%q : tensor<1x2x4x8xf32>) {return_denominators, form = #spectral.form<quadratic>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x4x8xf32>, tensor<1x2x4x1xf32>
  return
}

// -----

func.func @c5_causal(%q: tensor<1x2x4x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %den: tensor<1x2x4x1xf32>,
           %short: tensor<1x2x4xf32>) {
  // expected-error @below {{expected no 'state' with causality or 'sequences', where queries see different keys}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x4x8xf32>) key(%q : tensor<1x2x4x8xf32>) value(%q : tensor<1x2x4x8xf32>)
      output(%q : tensor<1x2x4x8xf32>) cotangent(%q : tensor<1x2x4x8xf32>) state(%s, %z : tensor<1x2x8x8xf32>, tensor<1x2x8xf32>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  return
}

// -----

func.func @c6_normalize(%q: tensor<1x2x4x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %den: tensor<1x2x4x1xf32>,
           %short: tensor<1x2x4xf32>) {
  // expected-error @below {{expected 'denominators' with 'normalize' only}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x4x8xf32>) key(%q : tensor<1x2x4x8xf32>) value(%q : tensor<1x2x4x8xf32>)
      output(%q : tensor<1x2x4x8xf32>) cotangent(%q : tensor<1x2x4x8xf32>) denominators(%den : tensor<1x2x4x1xf32>) {normalize = false}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  return
}

// -----

func.func @c6_type(%q: tensor<1x2x4x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %den: tensor<1x2x4x1xf32>,
           %short: tensor<1x2x4xf32>) {
  // expected-error @below {{expected 'denominators' to be of type 'tensor<1x2x4x1xf32>', but got 'tensor<1x2x4xf32>'}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x4x8xf32>) key(%q : tensor<1x2x4x8xf32>) value(%q : tensor<1x2x4x8xf32>)
      output(%q : tensor<1x2x4x8xf32>) cotangent(%q : tensor<1x2x4x8xf32>) denominators(%short : tensor<1x2x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>
  return
}
