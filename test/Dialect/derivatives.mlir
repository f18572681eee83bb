// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -mlir-print-op-generic | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s

func.func private @f(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>) -> (tensor<?xf32>, tensor<4xf64>) {
  %y = tensor.empty(%n) : tensor<?xf32>
  return %y, %w : tensor<?xf32>, tensor<4xf64>
}

// CHECK-LABEL: func.func @vjp(
// CHECK:         spectral.vjp @f inputs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x4xf32>, index, tensor<4xf64>)
// CHECK-SAME:      cotangents(%{{.+}}, %{{.+}} : tensor<?xf32>, tensor<4xf64>) wrt [2, 0]
// CHECK-SAME:      -> tensor<?xf32>, tensor<4xf64>, tensor<4xf64>, tensor<?x4xf32>
func.func @vjp(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>, %cot: tensor<?xf32>) -> tensor<?x4xf32> {
  %r:4 = spectral.vjp @f inputs(%x, %n, %w : tensor<?x4xf32>, index, tensor<4xf64>)
    cotangents(%cot, %w : tensor<?xf32>, tensor<4xf64>) wrt [2, 0]
    -> tensor<?xf32>, tensor<4xf64>, tensor<4xf64>, tensor<?x4xf32>
  return %r#3 : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @jvp(
// CHECK:         spectral.jvp @f inputs(%{{.+}}, %{{.+}}, %{{.+}} : tensor<?x4xf32>, index, tensor<4xf64>)
// CHECK-SAME:      tangents(%{{.+}} : tensor<?x4xf32>) wrt [0]
// CHECK-SAME:      -> tensor<?xf32>, tensor<4xf64>, tensor<?xf32>, tensor<4xf64>
func.func @jvp(%x: tensor<?x4xf32>, %n: index, %w: tensor<4xf64>) -> tensor<?xf32> {
  %r:4 = spectral.jvp @f inputs(%x, %n, %w : tensor<?x4xf32>, index, tensor<4xf64>) tangents(%x : tensor<?x4xf32>)
    wrt [0] -> tensor<?xf32>, tensor<4xf64>, tensor<?xf32>, tensor<4xf64>
  return %r#2 : tensor<?xf32>
}
