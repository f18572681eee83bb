// RUN: bochner-opt %s -split-input-file -resolve-ranked-shaped-type-result-dims -canonicalize -cse | FileCheck %s

// Dimensions of results are those of operands.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x?x?x16xf32>, %[[K:[^:]+]]: tensor<?x?x?x16xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[B:.+]] = tensor.dim %[[Q]], %[[C0]]
// CHECK-DAG:     %[[H:.+]] = tensor.dim %[[Q]], %[[C1]]
// CHECK-DAG:     %[[L:.+]] = tensor.dim %[[Q]], %[[C2]]
// CHECK:         return %[[B]], %[[H]], %[[L]], %[[C4]], %[[L]]
func.func @attention(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x4xf32>)
    -> (index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %linear = spectral.linear_attention query(%q : tensor<?x?x?x16xf32>) key(%k : tensor<?x?x?x16xf32>)
      value(%v : tensor<?x?x?x4xf32>) features (%x: tensor<?x16xf32>) {
        spectral.yield %x : tensor<?x16xf32>
      } -> tensor<?x?x?x4xf32>
  %exact = spectral.exact_attention query(%q : tensor<?x?x?x16xf32>) key(%k : tensor<?x?x?x16xf32>)
      value(%v : tensor<?x?x?x4xf32>) {kernel = #spectral.kernel<softmax>, scale = 1.0 : f64} -> tensor<?x?x?x4xf32>
  %b = tensor.dim %linear, %c0 : tensor<?x?x?x4xf32>
  %h = tensor.dim %linear, %c1 : tensor<?x?x?x4xf32>
  %l = tensor.dim %linear, %c2 : tensor<?x?x?x4xf32>
  %m = tensor.dim %linear, %c3 : tensor<?x?x?x4xf32>
  %e = tensor.dim %exact, %c2 : tensor<?x?x?x4xf32>
  return %b, %h, %l, %m, %e : index, index, index, index, index
}

// -----

// The last one is the number of features.
// CHECK-LABEL: func.func @features(
// CHECK-SAME:      %[[X:[^:]+]]: tensor<?x2x?x8xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C17:.+]] = arith.constant 17 : index
// CHECK-DAG:     %[[C32:.+]] = arith.constant 32 : index
// CHECK-DAG:     %[[B:.+]] = tensor.dim %[[X]], %[[C0]]
// CHECK:         return %[[C17]], %[[B]], %[[C32]]
func.func @features(%x: tensor<?x2x?x8xf32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %trig = spectral.trig %x : tensor<?x2x?x8xf32> -> tensor<?x2x?x16xf32>
  %smooth = spectral.constant_feature %trig {value = 1.0 : f64} : tensor<?x2x?x16xf32> -> tensor<?x2x?x17xf32>
  %map = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) features (%t: tensor<?x8xf32>) {
    %u = spectral.trig %t : tensor<?x8xf32> -> tensor<?x16xf32>
    %l = spectral.log_positive %u, %t {norm_factor = 1.0 : f64, count = 16 : i64, symmetric}
      : tensor<?x16xf32>, tensor<?x8xf32> -> tensor<?x32xf32>
    spectral.yield %l : tensor<?x32xf32>
  } -> tensor<?x2x?x32xf32>
  %0 = tensor.dim %smooth, %c3 : tensor<?x2x?x17xf32>
  %1 = tensor.dim %smooth, %c0 : tensor<?x2x?x17xf32>
  %2 = tensor.dim %map, %c3 : tensor<?x2x?x32xf32>
  return %0, %1, %2 : index, index, index
}

// -----

