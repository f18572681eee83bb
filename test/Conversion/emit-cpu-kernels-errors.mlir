// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels -verify-diagnostics
// RUN: not bochner-opt -spectral-emit-cpu-kernels=vector-bits=192 2>&1 < /dev/null | FileCheck %s
// CHECK: error: expected 'vector-bits' to be 128, 256 or 512, but got 192

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// expected-error @below {{expected a kernel function to hold one operation on its arguments and return its results}}
func.func private @two(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %y = math.exp %x : tensor<?x8x?x64xf32>
  %z = math.exp %y : tensor<?x8x?x64xf32>
  return %z : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @exp(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  // expected-error @below {{unsupported as a kernel: expected linear_attention, linear_attention_grad, attention_state, apply_state, feature_map or exact_attention}}
  %y = math.exp %x : tensor<?x8x?x64xf32>
  return %y : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 60, register_rows = 4, register_columns = 20,
                               row_chunk = 512>

// expected-error @below {{expected 'register_columns' of the schedule to be a multiple of the 16 lanes of a vector, but got 20}}
func.func private @lanes(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 24, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 48>

// expected-error @below {{expected 'row_tile' of the schedule to be a multiple of the 16 lanes of a vector, but got 24}}
func.func private @rows(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @erf(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    // expected-error @below {{unsupported in a feature region: expected an elementwise operation of 'arith' or 'math' on floats}}
    %y = math.erf %tile : tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @gather(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    // expected-error @below {{unsupported in a feature region: expected a row-wise operation}}
    %y = tensor.generate {
    ^bb0(%i: index, %j: index):
      %c = arith.constant 0.0 : f32
      tensor.yield %c : f32
    } : tensor<64x64xf32>
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @square(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    %w = arith.constant dense<1.0> : tensor<64x64xf32>
    // expected-error @below {{unsupported in a feature region: expected the product of a tile [rows, depth] with a parameter [depth, columns] or [columns, depth]}}
    %y = linalg.matmul ins(%tile, %w : tensor<?x64xf32>, tensor<64x64xf32>) outs(%tile : tensor<?x64xf32>)
      -> tensor<?x64xf32>
    spectral.yield %y : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

// expected-error @below {{expected 'spectral.schedule' to be a #spectral.schedule, but got 64 : i64}}
func.func private @number(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = 64} {
  %phi = spectral.feature_map rows(%x : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @no_adjoint(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                              %out: tensor<?x8x?x64xf32>, %cot: tensor<?x8x?x64xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) attributes {spectral.schedule = #schedule} {
  // expected-error @below {{expected an adjoint that fits a kernel, but rows are reduced by a maximum or minimum; write it out by 'spectral-decompose'}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) output(%out : tensor<?x8x?x64xf32>) cotangent(%cot : tensor<?x8x?x64xf32>)
      features (%x: tensor<?x64xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x64xf32>
        %least = arith.constant 0xFF800000 : f32
        %column = tensor.empty(%rows) : tensor<?xf32>
        %init = linalg.fill ins(%least : f32) outs(%column : tensor<?xf32>) -> tensor<?xf32>
        %most = linalg.reduce { arith.maximumf } ins(%x : tensor<?x64xf32>) outs(%init : tensor<?xf32>) dimensions = [1]
        %empty = tensor.empty(%rows) : tensor<?x64xf32>
        %y = linalg.broadcast ins(%most : tensor<?xf32>) outs(%empty : tensor<?x64xf32>) dimensions = [1]
        spectral.yield %y : tensor<?x64xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
  return %g#0, %g#1, %g#2 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @no_moments(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                              %out: tensor<?x8x?x64xf32>, %cot: tensor<?x8x?x64xf32>, %w: tensor<8x32x64xf32>,
                              %center: tensor<8x32xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
    attributes {spectral.schedule = #schedule} {
  // expected-error @below {{expected an adjoint that fits a kernel, but a product reads the transpose of a parameter of 'moments'; write it out by 'spectral-decompose'}}
  %g:5 = spectral.linear_attention_grad query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) output(%out : tensor<?x8x?x64xf32>) cotangent(%cot : tensor<?x8x?x64xf32>)
      parameters(%w : tensor<8x32x64xf32>) centers(%center : tensor<8x32xf32>) {moments = array<i64: 0>}
      features (%row: tensor<?x64xf32>, %omega: tensor<32x64xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %row, %c0 : tensor<?x64xf32>
        %empty = tensor.empty(%rows) : tensor<?x32xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
        %u = linalg.generic {indexing_maps = [affine_map<(i, f, d) -> (i, d)>, affine_map<(i, f, d) -> (f, d)>,
                                              affine_map<(i, f, d) -> (i, f)>],
                             iterator_types = ["parallel", "parallel", "reduction"]}
            ins(%row, %omega : tensor<?x64xf32>, tensor<32x64xf32>) outs(%init : tensor<?x32xf32>) {
        ^bb0(%a: f32, %b: f32, %s: f32):
          %0 = arith.mulf %a, %b : f32
          %1 = arith.addf %s, %0 : f32
          linalg.yield %1 : f32
        } -> tensor<?x32xf32>
        spectral.yield %u : tensor<?x32xf32>
      } -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>
  return %g#0, %g#1, %g#2, %g#3, %g#4
    : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>
}

// -----

// Saved states are those between tiles of rows.

#schedule = #spectral.schedule<row_tile = 128, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @interval(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>) attributes {spectral.schedule = #schedule} {
  // expected-error @below {{expected 'row_tile' of the schedule to divide 'checkpoint_interval' (64), but got 128}}
  %out, %s, %z = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>)
      {causality = #spectral.causality<causal>, return_checkpoints, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>
  return %out, %s, %z : tensor<?x2x?x8xf32>, tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 128, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

func.func private @interval_of_gradients(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>,
                                         %out: tensor<?x2x?x8xf32>, %cot: tensor<?x2x?x8xf32>,
                                         %s: tensor<?x2x?x8x8xf32>, %z: tensor<?x2x?x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) attributes {spectral.schedule = #schedule} {
  // expected-error @below {{expected 'row_tile' of the schedule to divide 'checkpoint_interval' (192), but got 128}}
  %g:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) output(%out : tensor<?x2x?x8xf32>) cotangent(%cot : tensor<?x2x?x8xf32>)
      checkpoints(%s, %z : tensor<?x2x?x8x8xf32>, tensor<?x2x?x8xf32>)
      {causality = #spectral.causality<causal>, checkpoint_interval = 192 : i64, normalize = false}
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g#0, %g#1, %g#2 : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
}
