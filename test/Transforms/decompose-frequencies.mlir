// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose=ops=gaussian_frequencies,trig -canonicalize -cse \
// RUN:   | FileCheck %s --check-prefix=ONLY

// sigma^T omega is one contraction with the frequencies innermost; the mean is added and subtracted.
// CHECK-DAG: #[[$SIGMA:[^ ,]+]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1)>
// CHECK-DAG: #[[$BASE:[^ ,]+]] = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-DAG: #[[$OUT:[^ ,]+]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[$MEAN:[^ ,]+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @full(
// CHECK-SAME:      %[[OMEGA:[^:]+]]: tensor<8x16xf32>, %[[M:[^:]+]]: tensor<?x8xf32>, %[[S:[^:]+]]: tensor<?x8x8xf32>)
// CHECK:         %[[PRODUCT:[^ ,]+]] = linalg.generic {indexing_maps = [#[[$SIGMA]], #[[$BASE]], #[[$OUT]]],
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "reduction", "parallel"]} ins(%[[S]], %[[OMEGA]]
// CHECK:         linalg.generic {indexing_maps = [#{{.+}}, #[[$MEAN]], #{{.+}}]{{.*}} ins(%[[PRODUCT]], %[[M]]
// CHECK:           arith.addf
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0] [%{{.+}}, 8, 16]
// CHECK:           arith.subf
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 16] [%{{.+}}, 8, 16]
func.func @full(%omega: tensor<8x16xf32>, %mean: tensor<?x8xf32>, %sigma: tensor<?x8x8xf32>) -> tensor<?x8x32xf32> {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
    {covariance = #spectral.covariance<full>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8x8xf32> -> tensor<?x8x32xf32>
  return %w : tensor<?x8x32xf32>
}

// -----

// The exponential is outside the loop over frequencies.
// CHECK-LABEL: func.func @diagonal(
// CHECK-SAME:      %[[OMEGA:[^:]+]]: tensor<8x16xf32>, %[[M:[^:]+]]: tensor<2x8xf32>, %[[S:[^:]+]]: tensor<2x8xf32>)
// CHECK:         %[[DEVIATIONS:[^ ,]+]] = linalg.generic {{.*}} ins(%[[S]] : tensor<2x8xf32>) outs(%{{.+}} : tensor<2x8xf32>)
// CHECK:           math.exp
// CHECK:         linalg.generic {{.*}} ins(%[[DEVIATIONS]], %[[OMEGA]]
// CHECK-NOT:     math.exp
// CHECK-NOT:     arith.subf
// CHECK:         return
func.func @diagonal(%omega: tensor<8x16xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8xf32>) -> tensor<2x8x16xf32> {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<8x16xf32>, tensor<2x8xf32>, tensor<2x8xf32> -> tensor<2x8x16xf32>
  return %w : tensor<2x8x16xf32>
}

// -----

// One Gaussian for all heads: no dimension for heads.
// CHECK-LABEL: func.func @scalar(
// CHECK-SAME:      %[[OMEGA:[^:]+]]: tensor<8x16xf32>, %[[M:[^:]+]]: tensor<8xf32>, %[[S:[^:]+]]: tensor<f32>)
// CHECK:         %[[DEVIATION:[^ ,]+]] = linalg.generic {{.*}} ins(%[[S]] : tensor<f32>)
// CHECK:           math.exp
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%[[DEVIATION]], %[[OMEGA]]
func.func @scalar(%omega: tensor<8x16xf32>, %mean: tensor<8xf32>, %sigma: tensor<f32>) -> tensor<8x16xf32> {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<8x16xf32>, tensor<8xf32>, tensor<f32> -> tensor<8x16xf32>
  return %w : tensor<8x16xf32>
}

// -----

// Only what `ops` names is written out, also within a region that stays.
// ONLY-LABEL: func.func @some(
// ONLY-NOT:     spectral.gaussian_frequencies
// ONLY:         spectral.feature_map
// ONLY:           math.cos
// ONLY-NOT:       spectral.trig
// ONLY:           spectral.constant_feature
// ONLY:           spectral.yield
// CHECK-LABEL: func.func @some(
// CHECK-NOT:     spectral
func.func @some(%x: tensor<?x2x?x8xf32>, %omega: tensor<8x8xf32>, %mean: tensor<8xf32>, %sigma: tensor<8xf32>)
    -> (tensor<?x2x?x17xf32>, tensor<8x8xf32>) {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<8x8xf32>
  %phi = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%tile: tensor<?x8xf32>) {
    %t = spectral.trig %tile : tensor<?x8xf32> -> tensor<?x16xf32>
    %s = spectral.constant_feature %t {value = 1.0 : f64} : tensor<?x16xf32> -> tensor<?x17xf32>
    spectral.yield %s : tensor<?x17xf32>
  } -> tensor<?x2x?x17xf32>
  return %phi, %w : tensor<?x2x?x17xf32>, tensor<8x8xf32>
}

// -----

// Outlined kernels are the fused route's, and so are their launches; what stayed outside is written out.
// CHECK-LABEL: func.func private @kernel(
// CHECK:         spectral.feature_map
// CHECK:           spectral.trig
// CHECK-LABEL: func.func @outlined(
// CHECK:         %[[X:[^ ]+]] = linalg.generic
// CHECK:         spectral.launch @kernel ins(%[[X]]
func.func private @kernel(%x: tensor<?x2x?x8xf32>) -> tensor<?x2x?x16xf32> attributes {spectral.kernel} {
  %phi = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%tile: tensor<?x8xf32>) {
    %t = spectral.trig %tile : tensor<?x8xf32> -> tensor<?x16xf32>
    spectral.yield %t : tensor<?x16xf32>
  } -> tensor<?x2x?x16xf32>
  return %phi : tensor<?x2x?x16xf32>
}
func.func @outlined(%x: tensor<?x2x?x8xf32>, %p: tensor<8xi64>, %init: tensor<?x2x?x16xf32>) -> tensor<?x2x?x16xf32> {
  %y = spectral.permute %x, %p : tensor<?x2x?x8xf32>, tensor<8xi64> -> tensor<?x2x?x8xf32>
  %phi = spectral.launch @kernel ins(%y : tensor<?x2x?x8xf32>) outs(%init : tensor<?x2x?x16xf32>)
    -> tensor<?x2x?x16xf32>
  return %phi : tensor<?x2x?x16xf32>
}
