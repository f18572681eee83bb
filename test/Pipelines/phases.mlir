// Each phase is a stop and a start: compiling in four steps gives what compiling at once gives.
// RUN: bochner-opt %s --compile-to=target --cpu=x86-64-v3 -o %t.once
// RUN: bochner-opt %s --compile-to=graph | bochner-opt --compile-from=fuse --compile-to=fuse \
// RUN:   | bochner-opt --compile-from=kernel --compile-to=kernel \
// RUN:   | bochner-opt --compile-from=target --cpu=x86-64-v3 -o %t.steps
// RUN: diff %t.once %t.steps
// RUN: bochner-opt %s -spectral-graph -spectral-differentiation -spectral-fuse -spectral-kernel -spectral-target=vector-bits=256 -o %t.pipelines
// RUN: diff %t.once %t.pipelines
// RUN: FileCheck %s --input-file=%t.once --implicit-check-not=memref --implicit-check-not=tensor
// RUN: bochner-opt %s --compile-to=kernel --route=decompose | FileCheck %s --check-prefix=KERNEL
// RUN: bochner-opt %s --compile-to=target --route=decompose | FileCheck %s --implicit-check-not="vector<"

// The product is the only thing that the routes do differently.

// KERNEL-LABEL: func.func @project(
// KERNEL-NOT:     spectral.
// KERNEL:         math.cos
// KERNEL:         math.sin
// KERNEL-NOT:   func.func

// CHECK: llvm.func @bochner.entry.project(%{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr) attributes {{.*}}passthrough = {{\[\[}}"bochner-optimize", "full"]]
// CHECK: llvm.func @bochner.workspace.project(%{{.+}}: !llvm.ptr) -> i64
func.func @project(%x: tensor<?x64xf32> {bochner.name = "x"}, %w: tensor<64x128xf32>) -> (tensor<?x256xf32> {bochner.name = "out"}) {
  %u = call @product(%x, %w) : (tensor<?x64xf32>, tensor<64x128xf32>) -> tensor<?x128xf32>
  %phi = spectral.trig %u : tensor<?x128xf32> -> tensor<?x256xf32>
  return %phi : tensor<?x256xf32>
}
func.func private @product(%x: tensor<?x64xf32>, %w: tensor<64x128xf32>) -> tensor<?x128xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  %empty = tensor.empty(%n) : tensor<?x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x128xf32>) -> tensor<?x128xf32>
  %u = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x128xf32>) outs(%init : tensor<?x128xf32>) -> tensor<?x128xf32>
  return %u : tensor<?x128xf32>
}
