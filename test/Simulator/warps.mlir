// Operations of a warp with the wrong lanes.
// RUN: bochner-simulate %s inactive out:f32:32 | FileCheck %s --check-prefix=INACTIVE
// RUN: bochner-simulate %s divergent out:f32:32 | FileCheck %s --check-prefix=DIVERGENT
// RUN: bochner-simulate %s partial --block=16 out:f32:32 | FileCheck %s --check-prefix=PARTIAL
// RUN: bochner-simulate %s mask out:f32:32 | FileCheck %s --check-prefix=MASK
// RUN: bochner-simulate %s alignment out:f32:32 | FileCheck %s --check-prefix=ALIGN
!shared = memref<8x12xf16, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @inactive(%out: memref<32xf32>) kernel {
    %t = gpu.thread_id x
    %c5 = arith.constant 5 : index
    %one = arith.constant 1 : i32
    %w = arith.constant 32 : i32
    %x = arith.constant 2.0 : f32
    %p = arith.cmpi ne, %t, %c5 : index
    scf.if %p {
      // INACTIVE: inactive lane x1: thread (4,0,0) of block (0,0,0), shfl.sync.bfly.f32 at
      // INACTIVE-SAME: warps.mlir:[[#@LINE+1]]:20 reads lane 5, which does not take part
      %s, %valid = gpu.shuffle xor %x, %one, %w : f32
      memref.store %s, %out[%t] : memref<32xf32>
    }
    gpu.return
  }
  // Both halves of the warp execute ldmatrix, but not the same one.
  gpu.func @divergent(%out: memref<32xf32>)
      workgroup(%s: memref<8x8xf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel {
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %zero = arith.constant 0.0 : f16
    %row = arith.remui %t, %c8 : index
    %first = arith.cmpi ult, %t, %c8 : index
    scf.if %first {
      %z = arith.constant dense<0.0> : vector<8xf16>
      vector.store %z, %s[%t, %c0] : memref<8x8xf16, #gpu.address_space<workgroup>>, vector<8xf16>
    }
    gpu.barrier
    %p = arith.cmpi ult, %t, %c16 : index
    %m = scf.if %p -> vector<1x2xf16> {
      %a = nvgpu.ldmatrix %s[%row, %c0] {numTiles = 1 : i32, transpose = false}
        : memref<8x8xf16, #gpu.address_space<workgroup>> -> vector<1x2xf16>
      scf.yield %a : vector<1x2xf16>
    } else {
      %zf = arith.constant 0.0 : f32
      memref.store %zf, %out[%c0] : memref<32xf32> // so that the branches differ
      // DIVERGENT: divergent warp x16: thread (16,0,0) of block (0,0,0), ldmatrix.sync.aligned.m8n8.x1.b16 at
      // DIVERGENT-SAME: warps.mlir:[[#@LINE+2]]:12 meets lane 0, ldmatrix.sync.aligned.m8n8.x1.b16 at
      // DIVERGENT-SAME: warps.mlir:[[#@LINE-8]]:12
      %b = nvgpu.ldmatrix %s[%c0, %c0] {numTiles = 1 : i32, transpose = false}
        : memref<8x8xf16, #gpu.address_space<workgroup>> -> vector<1x2xf16>
      scf.yield %b : vector<1x2xf16>
    }
    %e = vector.extract %m[0, 0] : f16 from vector<1x2xf16>
    %f = arith.extf %e : f16 to f32
    memref.store %f, %out[%t] : memref<32xf32>
    gpu.return
  }
  gpu.func @partial(%out: memref<32xf32>)
      workgroup(%s: memref<8x8xf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel {
    %c0 = arith.constant 0 : index
    // PARTIAL: divergent warp x1: thread (0,0,0) of block (0,0,0), ldmatrix.sync.aligned.m8n8.x1.b16 at
    // PARTIAL-SAME: warps.mlir:[[#@LINE+1]]:10 requires all 32 lanes, but only 0x0000ffff take part
    %m = nvgpu.ldmatrix %s[%c0, %c0] {numTiles = 1 : i32, transpose = false}
      : memref<8x8xf16, #gpu.address_space<workgroup>> -> vector<1x2xf16>
    %e = vector.extract %m[0, 0] : f16 from vector<1x2xf16>
    %f = arith.extf %e : f16 to f32
    memref.store %f, %out[%c0] : memref<32xf32>
    gpu.return
  }
  gpu.func @mask(%out: memref<32xf32>) kernel {
    %t = gpu.thread_id x
    %low = arith.constant 0xffff : i32
    %one = arith.constant 1 : i32
    %c31 = arith.constant 31 : i32
    %x = memref.load %out[%t] : memref<32xf32>
    // MASK: divergent warp x16: thread (16,0,0) of block (0,0,0), shfl.sync.bfly.f32 at warps.mlir:[[#@LINE+2]]:10
    // MASK-SAME: executes with the member mask 0x0000ffff, which lacks its lane
    %y = nvvm.shfl.sync bfly %low, %x, %one, %c31 : f32 -> f32
    memref.store %y, %out[%t] : memref<32xf32>
    gpu.return
  }
  // Rows of 24 bytes.
  gpu.func @alignment(%out: memref<32xf32>) workgroup(%s: !shared) kernel {
    %t = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %r = arith.remui %t, %c8 : index
    %z = arith.constant 1.0 : f16
    %first = arith.cmpi ult, %t, %c8 : index
    scf.if %first {
      scf.for %i = %c0 to %c8 step %c1 {
        memref.store %z, %s[%t, %i] : !shared
      }
    }
    gpu.barrier
    // ALIGN: misaligned access x8: thread (0,0,0) of block (0,0,0), ldmatrix.sync.aligned.m8n8.x1.b16 at
    // ALIGN-SAME: warps.mlir:[[#@LINE+1]]:10 requires an alignment of 16 bytes
    %m = nvgpu.ldmatrix %s[%r, %c0] {numTiles = 1 : i32, transpose = false} : !shared -> vector<1x2xf16>
    %e = vector.extract %m[0, 0] : f16 from vector<1x2xf16>
    %f = arith.extf %e : f16 to f32
    memref.store %f, %out[%t] : memref<32xf32>
    gpu.return
  }
}
