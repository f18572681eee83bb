// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Options of linear_attention. Labels c2, c4, ... are those of the documentation.

func.func @linear_attention_c2_groups(%q: tensor<?x3x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'query' to be a multiple of 2 (dimension 1 of 'key'), but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x3x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x3x?x4xf32>
  return
}

// -----

func.func @linear_attention_c4_anticausal(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x6x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 7 (dimension 2 of 'query'), but got 6}}
  %out = spectral.linear_attention query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x6x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {causality = #spectral.causality<anticausal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x7x4xf32>
  return
}

// -----

// Keys read features of their own heads, which are fewer than those of queries.
func.func @linear_attention_c7_of_query_heads(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                              %w: tensor<4x3xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'key'), but got 4}}
  %out = spectral.linear_attention query(%q : tensor<?x4x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<4x3xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<3xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x4x?x4xf32>
  return
}

// -----

func.func @linear_attention_c11_batch(%q: tensor<?x2x?x8xf32>, %k: tensor<3x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                      %m: tensor<2x?xi1>) {
  // expected-error @below {{expected dimension 0 of 'mask' to be 3 (dimension 0 of 'key'), but got 2}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<3x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      mask(%m : tensor<2x?xi1>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c11_positions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %m: tensor<?x6xi1>) {
  // expected-error @below {{expected dimension 1 of 'mask' to be 5 (dimension 2 of 'key'), but got 6}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      mask(%m : tensor<?x6xi1>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c11_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                     %m: tensor<?x?xi8>) {
  // expected-error @below {{must be 2D tensor of 1-bit signless integer values, but got 'tensor<?x?xi8>'}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      mask(%m : tensor<?x?xi8>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_batch(%q: tensor<?x2x?x8xf32>, %k: tensor<3x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                      %s: tensor<?xi64>) {
  // expected-error @below {{expected dimension 0 of 'key' to be 1, since 'sequences' are packed along its rows, but got 3}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<3x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      sequences(%s : tensor<?xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_lengths(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                        %n: tensor<?xi64>, %s: tensor<?xi64>) {
  // expected-error @below {{expected 'lengths' or 'sequences', but got both; sequences say how long they are}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      lengths(%n : tensor<?xi64>)
      sequences(%s : tensor<?xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_key_sequences_alone(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                    %v: tensor<?x2x?x4xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{expected 'sequences' with 'key_sequences', but they are not given}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      key_sequences(%s : tensor<?xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_key_sequences(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                              %s: tensor<4xi64>, %t: tensor<5xi64>) {
  // expected-error @below {{expected dimension 0 of 'key_sequences' to be 4 (dimension 0 of 'sequences'), but got 5}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      sequences(%s : tensor<4xi64>)
      key_sequences(%t : tensor<5xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c12_positions(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x6x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %s: tensor<?xi64>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 7 (dimension 2 of 'query'), but got 6}}
  %out = spectral.linear_attention query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x6x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      sequences(%s : tensor<?xi64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x7x4xf32>
  return
}

// -----

func.func @linear_attention_c15_negative(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'floor' to be finite and not negative, but got -1}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {floor = -1.0 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c15_infinite(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'floor' to be finite and not negative, but got INF}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {floor = 0x7FF0000000000000 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c15_zero(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected a positive 'floor' for denominator<clamp>, but got 0}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {denominator = #spectral.denominator<clamp>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c15_log(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected domain<linear> and 'normalize' for denominator<clamp>, but got domain<log>, whose denominators are positive}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {domain = #spectral.domain<log>, denominator = #spectral.denominator<clamp>, floor = 0.5 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c15_normalize(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected domain<linear> and 'normalize' for denominator<count>, but got no denominators}}
  %out:2 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {normalize = false, denominator = #spectral.denominator<count>, floor = 0.5 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>, tensor<?x2xi64>
  return
}

// -----

func.func @linear_attention_c16_recurrent(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'causality' to be causal or anticausal for form<recurrent>, but got none}}
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      {form = #spectral.form<recurrent>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_c15_count_sequences(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>,
                                                %v: tensor<1x2x?x4xf32>, %s: tensor<?xi64>) {
  // expected-error @below {{expected no counts with 'sequences', which share a batch entry; use denominator<none> or denominator<clamp>}}
  %out:2 = spectral.linear_attention query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<1x2x?x4xf32>) sequences(%s : tensor<?xi64>)
      {denominator = #spectral.denominator<count>, floor = 1.0 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x?x4xf32>, tensor<1x2xi64>
  return
}

// -----

func.func @linear_attention_c17_normalize(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected 'return_denominators' with 'normalize' and denominator<none>}}
  %y, %d = spectral.linear_attention query(%x : tensor<?x2x?x8xf32>) key(%x : tensor<?x2x?x8xf32>)
      value(%x : tensor<?x2x?x8xf32>) {return_denominators, normalize = false} features (%t: tensor<?x8xf32>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x1xf32>
  return
}

// -----

func.func @linear_attention_c17_policy(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected 'return_denominators' with 'normalize' and denominator<none>}}
  %y, %d = spectral.linear_attention query(%x : tensor<?x2x?x8xf32>) key(%x : tensor<?x2x?x8xf32>)
      value(%x : tensor<?x2x?x8xf32>) {return_denominators, denominator = #spectral.denominator<clamp>, floor = 1.0 : f64} features (%t: tensor<?x8xf32>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x1xf32>
  return
}

// -----

func.func @linear_attention_c17_form(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected form<chunked> or form<auto> with 'return_denominators', but got form<quadratic>}}
  %y, %d = spectral.linear_attention query(%x : tensor<?x2x?x8xf32>) key(%x : tensor<?x2x?x8xf32>)
      value(%x : tensor<?x2x?x8xf32>) {return_denominators, form = #spectral.form<quadratic>} features (%t: tensor<?x8xf32>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x1xf32>
  return
}
