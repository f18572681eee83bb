// What bochner-run fills without a word: a mask, offsets of packed sequences, a state for each of them.
// out = q where the mask says so, else 0; the other arguments are only returned.
#rows = affine_map<(b, n, d) -> (b, n, d)>
#row = affine_map<(b, n, d) -> (b, n)>
func.func @packed(%q: tensor<?x?x4xbf16> {bochner.name = "q", bochner.dims = ["B", "N", "D"]},
                  %mask: tensor<?x?xi1> {bochner.name = "mask", bochner.dims = ["B", "N"], bochner.init = "mask"},
                  %state: tensor<?x4xf16> {bochner.name = "state_s", bochner.dims = ["P", "D"],
                                           bochner.init = "zeros"},
                  %offsets: tensor<?xi32> {bochner.name = "cu_seqlens", bochner.dims = ["P+1"],
                                           bochner.init = "offsets"})
    -> (tensor<?x?x4xbf16> {bochner.name = "out"}, tensor<?x?xi1> {bochner.name = "mask"},
        tensor<?x4xf16> {bochner.name = "state"}, tensor<?xi32> {bochner.name = "offsets"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x4xbf16>
  %n = tensor.dim %q, %c1 : tensor<?x?x4xbf16>
  %init = tensor.empty(%b, %n) : tensor<?x?x4xbf16>
  %out = linalg.generic {indexing_maps = [#rows, #row, #rows], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%q, %mask : tensor<?x?x4xbf16>, tensor<?x?xi1>) outs(%init : tensor<?x?x4xbf16>) {
    ^bb0(%x: bf16, %keep: i1, %o: bf16):
      %zero = arith.constant 0.0 : bf16
      %kept = arith.select %keep, %x, %zero : bf16
      linalg.yield %kept : bf16
  } -> tensor<?x?x4xbf16>
  return %out, %mask, %state, %offsets : tensor<?x?x4xbf16>, tensor<?x?xi1>, tensor<?x4xf16>, tensor<?xi32>
}
