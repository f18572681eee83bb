// out = (q + 2^24) - 2^24: single precision loses what double precision keeps.
func.func @lossy(%q: tensor<?xf32> {bochner.name = "q"}) -> (tensor<?xf32> {bochner.name = "out"}) {
  %c0 = arith.constant 0 : index
  %big = arith.constant 16777216.0 : f32
  %n = tensor.dim %q, %c0 : tensor<?xf32>
  %init = tensor.empty(%n) : tensor<?xf32>
  %out = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                         iterator_types = ["parallel"]}
      ins(%q : tensor<?xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%x: f32, %o: f32):
      %sum = arith.addf %x, %big : f32
      %difference = arith.subf %sum, %big : f32
      linalg.yield %difference : f32
  } -> tensor<?xf32>
  return %out : tensor<?xf32>
}
