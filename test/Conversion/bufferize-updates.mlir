// RUN: bochner-opt %s -split-input-file -spectral-bufferize | FileCheck %s

// A result that is the next value of an argument may take its memory while the function runs, if nothing reads an
// element of the argument after that of the result was written.

// CHECK-LABEL: func.func @elementwise(
// CHECK-SAME:      attributes {spectral.in_place = array<i64: 0>}
#id = affine_map<(i, j) -> (i, j)>
func.func @elementwise(%p: tensor<?x?xf32> {bochner.name = "p"}, %g: tensor<?x?xf32> {bochner.name = "g"})
    -> (tensor<?x?xf32> {bochner.updates = "p"}, tensor<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %p, %c0 : tensor<?x?xf32>
  %n = tensor.dim %p, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %other = linalg.add ins(%p, %g : tensor<?x?xf32>, tensor<?x?xf32>) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %out = tensor.empty(%m, %n) : tensor<?x?xf32>
  %next = linalg.sub ins(%p, %g : tensor<?x?xf32>, tensor<?x?xf32>) outs(%out : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %next, %other : tensor<?x?xf32>, tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @read_later(
// CHECK-NOT:     spectral.in_place
func.func @read_later(%p: tensor<?x?xf32> {bochner.name = "p"}, %g: tensor<?x?xf32> {bochner.name = "g"})
    -> (tensor<?x?xf32> {bochner.updates = "p"}, tensor<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %p, %c0 : tensor<?x?xf32>
  %n = tensor.dim %p, %c1 : tensor<?x?xf32>
  %out = tensor.empty(%m, %n) : tensor<?x?xf32>
  %next = linalg.sub ins(%p, %g : tensor<?x?xf32>, tensor<?x?xf32>) outs(%out : tensor<?x?xf32>) -> tensor<?x?xf32>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %other = linalg.add ins(%p, %g : tensor<?x?xf32>, tensor<?x?xf32>) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %next, %other : tensor<?x?xf32>, tensor<?x?xf32>
}

// -----

// Also by a view.
// CHECK-LABEL: func.func @view_read_later(
// CHECK-NOT:     spectral.in_place
func.func @view_read_later(%p: tensor<8x4xf32> {bochner.name = "p"})
    -> (tensor<8x4xf32> {bochner.updates = "p"}, tensor<4x4xf32>) {
  %part = tensor.extract_slice %p[2, 0] [4, 4] [1, 1] : tensor<8x4xf32> to tensor<4x4xf32>
  %out = tensor.empty() : tensor<8x4xf32>
  %next = linalg.exp ins(%p : tensor<8x4xf32>) outs(%out : tensor<8x4xf32>) -> tensor<8x4xf32>
  %empty = tensor.empty() : tensor<4x4xf32>
  %other = linalg.exp ins(%part : tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %next, %other : tensor<8x4xf32>, tensor<4x4xf32>
}

// -----

// Elements that are read elsewhere, in order or by a body.
// CHECK-LABEL: func.func @transposed(
// CHECK-NOT:     spectral.in_place
func.func @transposed(%p: tensor<8x8xf32> {bochner.name = "p"}) -> (tensor<8x8xf32> {bochner.updates = "p"}) {
  %out = tensor.empty() : tensor<8x8xf32>
  %next = linalg.transpose ins(%p : tensor<8x8xf32>) outs(%out : tensor<8x8xf32>) permutation = [1, 0]
  return %next : tensor<8x8xf32>
}

// -----

// CHECK-LABEL: func.func @gathered(
// CHECK-NOT:     spectral.in_place
#row = affine_map<(i) -> (i)>
func.func @gathered(%p: tensor<8xf32> {bochner.name = "p"}, %k: tensor<8xindex>)
    -> (tensor<8xf32> {bochner.updates = "p"}) {
  %out = tensor.empty() : tensor<8xf32>
  %next = linalg.generic {indexing_maps = [#row, #row], iterator_types = ["parallel"]}
      ins(%k : tensor<8xindex>) outs(%out : tensor<8xf32>) {
  ^bb0(%i: index, %old: f32):
    %e = tensor.extract %p[%i] : tensor<8xf32>
    linalg.yield %e : f32
  } -> tensor<8xf32>
  return %next : tensor<8xf32>
}
