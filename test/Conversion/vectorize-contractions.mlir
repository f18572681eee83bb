// RUN: bochner-opt %s -split-input-file -spectral-vectorize-contractions=vector-bits=512 | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-vectorize-contractions="vector-bits=256 fma=0" | FileCheck %s --check-prefix=AVX2
// RUN: bochner-opt %s -split-input-file -spectral-vectorize-contractions=vector-bits=512 -spectral-vectorize-contractions | FileCheck %s

// Sizes that fill tiles have no other loops: 4 rows by 4 vectors of 16, all of B's columns inside of the row loop.

// CHECK-LABEL: func.func @exact(
// CHECK-SAME:    %[[A:.+]]: memref<8x64xf32>, %[[B:.+]]: memref<64x128xf32>, %[[C:.+]]: memref<8x128xf32>)
// CHECK-DAG:     %[[C64:.+]] = arith.constant 64 : index
// CHECK-DAG:     %[[C128:.+]] = arith.constant 128 : index
// CHECK:         scf.for %[[J:.+]] = %{{.+}} to %[[C128]] step %[[C64]]
// CHECK:           scf.for %[[I:.+]] = %{{.+}} to %c8 step %c4
// CHECK-COUNT-16:    vector.load %[[C]]
// CHECK:             %[[SUMS:.+]]:16 = scf.for %[[K:.+]] = %{{.+}} to %{{.+}} step %{{.+}} iter_args
// CHECK-COUNT-4:       vector.load %[[B]][%[[K]], %{{.+}}] : memref<64x128xf32>, vector<16xf32>
// CHECK:               memref.load %[[A]][%[[I]], %[[K]]]
// CHECK-COUNT-16:      vector.fma
// CHECK-COUNT-16:    vector.store %[[SUMS]]#{{[0-9]+}}, %[[C]]
// CHECK-NOT:     scf.for
// CHECK:         return

// Sixteen registers hold 8 accumulators.
// AVX2-LABEL: func.func @exact(
// AVX2:         iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// AVX2-NOT:       vector.fma
// AVX2:           arith.mulf
// AVX2:           arith.addf
func.func @exact(%a: memref<8x64xf32>, %b: memref<64x128xf32>, %c: memref<8x128xf32>) {
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x128xf32>) outs(%c : memref<8x128xf32>)
  return
}

// -----

// Dynamic sizes: whole tiles, then single vectors, then the end under a mask; in each, rows by four and by one.

// CHECK-LABEL: func.func @tails(
// CHECK:         %[[N:.+]] = memref.dim %{{.+}}, %c1
// CHECK:         arith.remui %[[N]], %{{.+}}
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             iter_args
// CHECK:           scf.for
// CHECK:             iter_args
// CHECK:         scf.for
// CHECK-NOT:       masked
// CHECK:           scf.for
// CHECK:             iter_args
// CHECK:           scf.for
// CHECK:             iter_args
// CHECK:         scf.for %[[J:.+]] =
// CHECK:           %[[REST:.+]] = arith.subi %[[N]], %[[J]]
// CHECK:           %[[MASK:.+]] = vector.create_mask %[[REST]] : vector<8xi1>
// CHECK:           vector.maskedload {{.*}} %[[MASK]]
// CHECK:           vector.maskedstore {{.*}} %[[MASK]]
func.func @tails(%a: memref<?x?xf64>, %b: memref<?x?xf64, strided<[?, 1]>>, %c: memref<?x?xf64>) {
  linalg.matmul ins(%a, %b : memref<?x?xf64>, memref<?x?xf64, strided<[?, 1]>>) outs(%c : memref<?x?xf64>)
  return
}

// -----

// With B transposed, a panel of its columns is packed once for all rows and all batch entries that share it.

