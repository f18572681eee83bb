// RUN: bochner-opt %s -spectral-print-feature-programs 2>&1 >/dev/null | FileCheck %s

// Scalars move outwards: logarithms to the base of 2, the temperature and the norm are coefficients of one expression.

// CHECK-LABEL: remark: rows of 16 -> 48 log2 features
// CHECK-NEXT:  product0 = tile0 x parameter0 : 16 x 24
// CHECK-NEXT:  row0 = sum [16: (0.25*mul(tile0, tile0))]
// CHECK-NEXT:  phi = [24: (0.721348*product0 + -1.4427*row0 + -2.79248) | 24: (-0.721348*product0 + -1.4427*row0 + -2.79248)]
func.func @favor(%x: tensor<?x2x?x16xf32>, %w: tensor<2x16x24xf32>) -> tensor<?x2x?x48xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x16xf32>) parameters(%w : tensor<2x16x24xf32>)
      {domain = #spectral.domain<log>} features (%t: tensor<?x16xf32>, %omega: tensor<16x24xf32>) {
    %c0 = arith.constant 0 : index
    %half = arith.constant 0.5 : f32
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %t, %c0 : tensor<?x16xf32>
    %empty = tensor.empty(%rows) : tensor<?x16xf32>
    %factor = tensor.splat %half[%rows] : tensor<?x16xf32>
    %scaled = arith.mulf %t, %factor : tensor<?x16xf32>
    %target = tensor.empty(%rows) : tensor<?x24xf32>
    %init = linalg.fill ins(%zero : f32) outs(%target : tensor<?x24xf32>) -> tensor<?x24xf32>
    %u = linalg.matmul ins(%t, %omega : tensor<?x16xf32>, tensor<16x24xf32>) outs(%init : tensor<?x24xf32>)
      -> tensor<?x24xf32>
    %halves = tensor.splat %half[%rows] : tensor<?x24xf32>
    %v = arith.mulf %u, %halves : tensor<?x24xf32>
    %phi = spectral.log_positive %v, %scaled {norm_factor = 1.0 : f64, count = 48 : i64, symmetric}
      : tensor<?x24xf32>, tensor<?x16xf32> -> tensor<?x48xf32>
    spectral.yield %phi : tensor<?x48xf32>
  } -> tensor<?x2x?x48xf32>
  return %out : tensor<?x2x?x48xf32>
}

// Cosines and sines share their angle, in quarter turns.

// CHECK-LABEL: remark: rows of 8 -> 17 features
// CHECK:       phi = [8: (0.5*cosq((0.63662*tile0))) | 8: (0.5*sinq((0.63662*tile0))) | 1: 1]
func.func @trig(%x: tensor<?x2x?x8xf32>) -> tensor<?x2x?x17xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<?x8xf32>) {
    %phi = spectral.trig %t {amplitude = 0.5 : f64} : tensor<?x8xf32> -> tensor<?x16xf32>
    %all = spectral.constant_feature %phi {value = 1.0 : f64} : tensor<?x16xf32> -> tensor<?x17xf32>
    spectral.yield %all : tensor<?x17xf32>
  } -> tensor<?x2x?x17xf32>
  return %out : tensor<?x2x?x17xf32>
}

// A product that is reduced and a product that another product reads become tiles, each computed once.

// CHECK-LABEL: remark: rows of 8 -> 4 features
// CHECK-NEXT:  product0 = tile0 x parameter0 : 8 x 6
// CHECK-NEXT:  product1 = tile1 x parameter1^T : 6 x 4
// CHECK-NEXT:  tile1 = [6: product0]
// CHECK-NEXT:  row0 = max [6: tile1]
// CHECK-NEXT:  phi = [4: exp2((1.4427*product1 + -1.4427*row0))]
func.func @chain(%x: tensor<?x2x?x8xf32>, %w: tensor<1x8x6xf32>, %v: tensor<2x4x6xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>)
      parameters(%w, %v : tensor<1x8x6xf32>, tensor<2x4x6xf32>)
      features (%t: tensor<?x8xf32>, %first: tensor<8x6xf32>, %second: tensor<4x6xf32>) {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %least = arith.constant 0xFF800000 : f32
    %rows = tensor.dim %t, %c0 : tensor<?x8xf32>
    %e6 = tensor.empty(%rows) : tensor<?x6xf32>
    %i6 = linalg.fill ins(%zero : f32) outs(%e6 : tensor<?x6xf32>) -> tensor<?x6xf32>
    %u = linalg.matmul ins(%t, %first : tensor<?x8xf32>, tensor<8x6xf32>) outs(%i6 : tensor<?x6xf32>) -> tensor<?x6xf32>
    %e1 = tensor.empty(%rows) : tensor<?xf32>
    %i1 = linalg.fill ins(%least : f32) outs(%e1 : tensor<?xf32>) -> tensor<?xf32>
    %most = linalg.generic {indexing_maps = [affine_map<(n, d) -> (n, d)>, affine_map<(n, d) -> (n)>],
                            iterator_types = ["parallel", "reduction"]}
        ins(%u : tensor<?x6xf32>) outs(%i1 : tensor<?xf32>) {
    ^bb0(%a: f32, %s: f32):
      %r = arith.maximumf %s, %a : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    %e4 = tensor.empty(%rows) : tensor<?x4xf32>
    %i4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, f, d) -> (n, d)>, affine_map<(n, f, d) -> (f, d)>,
                                          affine_map<(n, f, d) -> (n, f)>],
                         iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%u, %second : tensor<?x6xf32>, tensor<4x6xf32>) outs(%i4 : tensor<?x4xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %s, %p : f32
      linalg.yield %r : f32
    } -> tensor<?x4xf32>
    %phi = linalg.generic {indexing_maps = [affine_map<(n, d) -> (n, d)>, affine_map<(n, d) -> (n)>,
                                            affine_map<(n, d) -> (n, d)>], iterator_types = ["parallel", "parallel"]}
        ins(%y, %most : tensor<?x4xf32>, tensor<?xf32>) outs(%e4 : tensor<?x4xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %d = arith.subf %a, %m : f32
      %e = math.exp %d : f32
      linalg.yield %e : f32
    } -> tensor<?x4xf32>
    spectral.yield %phi : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// A transform is a step; what scales its result belongs to the features.

