// arith and math on whole tensors, in regions and around them, by both routes.

// RUN: bochner-run %s --check --in q=random:1x2x70x16:1 --in k=random:1x2x41x16:2 --in v=random:1x2x41x16:3 | FileCheck %s
// CHECK: check out: passed
func.func @scaled(%q: tensor<?x2x?x16xf32> {bochner.name = "q"}, %k: tensor<?x2x?x16xf32> {bochner.name = "k"},
                  %v: tensor<?x2x?x16xf32> {bochner.name = "v"})
    -> (tensor<?x2x?x16xf32> {bochner.name = "out"}) {
  %sum = arith.addf %v, %v : tensor<?x2x?x16xf32>
  %bounded = math.tanh %sum : tensor<?x2x?x16xf32>
  %out = spectral.linear_attention query(%q : tensor<?x2x?x16xf32>) key(%k : tensor<?x2x?x16xf32>)
      value(%bounded : tensor<?x2x?x16xf32>) {domain = #spectral.domain<linear>}
      features (%x: tensor<?x16xf32>) {
        %square = arith.mulf %x, %x : tensor<?x16xf32>
        spectral.yield %square : tensor<?x16xf32>
      } -> tensor<?x2x?x16xf32>
  return %out : tensor<?x2x?x16xf32>
}
