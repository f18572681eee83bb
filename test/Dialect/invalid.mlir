// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// linear_attention; invalid-regions.mlir has its parameters and regions. Labels c1, c2, ... are those of the documentation.

func.func @linear_attention_c1(%q: tensor<?x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'query' to have rank 4, but got 'tensor<?x?x8xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c1_key(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8x1xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'key' to have rank 4, but got 'tensor<?x2x?x8x1xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8x1xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c1_value(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<4xf32>) {
  // expected-error @below {{expected 'value' to have rank 4, but got 'tensor<4xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c1_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf64>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'key' to have the element type of 'query' ('f32'), but got 'tensor<?x2x?x8xf64>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c1_value_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf64>) {
  // expected-error @below {{expected 'value' to have the element type of 'query' ('f32'), but got 'tensor<?x2x?x4xf64>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c2_batch(%q: tensor<3x2x?x8xf32>, %k: tensor<4x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'key' to be 3 (dimension 0 of 'query'), but got 4}}
  %out = spectral.linear_attention query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<4x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c2_heads(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x3x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'value' to be 2 (dimension 1 of 'key'), but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x3x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c2_positions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x6x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'value' to be 5 (dimension 2 of 'key'), but got 6}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x6x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c2_head_dimension(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'key' to be 8 (dimension 3 of 'query'), but got 16}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x16xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c3_query(%q: tensor<?x2x?x?xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'query' (head dimension) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x?xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c3_value(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x0xf32>) {
  // expected-error @below {{expected dimension 3 of 'value' (value width) to be static and positive, but got 'tensor<?x2x?x0xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x0xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x0xf32>
  return
}

// -----

func.func @linear_attention_c4(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x6x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 7 (dimension 2 of 'query'), but got 6}}
  %out = spectral.linear_attention query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x6x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c5(%q: tensor<3x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<2xi64>) {
  // expected-error @below {{expected dimension 0 of 'lengths' to be 3 (dimension 0 of 'query'), but got 2}}
  %out = spectral.linear_attention query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%n : tensor<2xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c5_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<?xf32>) {
  // expected-error @below {{must be 1D tensor of 32-bit signless integer or 64-bit signless integer or index values, but got 'tensor<?xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%n : tensor<?xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c6_rank(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %o: tensor<2xf32>) {
  // expected-error @below {{expected 'offset' to have rank 2, but got 'tensor<2xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) offset(%o : tensor<2xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c6_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %o: tensor<?x2xf64>) {
  // expected-error @below {{expected 'offset' to have the element type of 'query' ('f32'), but got 'tensor<?x2xf64>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) offset(%o : tensor<?x2xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c6_short(%q: tensor<?x2x?x8xbf16>, %k: tensor<?x2x?x8xbf16>, %v: tensor<?x2x?x4xbf16>, %o: tensor<?x2xf64>) {
  // expected-error @below {{expected 'offset' to have the element type of 'query' ('bf16'), but got 'tensor<?x2xf64>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xbf16>) key(%k : tensor<?x2x?x8xbf16>)
      value(%v : tensor<?x2x?x4xbf16>) offset(%o : tensor<?x2xf64>)
      features (%x: tensor<?x8xbf16>) {
        spectral.yield %x : tensor<?x8xbf16>
      } -> tensor<?x2x?x4xbf16>
  return
}

// -----

func.func @linear_attention_c6_heads(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %o: tensor<?x3xf32>) {
  // expected-error @below {{expected dimension 1 of 'offset' to be 2 (dimension 1 of 'query'), but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) offset(%o : tensor<?x3xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c10(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got -1}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {eps = -1.0 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c10_infinite(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got INF}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {eps = 0x7FF0000000000000 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_result(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{'spectral.linear_attention' op inferred type(s) 'tensor<?x2x?x4xf32>' are incompatible with return type(s) of operation 'tensor<?x2x?x5xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x5xf32>
  return
}

// -----

func.func @linear_attention_misspelt(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'causal'; known are 'causality', 'checkpoint_interval', 'denominator', 'domain', 'eps', 'floor', 'form', 'normalize', 'return_checkpoints', 'return_denominators', 'return_state', 'state_type'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {causal}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}
