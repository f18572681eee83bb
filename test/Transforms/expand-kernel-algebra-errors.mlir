// RUN: bochner-opt %s -spectral-expand-kernel-algebra="max-region-blocks=4" -verify-diagnostics

func.func @region(%x: tensor<?x8x?x5xf32>) -> tensor<?x8x?x25xf32> {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x5xf32>) features (%tile: tensor<?x5xf32>) {
    // expected-error @below {{expected 'left' of a product in a feature region to have at most 4 columns, but got 5}}
    // expected-note @below {{exchange the factors, or form the product outside of the region}}
    %0 = spectral.kernel_product %tile, %tile : tensor<?x5xf32>, tensor<?x5xf32> -> tensor<?x25xf32>
    spectral.yield %0 : tensor<?x25xf32>
  } -> tensor<?x8x?x25xf32>
  return %phi : tensor<?x8x?x25xf32>
}
