// 16-bit operations compute in f32, whatever they read and write.
// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s

// CHECK-LABEL: func.func @frequencies(
// CHECK-SAME:      -> tensor<2x8x16xbf16>
// CHECK:         math.exp %{{.+}} : f32
// CHECK:         %[[SUM:[^ ,]+]] = arith.addf %{{.+}}, %{{.+}} : f32
// CHECK:         arith.truncf %{{.+}} : f32 to bf16
// CHECK-NOT:     arith.{{mulf|addf}} {{.*}} : bf16
func.func @frequencies(%omega: tensor<8x16xbf16>, %mean: tensor<2x8xbf16>, %sigma: tensor<2xbf16>) -> tensor<2x8x16xbf16> {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<8x16xbf16>, tensor<2x8xbf16>, tensor<2xbf16> -> tensor<2x8x16xbf16>
  return %w : tensor<2x8x16xbf16>
}

// -----

// A tensor without dimensions among them.
// CHECK-LABEL: func.func @one_gaussian(
// CHECK:         math.exp %{{.+}} : f32
// CHECK:         arith.truncf %{{.+}} : f32 to f16
func.func @one_gaussian(%omega: tensor<8x16xf16>, %mean: tensor<8xf16>, %sigma: tensor<f16>) -> tensor<8x16xf16> {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<8x16xf16>, tensor<8xf16>, tensor<f16> -> tensor<8x16xf16>
  return %w : tensor<8x16xf16>
}

// -----

// CHECK-LABEL: func.func @norms(
// CHECK:         arith.addf %{{.+}}, %{{.+}} : f32
// CHECK-NOT:     arith.{{mulf|addf|subf}} {{.*}} : bf16
// CHECK:         return
func.func @norms(%u: tensor<?x16xbf16>, %x: tensor<?x8xbf16>) -> tensor<?x16xbf16> {
  %l = spectral.log_positive %u, %x {norm_factor = 0.5 : f64, count = 16 : i64}
    : tensor<?x16xbf16>, tensor<?x8xbf16> -> tensor<?x16xbf16>
  return %l : tensor<?x16xbf16>
}

// -----

// Whatever the region yields and the result has; rows that only move stay as they are.
// CHECK-LABEL: func.func @feature_map(
// CHECK:         arith.extf %{{.+}} : bf16 to f32
// CHECK:         math.exp %{{.+}} : f32
// CHECK-NOT:     arith.truncf
// CHECK:         return %{{.+}} : tensor<?x2x?x8xf32>
func.func @feature_map(%x: tensor<?x2x?x8xbf16>, %p: tensor<1x8xi64>) -> tensor<?x2x?x8xf32> {
  %y = spectral.feature_map rows(%x : tensor<?x2x?x8xbf16>) parameters(%p : tensor<1x8xi64>)
      {domain = #spectral.domain<log>} features (%t: tensor<?x8xbf16>, %permutation: tensor<8xi64>) {
    %moved = spectral.permute %t, %permutation : tensor<?x8xbf16>, tensor<8xi64> -> tensor<?x8xbf16>
    spectral.yield %moved : tensor<?x8xbf16>
  } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}

// -----

// f32 features beside 16-bit values: the result has the type of these.
// CHECK-LABEL: func.func @attention(
// CHECK-NOT:     arith.{{addf|mulf|divf}} {{.*}} : f16
// CHECK:         arith.truncf %{{.+}} : f32 to f16
// CHECK:         return %{{.+}} : tensor<?x2x?x4xf16>
func.func @attention(%q: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf16>, %o: tensor<?x2xf32>) -> tensor<?x2x?x4xf16> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf16>) offset(%o : tensor<?x2xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf16>
  return %out : tensor<?x2x?x4xf16>
}

// -----

// CHECK-LABEL: func.func @algebra(
// CHECK-NOT:     arith.{{mulf|addf}} {{.*}} : bf16
// CHECK:         arith.truncf %{{.+}} : f32 to bf16
// CHECK:         return
func.func @algebra(%a: tensor<?x8xbf16>, %b: tensor<?x4xbf16>) -> tensor<?x32xbf16> {
  %p = spectral.kernel_product %a, %b : tensor<?x8xbf16>, tensor<?x4xbf16> -> tensor<?x32xbf16>
  return %p : tensor<?x32xbf16>
}
