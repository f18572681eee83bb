// sm_90a: a 64x64x64 tile of f16 by one warpgroup. TMA with 128-byte swizzle, wgmma descriptors, all through nvgpu.
!tmA = !nvgpu.tensormap.descriptor<tensor = memref<64x64xf16, 3>, swizzle = swizzle_128b, l2promo = none, oob = zero,
                                   interleave = none>
!tmB = !nvgpu.tensormap.descriptor<tensor = memref<64x64xf16, 3>, swizzle = swizzle_128b, l2promo = none, oob = zero,
                                   interleave = none>
!descriptor = !nvgpu.warpgroup.descriptor<tensor = memref<64x64xf16, 3>>
!accumulator = !nvgpu.warpgroup.accumulator<fragmented = vector<64x64xf32>>
!mb = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @gemm(%pa: !llvm.ptr, %pb: !llvm.ptr, %out: memref<64x64xf32>)
      workgroup(%sa: memref<64x64xf16, 3> {llvm.align = 1024 : i64},
                %sb: memref<64x64xf16, 3> {llvm.align = 1024 : i64}) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %dA = builtin.unrealized_conversion_cast %pa : !llvm.ptr to !tmA
    %dB = builtin.unrealized_conversion_cast %pb : !llvm.ptr to !tmB
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %bytes = arith.constant 16384 : index
    %ticks = arith.constant 10000000 : index
    %t = gpu.thread_id x
    %is0 = arith.cmpi eq, %t, %c0 : index
    %b = nvgpu.mbarrier.create -> !mb
    nvgpu.mbarrier.init %b[%c0], %c1, predicate = %is0 : !mb
    gpu.barrier
    nvgpu.mbarrier.arrive.expect_tx %b[%c0], %bytes, predicate = %is0 : !mb
    nvgpu.tma.async.load %dA[%c0, %c0], %b[%c0] to %sa, predicate = %is0 : !tmA, !mb -> memref<64x64xf16, 3>
    nvgpu.tma.async.load %dB[%c0, %c0], %b[%c0] to %sb, predicate = %is0 : !tmB, !mb -> memref<64x64xf16, 3>
    %f = arith.constant 0 : i1
    nvgpu.mbarrier.try_wait.parity %b[%c0], %f, %ticks : !mb
    %wa = nvgpu.warpgroup.generate.descriptor %sa, %dA : memref<64x64xf16, 3>, !tmA -> !descriptor
    %wb = nvgpu.warpgroup.generate.descriptor %sb, %dB : memref<64x64xf16, 3>, !tmB -> !descriptor
    %acc = nvgpu.warpgroup.mma.init.accumulator -> !accumulator
    %d = nvgpu.warpgroup.mma %wa, %wb, %acc {transposeB, waitGroup = 0}
     : !descriptor, !descriptor, !accumulator -> !accumulator
    nvgpu.warpgroup.mma.store %d, %out : !accumulator to memref<64x64xf32>
    gpu.return
  }
}
