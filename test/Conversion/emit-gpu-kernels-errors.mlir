// RUN: bochner-opt %s --spectral-emit-gpu-kernels --split-input-file --verify-diagnostics
// RUN: not bochner-opt %s --spectral-emit-gpu-kernels=chip=sm_75 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: expected 'chip' to be sm_80, sm_86, sm_89 or sm_90a, but got 'sm_75'

func.func private @features(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.kernel} {
  // expected-remark @+1 {{runs on the host: expected an operation with a kernel for GPUs, but 'spectral.feature_map' has none}}
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>}
      features (%tile: tensor<?x64xf32>) {
        spectral.yield %tile : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

func.func private @double(%q: tensor<?x8x?x64xf64>) -> tensor<?x8x?x64xf64> attributes {spectral.kernel} {
  // expected-remark @+1 {{but tensor cores have no fast f64}}
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf64>) key(%q : tensor<?x8x?x64xf64>)
      value(%q : tensor<?x8x?x64xf64>) features (%x: tensor<?x64xf64>) {
        spectral.yield %x : tensor<?x64xf64>
      } -> tensor<?x8x?x64xf64>
  return %out : tensor<?x8x?x64xf64>
}

// -----

// A tile of values of 4096 columns.
func.func private @wide(%q: tensor<?x8x?x8xf32>, %v: tensor<?x8x?x4100xf32>) -> tensor<?x8x?x4100xf32>
    attributes {spectral.kernel} {
  // expected-error @+1 {{kernel 'wide_state0' needs}}
  %out = spectral.linear_attention query(%q : tensor<?x8x?x8xf32>) key(%q : tensor<?x8x?x8xf32>)
      value(%v : tensor<?x8x?x4100xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x8x?x4100xf32>
  return %out : tensor<?x8x?x4100xf32>
}
