// A map that a user wrote: rows are normalized, scaled by a gain of each column and multiplied by a matrix of each head.
#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#row = affine_map<(b, h, n, d) -> (b, h, n)>
#column = affine_map<(b, h, n, d) -> (d)>
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#w = affine_map<(b, h, n, f, d) -> (h, f, d)>
#features = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#elementwise = ["parallel", "parallel", "parallel", "parallel"]

// CHECK:     spectral.feature_map rows(%arg0 :
// CHECK:       linalg.matmul
// CHECK-NOT: linalg.generic {{.+}} outs({{.+}} : tensor<?x3x?x
func.func @features(%x: tensor<?x3x?x16xf32> {bochner.name = "x"}, %gain: tensor<16xf32> {bochner.name = "gain"},
                    %w: tensor<3x24x16xf32> {bochner.name = "w"}) -> (tensor<?x3x?x24xf32> {bochner.name = "out"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %epsilon = arith.constant 1.0e-5 : f32
  %b = tensor.dim %x, %c0 : tensor<?x3x?x16xf32>
  %n = tensor.dim %x, %c2 : tensor<?x3x?x16xf32>
  %norms = tensor.empty(%b, %n) : tensor<?x3x?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%norms : tensor<?x3x?xf32>) -> tensor<?x3x?xf32>
  %norm = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x3x?x16xf32>) outs(%none : tensor<?x3x?xf32>) {
  ^bb0(%a: f32, %s: f32):
    %square = arith.mulf %a, %a : f32
    %r = arith.addf %s, %square : f32
    linalg.yield %r : f32
  } -> tensor<?x3x?xf32>
  %like_x = tensor.empty(%b, %n) : tensor<?x3x?x16xf32>
  %scaled = linalg.generic {indexing_maps = [#id, #row, #column, #id], iterator_types = #elementwise}
      ins(%x, %norm, %gain : tensor<?x3x?x16xf32>, tensor<?x3x?xf32>, tensor<16xf32>) outs(%like_x : tensor<?x3x?x16xf32>) {
  ^bb0(%a: f32, %s: f32, %g: f32, %o: f32):
    %t = arith.addf %s, %epsilon : f32
    %i = math.rsqrt %t : f32
    %y = arith.mulf %a, %i : f32
    %r = arith.mulf %y, %g : f32
    linalg.yield %r : f32
  } -> tensor<?x3x?x16xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x3x?x24xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x3x?x24xf32>) -> tensor<?x3x?x24xf32>
  %u = linalg.generic {indexing_maps = [#rows, #w, #features],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%scaled, %w : tensor<?x3x?x16xf32>, tensor<3x24x16xf32>) outs(%init : tensor<?x3x?x24xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %p = arith.mulf %a, %m : f32
    %r = arith.addf %o, %p : f32
    linalg.yield %r : f32
  } -> tensor<?x3x?x24xf32>
  %phi = spectral.feature_map rows(%u : tensor<?x3x?x24xf32>) {domain = #spectral.domain<log>}
      features (%tile: tensor<?x24xf32>) { spectral.yield %tile : tensor<?x24xf32> } -> tensor<?x3x?x24xf32>
  return %phi : tensor<?x3x?x24xf32>
}
