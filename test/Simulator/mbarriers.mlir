// Misuse of mbarriers and of copies of tiles.
// RUN: bochner-simulate %s not_initialized out:f32:32 | FileCheck %s --check-prefix=INIT
// RUN: bochner-simulate %s too_many out:f32:32 | FileCheck %s --check-prefix=MANY
// RUN: bochner-simulate %s count out:f32:32 | FileCheck %s --check-prefix=COUNT
// RUN: bochner-simulate %s waits_forever out:f32:32 | FileCheck %s --check-prefix=FOREVER
// RUN: bochner-simulate %s invalidated out:f32:32 | FileCheck %s --check-prefix=INVAL
// RUN: bochner-simulate %s asynchronous in:f32:32 out:f32:32:none | FileCheck %s --check-prefix=ASYNC
// RUN: bochner-simulate %s no_map map:i32:32:zero | FileCheck %s --check-prefix=MAP
!mb = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>>
!map = !nvgpu.tensormap.descriptor<tensor = memref<16x8xf32, 3>, swizzle = none, l2promo = none, oob = zero,
                                   interleave = none>
gpu.module @kernels {
  gpu.func @not_initialized(%out: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %b = nvgpu.mbarrier.create -> !mb
    // INIT: mbarrier misuse x32: thread (0,0,0) of block (0,0,0), mbarrier.arrive.shared at
    // INIT-SAME: mbarriers.mlir:[[#@LINE+1]]:{{[0-9]+}} uses '__mbarrier{{.*}}' at byte 0, which is no initialized mbarrier
    %token = nvgpu.mbarrier.arrive %b[%c0] : !mb -> !nvgpu.mbarrier.token
    gpu.return
  }
  gpu.func @too_many(%out: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    nvgpu.mbarrier.init %b[%c0], %c1, predicate = %is0 : !mb
    gpu.barrier
    scf.if %is0 {
      nvgpu.mbarrier.arrive.expect_tx %b[%c0], %c8 : !mb
      // MANY: mbarrier misuse x1: thread (0,0,0) of block (0,0,0), mbarrier.arrive.shared at
      // MANY-SAME: mbarriers.mlir:[[#@LINE+2]]:{{[0-9]+}} arrives 1 times, but the phase expects only 0 more arrivals
      // MANY-NOT: mbarrier misuse
      %token = nvgpu.mbarrier.arrive %b[%c0] : !mb -> !nvgpu.mbarrier.token
    }
    gpu.return
  }
  gpu.func @count(%out: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    // COUNT: mbarrier misuse x1: thread (0,0,0) of block (0,0,0), mbarrier.init at mbarriers.mlir:[[#@LINE+1]]:5 expects
    nvgpu.mbarrier.init %b[%c0], %c0, predicate = %is0 : !mb
    // COUNT-SAME: a count between 1 and 2^20 - 1, but got 0
    gpu.return
  }
  gpu.func @waits_forever(%out: memref<32xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %ticks = arith.constant 1000 : index
    %false = arith.constant 0 : i1
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    nvgpu.mbarrier.init %b[%c0], %c1, predicate = %is0 : !mb
    gpu.barrier
    // FOREVER: deadlock x1: block (0,0,0): 32 threads wait in mbarrier.try_wait.parity at
    // FOREVER-SAME: mbarriers.mlir:[[#@LINE+1]]:5 (0-31)
    nvgpu.mbarrier.try_wait.parity %b[%c0], %false, %ticks : !mb
    gpu.return
  }
  llvm.mlir.global internal @word() {addr_space = 3 : i32, alignment = 8 : i64} : i64
  llvm.func @invalidated(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %b = llvm.mlir.addressof @word : !llvm.ptr<3>
    %one = llvm.mlir.constant(32 : i32) : i32
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^init, ^done
  ^init:
    nvvm.mbarrier.init %b, %one : !llvm.ptr<3>, i32
    nvvm.mbarrier.inval %b : !llvm.ptr<3>
    // INVAL: mbarrier misuse x1: thread (0,0,0) of block (0,0,0), mbarrier.arrive.shared at
    // INVAL-SAME: mbarriers.mlir:[[#@LINE+1]]:14 uses 'word' at byte 0, which is no initialized mbarrier
    %token = nvvm.mbarrier.arrive %b : !llvm.ptr<3> -> i64
    llvm.br ^done
  ^done:
    llvm.return
  }
  // The arrivals of the copies publish their data, so no other barrier is needed.
  llvm.mlir.global internal @staged() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<32 x i32>
  llvm.func @asynchronous(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    %b = llvm.mlir.addressof @word : !llvm.ptr<3>
    %s = llvm.mlir.addressof @staged : !llvm.ptr<3>
    %count = llvm.mlir.constant(32 : i32) : i32
    %last = llvm.mlir.constant(31 : i32) : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %ticks = llvm.mlir.constant(1000 : i32) : i32
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^init, ^go
  ^init:
    nvvm.mbarrier.init %b, %count : !llvm.ptr<3>, i32
    llvm.br ^go
  ^go:
    nvvm.barrier0
    %to = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %from = llvm.getelementptr %in[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    nvvm.cp.async.shared.global %to, %from, 4, cache = ca : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.mbarrier.arrive %b {noinc = true} : !llvm.ptr<3>
    nvvm.mbarrier.try_wait.parity %b, %zero, %ticks : !llvm.ptr<3>, i32, i32
    %r = llvm.sub %last, %t : i32
    %at = llvm.getelementptr %s[%r] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %v = llvm.load %at : !llvm.ptr<3> -> f32
    %o = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, f32
    llvm.store %v, %o : f32, !llvm.ptr<1>
    // ASYNC: status 0
    // ASYNC: out = 31 30 29
    llvm.return
  }
  gpu.func @no_map(%p: !llvm.ptr) workgroup(%s: memref<16x8xf32, 3> {llvm.align = 128 : i64}) kernel {
    %map = builtin.unrealized_conversion_cast %p : !llvm.ptr to !map
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    nvgpu.mbarrier.init %b[%c0], %c1, predicate = %is0 : !mb
    gpu.barrier
    // MAP: bad tensor map x1: thread (0,0,0) of block (0,0,0), cp.async.bulk.tensor load at mbarriers.mlir:[[#@LINE+2]]:5
    // MAP-SAME: expects a tensor map, but the address holds none
    nvgpu.tma.async.load %map[%c0, %c0], %b[%c0] to %s, predicate = %is0 : !map, !mb -> memref<16x8xf32, 3>
    gpu.return
  }
}
