// RUN: bochner-opt %s -split-input-file -spectral-fold-constants | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-fold-constants -spectral-fold-constants | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-fold-constants="max-operations=7" | FileCheck %s --check-prefix=LIMIT

// sigma^T omega + mean, then - mean, for each head.
// CHECK-LABEL: func.func @full(
// CHECK:         %[[W:.+]] = arith.constant dense<
// CHECK-SAME{LITERAL}: [[[4.500000e+00, 6.500000e+00, 3.500000e+00, 5.500000e+00], [6.750000e+00, 9.750000e+00, 7.250000e+00, 1.025000e+01]]]> : tensor<1x2x4xf32>
// CHECK-NEXT:    return %[[W]]
// LIMIT-LABEL: func.func @full(
// LIMIT:         spectral.gaussian_frequencies
func.func @full() -> tensor<1x2x4xf32> {
  %omega = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %mean = arith.constant dense<[[0.5, -0.25]]> : tensor<1x2xf32>
  %sigma = arith.constant dense<[[[1.0, 1.0], [1.0, 2.0]]]> : tensor<1x2x2xf32>
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
    {covariance = #spectral.covariance<full>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<2x2xf32>, tensor<1x2xf32>, tensor<1x2x2xf32> -> tensor<1x2x4xf32>
  return %w : tensor<1x2x4xf32>
}

// -----

// exp(log(4) / 2) = 2.
// CHECK-LABEL: func.func @diagonal(
// CHECK:         arith.constant dense<{{\[\[}}2.000000e+00, 4.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
func.func @diagonal() -> tensor<2x2xf32> {
  %omega = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %mean = arith.constant dense<0.0> : tensor<2xf32>
  %sigma = arith.constant dense<[1.386294361, 0.0]> : tensor<2xf32>
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

// A standard normal distribution keeps draws that are not constant.
// CHECK-LABEL: func.func @standard(
// CHECK-SAME:    %[[OMEGA:[^:]+]]: tensor<2x2xf32>
// CHECK-NEXT:    return %[[OMEGA]]
func.func @standard(%omega: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %mean = arith.constant dense<0.0> : tensor<2xf32>
  %sigma = arith.constant dense<0.0> : tensor<f32>
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<2x2xf32>, tensor<2xf32>, tensor<f32> -> tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

// A mean that is not zero, and a full matrix of zeros, give other frequencies.
// CHECK-LABEL: func.func @keep(
// CHECK-COUNT-2: spectral.gaussian_frequencies
func.func @keep(%omega: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %zeros = arith.constant dense<0.0> : tensor<2xf32>
  %ones = arith.constant dense<1.0> : tensor<2xf32>
  %sigma = arith.constant dense<0.0> : tensor<f32>
  %matrix = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = spectral.gaussian_frequencies %omega mean(%ones) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<2x2xf32>, tensor<2xf32>, tensor<f32> -> tensor<2x2xf32>
  %v = spectral.gaussian_frequencies %omega mean(%zeros) sigma(%matrix) {covariance = #spectral.covariance<full>}
    : tensor<2x2xf32>, tensor<2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  return %w, %v : tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// W x = [-1, 0], then layers of a generator: tanh of it, and -1 in place of what is negative.
// CHECK-LABEL: func.func @network(
// CHECK-NOT:     linalg
// CHECK:         %[[W:.+]] = arith.constant dense<[-1.000000e+00, 0.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:    return %[[W]]
// LIMIT-LABEL: func.func @network(
// LIMIT-NOT:     linalg.generic
// LIMIT-LABEL: func.func @stay(
#matrix = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @network() -> tensor<2xf32> {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 3.0]]> : tensor<2x2xf32>
  %x = arith.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#matrix, #column, #row], iterator_types = ["parallel", "reduction"]}
      ins(%w, %x : tensor<2x2xf32>, tensor<2xf32>) outs(%zeros : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%y : tensor<2xf32>) outs(%empty : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %minus = arith.constant -1.0 : f32
    %t = math.tanh %a : f32
    %e = math.exp %a : f32
    %r = math.sqrt %e : f32
    %d = arith.divf %r, %r : f32
    %n = arith.negf %d : f32
    %u = arith.addf %n, %d : f32
    %v = arith.subf %t, %u : f32
    %positive = arith.cmpf oge, %v, %zero : f32
    %o = arith.select %positive, %v, %minus : f32
    linalg.yield %o : f32
  } -> tensor<2xf32>
  return %z : tensor<2xf32>
}

// -----

// Data, an operation that is not known, a filled tensor and a repeated vector stay.
// CHECK-LABEL: func.func @stay(
// CHECK:         linalg.fill
// CHECK:         linalg.generic
// CHECK:           math.sin
// CHECK:         linalg.generic
// CHECK:           arith.negf
// CHECK:         linalg.broadcast
#id = affine_map<(i) -> (i)>
func.func @stay(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<9x2xf32>) {
  %w = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%w : tensor<2xf32>) outs(%empty : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = math.sin %a : f32
    linalg.yield %t : f32
  } -> tensor<2xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<2xf32>) outs(%empty : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.negf %a : f32
    linalg.yield %t : f32
  } -> tensor<2xf32>
  %many = tensor.empty() : tensor<9x2xf32>
  %r = linalg.broadcast ins(%w : tensor<2xf32>) outs(%many : tensor<9x2xf32>) dimensions = [0]
  return %y, %z, %zeros, %r : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<9x2xf32>
}
