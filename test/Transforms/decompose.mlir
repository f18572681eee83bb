// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse \
// RUN:   | bochner-opt -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose | FileCheck %s --check-prefix=CONTRACT

// CONTRACT-NOT: spectral.

// Cosines and sines of each group of columns go to their own columns.
// CHECK-LABEL: func.func @trig(
// CHECK-SAME:      %[[U:[^:]+]]: tensor<?x8x?x128xf32>)
// CHECK-DAG:     %[[AMPLITUDE:[^ ,]+]] = arith.constant 1.250000e-01 : f32
// CHECK:         %[[PLUS:[^ ,]+]] = tensor.extract_slice %[[U]][0, 0, 0, 0] [%{{.+}}, 8, %{{.+}}, 64]
// CHECK:         linalg.generic {{.*}} ins(%[[PLUS]]
// CHECK:           %[[COS:[^ ,]+]] = math.cos
// CHECK:           arith.mulf %[[COS]], %[[AMPLITUDE]]
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0, 0] [%{{.+}}, 8, %{{.+}}, 64]
// CHECK:           math.sin
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0, 64]
// CHECK:         %[[MINUS:[^ ,]+]] = tensor.extract_slice %[[U]][0, 0, 0, 64]
// CHECK:         linalg.generic {{.*}} ins(%[[MINUS]]
// CHECK:           math.cos
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0, 128]
// CHECK:           math.sin
// CHECK:         %[[RESULT:[^ ,]+]] = tensor.insert_slice %{{.+}} into %{{.+}}[0, 0, 0, 192]
// CHECK:         return %[[RESULT]] : tensor<?x8x?x256xf32>
func.func @trig(%u: tensor<?x8x?x128xf32>) -> tensor<?x8x?x256xf32> {
  %phi = spectral.trig %u {amplitude = 0.125 : f64, groups = 2 : i64}
    : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  return %phi : tensor<?x8x?x256xf32>
}

// -----

// A tile has rows only, no heads.
// CHECK-DAG: #[[$ROWS:[^ ,]+]] = affine_map<(d0, d1) -> (d0)>
// CHECK-LABEL: func.func @log_positive_symmetric(
// CHECK-SAME:      %[[U:[^:]+]]: tensor<?x16xf64>, %[[X:[^:]+]]: tensor<?x8xf64>)
// log(16) / 2
// CHECK-DAG:     %[[CONSTANT:[^ ,]+]] = arith.constant 1.3862943611198906 : f64
// CHECK-DAG:     %[[HALF:[^ ,]+]] = arith.constant 5.000000e-01 : f64
// CHECK:         %[[NORMS:[^ ,]+]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[X]]
// CHECK:           %[[SQUARE:[^ ,]+]] = arith.mulf
// CHECK:           arith.addf %{{.+}}, %[[SQUARE]]
// CHECK:         linalg.generic {indexing_maps = [#{{.+}}, #[[$ROWS]], #{{.+}}]{{.*}} ins(%[[U]], %[[NORMS]]
// CHECK:         ^bb0(%[[PROJECTION:[^ ,]+]]: f64, %[[NORM:[^ ,]+]]: f64, %{{.+}}: f64):
// CHECK:           %[[SCALED:[^ ,]+]] = arith.mulf %[[NORM]], %[[HALF]]
// CHECK:           %[[OFFSET:[^ ,]+]] = arith.addf %[[SCALED]], %[[CONSTANT]]
// CHECK:           arith.subf %[[PROJECTION]], %[[OFFSET]]
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0] [%{{.+}}, 16] [1, 1]
// CHECK:           arith.negf
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 16] [%{{.+}}, 16] [1, 1]
func.func @log_positive_symmetric(%u: tensor<?x16xf64>, %x: tensor<?x8xf64>) -> tensor<?x32xf64> {
  %l = spectral.log_positive %u, %x {norm_factor = 0.5 : f64, count = 16 : i64, symmetric}
    : tensor<?x16xf64>, tensor<?x8xf64> -> tensor<?x32xf64>
  return %l : tensor<?x32xf64>
}

