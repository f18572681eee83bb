// Every message of the analysis, at the operation that does not fit.
// RUN: bochner-opt %s -split-input-file -spectral-print-feature-programs -verify-diagnostics

func.func @matrix_as_tile(%arg: tensor<?x2x?x4xf32>, %arg_w: tensor<1x4x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_w : tensor<1x4x4xf32>)
      features (%x: tensor<?x4xf32>, %w: tensor<4x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{expected tiles, column vectors, row vectors or scalars as operands in a feature region, but got a parameter of another rank}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n, f)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%w : tensor<4x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @erf(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n, f)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      // expected-error @below {{unsupported in a feature region: expected an elementwise operation of 'arith' or 'math' on floats; use one of addf, subf, mulf, divf}}
      %e = math.erf %a : f32
      linalg.yield %e : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// Powers other than 2 and 1/2.
func.func @power(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %c3 = arith.constant 3.0 : f32
    %threes = tensor.splat %c3[%rows] : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected an elementwise operation of 'arith' or 'math' on floats}}
    %y = math.powf %x, %threes : tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// Parameters of integers only serve as permutations.
func.func @fixed_point(%arg: tensor<?x2x?x4xf32>, %arg_i: tensor<1x4xi64>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_i : tensor<1x4xi64>)
      features (%x: tensor<?x4xf32>, %i: tensor<4xi64>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{expected tiles, column vectors, row vectors or scalars as operands in a feature region}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (f)>, affine_map<(n, f) -> (n, f)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%x, %i : tensor<?x4xf32>, tensor<4xi64>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %b: i64, %o: f32):
      %e = arith.sitofp %b : i64 to f32
      linalg.yield %e : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @from_index(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n, f)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      // expected-error @below {{unsupported in a feature region: expected operands of float type}}
      %i = arith.index_cast %rows : index to i64
      %e = arith.sitofp %i : i64 to f32
      linalg.yield %e : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @product_of_tiles(%arg: tensor<?x2x?x4xf32>, %arg_w: tensor<1x4x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_w : tensor<1x4x4xf32>)
      features (%x: tensor<?x4xf32>, %w: tensor<4x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected the product of a tile [rows, depth] with a parameter [depth, columns] or [columns, depth]}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f, d) -> (d, n)>, affine_map<(n, f, d) -> (d, f)>,
                                          affine_map<(n, f, d) -> (n, f)>],
                         iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%w, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %s, %p : f32
      linalg.yield %r : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @reduced_product(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 1.0 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a sum, maximum or minimum over the columns}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %r = arith.mulf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// A term that reads what was summed before.
func.func @sum_of_sums(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 0.0 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a sum, maximum or minimum over the columns}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %e = math.exp %b : f32
      %t = arith.mulf %e, %a : f32
      %r = arith.addf %b, %t : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @doubled(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 0.0 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a sum, maximum or minimum over the columns}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %r = arith.addf %b, %b : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @late_maximum(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 0.0 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a reduction to start at a constant, and a maximum or minimum at the infinity that any number replaces}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %r = arith.maximumf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// From plus infinity on nothing is larger.
func.func @hidden_maximum(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 0x7F800000 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a reduction to start at a constant, and a maximum or minimum at the infinity that any number replaces}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %r = arith.maximumf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// Rows must not see each other.
func.func @sum_of_everything(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %start = arith.constant 0.0 : f32
    %none = tensor.empty() : tensor<f32>
    %init = linalg.fill ins(%start : f32) outs(%none : tensor<f32>) -> tensor<f32>
    // expected-error @below {{unsupported in a feature region: expected a sum, maximum or minimum over the columns}}
    %s = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> ()>],
                         iterator_types = ["reduction", "reduction"]}
        ins(%x : tensor<?x4xf32>) outs(%init : tensor<f32>) {
    ^bb0(%a: f32, %b: f32):
      %r = arith.addf %a, %b : f32
      linalg.yield %r : f32
    } -> tensor<f32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @position(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected one result and no 'linalg.index'}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n, f)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %i = linalg.index 0 : index
      linalg.yield %a : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @reversed(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected loops over (row, column) and operands indexed by (row, column), (row), (column) or ()}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, 3 - f)>, affine_map<(n, f) -> (n, f)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// A parameter has no rows.
