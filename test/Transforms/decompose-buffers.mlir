// RUN: bochner-opt %s -spectral-decompose -canonicalize -cse \
// RUN:   | mlir-opt -eliminate-empty-tensors -one-shot-bufferize=bufferize-function-boundaries -canonicalize -cse \
// RUN:       -canonicalize \
// RUN:   | FileCheck %s

// The loop over positions updates one state in place and writes results where they belong: nothing of the size of the
// state or the result is allocated or copied in it.
// CHECK-LABEL: func.func @causal(
// CHECK:         %[[RESULT:[^ ,]+]] = memref.alloc(%{{.+}}) {alignment = 64 : i64} : memref<?x2x?x16xf64>
// CHECK:             %[[STATE:[^ ,]+]] = memref.alloc() {alignment = 64 : i64} : memref<32x16xf64>
// CHECK:             scf.for
// CHECK-NOT:           memref<32x16xf64> to
// CHECK-NOT:           memref.alloc{{.*}} memref<32x16xf64>
// CHECK:               outs(%[[STATE]] : memref<32x16xf64>)
// CHECK:               %[[ROW:[^ ,]+]] = memref.subview %[[RESULT]][{{.*}}] [1, 1, 1, 16]
// CHECK:               outs(%[[ROW]]
// CHECK-NOT:           memref.copy
// CHECK:             }
func.func @causal(%q: tensor<?x2x?x32xf64>, %k: tensor<?x2x?x32xf64>, %v: tensor<?x2x?x16xf64>)
    -> tensor<?x2x?x16xf64> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x32xf64>) key(%k : tensor<?x2x?x32xf64>)
      value(%v : tensor<?x2x?x16xf64>) {domain = #spectral.domain<log>, causality = #spectral.causality<causal>}
      features (%x: tensor<?x32xf64>) {
        spectral.yield %x : tensor<?x32xf64>
      } -> tensor<?x2x?x16xf64>
  return %out : tensor<?x2x?x16xf64>
}

// Columns are written in place: one buffer for all features.
// CHECK-LABEL: func.func @trig(
// CHECK-COUNT-1: memref.alloc
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         return
func.func @trig(%u: tensor<?x8xf64>) -> tensor<?x16xf64> {
  %t = spectral.trig %u : tensor<?x8xf64> -> tensor<?x16xf64>
  return %t : tensor<?x16xf64>
}
