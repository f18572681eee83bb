// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-verify-phase=phase=kernel
// RUN: not bochner-opt %s -split-input-file -spectral-verify-phase=phase=elsewhere 2>&1 | FileCheck %s
// CHECK: expected option 'phase' to be graph, differentiate, fuse, kernel or target, but got 'elsewhere'

// A kernel function may hold what a graph may not.

func.func @fine(%x: tensor<?x8x?x64xf32>, %n: tensor<?xi64>, %init: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %y = spectral.launch @kernel ins(%x : tensor<?x8x?x64xf32>) outs(%init : tensor<?x8x?x64xf32>)
    -> tensor<?x8x?x64xf32>
  return %y : tensor<?x8x?x64xf32>
}
func.func private @kernel(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

// expected-error @below {{expected a public function to compile}}
// expected-note @below {{likely cause: all functions are private or the file is empty}}
module {}

// -----

// expected-error @below {{expected function 'outside' to have a body}}
// expected-note @below {{likely cause: it stands in another file; compiled code calls nothing outside of its module}}
func.func private @outside(tensor<4xf32>)
// expected-error @below {{expected argument 0 of public function 'scalar' to be a ranked tensor of f64, f32, bf16, f16, i64, i32, i8 or i1, but got 'index'}}
// expected-note @below {{likely cause: a scalar (pass a tensor of rank 0) or a function that should be private}}
func.func @scalar(%n: index) {
  return
}
// expected-error @below {{expected result 0 of public function 'unranked' to be a ranked tensor of f64, f32, bf16, f16, i64, i32, i8 or i1, but got 'tensor<*xf32>'}}
// expected-note @below {{likely cause: a scalar (pass a tensor of rank 0) or a function that should be private}}
func.func @unranked(%x: tensor<4xf32>) -> tensor<*xf32> {
  %y = tensor.cast %x : tensor<4xf32> to tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @recursive(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{cannot compile a call}}
  // expected-note @below {{likely cause: the function calls itself}}
  %y = call @recursive(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @checked(%x: tensor<4xf32>, %c: tensor<i1>) -> tensor<4xf32> {
  %ok = tensor.extract %c[] : tensor<i1>
  // expected-error @below {{cannot compile an assertion}}
  // expected-note @below {{likely cause: the graph was exported with run-time checks; conditions of arguments are checked before a call}}
  cf.assert %ok, "sizes agree"
  return %x : tensor<4xf32>
}

// -----

func.func @dialects(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{unsupported operation 'memref.alloc' in a graph}}
  // expected-note @below {{likely cause: graphs are written with spectral, linalg, tensor, arith, math and scf}}
  %m = memref.alloc() : memref<4xf32>
  return %x : tensor<4xf32>
}
// expected-error @below {{expected a module of functions, but got 'llvm.func'}}
// expected-note @below {{likely cause: this phase has run already, or the file is not a graph}}
llvm.func @compiled()

// -----

func.func @outlined(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x128xf32> {
  // expected-error @below {{expected 'spectral.feature_map' to be in a kernel function or written out}}
  // expected-note @below {{likely cause: spectral-outline-kernels has not run}}
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  // expected-error @below {{expected 'spectral.trig' to be in a kernel function or written out}}
  // expected-note @below {{likely cause: spectral-decompose has not run, or has no plain form of this operation}}
  %t = spectral.trig %phi : tensor<?x8x?x64xf32> -> tensor<?x8x?x128xf32>
  return %t : tensor<?x8x?x128xf32>
}

// -----

func.func @gradients(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-error @below {{expected 'spectral.linear_attention_grad' to be in a kernel function or written out}}
  // expected-note @below {{likely cause: spectral-outline-kernels has not run}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) output(%v : tensor<?x8x?x64xf32>) cotangent(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
  return %g#0 : tensor<?x8x?x64xf32>
}
