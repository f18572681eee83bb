// Why a product of kernels is not one projection.
// RUN: bochner-opt %s -split-input-file -spectral-expand-kernel-algebra --remarks-filter=spectral-expand-kernel-algebra \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir


// The norm is of %y, the projection of %x.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#omega = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @other_norm(
// CHECK-COUNT-2: spectral.log_positive
// CHECK-NOT:     spectral.
func.func @other_norm(%x: tensor<?x8x?x4xf32>, %y: tensor<?x8x?x4xf32>, %omega: tensor<4x5xf32>, %e: tensor<?x8x?x5xf32>)
    -> tensor<?x8x?x25xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8x?x5xf32>) -> tensor<?x8x?x5xf32>
  %u = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %w = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %a = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  %b = spectral.log_positive %w, %y {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  // expected-remark @below {{not one on frequencies: a factor projects other rows than those of its norm}}
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x5xf32> -> tensor<?x8x?x25xf32>
  return %0 : tensor<?x8x?x25xf32>
}

// -----

// One map of %x, one of %y.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#omega = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @other_rows(
// CHECK-COUNT-2: spectral.log_positive
// CHECK-NOT:     spectral.
func.func @other_rows(%x: tensor<?x8x?x4xf32>, %y: tensor<?x8x?x4xf32>, %omega: tensor<4x5xf32>, %e: tensor<?x8x?x5xf32>)
    -> tensor<?x8x?x25xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8x?x5xf32>) -> tensor<?x8x?x5xf32>
  %u = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %w = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%y, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %a = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  %b = spectral.log_positive %w, %y {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  // expected-remark @below {{not one on frequencies: the factors map different rows}}
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x5xf32> -> tensor<?x8x?x25xf32>
  return %0 : tensor<?x8x?x25xf32>
}

// -----

// Counts multiply.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#omega = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @counts(
// CHECK-COUNT-2: spectral.log_positive
// CHECK-NOT:     spectral.
func.func @counts(%x: tensor<?x8x?x4xf32>, %y: tensor<?x8x?x4xf32>, %omega: tensor<4x5xf32>, %e: tensor<?x8x?x5xf32>)
    -> tensor<?x8x?x25xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8x?x5xf32>) -> tensor<?x8x?x5xf32>
  %u = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %w = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x4xf32>, tensor<4x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %a = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 4611686018427387904 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  %b = spectral.log_positive %w, %x {norm_factor = 1.0 : f64, count = 4611686018427387904 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x4xf32> -> tensor<?x8x?x5xf32>
  // expected-remark @below {{not one on frequencies: the product of the counts overflows}}
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x5xf32> -> tensor<?x8x?x25xf32>
  return %0 : tensor<?x8x?x25xf32>
}

// -----

// 64 * 25 multiplications are more than 10 * 25 + 10 * 64.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#omega = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @wide(
// CHECK-COUNT-2: spectral.log_positive
// CHECK-NOT:     spectral.
func.func @wide(%x: tensor<?x8x?x64xf32>, %y: tensor<?x8x?x64xf32>, %omega: tensor<64x5xf32>, %e: tensor<?x8x?x5xf32>)
    -> tensor<?x8x?x25xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<?x8x?x5xf32>) -> tensor<?x8x?x5xf32>
  %u = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x64xf32>, tensor<64x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %w = linalg.generic {indexing_maps = [#rows, #omega, #out], iterator_types = #loops}
      ins(%x, %omega : tensor<?x8x?x64xf32>, tensor<64x5xf32>) outs(%init : tensor<?x8x?x5xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x8x?x5xf32>
  %a = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x5xf32>
  %b = spectral.log_positive %w, %x {norm_factor = 1.0 : f64, count = 5 : i64}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x5xf32>
  // expected-remark @below {{not one on frequencies: that would take more multiplications a row}}
  %0 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>}
    : tensor<?x8x?x5xf32>, tensor<?x8x?x5xf32> -> tensor<?x8x?x25xf32>
  return %0 : tensor<?x8x?x25xf32>
}
