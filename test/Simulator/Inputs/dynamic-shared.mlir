// Dynamic shared memory; with more than one block the same kernel races on global memory.
gpu.module @kernels {
  gpu.func @dyn(%o: memref<32xf32>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c31 = arith.constant 31 : index
    %c128 = arith.constant 128 : index
    %s = gpu.dynamic_shared_memory : memref<?xi8, 3>
    %v = memref.view %s[%c0][] : memref<?xi8, 3> to memref<32xf32, 3>
    %w = memref.view %s[%c128][] : memref<?xi8, 3> to memref<32xf32, 3>
    %x = memref.load %o[%t] : memref<32xf32>
    memref.store %x, %v[%t] : memref<32xf32, 3>
    memref.store %x, %w[%t] : memref<32xf32, 3>
    gpu.barrier
    %r = arith.subi %c31, %t : index
    %y = memref.load %v[%r] : memref<32xf32, 3>
    %z = memref.load %w[%r] : memref<32xf32, 3>
    %q = arith.addf %y, %z : f32
    memref.store %q, %o[%t] : memref<32xf32>
    gpu.return
  }
}
