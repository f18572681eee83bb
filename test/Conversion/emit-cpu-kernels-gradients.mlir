// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels | FileCheck %s

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Keys make their state again; then queries give their gradients and the share of dS and dz that keys meet, in order.
// What is allocated has a slice for each task or head: nothing has both positions and features. Scratch is a few tiles.

// CHECK-LABEL: func.func private @grad_grad_queries(
// CHECK-SAME:    spectral.scratch_bytes = {{[1-9][0-9]?[0-9][0-9][0-9][0-9]}} : i64
// CHECK:         vector.fma
// CHECK-NOT:     memref.alloc
// CHECK-LABEL: func.func private @grad_grad_keys(
// CHECK-SAME:    spectral.scratch_bytes = {{[1-9][0-9]?[0-9][0-9][0-9][0-9]}} : i64
// CHECK-NOT:     memref.alloc
// CHECK-LABEL: func.func private @grad(
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?
// CHECK:         memref.alloc() : memref<8x4x64x64xf32>
// CHECK:         spectral.parallel_for @grad_keys_pack0
// CHECK:         memref.alloc() : memref<8x256x64xf32>
// CHECK:         spectral.parallel_for @grad_keys_turn0
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?
// CHECK:         spectral.parallel_for @grad_state
// CHECK:         spectral.parallel_for @grad_merge
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?
// CHECK:         spectral.parallel_for @grad_turn_state
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?
// CHECK:         memref.alloc(%{{.+}}) : memref<?x64x256xf32>
// CHECK:         spectral.parallel_for @grad_grad_queries
// CHECK:         spectral.parallel_for @grad_merge_cotangents
// CHECK:         spectral.parallel_for @grad_turn_cotangents
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?
// CHECK:         spectral.parallel_for @grad_grad_keys
// CHECK-NOT:     memref.alloc(
// CHECK:         spectral.parallel_for @grad_grad_parameter0
// CHECK-NOT:     spectral.parallel_for
// CHECK:         return
func.func private @grad(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>,
                        %out: tensor<?x8x?x32xf32>, %cot: tensor<?x8x?x32xf32>, %w: tensor<8x64x256xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64x256xf32>)
    attributes {spectral.schedule = #schedule} {
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) output(%out : tensor<?x8x?x32xf32>) cotangent(%cot : tensor<?x8x?x32xf32>)
      parameters(%w : tensor<8x64x256xf32>) {domain = #spectral.domain<log>, wrt = array<i64: 0>}
      features (%x: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                           outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64x256xf32>
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64x256xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Masked rows are staged with their positions. Without parameters that count there is nothing to sum over tasks, and
// without a product in the map nothing to turn but the states.

// CHECK-LABEL: func.func private @masked_grad_keys(
// CHECK:         memref.view {{.+}} to memref<64xindex>
// CHECK-LABEL: func.func private @masked(
// CHECK-NOT:     @masked_keys
// CHECK-NOT:     @masked_grad_parameter
// CHECK:         return
func.func private @masked(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>,
                          %mask: tensor<?x?xi1>, %out: tensor<?x8x?x32xf32>, %cot: tensor<?x8x?x32xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>) attributes {spectral.schedule = #schedule} {
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) mask(%mask : tensor<?x?xi1>) output(%out : tensor<?x8x?x32xf32>)
      cotangent(%cot : tensor<?x8x?x32xf32>) features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>
  return %g#0, %g#1, %g#2 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Moments take no product with rows: tasks have two sums as wide as rows, nothing of D x F but packed parameters, from
// which the center is subtracted once.

// CHECK-LABEL: func.func private @moments_keys_turn0(
// CHECK:         arith.subf
// CHECK-LABEL: func.func private @moments(
// CHECK:         memref.alloc() : memref<8x256x64xf32>
// CHECK:         spectral.parallel_for @moments_keys_turn0
// CHECK:         memref.alloc(%{{.+}}) : memref<?x2x64xf32>
// CHECK:         spectral.parallel_for @moments_grad_queries
// CHECK-NOT:     memref.alloc({{.*}}x64x256xf32>
// CHECK:         memref.alloc(%{{.+}}) : memref<?x2x64xf32>
// CHECK-NOT:     memref.alloc({{.*}}x64x256xf32>
// CHECK:         spectral.parallel_for @moments_grad_keys
// CHECK:         spectral.parallel_for @moments_grad_parameter0_moment0
// CHECK:         spectral.parallel_for @moments_grad_parameter0_moment1
// CHECK:         return
func.func private @moments(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>,
                           %out: tensor<?x8x?x32xf32>, %cot: tensor<?x8x?x32xf32>, %w: tensor<8x64x256xf32>,
                           %mean: tensor<8x64xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64xf32>, tensor<8x64xf32>)
    attributes {spectral.schedule = #schedule} {
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) output(%out : tensor<?x8x?x32xf32>) cotangent(%cot : tensor<?x8x?x32xf32>)
      parameters(%w : tensor<8x64x256xf32>) centers(%mean : tensor<8x64xf32>)
      {domain = #spectral.domain<log>, moments = array<i64: 0>}
      features (%x: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                           outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64xf32>, tensor<8x64xf32>
  return %g#0, %g#1, %g#2, %g#3, %g#4
    : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>, tensor<8x64xf32>, tensor<8x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Keys behind the length of their sequence get zeros: their own and those of their values.

// CHECK-LABEL: func.func private @lengths_grad_keys(
// CHECK:         %[[VISIBLE:.+]] = arith.maxsi %{{.+}}, %{{.+}} : index
// CHECK:         %[[HIDDEN:.+]] = arith.maxsi %{{.+}}, %{{.+}} : index
// CHECK:         scf.for %{{.+}} = %[[HIDDEN]] to %[[END:.+]] step
// CHECK:         scf.for %{{.+}} = %[[HIDDEN]] to %[[END]] step
// CHECK-LABEL: func.func private @lengths(
func.func private @lengths(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>,
                           %lengths: tensor<?xi64>, %out: tensor<?x8x?x32xf32>, %cot: tensor<?x8x?x32xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>) attributes {spectral.schedule = #schedule} {
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) lengths(%lengths : tensor<?xi64>) output(%out : tensor<?x8x?x32xf32>)
      cotangent(%cot : tensor<?x8x?x32xf32>) features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>
  return %g#0, %g#1, %g#2 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x32xf32>
}
