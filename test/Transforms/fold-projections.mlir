// RUN: bochner-opt %s -split-input-file -spectral-fold-projections --remarks-filter=spectral-fold-projections \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: bochner-opt %t.mlir -split-input-file -spectral-fold-projections -o %t.twice.mlir
// RUN: diff %t.mlir %t.twice.mlir
// RUN: bochner-opt %s -split-input-file -spectral-fold-projections="max-row-width=2048" | FileCheck %s --check-prefix=WIDE

// (0.5 x W) Omega -> x (0.5 W Omega), W per head and transposed, Omega shared: 16 * 8 multiplications instead of
// 16 * 16 + 16 * 8.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#by_head = affine_map<(b, h, n, f, d) -> (h, f, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-DAG:   #[[$W:.+]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1)>
// CHECK-DAG:   #[[$O:.+]] = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-LABEL: func.func @fold(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x?x?x16xf32>, %[[W:[^:]+]]: tensor<?x16x16xf32>, %[[OMEGA:[^:]+]]: tensor<16x8xf32>
// CHECK-SAME:    %[[INIT:[^:]+]]: tensor<?x?x?x8xf32>)
// CHECK:         %[[H:.+]] = tensor.dim %[[W]], %c0
// CHECK:         tensor.empty(%[[H]]) : tensor<?x16x8xf32>
// CHECK:         %[[P:.+]] = linalg.generic {indexing_maps = [#[[$W]], #[[$O]], {{.*}} ins(%[[W]], %[[OMEGA]] :
// CHECK:         %[[SCALED:.+]] = linalg.generic {{.*}} ins(%[[P]] :
// CHECK:           arith.mulf %{{.+}}, %{{cst.*}} : f32
// CHECK:         %[[U:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[SCALED]] : {{.*}}) outs(%[[INIT]] :
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[U]]
func.func @fold(%x: tensor<?x?x?x16xf32>, %w: tensor<?x16x16xf32>, %omega: tensor<16x8xf32>,
                %e: tensor<?x?x?x16xf32>, %init: tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32>
  %q = linalg.generic {indexing_maps = [#rows, #by_head, #out], iterator_types = #loops}
      ins(%x, %w : tensor<?x?x?x16xf32>, tensor<?x16x16xf32>) outs(%zeros : tensor<?x?x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x16xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q : tensor<?x?x?x16xf32>) outs(%e : tensor<?x?x?x16xf32>) {
  ^bb0(%l: f32, %r: f32):
    %p = arith.mulf %l, %half : f32
    linalg.yield %p : f32
  } -> tensor<?x?x?x16xf32>
  // expected-remark @below {{folded: one projection takes 128 instead of 384 multiplications a row}}
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%z, %omega : tensor<?x?x?x16xf32>, tensor<16x8xf32>) outs(%init : tensor<?x?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x8xf32>
  return %u : tensor<?x?x?x8xf32>
}

// -----

// The norm needs the rows: x W would be computed in any case.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @norm(
// CHECK:         %[[Q:.+]] = linalg.generic
// CHECK:         %[[U:.+]] = linalg.generic {{.*}} ins(%[[Q]],
// CHECK:         spectral.log_positive %[[U]], %[[Q]]
func.func @norm(%x: tensor<?x?x?x16xf32>, %w: tensor<16x16xf32>, %omega: tensor<16x8xf32>,
                %e: tensor<?x?x?x16xf32>, %f: tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%f : tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32>
  %q = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%x, %w : tensor<?x?x?x16xf32>, tensor<16x16xf32>) outs(%zeros : tensor<?x?x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x16xf32>
  // expected-remark @below {{not folded: one projection would take 128 instead of 128 multiplications a row, since 'spectral.log_positive' reads the rows between them too}}
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%q, %omega : tensor<?x?x?x16xf32>, tensor<16x8xf32>) outs(%init : tensor<?x?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x8xf32>
  %phi = spectral.log_positive %u, %q {norm_factor = 1.0 : f64, count = 8 : i64}
    : tensor<?x?x?x8xf32>, tensor<?x?x?x16xf32> -> tensor<?x?x?x8xf32>
  return %phi : tensor<?x?x?x8xf32>
}

// -----

// Wide rows and many features: 64 * 32 multiplications are more than 64 * 4 + 4 * 32.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @narrow(
// CHECK:         %[[Q:.+]] = linalg.generic
// CHECK:         linalg.generic {{.*}} ins(%[[Q]],
func.func @narrow(%x: tensor<?x?x?x64xf32>, %w: tensor<64x4xf32>, %omega: tensor<4x32xf32>,
                  %e: tensor<?x?x?x4xf32>, %init: tensor<?x?x?x32xf32>) -> tensor<?x?x?x32xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32>
  %q = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%x, %w : tensor<?x?x?x64xf32>, tensor<64x4xf32>) outs(%zeros : tensor<?x?x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x4xf32>
  // expected-remark @below {{not folded: one projection would take 2048 instead of 384 multiplications a row}}
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%q, %omega : tensor<?x?x?x4xf32>, tensor<4x32xf32>) outs(%init : tensor<?x?x?x32xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x32xf32>
  return %u : tensor<?x?x?x32xf32>
}

// -----

// A bias between the projections, and rows too wide for a region.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @stay(
// CHECK:         %[[Q:.+]] = linalg.generic
// CHECK:         linalg.generic {{.*}} ins(%[[Q]],
// CHECK:         %[[R:.+]] = linalg.generic
// CHECK:         linalg.generic {{.*}} ins(%[[R]],
// WIDE-LABEL:  func.func @stay(
// WIDE:          linalg.generic {{.*}} ins(%{{.+}} : tensor<?x?x?x2048xf32>, tensor<2048x1xf32>)
func.func @stay(%x: tensor<?x?x?x16xf32>, %w: tensor<16x16xf32>, %omega: tensor<16x8xf32>, %bias: tensor<?x?x?x16xf32>,
                %y: tensor<?x?x?x2048xf32>, %v: tensor<2048x64xf32>, %o: tensor<64x1xf32>,
                %e: tensor<?x?x?x64xf32>, %f: tensor<?x?x?x8xf32>, %g: tensor<?x?x?x1xf32>)
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?x1xf32>) {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x64xf32>) -> tensor<?x?x?x64xf32>
  %q = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%x, %w : tensor<?x?x?x16xf32>, tensor<16x16xf32>) outs(%bias : tensor<?x?x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x16xf32>
  // expected-remark @below {{not folded: a projection starts from other values than zero}}
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%q, %omega : tensor<?x?x?x16xf32>, tensor<16x8xf32>) outs(%f : tensor<?x?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x8xf32>
  %a = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%y, %v : tensor<?x?x?x2048xf32>, tensor<2048x64xf32>) outs(%zeros : tensor<?x?x?x64xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x64xf32>
  // expected-remark @below {{not folded: rows of 2048 columns are wider than max-row-width (1024)}}
  %b = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%a, %o : tensor<?x?x?x64xf32>, tensor<64x1xf32>) outs(%g : tensor<?x?x?x1xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x1xf32>
  return %u, %b : tensor<?x?x?x8xf32>, tensor<?x?x?x1xf32>
}

// -----

// Rows of an unknown number of columns.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#loops = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// CHECK-LABEL: func.func @dynamic(
// CHECK-COUNT-2: linalg.generic
func.func @dynamic(%x: tensor<?x?x?x?xf32>, %w: tensor<?x16xf32>, %omega: tensor<16x8xf32>, %e: tensor<?x?x?x16xf32>,
                   %f: tensor<?x?x?x8xf32>) -> tensor<?x?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32>
  %q = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%x, %w : tensor<?x?x?x?xf32>, tensor<?x16xf32>) outs(%zeros : tensor<?x?x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x16xf32>
  // expected-remark @below {{not folded: a projection has columns of dynamic size}}
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out], iterator_types = #loops}
      ins(%q, %omega : tensor<?x?x?x16xf32>, tensor<16x8xf32>) outs(%f : tensor<?x?x?x8xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x?x?x8xf32>
  return %u : tensor<?x?x?x8xf32>
}
