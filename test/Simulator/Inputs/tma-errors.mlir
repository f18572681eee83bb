// A load that nobody waits for; a store without a fence, without a wait, from a misaligned address.
gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<512 x f32>
  llvm.mlir.global internal @word() {addr_space = 3 : i32, alignment = 8 : i64} : i64
  llvm.func @load(%map: !llvm.ptr, %out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %barrier = llvm.mlir.addressof @word : !llvm.ptr<3>
    %cluster = llvm.addrspacecast %tile : !llvm.ptr<3> to !llvm.ptr<7>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %bytes = llvm.mlir.constant(1024 : i32) : i32
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^issue, ^read
  ^issue:
    nvvm.mbarrier.init %barrier, %one : !llvm.ptr<3>, i32
    nvvm.fence.mbarrier.init
    %state = nvvm.mbarrier.arrive.expect_tx %barrier, %bytes : !llvm.ptr<3>, i32 -> i64
    // The next line is 21.

    nvvm.cp.async.bulk.tensor.shared.cluster.global %cluster, %map, %barrier, box [%zero, %zero] : !llvm.ptr<7>, !llvm.ptr
    llvm.br ^read
  ^read:
    nvvm.barrier0
    // The next line is 26.
    %v = llvm.load %tile : !llvm.ptr<3> -> f32
    llvm.store %v, %out : f32, !llvm.ptr
    llvm.return
  }
  llvm.func @store(%map: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %shifted = llvm.getelementptr %tile[4] : (!llvm.ptr<3>) -> !llvm.ptr<3>, f32
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %value = llvm.mlir.zero : !llvm.array<512 x f32>
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^issue, ^done
  ^issue:
    llvm.store %value, %tile : !llvm.array<512 x f32>, !llvm.ptr<3>
    nvvm.cp.async.bulk.tensor.global.shared.cta %map, %tile, box [%zero, %zero] : !llvm.ptr, !llvm.ptr<3>
    nvvm.cp.async.bulk.tensor.global.shared.cta %map, %shifted, box [%zero, %zero] : !llvm.ptr, !llvm.ptr<3>
    nvvm.cp.async.bulk.commit.group
    llvm.br ^done
  ^done:
    llvm.return
  }
}
