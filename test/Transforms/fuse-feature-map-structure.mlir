// Columns, sizes, several attentions, and regions that have operations and parameters already.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse -spectral-fuse-feature-map \
// RUN:   | FileCheck %s

// Slices of all rows and concatenations of columns are such on the tile; sizes may be those of any equal tensor.
// CHECK-LABEL: func.func @columns(
// CHECK:       spectral.feature_map rows(%{{.+}} : tensor<?x8x?x64xf32>) features (%[[X:[^:]+]]: tensor<?x64xf32>) {
// CHECK-DAG:     %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[X]]
// CHECK:         %[[E:.+]] = math.exp %[[X]]
// CHECK:         %[[HIGH:.+]] = tensor.extract_slice %[[E]][0, 32] [%[[N]], 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
// CHECK:         %[[NEG:.+]] = arith.negf %[[HIGH]]
// CHECK:         %[[LOW:.+]] = tensor.extract_slice %[[E]][0, 0] [%[[N]], 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
// CHECK:         %[[ROTATED:.+]] = tensor.concat dim(1) %[[NEG]], %[[LOW]]
// CHECK:         %[[EMPTY:.+]] = tensor.empty(%[[N]]) : tensor<?x128xf32>
// CHECK:         %[[FIRST:.+]] = tensor.insert_slice %[[E]] into %[[EMPTY]][0, 0] [%[[N]], 64] [1, 1]
// CHECK:         %[[BOTH:.+]] = tensor.insert_slice %[[ROTATED]] into %[[FIRST]][0, 64] [%[[N]], 64] [1, 1]
// CHECK:         %[[CONST:.+]] = linalg.fill ins(%[[ONE]] : f32) outs(%{{.+}} : tensor<?x2xf32>)
// CHECK:         %[[PADDED:.+]] = tensor.concat dim(1) %[[BOTH]], %[[CONST]] {{.+}} -> tensor<?x130xf32>
// CHECK:         spectral.yield %[[PADDED]]
func.func @columns(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x130xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %one = arith.constant 1.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x8x?x64xf32>
  %n = tensor.dim %x, %c2 : tensor<?x8x?x64xf32>
  %e = math.exp %x : tensor<?x8x?x64xf32>
  %ne = tensor.dim %e, %c2 : tensor<?x8x?x64xf32>
  %low = tensor.extract_slice %e[0, 0, 0, 0] [%b, 8, %n, 32] [1, 1, 1, 1] : tensor<?x8x?x64xf32> to tensor<?x8x?x32xf32>
  %high = tensor.extract_slice %e[0, 0, 0, 32] [%b, 8, %ne, 32] [1, 1, 1, 1] : tensor<?x8x?x64xf32> to tensor<?x8x?x32xf32>
  %neg = arith.negf %high : tensor<?x8x?x32xf32>
  %rotated = tensor.concat dim(3) %neg, %low : (tensor<?x8x?x32xf32>, tensor<?x8x?x32xf32>) -> tensor<?x8x?x64xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x8x?x128xf32>
  %first = tensor.insert_slice %e into %empty[0, 0, 0, 0] [%b, 8, %n, 64] [1, 1, 1, 1]
    : tensor<?x8x?x64xf32> into tensor<?x8x?x128xf32>
  %both = tensor.insert_slice %rotated into %first[0, 0, 0, 64] [%b, 8, %n, 64] [1, 1, 1, 1]
    : tensor<?x8x?x64xf32> into tensor<?x8x?x128xf32>
  %padded = tensor.pad %both low[0, 0, 0, 0] high[0, 0, 0, 2] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %one : f32
  } : tensor<?x8x?x128xf32> to tensor<?x8x?x130xf32>
  %phi = spectral.feature_map rows(%padded : tensor<?x8x?x130xf32>) features (%tile: tensor<?x130xf32>) {
    spectral.yield %tile : tensor<?x130xf32>
  } -> tensor<?x8x?x130xf32>
  return %phi : tensor<?x8x?x130xf32>
}

// -----

