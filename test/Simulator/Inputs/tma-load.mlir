// sm_90: mbarrier + TMA load of a 16x8 f32 box at (16,8) of a 64x32 tensor, then read back.
!tm = !nvgpu.tensormap.descriptor<tensor = memref<16x8xf32, 3>, swizzle = none, l2promo = none, oob = zero,
                                  interleave = none>
!mb = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @tma(%p: !llvm.ptr, %out: memref<16x8xf32>)
      workgroup(%s: memref<16x8xf32, 3> {llvm.align = 128 : i64}) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %desc = builtin.unrealized_conversion_cast %p : !llvm.ptr to !tm
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %c512 = arith.constant 512 : index
    %ticks = arith.constant 10000000 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    nvgpu.mbarrier.init %b[%c0], %c1, predicate = %is0 : !mb
    gpu.barrier
    scf.if %is0 {
      nvgpu.mbarrier.arrive.expect_tx %b[%c0], %c512 : !mb
      nvgpu.tma.async.load %desc[%c8, %c16], %b[%c0] to %s : !tm, !mb -> memref<16x8xf32, 3>
    }
    %f = arith.constant 0 : i1
    nvgpu.mbarrier.try_wait.parity %b[%c0], %f, %ticks : !mb
    %i = arith.divui %t, %c8 : index
    %j = arith.remui %t, %c8 : index
    %v = memref.load %s[%i, %j] : memref<16x8xf32, 3>
    memref.store %v, %out[%i, %j] : memref<16x8xf32>
    gpu.return
  }
}
