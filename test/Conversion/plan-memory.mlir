// RUN: bochner-opt %s -split-input-file -spectral-plan-memory -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-plan-memory -spectral-plan-memory -canonicalize -cse | FileCheck %s

// Static sizes come first and have constant offsets; sizes are rounded up to 64 bytes.

// CHECK-LABEL: func.func @offsets(
// CHECK-SAME:    %[[X:.+]]: memref<?xf32>, %[[W:.+]]: memref<?xi8> {spectral.workspace})
// CHECK-SAME:    attributes {spectral.workspace_size = @offsets.workspace}
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C64:.+]] = arith.constant 64 : index
// CHECK-DAG:     %[[N:.+]] = memref.dim %[[X]], %[[C0]]
// CHECK:         %[[B:.+]] = memref.view %[[W]][%[[C64]]][%[[N]]] : memref<?xi8> to memref<?xf32>
// CHECK:         linalg.copy ins(%[[X]] {{.*}} outs(%[[B]]
// CHECK:         %[[A:.+]] = memref.view %[[W]][%[[C0]]][] : memref<?xi8> to memref<3xf32>
// CHECK:         linalg.fill {{.*}} outs(%[[A]]
// CHECK-LABEL: func.func private @offsets.workspace(
// CHECK-SAME:    %[[X:.+]]: memref<?xf32>) -> i64
// CHECK:         %[[N:.+]] = memref.dim %[[X]]
// CHECK:         %[[BYTES:.+]] = arith.muli %[[N]], %c4
// CHECK:         %[[PADDED:.+]] = arith.addi %[[BYTES]], %c63
// CHECK:         %[[ALIGNED:.+]] = arith.andi %[[PADDED]], %c-64
// CHECK:         arith.addi %[[ALIGNED]], %c64
func.func @offsets(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  %b = memref.alloc(%n) : memref<?xf32>
  linalg.copy ins(%x : memref<?xf32>) outs(%b : memref<?xf32>)
  %a = memref.alloc() : memref<3xf32>
  linalg.fill ins(%zero : f32) outs(%a : memref<3xf32>)
  linalg.copy ins(%b : memref<?xf32>) outs(%x : memref<?xf32>)
  linalg.fill ins(%zero : f32) outs(%a : memref<3xf32>)
  return
}

// -----

// Buffers that do not live at the same time share a place; the second lives while both others do.

// CHECK-LABEL: func.func @reuse(
// CHECK-SAME:    %[[X:.+]]: memref<16xf32>, %[[W:.+]]: memref<?xi8>
// CHECK:         %[[A:.+]] = memref.view %[[W]][%c0][] : memref<?xi8> to memref<16xf32>
// CHECK:         linalg.copy ins(%[[X]] {{.*}} outs(%[[A]]
// CHECK:         %[[B:.+]] = memref.view %[[W]][%c64][] : memref<?xi8> to memref<16xf32>
// CHECK:         linalg.copy ins(%[[A]] {{.*}} outs(%[[B]]
// CHECK:         linalg.copy ins(%[[B]] {{.*}} outs(%[[A]]
// CHECK:         linalg.copy ins(%[[A]] {{.*}} outs(%[[X]]
// CHECK-LABEL: func.func private @reuse.workspace(
// CHECK:         %[[SIZE:.+]] = arith.constant 128 : i64
// CHECK:         return %[[SIZE]]
func.func @reuse(%x: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  linalg.copy ins(%x : memref<16xf32>) outs(%a : memref<16xf32>)
  %b = memref.alloc() : memref<16xf32>
  linalg.copy ins(%a : memref<16xf32>) outs(%b : memref<16xf32>)
  %c = memref.alloc() : memref<16xf32>
  linalg.copy ins(%b : memref<16xf32>) outs(%c : memref<16xf32>)
  linalg.copy ins(%c : memref<16xf32>) outs(%x : memref<16xf32>)
  return
}

// -----

// A kernel is inlined with its workspace, whose size depends on a buffer of the caller; tasks and what they call stay.

// CHECK-LABEL: func.func private @task(
// CHECK-LABEL: func.func private @helper(
// CHECK-NOT:   @kernel
// CHECK-LABEL: func.func @caller(
// CHECK-SAME:    %[[X:.+]]: memref<?x4xf32, strided<[?, 1]>>, %[[W:.+]]: memref<?xi8>
// CHECK:         %[[N:.+]] = memref.dim %[[X]]
// CHECK:         memref.view %[[W]][%{{.+}}][%[[N]]] : memref<?xi8> to memref<?xf64>
// CHECK:         spectral.parallel_for @task count(%{{.+}})
func.func private @task(%i: index, %scratch: memref<?xi8>, %p: memref<?xf64>) {
  call @helper() : () -> ()
  return
}
func.func private @helper() {
  return
}
func.func private @kernel(%x: memref<?x4xf32, strided<[?, 1]>>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32, strided<[?, 1]>>
  %p = memref.alloc(%n) : memref<?xf64>
  spectral.parallel_for @task count(%n) args(%p : memref<?xf64>)
  return
}
func.func @caller(%x: memref<?x4xf32, strided<[?, 1]>>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32, strided<[?, 1]>>
  %t = memref.alloc(%n) : memref<?x4xf32>
  %cast = memref.cast %t : memref<?x4xf32> to memref<?x4xf32, strided<[?, 1]>>
  call @kernel(%cast) : (memref<?x4xf32, strided<[?, 1]>>) -> ()
  return
}

