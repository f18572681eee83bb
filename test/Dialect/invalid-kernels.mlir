// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// launch and parallel_for. Labels c1, c2, ... are those of the documentation.

func.func @launch_c1(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected @missing to name a function, but found none}}
  %y = spectral.launch @missing ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @kernel(tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @launch_c2_count(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected @kernel to take ('tensor<4xf32>'), but got ('tensor<4xf32>', 'tensor<4xf32>')}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @kernel(tensor<4xf64>) -> tensor<4xf32>
func.func @launch_c2_type(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected @kernel to take ('tensor<4xf32>'), but got ('tensor<4xf64>')}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @kernel(tensor<4xf32>) -> tensor<5xf32>
func.func @launch_c3(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @below {{expected results of the outputs' types ('tensor<4xf32>'), but got ('tensor<5xf32>')}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

func.func private @kernel(tensor<4xf32>) -> tensor<4xf32>
func.func @launch_misspelt(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected an attribute of the operation, but got 'threads'; known are 'kernel'}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) {threads = 2 : i64} -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @parallel_for_c1(%n: index) {
  // expected-error @below {{expected @missing to name a function, but found none}}
  spectral.parallel_for @missing count(%n)
  return
}

// -----

func.func private @task(index, memref<?xi8>)
func.func @parallel_for_c1_captures(%n: index) {
  // expected-error @below {{expected @task to take ('index', 'memref<?xi8>', 'index'), but got ('index', 'memref<?xi8>')}}
  spectral.parallel_for @task count(%n) args(%n : index)
  return
}

// -----

func.func private @task(index, memref<?xi8>)
func.func @parallel_for_misspelt(%n: index) {
  // expected-error @below {{expected an attribute of the operation, but got 'grain'; known are 'task'}}
  spectral.parallel_for @task count(%n) {grain = 4 : i64}
  return
}
