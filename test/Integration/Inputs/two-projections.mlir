// Rows projected by heads, scaled, and projected on constant frequencies of a Gaussian: relu features.
#rows = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#by_head = affine_map<(b, h, n, f, d) -> (h, d, f)>
#shared = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
#tile = affine_map<(n, f) -> (n, f)>
func.func @features(%x: tensor<?x3x?x16xf32> {bochner.name = "x"}, %w: tensor<3x16x16xf32> {bochner.name = "w"})
    -> (tensor<?x3x?x4xf32> {bochner.name = "out"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %scale = arith.constant 0.3 : f32
  %omega = arith.constant dense<[
    [0.1, -0.2, 0.3, 0.4], [0.5, 0.6, -0.7, 0.8], [0.9, 1.0, 1.1, -1.2], [-1.3, 1.4, 1.5, 1.6],
    [0.1, 0.2, -0.3, 0.4], [0.5, -0.6, 0.7, 0.8], [-0.9, 1.0, 1.1, 1.2], [1.3, 1.4, 1.5, -1.6],
    [0.1, 0.2, 0.3, -0.4], [0.5, 0.6, -0.7, 0.8], [0.9, -1.0, 1.1, 1.2], [-1.3, 1.4, 1.5, 1.6],
    [-0.1, 0.2, 0.3, 0.4], [0.5, -0.6, 0.7, 0.8], [0.9, 1.0, -1.1, 1.2], [1.3, 1.4, 1.5, -1.6]]> : tensor<16x4xf32>
  %mean = arith.constant dense<0.25> : tensor<16xf32>
  %sigma = arith.constant dense<-0.5> : tensor<16xf32>
  %frequencies = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma)
    {covariance = #spectral.covariance<diagonal>}
    : tensor<16x4xf32>, tensor<16xf32>, tensor<16xf32> -> tensor<16x4xf32>
  %b = tensor.dim %x, %c0 : tensor<?x3x?x16xf32>
  %n = tensor.dim %x, %c2 : tensor<?x3x?x16xf32>
  %e = tensor.empty(%b, %n) : tensor<?x3x?x16xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3x?x16xf32>) -> tensor<?x3x?x16xf32>
  %q = linalg.generic {indexing_maps = [#rows, #by_head, #out],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x3x?x16xf32>, tensor<3x16x16xf32>) outs(%zeros : tensor<?x3x?x16xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x3x?x16xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q : tensor<?x3x?x16xf32>) outs(%e : tensor<?x3x?x16xf32>) {
  ^bb0(%l: f32, %r: f32):
    %p = arith.mulf %l, %scale : f32
    linalg.yield %p : f32
  } -> tensor<?x3x?x16xf32>
  %f = tensor.empty(%b, %n) : tensor<?x3x?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%f : tensor<?x3x?x4xf32>) -> tensor<?x3x?x4xf32>
  %u = linalg.generic {indexing_maps = [#rows, #shared, #out],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%z, %frequencies : tensor<?x3x?x16xf32>, tensor<16x4xf32>) outs(%init : tensor<?x3x?x4xf32>) {
  ^bb0(%l: f32, %r: f32, %s: f32):
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<?x3x?x4xf32>
  %phi = spectral.feature_map rows(%u : tensor<?x3x?x4xf32>) features (%row: tensor<?x4xf32>) {
    %low = arith.constant 0.0 : f32
    %c = arith.constant 0 : index
    %count = tensor.dim %row, %c : tensor<?x4xf32>
    %empty = tensor.empty(%count) : tensor<?x4xf32>
    %relu = linalg.generic {indexing_maps = [#tile, #tile], iterator_types = ["parallel", "parallel"]}
        ins(%row : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%l: f32, %r: f32):
      %m = arith.maximumf %l, %low : f32
      linalg.yield %m : f32
    } -> tensor<?x4xf32>
    spectral.yield %relu : tensor<?x4xf32>
  } -> tensor<?x3x?x4xf32>
  return %phi : tensor<?x3x?x4xf32>
}
