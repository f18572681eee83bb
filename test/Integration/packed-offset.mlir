// RUN: %venv_python %S/Inputs/packed-arrays.py %t.npz
// RUN: bochner-run %s --check --npz %t.npz | FileCheck %s

// Packed sequences are one batch entry, whose heads have one factor of eps each.

// CHECK: check out: passed
func.func @packed(%q: tensor<1x2x9x8xf64> {bochner.name = "q"}, %k: tensor<1x2x9x8xf64> {bochner.name = "k"},
                  %v: tensor<1x2x9x8xf64> {bochner.name = "v"},
                  %s: tensor<4xi64> {bochner.name = "sequences"},
                  %f: tensor<1x2xf64> {bochner.name = "f"}) -> (tensor<1x2x9x8xf64> {bochner.name = "out"}) {
  %out = spectral.linear_attention query(%q : tensor<1x2x9x8xf64>) key(%k : tensor<1x2x9x8xf64>)
      value(%v : tensor<1x2x9x8xf64>) sequences(%s : tensor<4xi64>) offset(%f : tensor<1x2xf64>)
      {domain = #spectral.domain<log>, eps = 2.0 : f64} features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<1x2x9x8xf64>
  return %out : tensor<1x2x9x8xf64>
}
