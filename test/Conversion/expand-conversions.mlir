// RUN: bochner-opt %s -spectral-expand-conversions | FileCheck %s --check-prefixes=CHECK,SOFT
// RUN: bochner-opt %s -spectral-expand-conversions -spectral-expand-conversions | FileCheck %s --check-prefixes=CHECK,SOFT
// RUN: bochner-opt %s -spectral-expand-conversions=f16c=1 | FileCheck %s --check-prefixes=CHECK,F16C

// A bf16 is the upper half of an f32.
// CHECK-LABEL: func.func @extend_bf16(
// CHECK-SAME:    %[[X:.+]]: bf16) -> f32
// CHECK-DAG:     %[[C16:.+]] = arith.constant 16 : i32
// CHECK-DAG:     %[[HALF:.+]] = arith.bitcast %[[X]] : bf16 to i16
// CHECK-DAG:     %[[LOW:.+]] = arith.extui %[[HALF]] : i16 to i32
// CHECK:         %[[HIGH:.+]] = arith.shli %[[LOW]], %[[C16]] : i32
// CHECK:         %[[Y:.+]] = arith.bitcast %[[HIGH]] : i32 to f32
// CHECK:         return %[[Y]]
func.func @extend_bf16(%x: bf16) -> f32 {
  %y = arith.extf %x : bf16 to f32
  return %y : f32
}

// CHECK-LABEL: func.func @vectors(
// CHECK-NOT:     arith.truncf {{.*}} to vector<8xbf16>
// CHECK:         arith.cmpf uno, %{{.+}}, %{{.+}} : vector<8xf32>
// CHECK:         arith.trunci %{{.+}} : vector<8xi32> to vector<8xi16>
// CHECK:         arith.bitcast %{{.+}} : vector<8xi16> to vector<8xbf16>
func.func @vectors(%x: vector<8xf32>) -> vector<8xbf16> {
  %y = arith.truncf %x : vector<8xf32> to vector<8xbf16>
  return %y : vector<8xbf16>
}

// Instructions of F16C stay, where there are some.
// CHECK-LABEL: func.func @f16(
// SOFT-NOT:      arith.extf
// SOFT-NOT:      arith.truncf
// F16C:          arith.extf %{{.+}} : vector<8xf16> to vector<8xf32>
// F16C:          arith.truncf %{{.+}} : f32 to f16
// CHECK:         return
func.func @f16(%x: vector<8xf16>, %y: f32) -> (vector<8xf32>, f16) {
  %0 = arith.extf %x : vector<8xf16> to vector<8xf32>
  %1 = arith.truncf %y : f32 to f16
  return %0, %1 : vector<8xf32>, f16
}

// f64 comes and goes by way of f32; on the way down that is rounded to odd, not to nearest.
// CHECK-LABEL: func.func @f64(
// CHECK-NOT:     arith.extf {{.*}}f16 to f64
// CHECK-NOT:     arith.truncf {{.*}}f64 to {{b?}}f16
// CHECK:         arith.extf %{{.+}} : f32 to f64
// CHECK:         %[[NEAR:.+]] = arith.truncf %[[WIDE:.+]] : f64 to f32
// CHECK:         %[[BACK:.+]] = arith.extf %[[NEAR]] : f32 to f64
// CHECK:         arith.cmpf ogt
// CHECK:         %[[INEXACT:.+]] = arith.cmpf one, %[[BACK]], %[[WIDE]] : f64
// CHECK:         arith.extui %[[INEXACT]] : i1 to i32
// CHECK:         return
func.func @f64(%x: f16, %y: f64) -> (f64, bf16, f16) {
  %0 = arith.extf %x : f16 to f64
  %1 = arith.truncf %y : f64 to bf16
  %2 = arith.truncf %y : f64 to f16
  return %0, %1, %2 : f64, bf16, f16
}

// Arithmetic and functions of 16-bit numbers run in f32; what only moves them stays.
// CHECK-LABEL: func.func @arithmetic(
// CHECK:         arith.mulf %{{.+}}, %{{.+}} : f32
// CHECK:         math.exp %{{.+}} : f32
// CHECK:         arith.cmpf olt, %{{.+}}, %{{.+}} : f32
// CHECK:         arith.select %{{.+}}, %{{.+}}, %{{.+}} : bf16
// CHECK:         vector.fma %{{.+}}, %{{.+}}, %{{.+}} : vector<4xf32>
// CHECK:         arith.sitofp %{{.+}} : i32 to f32
// CHECK-NOT:     arith.{{addf|mulf|cmpf}} {{.*}}bf16
// CHECK:         return
func.func @arithmetic(%x: bf16, %y: bf16, %v: vector<4xbf16>, %i: i32) -> (bf16, vector<4xbf16>, bf16) {
  %0 = arith.mulf %x, %y : bf16
  %1 = math.exp %0 : bf16
  %2 = arith.cmpf olt, %1, %x : bf16
  %3 = arith.select %2, %1, %y : bf16
  %4 = vector.fma %v, %v, %v : vector<4xbf16>
  %5 = arith.sitofp %i : i32 to bf16
  return %3, %4, %5 : bf16, vector<4xbf16>, bf16
}

// Left alone: other types, and tensors, whose loops do not exist yet.
// CHECK-LABEL: func.func @others(
// CHECK:         arith.extf %{{.+}} : f32 to f64
// CHECK:         arith.extf %{{.+}} : tensor<4xbf16> to tensor<4xf32>
// CHECK:         arith.mulf %{{.+}}, %{{.+}} : tensor<4xbf16>
func.func @others(%x: f32, %t: tensor<4xbf16>) -> (f64, tensor<4xf32>, tensor<4xbf16>) {
  %0 = arith.extf %x : f32 to f64
  %1 = arith.extf %t : tensor<4xbf16> to tensor<4xf32>
  %2 = arith.mulf %t, %t : tensor<4xbf16>
  return %0, %1, %2 : f64, tensor<4xf32>, tensor<4xbf16>
}
