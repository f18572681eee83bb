// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-plan-memory

func.func @data(%x: memref<?xf32>, %n: memref<1xindex>) {
  %c0 = arith.constant 0 : index
  // expected-note @below {{it depends on this value}}
  %size = memref.load %n[%c0] : memref<1xindex>
  // expected-error @below {{expected the sizes of arguments to bound the size of a buffer}}
  // expected-note @below {{likely cause: a tensor whose shape depends on data}}
  %t = memref.alloc(%size) : memref<?xf32>
  linalg.copy ins(%x : memref<?xf32>) outs(%t : memref<?xf32>)
  return
}

// -----

func.func @aligned(%x: memref<4xf32>) {
  // expected-error @below {{expected a contiguous buffer with an alignment of at most 64 bytes}}
  %t = memref.alloc() {alignment = 128 : i64} : memref<4xf32>
  linalg.copy ins(%x : memref<4xf32>) outs(%t : memref<4xf32>)
  return
}

// -----

func.func private @task(%i: index, %scratch: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{cannot allocate in a task; use its scratch or capture a buffer}}
  %t = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<4xf32>)
  return
}
func.func @entry(%n: index) {
  spectral.parallel_for @task count(%n)
  return
}

// -----

func.func private @again(%x: memref<4xf32>) {
  // expected-error @below {{cannot call @again recursively in compiled code}}
  call @again(%x) : (memref<4xf32>) -> ()
  return
}
func.func @recursion(%x: memref<4xf32>) {
  call @again(%x) : (memref<4xf32>) -> ()
  return
}

// -----

func.func private @outside(memref<4xf32>)
func.func @external(%x: memref<4xf32>) {
  // expected-error @below {{expected @outside to be a function with a body}}
  call @outside(%x) : (memref<4xf32>) -> ()
  return
}

// -----

func.func private @blocks(%x: memref<4xf32>) {
  cf.br ^next
^next:
  return
}
func.func @caller(%x: memref<4xf32>) {
  // expected-error @below {{expected the body of @blocks to be one block; use scf.if and scf.for for its control flow}}
  call @blocks(%x) : (memref<4xf32>) -> ()
  return
}
