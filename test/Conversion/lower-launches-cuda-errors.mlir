// RUN: bochner-opt %s --spectral-lower-launches=device=cuda --split-input-file --verify-diagnostics

func.func @load(%x: memref<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{'memref.load' op accesses memory on the host, which cannot touch that of device cuda; compute this in a function that is compiled for device cpu}}
  %y = memref.load %x[%c0] : memref<4xf32>
  return %y : f32
}

// -----

func.func @copy(%x: memref<4xf32>, %y: memref<4xf32>) {
  // expected-error @+1 {{'memref.copy' op accesses memory on the host}}
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  return
}

// -----

func.func private @task(%x: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : vector<4xf32>
  // expected-error @+1 {{'vector.store' op accesses memory on the host}}
  vector.store %zero, %x[%c0] : memref<4xf32>, vector<4xf32>
  return
}

// -----

memref.global "private" constant @table : memref<4xf32> = dense<1.0>
func.func @constant() {
  // expected-error @+1 {{'memref.get_global' op accesses memory on the host}}
  %x = memref.get_global @table : memref<4xf32>
  return
}
