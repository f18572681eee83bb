// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// linear_attention_grad. Labels c1, c2, ... are those of the documentation.

func.func @linear_attention_grad_c1_query(%q: tensor<?x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'query' to have rank 4, but got 'tensor<?x?x8xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_key(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf64>, %v: tensor<?x2x?x4xf32>,
                                        %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'key' to have the element type of 'query' ('f32'), but got 'tensor<?x2x?x8xf64>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf64>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_value(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'value' to have rank 4, but got 'tensor<4xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_value_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                               %v: tensor<?x2x?x4xf64>, %o: tensor<?x2x?x4xf64>,
                                               %c: tensor<?x2x?x4xf64>) {
  // expected-error @below {{expected 'value' to have the element type of 'query' ('f32'), but got 'tensor<?x2x?x4xf64>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf64>) output(%o : tensor<?x2x?x4xf64>) cotangent(%c : tensor<?x2x?x4xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf64>
  return
}

// -----

func.func @linear_attention_grad_c1_batch(%q: tensor<3x2x?x8xf32>, %k: tensor<4x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'key' to be 3 (dimension 0 of 'query'), but got 4}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<4x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<3x2x?x8xf32>, tensor<4x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_heads(%q: tensor<?x3x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x3x?x4xf32>, %c: tensor<?x3x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'query' to be a multiple of 2 (dimension 1 of 'key'), but got 3}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x3x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x3x?x4xf32>) cotangent(%c : tensor<?x3x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x3x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_positions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x6x4xf32>,
                                              %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'value' to be 5 (dimension 2 of 'key'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x6x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x5x8xf32>, tensor<?x2x6x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_head_dimension(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x16xf32>,
                                                   %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                   %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'key' to be 8 (dimension 3 of 'query'), but got 16}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x16xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x16xf32>) {
        spectral.yield %x : tensor<?x16xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_static(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x?xf32>,
                                           %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'value' (value width) to be static and positive, but got 'tensor<?x2x?x?xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x?xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x?xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_causal(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x6x8xf32>, %v: tensor<?x2x6x4xf32>,
                                           %o: tensor<?x2x7x4xf32>, %c: tensor<?x2x7x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 7 (dimension 2 of 'query'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x6x8xf32>)
      value(%v : tensor<?x2x6x4xf32>) output(%o : tensor<?x2x7x4xf32>) cotangent(%c : tensor<?x2x7x4xf32>)
      {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x7x8xf32>, tensor<?x2x6x8xf32>, tensor<?x2x6x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_lengths(%q: tensor<3x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                            %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %lengths: tensor<2xi64>) {
  // expected-error @below {{expected dimension 0 of 'lengths' to be 3 (dimension 0 of 'query'), but got 2}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%lengths : tensor<2xi64>) output(%o : tensor<?x2x?x4xf32>)
      cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<3x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_mask(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x5x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %mask: tensor<?x6xi1>) {
  // expected-error @below {{expected dimension 1 of 'mask' to be 5 (dimension 2 of 'key'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x5x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) mask(%mask : tensor<?x6xi1>) output(%o : tensor<?x2x?x4xf32>)
      cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x5x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_sequences(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                              %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %lengths: tensor<?xi64>,
                                              %sequences: tensor<?xi64>) {
  // expected-error @below {{expected 'lengths' or 'sequences', but got both; sequences say how long they are}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%lengths : tensor<?xi64>) sequences(%sequences : tensor<?xi64>)
      output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_packed_rows(%q: tensor<1x2x7x8xf32>, %k: tensor<1x2x6x8xf32>,
                                                %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                %c: tensor<?x2x?x4xf32>, %sequences: tensor<?xi64>) {
  // expected-error @below {{expected dimension 2 of 'key' to be 7 (dimension 2 of 'query'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<1x2x7x8xf32>) key(%k : tensor<1x2x6x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) sequences(%sequences : tensor<?xi64>) output(%o : tensor<?x2x?x4xf32>)
      cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x7x8xf32>, tensor<1x2x6x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_key_sequences(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>,
                                                  %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                  %c: tensor<?x2x?x4xf32>, %sequences: tensor<4xi64>,
                                                  %key_sequences: tensor<5xi64>) {
  // expected-error @below {{expected dimension 0 of 'key_sequences' to be 4 (dimension 0 of 'sequences'), but got 5}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) sequences(%sequences : tensor<4xi64>)
      key_sequences(%key_sequences : tensor<5xi64>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_parameter_heads(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                    %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                    %c: tensor<?x2x?x4xf32>, %p0: tensor<3x8xf32>) {
  // expected-error @below {{expected dimension 0 of parameter 0 to be 1 or 2 (dimension 1 of 'key'), but got 3}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<3x8xf32>)
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_parameter_dynamic(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                      %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                      %c: tensor<?x2x?x4xf32>, %p0: tensor<2x?xf32>) {
  // expected-error @below {{expected parameter 0 to be static but for its first dimension, but got 'tensor<2x?xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x?xf32>)
      features (%x: tensor<?x8xf32>, %a0: tensor<?xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_features(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'features' to have 2 arguments (a tile of rows and 1 parameters), but got 1}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_tile(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected argument 0 of 'features' to be a tile of rows 'tensor<?x8xf32>', but got 'tensor<?x4xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
        spectral.yield %x : tensor<?x4xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c1_query_features(%q: tensor<?x2x?x6xf32>, %k: tensor<?x2x?x8xf32>,
                                                   %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                   %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'query_features' to yield 8 features as 'features' does, but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x6xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } query_features (%y: tensor<?x6xf32>) { spectral.yield %y : tensor<?x6xf32> } -> tensor<?x2x?x6xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_rank(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x4xf32>,
                                                %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'output' to have rank 4, but got 'tensor<?x2x4xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xbf16>,
                                                %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'output' to have the element type of 'value' ('f32'), but got 'tensor<?x2x?x4xbf16>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xbf16>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_width(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                 %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x8xf32>,
                                                 %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 3 of 'output' to be 4 (dimension 3 of 'value'), but got 8}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x8xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_batch(%q: tensor<3x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                 %v: tensor<?x2x?x4xf32>, %o: tensor<2x2x?x4xf32>,
                                                 %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'output' to be 3 (dimension 0 of 'query'), but got 2}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<3x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<2x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<3x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_heads(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                 %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                 %c: tensor<?x4x?x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'output' to be 4 (dimension 1 of 'query'), but got 2}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x4x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x4x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x4x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_output_positions(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                     %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x6x4xf32>,
                                                     %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'output' to be 7 (dimension 2 of 'query'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x6x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x7x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_cotangent_rank(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                   %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                   %c: tensor<4xf32>) {
  // expected-error @below {{expected 'cotangent' to have rank 4, but got 'tensor<4xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_cotangent_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                   %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                   %c: tensor<?x2x?x4xf16>) {
  // expected-error @below {{expected 'cotangent' to have the element type of 'value' ('f32'), but got 'tensor<?x2x?x4xf16>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf16>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c2_cotangent_positions(%q: tensor<?x2x7x8xf32>, %k: tensor<?x2x?x8xf32>,
                                                        %v: tensor<?x2x?x4xf32>, %o: tensor<?x2x?x4xf32>,
                                                        %c: tensor<?x2x6x4xf32>) {
  // expected-error @below {{expected dimension 2 of 'cotangent' to be 7 (dimension 2 of 'query'), but got 6}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x7x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x6x4xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x7x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c3_range(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'wrt' to hold indices of the 1 parameters, but got 1}}
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>) {wrt = array<i64: 1>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c3_negative(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'wrt' to hold indices of the 1 parameters, but got -1}}
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>) {wrt = array<i64: -1>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c3_twice(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>) {
  // expected-error @below {{expected 'wrt' and 'moments' to name each parameter once, but got 0 again}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>) {wrt = array<i64: 0, 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return
}

// -----

func.func @linear_attention_grad_c3_integers(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<1x8xf32>,
                                             %p1: tensor<1x8xi32>) {
  // expected-error @below {{result #3 must be variadic of ranked tensor of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values, but got 'tensor<1x8xi32>'}}
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0, %p1 : tensor<1x8xf32>, tensor<1x8xi32>) {wrt = array<i64: 1>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>, %a1: tensor<8xi32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<1x8xi32>
  return
}

// -----

func.func @linear_attention_grad_c4_negative(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got -1}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      {eps = -1.0 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c4_infinite(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                             %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected 'eps' to be finite and not negative, but got INF}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      {eps = 0x7FF0000000000000 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c5_causal(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                           %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %sums: tensor<?x2x8x4xf32>,
                                           %normalizer: tensor<?x2x8xf32>) {
  // expected-error @below {{expected no 'state' with causality or 'sequences', where queries see different keys}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      state(%sums, %normalizer : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c5_sequences(%q: tensor<1x2x?x8xf32>, %k: tensor<1x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                              %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>,
                                              %sequences: tensor<?xi64>, %sums: tensor<?x2x8x4xf32>,
                                              %normalizer: tensor<?x2x8xf32>) {
  // expected-error @below {{expected no 'state' with causality or 'sequences', where queries see different keys}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<1x2x?x8xf32>) key(%k : tensor<1x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) sequences(%sequences : tensor<?xi64>) output(%o : tensor<?x2x?x4xf32>)
      cotangent(%c : tensor<?x2x?x4xf32>) state(%sums, %normalizer : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c5_domain(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                           %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %sums: tensor<?x2x8x4xf32>,
                                           %normalizer: tensor<?x2x8xf32>) {
  // expected-error @below {{expected 'state' to have 3 tensors (S, z and r), but got 2}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      state(%sums, %normalizer : tensor<?x2x8x4xf32>, tensor<?x2x8xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c5_sums(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %sums: tensor<?x2x8x5xf32>,
                                         %normalizer: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'state' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x2x8x5xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      state(%sums, %normalizer : tensor<?x2x8x5xf32>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c5_short(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                          %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %sums: tensor<?x2x8x4xbf16>,
                                          %normalizer: tensor<?x2x8xf32>) {
  // expected-error @below {{expected tensor 0 of 'state' to be 'tensor<?x2x8x4xf32>', but got 'tensor<?x2x8x4xbf16>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      state(%sums, %normalizer : tensor<?x2x8x4xbf16>, tensor<?x2x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c6_normalize(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                              %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>,
                                              %d: tensor<?x2x?x1xf32>) {
  // expected-error @below {{expected 'denominators' with 'normalize' only}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      denominators(%d : tensor<?x2x?x1xf32>) {normalize = false}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c6_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %d: tensor<?x2x?x2xf32>) {
  // expected-error @below {{expected 'denominators' to be of type 'tensor<?x2x?x1xf32>', but got 'tensor<?x2x?x2xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      denominators(%d : tensor<?x2x?x2xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c6_accumulator(%q: tensor<?x2x?x8xbf16>, %k: tensor<?x2x?x8xbf16>,
                                                %v: tensor<?x2x?x4xbf16>, %o: tensor<?x2x?x4xbf16>,
                                                %c: tensor<?x2x?x4xbf16>, %d: tensor<?x2x?x1xbf16>) {
  // expected-error @below {{expected 'denominators' to be of type 'tensor<?x2x?x1xf32>', but got 'tensor<?x2x?x1xbf16>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xbf16>) key(%k : tensor<?x2x?x8xbf16>)
      value(%v : tensor<?x2x?x4xbf16>) output(%o : tensor<?x2x?x4xbf16>) cotangent(%c : tensor<?x2x?x4xbf16>)
      denominators(%d : tensor<?x2x?x1xbf16>)
      features (%x: tensor<?x8xbf16>) {
        %phi = arith.extf %x : tensor<?x8xbf16> to tensor<?x8xf32>
        spectral.yield %phi : tensor<?x8xf32>
      } -> tensor<?x2x?x8xbf16>, tensor<?x2x?x8xbf16>, tensor<?x2x?x4xbf16>
  return
}

// -----

func.func @linear_attention_grad_results(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                         %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %p0: tensor<2x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<?x2x?x8xf32>', 'tensor<?x2x?x8xf32>', 'tensor<?x2x?x4xf32>', 'tensor<2x8xf32>' are incompatible with return type(s) of operation 'tensor<?x2x?x8xf32>', 'tensor<?x2x?x8xf32>', 'tensor<?x2x?x4xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      parameters(%p0 : tensor<2x8xf32>) {wrt = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %a0: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_attributes(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                            %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'form'; known are 'causality', 'checkpoint_interval', 'domain', 'eps', 'mean_sign', 'moments', 'normalize', 'wrt'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      {form = #spectral.form<auto>}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c7_heads(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                    %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %f: tensor<?x3xf32>) {
  // expected-error @below {{expected dimension 1 of 'offset' to be 2 (dimension 1 of 'query'), but got 3}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      offset(%f : tensor<?x3xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c7_rank(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                    %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %f: tensor<?xf32>) {
  // expected-error @below {{expected 'offset' to have rank 2, but got 'tensor<?xf32>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      offset(%f : tensor<?xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}

// -----

func.func @linear_attention_grad_c7_type(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                    %o: tensor<?x2x?x4xf32>, %c: tensor<?x2x?x4xf32>, %f: tensor<?x2xf64>) {
  // expected-error @below {{expected 'offset' to have the element type of 'query' ('f32'), but got 'tensor<?x2xf64>'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%o : tensor<?x2x?x4xf32>) cotangent(%c : tensor<?x2x?x4xf32>)
      offset(%f : tensor<?x2xf64>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>
  return
}
