// RUN: bochner-opt %s -spectral-print-feature-programs=adjoint 2>&1 >/dev/null | FileCheck %s

// Both outputs read one product; the norm passes through a row scalar. The logarithms are binary.

// CHECK-LABEL: remark: rows of 16 -> 48 log2 features
// CHECK:       group of 24 columns, 2 outputs
// CHECK-NEXT:    d product0[+0] = (-1.4427*cotangent1 + 1.4427*cotangent0), weights * 1{{$}}
// CHECK-NEXT:    d row0 += sum over columns (-1.4427*cotangent1 + -1.4427*cotangent0)
// CHECK-NEXT:  row0
// CHECK-NEXT:    d tile0 += (2*mul(row_cotangent0, tile0))
func.func @favor(%x: tensor<?x2x?x16xf32>, %w: tensor<2x16x24xf32>) -> tensor<?x2x?x48xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x16xf32>) parameters(%w : tensor<2x16x24xf32>)
      {domain = #spectral.domain<log>} features (%t: tensor<?x16xf32>, %omega: tensor<16x24xf32>) {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %t, %c0 : tensor<?x16xf32>
    %target = tensor.empty(%rows) : tensor<?x24xf32>
    %init = linalg.fill ins(%zero : f32) outs(%target : tensor<?x24xf32>) -> tensor<?x24xf32>
    %u = linalg.matmul ins(%t, %omega : tensor<?x16xf32>, tensor<16x24xf32>) outs(%init : tensor<?x24xf32>)
      -> tensor<?x24xf32>
    %phi = spectral.log_positive %u, %t {norm_factor = 1.0 : f64, count = 48 : i64, symmetric}
      : tensor<?x24xf32>, tensor<?x16xf32> -> tensor<?x48xf32>
    spectral.yield %phi : tensor<?x48xf32>
  } -> tensor<?x2x?x48xf32>
  return %out : tensor<?x2x?x48xf32>
}

// What a product reads has a gradient of its own, which passes through the expressions that the tile was filled with.

// CHECK-LABEL: remark: rows of 8 -> 4 features
// CHECK:       group of 4 columns, 1 outputs
// CHECK-NEXT:    d product1[+0] = cotangent0, weights * 1{{$}}
// CHECK-NEXT:  tile1:{{$}}
// CHECK-NEXT:  group of 6 columns, 1 outputs
// CHECK-NEXT:    d product0[+0] = {{.*}}mul(cotangent0, {{.+}}, weights * 2.88539
func.func @chain(%x: tensor<?x2x?x8xf32>, %w: tensor<1x8x6xf32>, %v: tensor<2x6x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>)
      parameters(%w, %v : tensor<1x8x6xf32>, tensor<2x6x4xf32>)
      features (%t: tensor<?x8xf32>, %first: tensor<8x6xf32>, %second: tensor<6x4xf32>) {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %rows = tensor.dim %t, %c0 : tensor<?x8xf32>
    %empty = tensor.empty(%rows) : tensor<?x6xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x6xf32>) -> tensor<?x6xf32>
    %a = linalg.matmul ins(%t, %first : tensor<?x8xf32>, tensor<8x6xf32>) outs(%init : tensor<?x6xf32>)
      -> tensor<?x6xf32>
    %b = math.tanh %a : tensor<?x6xf32>
    %empty2 = tensor.empty(%rows) : tensor<?x4xf32>
    %init2 = linalg.fill ins(%zero : f32) outs(%empty2 : tensor<?x4xf32>) -> tensor<?x4xf32>
    %c = linalg.matmul ins(%b, %second : tensor<?x6xf32>, tensor<6x4xf32>) outs(%init2 : tensor<?x4xf32>)
      -> tensor<?x4xf32>
    spectral.yield %c : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// The adjoint of a transform undoes its stages, the last one first; what scales is a column vector of its own.

// CHECK-LABEL: remark: rows of 4 -> 4 features
// CHECK:       group of 4 columns, 1 outputs
// CHECK-NEXT:    d tile1 += (0.5*mul(cotangent0, column0))
// CHECK-NEXT:    d column0 += sum over rows (0.5*mul(cotangent0, tile1))
// CHECK-NEXT:  tile1: hadamard d column1 scale1 inverse permute3 hadamard
// CHECK-NEXT:  group of 4 columns, 1 outputs
// CHECK-NEXT:    d tile0 += mul(cotangent0, column2)
// CHECK-NEXT:    d column2 += sum over rows mul(cotangent0, tile0)
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
