// RUN: bochner-opt %s -split-input-file -canonicalize | FileCheck %s
// RUN: bochner-opt %s -split-input-file -canonicalize -canonicalize | FileCheck %s

// Equal regions for queries and keys become one.
// CHECK-LABEL: func.func @merge_regions(
// CHECK:         spectral.linear_attention
// CHECK:           spectral.trig
// CHECK:           spectral.yield
// CHECK-NOT:     query_features
// CHECK:         } -> tensor<?x2x?x4xf32>
func.func @merge_regions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>)
    -> tensor<?x2x?x4xf32> {
  %0 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        %phi = spectral.trig %x {amplitude = 0.5 : f64} : tensor<?x8xf32> -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } query_features (%x: tensor<?x8xf32>) {
        %phi = spectral.trig %x {amplitude = 0.5 : f64} : tensor<?x8xf32> -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } -> tensor<?x2x?x4xf32>
  return %0 : tensor<?x2x?x4xf32>
}

// -----

// CHECK-LABEL: func.func @keep_regions(
// CHECK:         query_features
func.func @keep_regions(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>)
    -> tensor<?x2x?x4xf32> {
  %0 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x8xf32>) {
        %phi = spectral.trig %x {amplitude = 0.5 : f64} : tensor<?x8xf32> -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } query_features (%x: tensor<?x8xf32>) {
        %phi = spectral.trig %x {amplitude = 0.25 : f64} : tensor<?x8xf32> -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } -> tensor<?x2x?x4xf32>
  return %0 : tensor<?x2x?x4xf32>
}

// -----

// The regions say the same on rows of different sizes.
// CHECK-LABEL: func.func @keep_regions_of_other_rows(
// CHECK:         query_features
func.func @keep_regions_of_other_rows(%q: tensor<?x2x?x4xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                      %w: tensor<1x3xf32>) -> tensor<?x2x?x4xf32> {
  %0 = spectral.linear_attention query(%q : tensor<?x2x?x4xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) parameters(%w : tensor<1x3xf32>)
      features (%x: tensor<?x8xf32>, %p: tensor<3xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x3xf32>
        %phi = linalg.broadcast ins(%p : tensor<3xf32>) outs(%empty : tensor<?x3xf32>) dimensions = [0]
        spectral.yield %phi : tensor<?x3xf32>
      } query_features (%x: tensor<?x4xf32>, %p: tensor<3xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
        %empty = tensor.empty(%rows) : tensor<?x3xf32>
        %phi = linalg.broadcast ins(%p : tensor<3xf32>) outs(%empty : tensor<?x3xf32>) dimensions = [0]
        spectral.yield %phi : tensor<?x3xf32>
      } -> tensor<?x2x?x4xf32>
  return %0 : tensor<?x2x?x4xf32>
}

// -----

// %a is given twice and %b is not read: one parameter is left.
// CHECK-LABEL: func.func @drop_parameters(
// CHECK-SAME:      %{{[^:]+}}: tensor<?x2x?x8xf32>, %[[A:[^:]+]]: tensor<1x8xf32>, %{{[^:]+}}: tensor<2x4xf32>)
// CHECK:         spectral.feature_map {{.*}} parameters(%[[A]] : tensor<1x8xf32>) features
// CHECK-SAME:        (%[[X:[^:]+]]: tensor<?x8xf32>, %[[P:[^:]+]]: tensor<8xf32>)
// CHECK:           spectral.fastfood %[[X]] scale(%[[P]]) gaussian(%[[P]]) signs(%[[P]])
func.func @drop_parameters(%x: tensor<?x2x?x8xf32>, %a: tensor<1x8xf32>, %b: tensor<2x4xf32>) -> tensor<?x2x?x8xf32> {
  %0 = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>)
      parameters(%a, %b, %a : tensor<1x8xf32>, tensor<2x4xf32>, tensor<1x8xf32>)
      features (%t: tensor<?x8xf32>, %s: tensor<8xf32>, %unused: tensor<4xf32>, %g: tensor<8xf32>) {
        %p = arith.constant dense<[7, 6, 5, 4, 3, 2, 1, 0]> : tensor<8xi64>
        %u = spectral.fastfood %t scale(%s) gaussian(%g) signs(%g) permutation(%p)
          : tensor<?x8xf32>, tensor<8xf32>, tensor<8xi64> -> tensor<?x8xf32>
        spectral.yield %u : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %0 : tensor<?x2x?x8xf32>
}

// -----

// A parameter that only queries read stays.
// CHECK-LABEL: func.func @keep_parameter_of_queries(
// CHECK:         spectral.linear_attention {{.*}} parameters(%{{.+}} : tensor<2x8xf32>)
func.func @keep_parameter_of_queries(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                                     %w: tensor<2x8xf32>, %unused: tensor<2x3xf32>) -> tensor<?x2x?x4xf32> {
  %0 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) parameters(%unused, %w : tensor<2x3xf32>, tensor<2x8xf32>)
      features (%x: tensor<?x8xf32>, %o: tensor<3xf32>, %p: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } query_features (%x: tensor<?x8xf32>, %o: tensor<3xf32>, %p: tensor<8xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x8xf32>
        %phi = linalg.broadcast ins(%p : tensor<8xf32>) outs(%empty : tensor<?x8xf32>) dimensions = [0]
        spectral.yield %phi : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return %0 : tensor<?x2x?x4xf32>
}

// -----

// CHECK-LABEL: func.func @double_hadamard(
// CHECK-SAME:      %[[X:.+]]: tensor<2x8xf32>)
// CHECK:         %[[EIGHT:.+]] = arith.constant dense<8.000000e+00> : tensor<2x8xf32>
// CHECK-NOT:     spectral.hadamard
// CHECK:         %[[Y:.+]] = arith.mulf %[[X]], %[[EIGHT]]
// CHECK:         return %[[Y]]
func.func @double_hadamard(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %0 = spectral.hadamard %x : tensor<2x8xf32> -> tensor<2x8xf32>
  %1 = spectral.hadamard %0 : tensor<2x8xf32> -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

// A constant needs static sizes.
// CHECK-LABEL: func.func @double_hadamard_dynamic(
// CHECK-COUNT-2: spectral.hadamard
func.func @double_hadamard_dynamic(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = spectral.hadamard %x : tensor<?x8xf32> -> tensor<?x8xf32>
  %1 = spectral.hadamard %0 : tensor<?x8xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// Operations without side effects go when nobody reads them.
// CHECK-LABEL: func.func @unused(
// CHECK-NOT:     spectral
// CHECK:         return
func.func @unused(%x: tensor<?x2x?x8xf32>) {
  %0 = spectral.exact_attention query(%x : tensor<?x2x?x8xf32>) key(%x : tensor<?x2x?x8xf32>)
      value(%x : tensor<?x2x?x8xf32>) {kernel = #spectral.kernel<softmax>, scale = 0.5 : f64} -> tensor<?x2x?x8xf32>
  %1 = spectral.trig %x : tensor<?x2x?x8xf32> -> tensor<?x2x?x16xf32>
  return
}
