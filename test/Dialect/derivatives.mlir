// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -mlir-print-op-generic | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s

func.func private @f(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>) -> (tensor<?xf32>, tensor<4xf64>) {
  %y = tensor.empty(%n) : tensor<?xf32>
  return %y, %w : tensor<?xf32>, tensor<4xf64>
}

// CHECK-LABEL: func.func @vjp(
// CHECK:         spectral.vjp @f inputs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x4xf32>, index, tensor<4xf64>)
// CHECK-SAME:      cotangents(%{{.+}}, %{{.+}} : tensor<?xf32>, tensor<4xf64>) wrt [2, 0]
// CHECK-SAME:      -> tensor<?xf32>, tensor<4xf64>, tensor<4xf64>, tensor<?x4xf32>
func.func @vjp(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>, %cot: tensor<?xf32>) -> tensor<?x4xf32> {
  %r:4 = spectral.vjp @f inputs(%x, %n, %w : tensor<?x4xf32>, index, tensor<4xf64>)
    cotangents(%cot, %w : tensor<?xf32>, tensor<4xf64>) wrt [2, 0]
    -> tensor<?xf32>, tensor<4xf64>, tensor<4xf64>, tensor<?x4xf32>
  return %r#3 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @jvp(
// CHECK:         spectral.jvp @f inputs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x4xf32>, index, tensor<4xf64>)
// CHECK-SAME:      tangents(%{{.+}} : tensor<?x4xf32>) wrt [0]
// CHECK-SAME:      -> tensor<?xf32>, tensor<4xf64>, tensor<?xf32>, tensor<4xf64>
func.func @jvp(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>) -> tensor<?xf32> {
  %r:4 = spectral.jvp @f inputs(%x, %n, %w : tensor<?x4xf32>, index, tensor<4xf64>) tangents(%x : tensor<?x4xf32>)
    wrt [0] -> tensor<?xf32>, tensor<4xf64>, tensor<?xf32>, tensor<4xf64>
  return %r#2 : tensor<?xf32>
}

// CHECK-LABEL: func.func @linear_attention_grad(
// CHECK:         spectral.linear_attention_grad query(%{{[^:]+}} : tensor<?x4x?x8xf32>) key(%{{[^:]+}} : tensor<?x2x?x6xf32>)
// CHECK-SAME:      value(%{{[^:]+}} : tensor<?x2x?x5xf32>) mask(%{{[^:]+}} : tensor<?x?xi1>) sequences(%{{[^:]+}} : tensor<?xi64>)
// CHECK-SAME:      key_sequences(%{{[^:]+}} : tensor<?xi32>) output(%{{[^:]+}} : tensor<?x4x?x5xf32>)
// CHECK-SAME:      cotangent(%{{[^:]+}} : tensor<?x4x?x5xf32>)
// CHECK-SAME:      parameters(%{{[^:]+}} : tensor<2x6xf32>, tensor<1x8x6xf32>)
// CHECK-SAME:      {causality = #spectral.causality<anticausal>, domain = #spectral.domain<log>, eps = 0.000000e+00 : f64,
// CHECK-SAME:      normalize = false, wrt = array<i64: 1, 0>} features (%[[X:[^:]+]]: tensor<?x6xf32>,
// CHECK-SAME:      %{{[^:]+}}: tensor<6xf32>, %{{[^:]+}}: tensor<8x6xf32>) {
// CHECK-NEXT:      spectral.yield %[[X]] : tensor<?x6xf32>
// CHECK-NEXT:    } query_features (%[[Y:[^:]+]]: tensor<?x8xf32>, %{{[^:]+}}: tensor<6xf32>, %[[W:[^:]+]]: tensor<8x6xf32>) {
// CHECK:           %[[U:.+]] = linalg.matmul ins(%[[Y]], %[[W]]
// CHECK-NEXT:      spectral.yield %[[U]] : tensor<?x6xf32>
// CHECK-NEXT:    } -> tensor<?x4x?x8xf32>, tensor<?x2x?x6xf32>, tensor<?x2x?x5xf32>, tensor<1x8x6xf32>, tensor<2x6xf32>
func.func @linear_attention_grad(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x6xf32>, %v: tensor<?x2x?x5xf32>,
    %mask: tensor<?x?xi1>, %sequences: tensor<?xi64>, %keys: tensor<?xi32>, %out: tensor<?x4x?x5xf32>,
    %cot: tensor<?x4x?x5xf32>, %scales: tensor<2x6xf32>, %w: tensor<1x8x6xf32>, %init: tensor<?x6xf32>)
    -> tensor<1x8x6xf32> {
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x4x?x8xf32>) key(%k : tensor<?x2x?x6xf32>)
      value(%v : tensor<?x2x?x5xf32>) mask(%mask : tensor<?x?xi1>) sequences(%sequences : tensor<?xi64>)
      key_sequences(%keys : tensor<?xi32>) output(%out : tensor<?x4x?x5xf32>) cotangent(%cot : tensor<?x4x?x5xf32>)
      parameters(%scales, %w : tensor<2x6xf32>, tensor<1x8x6xf32>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<anticausal>, eps = 0.0 : f64, normalize = false,
       wrt = array<i64: 1, 0>}
      features (%x: tensor<?x6xf32>, %s: tensor<6xf32>, %omega: tensor<8x6xf32>) {
        spectral.yield %x : tensor<?x6xf32>
      } query_features (%y: tensor<?x8xf32>, %s: tensor<6xf32>, %omega: tensor<8x6xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %y, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x6xf32>
        %u = linalg.matmul ins(%y, %omega : tensor<?x8xf32>, tensor<8x6xf32>) outs(%empty : tensor<?x6xf32>)
          -> tensor<?x6xf32>
        spectral.yield %u : tensor<?x6xf32>
      } -> tensor<?x4x?x8xf32>, tensor<?x2x?x6xf32>, tensor<?x2x?x5xf32>, tensor<1x8x6xf32>, tensor<2x6xf32>
  return %g#3 : tensor<1x8x6xf32>
}

