// One block reduces 256 floats by a tree in shared memory.
gpu.module @kernels {
  gpu.func @block_reduce(%in: memref<1024xf32>, %out: memref<4xf32>)
      workgroup(%sm : memref<256xf32, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c128 = arith.constant 128 : index
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %bd = gpu.block_dim x
    %o = arith.muli %b, %bd : index
    %g = arith.addi %o, %t : index
    %v = memref.load %in[%g] : memref<1024xf32>
    memref.store %v, %sm[%t] : memref<256xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %r = scf.while (%s = %c128) : (index) -> index {
      %p = arith.cmpi ugt, %s, %c0 : index
      scf.condition(%p) %s : index
    } do {
    ^bb0(%s: index):
      %act = arith.cmpi ult, %t, %s : index
      scf.if %act {
        %t2 = arith.addi %t, %s : index
        %x = memref.load %sm[%t] : memref<256xf32, #gpu.address_space<workgroup>>
        %y = memref.load %sm[%t2] : memref<256xf32, #gpu.address_space<workgroup>>
        %z = arith.addf %x, %y : f32
        memref.store %z, %sm[%t] : memref<256xf32, #gpu.address_space<workgroup>>
      }
      gpu.barrier
      %s2 = arith.divui %s, %c2 : index
      scf.yield %s2 : index
    }
    %is0 = arith.cmpi eq, %t, %c0 : index
    scf.if %is0 {
      %x = memref.load %sm[%c0] : memref<256xf32, #gpu.address_space<workgroup>>
      memref.store %x, %out[%b] : memref<4xf32>
    }
    gpu.return
  }
}