// Static shapes; rows that are one number need no input, casts leave nothing, a column's index is the tile's.
// CHECK-LABEL: func.func @static(
// CHECK-SAME:    %[[ROWS:[^:]+]]: tensor<2x4x10x8xf64>)
// CHECK:       spectral.feature_map rows(%[[ROWS]] : tensor<2x4x10x8xf64>) features (%[[X:[^:]+]]: tensor<?x8xf64>) {
// CHECK-DAG:     %[[HALF:.+]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[EMPTY:.+]] = tensor.empty
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[HALF]] : f64) outs(%[[EMPTY]] : tensor<?x8xf64>)
// CHECK:         %[[Y:.+]] = arith.mulf %[[X]], %[[FILL]] : tensor<?x8xf64>
// CHECK:         linalg.generic {{.+}} ins(%[[Y]] : tensor<?x8xf64>)
// CHECK:           linalg.index 1
// CHECK-NOT:     tensor.cast
// CHECK:         spectral.yield
func.func @static(%x: tensor<2x4x10x8xf64>) -> tensor<?x4x?x8xf64> {
  %half = arith.constant dense<0.5> : tensor<2x4x10x8xf64>
  %y = arith.mulf %x, %half : tensor<2x4x10x8xf64>
  %init = tensor.empty() : tensor<2x4x10x8xf64>
  %z = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y : tensor<2x4x10x8xf64>) outs(%init : tensor<2x4x10x8xf64>) {
  ^bb0(%a: f64, %o: f64):
    %d = linalg.index 3 : index
    %i = arith.index_cast %d : index to i64
    %f = arith.sitofp %i : i64 to f64
    %r = arith.addf %a, %f : f64
    linalg.yield %r : f64
  } -> tensor<2x4x10x8xf64>
  %cast = tensor.cast %z : tensor<2x4x10x8xf64> to tensor<?x4x?x8xf64>
  %phi = spectral.feature_map rows(%cast : tensor<?x4x?x8xf64>) features (%tile: tensor<?x8xf64>) {
    spectral.yield %tile : tensor<?x8xf64>
  } -> tensor<?x4x?x8xf64>
  return %phi : tensor<?x4x?x8xf64>
}

// -----

// What several attentions read sinks into each of them; a size that was read of it is read of the rows.
// CHECK-LABEL: func.func @several(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x8x?x64xf32>, %[[K:[^:]+]]: tensor<?x8x?x64xf32>,
// CHECK-DAG:   %[[L:.+]] = tensor.dim %[[Q]], %c2
// CHECK-NOT:   arith.mulf
// CHECK:       spectral.linear_attention query(%[[Q]] : {{.+}}) key(%[[K]] :
// CHECK:         %[[Z:.+]] = arith.mulf
// CHECK-NEXT:    math.exp %[[Z]]
// CHECK:       spectral.linear_attention query(%[[Q]] : {{.+}}) key(%[[K]] :
// CHECK:         %[[Z:.+]] = arith.mulf
// CHECK-NEXT:    math.tanh %[[Z]]
// CHECK:       return %{{.+}}, %{{.+}}, %[[L]]
func.func @several(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, index) {
  %c2 = arith.constant 2 : index
  %zq = arith.mulf %q, %q : tensor<?x8x?x64xf32>
  %zk = arith.mulf %k, %k : tensor<?x8x?x64xf32>
  %l = tensor.dim %zq, %c2 : tensor<?x8x?x64xf32>
  %eq = math.exp %zq : tensor<?x8x?x64xf32>
  %ek = math.exp %zk : tensor<?x8x?x64xf32>
  %a = spectral.linear_attention query(%eq : tensor<?x8x?x64xf32>) key(%ek : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) { spectral.yield %x : tensor<?x64xf32> } -> tensor<?x8x?x64xf32>
  %tq = math.tanh %zq : tensor<?x8x?x64xf32>
  %tk = math.tanh %zk : tensor<?x8x?x64xf32>
  %b = spectral.linear_attention query(%tq : tensor<?x8x?x64xf32>) key(%tk : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) { spectral.yield %x : tensor<?x64xf32> } -> tensor<?x8x?x64xf32>
  return %a, %b, %l : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, index
}

// -----

#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>

