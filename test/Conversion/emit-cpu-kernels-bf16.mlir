// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels=bf16-dot | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels | FileCheck %s --check-prefix=WITHOUT
// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels="bf16-dot vector-bits=256" \
// RUN:   | FileCheck %s --check-prefix=WITHOUT

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// All three products of each side are dot products of pairs: the parameter in two parts, the features of keys as pairs
// of rows, those of queries as bf16 rows.

// CHECK-LABEL: func.func private @attention_keys_pack0(
// CHECK-SAME:    memref<8x2x2x32x64xi32>
// CHECK-LABEL: func.func private @attention_state(
// CHECK-DAG:     memref.view {{.+}} to memref<32x64xi32>
// CHECK-DAG:     memref.view {{.+}} to memref<256x64xi32>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK:         scf.if
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK-LABEL: func.func private @attention_output(
// CHECK-DAG:     memref.view {{.+}} to memref<64x64xbf16>
// CHECK-DAG:     memref.view {{.+}} to memref<101x64xi32>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// CHECK-LABEL: func.func private @attention(
// WITHOUT-NOT:   avx512bf16
func.func private @attention(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x64xbf16>,
                             %w: tensor<8x64x101xf32>) -> tensor<?x8x?x64xbf16>
    attributes {spectral.schedule = #schedule} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xbf16>) key(%k : tensor<?x8x?x64xbf16>)
      value(%v : tensor<?x8x?x64xbf16>) parameters(%w : tensor<8x64x101xf32>) {domain = #spectral.domain<log>}
      features (%rows: tensor<?x64xbf16>, %omega: tensor<64x101xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %count = tensor.dim %rows, %c0 : tensor<?x64xbf16>
        %empty = tensor.empty(%count) : tensor<?x101xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x101xf32>) -> tensor<?x101xf32>
        %x = arith.extf %rows : tensor<?x64xbf16> to tensor<?x64xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x101xf32>)
                           outs(%init : tensor<?x101xf32>) -> tensor<?x101xf32>
        spectral.yield %u : tensor<?x101xf32>
      } -> tensor<?x8x?x64xbf16>
  return %out : tensor<?x8x?x64xbf16>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Causal attention computes in f32.

// CHECK-LABEL: func.func private @causal_causal(
// CHECK-NOT:     avx512bf16
func.func private @causal(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x64xbf16>)
    -> tensor<?x8x?x64xbf16> attributes {spectral.schedule = #schedule} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xbf16>) key(%k : tensor<?x8x?x64xbf16>)
      value(%v : tensor<?x8x?x64xbf16>) {causality = #spectral.causality<causal>}
      features (%rows: tensor<?x64xbf16>) {
        %x = arith.extf %rows : tensor<?x64xbf16> to tensor<?x64xf32>
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xbf16>
  return %out : tensor<?x8x?x64xbf16>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// 15 columns are no pairs.

// CHECK-LABEL: func.func private @odd_state(
// CHECK-NOT:     avx512bf16
func.func private @odd(%q: tensor<?x8x?x15xbf16>, %k: tensor<?x8x?x15xbf16>, %v: tensor<?x8x?x64xbf16>,
                       %w: tensor<8x15x32xf32>) -> tensor<?x8x?x64xbf16>
    attributes {spectral.schedule = #schedule} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x15xbf16>) key(%k : tensor<?x8x?x15xbf16>)
      value(%v : tensor<?x8x?x64xbf16>) parameters(%w : tensor<8x15x32xf32>) {domain = #spectral.domain<log>}
      features (%rows: tensor<?x15xbf16>, %omega: tensor<15x32xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %count = tensor.dim %rows, %c0 : tensor<?x15xbf16>
        %empty = tensor.empty(%count) : tensor<?x32xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
        %x = arith.extf %rows : tensor<?x15xbf16> to tensor<?x15xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x15xf32>, tensor<15x32xf32>)
                           outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
        spectral.yield %u : tensor<?x32xf32>
      } -> tensor<?x8x?x64xbf16>
  return %out : tensor<?x8x?x64xbf16>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// A state in bf16 is rounded by the instruction; all else is f32.

// CHECK-LABEL: func.func private @decode_recurrent(
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// CHECK-NOT:     avx512bf16.dp
// WITHOUT-LABEL: func.func private @decode(
func.func private @decode(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                          %s: tensor<?x8x64x64xbf16>, %z: tensor<?x8x64xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x64x64xbf16>, tensor<?x8x64xf32>) attributes {spectral.schedule = #schedule} {
  %out:3 = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) initial(%s, %z : tensor<?x8x64x64xbf16>, tensor<?x8x64xf32>)
      {causality = #spectral.causality<causal>, form = #spectral.form<recurrent>, return_state, state_type = bf16}
      features (%x: tensor<?x64xf32>) {
        spectral.yield %x : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x64x64xbf16>, tensor<?x8x64xf32>
  return %out#0, %out#1, %out#2 : tensor<?x8x?x64xf32>, tensor<?x8x64x64xbf16>, tensor<?x8x64xf32>
}
