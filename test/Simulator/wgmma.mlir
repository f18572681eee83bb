// Misuse of wgmma.
// RUN: bochner-simulate %s no_fence --block=128 out:f32:32 | FileCheck %s --check-prefix=FENCE
// RUN: bochner-simulate %s overwritten --block=128 out:f32:32 | FileCheck %s --check-prefix=EARLY
// RUN: bochner-simulate %s never_awaited --block=128 out:f32:32 | FileCheck %s --check-prefix=AWAIT
// RUN: bochner-simulate %s not_uniform --block=128 out:f32:32 | FileCheck %s --check-prefix=UNIFORM
// RUN: bochner-simulate %s half_a_group --block=64 out:f32:32 | FileCheck %s --check-prefix=HALF
// RUN: bochner-simulate %s unswizzled --block=128 out:f32:32 | FileCheck %s --check-prefix=SWIZZLE
!d = !llvm.struct<(f32, f32, f32, f32)>
gpu.module @kernels {
  llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<4096 x i8>
  // Zeros the tile, so that no read is uninitialized.
  llvm.func @clear() {
    %base = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %n = nvvm.read.ptx.sreg.ntid.x : i32
    %zero = llvm.mlir.zero : vector<4xf32>
    %end = llvm.mlir.constant(256 : i32) : i32
    %t = nvvm.read.ptx.sreg.tid.x : i32
    llvm.br ^loop(%t : i32)
  ^loop(%i: i32):
    %at = llvm.getelementptr %base[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, vector<4xf32>
    llvm.store %zero, %at : vector<4xf32>, !llvm.ptr<3>
    %next = llvm.add %i, %n : i32
    %more = llvm.icmp "slt" %next, %end : i32
    llvm.cond_br %more, ^loop(%next : i32), ^done
  ^done:
    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    nvvm.barrier0
    llvm.return
  }
  llvm.func @no_fence(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %base = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %at = llvm.getelementptr %base[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %one = llvm.mlir.constant(1.0 : f32) : f32
    llvm.store %one, %at : f32, !llvm.ptr<3>
    nvvm.barrier0
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %z = llvm.mlir.zero : !d
    // FENCE: missing proxy fence x{{[0-9]+}}: thread (0,0,0) of block (0,0,0), wgmma.mma_async at
    // FENCE-SAME: wgmma.mlir:[[#@LINE+2]]:10 reads 'tile' at byte 0, written by thread (0,0,0), store at
    // FENCE-SAME: wgmma.mlir:[[#@LINE-6]]:5, without fence.proxy.async in between
    %r = nvvm.wgmma.mma_async %desc, %desc, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    llvm.return
  }
  llvm.func @never_awaited(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %z = llvm.mlir.zero : !d
    nvvm.wgmma.fence.aligned
    // AWAIT: wgmma misuse x128: thread (0,0,0) of block (0,0,0), wgmma.mma_async at wgmma.mlir:[[#@LINE+2]]:10 is never
    // AWAIT-SAME: awaited by wgmma.wait_group
    %r = nvvm.wgmma.mma_async %desc, %desc, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    llvm.return
  }
  llvm.func @not_uniform(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %c5 = llvm.mlir.constant(5 : i32) : i32
    %high = llvm.lshr %t, %c5 : i32
    %add = llvm.zext %high : i32 to i64
    %own = llvm.add %desc, %add : i64
    %z = llvm.mlir.zero : !d
    // UNIFORM: wgmma misuse x1: thread (32,0,0) of block (0,0,0), wgmma.mma_async at wgmma.mlir:[[#@LINE+2]]:10 has other
    // UNIFORM-SAME: descriptors than thread (0,0,0)
    %r = nvvm.wgmma.mma_async %desc, %own, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    llvm.return
  }
  llvm.func @half_a_group(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %z = llvm.mlir.zero : !d
    // HALF: deadlock x1: block (0,0,0): 64 threads wait in wgmma.mma_async at wgmma.mlir:[[#@LINE+1]]:10 (0-63)
    %r = nvvm.wgmma.mma_async %desc, %desc, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    llvm.return
  }
  llvm.func @unswizzled(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %z = llvm.mlir.zero : !d
    // SWIZZLE: wgmma misuse x1: thread (0,0,0) of block (0,0,0), wgmma.mma_async at wgmma.mlir:[[#@LINE+2]]:10 has a
    // SWIZZLE-SAME: transposed operand without swizzle, which is not simulated
    %r = nvvm.wgmma.mma_async %desc, %desc, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <row>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.wgmma.wait.group.sync.aligned 0
    llvm.return
  }
  // The operands are overwritten between wgmma and wait_group; afterwards they may be.
  llvm.func @overwritten(%out: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @clear() : () -> ()
    %base = llvm.mlir.addressof @tile : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %at = llvm.getelementptr %base[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    %one = llvm.mlir.constant(1.0 : f32) : f32
    %desc = llvm.mlir.constant(0x1000080000 : i64) : i64
    %z = llvm.mlir.zero : !d
    %r = nvvm.wgmma.mma_async %desc, %desc, %z, #nvvm.shape<m = 64, n = 8, k = 16>,
      D [<f32>, #nvvm.wgmma_scale_out<zero>], A [<f16>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<f16>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    nvvm.wgmma.commit.group.sync.aligned
    nvvm.barrier0
    // EARLY: wgmma misuse x{{[0-9]+}}: thread (0,0,0) of block (0,0,0), store at wgmma.mlir:[[#@LINE+3]]:5 writes 'tile'
    // EARLY-SAME: at byte 0 while wgmma.mma_async at wgmma.mlir:[[#@LINE-6]]:10 may still read it; wgmma.wait_group must
    // EARLY-SAME: come first
    llvm.store %one, %at : f32, !llvm.ptr<3>
    nvvm.wgmma.wait.group.sync.aligned 0
    nvvm.barrier0
    // EARLY-NOT: wgmma misuse
    llvm.store %one, %at : f32, !llvm.ptr<3>
    llvm.return
  }
}
