// RUN: bochner-opt %s -split-input-file -spectral-order-loops | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-order-loops -spectral-order-loops | FileCheck %s

// The sums of columns: rows outside, so that a row of sums grows along memory.

// CHECK-DAG:   #[[$ID:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG:   #[[$COLUMN:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @columns(
// CHECK:         linalg.generic {indexing_maps = [#[[$ID]], #[[$COLUMN]]], iterator_types = ["reduction", "parallel"]}
#matrix = affine_map<(column, row) -> (row, column)>
#sum = affine_map<(column, row) -> (column)>
func.func @columns(%x: memref<?x64xf32>, %y: memref<64xf32>) {
  linalg.generic {indexing_maps = [#matrix, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %s = arith.addf %sum, %v : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Sums of rows and elementwise operations are in order.

// CHECK-LABEL: func.func @rows(
// CHECK:         iterator_types = ["parallel", "reduction"]
// CHECK:         linalg.exp
#matrix = affine_map<(row, column) -> (row, column)>
#sum = affine_map<(row, column) -> (row)>
func.func @rows(%x: memref<?x64xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#matrix, #sum], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x64xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %s = arith.addf %sum, %v : f32
    linalg.yield %s : f32
  }
  linalg.exp ins(%x : memref<?x64xf32>) outs(%x : memref<?x64xf32>)
  return
}

// -----

// A product: the columns of the output innermost; terms are added in the order of k as before.

// CHECK-DAG:   #[[$A:.+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG:   #[[$B:.+]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG:   #[[$C:.+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-LABEL: func.func @product(
// CHECK:         linalg.generic {indexing_maps = [#[[$A]], #[[$B]], #[[$C]]], iterator_types = ["parallel", "reduction", "parallel"]}
func.func @product(%a: memref<?x64xf32>, %b: memref<64x32xf32>, %c: memref<?x32xf32>) {
  linalg.matmul ins(%a, %b : memref<?x64xf32>, memref<64x32xf32>) outs(%c : memref<?x32xf32>)
  return
}