// -----

// CHECK-LABEL: func.func @log_positive(
// CHECK-NOT:     arith.negf
// CHECK:         return
func.func @log_positive(%u: tensor<2x16xf32>, %x: tensor<2x8xf32>) -> tensor<2x16xf32> {
  %l = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 16 : i64}
    : tensor<2x16xf32>, tensor<2x8xf32> -> tensor<2x16xf32>
  return %l : tensor<2x16xf32>
}

// -----

// CHECK-LABEL: func.func @constant_feature(
// CHECK-SAME:      %[[PHI:[^:]+]]: tensor<?x?x?x32xf32>)
// CHECK-DAG:     %[[VALUE:[^ ,]+]] = arith.constant 3.600000e-01 : f32
// CHECK:         %[[COPIED:[^ ,]+]] = tensor.insert_slice %[[PHI]] into %{{.+}}[0, 0, 0, 0]
// CHECK:         %[[LAST:[^ ,]+]] = tensor.extract_slice %[[COPIED]][0, 0, 0, 32] [%{{.+}}, %{{.+}}, %{{.+}}, 1]
// CHECK:         %[[FILLED:[^ ,]+]] = linalg.fill ins(%[[VALUE]] : f32) outs(%[[LAST]]
// CHECK:         tensor.insert_slice %[[FILLED]] into %[[COPIED]][0, 0, 0, 32]
func.func @constant_feature(%phi: tensor<?x?x?x32xf32>) -> tensor<?x?x?x33xf32> {
  %s = spectral.constant_feature %phi {value = 0.36 : f64} : tensor<?x?x?x32xf32> -> tensor<?x?x?x33xf32>
  return %s : tensor<?x?x?x33xf32>
}

// -----

