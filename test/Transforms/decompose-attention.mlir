// RUN: bochner-opt %s -split-input-file -spectral-decompose -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-decompose | FileCheck %s --check-prefix=CONTRACT

// CONTRACT-NOT: spectral.

// The graph that is not fused: features are the operands. Padding is sliced away, not masked. Letters of the loops:
// key s, feature f, value m; query l.
// CHECK-DAG: #[[$SF:[^ ,]+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$SM:[^ ,]+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$FM:[^ ,]+]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func @linear(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x2x?x32xf64>, %[[K:[^:]+]]: tensor<?x2x?x32xf64>,
// CHECK-SAME:      %[[V:[^:]+]]: tensor<?x2x?x16xf64>, %[[LENGTHS:[^:]+]]: tensor<?xi64>)
// CHECK-DAG:     %[[EPS:[^ ,]+]] = arith.constant 9.9999999999999995E-7 : f64
// CHECK-DAG:     %[[ZERO:[^ ,]+]] = arith.constant 0.000000e+00 : f64
// CHECK:         scf.for %[[BATCH:[^ ,]+]] =
// CHECK:           scf.for %[[HEAD:[^ ,]+]] =
// CHECK:             %[[LENGTH:[^ ,]+]] = tensor.extract %[[LENGTHS]][%[[BATCH]]]
// CHECK:             %[[INDEX:[^ ,]+]] = arith.index_cast %[[LENGTH]]
// CHECK:             %[[LOW:[^ ,]+]] = arith.maxsi %[[INDEX]], %c0
// CHECK:             %[[VISIBLE:[^ ,]+]] = arith.minsi %[[LOW]], %{{.+}} : index
// CHECK:             %[[ALL_KEYS:[^ ,]+]] = tensor.extract_slice %[[K]][%[[BATCH]], %[[HEAD]], 0, 0]
// CHECK:             %[[ALL_QUERIES:[^ ,]+]] = tensor.extract_slice %[[Q]][%[[BATCH]], %[[HEAD]], 0, 0]
// CHECK:             %[[ALL_VALUES:[^ ,]+]] = tensor.extract_slice %[[V]][%[[BATCH]], %[[HEAD]], 0, 0]
// CHECK:             %[[KEYS:[^ ,]+]] = tensor.extract_slice %[[ALL_KEYS]][0, 0] [%[[VISIBLE]], 32]
// CHECK:             %[[VALUES:[^ ,]+]] = tensor.extract_slice %[[ALL_VALUES]][0, 0] [%[[VISIBLE]], 16]
// CHECK-NOT:         math.exp
// CHECK:             %[[PRODUCTS:[^ ,]+]] = linalg.generic {indexing_maps = [#[[$SF]], #[[$SM]], #[[$FM]]],
// CHECK-SAME:          iterator_types = ["reduction", "parallel", "parallel"]} ins(%[[KEYS]], %[[VALUES]]
// CHECK:             %[[NORMALIZERS:[^ ,]+]] = linalg.generic {{.*}} ins(%[[KEYS]]
// CHECK:             %[[QUERIES:[^ ,]+]] = tensor.extract_slice %[[ALL_QUERIES]][0, 0]
// CHECK:             %[[NUMERATORS:[^ ,]+]] = linalg.generic {indexing_maps = [#[[$SF]], #[[$FM]], #[[$SM]]],
// CHECK-SAME:          iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[QUERIES]], %[[PRODUCTS]]
// CHECK:             %[[SUMS:[^ ,]+]] = linalg.generic {{.*}} ins(%[[QUERIES]], %[[NORMALIZERS]]
// CHECK:             %[[DENOMINATORS:[^ ,]+]] = linalg.generic {{.*}} outs(%[[SUMS]]
// CHECK:               arith.addf %{{.+}}, %[[EPS]]
// CHECK:             %[[ANY:[^ ,]+]] = arith.cmpi sgt, %[[VISIBLE]], %c0
// CHECK:             %[[OUT:[^ ,]+]] = linalg.generic {{.*}} ins(%[[NUMERATORS]], %[[DENOMINATORS]]
// CHECK:               %[[RATIO:[^ ,]+]] = arith.divf
// CHECK:               arith.select %[[ANY]], %[[RATIO]], %[[ZERO]]
// CHECK:             tensor.insert_slice %[[OUT]] into %{{.+}}[%[[BATCH]], %[[HEAD]], 0, 0]
func.func @linear(%q: tensor<?x2x?x32xf64>, %k: tensor<?x2x?x32xf64>, %v: tensor<?x2x?x16xf64>,
                  %lengths: tensor<?xi64>) -> tensor<?x2x?x16xf64> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x32xf64>) key(%k : tensor<?x2x?x32xf64>)
      value(%v : tensor<?x2x?x16xf64>) lengths(%lengths : tensor<?xi64>)
      features (%x: tensor<?x32xf64>) {
        spectral.yield %x : tensor<?x32xf64>
      } -> tensor<?x2x?x16xf64>
  return %out : tensor<?x2x?x16xf64>
}

