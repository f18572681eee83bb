// RUN: bochner-opt %s --spectral-lower-launches=device=sim | FileCheck %s
// RUN: bochner-opt %s --spectral-lower-launches=device=cuda | FileCheck %s --check-prefix=CUDA

module attributes {gpu.container_module} {
  gpu.module @kernels {
    llvm.func @scale(%x: !llvm.ptr<1>, %n: i32, %factor: f32) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }

  // CHECK: llvm.mlir.global external constant @bochner.sim.scale
  // CUDA: llvm.mlir.global external constant @bochner.cuda.scale
  // CHECK-LABEL: func.func @f(
  // CHECK-SAME: %[[ENV:.*]]: !llvm.ptr, %[[X:.*]]: memref<?xf32, strided<[1], offset: ?>>
  func.func @f(%x: memref<?xf32, strided<[1], offset: ?>>, %n: i32, %blocks: index, %factor: f32) {
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %shared = arith.constant 512 : i32
    // The values of the parameters, their addresses, then format::Launch.
    // CHECK-DAG: %[[LAUNCH:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, ptr, array<3 x i64>, array<3 x i32>, i32)>
    // CHECK-DAG: %[[ADDRESSES:.*]] = llvm.alloca %{{.*}} x !llvm.array<3 x ptr>
    // CHECK-DAG: %[[VALUES:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, i32, f32)>
    // CHECK: %[[ALIGNED:.*]] = llvm.extractvalue %{{.*}}[1]
    // CHECK: %[[OFFSET:.*]] = llvm.extractvalue %{{.*}}[2]
    // CHECK: %[[START:.*]] = llvm.getelementptr %[[ALIGNED]][%[[OFFSET]]] : {{.*}} f32
    // CHECK: llvm.store %[[START]], %{{.*}} : !llvm.ptr, !llvm.ptr
    // CHECK: %[[KERNEL:.*]] = llvm.mlir.addressof @bochner.sim.scale
    // CHECK: %[[PLACE:.*]] = llvm.getelementptr %[[LAUNCH]][0, 0]
    // CHECK: llvm.store %[[KERNEL]], %[[PLACE]]
    // CHECK: llvm.getelementptr %[[ENV]][3]
    // CHECK: llvm.call %{{.*}}(%[[ENV]], %[[LAUNCH]])
    gpu.launch_func @kernels::@scale blocks in (%blocks, %c1, %c1) threads in (%c64, %c1, %c1)
      dynamic_shared_memory_size %shared
      args(%x : memref<?xf32, strided<[1], offset: ?>>, %n : i32, %factor : f32)
    return
  }

  // CHECK-LABEL: func.func @g(
  // CHECK-SAME: %[[ENV:.*]]: !llvm.ptr, %{{.*}}: memref<?xf32>) {
  // CHECK: llvm.getelementptr %[[ENV]][3]
  func.func @g(%environment: !llvm.ptr, %x: memref<?xf32>) {
    %c1 = arith.constant 1 : index
    %n = arith.constant 7 : i32
    %factor = arith.constant 2.0 : f32
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%x : memref<?xf32>, %n : i32, %factor : f32)
    return
  }
}
