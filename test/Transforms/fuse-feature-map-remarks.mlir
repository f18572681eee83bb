// Where fusing stops, and why. Rows that come from an argument of the function need no word.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map --remarks-filter=spectral-fuse-feature-map \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// Nothing is said unless asked.
// RUN: bochner-opt %S/fuse-feature-map-structure.mlir -split-input-file -spectral-fuse-feature-map -o %t.mlir 2>&1 \
// RUN:   | count 0

// What is returned as well stays, and with it what it is made of; the operations before the cut sink.
// CHECK-LABEL: func.func @returned(
// CHECK:       %[[E:.+]] = math.exp
// CHECK:       %[[T:.+]] = math.tanh %[[E]]
// CHECK:       spectral.feature_map rows(%[[T]] :
// CHECK:         math.absf
func.func @returned(%x: tensor<?x8x?x64xf32>) -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) {
  %e = math.exp %x : tensor<?x8x?x64xf32>
  // expected-remark@+1 {{not fused: 'math.tanh' has 2 users, and 'func.return' keeps its result}}
  %t = math.tanh %e : tensor<?x8x?x64xf32>
  %a = math.absf %t : tensor<?x8x?x64xf32>
  // expected-remark@+1 {{fused: 1 producer of operand 0 of 'spectral.feature_map'}}
  %phi = spectral.feature_map rows(%a : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi, %t : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
}

// -----

// A second attention that cannot sink a producer keeps it for the first one, too.
// CHECK-LABEL: func.func @kept_by_another(
// CHECK:       math.exp
// CHECK:       tensor.collapse_shape
func.func @kept_by_another(%x: tensor<1x8x?x64xf32>) -> (tensor<1x8x?x64xf32>, tensor<8x?x64xf32>) {
  // expected-remark@+1 {{not fused: 'math.exp' has 2 users, and 'tensor.collapse_shape' keeps its result}}
  %e = math.exp %x : tensor<1x8x?x64xf32>
  %phi = spectral.feature_map rows(%e : tensor<1x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<1x8x?x64xf32>
  %c = tensor.collapse_shape %e [[0, 1], [2], [3]] : tensor<1x8x?x64xf32> into tensor<8x?x64xf32>
  return %phi, %c : tensor<1x8x?x64xf32>, tensor<8x?x64xf32>
}

// -----

func.func @not_rowwise(%x: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  // expected-remark@+1 {{not fused: 'spectral.feature_map' is not row-wise}}
  %y = spectral.feature_map rows(%x : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>

func.func @side_effects(%x: tensor<?x4x?x64xf32>, %log: memref<f32>) -> tensor<?x4x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' has side effects}}
  %y = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%x : tensor<?x4x?x64xf32>) {
  ^bb0(%a: f32):
    memref.store %a, %log[] : memref<f32>
    linalg.yield %a : f32
  } -> tensor<?x4x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}

// -----

// Rows of two tensors cannot be given to one region; what is behind the place where they meet sinks, and is gone.
// CHECK-LABEL: func.func @two_tensors(
// CHECK:       %[[SUM:.+]] = arith.addf
// CHECK-NEXT:  %{{.+}} = spectral.feature_map rows(%[[SUM]] :
// CHECK-NEXT:    math.exp
func.func @two_tensors(%x: tensor<?x4x?x64xf32>, %y: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %s = arith.addf %x, %y : tensor<?x4x?x64xf32>
  %e = math.exp %s : tensor<?x4x?x64xf32>
  // expected-remark@+2 {{fused: 1 producer}}
  // expected-remark@+1 {{not fused: features depend on rows of 2 tensors}}
  %phi = spectral.feature_map rows(%e : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}

// -----

func.func @no_rows(%b: index, %n: index) -> tensor<?x4x?x64xf32> {
  %one = arith.constant 1.0 : f32
  %x = tensor.splat %one[%b, %n] : tensor<?x4x?x64xf32>
  // expected-remark@+1 {{not fused: features do not depend on rows}}
  %phi = spectral.feature_map rows(%x : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}

// -----

func.func @loop(%x: tensor<?x4x?x64xf32>, %n: index) -> tensor<?x4x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%rows = %x) -> tensor<?x4x?x64xf32> {
    %e = math.exp %rows : tensor<?x4x?x64xf32>
    // expected-remark@+2 {{fused: 1 producer}}
    // expected-remark@+1 {{not fused: rows are an argument of 'scf.for'}}
    %phi = spectral.feature_map rows(%e : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
      spectral.yield %tile : tensor<?x64xf32>
    } -> tensor<?x4x?x64xf32>
    scf.yield %phi : tensor<?x4x?x64xf32>
  }
  return %r : tensor<?x4x?x64xf32>
}

// -----

func.func @outside(%x: tensor<?x4x?x64xf32>, %c: i1) -> tensor<?x4x?x64xf32> {
  %e = math.exp %x : tensor<?x4x?x64xf32>
  %r = scf.if %c -> tensor<?x4x?x64xf32> {
    // expected-remark@+1 {{not fused: 'math.exp' stands in another block}}
    %phi = spectral.feature_map rows(%e : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
      spectral.yield %tile : tensor<?x64xf32>
    } -> tensor<?x4x?x64xf32>
    scf.yield %phi : tensor<?x4x?x64xf32>
  } else {
    scf.yield %x : tensor<?x4x?x64xf32>
  }
  return %r : tensor<?x4x?x64xf32>
}

// -----

// Cuts that are no rows of an attention: another element type, another rank.
func.func @element_type(%x: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf16> {
  // expected-remark@+1 {{not fused: rows of f32 are not rows of f16}}
  %y = arith.truncf %x : tensor<?x4x?x64xf32> to tensor<?x4x?x64xf16>
  %phi = spectral.feature_map rows(%y : tensor<?x4x?x64xf16>) features (%tile: tensor<?x64xf16>) {
    spectral.yield %tile : tensor<?x64xf16>
  } -> tensor<?x4x?x64xf16>
  return %phi : tensor<?x4x?x64xf16>
}

// -----

func.func @rank(%x: tensor<?x4x?x2x64xf32>, %empty: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %zero = arith.constant 0.0 : f32
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32>
  // expected-remark@+1 {{not fused: rows of rank 5 are not [B, H, N, D]: tensor<?x4x?x2x64xf32>}}
  %y = linalg.reduce { arith.maximumf } ins(%x : tensor<?x4x?x2x64xf32>) outs(%init : tensor<?x4x?x64xf32>) dimensions = [3]
  %phi = spectral.feature_map rows(%y : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}

// -----

#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#w = affine_map<(b, h, n, f, d) -> (d, f)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>

func.func @wide(%x: tensor<?x4x?x2048xf32>, %w: tensor<2048x64xf32>, %init: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %zero = arith.constant 0.0 : f32
  %c = linalg.fill ins(%zero : f32) outs(%init : tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32>
  // expected-remark@+1 {{not fused: rows of 2048 columns are wider than max-row-width (1024)}}
  %y = linalg.generic {indexing_maps = [#rows, #w, #features],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x4x?x2048xf32>, tensor<2048x64xf32>) outs(%c : tensor<?x4x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x4x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x4x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x4x?x64xf32>
  return %phi : tensor<?x4x?x64xf32>
}
