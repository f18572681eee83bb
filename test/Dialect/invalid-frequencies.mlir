// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// gaussian_frequencies. Labels c1, c2, ... are those of the documentation.

func.func @gaussian_frequencies_c1_base(%o: tensor<4xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected 'base' to have rank 2, but got 'tensor<4xf32>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c1_mean(%o: tensor<4x6xf32>, %m: tensor<f32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected 'mean' to have rank 1 (shared by all heads) or 2 (per head), but got 'tensor<f32>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<f32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c1_width(%o: tensor<4x6xf32>, %m: tensor<2x5xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'mean' to be 4 (dimension 0 of 'base'), but got 5}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<2x5xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c2_rank(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected 'sigma' to have rank 3, but got 'tensor<2x4xf32>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<full>}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c2_heads(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<3x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'sigma' to be 2 (dimension 0 of 'mean'), but got 3}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<3x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c2_width(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x5xf32>) {
  // expected-error @below {{expected dimension 1 of 'sigma' to be 4 (dimension 0 of 'base'), but got 5}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<2x5xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c3_static(%o: tensor<4x?xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected dimension 1 of 'base' (number of frequencies) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x?xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c3_rows(%o: tensor<?x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected dimension 0 of 'base' (head dimension) to be static and positive, but got 'tensor<?x6xf32>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<?x6xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c3_mean(%o: tensor<4x6xf32>, %m: tensor<2x4xf64>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected 'mean' to have the element type of 'base' ('f32'), but got 'tensor<2x4xf64>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<2x4xf64>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_c3_sigma(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf64>) {
  // expected-error @below {{expected 'sigma' to have the element type of 'base' ('f32'), but got 'tensor<2x4xf64>'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<2x4xf64> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_result(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<2x4x12xf32>' are incompatible}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}

// -----

func.func @gaussian_frequencies_misspelt(%o: tensor<4x6xf32>, %m: tensor<2x4xf32>, %s: tensor<2x4xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'sign'; known are 'covariance', 'mean_sign'}}
  %0 = spectral.gaussian_frequencies %o mean(%m) sigma(%s) {covariance = #spectral.covariance<diagonal>, sign = 1 : i64}
    : tensor<4x6xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4x6xf32>
  return
}
