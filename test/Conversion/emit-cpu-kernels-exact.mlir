// RUN: bochner-opt %s -split-input-file -spectral-emit-cpu-kernels | FileCheck %s

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Without causality the visible keys are gathered: a tile of them is computed when it is full, and no score is masked.

// CHECK-LABEL: func.func private @mask_tile(
// CHECK:         scf.for %[[KEY:[^ ]+]] = %c0{{[_0-9]*}} to %{{.+}} step %c1{{[_0-9]*}} iter_args(%[[GATHERED:[^ ]+]] = %c0
// CHECK:           %[[VISIBLE:[^ ]+]] = memref.load %{{.+}}[%[[KEY]]] : memref<?xi1
// CHECK:           %[[COUNT:[^ ]+]] = arith.select %[[VISIBLE]], %{{.+}}, %[[GATHERED]]
// CHECK:           scf.if %[[VISIBLE]]
// CHECK:             %[[ROW:[^ ]+]] = vector.load %{{.+}}[%[[KEY]],
// CHECK:             vector.store %[[ROW]], %{{.+}}[%[[GATHERED]],
// CHECK:           arith.cmpi eq, %[[COUNT]], %c64
// CHECK-NOT:       memref.load {{.+}} : memref<64xi1>
// CHECK-NOT:       vector.step
// CHECK-LABEL: func.func private @mask(
// CHECK-NOT:     memref.alloc
// CHECK:         spectral.parallel_for @mask_tile
func.func private @mask(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                        %m: tensor<?x?xi1>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) mask(%m : tensor<?x?xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64} -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// With causality a key keeps its place in the tile. Scores of masked keys are replaced, values are zeros.

// CHECK-LABEL: func.func private @causal_mask_tile(
// CHECK:         %[[FLAGS:[^ ]+]] = memref.view {{.+}} to memref<64xi1>
// CHECK:         memref.store %[[VISIBLE:[^ ]+]], %[[FLAGS]]
// CHECK:         scf.if %[[VISIBLE]]
// CHECK:         } else {
// CHECK:           vector.store %cst{{[_0-9]*}}, %{{.+}} : memref<64x64xf32>, vector<64xf32>
// CHECK-COUNT-4: memref.load %[[FLAGS]]
// CHECK-NOT:     memref.load %[[FLAGS]]
// CHECK-LABEL: func.func private @causal_mask(
func.func private @causal_mask(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                               %m: tensor<?x?xi1>) -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) mask(%m : tensor<?x?xi1>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64, causality = #spectral.causality<causal>}
      -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// The anticausal scan is the causal one on rows from the last to the first; nothing but the views differs.

// CHECK-LABEL: func.func private @anticausal_tile(
// CHECK:         %[[APART:[^ ]+]] = arith.subi %c0{{[_0-9]*}}, %strides{{[_0-9]*}}#2
// CHECK:         memref.reinterpret_cast {{.+}} strides: [%[[APART]], 1]
// CHECK-NOT:     memref<64xi1>
// CHECK-LABEL: func.func private @anticausal(
func.func private @anticausal(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>)
    -> tensor<?x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Padding of the anticausal scan lies before the first key of the view; tiles start below it.

// CHECK-LABEL: func.func private @anticausal_lengths_tile(
// CHECK:         memref.view {{.+}} to memref<64xi1>
// CHECK:         %[[INSIDE:[^ ]+]] = arith.cmpi slt, %c-1
// CHECK:         memref.store %[[INSIDE]], %{{.+}} : memref<64xi1>
// CHECK-LABEL: func.func private @anticausal_lengths(
func.func private @anticausal_lengths(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>,
                                      %n: tensor<?xi64>) -> tensor<?x8x?x64xf32>
    attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x64xf32>) key(%k : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x64xf32>) lengths(%n : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64, causality = #spectral.causality<anticausal>}
      -> tensor<?x8x?x64xf32>
  return %out : tensor<?x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// Tiles of packed sequences are listed first, so that tasks are as many as rows and sequences ask for: one for 64 rows,
// one more for each sequence, two for the rows before and after them. Two query heads read one key head.

// CHECK-LABEL: func.func private @packed_plan(
// CHECK-SAME:    memref<?x5xi64>
// CHECK-LABEL: func.func private @packed_tile(
// CHECK:         %[[HEAD:[^ ]+]] = arith.remui
// CHECK:         arith.divui %[[HEAD]], %c2
// CHECK-LABEL: func.func private @packed(
// CHECK-SAME:    %[[Q:[^ ]+]]: memref<1x8x?x64xf32
// CHECK-SAME:    %[[OFFSETS:[^ ]+]]: memref<?xi64
// CHECK:         memref.dim %[[OFFSETS]]
// CHECK:         %[[SEQUENCES:[^ ]+]] = arith.maxsi
// CHECK:         memref.dim %[[Q]], %c2
// CHECK:         %[[TILES:[^ ]+]] = arith.divui %{{.+}}, %c64
// CHECK:         %[[MORE:[^ ]+]] = arith.addi %[[SEQUENCES]], %c2
// CHECK:         %[[SLOTS:[^ ]+]] = arith.addi %[[TILES]], %[[MORE]]
// CHECK:         %[[PLAN:[^ ]+]] = memref.alloc(%[[SLOTS]]) : memref<?x5xi64>
// CHECK:         spectral.parallel_for @packed_plan
// CHECK:         spectral.parallel_for @packed_tile
func.func private @packed(%q: tensor<1x8x?x64xf32>, %k: tensor<1x4x?x64xf32>, %v: tensor<1x4x?x64xf32>,
                          %s: tensor<?xi64>) -> tensor<1x8x?x64xf32> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<1x8x?x64xf32>) key(%k : tensor<1x4x?x64xf32>)
      value(%v : tensor<1x4x?x64xf32>) sequences(%s : tensor<?xi64>)
      {kernel = #spectral.kernel<softmax>, scale = 0.125 : f64} -> tensor<1x8x?x64xf32>
  return %out : tensor<1x8x?x64xf32>
}

// -----

#schedule = #spectral.schedule<row_tile = 64, feature_block = 64, register_rows = 4, register_columns = 64,
                               row_chunk = 512>

// 16-bit rows are widened once a tile; inner loops read f32, outputs are narrowed when they are stored.

// CHECK-LABEL: func.func private @half_tile(
// CHECK:         arith.extf {{.+}} : vector<64xbf16> to vector<64xf32>
// CHECK:         vector.store {{.+}} : memref<64x64xf32>, vector<64xf32>
// CHECK-NOT:     memref.load {{.+}}xbf16
// CHECK:         arith.truncf {{.+}} : vector<64xf32> to vector<64xbf16>
// CHECK-LABEL: func.func private @half(
func.func private @half(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x64xbf16>)
    -> tensor<?x8x?x64xbf16> attributes {spectral.schedule = #schedule} {
  %out = spectral.exact_attention query(%q : tensor<?x8x?x64xbf16>) key(%k : tensor<?x8x?x64xbf16>)
      value(%v : tensor<?x8x?x64xbf16>) {kernel = #spectral.kernel<gaussian>, scale = 0.125 : f64}
      -> tensor<?x8x?x64xbf16>
  return %out : tensor<?x8x?x64xbf16>
}
