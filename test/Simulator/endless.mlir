// Loops that do not end, traps, and launches that the driver would refuse.
// RUN: bochner-simulate %s counts --steps=100000 out:i32:1 | FileCheck %s --check-prefix=LOOP
// RUN: bochner-simulate %s spins --steps=100000 out:i32:1:zero | FileCheck %s --check-prefix=SPIN
// RUN: bochner-simulate %s polls --steps=100000 out:i32:1:zero | FileCheck %s --check-prefix=POLL
// RUN: bochner-simulate %s hands_over --block=64 out:i32:2:zero | FileCheck %s --check-prefix=GOOD
// RUN: bochner-simulate %s traps out:i32:1 | FileCheck %s --check-prefix=TRAP
// RUN: bochner-simulate %s at_most --block=64 out:i32:1 | FileCheck %s --check-prefix=MOST
// RUN: bochner-simulate %s required --block=64 out:i32:1 | FileCheck %s --check-prefix=BLOCK
// RUN: bochner-simulate %s counts --block=2048 out:i32:1 | FileCheck %s --check-prefix=THREADS
// RUN: bochner-simulate %s counts --grid=0 out:i32:1 | FileCheck %s --check-prefix=EMPTY
// RUN: bochner-simulate %s counts --grid=1,70000 out:i32:1 | FileCheck %s --check-prefix=GRID
// RUN: bochner-simulate %s counts --shared=240000 out:i32:1 | FileCheck %s --check-prefix=SHARED
// THREADS: status 2
// THREADS-NEXT: bad launch x1: kernel 'counts': expected at most 1024 threads of a block and 64 in z, but got 2048x1x1
// EMPTY: bad launch x1: kernel 'counts': expected a grid and blocks that are not empty
// GRID: bad launch x1: kernel 'counts': expected at most 65535 blocks in y and z, and 268435455 in all, but got 1x70000x1
// SHARED: bad launch x1: kernel 'counts': expected at most 232448 bytes of shared memory, but got 0 static and 240000
// SHARED-SAME: dynamic ones
gpu.module @kernels {
  gpu.func @counts(%out: memref<1xi32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : i32
    %init = memref.load %out[%c0] : memref<1xi32>
    %r = scf.while (%i = %init) : (i32) -> i32 {
      %more = arith.cmpi ne, %i, %c1 : i32
      scf.condition(%more) %i : i32
    } do {
    ^bb0(%i: i32):
      // LOOP: status 1
      // LOOP: step limit x1: thread (0,0,0) of block (0,0,0), loop at endless.mlir:[[#@LINE-4]]:7: gave up after 100000
      // LOOP-SAME: passes of loops
      %two = arith.constant 2 : i32
      %next = arith.addi %i, %two : i32
      scf.yield %next : i32
    }
    memref.store %r, %out[%c0] : memref<1xi32>
    gpu.return
  }
  // Nobody sets the flag.
  gpu.func @spins(%out: memref<1xi32>) kernel {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0 : i32
    %r = scf.while (%i = %zero) : (i32) -> i32 {
      %more = arith.cmpi eq, %i, %zero : i32
      scf.condition(%more) %i : i32
    } do {
    ^bb0(%i: i32):
      // SPIN: step limit x1: {{.*}}atomic at endless.mlir:[[#@LINE+2]]:15: gave up after 1562 atomic or volatile
      // SPIN-SAME: accesses of the block without progress
      %flag = memref.atomic_rmw ori %zero, %out[%c0] : (i32, memref<1xi32>) -> i32
      scf.yield %flag : i32
    }
    gpu.return
  }
  llvm.func @polls(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %zero = llvm.mlir.constant(0 : i32) : i32
    llvm.br ^loop
  ^loop:
    // POLL: step limit x1: {{.*}}load at endless.mlir:[[#@LINE+1]]:13: gave up after 1562 atomic or volatile
    %flag = llvm.load volatile %out : !llvm.ptr -> i32
    %more = llvm.icmp "eq" %flag, %zero : i32
    llvm.cond_br %more, ^loop, ^done
  ^done:
    llvm.return
  }
  // Thread 0 waits for thread 63, which has a flag to set.
  gpu.func @hands_over(%out: memref<2xi32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c63 = arith.constant 63 : index
    %zero = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %t = gpu.thread_id x
    %last = arith.cmpi eq, %t, %c63 : index
    scf.if %last {
      %old = memref.atomic_rmw addi %one, %out[%c0] : (i32, memref<2xi32>) -> i32
    }
    %first = arith.cmpi eq, %t, %c0 : index
    scf.if %first {
      %r = scf.while (%i = %zero) : (i32) -> i32 {
        %more = arith.cmpi eq, %i, %zero : i32
        scf.condition(%more) %i : i32
      } do {
      ^bb0(%i: i32):
        %flag = memref.atomic_rmw ori %zero, %out[%c0] : (i32, memref<2xi32>) -> i32
        scf.yield %flag : i32
      }
      memref.store %r, %out[%c1] : memref<2xi32>
    }
    // GOOD: status 0
    // GOOD: out = 1 1
    gpu.return
  }
  llvm.func @traps(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    // TRAP: trap x1: thread (0,0,0) of block (0,0,0), trap at endless.mlir:[[#@LINE+1]]:5
    "llvm.intr.trap"() : () -> ()
    llvm.return
  }
  gpu.func @at_most(%out: memref<1xi32>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    // MOST: bad launch x1: kernel 'at_most': expected at most 32 threads of a block, for which it was compiled, but got 64
    gpu.return
  }
  llvm.func @required(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel, nvvm.reqntid = array<i32: 32>} {
    // BLOCK: bad launch x1: kernel 'required': expected blocks of 32x1x1 threads, for which it was compiled, but got
    // BLOCK-SAME: 64x1x1
    llvm.return
  }
}
