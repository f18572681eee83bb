// A polynomial kernel, (x . y)^2 + 2 x . y: a sum and a product that the user wrote into the region.
func.func @features(%x: tensor<?x?x?x6xf32> {bochner.name = "x"}) -> (tensor<?x?x?x42xf32> {bochner.name = "out"}) {
  %0 = spectral.feature_map rows(%x : tensor<?x?x?x6xf32>) features (%row: tensor<?x6xf32>) {
    %squares = spectral.kernel_product %row, %row : tensor<?x6xf32>, tensor<?x6xf32> -> tensor<?x36xf32>
    %phi = spectral.kernel_sum %squares, %row {weights = array<f64: 1.0, 2.0>}
      : tensor<?x36xf32>, tensor<?x6xf32> -> tensor<?x42xf32>
    spectral.yield %phi : tensor<?x42xf32>
  } -> tensor<?x?x?x42xf32>
  return %0 : tensor<?x?x?x42xf32>
}
