// RUN: bochner-opt %s -split-input-file -spectral-expand-conversions -verify-diagnostics

func.func @away(%x: f32) -> bf16 {
  // expected-error @below {{unsupported rounding mode toward_zero for 16-bit floats: expected to_nearest_even or none}}
  %y = arith.truncf %x toward_zero : f32 to bf16
  return %y : bf16
}

// -----

func.func @even(%x: f32) -> bf16 {
  %y = arith.truncf %x to_nearest_even : f32 to bf16
  return %y : bf16
}
