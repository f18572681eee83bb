// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// vjp and jvp. Labels c1, c2, ... are those of the documentation.

func.func @vjp_c1_missing(%x: tensor<4xf32>) {
  // expected-error @below {{expected @f to be a function with a body of one block}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(tensor<4xf32>) -> tensor<4xf32>
func.func @vjp_c1_external(%x: tensor<4xf32>) {
  // expected-error @below {{expected @f to be a function with a body of one block}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^end
^end:
  return %x : tensor<4xf32>
}
func.func @vjp_c1_blocks(%x: tensor<4xf32>) {
  // expected-error @below {{expected @f to be a function with a body of one block}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c2(%x: tensor<5xf32>, %cot: tensor<4xf32>) {
  // expected-error @below {{expected 'inputs' to have the types ('tensor<4xf32>'), but got ('tensor<5xf32>')}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<5xf32>) cotangents(%cot : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<5xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c3(%x: tensor<4xf32>, %cot: tensor<5xf32>) {
  // expected-error @below {{expected 'cotangents' to have the types ('tensor<4xf32>'), but got ('tensor<5xf32>')}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%cot : tensor<5xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c4_range(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'wrt' to hold indices of the 1 inputs, but got 1}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [1] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c4_negative(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'wrt' to hold indices of the 1 inputs, but got -1}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [-1] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c4_twice(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'wrt' to name each input once, but got 0 again}}
  %y:3 = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0, 0]
    -> tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xi32>) -> tensor<4xi32> {
  return %x : tensor<4xi32>
}
func.func @vjp_c4_integer(%x: tensor<4xi32>) {
  // expected-error @below {{expected input 0 of 'wrt' to be a ranked tensor of floating-point elements, but got 'tensor<4xi32>'}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xi32>) cotangents(%x : tensor<4xi32>) wrt [0] -> tensor<4xi32>, tensor<4xi32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @vjp_c5(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'results' to have the types ('tensor<4xf32>', 'tensor<4xf32>'), but got ('tensor<4xf32>')}}
  %y = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>
  return
}

// -----

func.func @jvp_c1(%x: tensor<4xf32>) {
  // expected-error @below {{expected @f to be a function with a body of one block}}
  %y, %t = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c2(%x: tensor<5xf32>) {
  // expected-error @below {{expected 'inputs' to have the types ('tensor<4xf32>'), but got ('tensor<5xf32>')}}
  %y, %t = spectral.jvp @f inputs(%x : tensor<5xf32>) tangents(%x : tensor<5xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c3(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'wrt' to hold indices of the 1 inputs, but got 3}}
  %y, %t = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%x : tensor<4xf32>) wrt [3] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c4(%x: tensor<4xf32>, %d: tensor<5xf32>) {
  // expected-error @below {{expected 'tangents' to have the types ('tensor<4xf32>'), but got ('tensor<5xf32>')}}
  %y, %t = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%d : tensor<5xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %y = tensor.extract %x[%c0] : tensor<4xf32>
  return %y : f32
}
func.func @jvp_c5_scalar(%x: tensor<4xf32>) {
  // expected-error @below {{expected result 0 of @f to be a ranked tensor of floating-point elements, but got 'f32'}}
  %y, %t = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%x : tensor<4xf32>) wrt [0] -> f32, f32
  return
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @jvp_c5(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'results' to have the types ('tensor<4xf32>', 'tensor<4xf32>'), but got ('tensor<4xf32>')}}
  %y = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>
  return
}
