// double-buffered cp.async staged copy with a reversal through shared memory:
// for each of 4 tiles of 512 floats: out[tile][127-t][j] = 2*in[tile][t][j]
gpu.module @kernels {
  gpu.func @staged(%in: memref<4x128x4xf32>, %out: memref<4x128x4xf32>)
      workgroup(%sm : memref<2x128x4xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c127 = arith.constant 127 : index
    %t = gpu.thread_id x
    %p = nvgpu.device_async_copy %in[%c0, %t, %c0], %sm[%c0, %t, %c0], 4 {bypassL1}
      : memref<4x128x4xf32> to memref<2x128x4xf32, #gpu.address_space<workgroup>>
    %tok0 = nvgpu.device_async_create_group %p
    scf.for %i = %c0 to %c4 step %c1 {
      %n = arith.addi %i, %c1 : index
      %nb = arith.remui %n, %c2 : index
      %b = arith.remui %i, %c2 : index
      %has = arith.cmpi ult, %i, %c3 : index
      scf.if %has {
        %q = nvgpu.device_async_copy %in[%n, %t, %c0], %sm[%nb, %t, %c0], 4 {bypassL1}
          : memref<4x128x4xf32> to memref<2x128x4xf32, #gpu.address_space<workgroup>>
      }
      %tok = nvgpu.device_async_create_group
      nvgpu.device_async_wait %tok {numGroups = 1 : i32}
      gpu.barrier
      %r = arith.subi %c127, %t : index
      %v = vector.load %sm[%b, %r, %c0] : memref<2x128x4xf32, #gpu.address_space<workgroup>>, vector<4xf32>
      %v2 = arith.addf %v, %v : vector<4xf32>
      vector.store %v2, %out[%i, %t, %c0] : memref<4x128x4xf32>, vector<4xf32>
      gpu.barrier
    }
    gpu.return
  }
}
