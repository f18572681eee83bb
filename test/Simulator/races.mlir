// Accesses of different threads to shared memory that no barrier orders.
// RUN: bochner-simulate %s read_after_write --block=64 out:f32:64 | FileCheck %s --check-prefix=RAW
// RUN: bochner-simulate %s read_after_write --block=64 --seed=3 out:f32:64 | FileCheck %s --check-prefix=SEED
// RUN: bochner-simulate %s write_after_read --block=64 out:f32:64 | FileCheck %s --check-prefix=WAR
// RUN: bochner-simulate %s write_after_write --block=64 out:f32:64 | FileCheck %s --check-prefix=WAW
// RUN: bochner-simulate %s same_value --block=64 out:f32:64 | FileCheck %s --check-prefix=SAME
// RUN: bochner-simulate %s warp_sync --block=32 out:f32:64 | FileCheck %s --check-prefix=WARP
// RUN: bochner-simulate %s warp_sync --block=64 out:f32:64 | FileCheck %s --check-prefix=WARPS
// RUN: bochner-simulate %s by_shuffle --block=32 out:f32:64 | FileCheck %s --check-prefix=WARP
// RUN: bochner-simulate %s by_shuffle --block=32 --strict out:f32:64 | FileCheck %s --check-prefix=STRICT
!buffer = memref<64xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @read_after_write(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %c63 = arith.constant 63 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<64xf32>
    memref.store %v, %s[%t] : !buffer
    %r = arith.subi %c63, %t : index
    // Threads 0 to 31 read what nobody has written yet; 32 and up find an unordered write.
    // RAW: status 1
    // RAW: uninitialized read x32: thread (0,0,0) of block (0,0,0), load at races.mlir:[[#@LINE+5]]:10 reads
    // RAW-SAME: '__wg_read_after_write_0' at byte 252, which no thread of the block has written
    // RAW: shared-memory race x32: read-after-write race on '__wg_read_after_write_0' at byte 124: thread (32,0,0)
    // RAW-SAME: of block (0,0,0), load at races.mlir:[[#@LINE+2]]:10 conflicts with thread (31,0,0), store at
    // RAW-SAME: races.mlir:[[#@LINE-8]]:5; no barrier orders them
    %w = memref.load %s[%r] : !buffer
    // SEED: status 1
    // SEED-DAG: shared-memory race {{.*}}load at races.mlir:[[#@LINE-2]]:10
    memref.store %w, %out[%t] : memref<64xf32>
    gpu.return
  }
  gpu.func @write_after_read(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<64xf32>
    memref.store %v, %s[%t] : !buffer
    gpu.barrier
    %next = arith.addi %t, %c1 : index
    %r = arith.remui %next, %c64 : index
    %w = memref.load %s[%r] : !buffer
    // WAR: shared-memory race x63: write-after-read race on '__wg_write_after_read_0' at byte 4: thread (1,0,0) of
    // WAR-SAME: block (0,0,0), store at races.mlir:[[#@LINE+2]]:5 conflicts with thread (0,0,0), load at
    // WAR-SAME: races.mlir:[[#@LINE-3]]:10;
    memref.store %w, %s[%t] : !buffer
    gpu.return
  }
  gpu.func @write_after_write(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<64xf32>
    // WAW: shared-memory race x63: write-after-write race on '__wg_write_after_write_0' at byte 0: thread (1,0,0) of
    // WAW-SAME: block (0,0,0), store at races.mlir:[[#@LINE+1]]:5 conflicts with thread (0,0,0), store at
    memref.store %v, %s[%c0] : !buffer
    gpu.return
  }
  // Unordered stores of one value are not reported.
  // SAME: status 0
  gpu.func @same_value(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %c0 = arith.constant 0 : index
    %v = arith.constant 1.0 : f32
    memref.store %v, %s[%c0] : !buffer
    gpu.return
  }
  // bar.warp.sync orders the threads of a warp, not those of two.
  // WARP: status 0
  gpu.func @warp_sync(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %all = arith.constant -1 : i32
    %n = gpu.block_dim x
    %c1 = arith.constant 1 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<64xf32>
    memref.store %v, %s[%t] : !buffer
    nvvm.bar.warp.sync %all : i32
    %next = arith.addi %t, %c1 : index
    %r = arith.remui %next, %n : index
    // WARPS: status 1
    // WARPS: shared-memory race x2: read-after-write race on '__wg_warp_sync_0' at byte 128: thread (31,0,0)
    // WARPS-SAME: load at races.mlir:[[#@LINE+1]]:10 conflicts with thread (32,0,0)
    %w = memref.load %s[%r] : !buffer
    memref.store %w, %out[%t] : memref<64xf32>
    gpu.return
  }
  // By default a shuffle orders memory as well; strictly, as PTX says, it does not.
  gpu.func @by_shuffle(%out: memref<64xf32>) workgroup(%s: !buffer) kernel {
    %all = arith.constant -1 : i32
    %one = arith.constant 1 : i32
    %c31 = arith.constant 31 : i32
    %i1 = arith.constant 1 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<64xf32>
    memref.store %v, %s[%t] : !buffer
    %x = nvvm.shfl.sync bfly %all, %v, %one, %c31 : f32 -> f32
    %r = arith.xori %t, %i1 : index
    // STRICT: shared-memory race x{{.*}}read-after-write race on '__wg_by_shuffle_0'
    %w = memref.load %s[%r] : !buffer
    %y = arith.addf %w, %x : f32
    memref.store %y, %out[%t] : memref<64xf32>
    gpu.return
  }
}