// CHECK-LABEL: func.func @transposed(
// CHECK-SAME:    %[[A:.+]]: memref<?x8x64xf32>, %[[B:.+]]: memref<64x64xf32>, %[[C:.+]]: memref<?x8x64xf32>)
// CHECK:         scf.for %[[J:.+]] =
// CHECK:           %[[PANEL:.+]] = memref.alloc() {{.*}} : memref<64x64xf32>
// CHECK:           scf.for %[[N:.+]] = %[[J]]
// CHECK:             scf.for %[[K:.+]] =
// CHECK:               %[[COLUMN:.+]] = arith.subi %[[N]], %[[J]]
// CHECK:               %[[X:.+]] = memref.load %[[B]][%[[N]], %[[K]]]
// CHECK:               memref.store %[[X]], %[[PANEL]][%[[K]], %[[COLUMN]]]
// CHECK:           scf.for %[[BATCH:.+]] =
// CHECK:             scf.for %[[I:.+]] =
// CHECK:               vector.load %[[C]][%[[BATCH]], %[[I]], %[[J]]]
// CHECK:               scf.for
// CHECK:                 vector.load %[[PANEL]]
// CHECK:                 memref.load %[[A]][%[[BATCH]], %[[I]], %{{.+}}]
#a = affine_map<(b, m, n, k) -> (b, m, k)>
#b = affine_map<(b, m, n, k) -> (n, k)>
#c = affine_map<(b, m, n, k) -> (b, m, n)>
func.func @transposed(%a: memref<?x8x64xf32>, %b: memref<64x64xf32>, %c: memref<?x8x64xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x8x64xf32>, memref<64x64xf32>) outs(%c : memref<?x8x64xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// The operands may stand in either order; the reduction may have several dimensions.

// CHECK-LABEL: func.func @swapped(
// CHECK-SAME:    %[[B:.+]]: memref<2x5x16xf32>, %[[A:.+]]: memref<2x5x4xf32>, %[[C:.+]]: memref<4x16xf32>)
// CHECK-COUNT-4: vector.load %[[C]]
// CHECK:         scf.for %[[K0:.+]] = {{.*}} iter_args
// CHECK:           scf.for %[[K1:.+]] = {{.*}} iter_args
// CHECK:             vector.load %[[B]][%[[K0]], %[[K1]], %{{.+}}]
// CHECK-COUNT-4:     vector.fma
#in0 = affine_map<(m, n, j, k) -> (j, k, n)>
#in1 = affine_map<(m, n, j, k) -> (j, k, m)>
#out = affine_map<(m, n, j, k) -> (m, n)>
func.func @swapped(%b: memref<2x5x16xf32>, %a: memref<2x5x4xf32>, %c: memref<4x16xf32>) {
  linalg.generic {indexing_maps = [#in0, #in1, #out], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%b, %a : memref<2x5x16xf32>, memref<2x5x4xf32>) outs(%c : memref<4x16xf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %p, %sum : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Left alone: integers, a product of one row with a transposed matrix, columns that are not contiguous in the output,
// and sums that are no products.

// CHECK-LABEL: func.func @alone(
// CHECK:         linalg.matmul
// CHECK:         linalg.matvec
// CHECK:         linalg.matmul
// CHECK:         linalg.generic
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @alone(%i: memref<4x4xi32>, %a: memref<4x4xf32>, %x: memref<4xf32>, %y: memref<4xf32>,
                 %strided: memref<4x4xf32, strided<[8, 2]>>) {
  linalg.matmul ins(%i, %i : memref<4x4xi32>, memref<4x4xi32>) outs(%i : memref<4x4xi32>)
  linalg.matvec ins(%a, %x : memref<4x4xf32>, memref<4xf32>) outs(%y : memref<4xf32>)
  linalg.matmul ins(%a, %a : memref<4x4xf32>, memref<4x4xf32>) outs(%strided : memref<4x4xf32, strided<[8, 2]>>)
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<4x4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %s = arith.addf %sum, %v : f32
    linalg.yield %s : f32
  }
  return
}