// CHECK-LABEL: remark: rows of 4 -> 4 features
// CHECK-NEXT:  tile1 = hadamard scale1 permute3 hadamard [4: mul(tile0, column2)]
// CHECK-NEXT:  phi = [4: (0.5*mul(tile1, column0))]
func.func @fastfood(%x: tensor<?x2x?x4xf32>, %d: tensor<2x4xf32>, %p: tensor<2x4xi64>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x4xf32>)
      parameters(%d, %d, %d, %p : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xi64>)
      features (%t: tensor<?x4xf32>, %s: tensor<4xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>, %i: tensor<4xi64>) {
    %phi = spectral.fastfood %t scale(%s) gaussian(%g) signs(%b) permutation(%i)
      : tensor<?x4xf32>, tensor<4xf32>, tensor<4xi64> -> tensor<?x4xf32>
    spectral.yield %phi : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// Both regions of an attention, the queries' first.

// CHECK-LABEL: remark: rows of 8 -> 4 features
// CHECK-NEXT:  phi = [4: tile0[+2]]
// CHECK:       remark: rows of 4 -> 4 features
// CHECK-NEXT:  phi = [4: max(tile0, 0)]
func.func @two_regions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x4xf32>)
      value(%k : tensor<?x2x?x4xf32>) features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %zeros = tensor.splat %zero[%rows] : tensor<?x4xf32>
    %phi = arith.maximumf %x, %zeros : tensor<?x4xf32>
    spectral.yield %phi : tensor<?x4xf32>
  } query_features (%x: tensor<?x8xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
    %part = tensor.extract_slice %x[0, 2] [%rows, 4] [1, 1] : tensor<?x8xf32> to tensor<?x4xf32>
    spectral.yield %part : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// 16-bit rows are computed in f32: extensions are nothing, and neither are roundings on the way. A vector of 16 bits is
// a column like any other.

// CHECK-LABEL: remark: rows of 8 -> 8 features
// CHECK-NEXT:  phi = [8: mul(exp2((1.4427*tile0)), column0)]
func.func @short(%x: tensor<?x2x?x8xbf16>, %g: tensor<1x8xbf16>) -> tensor<?x2x?x8xbf16> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xbf16>) parameters(%g : tensor<1x8xbf16>)
      features (%t: tensor<?x8xbf16>, %gain: tensor<8xbf16>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %t, %c0 : tensor<?x8xbf16>
    %wide = arith.extf %t : tensor<?x8xbf16> to tensor<?x8xf32>
    %e = math.exp %wide : tensor<?x8xf32>
    %empty = tensor.empty(%rows) : tensor<?x8xbf16>
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (f)>, affine_map<(n, f) -> (n, f)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%e, %gain : tensor<?x8xf32>, tensor<8xbf16>) outs(%empty : tensor<?x8xbf16>) {
    ^bb0(%a: f32, %b: bf16, %o: bf16):
      %w = arith.extf %b : bf16 to f32
      %p = arith.mulf %a, %w : f32
      %r = arith.truncf %p : f32 to bf16
      linalg.yield %r : bf16
    } -> tensor<?x8xbf16>
    spectral.yield %y : tensor<?x8xbf16>
  } -> tensor<?x2x?x8xbf16>
  return %out : tensor<?x2x?x8xbf16>
}
