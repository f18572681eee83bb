// Bulk copies without a tensor map, into shared memory and back.
// RUN: bochner-simulate %s copy in:i32:1024 out:i32:1024:none 1024 | FileCheck %s --check-prefix=COPY
// RUN: bochner-simulate %s copy in:i32:128 out:i32:1024 1024 | FileCheck %s --check-prefix=BOUNDS
// RUN: bochner-simulate %s copy in:i32:1024 out:i32:1024 1000 | FileCheck %s --check-prefix=SIZE
gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<1024 x i32>
  llvm.mlir.global internal @word() {addr_space = 3 : i32, alignment = 8 : i64} : i64
  llvm.func @copy(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>, %bytes: i32) attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %barrier = llvm.mlir.addressof @word : !llvm.ptr<3>
    %cluster = llvm.addrspacecast %tile : !llvm.ptr<3> to !llvm.ptr<7>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %ticks = llvm.mlir.constant(1000 : i32) : i32
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^load, ^wait
  ^load:
    nvvm.mbarrier.init %barrier, %one : !llvm.ptr<3>, i32
    %state = nvvm.mbarrier.arrive.expect_tx %barrier, %bytes : !llvm.ptr<3>, i32 -> i64
    // BOUNDS: out of bounds x1: thread (0,0,0) of block (0,0,0), cp.async.bulk.global.to.shared.cluster at
    // BOUNDS-SAME: bulk-copies.mlir:[[#@LINE+5]]:5: 1024 bytes at byte 0 of 'in' (512 bytes)
    // SIZE: status 1
    // SIZE: misaligned access x1: thread (0,0,0) of block (0,0,0), cp.async.bulk.global.to.shared.cluster at
    // SIZE-SAME: bulk-copies.mlir:[[#@LINE+2]]:5 requires multiples of 16 for size and address, but got 1000 bytes and
    // SIZE-SAME: an address that ends in 0x00
    nvvm.cp.async.bulk.shared.cluster.global %cluster, %in, %barrier, %bytes : !llvm.ptr<7>, !llvm.ptr<1>
    llvm.br ^wait
  ^wait:
    nvvm.barrier0
    nvvm.mbarrier.try_wait.parity %barrier, %zero, %ticks : !llvm.ptr<3>, i32, i32
    %at = llvm.getelementptr %tile[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
    %v = llvm.load %at : !llvm.ptr<3> -> i32
    %w = llvm.add %v, %v : i32
    llvm.store %w, %at : i32, !llvm.ptr<3>
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    llvm.cond_br %is0, ^store, ^done
  ^store:
    nvvm.cp.async.bulk.global.shared.cta %out, %tile, %bytes : !llvm.ptr<1>, !llvm.ptr<3>
    nvvm.cp.async.bulk.commit.group
    nvvm.cp.async.bulk.wait_group 0
    llvm.br ^done
  ^done:
    // COPY: status 0
    // COPY: out = 0 2 4 6 8
    llvm.return
  }
}
