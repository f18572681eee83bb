// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-bufferize

// expected-error @below {{expected results of public function 'scalar' to be ranked tensors, but got 'f32'; return a scalar as a tensor of rank 0}}
func.func @scalar(%x: tensor<f32>) -> f32 {
  %y = tensor.extract %x[] : tensor<f32>
  return %y : f32
}

// -----

func.func private @kernel(tensor<4xf32>) -> tensor<4xf32>
func.func @early(%x: tensor<4xf32>) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  // expected-error @below {{expected kernel @kernel to be a function on buffers of the inputs and outputs}}
  // expected-note @below {{likely cause: the pass that emits kernels of the target has not run}}
  // expected-error @below {{failed to bufferize op}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func private @kernel(memref<4xf32, strided<[2]>>, memref<4xf32>)
func.func @layout(%x: tensor<4xf32>) -> tensor<4xf32> {
  %init = tensor.empty() : tensor<4xf32>
  // expected-error @below {{expected kernel @kernel to take buffers of any strides, but got 'memref<4xf32, strided<[2]>>'}}
  // expected-error @below {{failed to bufferize op}}
  %y = spectral.launch @kernel ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
