// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Sums and products of kernels. Labels c1, c2, ... are those of the documentation.

func.func @kernel_sum_c1() {
  // expected-error @below {{expected 1 or more operands, but found 0}}
  %0 = "spectral.kernel_sum"() : () -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_sum_c1_static(%a: tensor<4x?xf32>) {
  // expected-error @below {{expected dimension 1 of 'term 0' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.kernel_sum %a : tensor<4x?xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_sum_c1_rank(%a: tensor<4xf32>) {
  // expected-error @below {{expected 'term 0' to have rows and columns, but got 'tensor<4xf32>'}}
  %0 = spectral.kernel_sum %a : tensor<4xf32> -> tensor<4xf32>
  return
}

// -----

func.func @kernel_sum_c2(%a: tensor<4x2xf32>, %b: tensor<5x2xf32>) {
  // expected-error @below {{expected dimension 0 of 'term 1' to be 4 (dimension 0 of 'term 0'), but got 5}}
  %0 = spectral.kernel_sum %a, %b : tensor<4x2xf32>, tensor<5x2xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @kernel_sum_c2_rank(%a: tensor<4x2xf32>, %b: tensor<1x4x2xf32>) {
  // expected-error @below {{expected 'term 1' to have rank 2, but got 'tensor<1x4x2xf32>'}}
  %0 = spectral.kernel_sum %a, %b : tensor<4x2xf32>, tensor<1x4x2xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @kernel_sum_c2_type(%a: tensor<4x2xf32>, %b: tensor<4x2xf64>) {
  // expected-error @below {{requires the same element type for all operands}}
  %0 = spectral.kernel_sum %a, %b : tensor<4x2xf32>, tensor<4x2xf64> -> tensor<4x4xf32>
  return
}

// -----

func.func @kernel_sum_c3(%a: tensor<4x2xf32>, %b: tensor<4x2xf32>) {
  // expected-error @below {{expected 'weights' to have a number for each of 2 terms, but got 1}}
  %0 = spectral.kernel_sum %a, %b {weights = array<f64: 1.0>} : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @kernel_sum_c3_zero(%a: tensor<4x2xf32>) {
  // expected-error @below {{expected 'weights' to be finite and positive, but got 0.000000e+00}}
  %0 = spectral.kernel_sum %a {weights = array<f64: 0.0>} : tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_sum_misspelt(%a: tensor<4x2xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'weight'; known are 'domain', 'weights'}}
  %0 = spectral.kernel_sum %a {weight = array<f64: 1.0>} : tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_sum_result(%a: tensor<4x2xf32>, %b: tensor<4x2xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<4x4xf32>' are incompatible with return type(s) of operation 'tensor<4x2xf32>'}}
  %0 = spectral.kernel_sum %a, %b : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_product_c1_left(%a: tensor<4x?xf32>, %b: tensor<4x2xf32>) {
  // expected-error @below {{expected dimension 1 of 'left' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.kernel_product %a, %b : tensor<4x?xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @kernel_product_c1_right(%a: tensor<4x3xf32>, %b: tensor<4x?xf32>) {
  // expected-error @below {{expected dimension 1 of 'right' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.kernel_product %a, %b : tensor<4x3xf32>, tensor<4x?xf32> -> tensor<4x3xf32>
  return
}

// -----

func.func @kernel_product_c2(%a: tensor<4x3xf32>, %b: tensor<5x2xf32>) {
  // expected-error @below {{expected dimension 0 of 'right' to be 4 (dimension 0 of 'left'), but got 5}}
  %0 = spectral.kernel_product %a, %b : tensor<4x3xf32>, tensor<5x2xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @kernel_product_misspelt(%a: tensor<4x3xf32>, %b: tensor<4x2xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'weights'; known are 'domain'}}
  %0 = spectral.kernel_product %a, %b {weights = array<f64: 1.0>} : tensor<4x3xf32>, tensor<4x2xf32> -> tensor<4x6xf32>
  return
}
