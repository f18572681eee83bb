// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// attention_state and merge_states. Labels c1, c2, ... are those of the documentation.

func.func @attention_state_c1_rank(%k: tensor<?x2x?x8x1xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'key' to have rank 4, but got 'tensor<?x2x?x8x1xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8x1xf32>) value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c1_value(%k: tensor<?x2x?x8xf32>, %v: tensor<4xf32>) {
  // expected-error @below {{expected 'value' to have rank 4, but got 'tensor<4xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c1_type(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf64>) {
  // expected-error @below {{expected 'value' to have the element type of 'key' ('f32'), but got 'tensor<?x2x?x4xf64>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c1_batch(%k: tensor<3x2x?x8xf32>, %v: tensor<2x2x?x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'value' to be 3 (dimension 0 of 'key'), but got 2}}
  %s, %z = spectral.attention_state key(%k : tensor<3x2x?x8xf32>) value(%v : tensor<2x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c1_heads(%k: tensor<?x2x?x8xf32>, %v: tensor<?x3x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'value' to be 2 (dimension 1 of 'key'), but got 3}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x3x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c1_positions(%k: tensor<?x2x5x8xf32>, %v: tensor<?x2x6x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'value' to be 5 (dimension 2 of 'key'), but got 6}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x5x8xf32>) value(%v : tensor<?x2x6x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c2_head_dimension(%k: tensor<?x2x?x?xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'key' (head dimension) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x?xf32>) value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c2_value_width(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x0xf32>) {
  // expected-error @below {{expected dimension 3 of 'value' (value width) to be static and positive, but got 'tensor<?x2x?x0xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x0xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x0xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c3_lengths(%k: tensor<3x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<2xi64>) {
  // expected-error @below {{expected dimension 0 of 'lengths' to be 3 (dimension 0 of 'key'), but got 2}}
  %s, %z = spectral.attention_state key(%k : tensor<3x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      lengths(%n : tensor<2xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c3_mask(%k: tensor<?x2x5x8xf32>, %v: tensor<?x2x?x4xf32>, %m: tensor<?x6xi1>) {
  // expected-error @below {{expected dimension 1 of 'mask' to be 5 (dimension 2 of 'key'), but got 6}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x5x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      mask(%m : tensor<?x6xi1>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c4_count(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %s0: tensor<?x2x8x4xf32>,
                                    %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'initial' to have 3 tensors (S, z and r), but got 2}}
  %s, %z, %r = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c4_width(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %s0: tensor<?x2x8x5xf32>,
                                    %z0: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'initial' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x2x8x5xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      initial(%s0, %z0 : tensor<?x2x8x5xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c5(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<4x3xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'key'), but got 4}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<4x3xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<3xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c6(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected argument 0 of 'features' to be a tile of rows 'tensor<?x8xf32>', but got 'tensor<?x9xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x9xf32>) {
        spectral.yield %x : tensor<?x9xf32>
      } -> tensor<?x2x9x4xf32>, tensor<?x2x9xf32>
  return
}

// -----

func.func @attention_state_c7_state_type(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{must be variadic of ranked tensor of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values, but got 'tensor<?x2x8x4xi32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      {state_type = i32}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xi32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c7_log(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x8x4xf32>', 'tensor<?x2x8xf32>', 'tensor<?x2x8xf32>' are incompatible with return type(s) of operation 'tensor<?x2x8x4xf32>', 'tensor<?x2x8xf32>'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_c7_sums(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x8x4xf16>', 'tensor<?x2x8xf32>' are incompatible}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      {state_type = f16}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @attention_state_misspelt(%k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'causality'; known are 'domain', 'state_type'}}
  %s, %z = spectral.attention_state key(%k : tensor<?x2x?x8xf32>) value(%v : tensor<?x2x?x4xf32>)
      {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_c1_count(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf32>,
                                 %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'left' and 'right' to have 3 tensors (S, z and r) each, but got 2 and 2}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>) {domain = #spectral.domain<log>}
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_c1_linear(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf32>,
                                  %e: tensor<?x2x8xf32>, %f: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'left' and 'right' to have 2 tensors (S and z) each, but got 2 and 3}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e, %f : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>)
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_c1_rank(%a: tensor<2x8x4xf32>, %b: tensor<2x8xf32>, %d: tensor<2x8x4xf32>,
                                %e: tensor<2x8xf32>) {
  // expected-error @below {{expected 'left' to have rank 4, but got 'tensor<2x8x4xf32>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<2x8x4xf32>, tensor<2x8xf32>)
      right(%d, %e : tensor<2x8x4xf32>, tensor<2x8xf32>)
      -> tensor<2x8x4xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @merge_states_c1_features(%a: tensor<?x2x?x4xf32>, %b: tensor<?x2x?xf32>, %d: tensor<?x2x8x4xf32>,
                                    %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected dimension 2 of 'left' (number of features) to be static and positive, but got 'tensor<?x2x?x4xf32>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x?x4xf32>, tensor<?x2x?xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      -> tensor<?x2x?x4xf32>, tensor<?x2x?xf32>
  return
}

// -----

func.func @merge_states_c1_width(%a: tensor<?x2x8x?xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf32>,
                                 %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected dimension 3 of 'left' (value width) to be static and positive, but got 'tensor<?x2x8x?xf32>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x?xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      -> tensor<?x2x8x?xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_c1_left(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x7xf32>, %d: tensor<?x2x8x4xf32>,
                                %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 1 of 'left' to be 'tensor<?x2x8xf32>', but got 'tensor<?x2x7xf32>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x7xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      -> tensor<?x2x8x4xf32>, tensor<?x2x7xf32>
  return
}

// -----

func.func @merge_states_c1_right(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x3x8x4xf32>,
                                 %e: tensor<?x3x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'right' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x3x8x4xf32>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x3x8x4xf32>, tensor<?x3x8xf32>)
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_c1_type(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf16>,
                                %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'right' to have the element type of 'left' ('f32'), but got 'tensor<?x2x8x4xf16>'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x2x8x4xf16>, tensor<?x2x8xf32>)
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @merge_states_result(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf32>,
                               %e: tensor<?x2x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x8x4xf32>', 'tensor<?x2x8xf32>' are incompatible}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf64>
  return
}

// -----

func.func @merge_states_misspelt(%a: tensor<?x2x8x4xf32>, %b: tensor<?x2x8xf32>, %d: tensor<?x2x8x4xf32>,
                                 %e: tensor<?x2x8xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'eps'; known are 'domain'}}
  %s, %z = spectral.merge_states left(%a, %b : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      right(%d, %e : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>) {eps = 0.0 : f64}
      -> tensor<?x2x8x4xf32>, tensor<?x2x8xf32>
  return
}
