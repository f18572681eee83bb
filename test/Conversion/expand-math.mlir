// RUN: bochner-opt %s -spectral-expand-math | FileCheck %s
// RUN: bochner-opt %s -spectral-expand-math -spectral-expand-math | FileCheck %s
// RUN: bochner-opt %s -spectral-expand-math=fma=0 | FileCheck %s --check-prefix=NOFMA
// NOFMA-NOT: math.fma

// Nothing is left to call, neither of scalars nor of vectors.

// CHECK-LABEL: func.func @scalars(
// CHECK-NOT:     math.{{exp|log|sin|cos|tanh|rsqrt|erf}}
// CHECK:         return
func.func @scalars(%x: f32, %y: f64) -> (f32, f64) {
  %0 = math.exp %x : f32
  %1 = math.exp2 %0 : f32
  %2 = math.expm1 %1 : f32
  %3 = math.log %2 : f32
  %4 = math.log2 %3 : f32
  %5 = math.log10 %4 : f32
  %6 = math.log1p %5 : f32
  %7 = math.sin %6 : f32
  %8 = math.cos %7 : f32
  %9 = math.tanh %8 : f32
  %10 = math.rsqrt %9 : f32
  %11 = math.erf %10 : f32
  %12 = math.exp %y : f64
  %13 = math.tanh %12 : f64
  return %11, %13 : f32, f64
}

// CHECK-LABEL: func.func @vectors(
// CHECK-SAME:    %[[X:.+]]: vector<8xf32>)
// CHECK:         arith.cmpf olt, %[[X]], %{{.+}} : vector<8xf32>
// CHECK:         math.fma {{.*}} : vector<8xf32>
// CHECK-NOT:     math.exp
// CHECK:         return
func.func @vectors(%x: vector<8xf32>) -> vector<8xf32> {
  %0 = math.exp %x : vector<8xf32>
  return %0 : vector<8xf32>
}

// Left alone: types without a polynomial, and what is an instruction anyway.

// CHECK-LABEL: func.func @alone(
// CHECK:         math.exp %{{.+}} : f16
// CHECK:         math.erf %{{.+}} : f64
// CHECK:         math.exp %{{.+}} : vector<[4]xf32>
// CHECK:         math.sqrt %{{.+}} : f64
func.func @alone(%h: f16, %y: f64, %s: vector<[4]xf32>) -> (f16, f64, vector<[4]xf32>, f64) {
  %0 = math.exp %h : f16
  %1 = math.erf %y : f64
  %2 = math.exp %s : vector<[4]xf32>
  %3 = math.sqrt %y : f64
  return %0, %1, %2, %3 : f16, f64, vector<[4]xf32>, f64
}
