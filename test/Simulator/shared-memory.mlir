// Accesses behind shared buffers and reads of what nobody has written there.
// RUN: bochner-simulate %s behind out:f32:32 | FileCheck %s --check-prefix=BEHIND
// RUN: bochner-simulate %s dynamic --shared=128 out:f32:32 | FileCheck %s --check-prefix=GOOD
// RUN: bochner-simulate %s dynamic --shared=64 out:f32:32 | FileCheck %s --check-prefix=DYNAMIC
// RUN: bochner-simulate %s uninitialized out:f32:32 | FileCheck %s --check-prefix=UNINIT
// RUN: bochner-simulate %s alignment out:f32:32 | FileCheck %s --check-prefix=ALIGN
// GOOD: status 0
!shared = memref<32xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @behind(%out: memref<32xf32>) workgroup(%a: !shared, %b: !shared) kernel {
    %c1 = arith.constant 1 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<32xf32>
    memref.store %v, %b[%t] : !shared
    %next = arith.addi %t, %c1 : index
    // BEHIND: out of bounds x1: thread (31,0,0) of block (0,0,0), store at shared-memory.mlir:[[#@LINE+2]]:5: 4 bytes at
    // BEHIND-SAME: '__wg_behind_0' at byte 128, behind its end
    memref.store %v, %a[%next] : !shared
    gpu.return
  }
  gpu.func @dynamic(%out: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    %bytes = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %s = memref.view %bytes[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to !shared
    %v = memref.load %out[%t] : memref<32xf32>
    // DYNAMIC: out of bounds x16: thread (16,0,0) of block (0,0,0), store at shared-memory.mlir:[[#@LINE+2]]:5: 4 bytes
    // DYNAMIC-SAME: at byte 64 of shared memory (64 bytes)
    memref.store %v, %s[%t] : !shared
    gpu.return
  }
  gpu.func @uninitialized(%out: memref<32xf32>) workgroup(%a: !shared) kernel {
    %t = gpu.thread_id x
    // UNINIT: uninitialized read x32: thread (0,0,0) of block (0,0,0), load at shared-memory.mlir:[[#@LINE+2]]:10 reads
    // UNINIT-SAME: '__wg_uninitialized_0' at byte 0, which no thread of the block has written
    %v = memref.load %a[%t] : !shared
    memref.store %v, %out[%t] : memref<32xf32>
    gpu.return
  }
  // A buffer has the alignment that it declares, not more by accident.
  gpu.func @alignment(%out: memref<32xf32>) workgroup(%a: !shared) kernel {
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<32xf32>
    memref.store %v, %a[%t] : !shared
    gpu.barrier
    // ALIGN: misaligned access x32: {{.*}}load at shared-memory.mlir:[[#@LINE+2]]:10 requires an alignment of 16 bytes,
    // ALIGN-SAME: but the address ends in 0x04
    %x = vector.load %a[%c0] {alignment = 16 : i64} : !shared, vector<4xf32>
    %y = vector.extract %x[0] : f32 from vector<4xf32>
    memref.store %y, %out[%t] : memref<32xf32>
    gpu.return
  }
}
