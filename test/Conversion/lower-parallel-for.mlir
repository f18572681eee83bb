// RUN: bochner-opt %s -split-input-file -spectral-lower-parallel-for | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-lower-parallel-for -spectral-lower-parallel-for | FileCheck %s

// Captures are packed on the stack of the entry block, also for a loop in a loop; two loops over a task share its runner.

// CHECK-LABEL: func.func private @task(
// CHECK-LABEL: llvm.func internal @task.run(
// CHECK-SAME:    %[[CONTEXT:.+]]: !llvm.ptr, %[[INDEX:.+]]: i64, %[[SCRATCH:.+]]: !llvm.ptr)
// CHECK:         %[[BYTES:.+]] = llvm.mlir.constant(128 : i64)
// CHECK-DAG:     %[[I:.+]] = builtin.unrealized_conversion_cast %[[INDEX]] : i64 to index
// CHECK-DAG:     llvm.insertvalue %[[SCRATCH]], %{{.+}}[1]
// CHECK-DAG:     llvm.insertvalue %[[BYTES]], %{{.+}}[3, 0]
// CHECK-DAG:     %[[S:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<?xi8>
// CHECK:         llvm.getelementptr %[[CONTEXT]][0, 0]
// CHECK:         %[[X:.+]] = builtin.unrealized_conversion_cast %{{.+}} to memref<?x64xf32, strided<[?, 1]>>
// CHECK:         llvm.getelementptr %[[CONTEXT]][0, 1]
// CHECK:         %[[F:.+]] = llvm.load %{{.+}} : !llvm.ptr -> f32
// CHECK:         %[[N:.+]] = builtin.unrealized_conversion_cast %{{.+}} : i64 to index
// CHECK:         call @task(%[[I]], %[[S]], %[[X]], %[[F]], %[[N]])
// CHECK-NOT:   @task.run_
// CHECK-LABEL: func.func @entry(
// CHECK-SAME:    %[[ENV:.+]]: !llvm.ptr, %[[X:.+]]: memref<?x64xf32, strided<[?, 1]>>,
// CHECK-SAME:    attributes {spectral.scratch_bytes = 128 : i64}
// CHECK:         %[[SECOND:.+]] = llvm.alloca %{{.+}} x !llvm.struct<(struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>, f32, i64)>
// CHECK:         %[[FIRST:.+]] = llvm.alloca
// CHECK:         llvm.store %{{.+}}, %{{.+}} : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>, !llvm.ptr
// CHECK:         %[[PARALLEL:.+]] = llvm.load %[[ENV]] : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[TASK:.+]] = llvm.mlir.addressof @task.run
// CHECK:         llvm.call %[[PARALLEL]](%[[ENV]], %[[TASK]], %[[FIRST]], %{{.+}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
// CHECK:         scf.for
// CHECK:           llvm.call %{{.+}}(%[[ENV]], %{{.+}}, %[[SECOND]], %{{.+}})
func.func private @task(%i: index, %scratch: memref<?xi8>, %x: memref<?x64xf32, strided<[?, 1]>>, %f: f32, %n: index)
    attributes {spectral.scratch_bytes = 128 : i64} {
  return
}
func.func @entry(%x: memref<?x64xf32, strided<[?, 1]>>, %f: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  spectral.parallel_for @task count(%n) args(%x, %f, %n : memref<?x64xf32, strided<[?, 1]>>, f32, index)
  scf.for %i = %c0 to %n step %c1 {
    spectral.parallel_for @task count(%n) args(%x, %f, %i : memref<?x64xf32, strided<[?, 1]>>, f32, index)
  }
  return
}

// -----

// CHECK-LABEL: func.func @serial(%{{.+}}: index) {
func.func @serial(%n: index) {
  return
}
