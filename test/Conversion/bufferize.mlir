// RUN: bochner-opt %s -split-input-file -spectral-bufferize | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-bufferize -spectral-bufferize | FileCheck %s

// The kernel writes to the caller's buffer; arguments have any strides but a contiguous last dimension.

// CHECK-LABEL: func.func @launch(
// CHECK-SAME:    %[[X:.+]]: memref<?x64xf32, strided<[?, 1]>> {bochner.name = "x"},
// CHECK-SAME:    %[[OUT:.+]]: memref<?x64xf32, strided<[?, 1]>> {bochner.name = "out"})
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     linalg.copy
// CHECK:         call @kernel(%[[X]], %[[OUT]])
// CHECK-NEXT:    return
func.func private @kernel(memref<?x64xf32, strided<[?, 1]>>, memref<?x64xf32, strided<[?, 1]>>)
func.func @launch(%x: tensor<?x64xf32> {bochner.name = "x"}) -> (tensor<?x64xf32> {bochner.name = "out", bochner.updates = "x"}) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  %init = tensor.empty(%n) : tensor<?x64xf32>
  %y = spectral.launch @kernel ins(%x : tensor<?x64xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// A temporary between two kernels has a layout that the kernel's type includes.

// CHECK-LABEL: func.func @chain(
// CHECK-SAME:    %[[X:.+]]: memref<4x8xf32, strided<[?, 1]>>, %[[OUT:.+]]: memref<4x8xf32, strided<[?, 1]>>)
// CHECK:         %[[T:.+]] = memref.alloc() {{.*}} : memref<4x8xf32>
// CHECK:         %[[CAST:.+]] = memref.cast %[[T]]
// CHECK:         call @kernel(%[[X]], %[[CAST]])
// CHECK:         %[[CAST:.+]] = memref.cast %[[T]]
// CHECK:         call @kernel(%[[CAST]], %[[OUT]])
func.func private @kernel(memref<4x8xf32, strided<[?, 1]>>, memref<4x8xf32, strided<[?, 1]>>)
func.func @chain(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %a = tensor.empty() : tensor<4x8xf32>
  %b = tensor.empty() : tensor<4x8xf32>
  %y = spectral.launch @kernel ins(%x : tensor<4x8xf32>) outs(%a : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = spectral.launch @kernel ins(%y : tensor<4x8xf32>) outs(%b : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %z : tensor<4x8xf32>
}

// -----

// A view with an offset is copied for a kernel that takes none.

// CHECK-LABEL: func.func @offset(
// CHECK:         %[[VIEW:.+]] = memref.subview
// CHECK:         %[[COPY:.+]] = memref.alloc() {{.*}} : memref<4x8xf32>
// CHECK:         linalg.copy ins(%[[VIEW]] {{.*}} outs(%[[COPY]]
// CHECK:         %[[CAST:.+]] = memref.cast %[[COPY]]
// CHECK:         call @kernel(%[[CAST]], %{{.+}})
func.func private @kernel(memref<4x8xf32, strided<[?, 1]>>, memref<4x8xf32, strided<[?, 1]>>)
func.func @offset(%x: tensor<4x16xf32>) -> tensor<4x8xf32> {
  %half = tensor.extract_slice %x[0, 8] [4, 8] [1, 1] : tensor<4x16xf32> to tensor<4x8xf32>
  %init = tensor.empty() : tensor<4x8xf32>
  %y = spectral.launch @kernel ins(%half : tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// Results that are arguments, or the same twice, are copies; vectors and scalars have no strides.

// CHECK-LABEL: func.func @twice(
// CHECK-SAME:    %[[X:.+]]: memref<?xf32>, %[[S:.+]]: memref<f64>, %[[A:.+]]: memref<?xf32>, %[[B:.+]]: memref<?xf32>,
// CHECK-SAME:    %[[C:.+]]: memref<f64>)
// CHECK:         linalg.copy ins(%[[X]] : memref<?xf32>) outs(%[[A]] : memref<?xf32>)
// CHECK:         linalg.copy ins(%[[X]] : memref<?xf32>) outs(%[[B]] : memref<?xf32>)
// CHECK:         linalg.copy ins(%[[S]] : memref<f64>) outs(%[[C]] : memref<f64>)
func.func @twice(%x: tensor<?xf32>, %s: tensor<f64>) -> (tensor<?xf32>, tensor<?xf32>, tensor<f64>) {
  return %x, %x, %s : tensor<?xf32>, tensor<?xf32>, tensor<f64>
}

// -----

// The caller's arguments are not written.

// CHECK-LABEL: func.func @readonly(
// CHECK-SAME:    %[[X:.+]]: memref<4xf32>, %[[OUT:.+]]: memref<4xf32>)
// CHECK-NOT:     memref.store %{{.+}}, %[[X]]
// CHECK:         linalg.copy ins(%[[X]]{{.*}} outs(%[[T:[^ ]+]] :
// CHECK:         memref.store %{{.+}}, %[[T]]
func.func @readonly(%x: tensor<4xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %y = tensor.insert %one into %x[%c0] : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// A public function that is also called has a copy for its callers.

// CHECK-LABEL: func.func @outer(
// CHECK:         call @[[COPY:inner_.+]](%{{.+}}) : (memref<4xf32>) -> memref<4xf32>
// CHECK:       func.func @inner(%{{.+}}: memref<4xf32>, %{{.+}}: memref<4xf32>)
// CHECK:       func.func private @[[COPY]](
func.func @outer(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @inner(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @inner(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// What a loop computes anew each time goes to the buffer that it carries: at once if that is not read any more,
// otherwise by a copy.

// CHECK-LABEL: func.func @carry(
// CHECK-SAME:    %[[X:[^:]+]]: memref<4x4xf32, strided<[?, 1]>>,
// CHECK:         scf.for {{.*}} iter_args(%[[A:.+]] = %{{.+}}, %[[B:.+]] = %{{.+}}) -> (memref<4x4xf32{{.*}}, memref<4x4xf32
// CHECK:           linalg.add ins(%[[A]], %[[X]] {{.*}} outs(%[[A]]
// CHECK:           linalg.matmul ins(%[[B]], %[[X]] {{.*}} outs(%[[T:.+]] :
// CHECK-NOT:       linalg.copy ins(%[[A]]
// CHECK:           linalg.copy ins(%[[T]] {{.*}} outs(%[[B]]
// CHECK:           scf.yield %[[A]], %[[B]]
func.func @carry(%x: tensor<4x4xf32>, %n: tensor<index>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %count = tensor.extract %n[] : tensor<index>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %y:2 = scf.for %i = %c0 to %count step %c1 iter_args(%a = %x, %b = %x) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %sum = linalg.add ins(%a, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
    %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
    %product = linalg.matmul ins(%b, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %sum, %product : tensor<4x4xf32>, tensor<4x4xf32>
  }
  return %y#0, %y#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Two carried tensors that change places need a temporary.

// CHECK-LABEL: func.func @exchange(
// CHECK:         scf.for {{.*}} iter_args(%[[A:.+]] = %{{.+}}, %[[B:.+]] = %{{.+}})
// CHECK-DAG:       linalg.copy ins(%[[A]] {{.*}} outs(%[[TA:.+]] :
// CHECK-DAG:       linalg.copy ins(%[[B]] {{.*}} outs(%[[TB:.+]] :
// CHECK-DAG:       linalg.copy ins(%[[TB]] {{.*}} outs(%[[A]]
// CHECK-DAG:       linalg.copy ins(%[[TA]] {{.*}} outs(%[[B]]
// CHECK:           scf.yield %[[A]], %[[B]]
func.func @exchange(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %z:2 = scf.for %i = %c0 to %c5 step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %z#0, %z#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Two dynamic sizes of one group: neither can be computed from the other alone.

// CHECK-LABEL: func.func @unfold(
// CHECK-SAME:    %[[X:.+]]: memref<?x4xf32
// CHECK-NOT:     memref.expand_shape
// CHECK:         memref.reinterpret_cast %[[X]] to offset: {{.+}}, sizes: [%{{.+}}, %{{.+}}, 4], strides: [%{{.+}}, %{{.+}}, 1]
func.func @unfold(%x: tensor<?x4xf32>, %b: index, %h: index) -> tensor<?x?x4xf32> {
  %y = tensor.expand_shape %x [[0, 1], [2]] output_shape [%b, %h, 4] : tensor<?x4xf32> into tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

// Results that start from the same zeros are computed in destinations of their own.

// CHECK-LABEL: func.func @same_zeros(
// CHECK-SAME:    %[[A:[^:, ]+]]: memref<4xf32>, %[[B:[^:, ]+]]: memref<4xf32>)
// CHECK-DAG:     linalg.fill ins(%{{.+}}) outs(%[[A]] :
// CHECK-DAG:     linalg.fill ins(%{{.+}}) outs(%[[B]] :
// CHECK:         linalg.reduce {{.+}} outs(%[[A]] :
// CHECK-NEXT:    linalg.reduce {{.+}} outs(%[[B]] :
// CHECK-NEXT:    return
func.func @same_zeros(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %a = linalg.reduce { arith.addf } ins(%x : tensor<4x4xf32>) outs(%zeros : tensor<4xf32>) dimensions = [0]
  %b = linalg.reduce { arith.addf } ins(%y : tensor<4x4xf32>) outs(%zeros : tensor<4xf32>) dimensions = [1]
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

// A view is copied after other results are in their destinations.

// CHECK-LABEL: func.func @view_of_result(
// CHECK-SAME:    %[[X:[^:]+]]: memref<4xf32>, %[[A:[^:]+]]: memref<4xf32>, %[[B:[^:]+]]: memref<2xf32>)
// CHECK:         linalg.add {{.+}} outs(%[[A]] :
// CHECK:         linalg.mul {{.+}} outs(%[[T:alloc[^ ]*]] :
// CHECK:         %[[V:.+]] = memref.subview %[[T]]
// CHECK:         linalg.copy ins(%[[V]] {{.+}} outs(%[[B]] :
func.func @view_of_result(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<2xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %a = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%zeros : tensor<4xf32>) -> tensor<4xf32>
  %b = linalg.mul ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%zeros : tensor<4xf32>) -> tensor<4xf32>
  %c = tensor.extract_slice %b[1] [2] [1] : tensor<4xf32> to tensor<2xf32>
  return %a, %c : tensor<4xf32>, tensor<2xf32>
}

// -----

// A loop that swaps what it carries, with arithmetic on whole tensors.

// CHECK-LABEL: func.func @swap(
// CHECK:         scf.for {{.*}} iter_args(%[[A:.+]] = %{{.+}}, %[[B:.+]] = %{{.+}}) -> (memref<4xf32{{.*}}, memref<4xf32
// CHECK:           linalg.generic {{.*}} ins(%[[A]], %[[B]] : {{.+}}) outs(%[[T:[^ ]+]] :
// CHECK:           linalg.copy ins(%[[B]] : {{.+}}) outs(%[[OLD:[^ ]+]] :
// CHECK-DAG:       linalg.copy ins(%[[T]] : {{.+}}) outs(%[[B]] :
// CHECK-DAG:       linalg.copy ins(%[[OLD]] : {{.+}}) outs(%[[A]] :
func.func @swap(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    %product = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                               iterator_types = ["parallel"]}
        ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%a : tensor<4xf32>) {
    ^bb0(%l: f32, %r: f32, %old: f32):
      %0 = arith.mulf %l, %r : f32
      linalg.yield %0 : f32
    } -> tensor<4xf32>
    scf.yield %b, %product : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Which dimension of size 1 a slice drops is a matter of its shape: strides are alike where they are dynamic.

// CHECK-LABEL: func.func @drop(
// CHECK:         %[[PART:.+]] = memref.subview %{{.+}}[0, 0, %{{.+}}, 0] [1, 2, 1, 6] {{.+}} to memref<1x2x1x6xf32,
// CHECK:         %{{.+}}, %{{.+}}, %{{.+}}:4, %[[STRIDES:.+]]:4 = memref.extract_strided_metadata %[[PART]]
// CHECK:         memref.reinterpret_cast %{{.+}} to offset: [%{{.+}}], sizes: [1, 2, 6], strides: [%[[STRIDES]]#0, %[[STRIDES]]#1, 1]
func.func @drop(%x: tensor<1x2x4x6xf32>, %i: index) -> tensor<1x2x6xf32> {
  %part = tensor.extract_slice %x[0, 0, %i, 0] [1, 2, 1, 6] [1, 1, 1, 1] : tensor<1x2x4x6xf32> to tensor<1x2x6xf32>
  return %part : tensor<1x2x6xf32>
}
