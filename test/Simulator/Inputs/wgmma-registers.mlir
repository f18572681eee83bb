// wgmma as inline assembly, the only way to have A in registers: D[64x8] = 1 - A[64x16] * Bt[8x16]^T, bf16.
!d = !llvm.struct<(f32, f32, f32, f32)>
gpu.module @kernels {
  // K-major core matrices of 8x8: LBO 128 bytes, SBO 256.
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<128 x i16>
  llvm.func @registers(%a: !llvm.ptr, %b: !llvm.ptr, %d: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c2 = llvm.mlir.constant(2 : i32) : i32
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %c4 = llvm.mlir.constant(4 : i32) : i32
    %c5 = llvm.mlir.constant(5 : i32) : i32
    %c7 = llvm.mlir.constant(7 : i32) : i32
    %c8 = llvm.mlir.constant(8 : i32) : i32
    %c16 = llvm.mlir.constant(16 : i32) : i32
    %c31 = llvm.mlir.constant(31 : i32) : i32
    %c64 = llvm.mlir.constant(64 : i32) : i32
    %c128 = llvm.mlir.constant(128 : i32) : i32
    // Thread t stages element t of Bt: row t / 16, column t % 16.
    %row = llvm.lshr %t, %c4 : i32
    %column = llvm.urem %t, %c16 : i32
    %core = llvm.lshr %column, %c3 : i32
    %inCore = llvm.and %column, %c7 : i32
    %s0 = llvm.mul %core, %c64 : i32
    %s1 = llvm.mul %row, %c8 : i32
    %s2 = llvm.add %s0, %s1 : i32
    %s3 = llvm.add %s2, %inCore : i32
    %from = llvm.getelementptr %b[%t] : (!llvm.ptr, i32) -> !llvm.ptr, i16
    %to = llvm.getelementptr %tile[%s3] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i16
    %v = llvm.load %from : !llvm.ptr -> i16
    llvm.store %v, %to : i16, !llvm.ptr<3>
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    %address = llvm.ptrtoint %tile : !llvm.ptr<3> to i64
    %mask = llvm.mlir.constant(0x3ffff : i64) : i64
    %c4l = llvm.mlir.constant(4 : i64) : i64
    %high = llvm.mlir.constant(0x1000080000 : i64) : i64
    %masked = llvm.and %address, %mask : i64
    %shifted = llvm.lshr %masked, %c4l : i64
    %descriptor = llvm.or %shifted, %high : i64
    // Fragments of A: rows 16 warp + g (+ 8), columns 2 q (+ 8).
    %warp = llvm.lshr %t, %c5 : i32
    %lane = llvm.and %t, %c31 : i32
    %g = llvm.lshr %lane, %c2 : i32
    %q = llvm.and %lane, %c3 : i32
    %w16 = llvm.mul %warp, %c16 : i32
    %r = llvm.add %w16, %g : i32
    %r16 = llvm.mul %r, %c16 : i32
    %q2 = llvm.mul %q, %c2 : i32
    %e0 = llvm.add %r16, %q2 : i32
    %e1 = llvm.add %e0, %c128 : i32
    %e2 = llvm.add %e0, %c8 : i32
    %e3 = llvm.add %e1, %c8 : i32
    %p0 = llvm.getelementptr %a[%e0] : (!llvm.ptr, i32) -> !llvm.ptr, i16
    %p1 = llvm.getelementptr %a[%e1] : (!llvm.ptr, i32) -> !llvm.ptr, i16
    %p2 = llvm.getelementptr %a[%e2] : (!llvm.ptr, i32) -> !llvm.ptr, i16
    %p3 = llvm.getelementptr %a[%e3] : (!llvm.ptr, i32) -> !llvm.ptr, i16
    %a0 = llvm.load %p0 : !llvm.ptr -> i32
    %a1 = llvm.load %p1 : !llvm.ptr -> i32
    %a2 = llvm.load %p2 : !llvm.ptr -> i32
    %a3 = llvm.load %p3 : !llvm.ptr -> i32
    %one = llvm.mlir.constant(1.0 : f32) : f32
    nvvm.wgmma.fence.aligned
    %x = llvm.inline_asm has_side_effects "{\n  .reg .pred p;\n  setp.ne.b32 p, $9, 0;\n  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, {$4, $5, $6, $7}, $8, p, 1, -1, 0;\n}", "=f,=f,=f,=f,r,r,r,r,l,r,0,1,2,3" %a0, %a1, %a2, %a3, %descriptor, %c1, %one, %one, %one, %one : (i32, i32, i32, i32, i64, i32, f32, f32, f32, f32) -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    %x0 = llvm.extractvalue %x[0] : !d
    %x1 = llvm.extractvalue %x[1] : !d
    %x2 = llvm.extractvalue %x[2] : !d
    %x3 = llvm.extractvalue %x[3] : !d
    %r8 = llvm.mul %r, %c8 : i32
    %o0 = llvm.add %r8, %q2 : i32
    %o1 = llvm.add %o0, %c64 : i32
    %d0 = llvm.getelementptr %d[%o0] : (!llvm.ptr, i32) -> !llvm.ptr, f32
    %d1 = llvm.getelementptr %d0[1] : (!llvm.ptr) -> !llvm.ptr, f32
    %d2 = llvm.getelementptr %d[%o1] : (!llvm.ptr, i32) -> !llvm.ptr, f32
    %d3 = llvm.getelementptr %d2[1] : (!llvm.ptr) -> !llvm.ptr, f32
    llvm.store %x0, %d0 : f32, !llvm.ptr
    llvm.store %x1, %d1 : f32, !llvm.ptr
    llvm.store %x2, %d2 : f32, !llvm.ptr
    llvm.store %x3, %d3 : f32, !llvm.ptr
    llvm.return
  }
}
