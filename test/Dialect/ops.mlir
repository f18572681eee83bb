// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -mlir-print-op-generic | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s

// CHECK-LABEL: func.func @trig(
// CHECK:         spectral.trig %{{.+}} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
// CHECK:         spectral.trig %{{.+}} {amplitude = 1.250000e-01 : f64, groups = 2 : i64} : tensor<4x8xbf16> -> tensor<4x16xbf16>
func.func @trig(%u: tensor<?x8x?x128xf32>, %t: tensor<4x8xbf16>) -> (tensor<?x8x?x256xf32>, tensor<4x16xbf16>) {
  %0 = spectral.trig %u : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  %1 = spectral.trig %t {amplitude = 0.125 : f64, groups = 2 : i64} : tensor<4x8xbf16> -> tensor<4x16xbf16>
  return %0, %1 : tensor<?x8x?x256xf32>, tensor<4x16xbf16>
}

// CHECK-LABEL: func.func @log_positive(
// CHECK:         spectral.log_positive %{{.+}}, %{{.+}} {count = 16 : i64, norm_factor = 1.000000e+00 : f64} :
// CHECK-SAME:      tensor<?x?x?x16xf64>, tensor<?x?x?x8xf64> -> tensor<?x?x?x16xf64>
// CHECK:         spectral.log_positive %{{.+}}, %{{.+}} {count = 32 : i64, norm_factor = 5.000000e-01 : f64, symmetric} :
func.func @log_positive(%u: tensor<?x?x?x16xf64>, %x: tensor<?x?x?x8xf64>)
    -> (tensor<?x?x?x16xf64>, tensor<?x?x?x32xf64>) {
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 16 : i64}
    : tensor<?x?x?x16xf64>, tensor<?x?x?x8xf64> -> tensor<?x?x?x16xf64>
  %1 = spectral.log_positive %u, %x {norm_factor = 0.5 : f64, count = 32 : i64, symmetric}
    : tensor<?x?x?x16xf64>, tensor<?x?x?x8xf64> -> tensor<?x?x?x32xf64>
  return %0, %1 : tensor<?x?x?x16xf64>, tensor<?x?x?x32xf64>
}

// CHECK-LABEL: func.func @transforms(
// CHECK:         spectral.hadamard %{{.+}} : tensor<?x16xf32> -> tensor<?x16xf32>
// CHECK:         spectral.permute %{{.+}}, %{{.+}} : tensor<?x16xf32>, tensor<16xi64> -> tensor<?x16xf32>
// CHECK:         spectral.fastfood %{{.+}} scale(%{{.+}}) gaussian(%{{.+}}) signs(%{{.+}}) permutation(%{{.+}}) :
// CHECK-SAME:      tensor<?x16xf32>, tensor<16xf32>, tensor<16xi64> -> tensor<?x16xf32>
// CHECK:         spectral.constant_feature %{{.+}} {value = 1.000000e+00 : f64} : tensor<?x16xf32> -> tensor<?x17xf32>
func.func @transforms(%x: tensor<?x16xf32>, %d: tensor<16xf32>, %p: tensor<16xi64>) -> tensor<?x17xf32> {
  %0 = spectral.hadamard %x : tensor<?x16xf32> -> tensor<?x16xf32>
  %1 = spectral.permute %0, %p : tensor<?x16xf32>, tensor<16xi64> -> tensor<?x16xf32>
  %2 = spectral.fastfood %1 scale(%d) gaussian(%d) signs(%d) permutation(%p)
    : tensor<?x16xf32>, tensor<16xf32>, tensor<16xi64> -> tensor<?x16xf32>
  %3 = spectral.constant_feature %2 {value = 1.0 : f64} : tensor<?x16xf32> -> tensor<?x17xf32>
  return %3 : tensor<?x17xf32>
}

