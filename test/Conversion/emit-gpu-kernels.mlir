// RUN: bochner-opt %s --spectral-emit-gpu-kernels | FileCheck %s
// RUN: bochner-opt %s --spectral-emit-gpu-kernels=tf32 | FileCheck %s --check-prefix=TF32
// RUN: bochner-opt %s --spectral-emit-gpu-kernels=chip=sm_86 | FileCheck %s

// Kernels for packing, for the states of parts of the keys, for their sum and for outputs. Features never get a buffer:
// the only ones are the packed parameter, S, z and r of the parts, and S with z and r of all keys.
// CHECK-LABEL: func.func private @attention(
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x64x256xf32>
// CHECK: gpu.launch_func @kernels::@attention_keys_pack0
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x256x64xf32>
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x256xf32>
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x256xf32>
// CHECK: gpu.launch_func @kernels::@attention_state0
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x256x72xf32>
// CHECK: memref.alloc({{.*}}) {{.*}} : memref<?x256xf32>
// CHECK: gpu.launch_func @kernels::@attention_merge
// CHECK-NOT: memref.alloc
// CHECK: gpu.launch_func @kernels::@attention_output
// CHECK: gpu.module @kernels
// CHECK: llvm.mlir.global external @dynamic_shared() {addr_space = 3 : i32, alignment = 128 : i64}

// f32 is three products of tf32 parts unless it may be rounded.
// CHECK-LABEL: llvm.func @attention_state0(
// CHECK-SAME: gpu.kernel
// CHECK: nvvm.cp.async.shared.global
// CHECK: llvm.nvvm.f2tf32.rna
// CHECK-COUNT-3: nvvm.mma.sync {{.*}}m = 16, n = 8, k = 8
// CHECK: llvm.nvvm.ex2.approx.ftz
// TF32-LABEL: llvm.func @attention_state0(
// TF32: nvvm.mma.sync {{.*}}m = 16, n = 8, k = 8
func.func private @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                             %w: tensor<1x64x256xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) parameters(%w : tensor<1x64x256xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x64xf32>, %omega: tensor<64x256xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x64xf32>, tensor<64x256xf32>)
                           outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}
