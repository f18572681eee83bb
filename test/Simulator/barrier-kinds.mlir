// Correct use of named barriers, arrivals and reductions, atomics in shared memory, and parameters passed by value.
// RUN: bochner-simulate %s pipeline --block=64 out:i32:64 | FileCheck %s --check-prefix=PIPELINE
// RUN: bochner-simulate %s pipeline --block=64 --seed=2 out:i32:64 | FileCheck %s --check-prefix=PIPELINE
// RUN: bochner-simulate %s early --block=64 out:i32:64 | FileCheck %s --check-prefix=EARLY
// RUN: bochner-simulate %s reductions --block=64 out:i32:64 | FileCheck %s --check-prefix=REDUCE
// RUN: bochner-simulate %s halves --block=64 out:i32:64 | FileCheck %s --check-prefix=HALVES
// RUN: bochner-simulate %s histogram --block=64 out:i32:4 | FileCheck %s --check-prefix=ATOMIC
gpu.module @kernels {
  llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 4 : i64} : !llvm.array<64 x i32>
  // Warp 0 writes and arrives, without waiting; warp 1 waits for it.
  llvm.func @pipeline(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %id = llvm.mlir.constant(1 : i32) : i32
    %count = llvm.mlir.constant(64 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %producer = llvm.icmp "ult" %t, %c32 : i32
    llvm.cond_br %producer, ^produce, ^consume
  ^produce:
    %to = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %square = llvm.mul %t, %t : i32
    llvm.store %square, %to : i32, !llvm.ptr<3>
    nvvm.barrier.arrive id = %id number_of_threads = %count
    llvm.return
  ^consume:
    nvvm.barrier id = %id number_of_threads = %count
    %lane = llvm.and %t, %c31 : i32
    %r = llvm.sub %c31, %lane : i32
    %from = llvm.getelementptr %s[%r] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %v = llvm.load %from : !llvm.ptr<3> -> i32
    %o = llvm.getelementptr %out[%lane] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store %v, %o : i32, !llvm.ptr
    // PIPELINE: status 0
    // PIPELINE: out = 961 900 841
    llvm.return
  }
  // The producer writes once more after it has arrived.
  llvm.func @early(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %id = llvm.mlir.constant(1 : i32) : i32
    %count = llvm.mlir.constant(64 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %producer = llvm.icmp "ult" %t, %c32 : i32
    llvm.cond_br %producer, ^produce, ^consume
  ^produce:
    %to = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %square = llvm.mul %t, %t : i32
    llvm.store %square, %to : i32, !llvm.ptr<3>
    nvvm.barrier.arrive id = %id number_of_threads = %count
    llvm.store %t, %to : i32, !llvm.ptr<3>
    llvm.return
  ^consume:
    nvvm.barrier id = %id number_of_threads = %count
    %lane = llvm.and %t, %c31 : i32
    %r = llvm.sub %c31, %lane : i32
    %from = llvm.getelementptr %s[%r] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    // EARLY: shared-memory race x32: read-after-write race on 's' at byte 124: thread (32,0,0) of block (0,0,0), load at
    // EARLY-SAME: barrier-kinds.mlir:[[#@LINE+2]]:10 conflicts with thread (31,0,0), store at
    // EARLY-SAME: barrier-kinds.mlir:[[#@LINE-9]]:5
    %v = llvm.load %from : !llvm.ptr<3> -> i32
    %o = llvm.getelementptr %out[%lane] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store %v, %o : i32, !llvm.ptr
    llvm.return
  }
  llvm.func @reductions(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c10 = llvm.mlir.constant(10 : i32) : i32
    %below = llvm.icmp "ult" %t, %c10 : i32
    %p = llvm.zext %below : i1 to i32
    %sum = nvvm.barrier #nvvm.reduction<popc> %p -> i32
    %all = nvvm.barrier #nvvm.reduction<and> %p -> i32
    %any = nvvm.barrier #nvvm.reduction<or> %p -> i32
    %c100 = llvm.mlir.constant(100 : i32) : i32
    %anyBit = llvm.zext %below : i1 to i32
    %x = llvm.mul %sum, %c100 : i32
    %y = llvm.mul %any, %c10 : i32
    %z = llvm.add %x, %y : i32
    %w = llvm.add %z, %all : i32
    %o = llvm.getelementptr %out[%t] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store %w, %o : i32, !llvm.ptr
    // REDUCE: status 0
    // REDUCE: out = 1010 1010
    llvm.return
  }
  // Each warp has a barrier of its own.
  llvm.func @halves(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %c5 = llvm.mlir.constant(5 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %warp = llvm.lshr %t, %c5 : i32
    %id = llvm.add %warp, %one : i32
    %to = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %t, %to : i32, !llvm.ptr<3>
    nvvm.barrier id = %id number_of_threads = %c32
    %other = llvm.xor %t, %c31 : i32
    %from = llvm.getelementptr %s[%other] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %v = llvm.load %from : !llvm.ptr<3> -> i32
    %o = llvm.getelementptr %out[%t] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store %v, %o : i32, !llvm.ptr
    // HALVES: status 0
    // HALVES: out = 31 30 29
    llvm.return
  }
  llvm.func @histogram(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %own = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    llvm.store %zero, %own : i32, !llvm.ptr<3>
    nvvm.barrier0
    %bin = llvm.and %t, %c3 : i32
    %p = llvm.getelementptr %s[%bin] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %old = llvm.atomicrmw add %p, %one monotonic : !llvm.ptr<3>, i32
    nvvm.barrier0
    %v = llvm.load %p : !llvm.ptr<3> -> i32
    %o = llvm.getelementptr %out[%bin] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store %v, %o : i32, !llvm.ptr
    // ATOMIC: status 0
    // ATOMIC: out = 16 16 16 16
    llvm.return
  }
}
