func.func @features(%u: tensor<?x8x?x128xf32>) -> tensor<?x8x?x256xf32> {
  %phi = spectral.trig %u {amplitude = 0.125 : f64, groups = 2 : i64} : tensor<?x8x?x128xf32> -> tensor<?x8x?x256xf32>
  return %phi : tensor<?x8x?x256xf32>
}
