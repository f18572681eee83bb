// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Attributes of both dialects; invalid.mlir and its relatives have those that operations check.

func.func private @schedule_positive() attributes {
  // expected-error @below {{expected positive sizes in a schedule, but got 0}}
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                         register_columns = 64, row_chunk = 0>
}

// -----

func.func private @schedule_rows() attributes {
  // expected-error @below {{expected 'register_rows' to divide 'row_tile' (64), but got 5}}
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 5,
                                         register_columns = 64, row_chunk = 1024>
}

// -----

func.func private @schedule_columns() attributes {
  // expected-error @below {{expected 'register_columns' to divide 'feature_block' (64), but got 48}}
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                         register_columns = 48, row_chunk = 1024>
}

// -----

func.func private @schedule_chunk() attributes {
  // expected-error @below {{expected 'row_tile' to divide 'row_chunk' (1000), but got 64}}
  spectral.schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4,
                                         register_columns = 64, row_chunk = 1000>
}

// -----

// expected-error @below {{expected 'bochner.name' of argument 0 to be a string, but got 1}}
func.func private @name(tensor<?x8xf32> {bochner.name = 1 : i64})

// -----

// expected-error @below {{expected 'bochner.name' of argument 0 to be a string, but got ""}}
func.func private @name_empty(tensor<?x8xf32> {bochner.name = ""})

// -----

// expected-error @below {{expected 'bochner.init' of argument 0 to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, offsets(dim), below(n) or constant(x), but got "gauss"}}
func.func private @init(tensor<?x8xf32> {bochner.init = "gauss"})

// -----

// expected-error @below {{expected 'bochner.init' of argument 0 to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, offsets(dim), below(n) or constant(x), but got "normal(x)"}}
func.func private @init_number(tensor<?x8xf32> {bochner.init = "normal(x)"})

// -----

// expected-error @below {{expected 'bochner.init' of argument 0 to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, offsets(dim), below(n) or constant(x), but got "uniform(-1)"}}
func.func private @init_negative(tensor<?x8xf32> {bochner.init = "uniform(-1)"})

// -----

// expected-error @below {{expected 'bochner.init' of argument 0 to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, offsets(dim), below(n) or constant(x), but got "zeros(1)"}}
func.func private @init_parameter(tensor<?x8xf32> {bochner.init = "zeros(1)"})

// -----

// expected-error @below {{expected 'bochner.init' of argument 0 to be zeros, ones, normal(std), uniform(a), signs, permutation, chi, mask, offsets(dim), below(n) or constant(x), but got "offsets()"}}
func.func private @init_offsets(tensor<?xi64> {bochner.init = "offsets()"})

// -----

// expected-error @below {{expected 'bochner.dims' of argument 0 to name each dimension of 'tensor<?x8xf32>', but got ["N"]}}
func.func private @dims(tensor<?x8xf32> {bochner.dims = ["N"]})

// -----

// expected-error @below {{expected 'bochner.dims' of argument 0 to name each dimension of 'f32', but got []}}
func.func private @dims_type(f32 {bochner.dims = []})

// -----

// expected-error @below {{expected 'bochner.dims' of argument 0 to name each dimension of 'tensor<?x8xf32>', but got ["N", 8]}}
func.func private @dims_string(tensor<?x8xf32> {bochner.dims = ["N", 8]})

// -----

// expected-error @below {{expected 'bochner.name', 'bochner.init' or 'bochner.dims' on argument 0, but got 'bochner.nam'}}
func.func private @argument_misspelt(tensor<?x8xf32> {bochner.nam = "q"})

// -----

// expected-error @below {{expected 'bochner.name' of result 1 to be a string, but got unit}}
func.func private @result_name() -> (f32, f32 {bochner.name})

// -----

// expected-error @below {{expected 'bochner.name', 'bochner.init', 'bochner.dims' or 'bochner.updates' on result 0, but got 'bochner.title'}}
func.func private @result_misspelt() -> (f32 {bochner.title = "out"})

// -----

// expected-error @below {{expected 'bochner.updates' of result 0 to be a string, but got 0 : i64}}
func.func private @updates(tensor<8xf32>) -> (tensor<8xf32> {bochner.updates = 0})

// -----

// expected-error @below {{expected 'bochner.name', 'bochner.init' or 'bochner.dims' on argument 0, but got 'bochner.updates'}}
func.func private @updates_of_argument(tensor<8xf32> {bochner.updates = "out"})

// -----

// expected-error @below {{expected 'bochner.attributes' on an operation, but got 'bochner.name'}}
func.func private @operation() attributes {bochner.name = "q"}

// -----

// expected-error @below {{expected 'bochner.attributes' to be a string, but got 1}}
func.func private @operation_attributes() attributes {bochner.attributes = 1 : i64}

// -----

func.func @domain(%x: tensor<?x2x?x8xf32>) {
  // expected-error @below {{expected ::bochner::spectral::Domain to be one of: linear, log}}
  // expected-error @below {{failed to parse Spectral_DomainAttr parameter 'value'}}
  %y = spectral.feature_map rows(%x : tensor<?x2x?x8xf32>) {domain = #spectral.domain<logarithmic>}
      features (%t: tensor<?x8xf32>) {
        spectral.yield %t : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return
}
