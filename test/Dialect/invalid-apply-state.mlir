// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// apply_state. Labels c1, c2, ... are those of the documentation.

func.func @apply_state_c1_rank(%q: tensor<?x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'query' to have rank 4, but got 'tensor<?x?x8xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c1_static(%q: tensor<?x2x?x?xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected dimension 3 of 'query' (head dimension) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x?xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_count(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'state' to have 3 tensors (S, z and r), but got 2}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_rank(%q: tensor<?x2x?x8xf32>, %s: tensor<2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'state' to have rank 4, but got 'tensor<2x8x4xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_width(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x?xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected dimension 3 of 'state' (value width) to be static and positive, but got 'tensor<?x2x8x?xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x?xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_features(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x9xf32>) {
  // expected-error @below {{expected tensor 1 of 'state' to be 'tensor<?x2x8xf32>', but got 'tensor<?x2x9xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x9xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_batch(%q: tensor<3x2x?x8xf32>, %s: tensor<5x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'state' to be 'tensor<3x2x8x4xf32>', but got 'tensor<5x2x8x4xf32>'}}
  %out = spectral.apply_state query(%q : tensor<3x2x?x8xf32>)
      state(%s, %z : tensor<5x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c2_groups(%q: tensor<?x3x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected dimension 1 of 'query' to be a multiple of 2 (dimension 1 of 'state'), but got 3}}
  %out = spectral.apply_state query(%q : tensor<?x3x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x3x?x4xf32>
  return
}

// -----

func.func @apply_state_c3_rank(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>,
                               %o: tensor<2xf32>) {
  // expected-error @below {{expected 'offset' to have rank 2, but got 'tensor<2xf32>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      offset(%o : tensor<2xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c3_type(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>,
                               %o: tensor<?x2xf64>) {
  // expected-error @below {{expected 'offset' to have the element type of 'query' ('f32'), but got 'tensor<?x2xf64>'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      offset(%o : tensor<?x2xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c3_heads(%q: tensor<?x4x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>,
                                %o: tensor<?x2xf32>) {
  // expected-error @below {{expected dimension 1 of 'offset' to be 4 (dimension 1 of 'query'), but got 2}}
  %out = spectral.apply_state query(%q : tensor<?x4x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      offset(%o : tensor<?x2xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x4x?x4xf32>
  return
}

// -----

func.func @apply_state_c4(%q: tensor<?x4x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>,
                          %w: tensor<4x3xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'state'), but got 4}}
  %out = spectral.apply_state query(%q : tensor<?x4x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      parameters(%w : tensor<4x3xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<3xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x4x?x4xf32>
  return
}

// -----

func.func @apply_state_c5(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>,
                          %w: tensor<2x3xf32>) {
  // expected-error @below {{expected 'features' to have 2 arguments (a tile of rows and 1 parameters), but got 1}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      parameters(%w : tensor<2x3xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c6_eps(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got -1}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {eps = -1.0 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c6_floor(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected a positive 'floor' for denominator<clamp>, but got 0}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {denominator = #spectral.denominator<clamp>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_c6_count(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected denominator<none> or denominator<clamp>, but got denominator<count>; count in 'spectral.linear_attention'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {denominator = #spectral.denominator<count>, floor = 0.5 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @apply_state_result(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x4xf32>' are incompatible}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x5xf32>
  return
}

// -----

func.func @apply_state_misspelt(%q: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x4xf32>, %z: tensor<?x2x8xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'return_state'; known are 'denominator', 'domain', 'eps', 'floor', 'normalize'}}
  %out = spectral.apply_state query(%q : tensor<?x2x?x8xf32>)
      state(%s, %z : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      {return_state}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}
