// Functions that neither we nor the C library know come from libdevice; here, from a file that stands for it.
// RUN: split-file %s %t
// RUN: llvm-as %t/device.ll -o %t/device.bc
// RUN: bochner-simulate %t/kernel.mlir kernel --libdevice=%t/device.bc out:f32:32 | FileCheck %t/kernel.mlir
// RUN: echo nonsense > %t/bad.bc
// RUN: not bochner-simulate %t/kernel.mlir kernel --libdevice=%t/bad.bc | FileCheck %s --check-prefix=BAD
// BAD: error: expected '{{.*}}bad.bc' to be LLVM bitcode, but got: {{.}}

//--- device.ll
target triple = "nvptx64-nvidia-gpulibs"
@name = internal constant [11 x i8] c"__CUDA_FTZ\00"
declare i32 @__nvvm_reflect(ptr)
define float @__nv_j0f(float %x) {
  %flush = call i32 @__nvvm_reflect(ptr @name)
  %offset = sitofp i32 %flush to float
  %y = fmul float %x, 2.0
  %z = fadd float %y, %offset
  ret float %z
}

//--- kernel.mlir
gpu.module @kernels {
  llvm.func @__nv_j0f(f32) -> f32
  llvm.func @kernel(%p: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %at = llvm.getelementptr %p[%t] : (!llvm.ptr, i32) -> !llvm.ptr, f32
    %x = llvm.load %at : !llvm.ptr -> f32
    %r = llvm.call @__nv_j0f(%x) : (f32) -> f32
    llvm.store %r, %at : f32, !llvm.ptr
    // CHECK: status 0
    // CHECK: out = 0 2 4 6
    llvm.return
  }
}