// CHECK-LABEL: func.func @frequencies(
// CHECK-SAME:      %{{[^:]+}}: tensor<8x16xf32>, %[[MEAN:[^:]+]]: tensor<?x8xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C32:.+]] = arith.constant 32 : index
// CHECK:         %[[H:.+]] = tensor.dim %[[MEAN]], %[[C0]]
// CHECK:         return %[[H]], %[[C32]]
func.func @frequencies(%omega: tensor<8x16xf32>, %mean: tensor<?x8xf32>, %sigma: tensor<?xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
    {covariance = #spectral.covariance<scalar>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<8x16xf32>, tensor<?x8xf32>, tensor<?xf32> -> tensor<?x8x32xf32>
  %h = tensor.dim %w, %c0 : tensor<?x8x32xf32>
  %m = tensor.dim %w, %c2 : tensor<?x8x32xf32>
  return %h, %m : index, index
}

// -----

// A result may know a size that its operands leave open, or leave open one that they know.
// CHECK-LABEL: func.func @compatible(
// CHECK:         spectral.trig %{{.+}} : tensor<?x8xf32> -> tensor<4x16xf32>
// CHECK:         spectral.hadamard %{{.+}} : tensor<4x16xf32> -> tensor<?x16xf32>
func.func @compatible(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  %0 = spectral.trig %x : tensor<?x8xf32> -> tensor<4x16xf32>
  %1 = spectral.hadamard %0 : tensor<4x16xf32> -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// -----

// Gradients have the dimensions of what they are gradients of.
// CHECK-LABEL: func.func @gradients(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x?x?x16xf32>, %[[K:[^:]+]]: tensor<?x?x?x16xf32>, %[[V:[^:]+]]: tensor<?x?x?x4xf32>, %[[P:[^:]+]]: tensor<?x3xf32>
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[L:.+]] = tensor.dim %[[Q]], %[[C2]]
// CHECK-DAG:     %[[S:.+]] = tensor.dim %[[K]], %[[C2]]
// CHECK-DAG:     %[[VALUES:.+]] = tensor.dim %[[V]], %[[C2]]
// CHECK-DAG:     %[[HEADS:.+]] = tensor.dim %[[P]], %[[C0]]
// CHECK:         return %[[L]], %[[S]], %[[VALUES]], %[[HEADS]], %[[C4]]
func.func @gradients(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x4xf32>, %p: tensor<?x3xf32>,
                     %out: tensor<?x?x?x4xf32>) -> (index, index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %grad:4 = spectral.linear_attention_grad query(%q : tensor<?x?x?x16xf32>) key(%k : tensor<?x?x?x16xf32>)
      value(%v : tensor<?x?x?x4xf32>) output(%out : tensor<?x?x?x4xf32>) cotangent(%out : tensor<?x?x?x4xf32>)
      parameters(%p : tensor<?x3xf32>) {wrt = array<i64: 0>} features (%x: tensor<?x16xf32>, %a: tensor<3xf32>) {
        spectral.yield %x : tensor<?x16xf32>
      } -> tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x4xf32>, tensor<?x3xf32>
  %l = tensor.dim %grad#0, %c2 : tensor<?x?x?x16xf32>
  %s = tensor.dim %grad#1, %c2 : tensor<?x?x?x16xf32>
  %values = tensor.dim %grad#2, %c2 : tensor<?x?x?x4xf32>
  %heads = tensor.dim %grad#3, %c0 : tensor<?x3xf32>
  %m = tensor.dim %grad#2, %c3 : tensor<?x?x?x4xf32>
  return %l, %s, %values, %heads, %m : index, index, index, index, index
}

// -----

// Checkpoints: one for every interval of the keys, and one more for each packed sequence.
// CHECK-LABEL: func.func @checkpoints(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x2x?x8xf32>, %[[I:[^:]+]]: tensor<?xi64>
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C64:.+]] = arith.constant 64 : index
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[Q]], %c2
// CHECK-DAG:     %[[G:.+]] = arith.ceildivui %[[N]], %[[C64]]
// CHECK-DAG:     %[[E:.+]] = tensor.dim %[[I]], %c0
// CHECK-DAG:     %[[S:.+]] = arith.subi %[[E]], %[[C1]]
// CHECK-DAG:     %[[P:.+]] = arith.addi %[[G]], %[[S]]
// CHECK:         return %[[G]], %[[P]]
func.func @checkpoints(%q: tensor<?x2x?x8xf32>, %i: tensor<?xi64>) -> (index, index) {
  %c2 = arith.constant 2 : index
  %out, %s, %z = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%q : tensor<?x2x?x8xf32>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>
  %packed, %ps, %pz = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%q : tensor<?x2x?x8xf32>) sequences(%i : tensor<?xi64>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>
  %0 = tensor.dim %z, %c2 : tensor<?x2x?x8xf32>
  %1 = tensor.dim %ps, %c2 : tensor<?x2x?x8x8xf32>
  return %0, %1 : index, index
}

// -----

// Moments have the heads of their center.

// CHECK-LABEL: func.func @moments(
// CHECK-SAME:      %[[W:[^:]+]]: tensor<?x16x6xf32>, %[[MEAN:[^:]+]]: tensor<?x16xf32>
// CHECK:         %[[HEADS:.+]] = tensor.dim %[[MEAN]], %{{.+}} : tensor<?x16xf32>
// CHECK:         return %[[HEADS]], %[[HEADS]]
func.func @moments(%w: tensor<?x16x6xf32>, %mean: tensor<?x16xf32>, %x: tensor<?x?x?x16xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %grad:5 = spectral.linear_attention_grad query(%x : tensor<?x?x?x16xf32>) key(%x : tensor<?x?x?x16xf32>)
      value(%x : tensor<?x?x?x16xf32>) output(%x : tensor<?x?x?x16xf32>) cotangent(%x : tensor<?x?x?x16xf32>)
      parameters(%w : tensor<?x16x6xf32>) centers(%mean : tensor<?x16xf32>) {moments = array<i64: 0>}
      features (%row: tensor<?x16xf32>, %omega: tensor<16x6xf32>) {
        spectral.yield %row : tensor<?x16xf32>
      } -> tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
  %first = tensor.dim %grad#3, %c0 : tensor<?x16xf32>
  %second = tensor.dim %grad#4, %c0 : tensor<?x16xf32>
  return %first, %second : index, index
}
