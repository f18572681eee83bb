// Five bugs, each in every block.
!floats = memref<32xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @many(%values: memref<64xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c31 = arith.constant 31 : index
    %t = gpu.thread_id x
    %b = gpu.block_id x
    %bytes = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %s = memref.view %bytes[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to !floats
    %x = memref.load %s[%t] : !floats // uninitialized
    memref.store %x, %s[%c0] : !floats
    %i = arith.index_cast %t : index to i32
    %f = arith.sitofp %i : i32 to f32
    memref.store %f, %s[%c0] : !floats // write after write
    %next = arith.addi %t, %c1 : index
    memref.store %f, %s[%next] : !floats // out of bounds, write after write
    memref.store %f, %values[%t] : memref<64xf32> // race between blocks
    gpu.return
  }
}
