// RUN: bochner-opt %s -split-input-file -spectral-outline-kernels | FileCheck %s
// A second run finds nothing to do.
// RUN: bochner-opt %s -split-input-file -spectral-outline-kernels -spectral-outline-kernels | FileCheck %s

// Operands become arguments, the dynamic sizes of the destination those of the queries.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x8x?x64xf32>, %[[K:[^:]+]]: tensor<?x8x?x64xf32>, %[[V:[^:]+]]: tensor<?x8x?x32xf32>,
// CHECK-SAME:    %[[LEN:[^:]+]]: tensor<?xi64>, %[[W:[^:]+]]: tensor<1x64x256xf32>)
// CHECK-DAG:   %[[B:.+]] = tensor.dim %[[Q]], %c0
// CHECK-DAG:   %[[L:.+]] = tensor.dim %[[Q]], %c2
// CHECK:       %[[EMPTY:.+]] = tensor.empty(%[[B]], %[[L]]) : tensor<?x8x?x32xf32>
// CHECK-NEXT:  %[[OUT:.+]] = spectral.launch @attention_attention_0 ins(%[[Q]], %[[K]], %[[V]], %[[LEN]], %[[W]] :
// CHECK-SAME:    outs(%[[EMPTY]] : tensor<?x8x?x32xf32>) -> tensor<?x8x?x32xf32>
// CHECK-NEXT:  return %[[OUT]]
// CHECK:       func.func private @attention_attention_0(
// CHECK-SAME:    %[[Q0:[^:]+]]: tensor<?x8x?x64xf32>, %[[K0:[^:]+]]: tensor<?x8x?x64xf32>, %[[V0:[^:]+]]: tensor<?x8x?x32xf32>,
// CHECK-SAME:    %[[LEN0:[^:]+]]: tensor<?xi64>, %[[W0:[^:]+]]: tensor<1x64x256xf32>) -> tensor<?x8x?x32xf32>
// CHECK-SAME:    attributes {spectral.kernel} {
// CHECK-NEXT:    %[[INSIDE:.+]] = spectral.linear_attention query(%[[Q0]] : {{.+}}) key(%[[K0]] : {{.+}}) value(%[[V0]] :
// CHECK-SAME:      lengths(%[[LEN0]] : {{.+}}) parameters(%[[W0]] : {{.+}}) {domain = #spectral.domain<log>, eps = 1.000000e-03 : f64}
// CHECK:         return %[[INSIDE]]
func.func @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>, %len: tensor<?xi64>,
                     %w: tensor<1x64x256xf32>) -> tensor<?x8x?x32xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) lengths(%len : tensor<?xi64>) parameters(%w : tensor<1x64x256xf32>)
      {domain = #spectral.domain<log>, eps = 1.0e-3 : f64}
      features (%x: tensor<?x64xf32>, %w_h: tensor<64x256xf32>) { spectral.yield %x : tensor<?x64xf32> }
      -> tensor<?x8x?x32xf32>
  return %out : tensor<?x8x?x32xf32>
}

// -----

// A function of static shape asks for no sizes; an operand that is given twice is two arguments.
// CHECK-LABEL: func.func @static(
// CHECK-SAME:    %[[X:.+]]: tensor<2x8x10x64xf64>) -> tensor<2x8x10x64xf64> {
// CHECK-NOT:   tensor.dim
// CHECK:       %[[EMPTY:.+]] = tensor.empty() : tensor<2x8x10x64xf64>
// CHECK-NEXT:  spectral.launch @static_exact_0 ins(%[[X]], %[[X]], %[[X]] : {{.+}}) outs(%[[EMPTY]] :
// CHECK:       func.func private @static_exact_0(%[[A:[^:]+]]: {{[^,]+}}, %[[B:[^:]+]]: {{[^,]+}}, %[[C:[^:]+]]: {{[^,]+}})
// CHECK-NEXT:    spectral.exact_attention query(%[[A]] : {{.+}}) key(%[[B]] : {{.+}}) value(%[[C]] :
func.func @static(%x: tensor<2x8x10x64xf64>) -> tensor<2x8x10x64xf64> {
  %out = spectral.exact_attention query(%x : tensor<2x8x10x64xf64>) key(%x : tensor<2x8x10x64xf64>)
      value(%x : tensor<2x8x10x64xf64>) {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64}
      -> tensor<2x8x10x64xf64>
  return %out : tensor<2x8x10x64xf64>
}

// -----

