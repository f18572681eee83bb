// RUN: bochner-run %s --check --in q=random:1x2x9x8:1 --in k=random:1x2x7x8:2 --in v=random:1x2x7x8:3 \
// RUN:   --in cot=random:1x2x9x8:4 --in f=random:1x2:5 | FileCheck %s

// An eps that counts, with a factor: gradients that take denominators from the forward pass, that of the factor among
// them, and gradients that make denominators again.

// CHECK:     check grad_q: passed
// CHECK:     check grad_k: passed
// CHECK:     check grad_v: passed
// CHECK:     check grad_f: passed
// CHECK:     check again_q: passed
// CHECK:     check again_k: passed
// CHECK:     check again_v: passed
func.func private @attention(%q: tensor<?x2x?x8xf64>, %k: tensor<?x2x?x8xf64>, %v: tensor<?x2x?x8xf64>,
                             %f: tensor<?x2xf64>) -> tensor<?x2x?x8xf64> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x8xf64>) offset(%f : tensor<?x2xf64>) {domain = #spectral.domain<log>, eps = 2.0 : f64}
      features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x2x?x8xf64>
  return %out : tensor<?x2x?x8xf64>
}
func.func @gradients(%q: tensor<?x2x?x8xf64> {bochner.name = "q"}, %k: tensor<?x2x?x8xf64> {bochner.name = "k"},
                     %v: tensor<?x2x?x8xf64> {bochner.name = "v"}, %f: tensor<?x2xf64> {bochner.name = "f"},
                     %cot: tensor<?x2x?x8xf64> {bochner.name = "cot"})
    -> (tensor<?x2x?x8xf64> {bochner.name = "grad_q"}, tensor<?x2x?x8xf64> {bochner.name = "grad_k"},
        tensor<?x2x?x8xf64> {bochner.name = "grad_v"}, tensor<?x2xf64> {bochner.name = "grad_f"},
        tensor<?x2x?x8xf64> {bochner.name = "again_q"}, tensor<?x2x?x8xf64> {bochner.name = "again_k"},
        tensor<?x2x?x8xf64> {bochner.name = "again_v"}) {
  %y:5 = spectral.vjp @attention inputs(%q, %k, %v, %f : tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>,
                                        tensor<?x2xf64>)
      cotangents(%cot : tensor<?x2x?x8xf64>) wrt [0, 1, 2, 3]
    -> tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2xf64>
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x8xf64>) output(%y#0 : tensor<?x2x?x8xf64>) cotangent(%cot : tensor<?x2x?x8xf64>)
      offset(%f : tensor<?x2xf64>) {domain = #spectral.domain<log>, eps = 2.0 : f64} features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>
  return %y#1, %y#2, %y#3, %y#4, %g#0, %g#1, %g#2
    : tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>, tensor<?x2xf64>, tensor<?x2x?x8xf64>,
      tensor<?x2x?x8xf64>, tensor<?x2x?x8xf64>
}
