// RUN: bochner-opt %s -split-input-file -spectral-sum-rows | FileCheck %s

// What is reduced stays in registers; sums may change their order.

// CHECK-LABEL: func.func @sums(
// CHECK-SAME:      %[[X:[^:]+]]: memref<?x64xf32>, %[[MEAN:[^:]+]]: memref<?xf32>, %[[Y:[^:]+]]: memref<?xf32>)
// CHECK:         scf.for %[[ROW:.+]] = %{{.+}} to %{{.+}} step %{{.+}} {
// CHECK-NEXT:      %[[START:.+]] = memref.load %[[Y]][%[[ROW]]]
// CHECK-NEXT:      %[[SUM:.+]] = scf.for %[[COLUMN:.+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args(%[[S:.+]] = %[[START]]) -> (f32) {
// CHECK-DAG:         %[[V:.+]] = memref.load %[[X]][%[[ROW]], %[[COLUMN]]]
// CHECK-DAG:         %[[M:.+]] = memref.load %[[MEAN]][%[[ROW]]]
// CHECK:             %[[D:.+]] = arith.subf %[[V]], %[[M]] : f32
// CHECK:             %[[NEXT:.+]] = arith.addf %[[S]], %[[D]] fastmath<reassoc> : f32
// CHECK:             scf.yield %[[NEXT]]
// CHECK:           memref.store %[[SUM]], %[[Y]][%[[ROW]]]
// CHECK-NOT:     linalg
#matrix = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @sums(%x: memref<?x64xf32>, %mean: memref<?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#matrix, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x, %mean : memref<?x64xf32>, memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%v: f32, %m: f32, %sum: f32):
    %d = arith.subf %v, %m : f32
    %s = arith.addf %sum, %d : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Several results, indices, and a sum that is no more than a factor.

// CHECK-LABEL: func.func @several(
// CHECK:         scf.for %{{.+}} iter_args(%{{.+}} = %{{.+}}, %{{.+}} = %{{.+}}) -> (f32, f32) {
// CHECK:           arith.maximumf
// CHECK:           arith.addf %{{[^ ]+}}, %{{[^ ]+}} : f32
// CHECK:           arith.mulf
#all = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>
func.func @several(%x: memref<?xf32>, %largest: memref<f32>, %sum: memref<f32>) {
  linalg.generic {indexing_maps = [#all, #none, #none], iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%largest, %sum : memref<f32>, memref<f32>) {
  ^bb0(%v: f32, %l: f32, %s: f32):
    %i = linalg.index 0 : index
    %k = arith.index_cast %i : index to i64
    %f = arith.sitofp %k : i64 to f32
    %m = arith.maximumf %l, %v : f32
    %a = arith.addf %s, %f : f32
    %t = arith.mulf %s, %a : f32
    linalg.yield %m, %t : f32, f32
  }
  return
}

// -----

// The order of a sum stays where an iteration reads what there is so far.

// CHECK-LABEL: func.func @read(
// CHECK:         %[[SUM:.+]] = arith.addf %{{[^ ]+}}, %{{[^ ]+}} : f32
// CHECK:         scf.yield %{{.+}}, %[[SUM]] : f32, f32
#all = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>
func.func @read(%x: memref<?xf32>, %largest: memref<f32>, %sum: memref<f32>) {
  linalg.generic {indexing_maps = [#all, #none, #none], iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%largest, %sum : memref<f32>, memref<f32>) {
  ^bb0(%v: f32, %l: f32, %s: f32):
    %m = arith.maximumf %l, %s : f32
    %a = arith.addf %s, %v : f32
    linalg.yield %m, %a : f32, f32
  }
  return
}

// -----

// Left alone: columns, which vectorize as they are, and what is read at other places than projections.

// CHECK-LABEL: func.func @alone(
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     fastmath
#matrix = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>
#shifted = affine_map<(i, j) -> (i + j)>
func.func @alone(%x: memref<8x64xf32>, %y: memref<64xf32>, %v: memref<71xf32>, %z: memref<8xf32>) {
  linalg.generic {indexing_maps = [#matrix, #column], iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<8x64xf32>) outs(%y : memref<64xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %s = arith.addf %sum, %a : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#shifted, #matrix, #row], iterator_types = ["parallel", "reduction"]}
      ins(%v, %x : memref<71xf32>, memref<8x64xf32>) outs(%z : memref<8xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %s = arith.addf %sum, %a : f32
    linalg.yield %s : f32
  }
  return
}