// CHECK-LABEL: func.func @frequencies(
// CHECK:         spectral.gaussian_frequencies %{{.+}} mean(%{{.+}}) sigma(%{{.+}})
// CHECK-SAME:      {covariance = #spectral.covariance<full>, mean_sign = #spectral.mean_sign<plus_minus>} :
// CHECK-SAME:      tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8x8xf32> -> tensor<?x8x32xf32>
// CHECK:         spectral.gaussian_frequencies %{{.+}} {covariance = #spectral.covariance<scalar>} :
// CHECK-SAME:      tensor<8x16xf32>, tensor<8xf32>, tensor<f32> -> tensor<8x16xf32>
func.func @frequencies(%o: tensor<8x16xf32>, %m: tensor<?x8xf32>, %s: tensor<?x8x8xf32>, %shared: tensor<8xf32>,
                       %one: tensor<f32>) -> (tensor<?x8x32xf32>, tensor<8x16xf32>) {
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s)
    {covariance = #spectral.covariance<full>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?x8x8xf32> -> tensor<?x8x32xf32>
  %1 = spectral.gaussian_frequencies %o mean(%shared) sigma(%one) {covariance = #spectral.covariance<scalar>}
    : tensor<8x16xf32>, tensor<8xf32>, tensor<f32> -> tensor<8x16xf32>
  return %0, %1 : tensor<?x8x32xf32>, tensor<8x16xf32>
}

// CHECK-LABEL: func.func @feature_map(
// CHECK:         spectral.feature_map rows(%{{.+}} : tensor<?x?x?x8xf32>)
// CHECK-SAME:        parameters(%{{.+}}, %{{.+}} : tensor<?x8x16xf32>, tensor<1x4xi64>)
// CHECK-SAME:        {domain = #spectral.domain<log>}
// CHECK-SAME:        features (%[[X:[^:]+]]: tensor<?x8xf32>, %{{[^:]+}}: tensor<8x16xf32>, %{{[^:]+}}: tensor<4xi64>) {
// CHECK:           spectral.yield %[[X]] : tensor<?x8xf32>
// CHECK:         } -> tensor<?x?x?x8xf32>
func.func @feature_map(%x: tensor<?x?x?x8xf32>, %w: tensor<?x8x16xf32>, %p: tensor<1x4xi64>) -> tensor<?x?x?x8xf32> {
  %0 = spectral.feature_map rows(%x : tensor<?x?x?x8xf32>)
      parameters(%w, %p : tensor<?x8x16xf32>, tensor<1x4xi64>) {domain = #spectral.domain<log>}
      features (%t: tensor<?x8xf32>, %omega: tensor<8x16xf32>, %permutation: tensor<4xi64>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x?x?x8xf32>
  return %0 : tensor<?x?x?x8xf32>
}

// CHECK-LABEL: func.func @linear_attention(
// CHECK:         spectral.linear_attention query(%{{.+}} : tensor<?x2x?x8xf32>) key(%{{.+}} : tensor<?x2x?x8xf32>)
// CHECK-SAME:        value(%{{.+}} : tensor<?x2x?x4xf32>) features (%{{[^:]+}}: tensor<?x8xf32>) {
// CHECK:           spectral.yield
// CHECK:         } -> tensor<?x2x?x4xf32>
func.func @linear_attention(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>)
    -> tensor<?x2x?x4xf32> {
  %0 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return %0 : tensor<?x2x?x4xf32>
}

// All clauses, and a head dimension of queries of their own.
// CHECK-LABEL: func.func @linear_attention_clauses(
// CHECK:         spectral.linear_attention query(%{{.+}} : tensor<?x?x?x16xf64>) key(%{{.+}} : tensor<?x?x?x8xf64>)
// CHECK-SAME:        value(%{{.+}} : tensor<?x?x?x4xf64>) lengths(%{{.+}} : tensor<?xi32>)
// CHECK-SAME:        offset(%{{.+}} : tensor<?x?xf64>) parameters(%{{.+}} : tensor<1x8xf64>)
// CHECK-SAME:        {causality = #spectral.causality<causal>, domain = #spectral.domain<log>, eps = 0.000000e+00 : f64}
// CHECK-SAME:        features (%{{[^:]+}}: tensor<?x8xf64>, %{{[^:]+}}: tensor<8xf64>) {
// CHECK:           spectral.yield %{{.+}} : tensor<?x8xf64>
// CHECK:         } query_features (%[[X:[^:]+]]: tensor<?x16xf64>, %{{[^:]+}}: tensor<8xf64>) {
// CHECK:           tensor.extract_slice %[[X]]
// CHECK:           spectral.yield
// CHECK:         } -> tensor<?x?x?x4xf64>
func.func @linear_attention_clauses(%q: tensor<?x?x?x16xf64>, %k: tensor<?x?x?x8xf64>, %v: tensor<?x?x?x4xf64>,
                                    %n: tensor<?xi32>, %o: tensor<?x?xf64>, %w: tensor<1x8xf64>)
    -> tensor<?x?x?x4xf64> {
  %0 = spectral.linear_attention query(%q : tensor<?x?x?x16xf64>) key(%k : tensor<?x?x?x8xf64>)
      value(%v : tensor<?x?x?x4xf64>) lengths(%n : tensor<?xi32>) offset(%o : tensor<?x?xf64>)
      parameters(%w : tensor<1x8xf64>)
      {causality = #spectral.causality<causal>, domain = #spectral.domain<log>, eps = 0.0 : f64}
      features (%x: tensor<?x8xf64>, %p: tensor<8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } query_features (%x: tensor<?x16xf64>, %p: tensor<8xf64>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x16xf64>
        %half = tensor.extract_slice %x[0, 0] [%rows, 8] [1, 1] : tensor<?x16xf64> to tensor<?x8xf64>
        spectral.yield %half : tensor<?x8xf64>
      } -> tensor<?x?x?x4xf64>
  return %0 : tensor<?x?x?x4xf64>
}

// Rows of 16 bits beside parameters, features and an offset of f32; f32 queries beside 16-bit values.
// CHECK-LABEL: func.func @mixed_precision(
// CHECK:         spectral.linear_attention query(%{{.+}} : tensor<?x2x?x8xbf16>)
// CHECK-SAME:        offset(%{{.+}} : tensor<?x2xf32>)
// CHECK:           -> tensor<?x2x?x8xbf16>
// CHECK:         spectral.linear_attention query(%{{.+}} : tensor<?x2x?x8xf32>) key(%{{.+}} : tensor<?x2x?x8xf32>) value(%{{.+}} : tensor<?x2x?x8xbf16>)
// CHECK:           -> tensor<?x2x?x8xbf16>
// CHECK:         spectral.feature_map rows(%{{.+}} : tensor<?x2x?x8xbf16>)
// CHECK:           -> tensor<?x2x?x8xf32>
func.func @mixed_precision(%x: tensor<?x2x?x8xbf16>, %o: tensor<?x2xf32>)
    -> (tensor<?x2x?x8xbf16>, tensor<?x2x?x8xbf16>) {
  %0 = spectral.linear_attention query(%x : tensor<?x2x?x8xbf16>) key(%x : tensor<?x2x?x8xbf16>)
      value(%x : tensor<?x2x?x8xbf16>) offset(%o : tensor<?x2xf32>) features (%t: tensor<?x8xbf16>) {
        %w = arith.extf %t : tensor<?x8xbf16> to tensor<?x8xf32>
        spectral.yield %w : tensor<?x8xf32>
      } -> tensor<?x2x?x8xbf16>
  %wide = arith.extf %x : tensor<?x2x?x8xbf16> to tensor<?x2x?x8xf32>
  %1 = spectral.linear_attention query(%wide : tensor<?x2x?x8xf32>) key(%wide : tensor<?x2x?x8xf32>)
      value(%x : tensor<?x2x?x8xbf16>) features (%t: tensor<?x8xf32>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x2x?x8xbf16>
  %2 = spectral.feature_map rows(%x : tensor<?x2x?x8xbf16>) features (%t: tensor<?x8xbf16>) {
        spectral.yield %t : tensor<?x8xbf16>
      } -> tensor<?x2x?x8xf32>
  return %0, %1 : tensor<?x2x?x8xbf16>, tensor<?x2x?x8xbf16>
}

// CHECK-LABEL: func.func @exact_attention(
// CHECK:         spectral.exact_attention query(%{{.+}} : tensor<?x2x5x8xf16>) key(%{{.+}} : tensor<?x2x5x8xf16>)
// CHECK-SAME:        value(%{{.+}} : tensor<?x2x5x4xf16>) lengths(%{{.+}} : tensor<?xindex>)
// CHECK-SAME:        {causality = #spectral.causality<causal>, kernel = #spectral.kernel<softmax>, scale = 1.250000e-01 : f64}
// CHECK-SAME:        -> tensor<?x2x5x4xf16>
// CHECK:         spectral.exact_attention
// CHECK-SAME:        {eps = 1.000000e-03 : f64, kernel = #spectral.kernel<gaussian>, scale = 1.000000e+00 : f64}
func.func @exact_attention(%q: tensor<?x2x5x8xf16>, %v: tensor<?x2x5x4xf16>, %n: tensor<?xindex>)
    -> (tensor<?x2x5x4xf16>, tensor<?x2x5x4xf16>) {
  %0 = spectral.exact_attention query(%q : tensor<?x2x5x8xf16>) key(%q : tensor<?x2x5x8xf16>)
      value(%v : tensor<?x2x5x4xf16>) lengths(%n : tensor<?xindex>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64, causality = #spectral.causality<causal>}
      -> tensor<?x2x5x4xf16>
  %1 = spectral.exact_attention query(%q : tensor<?x2x5x8xf16>) key(%q : tensor<?x2x5x8xf16>)
      value(%v : tensor<?x2x5x4xf16>) {kernel = #spectral.kernel<gaussian>, scale = 1.0 : f64, eps = 1.0e-3 : f64}
      -> tensor<?x2x5x4xf16>
  return %0, %1 : tensor<?x2x5x4xf16>, tensor<?x2x5x4xf16>
}

func.func private @kernel(tensor<?x8xf32>, tensor<4xi64>) -> tensor<?x4xf32>
func.func private @kernel_without_inputs() -> tensor<4xf32>
// A kernel after emission: buffers of the inputs, then of the outputs.
func.func private @emitted(memref<?x8xf32>, memref<?x4xf32>)
// CHECK-LABEL: func.func @launch(
// CHECK:         spectral.launch @kernel ins(%{{.+}}, %{{.+}} : tensor<?x8xf32>, tensor<4xi64>)
// CHECK-SAME:      outs(%{{.+}} : tensor<?x4xf32>) -> tensor<?x4xf32>
// CHECK:         spectral.launch @kernel_without_inputs ins() outs(%{{.+}} : tensor<4xf32>) -> tensor<4xf32>
// CHECK:         spectral.launch @emitted ins(%{{.+}} : tensor<?x8xf32>) outs(%{{.+}} : tensor<?x4xf32>)
func.func @launch(%x: tensor<?x8xf32>, %p: tensor<4xi64>, %init: tensor<?x4xf32>, %y: tensor<4xf32>)
    -> (tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf32>) {
  %0 = spectral.launch @kernel ins(%x, %p : tensor<?x8xf32>, tensor<4xi64>) outs(%init : tensor<?x4xf32>)
    -> tensor<?x4xf32>
  %1 = spectral.launch @kernel_without_inputs ins() outs(%y : tensor<4xf32>) -> tensor<4xf32>
  %2 = spectral.launch @emitted ins(%x : tensor<?x8xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf32>
}

func.func private @task(index, memref<?xi8>, memref<?x8xf32>, index)
func.func private @task_without_captures(index, memref<?xi8>)
// CHECK-LABEL: func.func @parallel_for(
// CHECK:         spectral.parallel_for @task count(%{{.+}}) args(%{{.+}}, %{{.+}} : memref<?x8xf32>, index)
// CHECK:         spectral.parallel_for @task_without_captures count(%{{.+}}){{$}}
func.func @parallel_for(%n: index, %x: memref<?x8xf32>) {
  spectral.parallel_for @task count(%n) args(%x, %n : memref<?x8xf32>, index)
  spectral.parallel_for @task_without_captures count(%n)
  return
}
