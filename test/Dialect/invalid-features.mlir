// RUN: bochner-opt %s -split-input-file -verify-diagnostics

// Building blocks of feature maps. Labels c1, c2, ... are those of the documentation.

func.func @trig_c1_static(%u: tensor<4x?xf32>) {
  // expected-error @below {{expected dimension 1 of 'projections' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.trig %u : tensor<4x?xf32> -> tensor<4x?xf32>
  return
}

// -----

func.func @trig_c1_rank(%u: tensor<8xf32>) {
  // expected-error @below {{expected 'projections' to have rows and columns, but got 'tensor<8xf32>'}}
  %0 = spectral.trig %u : tensor<8xf32> -> tensor<16xf32>
  return
}

// -----

func.func @trig_c1_groups(%u: tensor<4x8xf32>) {
  // expected-error @below {{expected 'groups' to divide the 8 columns of 'projections', but got 3}}
  %0 = spectral.trig %u {groups = 3 : i64} : tensor<4x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @trig_c1_positive(%u: tensor<4x8xf32>) {
  // expected-error @below {{attribute 'groups' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %0 = spectral.trig %u {groups = 0 : i64} : tensor<4x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @trig_c2(%u: tensor<4x8xf32>) {
  // expected-error @below {{expected 'amplitude' to be finite, but got INF}}
  %0 = spectral.trig %u {amplitude = 0x7FF0000000000000 : f64} : tensor<4x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @trig_type(%u: tensor<4x8xi32>) {
  // expected-error @below {{operand #0 must be ranked tensor of 16-bit float or bfloat16 type or 32-bit float or 64-bit float values, but got 'tensor<4x8xi32>'}}
  %0 = spectral.trig %u : tensor<4x8xi32> -> tensor<4x16xf32>
  return
}

// -----

func.func @trig_result(%u: tensor<4x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<4x16xf32>' are incompatible with return type(s) of operation 'tensor<4x8xf32>'}}
  %0 = spectral.trig %u : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @trig_result_dynamic(%u: tensor<4x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<4x16xf32>' are incompatible with return type(s) of operation 'tensor<4x?xf32>'}}
  %0 = spectral.trig %u : tensor<4x8xf32> -> tensor<4x?xf32>
  return
}

// -----

func.func @trig_misspelt(%u: tensor<4x8xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'amplitud'; known are 'amplitude', 'groups'}}
  %0 = spectral.trig %u {amplitud = 0.5 : f64} : tensor<4x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @log_positive_c1(%u: tensor<4x8xf32>, %x: tensor<5x2xf32>) {
  // expected-error @below {{expected dimension 0 of 'rows' to be 4 (dimension 0 of 'projections'), but got 5}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64} : tensor<4x8xf32>, tensor<5x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_c1_rank(%u: tensor<4x8xf32>, %x: tensor<1x4x2xf32>) {
  // expected-error @below {{expected 'rows' to have rank 2, but got 'tensor<1x4x2xf32>'}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64} : tensor<4x8xf32>, tensor<1x4x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_c1_static(%u: tensor<4x8xf32>, %x: tensor<4x?xf32>) {
  // expected-error @below {{expected dimension 1 of 'rows' (head dimension) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64} : tensor<4x8xf32>, tensor<4x?xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_c2(%u: tensor<4x8xf32>, %x: tensor<4x2xf64>) {
  // expected-error @below {{expected 'rows' to have the element type of 'projections' ('f32'), but got 'tensor<4x2xf64>'}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64} : tensor<4x8xf32>, tensor<4x2xf64> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_c3_count(%u: tensor<4x8xf32>, %x: tensor<4x2xf32>) {
  // expected-error @below {{expected 'count' to be positive, but got 0}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 0 : i64}
    : tensor<4x8xf32>, tensor<4x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_c3_norm_factor(%u: tensor<4x8xf32>, %x: tensor<4x2xf32>) {
  // expected-error @below {{expected 'norm_factor' to be finite, but got INF}}
  %0 = spectral.log_positive %u, %x {norm_factor = 0x7FF0000000000000 : f64, count = 8 : i64}
    : tensor<4x8xf32>, tensor<4x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_result(%u: tensor<4x8xf32>, %x: tensor<4x2xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<4x16xf32>' are incompatible}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64, symmetric}
    : tensor<4x8xf32>, tensor<4x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @log_positive_misspelt(%u: tensor<4x8xf32>, %x: tensor<4x2xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'symetric'; known are 'count', 'norm_factor', 'symmetric'}}
  %0 = spectral.log_positive %u, %x {norm_factor = 1.0 : f64, count = 8 : i64, symetric}
    : tensor<4x8xf32>, tensor<4x2xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @hadamard_c1(%x: tensor<4x12xf32>) {
  // expected-error @below {{expected dimension 1 of 'rows' to be a static power of two, but got 'tensor<4x12xf32>'}}
  %0 = spectral.hadamard %x : tensor<4x12xf32> -> tensor<4x12xf32>
  return
}

// -----

func.func @hadamard_misspelt(%x: tensor<4x8xf32>) {
  // expected-error @below {{expected an attribute of the operation, but got 'normalized'; known are none}}
  %0 = spectral.hadamard %x {normalized} : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @permute_c1(%x: tensor<4x?xf32>, %p: tensor<8xi64>) {
  // expected-error @below {{expected dimension 1 of 'rows' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.permute %x, %p : tensor<4x?xf32>, tensor<8xi64> -> tensor<4x?xf32>
  return
}

// -----

func.func @permute_c2(%x: tensor<4x8xf32>, %p: tensor<7xi64>) {
  // expected-error @below {{expected dimension 0 of 'permutation' to be 8 (dimension 1 of 'rows'), but got 7}}
  %0 = spectral.permute %x, %p : tensor<4x8xf32>, tensor<7xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @fastfood_c1(%x: tensor<4x6xf32>, %d: tensor<6xf32>, %p: tensor<6xi64>) {
  // expected-error @below {{expected dimension 1 of 'rows' to be a static power of two, but got 'tensor<4x6xf32>'}}
  %0 = spectral.fastfood %x scale(%d) gaussian(%d) signs(%d) permutation(%p)
    : tensor<4x6xf32>, tensor<6xf32>, tensor<6xi64> -> tensor<4x6xf32>
  return
}

// -----

func.func @fastfood_c2_size(%x: tensor<4x8xf32>, %d: tensor<4xf32>, %p: tensor<8xi64>) {
  // expected-error @below {{expected dimension 0 of 'scale' to be 8 (dimension 1 of 'rows'), but got 4}}
  %0 = spectral.fastfood %x scale(%d) gaussian(%d) signs(%d) permutation(%p)
    : tensor<4x8xf32>, tensor<4xf32>, tensor<8xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @fastfood_c2_type(%x: tensor<4x8xf32>, %d: tensor<8xf64>, %p: tensor<8xi64>) {
  // expected-error @below {{expected 'scale' to have the element type of 'rows' ('f32'), but got 'tensor<8xf64>'}}
  %0 = spectral.fastfood %x scale(%d) gaussian(%d) signs(%d) permutation(%p)
    : tensor<4x8xf32>, tensor<8xf64>, tensor<8xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @fastfood_c2_permutation(%x: tensor<4x8xf32>, %d: tensor<8xf32>, %p: tensor<9xi64>) {
  // expected-error @below {{expected dimension 0 of 'permutation' to be 8 (dimension 1 of 'rows'), but got 9}}
  %0 = spectral.fastfood %x scale(%d) gaussian(%d) signs(%d) permutation(%p)
    : tensor<4x8xf32>, tensor<8xf32>, tensor<9xi64> -> tensor<4x8xf32>
  return
}

// -----

func.func @constant_feature_c1(%x: tensor<4x?xf32>) {
  // expected-error @below {{expected dimension 1 of 'features' (columns) to be static and positive, but got 'tensor<4x?xf32>'}}
  %0 = spectral.constant_feature %x {value = 1.0 : f64} : tensor<4x?xf32> -> tensor<4x?xf32>
  return
}

// -----

func.func @constant_feature_c2(%x: tensor<4x8xf32>) {
  // expected-error @below {{expected 'value' to be finite, but got nan}}
  %0 = spectral.constant_feature %x {value = 0x7FF8000000000000 : f64} : tensor<4x8xf32> -> tensor<4x9xf32>
  return
}

// -----

func.func @constant_feature_result(%x: tensor<4x8xf32>) {
  // expected-error @below {{failed to infer returned types}}
  // expected-error @below {{inferred type(s) 'tensor<4x9xf32>' are incompatible}}
  %0 = spectral.constant_feature %x {value = 1.0 : f64} : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}