// 32 columns are a grid of 4 x 8: a product with H_4, then one with H_8. Signs are parities.
// CHECK-LABEL: func.func @hadamard(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x32xf32>)
// CHECK:         %[[GRID:[^ ,]+]] = tensor.expand_shape %[[X]] {{\[}}[0], [1, 2]] output_shape [%{{.+}}, 4, 8]
// CHECK:         %[[H4:[^ ,]+]] = linalg.generic {{.*}} outs(%{{.+}} : tensor<4x4xf32>)
// CHECK:           %[[COMMON:[^ ,]+]] = arith.andi
// CHECK:           %[[INTEGER:[^ ,]+]] = arith.index_cast %[[COMMON]] : index to i64
// CHECK:           %[[BITS:[^ ,]+]] = math.ctpop %[[INTEGER]]
// CHECK:           %[[ODD:[^ ,]+]] = arith.trunci %[[BITS]] : i64 to i1
// CHECK:           arith.select %[[ODD]], %cst{{.*}}, %cst
// CHECK:         %[[FIRST:[^ ,]+]] = linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "reduction", "parallel"]
// CHECK-SAME:      ins(%[[GRID]], %[[H4]]
// CHECK:         %[[H8:[^ ,]+]] = linalg.generic {{.*}} outs(%{{.+}} : tensor<8x8xf32>)
// CHECK:         %[[SECOND:[^ ,]+]] = linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "reduction", "parallel"]
// CHECK-SAME:      ins(%[[FIRST]], %[[H8]]
// CHECK:         tensor.collapse_shape %[[SECOND]] {{\[}}[0], [1, 2]]
func.func @hadamard(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %y = spectral.hadamard %x : tensor<?x32xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// CHECK-LABEL: func.func @permute(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x4x8xf32>, %[[P:[^:]+]]: tensor<8xi32>)
// CHECK:         linalg.generic {{.*}} ins(%[[P]] : tensor<8xi32>)
// CHECK:         ^bb0(%[[SOURCE:[^ ,]+]]: i32, %{{.+}}: f32):
// CHECK-DAG:       %[[I:[^ ,]+]] = linalg.index 0
// CHECK-DAG:       %[[J:[^ ,]+]] = linalg.index 1
// CHECK-DAG:       %[[COLUMN:[^ ,]+]] = arith.index_cast %[[SOURCE]] : i32 to index
// CHECK:           tensor.extract %[[X]][%[[I]], %[[J]], %[[COLUMN]]]
func.func @permute(%x: tensor<?x4x8xf32>, %p: tensor<8xi32>) -> tensor<?x4x8xf32> {
  %y = spectral.permute %x, %p : tensor<?x4x8xf32>, tensor<8xi32> -> tensor<?x4x8xf32>
  return %y : tensor<?x4x8xf32>
}

// -----

// D^(-1/2) S H G P H B x
// CHECK-LABEL: func.func @fastfood(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x16xf64>, %[[S:[^:]+]]: tensor<16xf64>, %[[G:[^:]+]]: tensor<16xf64>,
// CHECK-SAME:      %[[B:[^:]+]]: tensor<16xf64>, %[[P:[^:]+]]: tensor<16xi64>)
// CHECK-DAG:     %[[ROOT:[^ ,]+]] = arith.constant 2.500000e-01 : f64
// CHECK:         linalg.generic {{.*}} ins(%[[X]], %[[B]]
// CHECK:         tensor.expand_shape
// CHECK:         %[[H:[^ ,]+]] = tensor.collapse_shape
// CHECK:         %[[PERMUTED:[^ ,]+]] = linalg.generic {{.*}} ins(%[[P]]
// CHECK:           tensor.extract %[[H]]
// CHECK:         %[[SCALED:[^ ,]+]] = linalg.generic {{.*}} ins(%[[PERMUTED]], %[[G]]
// CHECK:         tensor.expand_shape %[[SCALED]]
// CHECK:         %[[LAST:[^ ,]+]] = tensor.collapse_shape
// CHECK:         linalg.generic {{.*}} ins(%[[LAST]], %[[S]]
// CHECK:           %[[PRODUCT:[^ ,]+]] = arith.mulf
// CHECK:           arith.mulf %[[PRODUCT]], %[[ROOT]]
func.func @fastfood(%x: tensor<?x16xf64>, %s: tensor<16xf64>, %g: tensor<16xf64>, %b: tensor<16xf64>,
                    %p: tensor<16xi64>) -> tensor<?x16xf64> {
  %u = spectral.fastfood %x scale(%s) gaussian(%g) signs(%b) permutation(%p)
    : tensor<?x16xf64>, tensor<16xf64>, tensor<16xi64> -> tensor<?x16xf64>
  return %u : tensor<?x16xf64>
}

// -----

// sqrt(1/4) = 1/2; terms side by side.
// CHECK-LABEL: func.func @kernel_sum(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<?x4xf32>, %[[B:[^:]+]]: tensor<?x2xf32>)
// CHECK:         arith.constant 5.000000e-01 : f32
// CHECK:         linalg.generic {{.*}} ins(%[[A]] :
// CHECK:           arith.mulf
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 0] [%{{.+}}, 4]
// CHECK:         tensor.insert_slice %{{.+}} into %{{.+}}[0, 4] [%{{.+}}, 2]
func.func @kernel_sum(%a: tensor<?x4xf32>, %b: tensor<?x2xf32>) -> tensor<?x6xf32> {
  %0 = spectral.kernel_sum %a, %b {weights = array<f64: 0.25, 1.0>} : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// -----

// CHECK-LABEL: func.func @kernel_product(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<?x4xf32>, %[[B:[^:]+]]: tensor<?x2xf32>)
// CHECK:         %[[PAIRS:.+]] = linalg.generic {{.*}} ins(%[[A]], %[[B]] : {{.*}}) outs(%{{.+}} : tensor<?x4x2xf32>)
// CHECK:           arith.addf
// CHECK:         tensor.collapse_shape %[[PAIRS]] {{\[\[}}0], [1, 2]]
func.func @kernel_product(%a: tensor<?x4xf32>, %b: tensor<?x2xf32>) -> tensor<?x8xf32> {
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>} : tensor<?x4xf32>, tensor<?x2xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
