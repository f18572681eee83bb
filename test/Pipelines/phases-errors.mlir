// RUN: not bochner-opt %s --compile-to=fused 2>&1 | FileCheck %s --check-prefix=PHASE
// PHASE: error: expected phase graph, differentiate, fuse, kernel or target, but got 'fused'
// RUN: not bochner-opt %s --compile-from=kernel --compile-to=graph 2>&1 | FileCheck %s --check-prefix=ORDER
// ORDER: error: expected phase 'graph' to be 'kernel' or one that follows it
// RUN: not bochner-opt %s --compile-to=target --route=fast 2>&1 | FileCheck %s --check-prefix=ROUTE
// ROUTE: error: expected route 'fused' or 'decompose', but got 'fast'
// RUN: not bochner-opt %s --compile-to=target --cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: error: expected an x86-64 CPU name {{.*}} but got 'z80'

// Every phase ends with its contract.
// RUN: not bochner-opt %s --compile-to=graph 2>&1 | FileCheck %s
// CHECK: phases-errors.mlir:[[# @LINE + 2]]:8: error: unsupported operation 'bufferization.alloc_tensor' in a graph
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %m = bufferization.alloc_tensor() : tensor<4xf32>
  return %m : tensor<4xf32>
}