// -----

// An allocation in a loop has one place; a tile at the end of a loop is a part of it.

// CHECK-LABEL: func.func @loop(
// CHECK-SAME:    %[[X:.+]]: memref<?xf32>, %[[W:.+]]: memref<?xi8>
// CHECK:         scf.for %[[I:.+]] =
// CHECK:           %[[REST:.+]] = arith.subi %{{.+}}, %[[I]]
// CHECK:           %[[SIZE:.+]] = arith.minsi %[[REST]], %c32
// CHECK:           %[[VIEW:.+]] = memref.view %[[W]][%{{.+}}][%[[SIZE]]]
// CHECK:           linalg.fill {{.*}} outs(%[[VIEW]]
// CHECK-LABEL: func.func private @loop.workspace(
// CHECK:         %[[N:.+]] = memref.dim
// CHECK:         %[[SIZE:.+]] = arith.minsi %[[N]], %c32
// CHECK:         arith.muli %[[SIZE]], %c4
func.func @loop(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.for %i = %c0 to %n step %c32 {
    %rest = arith.subi %n, %i : index
    %size = arith.minsi %rest, %c32 : index
    %t = memref.alloc(%size) : memref<?xf32>
    linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
    linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
  }
  return
}

// -----

// Bounds follow sums, products, maxima and views: here 2 (n + 1) for the loop's largest index n.

// CHECK-LABEL: func.func private @bounds.workspace(
// CHECK:         %[[N:.+]] = memref.dim
// CHECK:         %[[SUM:.+]] = arith.addi %[[N]], %c1
// CHECK:         %[[PRODUCT:.+]] = arith.muli %[[SUM]], %c2
// CHECK:         %[[MAX:.+]] = arith.maxsi %[[PRODUCT]], %c7
// CHECK:         arith.muli %[[MAX]], %c4
func.func @bounds(%x: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c7 = arith.constant 7 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.for %i = %c0 to %n step %c1 {
    %sum = arith.addi %i, %c1 : index
    %product = arith.muli %sum, %c2 : index
    %size = arith.maxsi %product, %c7 : index
    %t = memref.alloc(%size) : memref<?xf32>
    linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
    linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
  }
  return
}

// -----

// What is left of n behind a length from memory is at most n, for lengths are clamped from below.

// CHECK-LABEL: func.func private @rest.workspace(
// CHECK:         %[[N:.+]] = memref.dim %{{.+}}, %c0 : memref<?xf32>
// CHECK:         arith.muli %[[N]], %c4
func.func @rest(%x: memref<?xf32>, %lengths: memref<1xi64>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?xf32>
  %length = memref.load %lengths[%c0] : memref<1xi64>
  %i = arith.index_cast %length : i64 to index
  %positive = arith.maxsi %i, %c0 : index
  %size = arith.subi %n, %positive : index
  %t = memref.alloc(%size) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
  return
}

// -----

// The sizes of a view that tells batch and heads apart again are those that it is given.

// CHECK-LABEL: func.func private @split.workspace(
// CHECK:         %[[HEADS:.+]] = memref.dim %{{.+}}, %c1 : memref<?x?x4xf32>
// CHECK:         arith.muli %[[HEADS]], %c4
func.func @split(%x: memref<?x?x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %batch = memref.dim %x, %c0 : memref<?x?x4xf32>
  %heads = memref.dim %x, %c1 : memref<?x?x4xf32>
  %stride = arith.muli %heads, %c4 : index
  %folded = memref.collapse_shape %x [[0, 1], [2]] : memref<?x?x4xf32> into memref<?x4xf32>
  %view = memref.reinterpret_cast %folded to offset: [0], sizes: [%batch, %heads, 4], strides: [%stride, 4, 1]
    : memref<?x4xf32> to memref<?x?x4xf32, strided<[?, 4, 1]>>
  %size = memref.dim %view, %c1 : memref<?x?x4xf32, strided<[?, 4, 1]>>
  %t = memref.alloc(%size) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?xf32>)
  return
}

// -----

// What needs no memory needs no workspace.

// CHECK-LABEL: func.func @nothing(%{{.+}}: memref<?xf32>) {
func.func @nothing(%x: memref<?xf32>) {
  %unused = memref.alloc() : memref<4xf32>
  return
}