// What has its default value is not printed; 'wrt' may be empty.

// CHECK-LABEL: func.func @linear_attention_grad_defaults(
// CHECK:         spectral.linear_attention_grad query(%{{[^:]+}} : tensor<?x?x?x8xbf16>) key(%{{[^:]+}} : tensor<?x?x?x8xbf16>)
// CHECK-SAME:      value(%{{[^:]+}} : tensor<?x?x?x5xbf16>) lengths(%{{[^:]+}} : tensor<?xi32>) output(
// CHECK-SAME:      cotangent(%{{[^:]+}} : tensor<?x?x?x5xbf16>) features (
// CHECK:         } -> tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x5xbf16>
func.func @linear_attention_grad_defaults(%q: tensor<?x?x?x8xbf16>, %v: tensor<?x?x?x5xbf16>, %lengths: tensor<?xi32>) {
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x?x?x8xbf16>) key(%q : tensor<?x?x?x8xbf16>)
      value(%v : tensor<?x?x?x5xbf16>) lengths(%lengths : tensor<?xi32>) output(%v : tensor<?x?x?x5xbf16>)
      cotangent(%v : tensor<?x?x?x5xbf16>)
      {domain = #spectral.domain<linear>, causality = #spectral.causality<none>, eps = 1.0e-6 : f64, normalize = true}
      features (%x: tensor<?x8xbf16>) {
        %phi = arith.extf %x : tensor<?x8xbf16> to tensor<?x8xf32>
        spectral.yield %phi : tensor<?x8xf32>
      } -> tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x5xbf16>
  return
}

// What the forward pass returned.

// CHECK-LABEL: func.func @linear_attention_grad_saved(
// CHECK:         spectral.linear_attention_grad query(
// CHECK-SAME:      cotangent(%{{[^:]+}} : tensor<?x2x?x5xf16>)
// CHECK-SAME:      state(%{{[^:]+}} : tensor<?x2x8x5xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>)
// CHECK-SAME:      denominators(%{{[^:]+}} : tensor<?x2x?x1xf32>) {domain = #spectral.domain<log>} features (
func.func @linear_attention_grad_saved(%q: tensor<?x2x?x8xf16>, %v: tensor<?x2x?x5xf16>, %s: tensor<?x2x8x5xf32>,
                                       %z: tensor<?x2x8xf32>, %r: tensor<?x2x8xf32>, %den: tensor<?x2x?x1xf32>) {
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf16>) key(%q : tensor<?x2x?x8xf16>)
      value(%v : tensor<?x2x?x5xf16>) output(%v : tensor<?x2x?x5xf16>) cotangent(%v : tensor<?x2x?x5xf16>)
      state(%s, %z, %r : tensor<?x2x8x5xf32>, tensor<?x2x8xf32>, tensor<?x2x8xf32>)
      denominators(%den : tensor<?x2x?x1xf32>) {domain = #spectral.domain<log>} features (%x: tensor<?x8xf16>) {
        %phi = arith.extf %x : tensor<?x8xf16> to tensor<?x8xf32>
        spectral.yield %phi : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16>, tensor<?x2x?x5xf16>
  return
}

// Moments of one parameter and the gradient of another.

// CHECK-LABEL: func.func @linear_attention_grad_moments(
// CHECK:         spectral.linear_attention_grad query(
// CHECK-SAME:      parameters(%{{[^:]+}} : tensor<1x8x6xf64>, tensor<?x6xf64>) centers(%{{[^:]+}} : tensor<1x8xf64>)
// CHECK-SAME:      {mean_sign = #spectral.mean_sign<plus_minus>, moments = array<i64: 0>, wrt = array<i64: 1>} features (
// CHECK:         } -> tensor<?x?x?x8xf64>, tensor<?x?x?x8xf64>, tensor<?x?x?x5xf64>, tensor<?x6xf64>, tensor<1x8xf64>, tensor<1x8xf64>
func.func @linear_attention_grad_moments(%q: tensor<?x?x?x8xf64>, %v: tensor<?x?x?x5xf64>, %w: tensor<1x8x6xf64>,
                                         %p: tensor<?x6xf64>, %mean: tensor<1x8xf64>) {
  %g:6 = spectral.linear_attention_grad query(%q : tensor<?x?x?x8xf64>) key(%q : tensor<?x?x?x8xf64>)
      value(%v : tensor<?x?x?x5xf64>) output(%v : tensor<?x?x?x5xf64>) cotangent(%v : tensor<?x?x?x5xf64>)
      parameters(%w, %p : tensor<1x8x6xf64>, tensor<?x6xf64>) centers(%mean : tensor<1x8xf64>)
      {wrt = array<i64: 1>, moments = array<i64: 0>, mean_sign = #spectral.mean_sign<plus_minus>}
      features (%x: tensor<?x8xf64>, %omega: tensor<8x6xf64>, %scale: tensor<6xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x?x?x8xf64>, tensor<?x?x?x8xf64>, tensor<?x?x?x5xf64>, tensor<?x6xf64>, tensor<1x8xf64>,
           tensor<1x8xf64>
  return
}
