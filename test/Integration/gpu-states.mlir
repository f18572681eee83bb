// States on the simulated device: of keys, applied to queries, and carried through a causal run; against the route
// decompose in f64. Query heads share the head of keys; 16 values need no padding, 20 features do.
//
// RUN: bochner-run %s --entry halves --device sim --check --in q=random:2x2x50x20:1 --in k=random:2x1x90x20:2 --in v=random:2x1x90x16:3 | FileCheck %s
// RUN: bochner-run %s --entry linear --device sim --check --in q=random:2x2x50x20:1 --in k=random:2x1x90x20:2 --in v=random:2x1x90x16:3 | FileCheck %s
// RUN: bochner-run %s --entry carried --device sim --sim-seed 3 --check --in q=random:2x2x100x20:1 --in k=random:2x1x100x20:2 --in v=random:2x1x100x16:3 | FileCheck %s
// Two kernels for the state, two for the queries: the sum over parts, which there are none of, makes the operand.
// RUN: bochner-opt %s --compile-to=kernel | bochner-opt --spectral-emit-gpu-kernels 2>&1 | FileCheck %s --check-prefix=KERNELS
// CHECK: check out: passed
// KERNELS-NOT: runs on the host
// KERNELS: @kernels::@halves_state_0_state0
// KERNELS: @kernels::@halves_state_0_merge
// KERNELS: @kernels::@halves_apply_0_merge
// KERNELS: @kernels::@halves_apply_0_output

func.func @halves(%q: tensor<?x2x?x20xf32> {bochner.name = "q"}, %k: tensor<?x1x?x20xf32> {bochner.name = "k"},
                  %v: tensor<?x1x?x16xf32> {bochner.name = "v"}) -> (tensor<?x2x?x16xf32> {bochner.name = "out"}) {
  %s, %z, %r = spectral.attention_state key(%k : tensor<?x1x?x20xf32>) value(%v : tensor<?x1x?x16xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x20xf32>) {
        spectral.yield %x : tensor<?x20xf32>
      } -> tensor<?x1x20x16xf32>, tensor<?x1x20xf32>, tensor<?x1x20xf32>
  %out = spectral.apply_state query(%q : tensor<?x2x?x20xf32>)
      state(%s, %z, %r : tensor<?x1x20x16xf32>, tensor<?x1x20xf32>, tensor<?x1x20xf32>)
      {domain = #spectral.domain<log>}
      features (%x: tensor<?x20xf32>) {
        spectral.yield %x : tensor<?x20xf32>
      } -> tensor<?x2x?x16xf32>
  return %out : tensor<?x2x?x16xf32>
}

func.func @linear(%q: tensor<?x2x?x20xf32> {bochner.name = "q"}, %k: tensor<?x1x?x20xf32> {bochner.name = "k"},
                  %v: tensor<?x1x?x16xf32> {bochner.name = "v"}) -> (tensor<?x2x?x16xf32> {bochner.name = "out"}) {
  %s, %z = spectral.attention_state key(%k : tensor<?x1x?x20xf32>) value(%v : tensor<?x1x?x16xf32>)
      features (%x: tensor<?x20xf32>) {
        %e = math.exp %x : tensor<?x20xf32>
        spectral.yield %e : tensor<?x20xf32>
      } -> tensor<?x1x20x16xf32>, tensor<?x1x20xf32>
  %out = spectral.apply_state query(%q : tensor<?x2x?x20xf32>)
      state(%s, %z : tensor<?x1x20x16xf32>, tensor<?x1x20xf32>)
      features (%x: tensor<?x20xf32>) {
        %e = math.exp %x : tensor<?x20xf32>
        spectral.yield %e : tensor<?x20xf32>
      } -> tensor<?x2x?x16xf32>
  return %out : tensor<?x2x?x16xf32>
}

// The second run starts from the state of the first.
func.func @carried(%q: tensor<?x2x?x20xf32> {bochner.name = "q"}, %k: tensor<?x1x?x20xf32> {bochner.name = "k"},
                   %v: tensor<?x1x?x16xf32> {bochner.name = "v"}) -> (tensor<?x2x?x16xf32> {bochner.name = "out"}) {
  %first, %s, %z, %r = spectral.linear_attention query(%q : tensor<?x2x?x20xf32>) key(%k : tensor<?x1x?x20xf32>)
      value(%v : tensor<?x1x?x16xf32>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<causal>, return_state}
      features (%x: tensor<?x20xf32>) {
        spectral.yield %x : tensor<?x20xf32>
      } -> tensor<?x2x?x16xf32>, tensor<?x1x20x16xf32>, tensor<?x1x20xf32>, tensor<?x1x20xf32>
  %out = spectral.linear_attention query(%q : tensor<?x2x?x20xf32>) key(%k : tensor<?x1x?x20xf32>)
      value(%v : tensor<?x1x?x16xf32>) initial(%s, %z, %r : tensor<?x1x20x16xf32>, tensor<?x1x20xf32>,
                                               tensor<?x1x20xf32>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<causal>}
      features (%x: tensor<?x20xf32>) {
        spectral.yield %x : tensor<?x20xf32>
      } -> tensor<?x2x?x16xf32>
  return %out : tensor<?x2x?x16xf32>
}
