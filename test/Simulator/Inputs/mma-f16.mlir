// one warp: C[16x8] = A[16x16] * B[16x8] + C, f16 in, f32 accumulate. A, B staged in shared memory, ldmatrix.
gpu.module @kernels {
  gpu.func @mma(%A: memref<16x16xf16>, %B: memref<16x8xf16>, %C: memref<16x8xf32>)
      workgroup(%sa : memref<16x16xf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64},
                %sb : memref<16x8xf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %t = gpu.thread_id x
    // stage A: 256 halfs, 8 per lane: row = t/2, col = (t%2)*8
    %ar = arith.divui %t, %c2 : index
    %am = arith.remui %t, %c2 : index
    %ac = arith.muli %am, %c8 : index
    scf.for %i = %c0 to %c8 step %c1 {
      %cc = arith.addi %ac, %i : index
      %x = memref.load %A[%ar, %cc] : memref<16x16xf16>
      memref.store %x, %sa[%ar, %cc] : memref<16x16xf16, #gpu.address_space<workgroup>>
    }
    // stage B: 128 halfs, 4 per lane
    %bc = arith.muli %am, %c4 : index
    scf.for %i = %c0 to %c4 step %c1 {
      %cc = arith.addi %bc, %i : index
      %x = memref.load %B[%ar, %cc] : memref<16x8xf16>
      memref.store %x, %sb[%ar, %cc] : memref<16x8xf16, #gpu.address_space<workgroup>>
    }
    gpu.barrier
    // ldmatrix x4 for A: lane l gives row (l%16), col 8*(l/16)
    %lr = arith.remui %t, %c16 : index
    %lh = arith.divui %t, %c16 : index
    %lc = arith.muli %lh, %c8 : index
    %a = nvgpu.ldmatrix %sa[%lr, %lc] {numTiles = 4 : i32, transpose = false}
      : memref<16x16xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
    // ldmatrix x2.trans for B: lane l (0..15) gives row l, col 0
    %b = nvgpu.ldmatrix %sb[%lr, %c0] {numTiles = 2 : i32, transpose = true}
      : memref<16x8xf16, #gpu.address_space<workgroup>> -> vector<2x2xf16>
    // C fragment: row = t/4 (+8), col = (t%4)*2 (+1)
    %gid = arith.divui %t, %c4 : index
    %tig = arith.remui %t, %c4 : index
    %gid8 = arith.addi %gid, %c8 : index
    %col = arith.muli %tig, %c2 : index
    %z = arith.constant dense<0.0> : vector<2x2xf32>
    %v0 = vector.load %C[%gid, %col] : memref<16x8xf32>, vector<2xf32>
    %v1 = vector.load %C[%gid8, %col] : memref<16x8xf32>, vector<2xf32>
    %q0 = vector.insert %v0, %z [0] : vector<2xf32> into vector<2x2xf32>
    %q1 = vector.insert %v1, %q0 [1] : vector<2xf32> into vector<2x2xf32>
    %d = nvgpu.mma.sync (%a, %b, %q1) {mmaShape = [16, 8, 16]}
      : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
    %d0 = vector.extract %d[0] : vector<2xf32> from vector<2x2xf32>
    %d1 = vector.extract %d[1] : vector<2xf32> from vector<2x2xf32>
    vector.store %d0, %C[%gid, %col] : memref<16x8xf32>, vector<2xf32>
    vector.store %d1, %C[%gid8, %col] : memref<16x8xf32>, vector<2xf32>
    gpu.return
  }
}
