// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose=keep-attention=true | FileCheck %s --check-prefix=KEEP

// The forward pass is written out and differentiated; what only its result needs is dead. Gradients have the types of
// their inputs.

// CHECK-LABEL: func.func @gradients(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x2x?x8xf32>, %[[K:[^:]+]]: tensor<?x2x?x8xf32>, %[[V:[^:]+]]: tensor<?x2x?x8xf32>,
// CHECK-SAME:    %[[OUT:[^:]+]]: tensor<?x2x?x8xf32>, %[[COT:[^:]+]]: tensor<?x2x?x8xf32>, %[[W:[^:]+]]: tensor<2x8xf32>)
// CHECK-NOT:     spectral.
// CHECK-NOT:     %[[OUT]]
// CHECK:         return %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<2x8xf32>
// KEEP-LABEL:  func.func @gradients(
// KEEP-NOT:      spectral.
// KEEP:          return
func.func @gradients(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>,
                     %out: tensor<?x2x?x8xf32>, %cot: tensor<?x2x?x8xf32>, %w: tensor<2x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<2x8xf32>) {
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) output(%out : tensor<?x2x?x8xf32>) cotangent(%cot : tensor<?x2x?x8xf32>)
      parameters(%w : tensor<2x8xf32>) {domain = #spectral.domain<log>, wrt = array<i64: 0>}
      features (%x: tensor<?x8xf32>, %scale: tensor<8xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x8xf32>
        %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                              affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
            ins(%x, %scale : tensor<?x8xf32>, tensor<8xf32>) outs(%empty : tensor<?x8xf32>) {
        ^bb0(%a: f32, %s: f32, %o: f32):
          %0 = arith.mulf %a, %s : f32
          linalg.yield %0 : f32
        } -> tensor<?x8xf32>
        spectral.yield %y : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<2x8xf32>
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<2x8xf32>
}

// -----

// What hides keys does so in gradients, too.

// CHECK-LABEL: func.func @hidden(
// CHECK-SAME:    %[[LENGTHS:[^:]+]]: tensor<?xi64>, %[[MASK:[^:]+]]: tensor<?x?xi1>)
// CHECK:         tensor.extract %[[LENGTHS]]
// CHECK:         tensor.extract{{.*}} %[[MASK]]
func.func @hidden(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>,
                  %out: tensor<?x2x?x8xf32>, %cot: tensor<?x2x?x8xf32>, %lengths: tensor<?xi64>, %mask: tensor<?x?xi1>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) {
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) lengths(%lengths : tensor<?xi64>) mask(%mask : tensor<?x?xi1>)
      output(%out : tensor<?x2x?x8xf32>) cotangent(%cot : tensor<?x2x?x8xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g#0, %g#1, %g#2 : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
}

// -----

// Attention that has an adjoint may stay for spectral-differentiate; its region stays as it is.

// CHECK-LABEL: func.func @differentiable(
// CHECK-NOT:     spectral.
// CHECK:         return
// KEEP-LABEL:  func.func @differentiable(
// KEEP:          spectral.linear_attention
// KEEP:            spectral.log_positive
// KEEP:          return
func.func @differentiable(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%x: tensor<?x8xf32>) {
        %phi = spectral.log_positive %x, %x {norm_factor = 1.0 : f64, count = 8 : i64}
          : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
        spectral.yield %phi : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}

// -----

// What has none is written out, and so is everything else.

// KEEP-LABEL:  func.func @clamped(
// KEEP-NOT:      spectral.
// KEEP:          return
func.func @clamped(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {denominator = #spectral.denominator<clamp>, floor = 1.0e-2 : f64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}

// -----

// KEEP-LABEL:  func.func @other(
// KEEP-NOT:      spectral.
// KEEP:          return
func.func @other(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %x: tensor<4x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<4x16xf32>) {
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {kernel = #spectral.kernel<softmax>, scale = 1.0 : f64} -> tensor<?x2x?x8xf32>
  %t = spectral.trig %x : tensor<4x8xf32> -> tensor<4x16xf32>
  return %out, %t : tensor<?x2x?x8xf32>, tensor<4x16xf32>
}

// -----

// Moments are sums over the gradient of the parameter, the second of its product with the distance from the center,
// which has the other sign in the second half of the columns.

// CHECK-LABEL: func.func @moments(
// CHECK-SAME:    %[[W:[^:]+]]: tensor<2x8x6xf32>, %[[MEAN:[^:]+]]: tensor<2x8xf32>)
// CHECK-NOT:     spectral.
// CHECK:         %[[DW:.+]] = {{.+}} -> tensor<2x8x6xf32>
// CHECK:         %[[W_PLUS:.+]] = tensor.extract_slice %[[W]][0, 0, 0] [2, 8, 3] [1, 1, 1]
// CHECK-NEXT:    %[[DW_PLUS:.+]] = tensor.extract_slice %{{.+}}[0, 0, 0] [2, 8, 3] [1, 1, 1]
// CHECK-NEXT:    %[[M0_PLUS:.+]] = linalg.generic {{.+}} iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[DW_PLUS]]
// CHECK:           arith.addf
// CHECK:         %[[M1_PLUS:.+]] = linalg.generic {{.+}} ins(%[[DW_PLUS]], %[[W_PLUS]], %[[MEAN]]
// CHECK-NEXT:    ^bb0(%[[G:.+]]: f32, %[[X:.+]]: f32, %[[C:.+]]: f32, %[[SUM:.+]]: f32):
// CHECK-NEXT:      %[[SPREAD:.+]] = arith.subf %[[X]], %[[C]]
// CHECK-NEXT:      %[[PRODUCT:.+]] = arith.mulf %[[G]], %[[SPREAD]]
// CHECK-NEXT:      arith.addf %[[SUM]], %[[PRODUCT]]
// CHECK:         %[[W_MINUS:.+]] = tensor.extract_slice %[[W]][0, 0, 3] [2, 8, 3] [1, 1, 1]
// CHECK-NEXT:    %[[DW_MINUS:.+]] = tensor.extract_slice %{{.+}}[0, 0, 3] [2, 8, 3] [1, 1, 1]
// CHECK-NEXT:    %[[M0:.+]] = linalg.generic {{.+}} ins(%[[DW_MINUS]] : {{.+}} outs(%[[M0_PLUS]]
// CHECK:           arith.subf
// CHECK:         %[[M1:.+]] = linalg.generic {{.+}} ins(%[[DW_MINUS]], %[[W_MINUS]], %[[MEAN]] : {{.+}} outs(%[[M1_PLUS]]
// CHECK-NEXT:    ^bb0(%{{.+}}: f32, %[[X_MINUS:.+]]: f32, %[[C_MINUS:.+]]: f32, %{{.+}}: f32):
// CHECK-NEXT:      arith.addf %[[X_MINUS]], %[[C_MINUS]]
// CHECK:         return %[[M0]], %[[M1]]
func.func @moments(%x: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %w: tensor<2x8x6xf32>, %mean: tensor<2x8xf32>)
    -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %g:5 = spectral.linear_attention_grad query(%x : tensor<?x2x?x8xf32>) key(%x : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%v : tensor<?x2x?x4xf32>) cotangent(%v : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<2x8x6xf32>) centers(%mean : tensor<2x8xf32>)
      {moments = array<i64: 0>, mean_sign = #spectral.mean_sign<plus_minus>}
      features (%row: tensor<?x8xf32>, %omega: tensor<8x6xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %row, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x6xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x6xf32>) -> tensor<?x6xf32>
        %u = linalg.matmul ins(%row, %omega : tensor<?x8xf32>, tensor<8x6xf32>)
                           outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
        spectral.yield %u : tensor<?x6xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return %g#3, %g#4 : tensor<2x8xf32>, tensor<2x8xf32>
}
