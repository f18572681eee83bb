// What users write with linalg, arith, math and tensor fuses as the maps of the project do.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse | FileCheck %s
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse -spectral-fuse-feature-map \
// RUN:   | FileCheck %s

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]
#w = affine_map<(b, h, n, f, d) -> (d, f)>

// The bound of the maximum is the same in all rows, so it needs no parameter.
// CHECK-LABEL: func.func @relu(
// CHECK:       spectral.linear_attention {{.+}} parameters(%{{[^,]+}} : tensor<1x64x256xf32>)
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[BOUND:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.+}} : tensor<?x256xf32>)
// CHECK:         %[[U:.+]] = linalg.matmul
// CHECK:         %[[PHI:.+]] = arith.maximumf %[[U]], %{{.+}} : tensor<?x256xf32>
// CHECK:         spectral.yield %[[PHI]]
// CHECK-NOT:   query_features
func.func @relu(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %omega: tensor<64x256xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %uq_empty = tensor.empty(%b, %l) : tensor<?x8x?x256xf32>
  %uq_init = linalg.fill ins(%zero : f32) outs(%uq_empty : tensor<?x8x?x256xf32>) -> tensor<?x8x?x256xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%q, %omega : tensor<?x8x?x64xf32>, tensor<64x256xf32>) outs(%uq_init : tensor<?x8x?x256xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x256xf32>
  %uk_empty = tensor.empty(%b, %s) : tensor<?x8x?x256xf32>
  %uk_init = linalg.fill ins(%zero : f32) outs(%uk_empty : tensor<?x8x?x256xf32>) -> tensor<?x8x?x256xf32>
  %uk = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%k, %omega : tensor<?x8x?x64xf32>, tensor<64x256xf32>) outs(%uk_init : tensor<?x8x?x256xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x256xf32>
  %zq = tensor.splat %zero[%b, %l] : tensor<?x8x?x256xf32>
  %zk = tensor.splat %zero[%b, %s] : tensor<?x8x?x256xf32>
  %fq = arith.maximumf %uq, %zq : tensor<?x8x?x256xf32>
  %fk = arith.maximumf %uk, %zk : tensor<?x8x?x256xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x256xf32>) key(%fk : tensor<?x8x?x256xf32>) value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x256xf32>) { spectral.yield %x : tensor<?x256xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// Constants that a body reads from outside go along.
// CHECK-LABEL: func.func @elu(
// CHECK:       spectral.linear_attention
// CHECK-NOT:     parameters
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>) {
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[PHI:.+]] = linalg.generic {indexing_maps = [#[[ID:.+]], #[[ID]]], iterator_types = ["parallel", "parallel"]}
// CHECK-SAME:      ins(%[[X]] : tensor<?x64xf32>)
// CHECK:           arith.cmpf ogt, %{{.+}}, %[[ZERO]]
// CHECK:         spectral.yield %[[PHI]]
// CHECK-NOT:   query_features
func.func @elu(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %eq = tensor.empty(%b, %l) : tensor<?x8x?x64xf32>
  %fq = linalg.generic {indexing_maps = [#id, #id], iterator_types = #elementwise} ins(%q : tensor<?x8x?x64xf32>) outs(%eq : tensor<?x8x?x64xf32>) {
  ^bb0(%x: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %positive = arith.cmpf ogt, %x, %zero : f32
    %above = arith.addf %x, %one : f32
    %below = math.exp %x : f32
    %y = arith.select %positive, %above, %below : f32
    linalg.yield %y : f32
  } -> tensor<?x8x?x64xf32>
  %ek = tensor.empty(%b, %s) : tensor<?x8x?x64xf32>
  %fk = linalg.generic {indexing_maps = [#id, #id], iterator_types = #elementwise} ins(%k : tensor<?x8x?x64xf32>) outs(%ek : tensor<?x8x?x64xf32>) {
  ^bb0(%x: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %positive = arith.cmpf ogt, %x, %zero : f32
    %above = arith.addf %x, %one : f32
    %below = math.exp %x : f32
    %y = arith.select %positive, %above, %below : f32
    linalg.yield %y : f32
  } -> tensor<?x8x?x64xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x64xf32>) key(%fk : tensor<?x8x?x64xf32>) value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) { spectral.yield %x : tensor<?x64xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]
#w = affine_map<(b, h, n, f, d) -> (f, d)>

// The network that makes the frequencies has no rows and stays outside. Its output is [m, D]: the product transposes.
// CHECK-DAG:   #[[$LEFT:.+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG:   #[[$RIGHT:.+]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG:   #[[$OUT:.+]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @generator_rks(
// CHECK:       %[[W:.+]] = math.tanh
// CHECK:       tensor.expand_shape %[[W]]
// CHECK:       spectral.linear_attention {{.+}} features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[SLICE:[^:]+]]: tensor<128x64xf32>) {
// CHECK:         linalg.matmul indexing_maps = [#[[$LEFT]], #[[$RIGHT]], #[[$OUT]]] ins(%[[X]], %[[SLICE]] :
// CHECK:         spectral.trig
// CHECK-NOT:   query_features
func.func @generator_rks(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %hidden: tensor<128x64xf32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %q, %c0 : tensor<?x8x?x64xf32>
  %l = tensor.dim %q, %c2 : tensor<?x8x?x64xf32>
  %s = tensor.dim %k, %c2 : tensor<?x8x?x64xf32>
  %w = math.tanh %hidden : tensor<128x64xf32>
  %uq_empty = tensor.empty(%b, %l) : tensor<?x8x?x128xf32>
  %uq_init = linalg.fill ins(%zero : f32) outs(%uq_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%q, %w : tensor<?x8x?x64xf32>, tensor<128x64xf32>) outs(%uq_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %uk_empty = tensor.empty(%b, %s) : tensor<?x8x?x128xf32>
  %uk_init = linalg.fill ins(%zero : f32) outs(%uk_empty : tensor<?x8x?x128xf32>) -> tensor<?x8x?x128xf32>
  %uk = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%k, %w : tensor<?x8x?x64xf32>, tensor<128x64xf32>) outs(%uk_init : tensor<?x8x?x128xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x128xf32>
  %fq = spectral.trig %uq {amplitude = 0.1 : f64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  %fk = spectral.trig %uk {amplitude = 0.1 : f64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  %out = spectral.linear_attention query(%fq : tensor<?x8x?x256xf32>) key(%fk : tensor<?x8x?x256xf32>) value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x256xf32>) { spectral.yield %x : tensor<?x256xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#w = affine_map<(b, h, n, f, d) -> (d, f)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#product = ["parallel", "parallel", "parallel", "parallel", "reduction"]

// Queries of another width have a map of their own; each region reads what it needs of all parameters.
// CHECK-LABEL: func.func @cross(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x8x?x32xf32>, %[[K:[^:]+]]: tensor<?x8x?x64xf32>,
// CHECK:       spectral.linear_attention query(%[[Q]] : tensor<?x8x?x32xf32>) key(%[[K]] : tensor<?x8x?x64xf32>)
// CHECK-SAME:    parameters(%{{.+}}, %{{.+}} : tensor<1x32x96xf32>, tensor<1x64x96xf32>)
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[WQ:[^:]+]]: tensor<32x96xf32>, %[[WK:[^:]+]]: tensor<64x96xf32>)
// CHECK:         linalg.matmul ins(%[[X]], %[[WK]] :
// CHECK:         math.exp
// CHECK:       } query_features (%[[Y:[^:]+]]: tensor<?x32xf32>, %[[WQ:[^:]+]]: tensor<32x96xf32>, %{{.+}}: tensor<64x96xf32>)
// CHECK:         linalg.matmul ins(%[[Y]], %[[WQ]] :
// CHECK-NOT:     math.exp
// CHECK:       } -> tensor<?x8x?x64xf32>
func.func @cross(%q: tensor<?x8x?x32xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %wq: tensor<32x96xf32>,
                 %wk: tensor<64x96xf32>, %iq: tensor<?x8x?x96xf32>, %ik: tensor<?x8x?x96xf32>) -> tensor<?x8x?x64xf32> {
  %zero = arith.constant 0.0 : f32
  %cq = linalg.fill ins(%zero : f32) outs(%iq : tensor<?x8x?x96xf32>) -> tensor<?x8x?x96xf32>
  %uq = linalg.generic {indexing_maps = [#rows, #w, #features], iterator_types = #product}
      ins(%q, %wq : tensor<?x8x?x32xf32>, tensor<32x96xf32>) outs(%cq : tensor<?x8x?x96xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x96xf32>
  %ck = linalg.fill ins(%zero : f32) outs(%ik : tensor<?x8x?x96xf32>) -> tensor<?x8x?x96xf32>
  %uk = linalg.generic {indexing_maps = [#w, #rows, #features], iterator_types = #product}
      ins(%wk, %k : tensor<64x96xf32>, tensor<?x8x?x64xf32>) outs(%ck : tensor<?x8x?x96xf32>) {
  ^bb0(%x: f32, %y: f32, %a: f32):
    %p = arith.mulf %x, %y : f32
    %r = arith.addf %a, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x96xf32>
  %fk = math.exp %uk : tensor<?x8x?x96xf32>
  %out = spectral.linear_attention query(%uq : tensor<?x8x?x96xf32>) key(%fk : tensor<?x8x?x96xf32>)
      value(%v : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x96xf32>) { spectral.yield %x : tensor<?x96xf32> } -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#row = affine_map<(b, h, n, d) -> (b, h, n)>
#column = affine_map<(b, h, n, d) -> (d)>
#one = affine_map<(b, h, n, d) -> ()>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]

// A normalization of rows, with named operations: what is [B, H, N] becomes a column vector of the tile. A gain of each
// column and a learned temperature are parameters.
// CHECK-DAG:   #[[$ID:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG:   #[[$ROW:.+]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG:   #[[$COLUMN:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG:   #[[$ONE:.+]] = affine_map<(d0, d1) -> ()>
// CHECK-LABEL: func.func @normalized(
// CHECK-SAME:    %[[ROWS:[^:]+]]: tensor<?x8x?x64xf32>, %[[GAIN:[^:]+]]: tensor<64xf32>, %[[TEMP:[^:]+]]: tensor<f32>)
// CHECK-DAG:   %[[GAIN1:.+]] = tensor.expand_shape %[[GAIN]] {{.*}} : tensor<64xf32> into tensor<1x64xf32>
// CHECK-DAG:   %[[TEMP1:.+]] = tensor.expand_shape %[[TEMP]] {{.*}} : tensor<f32> into tensor<1xf32>
// CHECK:       spectral.feature_map rows(%[[ROWS]] : {{.+}}) parameters(%[[GAIN1]], %[[TEMP1]] :
// CHECK-SAME:    features (%[[X:[^:]+]]: tensor<?x64xf32>, %[[G:[^:]+]]: tensor<64xf32>, %[[T:[^:]+]]: tensor<f32>) {
// CHECK:         %[[SUM:.+]] = linalg.generic {indexing_maps = [#[[$ID]], #[[$ROW]]], iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[X]] : tensor<?x64xf32>) outs(%{{.+}} : tensor<?xf32>)
// CHECK:         %[[MEAN:.+]] = linalg.generic {indexing_maps = [#[[$ROW]], #[[$ID]]], iterator_types = ["parallel", "parallel"]}
// CHECK-SAME:      ins(%[[SUM]] : tensor<?xf32>) outs(%{{.+}} : tensor<?x64xf32>)
// CHECK:         %[[CENTERED:.+]] = linalg.generic {{.+}} ins(%[[X]], %[[MEAN]] :
// CHECK:           arith.subf
// CHECK:         linalg.generic {indexing_maps = [#[[$ID]], #[[$COLUMN]], #[[$ONE]], #[[$ID]]]
// CHECK-SAME:      ins(%[[CENTERED]], %[[G]], %[[T]] : tensor<?x64xf32>, tensor<64xf32>, tensor<f32>)
func.func @normalized(%x: tensor<?x8x?x64xf32>, %gain: tensor<64xf32>, %temp: tensor<f32>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x8x?x64xf32>
  %n = tensor.dim %x, %c2 : tensor<?x8x?x64xf32>
  %sums = tensor.empty(%b, %n) : tensor<?x8x?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%sums : tensor<?x8x?xf32>) -> tensor<?x8x?xf32>
  %sum = linalg.reduce { arith.addf } ins(%x : tensor<?x8x?x64xf32>) outs(%start : tensor<?x8x?xf32>) dimensions = [3]
  %empty = tensor.empty(%b, %n) : tensor<?x8x?x64xf32>
  %mean = linalg.broadcast ins(%sum : tensor<?x8x?xf32>) outs(%empty : tensor<?x8x?x64xf32>) dimensions = [3]
  %centered = linalg.sub ins(%x, %mean : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
                         outs(%empty : tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
  %scaled = linalg.generic {indexing_maps = [#id, #column, #one, #id], iterator_types = #elementwise}
      ins(%centered, %gain, %temp : tensor<?x8x?x64xf32>, tensor<64xf32>, tensor<f32>)
      outs(%empty : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %g: f32, %t: f32, %o: f32):
    %gt = arith.mulf %g, %t : f32
    %y = arith.mulf %a, %gt : f32
    linalg.yield %y : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%scaled : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}
