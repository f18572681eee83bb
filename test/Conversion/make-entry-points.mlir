// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-make-entry-points | FileCheck %s

// Environment first, then the array of descriptors; an offset moves the pointer, for the type promises 0.

// CHECK-LABEL: func.func @bochner.entry.f(
// CHECK-SAME:    %[[ENV:.+]]: !llvm.ptr, %[[DESCRIPTORS:.+]]: !llvm.ptr)
// CHECK-SAME:    passthrough = {{\[\[}}"bochner-optimize", "full"]], spectral.scratch_bytes = 64 : i64
// CHECK:         %[[PLACE:.+]] = llvm.getelementptr %[[DESCRIPTORS]][0]
// CHECK:         %[[ADDRESS:.+]] = llvm.load %[[PLACE]]
// CHECK:         %[[DESCRIPTOR:.+]] = llvm.load %[[ADDRESS]] : !llvm.ptr -> !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>
// CHECK:         %[[ALIGNED:.+]] = llvm.extractvalue %[[DESCRIPTOR]][1]
// CHECK:         %[[OFFSET:.+]] = llvm.extractvalue %[[DESCRIPTOR]][2]
// CHECK:         %[[START:.+]] = llvm.getelementptr %[[ALIGNED]][%[[OFFSET]]] {{.*}}, f32
// CHECK:         llvm.insertvalue %[[START]], %{{.+}}[1]
// CHECK:         %[[X:.+]] = builtin.unrealized_conversion_cast {{.*}} to memref<?x64xf32, strided<[?, 1]>>
// CHECK:         llvm.getelementptr %[[DESCRIPTORS]][1]
// CHECK:         llvm.load %{{.+}} : !llvm.ptr -> !llvm.struct<(ptr, ptr, i64)>
// CHECK:         %[[PLACE:.+]] = llvm.getelementptr %[[ENV]][1]
// CHECK:         llvm.load %[[PLACE]]
// CHECK:         %[[W:.+]] = builtin.unrealized_conversion_cast {{.*}} to memref<?xi8>
// CHECK:         memref.view %[[W]]
// CHECK:         linalg.copy ins(%[[X]]
// CHECK-LABEL: func.func @bochner.workspace.f(
// CHECK-SAME:    %{{.+}}: !llvm.ptr) -> i64
// CHECK-NOT:     private
func.func @f(%env: !llvm.ptr, %x: memref<?x64xf32, strided<[?, 1]>>, %s: memref<f32>, %w: memref<?xi8> {spectral.workspace})
    attributes {spectral.scratch_bytes = 64 : i64, spectral.workspace_size = @f.workspace} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x64xf32, strided<[?, 1]>>
  %t = memref.view %w[%c0][%n] : memref<?xi8> to memref<?x64xf32>
  linalg.copy ins(%x : memref<?x64xf32, strided<[?, 1]>>) outs(%t : memref<?x64xf32>)
  return
}
func.func private @f.workspace(%x: memref<?x64xf32, strided<[?, 1]>>, %s: memref<f32>) -> i64 {
  %size = arith.constant 64 : i64
  return %size : i64
}

// -----

// CHECK-LABEL: func.func @bochner.entry.plain(%{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr)
func.func @plain(%x: memref<4xf32>) {
  return
}
// CHECK: func.func private @task(index)
func.func private @task(index)

// -----

// expected-error @below {{expected argument 1 of public function 'scalar' to be a tensor or a buffer, but got 'f32'; pass a scalar as a tensor of rank 0}}
func.func @scalar(%s: f32) {
  return
}
