// RUN: bochner-opt %s -spectral-unroll-short-loops -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @words(
// CHECK:         scf.for %[[I:.+]] = %c0 to
// CHECK-NOT:       scf.for
// CHECK:           memref.store %{{.+}}, %{{.+}}[%[[I]], %c0]
// CHECK-NEXT:      memref.store %{{.+}}, %{{.+}}[%[[I]], %c1]
// CHECK-NEXT:      memref.store %{{.+}}, %{{.+}}[%[[I]], %c2]
// CHECK-NEXT:      memref.store %{{.+}}, %{{.+}}[%[[I]], %c3]
func.func @words(%x: memref<?x4xf32>, %f: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %c4 step %c1 {
      memref.store %f, %x[%i, %j] : memref<?x4xf32>
    }
  }
  return
}

// Left alone: more iterations, a number that is not known, a loop that stands by itself.

// CHECK-LABEL: func.func @alone(
// CHECK-COUNT-5: scf.for
func.func @alone(%x: memref<?x5xf32>, %f: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %c5 step %c1 {
      memref.store %f, %x[%i, %j] : memref<?x5xf32>
    }
    scf.for %j = %c0 to %n step %c1 {
      scf.for %k = %c1 to %i step %c1 {
        memref.store %f, %x[%k, %j] : memref<?x5xf32>
      }
    }
  }
  scf.for %j = %c0 to %c3 step %c1 {
    memref.store %f, %x[%j, %j] : memref<?x5xf32>
  }
  return
}
