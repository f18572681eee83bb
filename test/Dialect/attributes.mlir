// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s

// CHECK-LABEL: func.func private @schedule()
// CHECK-SAME:      spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
// CHECK-SAME:      register_columns = 64, row_chunk = 1024>
func.func private @schedule() attributes {
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                                         row_chunk = 1024>
}

// Each initializer, with its parameter where it has one.
// CHECK-LABEL: func.func private @initializers(
// CHECK-SAME:      bochner.dims = ["N", "D"], bochner.init = "normal(0.125)", bochner.name = "param_w"
// CHECK-SAME:      bochner.init = "uniform(1e-3)"
// CHECK-SAME:      bochner.init = "normal"
// CHECK-SAME:      bochner.init = "zeros"
// CHECK-SAME:      bochner.init = "permutation"
// CHECK-SAME:      bochner.init = "mask"
// CHECK-SAME:      bochner.init = "offsets"
// CHECK-SAME:      bochner.init = "offsets(S)"
// CHECK-SAME:      bochner.name = "out"
func.func private @initializers(
    tensor<?x8xf32> {bochner.name = "param_w", bochner.init = "normal(0.125)", bochner.dims = ["N", "D"]},
    tensor<8xf32> {bochner.init = "uniform(1e-3)"}, tensor<8xf32> {bochner.init = "normal"},
    tensor<8xf32> {bochner.init = "zeros"}, tensor<8xf32> {bochner.init = "ones"},
    tensor<8xf32> {bochner.init = "signs"}, tensor<8xf32> {bochner.init = "chi"},
    tensor<8xi64> {bochner.init = "permutation"}, tensor<8xi1> {bochner.init = "mask"},
    tensor<?xi64> {bochner.init = "offsets"}, tensor<?xi64> {bochner.init = "offsets(S)"}, tensor<f32> {bochner.dims = []})
    -> (tensor<?x8xf32> {bochner.name = "out"})

// CHECK-LABEL: func.func private @updates(
// CHECK-SAME:      -> (tensor<8xf32> {bochner.name = "next", bochner.updates = "state"})
func.func private @updates(tensor<8xf32> {bochner.name = "state"})
    -> (tensor<8xf32> {bochner.name = "next", bochner.updates = "state"})

// CHECK-LABEL: func.func private @operation()
// CHECK-SAME:      bochner.attributes = "{}"
func.func private @operation() attributes {bochner.attributes = "{}"}

// Attributes with the prefix of another dialect are not the operation's business.
// CHECK-LABEL: func.func @discardable(
// CHECK:         spectral.hadamard %{{.+}} {test.note} :
func.func @discardable(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = spectral.hadamard %x {test.note} : tensor<4x8xf32> -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
