// tf32 m16n8k8 and bf16 m16n8k16 with fragments loaded straight from global memory
gpu.module @kernels {
  gpu.func @mma_tf32(%A: memref<16x8xf32>, %B: memref<8x8xf32>, %C: memref<16x8xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %t = gpu.thread_id x
    %gid = arith.divui %t, %c4 : index
    %tig = arith.remui %t, %c4 : index
    %gid8 = arith.addi %gid, %c8 : index
    %tig4 = arith.addi %tig, %c4 : index
    %a0 = memref.load %A[%gid, %tig] : memref<16x8xf32>
    %a1 = memref.load %A[%gid8, %tig] : memref<16x8xf32>
    %a2 = memref.load %A[%gid, %tig4] : memref<16x8xf32>
    %a3 = memref.load %A[%gid8, %tig4] : memref<16x8xf32>
    %b0 = memref.load %B[%tig, %gid] : memref<8x8xf32>
    %b1 = memref.load %B[%tig4, %gid] : memref<8x8xf32>
    %za = arith.constant dense<0.0> : vector<4x1xf32>
    %zb = arith.constant dense<0.0> : vector<2x1xf32>
    %A0 = vector.insert %a0, %za [0, 0] : f32 into vector<4x1xf32>
    %A1 = vector.insert %a1, %A0 [1, 0] : f32 into vector<4x1xf32>
    %A2 = vector.insert %a2, %A1 [2, 0] : f32 into vector<4x1xf32>
    %A3 = vector.insert %a3, %A2 [3, 0] : f32 into vector<4x1xf32>
    %B0 = vector.insert %b0, %zb [0, 0] : f32 into vector<2x1xf32>
    %B1 = vector.insert %b1, %B0 [1, 0] : f32 into vector<2x1xf32>
    %z = arith.constant dense<0.0> : vector<2x2xf32>
    %d = nvgpu.mma.sync (%A3, %B1, %z) {mmaShape = [16, 8, 8], tf32Enabled}
      : (vector<4x1xf32>, vector<2x1xf32>, vector<2x2xf32>) -> vector<2x2xf32>
    %col = arith.muli %tig, %c2 : index
    %d0 = vector.extract %d[0] : vector<2xf32> from vector<2x2xf32>
    %d1 = vector.extract %d[1] : vector<2xf32> from vector<2x2xf32>
    vector.store %d0, %C[%gid, %col] : memref<16x8xf32>, vector<2xf32>
    vector.store %d1, %C[%gid8, %col] : memref<16x8xf32>, vector<2xf32>
    gpu.return
  }
  gpu.func @mma_bf16(%A: memref<16x16xbf16>, %Bt: memref<8x16xbf16>, %C: memref<16x8xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %t = gpu.thread_id x
    %gid = arith.divui %t, %c4 : index
    %tig = arith.remui %t, %c4 : index
    %gid8 = arith.addi %gid, %c8 : index
    %k0 = arith.muli %tig, %c2 : index
    %k8 = arith.addi %k0, %c8 : index
    %a0 = vector.load %A[%gid, %k0] : memref<16x16xbf16>, vector<2xbf16>
    %a1 = vector.load %A[%gid8, %k0] : memref<16x16xbf16>, vector<2xbf16>
    %a2 = vector.load %A[%gid, %k8] : memref<16x16xbf16>, vector<2xbf16>
    %a3 = vector.load %A[%gid8, %k8] : memref<16x16xbf16>, vector<2xbf16>
    %b0 = vector.load %Bt[%gid, %k0] : memref<8x16xbf16>, vector<2xbf16>
    %b1 = vector.load %Bt[%gid, %k8] : memref<8x16xbf16>, vector<2xbf16>
    // nvgpu.mma.sync does not lower bf16 in LLVM 22 ("failed to deduce operand PTX types"): use nvvm.mma.sync
    %z1 = arith.constant 0 : i32
    %pa0 = vector.bitcast %a0 : vector<2xbf16> to vector<1xi32>
    %pa1 = vector.bitcast %a1 : vector<2xbf16> to vector<1xi32>
    %pa2 = vector.bitcast %a2 : vector<2xbf16> to vector<1xi32>
    %pa3 = vector.bitcast %a3 : vector<2xbf16> to vector<1xi32>
    %pb0 = vector.bitcast %b0 : vector<2xbf16> to vector<1xi32>
    %pb1 = vector.bitcast %b1 : vector<2xbf16> to vector<1xi32>
    %ia0 = vector.extract %pa0[0] : i32 from vector<1xi32>
    %ia1 = vector.extract %pa1[0] : i32 from vector<1xi32>
    %ia2 = vector.extract %pa2[0] : i32 from vector<1xi32>
    %ia3 = vector.extract %pa3[0] : i32 from vector<1xi32>
    %ib0 = vector.extract %pb0[0] : i32 from vector<1xi32>
    %ib1 = vector.extract %pb1[0] : i32 from vector<1xi32>
    %zf = arith.constant 0.0 : f32
    %d = nvvm.mma.sync A[%ia0, %ia1, %ia2, %ia3] B[%ib0, %ib1] C[%zf, %zf, %zf, %zf]
      {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>,
       multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>,
       shape = #nvvm.shape<m = 16, n = 8, k = 16>} : (i32, i32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    %e0 = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
    %e1 = llvm.extractvalue %d[1] : !llvm.struct<(f32, f32, f32, f32)>
    %e2 = llvm.extractvalue %d[2] : !llvm.struct<(f32, f32, f32, f32)>
    %e3 = llvm.extractvalue %d[3] : !llvm.struct<(f32, f32, f32, f32)>
    %d0 = vector.from_elements %e0, %e1 : vector<2xf32>
    %d1 = vector.from_elements %e2, %e3 : vector<2xf32>
    vector.store %d0, %C[%gid, %k0] : memref<16x8xf32>, vector<2xf32>
    vector.store %d1, %C[%gid8, %k0] : memref<16x8xf32>, vector<2xf32>
    gpu.return
  }
}
