// A tile of three dimensions into shared memory, whose bytes are returned as they lie there; a tile of two from it.
gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<1024 x f32>
  llvm.mlir.global internal @word() {addr_space = 3 : i32, alignment = 8 : i64} : i64
  llvm.func @load(%map: !llvm.ptr, %out: !llvm.ptr, %x: i32, %y: i32, %z: i32, %bytes: i32)
      attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %barrier = llvm.mlir.addressof @word : !llvm.ptr<3>
    %cluster = llvm.addrspacecast %tile : !llvm.ptr<3> to !llvm.ptr<7>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %ticks = llvm.mlir.constant(1000 : i32) : i32
    %four = llvm.mlir.constant(4 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^issue, ^wait
  ^issue:
    nvvm.mbarrier.init %barrier, %one : !llvm.ptr<3>, i32
    nvvm.fence.mbarrier.init
    %state = nvvm.mbarrier.arrive.expect_tx %barrier, %bytes : !llvm.ptr<3>, i32 -> i64
    nvvm.cp.async.bulk.tensor.shared.cluster.global %cluster, %map, %barrier, box [%x, %y, %z] : !llvm.ptr<7>, !llvm.ptr
    llvm.br ^wait
  ^wait:
    nvvm.barrier0
    nvvm.mbarrier.try_wait.parity %barrier, %zero, %ticks : !llvm.ptr<3>, i32, i32
    %end = llvm.sdiv %bytes, %four : i32
    llvm.br ^loop(%t : i32)
  ^loop(%i: i32):
    %from = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %to = llvm.getelementptr %out[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32
    %v = llvm.load %from : !llvm.ptr<3> -> f32
    llvm.store %v, %to : f32, !llvm.ptr
    %next = llvm.add %i, %c32 : i32
    %more = llvm.icmp "slt" %next, %end : i32
    llvm.cond_br %more, ^loop(%next : i32), ^done
  ^done:
    llvm.return
  }
  llvm.func @store(%map: !llvm.ptr, %in: !llvm.ptr, %x: i32, %y: i32) attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %zero = llvm.mlir.constant(0 : i32) : i32
    %c32 = llvm.mlir.constant(32 : i32) : i32
    %end = llvm.mlir.constant(256 : i32) : i32
    llvm.br ^loop(%t : i32)
  ^loop(%i: i32):
    %from = llvm.getelementptr %in[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32
    %to = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %v = llvm.load %from : !llvm.ptr -> f32
    llvm.store %v, %to : f32, !llvm.ptr<3>
    %next = llvm.add %i, %c32 : i32
    %more = llvm.icmp "slt" %next, %end : i32
    llvm.cond_br %more, ^loop(%next : i32), ^full
  ^full:
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    %is0 = llvm.icmp "eq" %t, %zero : i32
    llvm.cond_br %is0, ^issue, ^done
  ^issue:
    nvvm.cp.async.bulk.tensor.global.shared.cta %map, %tile, box [%x, %y] : !llvm.ptr, !llvm.ptr<3>
    nvvm.cp.async.bulk.commit.group
    nvvm.cp.async.bulk.wait_group 0
    llvm.br ^done
  ^done:
    llvm.return
  }
}
