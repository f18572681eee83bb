// What the simulator refuses to simulate, at its place in the source.
// RUN: split-file %s %t
// RUN: not bochner-simulate %t/intrinsic.mlir kernel | FileCheck %t/intrinsic.mlir
// RUN: not bochner-simulate %t/assembly.mlir kernel | FileCheck %t/assembly.mlir
// RUN: not bochner-simulate %t/indirect.mlir kernel | FileCheck %t/indirect.mlir
// RUN: not bochner-simulate %t/recursive.mlir kernel | FileCheck %t/recursive.mlir
// RUN: not bochner-simulate %t/global.mlir kernel | FileCheck %t/global.mlir
// RUN: not bochner-simulate %t/memcpy.mlir kernel | FileCheck %t/memcpy.mlir
// RUN: not bochner-simulate %t/libdevice.mlir kernel | FileCheck %t/libdevice.mlir
// RUN: not bochner-simulate %t/wgmma.mlir kernel | FileCheck %t/wgmma.mlir
// RUN: not bochner-simulate %t/im2col.mlir kernel | FileCheck %t/im2col.mlir

//--- intrinsic.mlir
gpu.module @kernels {
  llvm.func @llvm.nvvm.fns(i32, i32, i32) -> i32
  llvm.func @kernel(%p: !llvm.ptr, %x: i32) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: intrinsic.mlir:[[#@LINE+2]]:10: error: no simulation of intrinsic 'llvm.nvvm.fns'; use one that
    // CHECK-SAME: docs/Simulator.md lists, or add it to lib/Simulator/LowerIntrinsics.cpp
    %r = llvm.call @llvm.nvvm.fns(%x, %x, %x) : (i32, i32, i32) -> i32
    llvm.store %r, %p : i32, !llvm.ptr
    llvm.return
  }
}

//--- assembly.mlir
gpu.module @kernels {
  llvm.func @kernel(%x: i32) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: assembly.mlir:[[#@LINE+2]]:10: error: no simulation of inline assembly 'brev.b32 $0, $1;'; use an operation
    // CHECK-SAME: of the nvvm dialect, or a text that docs/Simulator.md lists
    %r = llvm.inline_asm has_side_effects "brev.b32 $0, $1;", "=r,r" %x : (i32) -> i32
    // CHECK: assembly.mlir:[[#@LINE+1]]:10: error: no simulation of inline assembly 'mov.b32 $1, $0;'
    %s = llvm.inline_asm has_side_effects "mov.b32 $1, $0;", "=r,r" %x : (i32) -> i32
    llvm.return
  }
}

//--- indirect.mlir
gpu.module @kernels {
  llvm.func @kernel(%f: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: indirect.mlir:[[#@LINE+1]]:5: error: unsupported indirect call in kernel code
    llvm.call %f() : !llvm.ptr, () -> ()
    llvm.return
  }
}

//--- recursive.mlir
gpu.module @kernels {
  llvm.func @again(%n: i32) {
    llvm.call @again(%n) : (i32) -> ()
    llvm.return
  }
  llvm.func @kernel(%n: i32) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: error: unsupported recursive call of 'again' in kernel code
    llvm.call @again(%n) : (i32) -> ()
    llvm.return
  }
}

//--- global.mlir
gpu.module @kernels {
  llvm.mlir.global internal @counter(0 : i32) {addr_space = 1 : i32} : i32
  // CHECK: error: unsupported writable global 'counter' in kernel code; pass memory as a parameter
  llvm.func @kernel(%x: i32) attributes {gpu.kernel, nvvm.kernel} {
    %p = llvm.mlir.addressof @counter : !llvm.ptr<1>
    llvm.store %x, %p : i32, !llvm.ptr<1>
    llvm.return
  }
}

//--- memcpy.mlir
gpu.module @kernels {
  llvm.func @kernel(%p: !llvm.ptr, %q: !llvm.ptr, %n: i64) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: memcpy.mlir:[[#@LINE+2]]:5: error: unsupported 'llvm.memcpy' in kernel code; copy element by element, so
    // CHECK-SAME: that each access is checked
    "llvm.intr.memcpy"(%p, %q, %n) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
    llvm.return
  }
}

//--- libdevice.mlir
gpu.module @kernels {
  llvm.func @__nv_j0f(f32) -> f32
  llvm.func @kernel(%p: !llvm.ptr, %x: f32) attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: libdevice.mlir:[[#@LINE+2]]:10: error: no simulation of '__nv_j0f'; expand the function before the kernel is
    // CHECK-SAME: translated, or install libdevice.10.bc
    %r = llvm.call @__nv_j0f(%x) : (f32) -> f32
    llvm.store %r, %p : f32, !llvm.ptr
    llvm.return
  }
}

//--- wgmma.mlir
!d = !llvm.struct<(i32, i32, i32, i32)>
gpu.module @kernels {
  llvm.func @kernel(%a: i64, %b: i64) attributes {gpu.kernel, nvvm.kernel} {
    %z = llvm.mlir.zero : !d
    // CHECK: wgmma.mlir:[[#@LINE+1]]:10: error: 'nvvm.wgmma.mma_async' op has no simulation for these types; use
    %r = nvvm.wgmma.mma_async %a, %b, %z, #nvvm.shape<m = 64, n = 8, k = 32>,
      D [<s32>, #nvvm.wgmma_scale_out<zero>], A [<s8>, #nvvm.wgmma_scale_in<one>, <row>],
      B [<s8>, #nvvm.wgmma_scale_in<one>, <col>] : !d -> !d
    llvm.return
  }
}

//--- im2col.mlir
gpu.module @kernels {
  llvm.func @kernel(%map: !llvm.ptr, %s: !llvm.ptr<7>, %b: !llvm.ptr<3>, %c: i32, %o: i16, %p: i1)
      attributes {gpu.kernel, nvvm.kernel} {
    // CHECK: im2col.mlir:[[#@LINE+2]]:5: error: 'nvvm.cp.async.bulk.tensor.shared.cluster.global' op has no
    // CHECK-SAME: simulation for im2col and multicast; copy tiles to the own block
    nvvm.cp.async.bulk.tensor.shared.cluster.global %s, %map, %b, box [%c, %c, %c] im2col [%o] predicate = %p
      {mode = #nvvm.tma_load_mode<im2col>} : !llvm.ptr<7>, !llvm.ptr
    llvm.return
  }
}
