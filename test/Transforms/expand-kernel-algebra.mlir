// RUN: bochner-opt %s -split-input-file -spectral-expand-kernel-algebra --remarks-filter=spectral-expand-kernel-algebra \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: bochner-opt %t.mlir -split-input-file -spectral-expand-kernel-algebra -o %t.twice.mlir
// RUN: diff %t.mlir %t.twice.mlir
// RUN: bochner-opt %s -split-input-file -spectral-expand-kernel-algebra="max-blocks=1" | FileCheck %s --check-prefix=FEWER

// Square roots of weights; a weight of one costs nothing.
// CHECK-LABEL: func.func @sum(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<?x8x?x4xf32>, %[[B:[^:]+]]: tensor<?x8x?x2xf32>)
// CHECK-DAG:     %[[HALF:.+]] = arith.constant 5.000000e-01 : f32
// CHECK:         %[[SCALED:.+]] = linalg.generic {{.*}} ins(%[[A]] :
// CHECK:           arith.mulf %{{.+}}, %[[HALF]]
// CHECK:         %[[FIRST:.+]] = tensor.insert_slice %[[SCALED]] into %{{.+}}[0, 0, 0, 0] [{{.*}}, 4]
// CHECK-NOT:     linalg.generic
// CHECK:         %[[BOTH:.+]] = tensor.insert_slice %[[B]] into %[[FIRST]][0, 0, 0, 4] [{{.*}}, 2]
// CHECK:         return %[[BOTH]]
func.func @sum(%a: tensor<?x8x?x4xf32>, %b: tensor<?x8x?x2xf32>) -> tensor<?x8x?x6xf32> {
  %0 = spectral.kernel_sum %a, %b {weights = array<f64: 0.25, 1.0>}
    : tensor<?x8x?x4xf32>, tensor<?x8x?x2xf32> -> tensor<?x8x?x6xf32>
  return %0 : tensor<?x8x?x6xf32>
}

// -----