func.func @column_as_row(%arg: tensor<?x2x?x4xf32>, %arg_w: tensor<1x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_w : tensor<1x4xf32>)
      features (%x: tensor<?x4xf32>, %w: tensor<4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %empty = tensor.empty(%rows) : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected loops over (row, column) and operands indexed by (row, column), (row), (column) or ()}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n)>, affine_map<(n, f) -> (n, f)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%w : tensor<4xf32>) outs(%empty : tensor<?x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @computed_gaussian(%arg: tensor<?x2x?x4xf32>, %arg_d: tensor<1x4xf32>, %arg_i: tensor<1x4xi64>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_d, %arg_i : tensor<1x4xf32>, tensor<1x4xi64>)
      features (%x: tensor<?x4xf32>, %d: tensor<4xf32>, %i: tensor<4xi64>) {
    %h = arith.addf %d, %d : tensor<4xf32>
    // expected-error @below {{unsupported in a feature region: expected 'gaussian' and 'permutation' to be parameters}}
    %y = spectral.fastfood %x scale(%d) gaussian(%h) signs(%d) permutation(%i)
      : tensor<?x4xf32>, tensor<4xf32>, tensor<4xi64> -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @computed_permutation(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %e = tensor.empty() : tensor<4xi64>
    // expected-error @below {{unsupported in a feature region: expected 'permutation' to be a parameter}}
    %y = spectral.permute %x, %e : tensor<?x4xf32>, tensor<4xi64> -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @table(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a scalar or a splat; pass other constants as parameters}}
    %t = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @more_rows(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a concatenation of columns}}
    %y = tensor.concat dim(0) %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @slice_of_matrix(%arg: tensor<?x2x?x4xf32>, %arg_w: tensor<1x4x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      parameters(%arg_w : tensor<1x4x4xf32>)
      features (%x: tensor<?x4xf32>, %w: tensor<4x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.extract_slice %w[0, 0] [4, 2] [1, 1] : tensor<4x4xf32> to tensor<4x2xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @every_other_column(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.extract_slice %x[0, 0] [%rows, 2] [1, 2] : tensor<?x4xf32> to tensor<?x2xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

// The rows of a slice are those of the tile.
func.func @later_rows(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %rest = tensor.dim %x, %c1 : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.extract_slice %x[1, 0] [%rest, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @one_column(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.extract_slice %x[0, 1] [%rows, 1] [1, 1] : tensor<?x4xf32> to tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @insert_one_column(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %zero = arith.constant 0.0 : f32
    %none = tensor.empty(%rows) : tensor<?xf32>
    %column = linalg.fill ins(%zero : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.insert_slice %column into %x[0, 1] [%rows, 1] [1, 1] : tensor<?xf32> into tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @insert_later_rows(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %part = tensor.extract_slice %x[0, 0] [%rows, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
    // expected-error @below {{unsupported in a feature region: expected a static slice of columns of a tile}}
    %y = tensor.insert_slice %part into %x[1, 1] [%rows, 2] [1, 1] : tensor<?x2xf32> into tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @unknown_width(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a static number of columns, but got 'tensor<?x?xf32>'}}
    %y = tensor.cast %x : tensor<?x4xf32> to tensor<?x?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @gather(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a row-wise operation of 'spectral', 'linalg', 'tensor', 'arith' or 'math'}}
    %y = tensor.generate {
    ^bb0(%i: index, %j: index):
      %c = arith.constant 0.0 : f32
      tensor.yield %c : f32
    } : tensor<4x4xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @known_rows(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    // expected-error @below {{unsupported in a feature region: expected the number of rows to stay unknown and of columns to stay static, but got 'tensor<?x4xf32>' and 'tensor<8x4xf32>'}}
    %y = tensor.cast %x : tensor<?x4xf32> to tensor<8x4xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @last_column_wins(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>)
      features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %none = tensor.empty(%rows) : tensor<?xf32>
    // expected-error @below {{unsupported in a feature region: expected loops over (row, column) and operands indexed by (row, column), (row), (column) or (), the result by every parallel loop}}
    %y = linalg.generic {indexing_maps = [affine_map<(n, f) -> (n, f)>, affine_map<(n, f) -> (n)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<?x4xf32>) outs(%none : tensor<?xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<?xf32>
    spectral.yield %x : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @to_f64(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>) features (%x: tensor<?x4xf32>) {
    // expected-error @below {{absf, extf and truncf other than of f64}}
    %w = arith.extf %x : tensor<?x4xf32> to tensor<?x4xf64>
    %y = arith.truncf %w : tensor<?x4xf64> to tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}

// -----

func.func @from_f64(%arg: tensor<?x2x?x4xf32>) -> tensor<?x2x?x4xf32> {
  %out = spectral.feature_map rows(%arg : tensor<?x2x?x4xf32>) features (%x: tensor<?x4xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x4xf32>
    %one = arith.constant 1.0 : f64
    %w = tensor.splat %one[%rows] : tensor<?x4xf64>
    // expected-error @below {{absf, extf and truncf other than of f64}}
    %y = arith.truncf %w : tensor<?x4xf64> to tensor<?x4xf32>
    spectral.yield %y : tensor<?x4xf32>
  } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}
