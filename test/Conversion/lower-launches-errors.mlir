// RUN: bochner-opt %s --spectral-lower-launches --split-input-file --verify-diagnostics

module attributes {gpu.container_module} {
  gpu.module @kernels {
    llvm.func @nothing() attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
  func.func private @task() {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{cannot stand in a private function; tasks do not launch kernels}}
    gpu.launch_func @kernels::@nothing blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    llvm.func @index(%i: i64) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
  func.func @f(%i: index) {
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{expected buffers, integers and floats as operands of a kernel, but got 'index'}}
    gpu.launch_func @kernels::@index blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%i : index)
    return
  }
}
