// Accesses to global memory that are out of bounds, misaligned, read only or uninitialized, and races between blocks.
// RUN: bochner-simulate %s copy --grid=4 --block=256 in:f32:1000:const out:f32:1000 | FileCheck %s --check-prefix=BOUNDS
// RUN: bochner-simulate %s far in:f32:32 | FileCheck %s --check-prefix=FAR
// RUN: bochner-simulate %s copy --block=32 in:f32:1000 out:f32:1000:const | FileCheck %s --check-prefix=CONST
// RUN: bochner-simulate %s copy --block=32 in:f32:1000:none out:f32:1000 | FileCheck %s --check-prefix=UNINIT
// RUN: bochner-simulate %s copy --block=32 in:f32:1000 out:f32:1000:none | FileCheck %s --check-prefix=GOOD
// RUN: bochner-simulate %s reread --block=32 out:f32:64:none | FileCheck %s --check-prefix=GOOD
// RUN: bochner-simulate %s misaligned in:i8:64 | FileCheck %s --check-prefix=ALIGN
// RUN: bochner-simulate %s neighbors --grid=3 out:f32:128 | FileCheck %s --check-prefix=RACE
// RUN: bochner-simulate %s neighbors --grid=3 --threads=3 out:f32:128 | FileCheck %s --check-prefix=RACE
// RUN: bochner-simulate %s neighbors --grid=1 out:f32:128 | FileCheck %s --check-prefix=GOOD
// RUN: bochner-simulate %s count --grid=3 --threads=2 out:i32:1:zero | FileCheck %s --check-prefix=ATOMIC
// GOOD: status 0
gpu.module @kernels {
  gpu.func @copy(%in: memref<1000xf32>, %out: memref<1000xf32>) kernel {
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %n = gpu.block_dim x
    %o = arith.muli %b, %n : index
    %g = arith.addi %o, %t : index
    // BOUNDS: status 1
    // BOUNDS: out of bounds x24: thread (232,0,0) of block (3,0,0), load at global-memory.mlir:[[#@LINE+4]]:10: 4 bytes
    // BOUNDS-SAME: at byte 4000 of 'in' (4000 bytes)
    // UNINIT: uninitialized read x32: thread (0,0,0) of block (0,0,0), load at global-memory.mlir:[[#@LINE+2]]:10 reads
    // UNINIT-SAME: byte 0 of 'in', which nobody has written
    %v = memref.load %in[%g] : memref<1000xf32>
    // BOUNDS: out of bounds x24: thread (232,0,0) of block (3,0,0), store at global-memory.mlir:[[#@LINE+5]]:5: 4 bytes
    // BOUNDS-SAME: at byte 4000 of 'out' (4000 bytes)
    // CONST: status 1
    // CONST: write to a read-only buffer x32: thread (0,0,0) of block (0,0,0), store at
    // CONST-SAME: global-memory.mlir:[[#@LINE+1]]:5 writes byte 0 of 'out'
    memref.store %v, %out[%g] : memref<1000xf32>
    gpu.return
  }
  gpu.func @far(%in: memref<32xf32>) kernel {
    %far = arith.constant 1000000000000 : index
    %c0 = arith.constant 0 : index
    %view = memref.reinterpret_cast %in to offset: [0], sizes: [2000000000000], strides: [1]
      : memref<32xf32> to memref<2000000000000xf32>
    // FAR: out of bounds x32: {{.*}}load at global-memory.mlir:[[#@LINE+1]]:10: 4 bytes at an address that is near no buffer
    %v = memref.load %view[%far] : memref<2000000000000xf32>
    memref.store %v, %in[%c0] : memref<32xf32>
    gpu.return
  }
  gpu.func @reread(%out: memref<64xf32>) kernel {
    %t = gpu.thread_id x
    %v = arith.constant 1.0 : f32
    memref.store %v, %out[%t] : memref<64xf32>
    gpu.barrier
    %w = memref.load %out[%t] : memref<64xf32>
    %x = arith.addf %w, %w : f32
    memref.store %x, %out[%t] : memref<64xf32>
    gpu.return
  }
  llvm.func @misaligned(%in: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %at = llvm.getelementptr %in[2] : (!llvm.ptr) -> !llvm.ptr, i8
    // ALIGN: misaligned access x32: thread (0,0,0) of block (0,0,0), load at global-memory.mlir:[[#@LINE+2]]:10 requires
    // ALIGN-SAME: an alignment of 4 bytes, but the address ends in 0x02
    %v = llvm.load %at {alignment = 4 : i64} : !llvm.ptr -> i32
    llvm.store %v, %in : i32, !llvm.ptr
    llvm.return
  }
  // Block b writes its 32 elements and reads the first one of the next block.
  gpu.func @neighbors(%out: memref<128xf32>) kernel {
    %c1 = arith.constant 1 : index
    %c32 = arith.constant 32 : index
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %o = arith.muli %b, %c32 : index
    %g = arith.addi %o, %t : index
    %next = arith.addi %o, %c32 : index
    %v = memref.load %out[%next] : memref<128xf32>
    // RACE: status 1
    // RACE: race between blocks x2: byte 128 of 'out': thread (0,0,0) of block (0,0,0), load at
    // RACE-SAME: global-memory.mlir:[[#@LINE-3]]:10 conflicts with thread (0,0,0) of block (1,0,0), store at
    // RACE-SAME: global-memory.mlir:[[#@LINE+1]]:5; nothing orders blocks
    memref.store %v, %out[%g] : memref<128xf32>
    gpu.return
  }
  gpu.func @count(%out: memref<1xi32>) kernel {
    %c0 = arith.constant 0 : index
    %one = arith.constant 1 : i32
    %old = memref.atomic_rmw addi %one, %out[%c0] : (i32, memref<1xi32>) -> i32
    // ATOMIC: status 0
    // ATOMIC: out = 96
    gpu.return
  }
}
