// RUN: bochner-opt %s -inline | FileCheck %s

// Functions with operations of the dialect, also in regions, can be inlined.

// CHECK-LABEL: func.func @caller(
// CHECK-NOT:     call
// CHECK:         spectral.dropout
// CHECK:         spectral.feature_map
// CHECK:           spectral.trig
// CHECK:           spectral.yield
func.func private @callee(%x: tensor<?x2x?x8xf32>, %key: tensor<i64>) -> tensor<?x2x?x16xf32> {
  %y = spectral.dropout %x key(%key) offset(%key) {rate = 0.5 : f64} : tensor<?x2x?x8xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x2x?x8xf32>) {domain = #spectral.domain<linear>}
  features (%tile: tensor<?x8xf32>) {
    %f = spectral.trig %tile : tensor<?x8xf32> -> tensor<?x16xf32>
    spectral.yield %f : tensor<?x16xf32>
  } -> tensor<?x2x?x16xf32>
  return %phi : tensor<?x2x?x16xf32>
}
func.func @caller(%x: tensor<?x2x?x8xf32>, %key: tensor<i64>) -> tensor<?x2x?x16xf32> {
  %0 = call @callee(%x, %key) : (tensor<?x2x?x8xf32>, tensor<i64>) -> tensor<?x2x?x16xf32>
  return %0 : tensor<?x2x?x16xf32>
}
