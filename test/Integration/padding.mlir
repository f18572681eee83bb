// RUN: bochner-run %s --entry padding --route decompose --no-cache | FileCheck %s
// RUN: bochner-run %s --entry padding --route fused --no-cache | FileCheck %s
// RUN: bochner-run %s --entry later_keys --route decompose --no-cache | FileCheck %s --check-prefix=LATER
// RUN: bochner-run %s --entry later_keys --route fused --no-cache | FileCheck %s --check-prefix=LATER

// What padding holds has no effect, whatever it is. The first batch entry sees one key, so that each of its outputs is
// the value 3; the second one sees none, so that its outputs are 0 even without eps. The mean square is thus 9 / 2.
// CHECK: result linear 2x1x2x2 f32: 0 to 3, rms 2.12132
// CHECK: result log 2x1x2x2 f32: 0 to 3, rms 2.12132
// CHECK: result causal 2x1x2x2 f32: 0 to 3, rms 2.12132
// CHECK: result softmax 2x1x2x2 f32: 0 to 3, rms 2.12132
// CHECK: result gaussian 2x1x2x2 f32: 0 to 3, rms 2.12132
func.func @padding() -> (
    tensor<2x1x2x2xf32> {bochner.name = "linear"}, tensor<2x1x2x2xf32> {bochner.name = "log"},
    tensor<2x1x2x2xf32> {bochner.name = "causal"}, tensor<2x1x2x2xf32> {bochner.name = "softmax"},
    tensor<2x1x2x2xf32> {bochner.name = "gaussian"}) {
  %q = arith.constant dense<1.0> : tensor<2x1x2x2xf32>
  %k = arith.constant dense<[[[[1.0, 2.0], [0x7FC00000, 0x7FC00000]]],
                             [[[0x7F800000, 0x7FC00000], [0xFF800000, 0x7FC00000]]]]> : tensor<2x1x2x2xf32>
  %v = arith.constant dense<[[[[3.0, 3.0], [0x7F800000, 0x7FC00000]]],
                             [[[0x7FC00000, 0x7FC00000], [0xFF800000, 0x7FC00000]]]]> : tensor<2x1x2x2xf32>
  %lengths = arith.constant dense<[1, 0]> : tensor<2xi64>
  %linear = spectral.linear_attention query(%q : tensor<2x1x2x2xf32>) key(%k : tensor<2x1x2x2xf32>)
      value(%v : tensor<2x1x2x2xf32>) lengths(%lengths : tensor<2xi64>) {eps = 0.0 : f64}
      features (%x: tensor<?x2xf32>) {
        spectral.yield %x : tensor<?x2xf32>
      } -> tensor<2x1x2x2xf32>
  %log = spectral.linear_attention query(%q : tensor<2x1x2x2xf32>) key(%k : tensor<2x1x2x2xf32>)
      value(%v : tensor<2x1x2x2xf32>) lengths(%lengths : tensor<2xi64>)
      {domain = #spectral.domain<log>, eps = 0.0 : f64}
      features (%x: tensor<?x2xf32>) {
        spectral.yield %x : tensor<?x2xf32>
      } -> tensor<2x1x2x2xf32>
  %causal = spectral.linear_attention query(%q : tensor<2x1x2x2xf32>) key(%k : tensor<2x1x2x2xf32>)
      value(%v : tensor<2x1x2x2xf32>) lengths(%lengths : tensor<2xi64>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<causal>, eps = 0.0 : f64}
      features (%x: tensor<?x2xf32>) {
        spectral.yield %x : tensor<?x2xf32>
      } -> tensor<2x1x2x2xf32>
  %softmax = spectral.exact_attention query(%q : tensor<2x1x2x2xf32>) key(%k : tensor<2x1x2x2xf32>)
      value(%v : tensor<2x1x2x2xf32>) lengths(%lengths : tensor<2xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<2x1x2x2xf32>
  %gaussian = spectral.exact_attention query(%q : tensor<2x1x2x2xf32>) key(%k : tensor<2x1x2x2xf32>)
      value(%v : tensor<2x1x2x2xf32>) lengths(%lengths : tensor<2xi64>)
      {kernel = #spectral.kernel<gaussian>, scale = 0.5 : f64, eps = 0.0 : f64} -> tensor<2x1x2x2xf32>
  return %linear, %log, %causal, %softmax, %gaussian : tensor<2x1x2x2xf32>, tensor<2x1x2x2xf32>, tensor<2x1x2x2xf32>,
      tensor<2x1x2x2xf32>, tensor<2x1x2x2xf32>
}

// A causal query does not see what later keys hold. Only outputs of the first position are returned.
// LATER: result linear 1x1x1x2 f32: 3 to 3, rms 3
// LATER: result log 1x1x1x2 f32: 3 to 3, rms 3
// LATER: result softmax 1x1x1x2 f32: 3 to 3, rms 3
// LATER: result gaussian 1x1x1x2 f32: 3 to 3, rms 3
func.func @later_keys() -> (
    tensor<1x1x1x2xf32> {bochner.name = "linear"}, tensor<1x1x1x2xf32> {bochner.name = "log"},
    tensor<1x1x1x2xf32> {bochner.name = "softmax"}, tensor<1x1x1x2xf32> {bochner.name = "gaussian"}) {
  %q = arith.constant dense<1.0> : tensor<1x1x2x2xf32>
  %k = arith.constant dense<[[[[1.0, 2.0], [0x7FC00000, 0x7F800000]]]]> : tensor<1x1x2x2xf32>
  %v = arith.constant dense<[[[[3.0, 3.0], [0x7FC00000, 0x7F800000]]]]> : tensor<1x1x2x2xf32>
  %linear = spectral.linear_attention query(%q : tensor<1x1x2x2xf32>) key(%k : tensor<1x1x2x2xf32>)
      value(%v : tensor<1x1x2x2xf32>) {causality = #spectral.causality<causal>, eps = 0.0 : f64}
      features (%x: tensor<?x2xf32>) {
        spectral.yield %x : tensor<?x2xf32>
      } -> tensor<1x1x2x2xf32>
  %log = spectral.linear_attention query(%q : tensor<1x1x2x2xf32>) key(%k : tensor<1x1x2x2xf32>)
      value(%v : tensor<1x1x2x2xf32>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<causal>, eps = 0.0 : f64}
      features (%x: tensor<?x2xf32>) {
        spectral.yield %x : tensor<?x2xf32>
      } -> tensor<1x1x2x2xf32>
  %softmax = spectral.exact_attention query(%q : tensor<1x1x2x2xf32>) key(%k : tensor<1x1x2x2xf32>)
      value(%v : tensor<1x1x2x2xf32>)
      {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64, causality = #spectral.causality<causal>}
      -> tensor<1x1x2x2xf32>
  %gaussian = spectral.exact_attention query(%q : tensor<1x1x2x2xf32>) key(%k : tensor<1x1x2x2xf32>)
      value(%v : tensor<1x1x2x2xf32>)
      {kernel = #spectral.kernel<gaussian>, scale = 0.5 : f64, eps = 0.0 : f64,
       causality = #spectral.causality<causal>} -> tensor<1x1x2x2xf32>
  %0 = tensor.extract_slice %linear[0, 0, 0, 0] [1, 1, 1, 2] [1, 1, 1, 1] : tensor<1x1x2x2xf32> to tensor<1x1x1x2xf32>
  %1 = tensor.extract_slice %log[0, 0, 0, 0] [1, 1, 1, 2] [1, 1, 1, 1] : tensor<1x1x2x2xf32> to tensor<1x1x1x2xf32>
  %2 = tensor.extract_slice %softmax[0, 0, 0, 0] [1, 1, 1, 2] [1, 1, 1, 1]
    : tensor<1x1x2x2xf32> to tensor<1x1x1x2xf32>
  %3 = tensor.extract_slice %gaussian[0, 0, 0, 0] [1, 1, 1, 2] [1, 1, 1, 1]
    : tensor<1x1x2x2xf32> to tensor<1x1x1x2xf32>
  return %0, %1, %2, %3 : tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>, tensor<1x1x1x2xf32>
}
