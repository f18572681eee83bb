// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// The draws. Labels c1, c2 are those of the documentation.

func.func @random_bits_c1(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'sample' to have dimensions, but got 'tensor<i32>'}}
  %0 = spectral.random_bits key(%key) offset(%offset) : tensor<i32>
  return
}

// -----

func.func @random_bits_c2(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 1 of 'sample' (a draw) to be static and positive, but got 'tensor<4x?xi32>'}}
  %0 = spectral.random_bits key(%key) offset(%offset) : tensor<4x?xi32>
  return
}

// -----

func.func @random_bits_type(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{result #0 must be ranked tensor of 32-bit signless integer values, but got 'tensor<4xi64>'}}
  %0 = spectral.random_bits key(%key) offset(%offset) : tensor<4xi64>
  return
}

// -----

func.func @random_normal_c1(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'sample' to have dimensions, but got 'tensor<f32>'}}
  %0 = spectral.random_normal key(%key) offset(%offset) : tensor<f32>
  return
}

// -----

func.func @random_normal_c2(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 0 of 'sample' (a draw) to be static and positive, but got 'tensor<0x4xf32>'}}
  %0 = spectral.random_normal key(%key) offset(%offset) : tensor<0x4xf32>
  return
}

// -----

func.func @random_normal_misspelt(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected an attribute of the operation, but got 'steam'; known are 'stream'}}
  %0 = spectral.random_normal key(%key) offset(%offset) {steam = 1 : i64} : tensor<4xf32>
  return
}

// -----

func.func @random_normal_key(%key: tensor<1xi64>, %offset: tensor<i64>) {
  // expected-error @below {{operand #0 must be tensor<i64>, but got 'tensor<1xi64>'}}
  %0 = "spectral.random_normal"(%key, %offset) : (tensor<1xi64>, tensor<i64>) -> tensor<4xf32>
  return
}

// -----

func.func @random_signs_c1(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'sample' to have dimensions, but got 'tensor<f64>'}}
  %0 = spectral.random_signs key(%key) offset(%offset) : tensor<f64>
  return
}

// -----

func.func @random_signs_c2(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 0 of 'sample' (a draw) to be static and positive, but got 'tensor<?xf64>'}}
  %0 = spectral.random_signs key(%key) offset(%offset) : tensor<?xf64>
  return
}

// -----

func.func @random_permutation_c1(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'sample' to have rank 1, but got 'tensor<4x4xi64>'}}
  %0 = spectral.random_permutation key(%key) offset(%offset) : tensor<4x4xi64>
  return
}

// -----

func.func @random_permutation_c2(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 0 of 'sample' (a draw) to be static and positive, but got 'tensor<?xi64>'}}
  %0 = spectral.random_permutation key(%key) offset(%offset) : tensor<?xi64>
  return
}

// -----

func.func @random_orthogonal_c1(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'sample' to have rank 2, but got 'tensor<64xf32>'}}
  %0 = spectral.random_orthogonal key(%key) offset(%offset) : tensor<64xf32>
  return
}

// -----

func.func @random_orthogonal_c2(%key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 1 of 'sample' (a draw) to be static and positive, but got 'tensor<64x?xf32>'}}
  %0 = spectral.random_orthogonal key(%key) offset(%offset) : tensor<64x?xf32>
  return
}

// -----

func.func @dropout_c1(%x: tensor<?x8xf32>, %key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'rate' to be at least 0 and less than 1, but got 1.0}}
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 1.0 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @dropout_c1_negative(%x: tensor<?x8xf32>, %key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'rate' to be at least 0 and less than 1, but got -1.0}}
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = -0.1 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @dropout_c2(%x: tensor<8x?xf32>, %key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected dimension 1 of 'input' (columns) to be static and positive, but got 'tensor<8x?xf32>'}}
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<8x?xf32>
  return
}

// -----

func.func @dropout_scalar(%x: tensor<f32>, %key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected 'input' to have dimensions, but got 'tensor<f32>'}}
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<f32>
  return
}

// -----

func.func @dropout_misspelt(%x: tensor<?x8xf32>, %key: tensor<i64>, %offset: tensor<i64>) {
  // expected-error @below {{expected an attribute of the operation, but got 'steam'; known are 'rate', 'stream'}}
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64, steam = 1 : i64} : tensor<?x8xf32>
  return
}
