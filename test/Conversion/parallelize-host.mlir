// RUN: bochner-opt %s -split-input-file -spectral-parallelize-host -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-parallelize-host -spectral-parallelize-host -canonicalize -cse | FileCheck %s

// Blocks of 128 rows divide 4096.

// CHECK-LABEL: func.func private @exp_host(
// CHECK-SAME:    %[[I:[^:]+]]: index, %{{[^:]+}}: memref<?xi8>, %[[X:[^:]+]]: memref<4096x512xf32>, %[[Y:[^:]+]]: memref<4096x512xf32>)
// CHECK-SAME:    passthrough = {{\[\[}}"bochner-optimize", "full"]], spectral.scratch_bytes = 0
// CHECK:         %[[ROW:.+]] = arith.muli %[[I]], %c128
// CHECK:         %[[FROM:.+]] = memref.subview %[[X]][%[[ROW]], 0] [128, 512] [1, 1]
// CHECK:         %[[TO:.+]] = memref.subview %[[Y]][%[[ROW]], 0] [128, 512] [1, 1]
// CHECK:         linalg.exp ins(%[[FROM]] {{.*}} outs(%[[TO]]
// CHECK-LABEL: func.func @exp(
// CHECK:         spectral.parallel_for @exp_host count(%c32) args(%{{.+}}, %{{.+}} :
// CHECK-NOT:     linalg.exp
func.func @exp(%x: memref<4096x512xf32>, %y: memref<4096x512xf32>) {
  linalg.exp ins(%x : memref<4096x512xf32>) outs(%y : memref<4096x512xf32>)
  return
}

// -----

// Dynamic sizes: a task for each batch entry and block of rows, the last of which may be shorter. What the body reads
// is captured, constants are copied.

// CHECK-LABEL: func.func private @scale_host(
// CHECK-SAME:    %[[I:[^:]+]]: index, %{{[^:]+}}: memref<?xi8>, %[[X:[^:]+]]: memref<?x?x64xf32>, %[[F:[^:]+]]: f32,
// CHECK-SAME:    %[[B:[^:]+]]: index, %[[BLOCKS:[^:]+]]: index, %[[N:[^:]+]]: index)
// CHECK-DAG:     %[[TWO:.+]] = arith.constant 2.0
// CHECK-DAG:     %[[BLOCK:.+]] = arith.remui %[[I]], %[[BLOCKS]]
// CHECK-DAG:     %[[ROW:.+]] = arith.muli %[[BLOCK]], %[[SIZE:.+]] : index
// CHECK-DAG:     %[[REST:.+]] = arith.divui %[[I]], %[[BLOCKS]]
// CHECK-DAG:     %[[ENTRY:.+]] = arith.remui %[[REST]], %[[B]]
// CHECK:         %[[LEFT:.+]] = arith.subi %[[N]], %[[ROW]]
// CHECK:         %[[ROWS:.+]] = arith.minui %[[LEFT]], %[[SIZE]]
// CHECK:         memref.subview %[[X]][%[[ENTRY]], %[[ROW]], 0] [1, %[[ROWS]], 64] [1, 1, 1]
// CHECK:         linalg.generic
// CHECK:           arith.mulf %{{.+}}, %[[F]]
// CHECK:           arith.addf %{{.+}}, %[[TWO]]
// CHECK-LABEL: func.func @scale(
// CHECK:         %[[BLOCKS:.+]] = arith.ceildivui %{{.+}}, %{{.+}}
// CHECK:         %[[COUNT:.+]] = arith.muli %[[BLOCKS]], %{{.+}}
// CHECK:         spectral.parallel_for @scale_host count(%[[COUNT]])
#id = affine_map<(b, n, d) -> (b, n, d)>
func.func @scale(%x: memref<?x?x64xf32>, %s: memref<f32>) {
  %two = arith.constant 2.0 : f32
  %f = memref.load %s[] : memref<f32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%x : memref<?x?x64xf32>) {
  ^bb0(%v: f32):
    %p = arith.mulf %v, %f : f32
    %q = arith.addf %p, %two : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// One copy of the weights, in panels of 64 columns of the output, serves all tasks.

// CHECK-LABEL: func.func @project(
// CHECK-SAME:    %[[X:[^:]+]]: memref<?x64xf32>, %[[W:[^:]+]]: memref<128x64xf32>, %[[Y:[^:]+]]: memref<?x128xf32>)
// CHECK:         %[[SPLIT:.+]] = memref.expand_shape %[[W]] {{\[\[}}0, 1], [2]] {{.*}} into memref<2x64x64xf32>
// CHECK:         %[[PACKED:.+]] = memref.alloc() {{.*}} : memref<2x64x64xf32>
// CHECK:         linalg.transpose ins(%[[SPLIT]] {{.*}} outs(%[[PACKED]] {{.*}} permutation = [0, 2, 1]
// CHECK:         %[[COLUMNS:.+]] = memref.expand_shape %[[Y]] {{\[\[}}0], [1, 2]] {{.*}} into memref<?x2x64xf32>
// CHECK:         spectral.parallel_for @{{.+}} args(%[[X]], %[[PACKED]], %[[COLUMNS]]
func.func @project(%x: memref<?x64xf32>, %w: memref<128x64xf32>, %y: memref<?x128xf32>) {
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : memref<?x64xf32>, memref<128x64xf32>) outs(%y : memref<?x128xf32>)
  return
}

