// mbarrier as a block barrier with tokens: arrive / test.wait loop
!mb = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>>
!tok = !nvgpu.mbarrier.token
gpu.module @kernels {
  gpu.func @mb(%in: memref<128xf32>, %out: memref<128xf32>)
      workgroup(%s: memref<128xf32, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c127 = arith.constant 127 : index
    %c128 = arith.constant 128 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    scf.if %is0 { nvgpu.mbarrier.init %b[%c0], %c128 : !mb }
    gpu.barrier
    %x = memref.load %in[%t] : memref<128xf32>
    memref.store %x, %s[%t] : memref<128xf32, #gpu.address_space<workgroup>>
    %tok = nvgpu.mbarrier.arrive %b[%c0] : !mb -> !tok
    %false = arith.constant 0 : i1
    %true = arith.constant 1 : i1
    %done = scf.while (%d = %false) : (i1) -> i1 {
      %c = arith.xori %d, %true : i1
      scf.condition(%c) %d : i1
    } do {
    ^bb0(%d: i1):
      %e = nvgpu.mbarrier.test.wait %b[%c0], %tok : !mb, !tok
      scf.yield %e : i1
    }
    %r = arith.subi %c127, %t : index
    %y = memref.load %s[%r] : memref<128xf32, #gpu.address_space<workgroup>>
    memref.store %y, %out[%t] : memref<128xf32>
    gpu.return
  }
}
