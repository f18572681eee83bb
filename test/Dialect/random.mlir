// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -mlir-print-op-generic | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -cse | FileCheck %s --check-prefix=CSE

// CHECK-LABEL: func.func @random(
// CHECK-SAME:      %[[KEY:[^:]+]]: tensor<i64>, %[[OFFSET:[^:]+]]: tensor<i64>)
// CHECK:         spectral.random_bits key(%[[KEY]]) offset(%[[OFFSET]]) : tensor<4x3xi32>
// CHECK:         spectral.random_normal key(%[[KEY]]) offset(%[[OFFSET]]) {stream = 1 : i64} : tensor<2x3x5xbf16>
// CHECK:         spectral.random_signs key(%[[KEY]]) offset(%[[OFFSET]]) {stream = -1 : i64} : tensor<7xf64>
// CHECK:         spectral.random_permutation key(%[[KEY]]) offset(%[[OFFSET]]) {stream = 3 : i64} : tensor<9xi64>
// CHECK:         spectral.random_orthogonal key(%[[KEY]]) offset(%[[OFFSET]]) : tensor<8x20xf16>
func.func @random(%key: tensor<i64>, %offset: tensor<i64>)
    -> (tensor<4x3xi32>, tensor<2x3x5xbf16>, tensor<7xf64>, tensor<9xi64>, tensor<8x20xf16>) {
  %0 = spectral.random_bits key(%key) offset(%offset) : tensor<4x3xi32>
  %1 = spectral.random_normal key(%key) offset(%offset) {stream = 1 : i64} : tensor<2x3x5xbf16>
  %2 = spectral.random_signs key(%key) offset(%offset) {stream = -1 : i64} : tensor<7xf64>
  %3 = spectral.random_permutation key(%key) offset(%offset) {stream = 3 : i64} : tensor<9xi64>
  %4 = spectral.random_orthogonal key(%key) offset(%offset) : tensor<8x20xf16>
  return %0, %1, %2, %3, %4 : tensor<4x3xi32>, tensor<2x3x5xbf16>, tensor<7xf64>, tensor<9xi64>, tensor<8x20xf16>
}

// CHECK-LABEL: func.func @dropout(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x?x6xf32>, %[[KEY:[^:]+]]: tensor<i64>, %[[OFFSET:[^:]+]]: tensor<i64>)
// CHECK:         spectral.dropout %[[X]] key(%[[KEY]]) offset(%[[OFFSET]]) {rate = 1.000000e-01 : f64} : tensor<?x?x6xf32>
// CHECK:         spectral.dropout %{{.+}} {rate = 0.000000e+00 : f64, stream = 4 : i64} : tensor<?x?x6xf32>
func.func @dropout(%x: tensor<?x?x6xf32>, %key: tensor<i64>, %offset: tensor<i64>) -> tensor<?x?x6xf32> {
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<?x?x6xf32>
  %1 = spectral.dropout %0 key(%key) offset(%offset) {rate = 0.0 : f64, stream = 4 : i64} : tensor<?x?x6xf32>
  return %1 : tensor<?x?x6xf32>
}

// A draw is a function of its operands: two of the same stream are one, a draw that nobody reads is none.
// CSE-LABEL: func.func @pure(
// CSE:         %[[A:[^ ]+]] = spectral.random_normal key(%{{.+}}) offset(%{{.+}}) : tensor<4xf32>
// CSE-NEXT:    %[[B:[^ ]+]] = spectral.random_normal key(%{{.+}}) offset(%{{.+}}) {stream = 1 : i64} : tensor<4xf32>
// CSE-NEXT:    return %[[A]], %[[A]], %[[B]]
func.func @pure(%key: tensor<i64>, %offset: tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = spectral.random_normal key(%key) offset(%offset) : tensor<4xf32>
  %1 = spectral.random_normal key(%key) offset(%offset) : tensor<4xf32>
  %2 = spectral.random_normal key(%key) offset(%offset) {stream = 1 : i64} : tensor<4xf32>
  %3 = spectral.random_signs key(%key) offset(%offset) : tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
