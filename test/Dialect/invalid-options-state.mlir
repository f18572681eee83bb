// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// States of linear_attention. Labels c12, c13, ... are those of the documentation.

func.func @linear_attention_c12_initial(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                        %s: tensor<?xi64>, %s0: tensor<?x2x8x4xf32>, %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected no state with 'sequences', whose number no dimension tells; pad them and give 'lengths'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      sequences(%s : tensor<?xi64>)
      initial(%s0, %z0 : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_return_state(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %s: tensor<?xi64>) {
  // expected-error @below {{expected no state with 'sequences', whose number no dimension tells; pad them and give 'lengths'}}
  %out:3 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      sequences(%s : tensor<?xi64>)
      {return_state}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @linear_attention_c13_count(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                      %s0: tensor<?x2x8x4xf32>, %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'initial' to have 3 tensors (S, z and r), but got 2}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c13_linear(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                       %s0: tensor<?x2x8x4xf32>, %z0: tensor<?x2x8xf32>, %r0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'initial' to have 2 tensors (S and z), but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0, %r0 : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c13_features(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %s0: tensor<?x2x7x4xf32>, %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'initial' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x2x7x4xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x7x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

// States belong to heads of keys.
func.func @linear_attention_c13_heads(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                      %s0: tensor<?x2x8x4xf32>, %z0: tensor<?x4x8xf32>) {
  // expected-error @below {{expected tensor 1 of 'initial' to be 'tensor<?x2x8xf32>', but got 'tensor<?x4x8xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x4x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x4xf32>, tensor<?x4x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x4x?x4xf32>
  return
}

// -----

func.func @linear_attention_c13_dynamic(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                        %s0: tensor<?x2x?x4xf32>, %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'initial' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x2x?x4xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x?x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

// S may be rounded, z may not.
func.func @linear_attention_c13_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                     %s0: tensor<?x2x8x4xbf16>, %z0: tensor<?x2x8xbf16>) {
  // expected-error @below {{expected tensor 1 of 'initial' to be 'tensor<?x2x8xf32>', but got 'tensor<?x2x8xbf16>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x4xbf16>, tensor<?x2x8xbf16>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c14_state_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'state_type' to be a floating-point type, but got 'i32'}}
  %out:3 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {return_state, state_type = i32}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2x8x4xi32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @linear_attention_c14_missing(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x4xf32>', 'tensor<?x2x8x4xf32>', 'tensor<?x2x8xf32>' are incompatible with return type(s) of operation 'tensor<?x2x?x4xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {return_state}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c14_sums(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x4xf32>', 'tensor<?x2x8x4xbf16>', 'tensor<?x2x8xf32>' are incompatible}}
  %out:3 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {return_state, state_type = bf16}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @linear_attention_c14_counts(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x4xf32>', 'tensor<?x2xi64>' are incompatible}}
  %out:2 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {denominator = #spectral.denominator<count>, floor = 0.5 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2xi32>
  return
}

// -----

func.func @linear_attention_c16_initial(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                        %s0: tensor<?x2x8x4xf32>, %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected no state for form<quadratic>, which has none; use form<chunked>}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {form = #spectral.form<quadratic>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c16_return_state(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                             %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected no state for form<quadratic>, which has none; use form<chunked>}}
  %out:3 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {form = #spectral.form<quadratic>, return_state}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}