// Half the logarithm of the weight; one term needs no columns side by side. log(4) / 2 = 0.693.
// CHECK-LABEL: func.func @scaled_log(
// CHECK:         %[[SHIFT:.+]] = arith.constant 0.693147182 : f32
// CHECK:         %[[OUT:.+]] = linalg.generic
// CHECK:           arith.addf %{{.+}}, %[[SHIFT]]
// CHECK-NOT:     insert_slice
// CHECK:         return %[[OUT]]
func.func @scaled_log(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = spectral.kernel_sum %a {weights = array<f64: 4.0>, domain = #spectral.domain<log>}
    : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// A block of columns for each feature on the left.
// CHECK-LABEL: func.func @blocks(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<?x8x?x2xf32>, %[[B:[^:]+]]: tensor<?x8x?x3xf32>)
// CHECK:         tensor.extract_slice %[[A]][0, 0, 0, 0] [{{.*}}, 1]
// CHECK:         %[[COLUMN:.+]] = linalg.generic {{.*}}"reduction"
// CHECK:         %[[BLOCK:.+]] = linalg.generic {{.*}} ins(%[[COLUMN]], %[[B]] :
// CHECK:           arith.mulf
// CHECK:         tensor.insert_slice %[[BLOCK]] into %{{.+}}[0, 0, 0, 0] [{{.*}}, 3]
// CHECK:         tensor.extract_slice %[[A]][0, 0, 0, 1] [{{.*}}, 1]
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0, 3] [{{.*}}, 3]
// CHECK-NOT:     insert_slice
// FEWER-LABEL: func.func @blocks(
// FEWER:         tensor.collapse_shape %{{.+}} {{.*}} : tensor<2x2x3xf32> into tensor<2x6xf32>
// FEWER-NOT:     insert_slice
// FEWER:         return
func.func @blocks(%a: tensor<?x8x?x2xf32>, %b: tensor<?x8x?x3xf32>) -> tensor<?x8x?x6xf32> {
  // expected-remark @below {{product expanded: one block of columns for each of 2 features}}
  %0 = spectral.kernel_product %a, %b : tensor<?x8x?x2xf32>, tensor<?x8x?x3xf32> -> tensor<?x8x?x6xf32>
  return %0 : tensor<?x8x?x6xf32>
}

// -----

// Two positive maps of the same rows: frequencies A_i + B_j per head, counts 8 * 16, norm factors 0.5 + 1. The first
// map is symmetric, so that A has both signs.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (f, d)>
#by_head = affine_map<(b, h, n, f, d) -> (h, d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @projection(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x8x?x4xf32>, %[[A:[^:]+]]: tensor<8x4xf32>, %[[B:[^:]+]]: tensor<8x4x16xf32>
// CHECK:         %[[AT:.+]] = linalg.generic {{.*}} ins(%[[A]] : tensor<8x4xf32>) outs(%{{.+}} : tensor<4x8xf32>)
// CHECK:         tensor.insert_slice %[[AT]] into %{{.+}}[0, 0] [4, 8]
// CHECK:           arith.negf
// CHECK:         %[[BOTH:.+]] = tensor.insert_slice %{{.+}} into %{{.+}}[0, 8] [4, 8]
// CHECK:         %[[SUMS:.+]] = linalg.generic {{.*}} ins(%[[BOTH]], %[[B]] : {{.*}}) outs(%{{.+}} : tensor<8x4x16x16xf32>)
// CHECK:         %[[W:.+]] = tensor.collapse_shape %[[SUMS]] {{.*}} into tensor<8x4x256xf32>
// CHECK:         %[[U:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[W]] :
// CHECK:         %[[PHI:.+]] = spectral.log_positive %[[U]], %[[X]] {count = 128 : i64, norm_factor = 1.500000e+00 : f64} :
// CHECK:         return %[[PHI]]
func.func @projection(%x: tensor<?x8x?x4xf32>, %a: tensor<8x4xf32>, %b: tensor<8x4x16xf32>,
                      %ea: tensor<?x8x?x8xf32>, %eb: tensor<?x8x?x16xf32>) -> tensor<?x8x?x256xf32> {
  %zero = arith.constant 0.0 : f32
  %ia = linalg.fill ins(%zero : f32) outs(%ea : tensor<?x8x?x8xf32>) -> tensor<?x8x?x8xf32>
  %ua = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%x, %a : tensor<?x8x?x4xf32>, tensor<8x4xf32>) outs(%ia : tensor<?x8x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x8xf32>
  %la = spectral.log_positive %ua, %x {norm_factor = 0.5 : f64, count = 8 : i64, symmetric}
    : tensor<?x8x?x8xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x16xf32>
  %ib = linalg.fill ins(%zero : f32) outs(%eb : tensor<?x8x?x16xf32>) -> tensor<?x8x?x16xf32>
  %ub = linalg.generic {indexing_maps = [#rows, #by_head, #out], iterator_types = #loops}
      ins(%x, %b : tensor<?x8x?x4xf32>, tensor<8x4x16xf32>) outs(%ib : tensor<?x8x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x16xf32>
  %lb = spectral.log_positive %ub, %x {norm_factor = 1.0 : f64, count = 16 : i64}
    : tensor<?x8x?x16xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x16xf32>
  // expected-remark @below {{product expanded: one projection}}
  %0 = spectral.kernel_product %la, %lb {domain = #spectral.domain<log>}
    : tensor<?x8x?x16xf32>, tensor<?x8x?x16xf32> -> tensor<?x8x?x256xf32>
  return %0 : tensor<?x8x?x256xf32>
}

// -----

// Neither few features nor positive maps: zeros and ones repeat the columns.
// CHECK-LABEL: func.func @spread(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<?x8x?x5xf32>, %[[B:[^:]+]]: tensor<?x8x?x6xf32>)
// CHECK:         %[[EA:.+]] = tensor.collapse_shape %{{.+}} {{.*}} : tensor<5x5x6xf32> into tensor<5x30xf32>
// CHECK:         %[[LEFT:.+]] = linalg.generic {{.*}} ins(%[[A]], %[[EA]] :
// CHECK:         %[[EB:.+]] = tensor.collapse_shape %{{.+}} {{.*}} : tensor<6x5x6xf32> into tensor<6x30xf32>
// CHECK:         %[[RIGHT:.+]] = linalg.generic {{.*}} ins(%[[B]], %[[EB]] :
// CHECK:         linalg.generic {{.*}} ins(%[[LEFT]], %[[RIGHT]] :
// CHECK:           arith.mulf
func.func @spread(%a: tensor<?x8x?x5xf32>, %b: tensor<?x8x?x6xf32>) -> tensor<?x8x?x30xf32> {
  // expected-remark @below {{two projections on zeros and ones, and not one on frequencies: the product is not in domain<log>}}
  %0 = spectral.kernel_product %a, %b : tensor<?x8x?x5xf32>, tensor<?x8x?x6xf32> -> tensor<?x8x?x30xf32>
  return %0 : tensor<?x8x?x30xf32>
}

// -----

// CHECK-LABEL: func.func @spread_log(
// CHECK:         arith.addf
func.func @spread_log(%a: tensor<?x8x?x5xf32>, %b: tensor<?x8x?x6xf32>) -> tensor<?x8x?x30xf32> {
  // expected-remark @below {{and not one on frequencies: a factor is not a 'spectral.log_positive'}}
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x6xf32> -> tensor<?x8x?x30xf32>
  return %0 : tensor<?x8x?x30xf32>
}

// -----

// CHECK-LABEL: func.func @not_a_projection(
func.func @not_a_projection(%x: tensor<?x8x?x4xf32>, %u: tensor<?x8x?x5xf32>) -> tensor<?x8x?x25xf32> {
  %l = spectral.log_positive %u, %x {norm_factor = 0.5 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  // expected-remark @below {{on frequencies: a projection is expected to be the product of rows [B, H, N, D] with a parameter [D, F] or [H, D, F]}}
  %0 = spectral.kernel_product %l, %l {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x5xf32> -> tensor<?x8x?x25xf32>
  return %0 : tensor<?x8x?x25xf32>
}

// -----

// Within a region there are only blocks.
// CHECK-LABEL: func.func @region(
// CHECK:         spectral.feature_map
// CHECK-COUNT-5: linalg.generic {{.*}}"reduction"
// CHECK-NOT:     spectral.kernel_product
func.func @region(%x: tensor<?x8x?x5xf32>) -> tensor<?x8x?x25xf32> {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x5xf32>) features (%tile: tensor<?x5xf32>) {
    %0 = spectral.kernel_product %tile, %tile : tensor<?x5xf32>, tensor<?x5xf32> -> tensor<?x25xf32>
    spectral.yield %0 : tensor<?x25xf32>
  } -> tensor<?x8x?x25xf32>
  return %phi : tensor<?x8x?x25xf32>
}