// -----

// Rows of whole panels are copied even if they are contiguous; 70 columns make none, and are copied only because they
// are not.

// CHECK-LABEL: func.func @contiguous(
// CHECK-SAME:    %{{[^:]+}}: memref<?x64xf32>, %[[W:[^:]+]]: memref<64x128xf32>,
// CHECK:         %[[SPLIT:.+]] = memref.expand_shape %[[W]] {{\[\[}}0], [1, 2]] {{.*}} into memref<64x2x64xf32>
// CHECK:         linalg.transpose ins(%[[SPLIT]] {{.*}} permutation = [1, 0, 2]
func.func @contiguous(%x: memref<?x64xf32>, %w: memref<64x128xf32>, %y: memref<?x128xf32>) {
  linalg.matmul ins(%x, %w : memref<?x64xf32>, memref<64x128xf32>) outs(%y : memref<?x128xf32>)
  return
}

// CHECK-LABEL: func.func @odd(
// CHECK-SAME:    %{{[^:]+}}: memref<?x64xf32>, %[[W:[^:]+]]: memref<70x64xf32>,
// CHECK:         linalg.transpose ins(%[[W]] {{.*}} memref<64x70xf32>) permutation = [1, 0]
func.func @odd(%x: memref<?x64xf32>, %w: memref<70x64xf32>, %y: memref<?x70xf32>) {
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : memref<?x64xf32>, memref<70x64xf32>) outs(%y : memref<?x70xf32>)
  return
}

// -----

// Left alone: what is small, a sum of everything, and what stands in a loop.

