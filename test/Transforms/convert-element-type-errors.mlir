// RUN: bochner-opt %s -split-input-file -spectral-convert-element-type -verify-diagnostics
// RUN: not bochner-opt %s -split-input-file -spectral-convert-element-type=to=f16 2>&1 | FileCheck %s

// CHECK: expected 'to' to be f64 or f32, but got 'f16'

func.func @bits(%x: f32) -> i32 {
  // expected-error @below {{cannot change its element type, because it reads the bits of a number}}
  %bits = arith.bitcast %x : f32 to i32
  return %bits : i32
}

// -----

func.func @missing() -> tensor<2xf32> {
  // expected-error @below {{cannot change its element type, because the contents of resource 'weights' are missing}}
  %w = arith.constant dense_resource<weights> : tensor<2xf32>
  return %w : tensor<2xf32>
}
