// Barriers that not all threads reach, or not the same one.
// RUN: bochner-simulate %s divergent --block=64 out:f32:64 | FileCheck %s --check-prefix=DIVERGENT
// RUN: bochner-simulate %s after_exit --block=64 out:f32:64 | FileCheck %s --check-prefix=EXIT
// RUN: bochner-simulate %s bad_count --block=64 out:f32:64 | FileCheck %s --check-prefix=COUNT
// RUN: bochner-simulate %s deadlock --block=64 out:f32:64 | FileCheck %s --check-prefix=DEADLOCK
// RUN: bochner-simulate %s missing --block=128 out:f32:64 | FileCheck %s --check-prefix=MISSING
gpu.module @kernels {
  gpu.func @divergent(%out: memref<64xf32>) kernel {
    %t = gpu.thread_id x
    %c7 = arith.constant 7 : index
    %one = arith.constant 1.0 : f32
    %p = arith.cmpi eq, %t, %c7 : index
    scf.if %p {
      gpu.barrier
      memref.store %one, %out[%t] : memref<64xf32>
    } else {
      // DIVERGENT: divergent barrier x1: thread (7,0,0) of block (0,0,0), barrier.cta.sync.aligned.all at
      // DIVERGENT-SAME: barriers.mlir:[[#@LINE-4]]:7 meets thread (0,0,0), barrier.cta.sync.aligned.all at
      // DIVERGENT-SAME: barriers.mlir:[[#@LINE+1]]:7 (barrier 0)
      gpu.barrier
    }
    gpu.return
  }
  gpu.func @after_exit(%out: memref<64xf32>) kernel {
    %t = gpu.thread_id x
    %c60 = arith.constant 60 : index
    %one = arith.constant 1.0 : f32
    %p = arith.cmpi ult, %t, %c60 : index
    scf.if %p {
      // EXIT: barrier after exit x1: 4 threads of block (0,0,0), thread (60,0,0) among them, have exited while the
      // EXIT-SAME: others pass barrier.cta.sync.aligned.all at barriers.mlir:[[#@LINE+1]]:7
      gpu.barrier
      memref.store %one, %out[%t] : memref<64xf32>
    }
    gpu.return
  }
  gpu.func @bad_count(%out: memref<64xf32>) kernel {
    %id = arith.constant 1 : i32
    %count = arith.constant 40 : i32
    // COUNT: bad barrier x64: thread (0,0,0) of block (0,0,0), barrier.cta.sync.aligned.count at
    // COUNT-SAME: barriers.mlir:[[#@LINE+2]]:5 expects a barrier below 16 and a multiple of 32 threads, but got
    // COUNT-SAME: barrier 1 and 40 threads
    nvvm.barrier id = %id number_of_threads = %count
    gpu.return
  }
  gpu.func @deadlock(%out: memref<64xf32>) kernel {
    %t = gpu.thread_id x
    %c16 = arith.constant 16 : index
    %all = arith.constant -1 : i32
    %p = arith.cmpi ult, %t, %c16 : index
    scf.if %p {
      gpu.barrier
    } else {
      nvvm.bar.warp.sync %all : i32
    }
    // DEADLOCK: deadlock x1: block (0,0,0): 32 threads have exited (32-63); 16 threads wait in bar.warp.sync at
    // DEADLOCK-SAME: barriers.mlir:[[#@LINE-3]]:7 (16-31); 16 threads wait in barrier.cta.sync.aligned.all at
    // DEADLOCK-SAME: barriers.mlir:[[#@LINE-6]]:7 (0-15)
    gpu.return
  }
  // One warp of four waits for 64 threads.
  gpu.func @missing(%out: memref<64xf32>) kernel {
    %t = gpu.thread_id x
    %c32 = arith.constant 32 : index
    %id = arith.constant 3 : i32
    %count = arith.constant 64 : i32
    %p = arith.cmpi ult, %t, %c32 : index
    scf.if %p {
      // MISSING: deadlock x1: block (0,0,0): 96 threads have exited (32-127); 32 threads wait in
      // MISSING-SAME: barrier.cta.sync.aligned.count at barriers.mlir:[[#@LINE+1]]:7 (0-31)
      nvvm.barrier id = %id number_of_threads = %count
    }
    gpu.return
  }
}
