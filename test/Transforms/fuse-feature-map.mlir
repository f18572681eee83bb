// Each map of the project, as bochner-gen prints it, ends as one region that reads queries and keys themselves.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse | FileCheck %s
// A second run finds nothing to do.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse -spectral-fuse-feature-map \
// RUN:   | FileCheck %s

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]
#w = affine_map<(b, h, n, f, d) -> (h, d, f)>

// Frequencies of each head stay outside; their slice is a parameter.
// CHECK-LABEL: func.func @gmm_prf(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x8x?x64xf32>, %[[K:[^:]+]]: tensor<?x8x?x64xf32>, %[[V:[^:]+]]:
// CHECK-NEXT:  %[[W:.+]] = spectral.gaussian_frequencies
// CHECK-NEXT:  %[[OUT:.+]] = spectral.linear_attention query(%[[Q]] : {{.+}}) key(%[[K]] : {{.+}}) value(%[[V]] :
// CHECK-SAME:    lengths({{.+}}) parameters(%[[W]] : tensor<8x64x256xf32>) {domain = #spectral.domain<log>}
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[OMEGA:[^:]+]]: tensor<64x256xf32>) {
// CHECK:         %[[Z:.+]] = linalg.generic {{.+}} ins(%[[X]] : tensor<?x64xf32>)
// CHECK:           arith.mulf
// CHECK:         %[[INIT:.+]] = linalg.fill
// CHECK:         %[[U:.+]] = linalg.matmul ins(%[[Z]], %[[OMEGA]] : {{.+}}) outs(%[[INIT]] :
// CHECK:         %[[PHI:.+]] = spectral.log_positive %[[U]], %[[Z]]
// CHECK-SAME:      : tensor<?x256xf32>, tensor<?x64xf32> -> tensor<?x256xf32>
// CHECK:         spectral.yield %[[PHI]]
// CHECK-NEXT:  }
// CHECK-NOT:   query_features
// CHECK:       return %[[OUT]]
func.func @gmm_prf(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %lengths: tensor<?xi64>,
                   %omega: tensor<64x256xf32>, %mean: tensor<8x64xf32>, %sigma: tensor<8x64xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %t = arith.constant 0.353553391 : f32
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<64x256xf32>, tensor<8x64xf32>, tensor<8x64xf32> -> tensor<8x64x256xf32>
  %zq_empty = tensor.empty(%b, %l) : tensor<?x8x?x64xf32>
  %zq = linalg.generic {indexing_maps = [#id, #id], iterator_types = #elementwise}
      ins(%q : tensor<?x8x?x64xf32>) outs(%zq_empty : tensor<?x8x?x64xf32>) {
  ^bb0(%x: f32, %o: f32):
    %y = arith.mulf %x, %t : f32
    linalg.yield %y : f32
  } -> tensor<?x8x?x64xf32>
  %zk_empty = tensor.empty(%b, %s) : tensor<?x8x?x64xf32>
  %zk = linalg.generic {indexing_maps = [#id, #id], iterator_types = #elementwise}
      ins(%k : tensor<?x8x?x64xf32>) outs(%zk_empty : tensor<?x8x?x64xf32>) {
  ^bb0(%x: f32, %o: f32):
    %y = arith.mulf %x, %t : f32
    linalg.yield %y : f32
  } -> tensor<?x8x?x64xf32>
  %uq_empty = tensor.empty(%b, %l) : tensor<?x8x?x256xf32>
  %uq_init = linalg.fill ins(%zero : f32) outs(%uq_empty : tensor<?x8x?x256xf32>) -> tensor<?x8x?x256xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%zq, %w : tensor<?x8x?x64xf32>, tensor<8x64x256xf32>) outs(%uq_init : tensor<?x8x?x256xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x256xf32>
  %uk_empty = tensor.empty(%b, %s) : tensor<?x8x?x256xf32>
  %uk_init = linalg.fill ins(%zero : f32) outs(%uk_empty : tensor<?x8x?x256xf32>) -> tensor<?x8x?x256xf32>
  %uk = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%zk, %w : tensor<?x8x?x64xf32>, tensor<8x64x256xf32>) outs(%uk_init : tensor<?x8x?x256xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x256xf32>
  %fq = spectral.log_positive %uq, %zq {norm_factor = 1.0 : f64, count = 256 : i64} : tensor<?x8x?x256xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
  %fk = spectral.log_positive %uk, %zk {norm_factor = 1.0 : f64, count = 256 : i64} : tensor<?x8x?x256xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x256xf32>) key(%fk : tensor<?x8x?x256xf32>) value(%v : tensor<?x8x?x64xf32>) lengths(%lengths : tensor<?xi64>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x256xf32>) { spectral.yield %x : tensor<?x256xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]
#w = affine_map<(b, h, n, f, d) -> (d, f)>

// What all heads share gets a first dimension of 1.
// CHECK-LABEL: func.func @favor(
// CHECK-SAME:    %[[Q:[^:]+]]: {{[^,]+}}, %[[K:[^:]+]]: {{[^,]+}}, {{.+}}, %[[OMEGA:[^:]+]]: tensor<64x128xf32>)
// CHECK:       %[[W:.+]] = tensor.expand_shape %[[OMEGA]] {{\[\[}}0, 1], [2]]
// CHECK-SAME:    : tensor<64x128xf32> into tensor<1x64x128xf32>
// CHECK-NEXT:  spectral.linear_attention query(%[[Q]] : {{.+}}) key(%[[K]] :
// CHECK-SAME:    parameters(%[[W]] : tensor<1x64x128xf32>) {domain
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[SLICE:[^:]+]]: tensor<64x128xf32>) {
// CHECK:         %[[U:.+]] = linalg.matmul ins(%[[X]], %[[SLICE]] :
// CHECK:         spectral.log_positive %[[U]], %[[X]] {{.*}}symmetric
// CHECK-SAME:      -> tensor<?x256xf32>
// CHECK-NOT:   query_features
func.func @favor(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %omega: tensor<64x128xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %uq_empty = tensor.empty(%b, %l) : tensor<?x8x?x128xf32>
  %uq_init = linalg.fill ins(%zero : f32) outs(%uq_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%q, %omega : tensor<?x8x?x64xf32>, tensor<64x128xf32>) outs(%uq_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %uk_empty = tensor.empty(%b, %s) : tensor<?x8x?x128xf32>
  %uk_init = linalg.fill ins(%zero : f32) outs(%uk_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uk = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%k, %omega : tensor<?x8x?x64xf32>, tensor<64x128xf32>) outs(%uk_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %fq = spectral.log_positive %uq, %q {norm_factor = 0.5 : f64, count = 256 : i64, symmetric} : tensor<?x8x?x128xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
  %fk = spectral.log_positive %uk, %k {norm_factor = 0.5 : f64, count = 256 : i64, symmetric} : tensor<?x8x?x128xf32>, tensor<?x8x?x64xf32> -> tensor<?x8x?x256xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x256xf32>) key(%fk : tensor<?x8x?x256xf32>) value(%v : tensor<?x8x?x64xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x256xf32>) { spectral.yield %x : tensor<?x256xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]
#w = affine_map<(b, h, n, f, d) -> (h, d, f)>

// CHECK-LABEL: func.func @gmm_rks(
// CHECK:       spectral.linear_attention {{.+}} parameters(%{{.+}} : tensor<8x64x128xf32>)
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[W:[^:]+]]: tensor<64x128xf32>) {
// CHECK:         %[[U:.+]] = linalg.matmul ins(%[[X]], %[[W]] :
// CHECK:         %[[PHI:.+]] = spectral.trig %[[U]] {amplitude = 1.250000e-01 : f64, groups = 2 : i64}
// CHECK-SAME:      : tensor<?x128xf32> -> tensor<?x256xf32>
// CHECK:         %[[SMOOTH:.+]] = spectral.constant_feature %[[PHI]] {value = 1.000000e+00 : f64}
// CHECK-SAME:      : tensor<?x256xf32> -> tensor<?x257xf32>
// CHECK:         spectral.yield %[[SMOOTH]]
// CHECK-NOT:   query_features
func.func @gmm_rks(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %w: tensor<8x64x128xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %uq_empty = tensor.empty(%b, %l) : tensor<?x8x?x128xf32>
  %uq_init = linalg.fill ins(%zero : f32) outs(%uq_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%q, %w : tensor<?x8x?x64xf32>, tensor<8x64x128xf32>) outs(%uq_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %uk_empty = tensor.empty(%b, %s) : tensor<?x8x?x128xf32>
  %uk_init = linalg.fill ins(%zero : f32) outs(%uk_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uk = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%k, %w : tensor<?x8x?x64xf32>, tensor<8x64x128xf32>) outs(%uk_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %pq = spectral.trig %uq {amplitude = 0.125 : f64, groups = 2 : i64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  %pk = spectral.trig %uk {amplitude = 0.125 : f64, groups = 2 : i64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  %fq = spectral.constant_feature %pq {value = 1.0 : f64} : tensor<?x8x?x256xf32> -> tensor<?x8x?x257xf32>
  %fk = spectral.constant_feature %pk {value = 1.0 : f64} : tensor<?x8x?x256xf32> -> tensor<?x8x?x257xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x257xf32>) key(%fk : tensor<?x8x?x257xf32>) value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x257xf32>) { spectral.yield %x : tensor<?x257xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

// The diagonals and the permutation are given once, although queries and keys read them.
// CHECK-LABEL: func.func @fastfood_rks(
// CHECK-COUNT-4: tensor.expand_shape
// CHECK-NOT:   tensor.expand_shape
// CHECK:       spectral.linear_attention {{.+}} parameters({{.+}} : tensor<1x64xf32>, tensor<1x64xf32>, tensor<1x64xf32>, tensor<1x64xi64>)
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[S:[^:]+]]: tensor<64xf32>, %[[G:[^:]+]]: tensor<64xf32>,
// CHECK-SAME:      %[[B:[^:]+]]: tensor<64xf32>, %[[P:[^:]+]]: tensor<64xi64>) {
// CHECK-NEXT:    %[[U:.+]] = spectral.fastfood %[[X]] scale(%[[S]]) gaussian(%[[G]]) signs(%[[B]]) permutation(%[[P]])
// CHECK-NEXT:    %[[PHI:.+]] = spectral.trig %[[U]]
// CHECK-NEXT:    spectral.yield %[[PHI]] : tensor<?x128xf32>
// CHECK-NOT:   query_features
func.func @fastfood_rks(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %s: tensor<64xf32>, %g: tensor<64xf32>, %b: tensor<64xf32>,
                        %p: tensor<64xi64>) -> tensor<?x8x?x64xf32> {
  %uq = spectral.fastfood %q scale(%s) gaussian(%g) signs(%b) permutation(%p)
    : tensor<?x8x?x64xf32>, tensor<64xf32>, tensor<64xi64> -> tensor<?x8x?x64xf32>
  %uk = spectral.fastfood %k scale(%s) gaussian(%g) signs(%b) permutation(%p)
    : tensor<?x8x?x64xf32>, tensor<64xf32>, tensor<64xi64> -> tensor<?x8x?x64xf32>
  %fq = spectral.trig %uq {amplitude = 0.125 : f64} : tensor<?x8x?x64xf32> -> tensor<?x8x?x128xf32>
  %fk = spectral.trig %uk {amplitude = 0.125 : f64} : tensor<?x8x?x64xf32> -> tensor<?x8x?x128xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x128xf32>) key(%fk : tensor<?x8x?x128xf32>) value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x128xf32>) { spectral.yield %x : tensor<?x128xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}