// CHECK-LABEL: func.func @alone(
// CHECK-NOT:     spectral.parallel_for
#id = affine_map<(i, j) -> (i, j)>
#scalar = affine_map<(i, j) -> ()>
func.func @alone(%small: memref<64x64xf32>, %x: memref<?x?xf32>, %sum: memref<f32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  linalg.exp ins(%small : memref<64x64xf32>) outs(%small : memref<64x64xf32>)
  linalg.generic {indexing_maps = [#id, #scalar], iterator_types = ["reduction", "reduction"]}
      ins(%x : memref<?x?xf32>) outs(%sum : memref<f32>) {
  ^bb0(%v: f32, %s: f32):
    %a = arith.addf %v, %s : f32
    linalg.yield %a : f32
  }
  scf.for %i = %c0 to %n step %c1 {
    linalg.exp ins(%x : memref<?x?xf32>) outs(%x : memref<?x?xf32>)
  }
  return
}

// -----

// Indices count from where a part begins: rows that a table holds are gathered by blocks.

// CHECK-LABEL: func.func private @gather_host(
// CHECK-SAME:    %[[I:[^:]+]]: index, {{.*}} %[[TABLE:[^:]+]]: memref<256x64xf32>
// CHECK:         %[[ROW:.+]] = arith.muli %[[BLOCK:.+]], %
// CHECK:         linalg.generic
// CHECK:           %[[N:.+]] = linalg.index 1 : index
// CHECK:           %[[PLACE:.+]] = arith.addi %[[N]], %[[ROW]] : index
// CHECK:           %[[COLUMN:.+]] = linalg.index 2 : index
// CHECK-NEXT:      memref.load %[[TABLE]][%{{.+}}, %[[COLUMN]]]
// CHECK-LABEL: func.func @gather(
// CHECK:         spectral.parallel_for @gather_host
#row = affine_map<(b, n, w) -> (b, n)>
#element = affine_map<(b, n, w) -> (b, n, w)>
func.func @gather(%tokens: memref<?x?xi32>, %table: memref<256x64xf32>, %out: memref<?x?x64xf32>) {
  linalg.generic {indexing_maps = [#row, #element], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%tokens : memref<?x?xi32>) outs(%out : memref<?x?x64xf32>) {
  ^bb0(%token: i32, %old: f32):
    %n = linalg.index 1 : index
    %k = arith.index_cast %token : i32 to index
    %w = linalg.index 2 : index
    %e = memref.load %table[%k, %w] : memref<256x64xf32>
    %c = arith.index_cast %n : index to i64
    %f = arith.sitofp %c : i64 to f32
    %sum = arith.addf %e, %f : f32
    linalg.yield %sum : f32
  }
  return
}

// -----

// Few elements within the last but one dimension: tasks take blocks of the one before.
// Equal tasks are one function.

// CHECK-LABEL: func.func private @layers_host(
// CHECK-SAME:    memref<?x?x32x4xf32>
// CHECK:         memref.subview %{{.+}}[%{{.+}}, %{{.+}}, 0, 0] [1, %{{.+}}, 32, 4]
// CHECK-NOT:   func.func private
// CHECK-LABEL: func.func @layers(
// CHECK:         spectral.parallel_for @layers_host {{.*}} args(%[[X:[^,]+]], %[[Y:[^,]+]],
// CHECK:         spectral.parallel_for @layers_host {{.*}} args(%[[Y]], %[[X]],
func.func @layers(%x: memref<?x?x32x4xf32>, %y: memref<?x?x32x4xf32>) {
  linalg.exp ins(%x : memref<?x?x32x4xf32>) outs(%y : memref<?x?x32x4xf32>)
  linalg.exp ins(%y : memref<?x?x32x4xf32>) outs(%x : memref<?x?x32x4xf32>)
  return
}

// -----

// Tasks of a sum fill their part of the output.

// CHECK-LABEL: func.func private @product_host
// CHECK-SAME:    (%[[I:[^:]+]]: index, {{.*}} %[[C:[^:]+]]: memref<4096x48xf32>
// CHECK:         %[[PART:.+]] = memref.subview %[[C]][
// CHECK:         linalg.fill ins(%cst : f32) outs(%[[PART]] :
// CHECK:         linalg.matmul {{.*}} outs(%[[PART]] :
// CHECK-LABEL: func.func @product(
// CHECK-NOT:     linalg.fill
// CHECK:         spectral.parallel_for @product_host
// CHECK-NOT:     linalg.fill
// CHECK:         spectral.parallel_for
// CHECK:         return
func.func @product(%a: memref<4096x512xf32>, %b: memref<512x48xf32>, %out: memref<4096x48xf32>) {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<4096x48xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<4096x48xf32>)
  linalg.matmul ins(%a, %b : memref<4096x512xf32>, memref<512x48xf32>) outs(%c : memref<4096x48xf32>)
  linalg.exp ins(%c : memref<4096x48xf32>) outs(%out : memref<4096x48xf32>)
  return
}

// -----

// Unless something reads or writes it in between.

// CHECK-LABEL: func.func @read_between(
// CHECK:         spectral.parallel_for @read_between_host
// CHECK:         linalg.copy
// CHECK:         spectral.parallel_for @read_between_host
func.func @read_between(%a: memref<4096x512xf32>, %b: memref<512x48xf32>, %out: memref<4096x48xf32>,
                        %row: memref<48xf32>) {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<4096x48xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<4096x48xf32>)
  %first = memref.subview %c[0, 0] [1, 48] [1, 1] : memref<4096x48xf32> to memref<48xf32, strided<[1]>>
  linalg.copy ins(%row : memref<48xf32>) outs(%first : memref<48xf32, strided<[1]>>)
  linalg.matmul ins(%a, %b : memref<4096x512xf32>, memref<512x48xf32>) outs(%c : memref<4096x48xf32>)
  linalg.exp ins(%c : memref<4096x48xf32>) outs(%out : memref<4096x48xf32>)
  return
}
