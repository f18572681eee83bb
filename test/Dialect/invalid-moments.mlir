// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Moments of the gradients of parameters: C3 and C9 of linear_attention_grad.

func.func @linear_attention_grad_c3_moments(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x6xf32>, %m0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'moments' to hold indices of the 1 parameters, but got 1}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x6xf32>) centers(%m0 : tensor<2x8xf32>)
      {moments = array<i64: 1>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c3_both(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x6xf32>, %m0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'wrt' and 'moments' to name each parameter once, but got 0 again}}
  %g:6 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x6xf32>) centers(%m0 : tensor<2x8xf32>)
      {wrt = array<i64: 0>, moments = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8x6xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c9_count(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x6xf32>, %m0: tensor<2x8xf32>, %m1: tensor<2x8xf32>) {
  // expected-error @below {{expected 'centers' to have a tensor for each of the 1 parameters of 'moments', but got 2}}
  %g:7 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x6xf32>) centers(%m0, %m1 : tensor<2x8xf32>, tensor<2x8xf32>)
      {moments = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c9_rank(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>, %m0: tensor<2xf32>) {
  // expected-error @below {{expected parameters of 'moments' to have rank 3, but got 'tensor<2x8xf32>' as number 0}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>) centers(%m0 : tensor<2xf32>)
      {moments = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2xf32>, tensor<2xf32>
  return
}

// -----

func.func @linear_attention_grad_c9_columns(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x5xf32>, %m0: tensor<2x8xf32>) {
  // expected-error @below {{expected parameters of 'moments' to have an even number of columns for mean_sign<plus_minus>, but got 'tensor<2x8x5xf32>' as number 0}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x5xf32>) centers(%m0 : tensor<2x8xf32>)
      {moments = array<i64: 0>, mean_sign = #spectral.mean_sign<plus_minus>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x5xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c9_width(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x6xf32>, %m0: tensor<2x7xf32>) {
  // expected-error @below {{expected the center of parameter 0 to be of type 'tensor<2x8xf32>', but got 'tensor<2x7xf32>'}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x6xf32>) centers(%m0 : tensor<2x7xf32>)
      {moments = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x7xf32>, tensor<2x7xf32>
  return
}

// -----

func.func @linear_attention_grad_c9_element(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>, %p1: tensor<2x8x6xf32>, %m0: tensor<2x8xf64>) {
  // expected-error @below {{expected the center of parameter 1 to be of type 'tensor<2x8xf32>', but got 'tensor<2x8xf64>'}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0, %p1 : tensor<2x8xf32>, tensor<2x8x6xf32>) centers(%m0 : tensor<2x8xf64>)
      {moments = array<i64: 1>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>, %a1: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf64>, tensor<2x8xf64>
  return
}

// -----

func.func @linear_attention_grad_c9_scalar(
    %q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %p0: tensor<2x8x6xf32>, %m0: tensor<f32>) {
  // expected-error @below {{expected the center of parameter 0 to be of type 'tensor<2x8xf32>', but got 'tensor<f32>'}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8x6xf32>) centers(%m0 : tensor<f32>)
      {moments = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<f32>, tensor<f32>
  return
}
