// RUN: bochner-opt %s | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -mlir-print-op-generic | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -emit-bytecode | bochner-opt | FileCheck %s
// RUN: bochner-opt %s -canonicalize | FileCheck %s --check-prefix=SIMPLE
// RUN: bochner-opt %s -canonicalize -canonicalize | FileCheck %s --check-prefix=SIMPLE
// RUN: bochner-opt %s -resolve-ranked-shaped-type-result-dims -canonicalize | FileCheck %s --check-prefix=SHAPES

// CHECK-LABEL: func.func @sum(
// CHECK:         spectral.kernel_sum %{{.+}}, %{{.+}} : tensor<?x8x?x4xf32>, tensor<?x8x?x2xf32> -> tensor<?x8x?x6xf32>
// CHECK:         spectral.kernel_sum %{{.+}} {domain = #spectral.domain<log>, weights = array<f64: 5.000000e-01>} :
// CHECK-SAME:      tensor<?x8x?x4xf32> -> tensor<?x8x?x4xf32>
// SHAPES-LABEL: func.func @sum(
// SHAPES-SAME:    %[[A:[^:]+]]: tensor<?x8x?x4xf32>
// SHAPES:         tensor.dim %[[A]], %c2
func.func @sum(%a: tensor<?x8x?x4xf32>, %b: tensor<?x8x?x2xf32>) -> (tensor<?x8x?x6xf32>, tensor<?x8x?x4xf32>, index) {
  %0 = spectral.kernel_sum %a, %b : tensor<?x8x?x4xf32>, tensor<?x8x?x2xf32> -> tensor<?x8x?x6xf32>
  %1 = spectral.kernel_sum %a {weights = array<f64: 0.5>, domain = #spectral.domain<log>}
    : tensor<?x8x?x4xf32> -> tensor<?x8x?x4xf32>
  %c2 = arith.constant 2 : index
  %n = tensor.dim %0, %c2 : tensor<?x8x?x6xf32>
  return %0, %1, %n : tensor<?x8x?x6xf32>, tensor<?x8x?x4xf32>, index
}

// CHECK-LABEL: func.func @product(
// CHECK:         spectral.kernel_product %{{.+}}, %{{.+}} : tensor<?x4xf64>, tensor<?x2xf64> -> tensor<?x8xf64>
// CHECK:         spectral.kernel_product %{{.+}}, %{{.+}} {domain = #spectral.domain<log>} :
func.func @product(%a: tensor<?x4xf64>, %b: tensor<?x2xf64>) -> (tensor<?x8xf64>, tensor<?x8xf64>) {
  %0 = spectral.kernel_product %a, %b : tensor<?x4xf64>, tensor<?x2xf64> -> tensor<?x8xf64>
  %1 = spectral.kernel_product %a, %b {domain = #spectral.domain<log>} : tensor<?x4xf64>, tensor<?x2xf64> -> tensor<?x8xf64>
  return %0, %1 : tensor<?x8xf64>, tensor<?x8xf64>
}

// One kernel of weight one is itself.
// SIMPLE-LABEL: func.func @one(
// SIMPLE-SAME:    %[[A:[^:]+]]:
// SIMPLE-NEXT:    return %[[A]]
func.func @one(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = spectral.kernel_sum %a : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Weights of nested sums multiply.
// SIMPLE-LABEL: func.func @nested(
// SIMPLE-SAME:    %[[A:[^:]+]]: tensor<?x4xf32>, %[[B:[^:]+]]: tensor<?x4xf32>
// SIMPLE-NEXT:    %[[SUM:.+]] = spectral.kernel_sum %[[A]], %[[A]], %[[B]] {weights = array<f64: 2.000000e+00, 1.500000e+00, 1.000000e+00>}
// SIMPLE-NEXT:    return %[[SUM]]
func.func @nested(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x12xf32> {
  %0 = spectral.kernel_sum %a, %b {weights = array<f64: 3.0, 2.0>} : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  %1 = spectral.kernel_sum %a, %0 {weights = array<f64: 2.0, 0.5>} : tensor<?x4xf32>, tensor<?x8xf32> -> tensor<?x12xf32>
  return %1 : tensor<?x12xf32>
}

// A sum with another use, of another domain, or whose weights would overflow stays.
// SIMPLE-LABEL: func.func @keep(
// SIMPLE-COUNT-6: spectral.kernel_sum
func.func @keep(%a: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>) {
  %0 = spectral.kernel_sum %a {weights = array<f64: 3.0>} : tensor<?x4xf32> -> tensor<?x4xf32>
  %1 = spectral.kernel_sum %a, %0 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  %2 = spectral.kernel_sum %a {weights = array<f64: 5.0>, domain = #spectral.domain<log>} : tensor<?x4xf32> -> tensor<?x4xf32>
  %3 = spectral.kernel_sum %a, %2 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  %4 = spectral.kernel_sum %a {weights = array<f64: 1.0e300>} : tensor<?x4xf32> -> tensor<?x4xf32>
  %5 = spectral.kernel_sum %4 {weights = array<f64: 1.0e300>} : tensor<?x4xf32> -> tensor<?x4xf32>
  return %0, %1, %3, %5 : tensor<?x4xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x4xf32>
}
