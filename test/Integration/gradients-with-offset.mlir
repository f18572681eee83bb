// RUN: bochner-run %s --check --in q=random:1x2x9x8:1 --in k=random:1x2x7x8:2 --in v=random:1x2x7x8:3 \
// RUN:   --in cot=random:1x2x9x8:4 --in f=random:1x2:5 | FileCheck %s

// Gradients that make denominators again, eps with a factor among them.

// CHECK:     check grad_q: passed
// CHECK:     check grad_k: passed
// CHECK:     check grad_v: passed
func.func @gradients(%q: tensor<?x2x?x8xf64> {bochner.name = "q"}, %k: tensor<?x2x?x8xf64> {bochner.name = "k"},
                     %v: tensor<?x2x?x8xf64> {bochner.name = "v"}, %f: tensor<?x2xf64> {bochner.name = "f"},
                     %cot: tensor<?x2x?x8xf64> {bochner.name = "cot"})
    -> (tensor<?x2x?x8xf64> {bochner.name = "grad_q"}, tensor<?x2x?x8xf64> {bochner.name = "grad_k"},
        tensor<?x2x?x8xf64> {bochner.name = "grad_v"}) {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x8xf64>) offset(%f : tensor<?x2xf64>) {domain = #spectral.domain<log>, eps = 2.0 : f64}
      features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x2x?x8xf64>
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x8xf64>) output(%out : tensor<?x2x?x8xf64>) cotangent(%cot : tensor<?x2x?x8xf64>)
      offset(%f : tensor<?x2xf64>) {domain = #spectral.domain<log>, eps = 2.0 : f64} features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>
  return %g#0, %g#1, %g#2 : tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>
}