// A region keeps its operations, behind the new ones, and its parameters, before the new ones. A parameter that is
// there already is not given again. Only keys have a producer, so queries keep the old map.
// CHECK-LABEL: func.func @existing(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x8x?x64xf32>, %[[W:[^:]+]]: tensor<64x64xf32>, %[[G:[^:]+]]: tensor<8x64xf32>
// CHECK:       %[[W1:.+]] = tensor.expand_shape %[[W]]
// CHECK-NOT:   tensor.expand_shape
// CHECK:       spectral.linear_attention query(%[[X]] : {{[^)]+}}) key(%[[X]] : {{[^)]+}}) value(%[[X]] :
// CHECK-SAME:    parameters(%[[W1]], %[[G]] : tensor<1x64x64xf32>, tensor<8x64xf32>)
// CHECK-SAME:    features (%[[T:[^:]+]]: tensor<?x64xf32>, %[[A:[^:]+]]: tensor<64x64xf32>, %[[B:[^:]+]]: tensor<64xf32>)
// CHECK:         tensor.dim %[[T]]
// CHECK-NOT:     tensor.dim
// CHECK:         %[[U:.+]] = linalg.matmul ins(%[[T]], %[[A]] :
// CHECK:         %[[S:.+]] = linalg.generic {{.+}} ins(%[[U]], %[[B]] :
// CHECK:         linalg.matmul ins(%[[S]], %[[A]] :
// CHECK:       } query_features (%[[T:[^:]+]]: tensor<?x64xf32>, %[[A:[^:]+]]: tensor<64x64xf32>, %{{.+}}: tensor<64xf32>)
// CHECK:         linalg.matmul ins(%[[T]], %[[A]] :
// CHECK-NOT:     linalg.matmul
// CHECK:         spectral.yield
func.func @existing(%x: tensor<?x8x?x64xf32>, %w: tensor<64x64xf32>, %gain: tensor<8x64xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x8x?x64xf32>
  %n = tensor.dim %x, %c2 : tensor<?x8x?x64xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x8x?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
  %u = linalg.generic {indexing_maps = [#rows, #shared, #features],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x8x?x64xf32>, tensor<64x64xf32>) outs(%init : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %k = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (h, d)>,
                                        affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%u, %gain : tensor<?x8x?x64xf32>, tensor<8x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %p = arith.mulf %a, %g : f32
    linalg.yield %p : f32
  } -> tensor<?x8x?x64xf32>
  %w1 = tensor.expand_shape %w [[0, 1], [2]] output_shape [1, 64, 64] : tensor<64x64xf32> into tensor<1x64x64xf32>
  %out = spectral.linear_attention query(%x : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%x : tensor<?x8x?x64xf32>) parameters(%w1 : tensor<1x64x64xf32>)
      features (%t: tensor<?x64xf32>, %wh: tensor<64x64xf32>) {
        %z = arith.constant 0 : index
        %rows = tensor.dim %t, %z : tensor<?x64xf32>
        %e = tensor.empty(%rows) : tensor<?x64xf32>
        %f0 = arith.constant 0.0 : f32
        %f = linalg.fill ins(%f0 : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
        %y = linalg.matmul ins(%t, %wh : tensor<?x64xf32>, tensor<64x64xf32>) outs(%f : tensor<?x64xf32>) -> tensor<?x64xf32>
        spectral.yield %y : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

// A slice of an input is read through strides: sinking it would only widen the rows.
// CHECK-LABEL: func.func @view(
// CHECK:       %[[HALF:.+]] = tensor.extract_slice
// CHECK:       spectral.feature_map rows(%[[HALF]] : tensor<2x4x?x8xf32>) features (%{{.+}}: tensor<?x8xf32>) {
// CHECK-NEXT:    math.exp
// CHECK-NOT:     tensor.extract_slice
func.func @view(%x: tensor<2x4x?x16xf32>) -> tensor<2x4x?x8xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c2 : tensor<2x4x?x16xf32>
  %half = tensor.extract_slice %x[0, 0, 0, 0] [2, 4, %n, 8] [1, 1, 1, 1] : tensor<2x4x?x16xf32> to tensor<2x4x?x8xf32>
  %e = math.exp %half : tensor<2x4x?x8xf32>
  %phi = spectral.feature_map rows(%e : tensor<2x4x?x8xf32>) features (%tile: tensor<?x8xf32>) {
    spectral.yield %tile : tensor<?x8xf32>
  } -> tensor<2x4x?x8xf32>
  return %phi : tensor<2x4x?x8xf32>
}

// -----

// The order in which a block lists equal producers makes no difference to the regions.
// CHECK-LABEL: func.func @order(
// CHECK:       spectral.linear_attention
// CHECK-NOT:   query_features
func.func @order(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %qe = math.exp %q : tensor<?x8x?x64xf32>
  %qt = math.tanh %q : tensor<?x8x?x64xf32>
  %kt = math.tanh %k : tensor<?x8x?x64xf32>
  %ke = math.exp %k : tensor<?x8x?x64xf32>
  %qs = arith.addf %qe, %qt : tensor<?x8x?x64xf32>
  %ks = arith.addf %ke, %kt : tensor<?x8x?x64xf32>
  %out = spectral.linear_attention query(%qs : tensor<?x8x?x64xf32>) key(%ks : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) { spectral.yield %x : tensor<?x64xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}
