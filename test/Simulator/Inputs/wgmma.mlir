// sm_90a: one warpgroup, D[64x8] f32 = A[64x16] * Bt[8x16]^T, f16. Operands in shared memory in K-major 8x8 core
// matrices, no swizzle.
gpu.module @kernels {
  gpu.func @wg(%A: memref<64x16xf16>, %B: memref<8x16xf16>, %D: memref<64x8xf32>)
      workgroup(%sa: memref<8x2x8x8xf16, #gpu.address_space<workgroup>> {llvm.align = 128 : i64},
                %sb: memref<1x2x8x8xf16, #gpu.address_space<workgroup>> {llvm.align = 128 : i64}) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %c128 = arith.constant 128 : index
    %c1024 = arith.constant 1024 : index
    %t = gpu.thread_id x
    scf.for %i = %t to %c1024 step %c128 {
      %r = arith.divui %i, %c16 : index
      %k = arith.remui %i, %c16 : index
      %r0 = arith.divui %r, %c8 : index
      %r1 = arith.remui %r, %c8 : index
      %k0 = arith.divui %k, %c8 : index
      %k1 = arith.remui %k, %c8 : index
      %x = memref.load %A[%r, %k] : memref<64x16xf16>
      memref.store %x, %sa[%r0, %k0, %r1, %k1] : memref<8x2x8x8xf16, #gpu.address_space<workgroup>>
    }
    %rb = arith.divui %t, %c16 : index
    %kb = arith.remui %t, %c16 : index
    %kb0 = arith.divui %kb, %c8 : index
    %kb1 = arith.remui %kb, %c8 : index
    %xb = memref.load %B[%rb, %kb] : memref<8x16xf16>
    memref.store %xb, %sb[%c0, %kb0, %rb, %kb1] : memref<1x2x8x8xf16, #gpu.address_space<workgroup>>
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    gpu.barrier
    // Descriptors: start>>4 (14 bits) | LBO>>4 << 16 | SBO>>4 << 32. LBO = 128 bytes (next core matrix in K), SBO = 256
    // bytes (next 8 rows).
    %ia = memref.extract_aligned_pointer_as_index %sa : memref<8x2x8x8xf16, #gpu.address_space<workgroup>> -> index
    %ib = memref.extract_aligned_pointer_as_index %sb : memref<1x2x8x8xf16, #gpu.address_space<workgroup>> -> index
    %pa = arith.index_cast %ia : index to i64
    %pb = arith.index_cast %ib : index to i64
    %m = arith.constant 0x3FFFF : i64
    %s4 = arith.constant 4 : i64
    %hi = arith.constant 0x1000080000 : i64
    %a0 = arith.andi %pa, %m : i64
    %a1 = arith.shrui %a0, %s4 : i64
    %da = arith.ori %a1, %hi : i64
    %b0 = arith.andi %pb, %m : i64
    %b1 = arith.shrui %b0, %s4 : i64
    %db = arith.ori %b1, %hi : i64
    nvvm.wgmma.fence.aligned
    %z = llvm.mlir.zero : !llvm.struct<(f32, f32, f32, f32)>
    %r = nvvm.wgmma.mma_async %da, %db, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
       D [<f32>, #nvvm.wgmma_scale_out<zero>],
       A [<f16>, #nvvm.wgmma_scale_in<one>, <row>], B [<f16>, #nvvm.wgmma_scale_in<one>, <col>]
       : !llvm.struct<(f32, f32, f32, f32)> -> !llvm.struct<(f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %e0 = llvm.extractvalue %r[0] : !llvm.struct<(f32, f32, f32, f32)>
    %e1 = llvm.extractvalue %r[1] : !llvm.struct<(f32, f32, f32, f32)>
    %e2 = llvm.extractvalue %r[2] : !llvm.struct<(f32, f32, f32, f32)>
    %e3 = llvm.extractvalue %r[3] : !llvm.struct<(f32, f32, f32, f32)>
    %w = arith.divui %t, %c32 : index
    %l = arith.remui %t, %c32 : index
    %g = arith.divui %l, %c4 : index
    %q = arith.remui %l, %c4 : index
    %w16 = arith.muli %w, %c16 : index
    %row = arith.addi %w16, %g : index
    %row8 = arith.addi %row, %c8 : index
    %col = arith.muli %q, %c2 : index
    %col1 = arith.addi %col, %c1 : index
    memref.store %e0, %D[%row, %col] : memref<64x8xf32>
    memref.store %e1, %D[%row, %col1] : memref<64x8xf32>
    memref.store %e2, %D[%row8, %col] : memref<64x8xf32>
    memref.store %e3, %D[%row8, %col1] : memref<64x8xf32>
    gpu.return
  }
}
