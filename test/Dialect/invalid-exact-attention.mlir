// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// exact_attention. Labels c1, c2, ... are those of the documentation.

func.func @exact_attention_c1(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<2x?x4xf32>) {
  // expected-error @below {{expected 'value' to have rank 4, but got 'tensor<2x?x4xf32>'}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c2(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'key' to be 8 (dimension 3 of 'query'), but got 16}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x16xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c3(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x?xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'key' (head dimension) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x?xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c4(%q: tensor<?x2x4x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 4 (dimension 2 of 'query'), but got 5}}
  %out = spectral.exact_attention query(%q : tensor<?x2x4x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, causality = #spectral.causality<causal>}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c5(%q: tensor<3x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<4xi32>) {
  // expected-error @below {{expected dimension 0 of 'lengths' to be 3 (dimension 0 of 'query'), but got 4}}
  %out = spectral.exact_attention query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%n : tensor<4xi32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c6_scale(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'scale' to be finite, but got nan}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0x7FF8000000000000 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c6_eps(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got -1}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, eps = -1.0 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_result(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x4xf32>' are incompatible}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x3x?x4xf32>
  return
}

// -----

func.func @exact_attention_missing(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{requires attribute 'scale'}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_misspelt(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'temperature'; known are 'causality', 'eps', 'kernel', 'scale'}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, temperature = 0.5 : f64}
      -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c2_groups(%q: tensor<?x6x?x8xf32>, %k: tensor<?x4x?x8xf32>, %v: tensor<?x4x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'query' to be a multiple of 4 (dimension 1 of 'key'), but got 6}}
  %out = spectral.exact_attention query(%q : tensor<?x6x?x8xf32>) key(%k : tensor<?x4x?x8xf32>)
      value(%v : tensor<?x4x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64}
      -> tensor<?x6x?x4xf32>
  return
}

// -----

func.func @exact_attention_c4_anticausal(%q: tensor<?x2x3x8xf32>, %k: tensor<?x2x4x8xf32>, %v: tensor<?x2x4x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 3 (dimension 2 of 'query'), but got 4}}
  %out = spectral.exact_attention query(%q : tensor<?x2x3x8xf32>) key(%k : tensor<?x2x4x8xf32>)
      value(%v : tensor<?x2x4x4xf32>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<?x2x3x4xf32>
  return
}

// -----

func.func @exact_attention_c7(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x5x4xf32>,
                              %m: tensor<?x6xi1>) {
  // expected-error @below {{expected dimension 1 of 'mask' to be 5 (dimension 2 of 'key'), but got 6}}
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x5x4xf32>) mask(%m : tensor<?x6xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c8_batch(%q: tensor<3x2x?x8xf32>, %k: tensor<3x2x?x8xf32>, %v: tensor<3x2x?x4xf32>,
                                    %s: tensor<?xi64>) {
  // expected-error @below {{expected dimension 0 of 'key' to be 1, since 'sequences' are packed along its rows, but got 3}}
  %out = spectral.exact_attention query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<3x2x?x8xf32>)
      value(%v : tensor<3x2x?x4xf32>) sequences(%s : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<3x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c8_lengths(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x4xf32>,
                                      %n: tensor<1xi64>, %s: tensor<?xi64>) {
  // expected-error @below {{expected 'lengths' or 'sequences', but got both; sequences say how long they are}}
  %out = spectral.exact_attention query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<1x2x?x4xf32>) lengths(%n : tensor<1xi64>) sequences(%s : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<1x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c8_keys_alone(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x4xf32>,
                                         %s: tensor<?xi64>) {
  // expected-error @below {{expected 'sequences' with 'key_sequences', but they are not given}}
  %out = spectral.exact_attention query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<1x2x?x4xf32>) key_sequences(%s : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<1x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c8_counts(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x4xf32>,
                                     %s: tensor<4xi64>, %t: tensor<5xi64>) {
  // expected-error @below {{expected dimension 0 of 'key_sequences' to be 4 (dimension 0 of 'sequences'), but got 5}}
  %out = spectral.exact_attention query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<1x2x?x4xf32>) sequences(%s : tensor<4xi64>) key_sequences(%t : tensor<5xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<1x2x?x4xf32>
  return
}

// -----

func.func @exact_attention_c8_rows(%q: tensor<1x2x6x8xf32>, %k: tensor<1x2x7x8xf32>, %v: tensor<1x2x7x4xf32>,
                                   %s: tensor<?xi64>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 6 (dimension 2 of 'query'), but got 7}}
  %out = spectral.exact_attention query(%q : tensor<1x2x6x8xf32>) key(%k : tensor<1x2x7x8xf32>)
      value(%v : tensor<1x2x7x4xf32>) sequences(%s : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<1x2x6x4xf32>
  return
}
