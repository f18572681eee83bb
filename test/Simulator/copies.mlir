// Asynchronous copies that are touched too early or never awaited.
// RUN: bochner-simulate %s early in:f32:32 out:f32:32 | FileCheck %s --check-prefix=EARLY
// RUN: bochner-simulate %s unordered --block=64 in:f32:64 out:f32:64 | FileCheck %s --check-prefix=UNORDERED
// RUN: bochner-simulate %s never in:f32:32 | FileCheck %s --check-prefix=NEVER
// RUN: bochner-simulate %s zero_fill in:f32:32 out:f32:32 | FileCheck %s --check-prefix=ZERO
// RUN: bochner-simulate %s not_shared in:f32:32 | FileCheck %s --check-prefix=TARGET
!shared = memref<64xf32, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @early(%in: memref<32xf32>, %out: memref<32xf32>) workgroup(%s: !shared) kernel {
    %t = gpu.thread_id x
    %copy = nvgpu.device_async_copy %in[%t], %s[%t], 1 : memref<32xf32> to !shared
    %group = nvgpu.device_async_create_group %copy
    // EARLY: copy in flight x32: thread (0,0,0) of block (0,0,0), load at copies.mlir:[[#@LINE+3]]:10 touches
    // EARLY-SAME: '__wg_early_0' at byte 0 while the copy of thread (0,0,0), cp.async at copies.mlir:[[#@LINE-3]]:13 is
    // EARLY-SAME: in flight; it must be awaited first
    %v = memref.load %s[%t] : !shared
    nvgpu.device_async_wait %group {numGroups = 0 : i32}
    memref.store %v, %out[%t] : memref<32xf32>
    // EARLY: out = -nan
    gpu.return
  }
  // Awaited, but each thread awaits its own copies only.
  gpu.func @unordered(%in: memref<64xf32>, %out: memref<64xf32>) workgroup(%s: !shared) kernel {
    %c63 = arith.constant 63 : index
    %t = gpu.thread_id x
    %copy = nvgpu.device_async_copy %in[%t], %s[%t], 1 : memref<64xf32> to !shared
    %group = nvgpu.device_async_create_group %copy
    nvgpu.device_async_wait %group
    %r = arith.subi %c63, %t : index
    // UNORDERED: shared-memory race x32: read-after-write race on '__wg_unordered_0' at byte 124: thread (32,0,0) of
    // UNORDERED-SAME: load at copies.mlir:[[#@LINE+2]]:10 conflicts with thread (31,0,0), cp.async at
    // UNORDERED-SAME: copies.mlir:[[#@LINE-6]]:13
    %v = memref.load %s[%r] : !shared
    memref.store %v, %out[%t] : memref<64xf32>
    gpu.return
  }
  gpu.func @never(%in: memref<32xf32>) workgroup(%s: !shared) kernel {
    %t = gpu.thread_id x
    // NEVER: copy never awaited x32: thread (0,0,0) of block (0,0,0), cp.async at copies.mlir:[[#@LINE+1]]:13 is never
    %copy = nvgpu.device_async_copy %in[%t], %s[%t], 1 : memref<32xf32> to !shared
    %group = nvgpu.device_async_create_group %copy
    // NEVER-SAME: awaited by cp.async.wait_group
    gpu.return
  }
  // Two of four elements are copied, the others are zero.
  gpu.func @zero_fill(%in: memref<32xf32>, %out: memref<32xf32>)
      workgroup(%s: memref<128xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64}) kernel {
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %t = gpu.thread_id x
    %p = arith.cmpi ult, %t, %c8 : index
    scf.if %p {
      %at = arith.muli %t, %c4 : index
      %copy = nvgpu.device_async_copy %in[%at], %s[%at], 4, %c2
        : memref<32xf32> to memref<128xf32, #gpu.address_space<workgroup>>
      %group = nvgpu.device_async_create_group %copy
      nvgpu.device_async_wait %group
    }
    gpu.barrier
    %v = memref.load %s[%t] : memref<128xf32, #gpu.address_space<workgroup>>
    memref.store %v, %out[%t] : memref<32xf32>
    // ZERO: status 0
    // ZERO: out = 0 1 0 0 4 5 0 0 8 9 0 0 12 13 0 0
    gpu.return
  }
  llvm.func @not_shared(%in: !llvm.ptr<1>) attributes {gpu.kernel, nvvm.kernel} {
    %generic = llvm.addrspacecast %in : !llvm.ptr<1> to !llvm.ptr
    %target = llvm.addrspacecast %generic : !llvm.ptr to !llvm.ptr<3>
    // TARGET: out of bounds x32: {{.*}}cp.async at copies.mlir:[[#@LINE+1]]:5: 4 bytes at byte 0 of 'in'
    nvvm.cp.async.shared.global %target, %in, 4, cache = ca : !llvm.ptr<3>, !llvm.ptr<1>
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    llvm.return
  }
}
