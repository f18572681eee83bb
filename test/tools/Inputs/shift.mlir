// out[b, h, n, :] = q[b, h, n, :] + param_w[h, :]
#rows = affine_map<(b, h, n, d) -> (b, h, n, d)>
#head = affine_map<(b, h, n, d) -> (h, d)>
func.func @shift(%q: tensor<?x?x?x4xf32> {bochner.name = "q", bochner.dims = ["B", "H", "N", "D"]},
                 %w: tensor<?x4xf32> {bochner.name = "param_w", bochner.dims = ["H", "D"],
                                      bochner.init = "uniform(0.5)"})
    -> (tensor<?x?x?x4xf32> {bochner.name = "out", bochner.dims = ["B", "H", "N", "D"]})
    attributes {bochner.attributes = "map=none attention=none"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x?x4xf32>
  %h = tensor.dim %q, %c1 : tensor<?x?x?x4xf32>
  %n = tensor.dim %q, %c2 : tensor<?x?x?x4xf32>
  %init = tensor.empty(%b, %h, %n) : tensor<?x?x?x4xf32>
  %out = linalg.generic {indexing_maps = [#rows, #head, #rows],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q, %w : tensor<?x?x?x4xf32>, tensor<?x4xf32>) outs(%init : tensor<?x?x?x4xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %sum = arith.addf %x, %y : f32
      linalg.yield %sum : f32
  } -> tensor<?x?x?x4xf32>
  return %out : tensor<?x?x?x4xf32>
}
