// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize | FileCheck %s

// A mask is tested at each pair, before the exponential and after the product; group head h reads key head h / 4.
// CHECK-LABEL: func.func @mask(
// CHECK-SAME:      %{{[^:]+}}: tensor<?x8x?x16xf64>, %[[K:[^:]+]]: tensor<?x2x?x16xf64>,
// CHECK-SAME:      %{{[^:]+}}: tensor<?x2x?x16xf64>, %[[M:[^:]+]]: tensor<?x?xi1>
// CHECK-DAG:     %[[INFINITY:[^ ,]+]] = arith.constant 0xFFF0000000000000 : f64
// CHECK-DAG:     %[[ZERO:[^ ,]+]] = arith.constant 0.000000e+00 : f64
// CHECK:         scf.for %[[BATCH:[^ ,]+]] =
// CHECK:           scf.for %[[HEAD:[^ ,]+]] = %c0 to %c8
// CHECK:             %[[KEY_HEAD:[^ ,]+]] = arith.divui %[[HEAD]], %c4
// CHECK:             tensor.extract_slice %[[K]][%[[BATCH]], %[[KEY_HEAD]], 0, 0]
// CHECK:             %[[ROW:[^ ,]+]] = tensor.extract_slice %[[M]][%[[BATCH]], 0]
// CHECK:             linalg.generic {{.+}} ins(%[[ROW]] : tensor<?xi1>)
// CHECK:             ^bb0(%[[KEPT:[^ ,]+]]: i1
// CHECK:               arith.select %[[KEPT]], %{{.+}}, %[[INFINITY]]
// CHECK:             math.exp
// CHECK:             ^bb0(%{{[^ ,]+}}: f64, %{{[^ ,]+}}: f64, %[[KEPT:[^ ,]+]]: i1
// CHECK:               %[[PRODUCT:[^ ,]+]] = arith.mulf
// CHECK:               arith.select %[[KEPT]], %[[PRODUCT]], %[[ZERO]]
func.func @mask(%q: tensor<?x8x?x16xf64>, %k: tensor<?x2x?x16xf64>, %v: tensor<?x2x?x16xf64>, %m: tensor<?x?xi1>)
    -> tensor<?x8x?x16xf64> {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x16xf64>) key(%k : tensor<?x2x?x16xf64>)
      value(%v : tensor<?x2x?x16xf64>) mask(%m : tensor<?x?xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.25 : f64} -> tensor<?x8x?x16xf64>
  return %out : tensor<?x8x?x16xf64>
}

// -----

// The anticausal test is the other one, on positions in the sequence. Offsets are kept within the rows, rows outside
// sequences are zeros, and buffers have sizes of operands.
// CHECK-LABEL: func.func @packed(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<1x2x?x16xf64>, %[[K:[^:]+]]: tensor<1x2x?x16xf64>,
// CHECK-SAME:      %{{[^:]+}}: tensor<1x2x?x16xf64>, %[[S:[^:]+]]: tensor<?xi64>, %[[T:[^:]+]]: tensor<?xi64>
// CHECK:         linalg.fill {{.+}} -> tensor<1x2x?x16xf64>
// CHECK:         scf.for %[[SEQUENCE:[^ ,]+]] =
// CHECK-DAG:       %[[ROWS:[^ ,]+]] = tensor.dim %[[Q]], %c2
// CHECK-DAG:       %[[KEYS:[^ ,]+]] = tensor.dim %[[K]], %c2
// CHECK:           %[[OFFSET:[^ ,]+]] = tensor.extract %[[S]][%[[SEQUENCE]]]
// CHECK:           %[[INDEX:[^ ,]+]] = arith.index_cast %[[OFFSET]]
// CHECK:           %[[LOW:[^ ,]+]] = arith.maxsi %[[INDEX]], %c0
// CHECK:           %[[FIRST:[^ ,]+]] = arith.minsi %[[LOW]], %[[ROWS]]
// CHECK:           tensor.extract %[[S]]
// CHECK:           tensor.extract %[[T]][%[[SEQUENCE]]]
// CHECK:           tensor.extract_slice %[[Q]][0, %{{.+}}, %[[FIRST]], 0]
// CHECK:           tensor.empty(%[[KEYS]]) : tensor<?x32xf64>
// CHECK:           %[[KEY:[^ ,]+]] = linalg.index 0
// CHECK:           arith.cmpi uge, %[[KEY]], %{{.+}}
func.func @packed(%q: tensor<1x2x?x16xf64>, %k: tensor<1x2x?x16xf64>, %v: tensor<1x2x?x16xf64>, %s: tensor<?xi64>,
                  %t: tensor<?xi64>) -> tensor<1x2x?x16xf64> {
  %out = spectral.exact_attention query(%q : tensor<1x2x?x16xf64>) key(%k : tensor<1x2x?x16xf64>)
      value(%v : tensor<1x2x?x16xf64>) sequences(%s : tensor<?xi64>) key_sequences(%t : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.25 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<1x2x?x16xf64>
  return %out : tensor<1x2x?x16xf64>
}
