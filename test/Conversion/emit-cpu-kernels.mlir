// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels="vector-bits=128 fma=false" \
// RUN:   | FileCheck %s --check-prefix=SSE
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels=vector-bits=128 | FileCheck %s --check-prefix=BITS128
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels=vector-bits=256 | FileCheck %s --check-prefix=BITS256
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels=vector-bits=512 | FileCheck %s --check-prefix=BITS512

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// The task evaluates the features of a tile and stores them: nothing but the packed parameters is allocated.

// CHECK-LABEL: func.func private @map_pack0(
// CHECK-SAME:    %{{.+}}: index, %{{.+}}: memref<?xi8>
// CHECK-LABEL: func.func private @map_features(
// CHECK:         vector.fma
// CHECK-NOT:     memref.alloc
// CHECK-LABEL: func.func private @map(
// CHECK-SAME:    memref<?x8x?x64xf32, strided<[?, ?, ?, 1]>>
// CHECK:         memref.alloc() : memref<8x4x64x64xf32>
// CHECK:         spectral.parallel_for @map_pack0
// CHECK:         spectral.parallel_for @map_features
// CHECK-NOT:     spectral.feature_map
// SSE-NOT:       fma
func.func private @map(%x: tensor<?x8x?x64xf32>, %w: tensor<8x64x256xf32>) -> tensor<?x8x?x256xf32>
    attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) parameters(%w : tensor<8x64x256xf32>)
      features (%tile: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %tile, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%tile, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                           outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x8x?x256xf32>
  return %phi : tensor<?x8x?x256xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// States have no positions; scratch is a few tiles, whatever the length.

// CHECK-LABEL: func.func private @attention_state(
// CHECK-SAME:    spectral.scratch_bytes = {{[1-9][0-9]?[0-9][0-9][0-9][0-9]}} : i64
// CHECK-LABEL: func.func private @attention_merge(
// CHECK-LABEL: func.func private @attention_output(
// CHECK-SAME:    spectral.scratch_bytes = {{[1-9][0-9]?[0-9][0-9][0-9][0-9]}} : i64
// CHECK-LABEL: func.func private @attention(
// CHECK:         memref.alloc(%{{.+}}) : memref<?x64x64xf32>
// CHECK:         memref.alloc(%{{.+}}) : memref<?x80xf32>
// CHECK-NOT:     memref.alloc({{.+}}) : memref<?x?x
// CHECK:         spectral.parallel_for @attention_state
// CHECK:         spectral.parallel_for @attention_merge
// CHECK:         spectral.parallel_for @attention_output
func.func private @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
    -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Weights of pairs: one task, no state; scratch holds the features of 256 keys with keys in the lanes.

// CHECK-LABEL: func.func private @weights_quadratic(
// CHECK:         memref.view {{.+}} to memref<4x64x64xf32>
// CHECK:         vector.shuffle
// CHECK:         vector.fma
// CHECK-LABEL: func.func private @weights(
// CHECK-NOT:     memref.alloc
// CHECK:         spectral.parallel_for @weights_quadratic
// CHECK-NOT:     spectral.parallel_for
// CHECK:         return
func.func private @weights(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
    -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>, form = #spectral.form<quadratic>}
      features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 32, register_rows = 4, register_columns = 32,
                               row_chunk = 512>

// CHECK-LABEL: func.func private @softmax_tile(
// CHECK:         vector<32xf64>
// CHECK-LABEL: func.func private @softmax(
// CHECK-NOT:     memref.alloc
// CHECK:         spectral.parallel_for @softmax_tile
func.func private @softmax(%q: tensor<?x?x?x16xf64>, %k: tensor<?x?x?x16xf64>, %v: tensor<?x?x?x24xf64>)
    -> tensor<?x?x?x24xf64> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x?x?x16xf64>) key(%k : tensor<?x?x?x16xf64>)
      value(%v : tensor<?x?x?x24xf64>) {kernel = #spectral.kernel<softmax>, scale = 0.25 : f64}
      -> tensor<?x?x?x24xf64>
  return %out : tensor<?x?x?x24xf64>
}

// -----

// A function without a schedule is left alone.

// CHECK-LABEL: func.func @host
// CHECK:         spectral.hadamard
func.func @host(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = spectral.hadamard %x : tensor<?x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Five columns are a masked tail of whole vectors; nothing else is touched.

// BITS128-LABEL: func.func private @tail_features(
// BITS128:         vector.maskedload {{.+}} into vector<8xf32>
// BITS128:         vector.maskedstore {{.+}} vector<8xf32>
// BITS256-LABEL: func.func private @tail_features(
// BITS256:         vector.maskedload {{.+}} into vector<8xf32>
// BITS256:         vector.maskedstore {{.+}} vector<8xf32>
// BITS512-LABEL: func.func private @tail_features(
// BITS512:         vector.maskedload {{.+}} into vector<16xf32>
// BITS512:         vector.maskedstore {{.+}} vector<16xf32>
func.func private @tail(%x: tensor<?x8x?x5xf32>) -> tensor<?x8x?x5xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x5xf32>) {domain = #spectral.domain<log>}
      features (%tile: tensor<?x5xf32>) {
    spectral.yield %tile : tensor<?x5xf32>
  } -> tensor<?x8x?x5xf32>
  return %phi : tensor<?x8x?x5xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// The last 36 columns take registers in powers of two: LLVM takes vectors of three registers apart.

// CHECK-LABEL: func.func private @odd_pack0(
// CHECK-NOT:     vector<48xf32>
// CHECK-LABEL: func.func private @odd_features(
// CHECK-NOT:     vector<48xf32>
// CHECK:         vector.store {{.+}} vector<32xf32>
// CHECK-NOT:     vector<48xf32>
// CHECK:         vector.maskedstore {{.+}} vector<16xf32>
// CHECK-NOT:     vector<48xf32>
// CHECK-LABEL: func.func private @odd(
func.func private @odd(%x: tensor<?x8x?x64xf32>, %w: tensor<8x64x100xf32>) -> tensor<?x8x?x100xf32>
    attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) parameters(%w : tensor<8x64x100xf32>)
      features (%tile: tensor<?x64xf32>, %omega: tensor<64x100xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %tile, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x100xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x100xf32>) -> tensor<?x100xf32>
        %u = linalg.matmul ins(%tile, %omega : tensor<?x64xf32>, tensor<64x100xf32>)
                           outs(%init : tensor<?x100xf32>) -> tensor<?x100xf32>
        spectral.yield %u : tensor<?x100xf32>
      } -> tensor<?x8x?x100xf32>
  return %phi : tensor<?x8x?x100xf32>
}
