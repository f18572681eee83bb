// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Parameters and regions of linear_attention; feature_map and yield. Labels c1, c2, ... are those of the documentation.

func.func @linear_attention_c7_heads(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<3x8xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'key'), but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<3x8xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c7_scalar(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<f32>) {
  // expected-error @below {{expected parameter 0 to have a first dimension for heads, but got 'tensor<f32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<f32>)
      features (%x: tensor<?x8xf32>, %p: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c7_dynamic(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<2x?xf32>) {
  // expected-error @below {{expected parameter 0 to be static but for its first dimension, but got 'tensor<2x?xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<2x?xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c8_count(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<2x8xf32>) {
  // expected-error @below {{expected 'features' to have 2 arguments (a tile of rows and 1 parameters), but got 1}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c8_tile(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected argument 0 of 'features' to be a tile of rows 'tensor<?x8xf32>', but got 'tensor<?x4xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
        spectral.yield %x : tensor<?x4xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c8_parameter(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<2x8xf32>) {
  // expected-error @below {{expected argument 1 of 'features' to be the slice of one head 'tensor<8xf32>' of parameter 0, but got 'tensor<2x8xf32>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<2x8xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<2x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c8_query(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'query_features' to have 1 arguments (a tile of rows and 0 parameters), but got 2}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } query_features (%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c9_tile(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        %c = tensor.cast %x : tensor<?x8xf32> to tensor<8x8xf32>
        // expected-error @below {{expected a tile of features tensor<?xFx'f32'> with a static number F of features, but got 'tensor<8x8xf32>'}}
        spectral.yield %c : tensor<8x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c9_count(%q: tensor<?x2x?x4xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'query_features' to yield 8 features as 'features' does, but got 4}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x4xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } query_features (%x: tensor<?x4xf32>) {
        spectral.yield %x : tensor<?x4xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c9_yield(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'features' to end with 'spectral.yield', but got 'llvm.unreachable'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        llvm.unreachable
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @feature_map_c1_rank(%x: tensor<?x8xf32>) {
  // expected-error @below {{expected 'rows' to have rank 4, but got 'tensor<?x8xf32>'}}
  %out = spectral.feature_map rows(%x : tensor<?x8xf32>) features (%t: tensor<?x8xf32>) {
    spectral.yield %t : tensor<?x8xf32>
  } -> tensor<?x8xf32>
  return
}

// -----

func.func @feature_map_c1_static(%x: tensor<?x2x?x?xf32>) {
  // expected-error @below {{expected dimension 3 of 'rows' (head dimension) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x?xf32>) features (%t: tensor<?x8xf32>) {
    spectral.yield %t : tensor<?x8xf32>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @feature_map_c2(%x: tensor<?x2x?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'rows'), but got 4}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) parameters(%w : tensor<4x8xf32>) features (%t: tensor<?x8xf32>, %p: tensor<8xf32>) {
    spectral.yield %t : tensor<?x8xf32>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @feature_map_c3(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected argument 0 of 'features' to be a tile of rows 'tensor<?x8xf32>', but got 'tensor<4x8xf32>'}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<4x8xf32>) {
    spectral.yield %t : tensor<4x8xf32>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @feature_map_c4(%x: tensor<?x2x?x8xf32>) {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<?x8xf32>) {
    %wide = arith.extf %t : tensor<?x8xf32> to tensor<?x8xf64>
    // expected-error @below {{'spectral.yield' op expected a tile of features tensor<?xFx'f32'>}}
    spectral.yield %wide : tensor<?x8xf64>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @feature_map_result(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x8xf32>' are incompatible with return type(s) of operation 'tensor<?x2x?x9xf32>'}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<?x8xf32>) {
    spectral.yield %t : tensor<?x8xf32>
  } -> tensor<?x2x?x9xf32>
  return
}

// -----

func.func @feature_map_c5(%x: tensor<?x2x?x8xbf16>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x8xbf16>' are incompatible with return type(s) of operation 'tensor<?x2x?x8xf16>'}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xbf16>) features (%t: tensor<?x8xbf16>) {
    spectral.yield %t : tensor<?x8xbf16>
  } -> tensor<?x2x?x8xf16>
  return
}

// -----

func.func @feature_map_misspelt(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'domains'; known are 'domain'}}
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) {domains} features (%t: tensor<?x8xf32>) {
    spectral.yield %t : tensor<?x8xf32>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @yield_misspelt(%x: tensor<?x2x?x8xf32>) {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<?x8xf32>) {
    // expected-error @below {{expected an attribute of the operation, but got 'log'; known are none}}
    spectral.yield %t {log} : tensor<?x8xf32>
  } -> tensor<?x2x?x8xf32>
  return
}

// -----

func.func @yield_parent(%x: tensor<?x8xf32>) {
  // expected-error @below {{expects parent op to be one of 'spectral.linear_attention, spectral.linear_attention_grad, spectral.attention_state, spectral.apply_state, spectral.feature_map'}}
  spectral.yield %x : tensor<?x8xf32>
}
