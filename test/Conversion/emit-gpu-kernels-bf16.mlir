// RUN: bochner-opt %s --spectral-emit-gpu-kernels | FileCheck %s

// Operands go from shared memory to registers by ldmatrix; the features, packed to pairs, are the left operand of the
// second product without a detour.
// CHECK-LABEL: llvm.func @attention_state0(
// CHECK: nvvm.ldmatrix
// CHECK: nvvm.mma.sync {{.*}}m = 16, n = 8, k = 16
// CHECK: llvm.nvvm.ex2.approx.ftz
// CHECK: llvm.nvvm.ff2bf16x2.rn
// CHECK: nvvm.mma.sync {{.*}}m = 16, n = 8, k = 16
func.func private @attention(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x64xbf16>,
                             %w: tensor<1x64x256xbf16>) -> tensor<?x8x?x64xbf16> attributes {spectral.kernel} {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xbf16>) key(%k : tensor<?x8x?x64xbf16>)
      value(%v : tensor<?x8x?x64xbf16>) parameters(%w : tensor<1x64x256xbf16>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x64xbf16>, %omega: tensor<64x256xbf16>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x64xbf16>, tensor<64x256xbf16>)
                           outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x8x?x64xbf16>
  return %out : tensor<?x8x?x64xbf16>
}