// What is the same is one function, for callers in any function; another region, type or order of operations is not.
// CHECK-LABEL: func.func @first(
// CHECK:       spectral.launch @first_features_0 ins(%{{.+}} : tensor<?x8x?x64xf32>)
// CHECK:       spectral.launch @first_features_0 ins(%{{.+}} : tensor<?x8x?x64xf32>)
// CHECK:       spectral.launch @first_features_1 ins(%{{.+}} : tensor<?x8x?x64xf32>)
// CHECK:       func.func private @first_features_0(
// CHECK:         math.exp
// CHECK:       func.func private @first_features_1(
// CHECK:         math.tanh
// CHECK-LABEL: func.func @second(
// CHECK:       spectral.launch @first_features_1 ins(%{{.+}} : tensor<?x8x?x64xf32>)
// CHECK:       spectral.launch @second_features_0 ins(%{{.+}} : tensor<?x?x?x64xf32>)
// CHECK:       func.func private @second_features_0(%{{.+}}: tensor<?x?x?x64xf32>)
// CHECK-NOT:   func.func
func.func @first(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %a = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %y = math.exp %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  %b = spectral.feature_map rows(%a : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %y = math.exp %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  %c = spectral.feature_map rows(%b : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %y = math.tanh %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %c : tensor<?x8x?x64xf32>
}

func.func @second(%x: tensor<?x8x?x64xf32>, %z: tensor<?x?x?x64xf32>) -> (tensor<?x8x?x64xf32>, tensor<?x?x?x64xf32>) {
  %a = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %y = math.tanh %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  %b = spectral.feature_map rows(%z : tensor<?x?x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %y = math.tanh %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x?x?x64xf32>
  return %a, %b : tensor<?x8x?x64xf32>, tensor<?x?x?x64xf32>
}

// -----

// Regions that differ only in how values are wired differ; a name that is taken is not taken again.
// CHECK-LABEL: func.func @wiring(
// CHECK:       spectral.launch @[[SUB:wiring_features_0_0]] ins
// CHECK:       spectral.launch @[[REVERSED:wiring_features_1]] ins
// CHECK:       func.func private @[[SUB]](
// CHECK:         arith.subf %[[A:.+]], %[[B:.+]] :
// CHECK:       func.func private @[[REVERSED]](
// CHECK:         %[[E:.+]] = math.exp
// CHECK:         arith.subf %[[E]], %{{.+}} :
func.func @wiring(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %a = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %e = math.exp %t : tensor<?x64xf32>
    %y = arith.subf %t, %e : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  %b = spectral.feature_map rows(%a : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
    %e = math.exp %t : tensor<?x64xf32>
    %y = arith.subf %e, %t : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %b : tensor<?x8x?x64xf32>
}
func.func private @wiring_features_0()

// -----

// Operations inside other regions are outlined as well; functions without any, and declarations, stay as they are.
// CHECK-LABEL: func.func @nested(
// CHECK:       scf.for
// CHECK:         tensor.dim %[[X:.+]], %{{.+}} : tensor<?x8x?x64xf32>
// CHECK:         spectral.launch @nested_features_0 ins(%[[X]] :
// CHECK:       func.func private @nested_features_0(
// CHECK:       func.func private @declared()
func.func @nested(%x: tensor<?x8x?x64xf32>, %n: index) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%rows = %x) -> tensor<?x8x?x64xf32> {
    %a = spectral.feature_map rows(%rows : tensor<?x8x?x64xf32>) features (%t: tensor<?x64xf32>) {
      spectral.yield %t : tensor<?x64xf32>
    } -> tensor<?x8x?x64xf32>
    scf.yield %a : tensor<?x8x?x64xf32>
  }
  return %r : tensor<?x8x?x64xf32>
}
func.func private @declared()

// -----

// Gradients are a kernel of their own. Each result has the sizes of what it is the gradient of.
// CHECK-LABEL: func.func @gradients(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x2x?x8xf32>, %[[K:[^:]+]]: tensor<?x2x?x8xf32>, %[[V:[^:]+]]: tensor<?x2x?x4xf32>
// CHECK-DAG:   %[[L:.+]] = tensor.dim %[[Q]], %c2
// CHECK-DAG:   %[[S:.+]] = tensor.dim %[[K]], %c2
// CHECK-DAG:   %[[DQ:.+]] = tensor.empty(%{{.+}}, %[[L]]) : tensor<?x2x?x8xf32>
// CHECK-DAG:   %[[DK:.+]] = tensor.empty(%{{.+}}, %[[S]]) : tensor<?x2x?x8xf32>
// CHECK-DAG:   %[[DW:.+]] = tensor.empty() : tensor<2x8xf32>
// CHECK:       spectral.launch @gradients_gradients_0 ins(%[[Q]], %[[K]], %[[V]],
// CHECK-SAME:    outs(%[[DQ]], %[[DK]], %{{.+}}, %[[DW]] : {{.+}} -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
// CHECK:       func.func private @gradients_gradients_0(
// CHECK-SAME:    attributes {spectral.kernel} {
// CHECK:         spectral.linear_attention_grad
func.func @gradients(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                     %out: tensor<?x2x?x4xf32>, %cot: tensor<?x2x?x4xf32>, %w: tensor<2x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>) {
  %g:4 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) output(%out : tensor<?x2x?x4xf32>) cotangent(%cot : tensor<?x2x?x4xf32>)
      parameters(%w : tensor<2x8xf32>) {wrt = array<i64: 0>} features (%x: tensor<?x8xf32>, %s: tensor<8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
  return %g#0, %g#1, %g#2, %g#3 : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
}
