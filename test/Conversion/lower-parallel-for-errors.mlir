// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-lower-parallel-for

func.func private @task(index, memref<?xi8>)
func.func private @nested(%n: index) {
  // expected-error @below {{cannot stand in a private function; tasks do not start tasks}}
  spectral.parallel_for @task count(%n)
  return
}

// -----

func.func private @task(index, memref<?xi8>, complex<f32>)
func.func @capture(%n: index, %z: complex<f32>) {
  // expected-error @below {{expected buffers, indices, integers and floats as captures, but got 'complex<f32>'}}
  spectral.parallel_for @task count(%n) args(%z : complex<f32>)
  return
}
