// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose=ops=random_bits | FileCheck %s --check-prefix=ONLY

// A loop over blocks: 64 bits of counter, ten rounds of two products (the first of
// the stream is a constant), four words. The tail of the last block is cut off.
// CHECK-LABEL: func.func @bits(
// CHECK-SAME:      %[[KEY:[^:]+]]: tensor<i64>, %[[OFFSET:[^:]+]]: tensor<i64>)
// CHECK-DAG:     %[[OFFSET0:[^ ]+]] = tensor.extract %[[OFFSET]][]
// CHECK-DAG:     %[[KEY0:[^ ]+]] = tensor.extract %[[KEY]][]
// CHECK-DAG:     %[[FLAT:[^ ]+]] = tensor.empty() : tensor<16xi32>
// CHECK:         %[[WORDS:[^ ]+]] = scf.for %[[I:[^ ]+]] = %c0 to %c4 step %c1 iter_args(%{{.+}} = %[[FLAT]])
// CHECK:           %[[BLOCK:[^ ]+]] = arith.index_cast %[[I]] : index to i64
// CHECK:           arith.addi %[[OFFSET0]], %[[BLOCK]] : i64
// CHECK-COUNT-19:  arith.mului_extended
// CHECK-NOT:       arith.mului_extended
// CHECK-COUNT-4:   tensor.insert
// CHECK-NOT:       tensor.insert
// CHECK:           scf.yield
// CHECK:         %[[CUT:[^ ]+]] = tensor.extract_slice %[[WORDS]][0] [15] [1]
// CHECK:         tensor.expand_shape %[[CUT]] {{\[\[}}0, 1]] output_shape [3, 5] : tensor<15xi32> into tensor<3x5xi32>
// ONLY-LABEL: func.func @bits(
// ONLY-NOT:     spectral.
func.func @bits(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<3x5xi32> {
  %0 = spectral.random_bits key(%key) offset(%offset) {stream = 5 : i64} : tensor<3x5xi32>
  return %0 : tensor<3x5xi32>
}

// -----

// Two normal numbers from two words, computed in the element type.
// CHECK-LABEL: func.func @normal(
// CHECK:         scf.for
// CHECK-COUNT-2:   math.log %{{.+}} : f64
// CHECK-NOT:       math.log
// CHECK:         tensor.expand_shape %{{.+}} : tensor<8xf64> into tensor<2x4xf64>
// ONLY-LABEL: func.func @normal(
// ONLY:         spectral.random_normal
func.func @normal(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<2x4xf64> {
  %0 = spectral.random_normal key(%key) offset(%offset) : tensor<2x4xf64>
  return %0 : tensor<2x4xf64>
}

// -----

// 16-bit types round what f32 gives.
// CHECK-LABEL: func.func @narrow(
// CHECK-COUNT-2:   math.log %{{.+}} : f32
// CHECK:           arith.truncf %{{.+}} : f32 to bf16
func.func @narrow(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<4xbf16> {
  %0 = spectral.random_normal key(%key) offset(%offset) : tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// -----

// CHECK-LABEL: func.func @signs(
// CHECK-DAG:     %[[PLUS:[^ ]+]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG:     %[[MINUS:[^ ]+]] = arith.constant -1.000000e+00 : f32
// CHECK:         scf.for
// CHECK:           %[[SET:[^ ]+]] = arith.cmpi slt, %{{.+}}, %c0_i32 : i32
// CHECK:           arith.select %[[SET]], %[[MINUS]], %[[PLUS]] : f32
func.func @signs(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<6xf32> {
  %0 = spectral.random_signs key(%key) offset(%offset) : tensor<6xf32>
  return %0 : tensor<6xf32>
}

// -----

// Ranks of keys of 64 bits, two from each block; equal keys keep their order.
// CHECK-LABEL: func.func @permutation(
// CHECK:         %[[KEYS:[^ ]+]] = scf.for %{{.+}} = %c0 to %c4 step
// CHECK-COUNT-2:   arith.shli
// CHECK-COUNT-2:   tensor.insert
// CHECK:         linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[KEYS]], %[[KEYS]]
// CHECK:           arith.cmpi ult, %{{.+}}, %{{.+}} : i64
// CHECK:           arith.cmpi eq, %{{.+}}, %{{.+}} : i64
func.func @permutation(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<8xi64> {
  %0 = spectral.random_permutation key(%key) offset(%offset) : tensor<8xi64>
  return %0 : tensor<8xi64>
}

// -----

// Blocks, then columns of a block. The process runs once for f32, whose digits f64 has in plenty.
// CHECK-LABEL: func.func @orthogonal_f32(
// CHECK:         scf.for {{.*}}(tensor<12xf64>)
// CHECK:         %[[BLOCKS:[^ ]+]] = linalg.generic {{.*}} outs(%{{.+}} : tensor<2x3x3xf64>)
// CHECK:         scf.for %{{.+}} = %c0 to %c2 step %c1 iter_args(%{{.+}} = %[[BLOCKS]])
// CHECK:           scf.for %[[C:[^ ]+]] = %c0 to %c3 step
// CHECK-NOT:         scf.for
// CHECK:             tensor.extract_slice %{{.+}}[0, %[[C]]] [3, 1] [1, 1] : tensor<3x3xf64> to tensor<3xf64>
// CHECK:             %[[FIRST:[^ ]+]] = arith.addi %[[C]], %c1
// CHECK:             tensor.extract_slice %{{.+}}[0, %[[FIRST]]] [3, %{{.+}}] [1, 1] : tensor<3x3xf64> to tensor<3x?xf64>
// CHECK:         arith.truncf %{{.+}} : f64 to f32
func.func @orthogonal_f32(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<3x4xf32> {
  %0 = spectral.random_orthogonal key(%key) offset(%offset) : tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @orthogonal_f64(
// CHECK:         scf.for %{{.+}} = %c0 to %c4 step %c1 iter_args(%{{.+}}) -> (tensor<4x3x3xf64>)
// CHECK:           scf.for %{{.+}} = %c0 to %c2 step
// CHECK:             scf.for %{{.+}} = %c0 to %c3 step
// CHECK-NOT:     arith.truncf
// CHECK:         return
func.func @orthogonal_f64(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<3x12xf64> {
  %0 = spectral.random_orthogonal key(%key) offset(%offset) : tensor<3x12xf64>
  return %0 : tensor<3x12xf64>
}

// -----

// A block for each four columns, drawn outside of the loop over its words; 0.1 2^32 is 429496730.
// CHECK-LABEL: func.func @dropout(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x?x64xf32>
// CHECK:         %[[BLOCKS:[^ ]+]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1], [2, 3]] {{.*}} into tensor<?x?x16x4xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[BLOCKS]] : tensor<?x?x16x4xf32>)
// CHECK-COUNT-19:  arith.mului_extended
// CHECK-NOT:       arith.mului_extended
// CHECK:           arith.cmpi ult, %{{.+}}, %c429496730_i32
// CHECK:           arith.select %{{.+}}, %{{.+}}, %{{.+}} : f32
// CHECK:         tensor.collapse_shape %{{.+}} {{\[\[}}0], [1], [2, 3]] : tensor<?x?x16x4xf32> into tensor<?x?x64xf32>
// ONLY-LABEL: func.func @dropout(
// ONLY:         spectral.dropout
func.func @dropout(%x: tensor<?x?x64xf32>, %key: tensor<i64>, %offset: tensor<i64>) -> tensor<?x?x64xf32> {
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<?x?x64xf32>
  return %0 : tensor<?x?x64xf32>
}

// -----

// Columns that do not make whole blocks.
// CHECK-LABEL: func.func @dropout_columns(
// CHECK-NOT:     expand_shape
// CHECK:         %[[COLUMN:.+]] = linalg.index 1
// CHECK-DAG:     arith.remui %[[COLUMN]], %c4
// CHECK-DAG:     arith.divui %[[COLUMN]], %c4
func.func @dropout_columns(%x: tensor<?x6xf32>, %key: tensor<i64>, %offset: tensor<i64>) -> tensor<?x6xf32> {
  %0 = spectral.dropout %x key(%key) offset(%offset) {rate = 0.1 : f64} : tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}
