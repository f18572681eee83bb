// RUN: bochner-opt %s -split-input-file -spectral-decompose -verify-diagnostics
// RUN: not bochner-opt %s -split-input-file -spectral-decompose=ops=trig,linear_atention 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OPS

// OPS: expected 'ops' to name operations of the dialect 'spectral' without its prefix, but got 'linear_atention'

func.func private @kernel(tensor<?x64xf32>) -> tensor<?x64xf32>
func.func @launch(%x: tensor<?x64xf32>, %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{cannot be written out as linalg; run 'spectral-decompose' before kernels are outlined}}
  %y = spectral.launch @kernel ins(%x : tensor<?x64xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

func.func private @task(index, memref<?xi8>)
func.func @parallel_for(%count: index) {
  // expected-error @below {{cannot be written out as linalg}}
  spectral.parallel_for @task count(%count)
  return
}
