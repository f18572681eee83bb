!tile = memref<64xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @rotate(%in: memref<64xf32>, %out: memref<64xf32>) workgroup(%s: !tile) kernel {
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %t = gpu.thread_id x
    %v = memref.load %in[%t] : memref<64xf32>
    memref.store %v, %s[%t] : !tile
    // gpu.barrier is missing here
    %next = arith.addi %t, %c1 : index
    %r = arith.remui %next, %c64 : index
    %w = memref.load %s[%r] : !tile
    memref.store %w, %out[%t] : memref<64xf32>
    gpu.return
  }
}
