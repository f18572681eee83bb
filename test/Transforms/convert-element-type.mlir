// RUN: bochner-opt %s -split-input-file -spectral-convert-element-type | FileCheck %s --check-prefixes=CHECK,F64
// RUN: bochner-opt %s -split-input-file -spectral-convert-element-type=to=f32 | FileCheck %s --check-prefixes=CHECK,F32
// RUN: bochner-opt %s -split-input-file -spectral-convert-element-type -spectral-convert-element-type \
// RUN:   | FileCheck %s --check-prefixes=CHECK,F64

// Signatures with their attributes, constants and bodies change; integers and strings do not. Constants keep the value
// of their old type.
// F64-LABEL: func.func @graph(
// F64-SAME:      %[[X:[^:]+]]: tensor<?x4xf64> {bochner.dims = ["N", "D"], bochner.name = "x"}, %{{[^:]+}}: tensor<4xi64>,
// F64-SAME:      %{{[^:]+}}: f64) -> (tensor<?x4xf64> {bochner.name = "out"})
// F64-DAG:     arith.constant 0.10000000149011612 : f64
// F64-DAG:     arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, -5.000000e-01]> : tensor<4xf64>
// F64-DAG:     arith.constant dense<0.10009765625> : tensor<2xf64>
// F64:         linalg.generic {{.*}} ins(%[[X]], %{{.+}} : tensor<?x4xf64>, tensor<4xf64>) outs(%{{.+}} : tensor<?x4xf64>)
// F64-NEXT:    ^bb0(%{{.+}}: f64, %{{.+}}: f64, %{{.+}}: f64):
// F64:           math.exp %{{.+}} : f64
// F32-LABEL: func.func @graph(
// F32-SAME:      %[[X:[^:]+]]: tensor<?x4xf32> {{.*}}, %{{[^:]+}}: tensor<4xi64>, %{{[^:]+}}: f32) -> (tensor<?x4xf32>
// F32-DAG:     arith.constant 1.000000e-01 : f32
// F32-DAG:     arith.constant dense<0.100097{{[0-9]*}}> : tensor<2xf32>
func.func @graph(%x: tensor<?x4xf32> {bochner.name = "x", bochner.dims = ["N", "D"]}, %p: tensor<4xi64>, %s: f16)
    -> (tensor<?x4xf32> {bochner.name = "out"}) {
  %c = arith.constant 0.1 : f32
  %w = arith.constant dense<[1.0, 2.0, 3.0, -0.5]> : tensor<4xf32>
  %b = arith.constant dense<0.1> : tensor<2xbf16>
  %y = linalg.generic {indexing_maps = [affine_map<(n, d) -> (n, d)>, affine_map<(n, d) -> (d)>,
                                        affine_map<(n, d) -> (n, d)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %w : tensor<?x4xf32>, tensor<4xf32>) outs(%x : tensor<?x4xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %0 = arith.mulf %a, %g : f32
    %1 = arith.mulf %0, %c : f32
    %2 = math.exp %1 : f32
    linalg.yield %2 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Extensions and truncations between floating-point types are gone, conversions from integers stay.
// CHECK-LABEL: func.func @casts(
// F64-SAME:      %[[X:[^:]+]]: f64, %[[I:[^:]+]]: i32) -> (f64, f64)
// F32-SAME:      %[[X:[^:]+]]: f32, %[[I:[^:]+]]: i32) -> (f32, f32)
// CHECK-NOT:     arith.extf
// CHECK-NOT:     arith.truncf
// CHECK:         %[[CONVERTED:[^ ,]+]] = arith.sitofp %[[I]]
// CHECK:         return %[[X]], %[[CONVERTED]]
func.func @casts(%x: bf16, %i: i32) -> (bf16, f64) {
  %wide = arith.extf %x : bf16 to f32
  %narrow = arith.truncf %wide : f32 to bf16
  %f = arith.sitofp %i : i32 to f64
  return %narrow, %f : bf16, f64
}

// -----

// Numbers of the formula are f64 by definition; regions, loops and calls change with the rest.
// CHECK-LABEL: func.func @spectral(
// F64:           call @helper(%{{.+}}) : (f64) -> f64
// F64:           scf.for {{.*}} -> (f64)
// F64:           spectral.feature_map rows(%{{.+}} : tensor<?x?x?x4xf64>)
// F64:           features (%{{.+}}: tensor<?x4xf64>)
// F64:             spectral.trig %{{.+}} {amplitude = 5.000000e-01 : f64} : tensor<?x4xf64> -> tensor<?x8xf64>
// F32:           call @helper(%{{.+}}) : (f32) -> f32
// F32:             spectral.trig %{{.+}} {amplitude = 5.000000e-01 : f64} : tensor<?x4xf32> -> tensor<?x8xf32>
func.func private @helper(f16) -> f16
func.func @spectral(%x: tensor<?x?x?x4xf16>, %s: f16, %n: index) -> (tensor<?x?x?x8xf16>, f16) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %called = func.call @helper(%s) : (f16) -> f16
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%a = %called) -> f16 {
    %next = arith.addf %a, %s : f16
    scf.yield %next : f16
  }
  %phi = spectral.feature_map rows(%x : tensor<?x?x?x4xf16>) features (%tile: tensor<?x4xf16>) {
    %t = spectral.trig %tile {amplitude = 0.5 : f64} : tensor<?x4xf16> -> tensor<?x8xf16>
    spectral.yield %t : tensor<?x8xf16>
  } -> tensor<?x?x?x8xf16>
  return %phi, %sum : tensor<?x?x?x8xf16>, f16
}

// -----

// The type of a state is an element type like any other; eps stays f64.
// CHECK-LABEL: func.func @state(
// F64:           spectral.linear_attention {{.*}} {eps = 1.000000e-01 : f64, return_state, state_type = f64}
// F64:             -> tensor<?x2x?x4xf64>, tensor<?x2x4x4xf64>, tensor<?x2x4xf64>
// F64:           spectral.attention_state {{.*}} {state_type = f64}
// F64:             -> tensor<?x2x4x4xf64>, tensor<?x2x4xf64>
// F32:           spectral.linear_attention {{.*}} {eps = 1.000000e-01 : f64, return_state, state_type = f32}
func.func @state(%x: tensor<?x2x?x4xf16>) -> tensor<?x2x?x4xf16> {
  %out:3 = spectral.linear_attention query(%x : tensor<?x2x?x4xf16>) key(%x : tensor<?x2x?x4xf16>)
      value(%x : tensor<?x2x?x4xf16>) {eps = 0.1 : f64, return_state, state_type = bf16}
      features (%row: tensor<?x4xf16>) {
        spectral.yield %row : tensor<?x4xf16>
      } -> tensor<?x2x?x4xf16>, tensor<?x2x4x4xbf16>, tensor<?x2x4xf32>
  %state:2 = spectral.attention_state key(%x : tensor<?x2x?x4xf16>) value(%x : tensor<?x2x?x4xf16>) {state_type = f16}
      features (%row: tensor<?x4xf16>) {
        spectral.yield %row : tensor<?x4xf16>
      } -> tensor<?x2x4x4xf16>, tensor<?x2x4xf32>
  return %out#0 : tensor<?x2x?x4xf16>
}

// -----

// 16-bit resources and constants of many values keep their values.
// CHECK-LABEL: func.func @short_resource(
// F64-DAG:       arith.constant dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf64>
// F64-DAG:       arith.constant dense<[1.500000e+00, 0.10009765625]> : tensor<2xf64>
// F64-DAG:       arith.constant dense<[0.099975585937{{[0-9]+}}, 3.000000e+00]> : tensor<2xf64>
func.func @short_resource() -> (tensor<2xbf16>, tensor<2xbf16>, tensor<2xf16>) {
  %w = arith.constant dense_resource<short> : tensor<2xbf16>
  %b = arith.constant dense<[1.5, 0.1]> : tensor<2xbf16>
  %h = arith.constant dense<[0.1, 3.0]> : tensor<2xf16>
  return %w, %b, %h : tensor<2xbf16>, tensor<2xbf16>, tensor<2xf16>
}
{-#
  dialect_resources: {
    builtin: {
      short: "0x02000000803F00C0"
    }
  }
#-}

// -----

// A resource becomes a plain constant.
// CHECK-LABEL: func.func @resource(
// F64:           arith.constant dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf64>
// F32:           arith.constant dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf32>
// CHECK:         arith.constant dense_resource<indices> : tensor<1xi64>
func.func @resource() -> (tensor<2xf32>, tensor<1xi64>) {
  %w = arith.constant dense_resource<weights> : tensor<2xf32>
  %i = arith.constant dense_resource<indices> : tensor<1xi64>
  return %w, %i : tensor<2xf32>, tensor<1xi64>
}
{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F000000C0",
      indices: "0x080000000700000000000000"
    }
  }
#-}
