// Counters of a launch: bank conflicts, sectors, special functions, and that they do not depend on threads.
// RUN: bochner-simulate %s conflicts --count --block=32 out:f32:1024 | FileCheck %s --check-prefix=BANKS
// RUN: bochner-simulate %s broadcast --count --block=32 out:f32:1024 | FileCheck %s --check-prefix=BROADCAST
// RUN: bochner-simulate %s sectors --count --block=32 out:f32:1024 | FileCheck %s --check-prefix=SECTORS
// RUN: bochner-simulate %s special --count --block=64 --grid=3 out:f32:32 | FileCheck %s --check-prefix=SPECIAL
// RUN: bochner-simulate %s loops --count --block=64 --grid=5 out:f32:8192 > %t.1
// RUN: bochner-simulate %s loops --count --block=64 --grid=5 --threads=4 out:f32:8192 > %t.4
// RUN: diff %t.1 %t.4
// RUN: FileCheck %s --check-prefix=LOOPS < %t.1
gpu.module @kernels {
  // Thread t writes element 32 t of a row (one bank for all), then element t.
  gpu.func @conflicts(%out: memref<1024xf32>) workgroup(%s: memref<1024xf32, #gpu.address_space<workgroup>>) kernel {
    %c32 = arith.constant 32 : index
    %t = gpu.thread_id x
    %v = arith.constant 1.0 : f32
    %far = arith.muli %t, %c32 : index
    memref.store %v, %s[%far] : memref<1024xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    memref.store %v, %s[%t] : memref<1024xf32, #gpu.address_space<workgroup>>
    // BANKS: shared_requests 2
    // BANKS: shared_wavefronts 33
    // BANKS: shared_minimum 2
    gpu.return
  }
  // All threads read one word, which is no conflict.
  gpu.func @broadcast(%out: memref<1024xf32>) workgroup(%s: memref<1024xf32, #gpu.address_space<workgroup>>) kernel {
    %c5 = arith.constant 5 : index
    %t = gpu.thread_id x
    %v = arith.constant 1.0 : f32
    memref.store %v, %s[%t] : memref<1024xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %w = memref.load %s[%c5] : memref<1024xf32, #gpu.address_space<workgroup>>
    memref.store %w, %out[%t] : memref<1024xf32>
    // BROADCAST: shared_wavefronts 2
    // BROADCAST: shared_minimum 2
    gpu.return
  }
  // 32 floats in a row take 4 sectors; with a stride of 8 floats, 32.
  gpu.func @sectors(%out: memref<1024xf32>) kernel {
    %c8 = arith.constant 8 : index
    %t = gpu.thread_id x
    %v = memref.load %out[%t] : memref<1024xf32>
    gpu.barrier
    %far = arith.muli %t, %c8 : index
    memref.store %v, %out[%far] : memref<1024xf32>
    // SECTORS: global_read_bytes 128
    // SECTORS: global_read_sectors 4
    // SECTORS: global_written_bytes 128
    // SECTORS: global_written_sectors 32
    gpu.return
  }
  llvm.func @llvm.nvvm.ex2.approx.ftz.f32(f32) -> f32
  llvm.func @special(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %v = llvm.mlir.constant(3.0 : f32) : f32
    %x = llvm.call @llvm.nvvm.ex2.approx.ftz.f32(%v) : (f32) -> f32
    %y = nvvm.rcp.approx.ftz.f %x : f32
    %all = llvm.mlir.constant(-1 : i32) : i32
    nvvm.bar.warp.sync %all : i32
    // Every thread of every block writes the same value: still a race between blocks.
    llvm.store %y, %out : f32, !llvm.ptr
    // SPECIAL: race between blocks
    // SPECIAL: out = 0.125
    // SPECIAL: blocks 3
    // SPECIAL-NEXT: threads 192
    // SPECIAL: collectives 6
    // SPECIAL: mufu 384
    llvm.return
  }
  // More accesses than a thread's list of them holds.
  gpu.func @loops(%out: memref<8192xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %n = arith.constant 5000 : index
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %o = arith.muli %b, %c64 : index
    %g = arith.addi %o, %t : index
    scf.for %i = %c0 to %n step %c1 {
      %v = memref.load %out[%g] : memref<8192xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %out[%g] : memref<8192xf32>
    }
    // LOOPS: status 0
    // LOOPS: global_read_bytes 6400000
    // LOOPS: global_read_sectors 200000
    // LOOPS: global_written_bytes 6400000
    // LOOPS: global_written_sectors 200000
    gpu.return
  }
}
