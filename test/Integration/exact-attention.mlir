// RUN: bochner-run %s --entry bf16 --no-cache --check --in q=random:1x4x150x24:1 --in k=random:1x2x150x24:2 \
// RUN:   --in v=random:1x2x150x20:3 | FileCheck %s --check-prefix=BF16
// RUN: bochner-run %s --entry f16 --no-cache --check --in q=random:2x2x70x24:1 --in k=random:2x2x131x24:2 \
// RUN:   --in v=random:2x2x131x20:3 | FileCheck %s --check-prefix=F16
// RUN: bochner-run %s --entry options --route decompose --no-cache | FileCheck %s
// RUN: bochner-run %s --entry options --route fused --no-cache | FileCheck %s

// 16-bit rows, with sums in f32.
// BF16: check out: passed, {{.*}}(limit 2e-02)
func.func @bf16(%q: tensor<?x4x?x24xbf16> {bochner.name = "q"}, %k: tensor<?x2x?x24xbf16> {bochner.name = "k"},
                %v: tensor<?x2x?x20xbf16> {bochner.name = "v"}) -> (tensor<?x4x?x20xbf16> {bochner.name = "out"}) {
  %out = spectral.exact_attention query(%q : tensor<?x4x?x24xbf16>) key(%k : tensor<?x2x?x24xbf16>)
      value(%v : tensor<?x2x?x20xbf16>)
      {kernel = #spectral.kernel<softmax>, scale = 0.25 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<?x4x?x20xbf16>
  return %out : tensor<?x4x?x20xbf16>
}

// F16: check out: passed, {{.*}}(limit 4e-03)
func.func @f16(%q: tensor<?x?x?x24xf16> {bochner.name = "q"}, %k: tensor<?x?x?x24xf16> {bochner.name = "k"},
               %v: tensor<?x?x?x20xf16> {bochner.name = "v"}) -> (tensor<?x?x?x20xf16> {bochner.name = "out"}) {
  %out = spectral.exact_attention query(%q : tensor<?x?x?x24xf16>) key(%k : tensor<?x?x?x24xf16>)
      value(%v : tensor<?x?x?x20xf16>) {kernel = #spectral.kernel<gaussian>, scale = 0.25 : f64}
      -> tensor<?x?x?x20xf16>
  return %out : tensor<?x?x?x20xf16>
}

// Two sequences of one row each and a row of none; what no query sees is not a number. Weights of one key are 1, so that
// outputs are values: 3 of the first sequence, 0 elsewhere, since the mask drops the key of the second one.
// CHECK: result packed 1x2x3x1 f32: 0 to 3, rms 1.73205
// Of four keys the mask keeps the last one, which only the last query sees in order, and all see from the end.
// CHECK: result causal 1x1x4x1 f32: 0 to 5, rms 2.5
// CHECK: result anticausal 1x1x4x1 f32: 5 to 5, rms 5
func.func @options() -> (
    tensor<1x2x3x1xf32> {bochner.name = "packed"}, tensor<1x1x4x1xf32> {bochner.name = "causal"},
    tensor<1x1x4x1xf32> {bochner.name = "anticausal"}) {
  %q = arith.constant dense<1.0> : tensor<1x2x3x2xf32>
  %k = arith.constant dense<[[[[1.0, 2.0], [0x7F800000, 0x7FC00000], [0x7FC00000, 0x7FC00000]]]]> : tensor<1x1x3x2xf32>
  %v = arith.constant dense<[[[[3.0], [0x7FC00000], [0x7FC00000]]]]> : tensor<1x1x3x1xf32>
  %offsets = arith.constant dense<[0, 1, 2]> : tensor<3xi64>
  %first = arith.constant dense<[[true, false, true]]> : tensor<1x3xi1>
  %packed = spectral.exact_attention query(%q : tensor<1x2x3x2xf32>) key(%k : tensor<1x1x3x2xf32>)
      value(%v : tensor<1x1x3x1xf32>) mask(%first : tensor<1x3xi1>) sequences(%offsets : tensor<3xi64>)
      {kernel = #spectral.kernel<gaussian>, scale = 0.5 : f64, eps = 0.0 : f64} -> tensor<1x2x3x1xf32>
  %rows = arith.constant dense<[[[[0x7FC00000], [0x7F800000], [0xFF800000], [5.0]]]]> : tensor<1x1x4x1xf32>
  %ones = arith.constant dense<1.0> : tensor<1x1x4x1xf32>
  %last = arith.constant dense<[[false, false, false, true]]> : tensor<1x4xi1>
  %causal = spectral.exact_attention query(%ones : tensor<1x1x4x1xf32>) key(%rows : tensor<1x1x4x1xf32>)
      value(%rows : tensor<1x1x4x1xf32>) mask(%last : tensor<1x4xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, causality = #spectral.causality<causal>}
      -> tensor<1x1x4x1xf32>
  %anticausal = spectral.exact_attention query(%ones : tensor<1x1x4x1xf32>) key(%rows : tensor<1x1x4x1xf32>)
      value(%rows : tensor<1x1x4x1xf32>) mask(%last : tensor<1x4xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<1x1x4x1xf32>
  return %packed, %causal, %anticausal : tensor<1x2x3x1xf32>, tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32>
}
