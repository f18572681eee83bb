// Dynamic shared memory; with more than one block the same kernel races on global memory.
!bytes = memref<?xi8, #gpu.address_space<workgroup>>
!floats = memref<32xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @dyn(%o: memref<32xf32>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c31 = arith.constant 31 : index
    %c128 = arith.constant 128 : index
    %s = gpu.dynamic_shared_memory : !bytes
    %v = memref.view %s[%c0][] : !bytes to !floats
    %w = memref.view %s[%c128][] : !bytes to !floats
    %x = memref.load %o[%t] : memref<32xf32>
    memref.store %x, %v[%t] : !floats
    memref.store %x, %w[%t] : !floats
    gpu.barrier
    %r = arith.subi %c31, %t : index
    %y = memref.load %v[%r] : !floats
    %z = memref.load %w[%r] : !floats
    %q = arith.addf %y, %z : f32
    memref.store %q, %o[%t] : memref<32xf32>
    gpu.return
  }
}