// -----

// Exponents of keys are relative to the maximum of each feature, those of queries to that of their row, and so is eps.
// CHECK-LABEL: func.func @log(
// CHECK-SAME:      %{{[^:]+}}: tensor<1x2x4x32xf32>, %{{[^:]+}}: tensor<1x2x6x32xf32>,
// CHECK-SAME:      %{{[^:]+}}: tensor<1x2x6x16xf32>, %[[OFFSET:[^:]+]]: tensor<1x2xf32>)
// CHECK-DAG:     %[[INFINITY:[^ ,]+]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[ZERO:[^ ,]+]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG:     %[[EPS:[^ ,]+]] = arith.constant 9.99999997E-7 : f32
// CHECK:         scf.for %[[HEAD:[^ ,]+]] =
// CHECK:             %[[SHIFT:[^ ,]+]] = tensor.extract %[[OFFSET]][%c0, %[[HEAD]]]
// CHECK:             %[[PEAKS:[^ ,]+]] = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]
// CHECK:               arith.maximumf
// CHECK:             linalg.generic
// CHECK:               %[[NONE:[^ ,]+]] = arith.cmpf oeq, %[[MAXIMUM:[^ ,]+]], %[[INFINITY]]
// CHECK:               %[[FINITE:[^ ,]+]] = arith.select %[[NONE]], %[[ZERO]], %[[MAXIMUM]]
// CHECK:               %[[RELATIVE:[^ ,]+]] = arith.subf %{{.+}}, %[[FINITE]]
// CHECK:               math.exp %[[RELATIVE]]
// CHECK:             %[[TOPS:[^ ,]+]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK:               arith.maximumf
// CHECK:             linalg.generic {{.*}} ins(%[[TOPS]] : tensor<4xf32>)
// CHECK:               %[[EXPONENT:[^ ,]+]] = arith.subf %[[SHIFT]], %{{.+}}
// CHECK:               %[[OVERFLOWS:[^ ,]+]] = arith.cmpf ogt, %[[EXPONENT]], %{{.+}}
// CHECK:               %[[LIMITED:[^ ,]+]] = arith.minimumf %[[EXPONENT]], %{{.+}}
// CHECK:               %[[SCALE:[^ ,]+]] = math.exp %[[LIMITED]]
// CHECK:               %[[ADDED:[^ ,]+]] = arith.mulf %[[SCALE]], %[[EPS]]
// CHECK:               arith.select %[[OVERFLOWS]], %{{.+}}, %[[ADDED]]
func.func @log(%q: tensor<1x2x4x32xf32>, %k: tensor<1x2x6x32xf32>, %v: tensor<1x2x6x16xf32>,
               %offset: tensor<1x2xf32>) -> tensor<1x2x4x16xf32> {
  %out = spectral.linear_attention query(%q : tensor<1x2x4x32xf32>) key(%k : tensor<1x2x6x32xf32>)
      value(%v : tensor<1x2x6x16xf32>) offset(%offset : tensor<1x2xf32>) {domain = #spectral.domain<log>}
      features (%x: tensor<?x32xf32>) {
        spectral.yield %x : tensor<?x32xf32>
      } -> tensor<1x2x4x16xf32>
  return %out : tensor<1x2x4x16xf32>
}

// -----

// Without eps nothing is added, not even 0 times an infinite exponential.
// CHECK-LABEL: func.func @no_eps(
// CHECK-COUNT-3: math.exp
// CHECK-NOT:     math.exp
// CHECK:         return
func.func @no_eps(%q: tensor<?x?x?x8xf64>, %k: tensor<?x?x?x8xf64>, %v: tensor<?x?x?x8xf64>) -> tensor<?x?x?x8xf64> {
  %out = spectral.linear_attention query(%q : tensor<?x?x?x8xf64>) key(%k : tensor<?x?x?x8xf64>)
      value(%v : tensor<?x?x?x8xf64>) {domain = #spectral.domain<log>, eps = 0.0 : f64}
      features (%x: tensor<?x8xf64>) {
        spectral.yield %x : tensor<?x8xf64>
      } -> tensor<?x?x?x8xf64>
  return %out : tensor<?x?x?x8xf64>
}

// -----

// A loop over visible positions carries the state; queries past it see the last one.
// CHECK-LABEL: func.func @causal(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x?x?x32xf64>
// CHECK:         %[[QUERIES:[^ ,]+]] = tensor.extract_slice %[[Q]]
// CHECK:         %[[VISIBLE:[^ ,]+]] = arith.minsi
// CHECK:         %[[LOOP:[^ ,]+]]:5 = scf.for %[[I:[^ ,]+]] = %c0 to %[[VISIBLE]] step %c1 iter_args(%[[PRODUCTS:[^ ,]+]] = %{{[^ ,]+}},
// CHECK-SAME:        %[[NORMALIZERS:[^ ,]+]] = %{{[^ ,]+}}, %[[MAXIMA:[^ ,]+]] = %{{[^ ,]+}}, %{{[^ ,]+}} = %c0,
// CHECK-SAME:        %[[OUT:[^ ,]+]] = %{{[^ ,]+}}) ->
// CHECK-SAME:        (tensor<32x16xf64>, tensor<32xf64>, tensor<32xf64>, index, tensor<?x?x?x16xf64>)
// CHECK:           tensor.extract_slice %{{.+}}[%[[I]], 0] [1, 32] [1, 1] : tensor<?x32xf64> to tensor<1x32xf64>
// CHECK:           %[[FACTORS:[^ ,]+]] = linalg.generic {{.*}} ins(%[[MAXIMA]], %{{.+}}
// CHECK:           %[[SCALED:[^ ,]+]] = linalg.generic {{.*}} ins(%[[FACTORS]] : tensor<32xf64>) outs(%[[PRODUCTS]] :
// CHECK:           %[[NEXT:[^ ,]+]] = linalg.generic {{.*}} outs(%[[SCALED]] :
// CHECK:           tensor.insert_slice %{{.+}} into %[[OUT]][%{{.+}}, %{{.+}}, %[[I]], 0] [1, 1, 1, 16]
// CHECK:           scf.yield %[[NEXT]], %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} :
// CHECK:         scf.for %[[I:[^ ,]+]] = %[[VISIBLE]] to %{{[^ ]+}} step %c1 iter_args(%[[OUT:[^ ,]+]] = %[[LOOP]]#4)
// CHECK:           tensor.extract_slice %[[QUERIES]][%[[I]], 0] [1, 32]
// CHECK:           tensor.insert_slice %{{.+}} into %[[OUT]][%{{.+}}, %{{.+}}, %[[I]], 0] [1, 1, 1, 16]
func.func @causal(%q: tensor<?x?x?x32xf64>, %k: tensor<?x?x?x32xf64>, %v: tensor<?x?x?x16xf64>,
                  %lengths: tensor<?xindex>) -> tensor<?x?x?x16xf64> {
  %out = spectral.linear_attention query(%q : tensor<?x?x?x32xf64>) key(%k : tensor<?x?x?x32xf64>)
      value(%v : tensor<?x?x?x16xf64>) lengths(%lengths : tensor<?xindex>)
      {domain = #spectral.domain<log>, causality = #spectral.causality<causal>}
      features (%x: tensor<?x32xf64>) {
        spectral.yield %x : tensor<?x32xf64>
      } -> tensor<?x?x?x16xf64>
  return %out : tensor<?x?x?x16xf64>
}

// -----

// A region is applied to the rows of one head; queries have their own. The first parameter has a slice for each head,
// the second one for all, and which it is of the third shows at run time.
// CHECK-LABEL: func.func @regions(
// CHECK-SAME:      %[[W:[^:]+]]: tensor<2x8x16xf32>, %[[SHARED:[^:]+]]: tensor<1x16xf32>, %[[ANY:[^:]+]]: tensor<?x16xf32>)
// CHECK:         scf.for %[[HEAD:[^ ,]+]] = %c0 to %c2
// CHECK:           %[[KEYS:[^ ,]+]] = tensor.extract_slice %{{.+}} to tensor<?x8xf32>
// CHECK-DAG:       tensor.extract_slice %[[W]][%[[HEAD]], 0, 0] [1, 8, 16] [1, 1, 1] : tensor<2x8x16xf32> to tensor<8x16xf32>
// CHECK-DAG:       tensor.extract_slice %[[SHARED]][0, 0] [1, 16] [1, 1] : tensor<1x16xf32> to tensor<16xf32>
// CHECK:           linalg.matmul ins(%[[KEYS]]
// CHECK:           linalg.generic
// CHECK:             arith.addf
// CHECK:           %[[IS_SHARED:[^ ,]+]] = arith.cmpi eq, %{{.+}}, %c1
// CHECK:           %[[SLICE:[^ ,]+]] = arith.select %[[IS_SHARED]], %c0, %[[HEAD]]
// CHECK:           tensor.extract_slice %[[ANY]][%[[SLICE]], 0] [1, 16]
// CHECK:           linalg.generic
// CHECK:             arith.mulf
func.func @regions(%q: tensor<?x2x?x16xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>,
                   %w: tensor<2x8x16xf32>, %shared: tensor<1x16xf32>, %any: tensor<?x16xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x16xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>)
      parameters(%w, %shared, %any : tensor<2x8x16xf32>, tensor<1x16xf32>, tensor<?x16xf32>)
      features (%x: tensor<?x8xf32>, %omega: tensor<8x16xf32>, %bias: tensor<16xf32>, %gain: tensor<16xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %empty = tensor.empty(%rows) : tensor<?x16xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
        %u = linalg.matmul ins(%x, %omega : tensor<?x8xf32>, tensor<8x16xf32>)
                           outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
        %phi = linalg.generic {indexing_maps = [affine_map<(n, f) -> (f)>, affine_map<(n, f) -> (n, f)>],
                               iterator_types = ["parallel", "parallel"]}
            ins(%bias : tensor<16xf32>) outs(%u : tensor<?x16xf32>) {
        ^bb0(%a: f32, %b: f32):
          %sum = arith.addf %a, %b : f32
          linalg.yield %sum : f32
        } -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } query_features (%x: tensor<?x16xf32>, %omega: tensor<8x16xf32>, %bias: tensor<16xf32>, %gain: tensor<16xf32>) {
        %phi = linalg.generic {indexing_maps = [affine_map<(n, f) -> (f)>, affine_map<(n, f) -> (n, f)>],
                               iterator_types = ["parallel", "parallel"]}
            ins(%gain : tensor<16xf32>) outs(%x : tensor<?x16xf32>) {
        ^bb0(%a: f32, %b: f32):
          %product = arith.mulf %a, %b : f32
          linalg.yield %product : f32
        } -> tensor<?x16xf32>
        spectral.yield %phi : tensor<?x16xf32>
      } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// CHECK-LABEL: func.func @feature_map(
// CHECK:         scf.for %[[BATCH:[^ ,]+]] =
// CHECK:           scf.for %[[HEAD:[^ ,]+]] =
// CHECK:             %[[ROWS:[^ ,]+]] = tensor.extract_slice %{{.+}}[%[[BATCH]], %[[HEAD]], 0, 0]
// CHECK:             math.cos
// CHECK:             math.sin
// CHECK:             math.exp
// CHECK:             tensor.insert_slice %{{.+}} into %{{.+}}[%[[BATCH]], %[[HEAD]], 0, 0] [1, 1, %{{.+}}, 16]
func.func @feature_map(%x: tensor<?x?x?x8xf32>) -> tensor<?x?x?x16xf32> {
  %phi = spectral.feature_map rows(%x : tensor<?x?x?x8xf32>) {domain = #spectral.domain<log>}
      features (%tile: tensor<?x8xf32>) {
        %t = spectral.trig %tile : tensor<?x8xf32> -> tensor<?x16xf32>
        spectral.yield %t : tensor<?x16xf32>
      } -> tensor<?x?x?x16xf32>
  return %phi : tensor<?x?x?x16xf32>
}

// -----

// 16-bit inputs are accumulated in f32.
// CHECK-LABEL: func.func @half(
// CHECK:         arith.extf %{{.+}} : f16 to f32
// CHECK:         linalg.generic {{.*}} outs(%{{.+}} : tensor<8x8xf32>)
// CHECK:         arith.truncf %{{.+}} : f32 to f16
// CHECK:         return %{{.+}} : tensor<?x?x?x8xf16>
func.func @half(%q: tensor<?x?x?x8xf16>, %k: tensor<?x?x?x8xf16>, %v: tensor<?x?x?x8xf16>, %o: tensor<?x?xf16>)
    -> tensor<?x?x?x8xf16> {
  %out = spectral.linear_attention query(%q : tensor<?x?x?x8xf16>) key(%k : tensor<?x?x?x8xf16>)
      value(%v : tensor<?x?x?x8xf16>) offset(%o : tensor<?x?xf16>) {causality = #spectral.causality<causal>}
      features (%x: tensor<?x8xf16>) {
        spectral.yield %x : tensor<?x8xf16>
      } -> tensor<?x?x?x8xf16>
  return %out : tensor<?x?x?x8xf16>
}

// -----

// 32 queries at a time; the loop over them is the innermost one.
// CHECK-LABEL: func.func @softmax(
// CHECK-SAME:      %[[Q:[^:]+]]: tensor<?x2x?x8xf64>, %[[K:[^:]+]]: tensor<?x2x?x8xf64>,
// CHECK-SAME:      %[[V:[^:]+]]: tensor<?x2x?x16xf64>)
// CHECK-DAG:     %[[SCALE:[^ ,]+]] = arith.constant 3.000000e-01 : f64
// CHECK-DAG:     %[[S:[^ ,]+]] = tensor.dim %[[K]], %c2
// CHECK:         scf.for %[[FIRST:[^ ,]+]] = %c0 to %[[L:[^ ,]+]] step %c32
// CHECK:           %[[REST:[^ ,]+]] = arith.subi %[[L]], %[[FIRST]]
// CHECK:           %[[COUNT:[^ ,]+]] = arith.minsi %[[REST]], %c32
// CHECK:           %[[WEIGHTS:[^ ,]+]] = tensor.empty(%[[S]]) : tensor<?x32xf64>
// CHECK:           tensor.extract_slice %{{.+}}[%[[FIRST]], 0] [%[[COUNT]], 8]
// CHECK:           linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]
// CHECK:             %[[DOT:[^ ,]+]] = arith.mulf
// CHECK:             arith.addf %{{.+}}, %[[DOT]]
// CHECK:             arith.mulf %{{.+}}, %[[SCALE]]
// CHECK-NOT:         arith.cmpi ule
// CHECK:             arith.maximumf
// CHECK:             math.exp
// CHECK-NOT:         math.exp
// CHECK:           linalg.generic {{.*}} iterator_types = ["reduction", "parallel", "parallel"]
// CHECK:             arith.divf
func.func @softmax(%q: tensor<?x2x?x8xf64>, %k: tensor<?x2x?x8xf64>, %v: tensor<?x2x?x16xf64>) -> tensor<?x2x?x16xf64> {
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x16xf64>) {kernel = #spectral.kernel<softmax>, scale = 0.3 : f64}
      -> tensor<?x2x?x16xf64>
  return %out : tensor<?x2x?x16xf64>
}

// -----

// Later keys are hidden twice: in the weights, and in the products, since their values may be anything.
// CHECK-LABEL: func.func @gaussian_causal(
// CHECK-SAME:      %{{[^:]+}}: tensor<?x2x?x8xf64>, %[[K:[^:]+]]: tensor<?x2x?x8xf64>,
// CHECK-DAG:     %[[SCALE:[^ ,]+]] = arith.constant -1.500000e-01 : f64
// CHECK-DAG:     %[[INFINITY:[^ ,]+]] = arith.constant 0xFFF0000000000000 : f64
// CHECK-DAG:     %[[ZERO:[^ ,]+]] = arith.constant 0.000000e+00 : f64
// CHECK:         %[[VISIBLE:[^ ,]+]] = arith.minsi
// CHECK:         %[[ALL_KEYS:[^ ,]+]] = tensor.extract_slice %[[K]]
// CHECK:         scf.for %[[FIRST:[^ ,]+]] = %c0
// CHECK:           %[[LAST:[^ ,]+]] = arith.addi %[[FIRST]], %{{.+}}
// CHECK:           %[[SEEN:[^ ,]+]] = arith.minsi %[[VISIBLE]], %[[LAST]]
// CHECK:           tensor.extract_slice %[[ALL_KEYS]][0, 0] [%[[SEEN]], 8]
// CHECK:           %[[DIFFERENCE:[^ ,]+]] = arith.subf
// CHECK:           arith.mulf %[[DIFFERENCE]], %[[DIFFERENCE]]
// CHECK:           linalg.generic
// CHECK:             %[[EXPONENT:[^ ,]+]] = arith.mulf %{{.+}}, %[[SCALE]]
// CHECK:             %[[ROW:[^ ,]+]] = linalg.index 1
// CHECK:             %[[QUERY:[^ ,]+]] = arith.addi %[[FIRST]], %[[ROW]]
// CHECK:             %[[KEY:[^ ,]+]] = linalg.index 0
// CHECK:             %[[SEES:[^ ,]+]] = arith.cmpi ule, %[[KEY]], %[[QUERY]]
// CHECK:             arith.select %[[SEES]], %[[EXPONENT]], %[[INFINITY]]
// CHECK-COUNT-2:   math.exp
// CHECK:           linalg.generic
// CHECK:             %[[PRODUCT:[^ ,]+]] = arith.mulf
// CHECK:             %[[SEES:[^ ,]+]] = arith.cmpi ule
// CHECK:             arith.select %[[SEES]], %[[PRODUCT]], %[[ZERO]]
func.func @gaussian_causal(%q: tensor<?x2x?x8xf64>, %k: tensor<?x2x?x8xf64>, %v: tensor<?x2x?x16xf64>,
                           %lengths: tensor<?xi32>) -> tensor<?x2x?x16xf64> {
  %out = spectral.exact_attention query(%q : tensor<?x2x?x8xf64>) key(%k : tensor<?x2x?x8xf64>)
      value(%v : tensor<?x2x?x16xf64>) lengths(%lengths : tensor<?xi32>)
      {kernel = #spectral.kernel<gaussian>, scale = 0.3 : f64, causality = #spectral.causality<causal>}
      -> tensor<?x2x?x16xf64>
  return %out : tensor<?x2x?x16xf64>
}
