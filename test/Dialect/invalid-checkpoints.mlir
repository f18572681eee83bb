// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// States that the forward pass saves at intervals: C18 of linear_attention, C8 of linear_attention_grad.

func.func @c18_interval(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected 'checkpoint_interval' to be a multiple of 64, but got 100}}
  %out = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      {causality = #spectral.causality<causal>, checkpoint_interval = 100 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>
  return
}

// -----

func.func @c18_none(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected 'checkpoint_interval' to be a positive multiple of 64, but got 0}}
  %out = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      {causality = #spectral.causality<causal>, return_checkpoints}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>
  return
}

// -----

func.func @c18_causality(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected causality with checkpoints; without it there is one state, 'return_state'}}
  %out, %sums, %zs = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      {return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @c18_lengths(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected no checkpoints with 'key_sequences', or with 'lengths' if anticausal, where positions of a scan are those of no tensor}}
  %out, %sums, %zs = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>) lengths(%n : tensor<1xi64>)
      {causality = #spectral.causality<anticausal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @c18_sequences(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected no checkpoints with 'key_sequences', or with 'lengths' if anticausal, where positions of a scan are those of no tensor}}
  %out, %sums, %zs = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>) sequences(%i : tensor<2xi64>) key_sequences(%i : tensor<2xi64>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x?x8x8xf32>, tensor<1x2x?x8xf32>
  return
}

// -----

func.func @c18_initial(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected no 'initial', and form<chunked> or form<auto>, with 'return_checkpoints'}}
  %out, %sums, %zs = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>) initial(%s, %z : tensor<1x2x8x8xf32>, tensor<1x2x8xf32>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @c18_form(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x8x8xf32>, %z: tensor<1x2x8xf32>, %i: tensor<2xi64>, %n: tensor<1xi64>) {
  // expected-error @below {{expected no 'initial', and form<chunked> or form<auto>, with 'return_checkpoints'}}
  %out, %sums, %zs = spectral.linear_attention query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64, form = #spectral.form<recurrent>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @c8_interval(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x2x8x8xf32>, %z: tensor<1x2x2x8xf32>) {
  // expected-error @below {{expected 'checkpoint_interval' to be a positive multiple of 64, but got 0}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      output(%q : tensor<1x2x128x8xf32>) cotangent(%q : tensor<1x2x128x8xf32>) checkpoints(%s, %z : tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>
  return
}

// -----

func.func @c8_causality(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x2x8x8xf32>, %z: tensor<1x2x2x8xf32>) {
  // expected-error @below {{expected causality with checkpoints; without it there is one state, 'return_state'}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      output(%q : tensor<1x2x128x8xf32>) cotangent(%q : tensor<1x2x128x8xf32>) checkpoints(%s, %z : tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>) {checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>
  return
}

// -----

func.func @c8_types(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x2x8x8xf32>, %z: tensor<1x2x2x8xf32>) {
  // expected-error @below {{expected 'checkpoints' to be of types 'tensor<1x2x1x8x8xf32>', 'tensor<1x2x1x8xf32>', but got 'tensor<1x2x2x8x8xf32>', 'tensor<1x2x2x8xf32>'}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      output(%q : tensor<1x2x128x8xf32>) cotangent(%q : tensor<1x2x128x8xf32>) checkpoints(%s, %z : tensor<1x2x2x8x8xf32>, tensor<1x2x2x8xf32>) {causality = #spectral.causality<causal>, checkpoint_interval = 128 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>
  return
}

// -----

func.func @c8_number(%q: tensor<1x2x128x8xf32>, %s: tensor<1x2x2x8x8xf32>, %z: tensor<1x2x2x8xf32>) {
  // expected-error @below {{expected 'checkpoints' to be of types 'tensor<1x2x2x8x8xf32>', 'tensor<1x2x2x8xf32>', but got 'tensor<1x2x2x8x8xf32>'}}
  %dq, %dk, %dv = spectral.linear_attention_grad query(%q : tensor<1x2x128x8xf32>) key(%q : tensor<1x2x128x8xf32>) value(%q : tensor<1x2x128x8xf32>)
      output(%q : tensor<1x2x128x8xf32>) cotangent(%q : tensor<1x2x128x8xf32>) checkpoints(%s : tensor<1x2x2x8x8xf32>) {causality = #spectral.causality<causal>, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>
  return
}
