// RUN: bochner-opt %s -split-input-file -spectral-differentiate="fuse=true decompose=true" -canonicalize -cse \
// RUN:   | FileCheck %s --check-prefix=FUSE
// RUN: bochner-opt %s -split-input-file -spectral-differentiate=decompose=true -canonicalize -cse \
// RUN:   | FileCheck %s --check-prefix=WRITTEN

// With `fuse`, attention keeps its map: gradients are one operation on the rows, as is the result, which it reads.
// Parameters that do not count have no gradient. Without it, attention is written out.

// FUSE-LABEL: func.func @fused(
// FUSE-SAME:    %[[Q:[^:]+]]: tensor<?x2x?x8xf32>, %[[K:[^:]+]]: tensor<?x2x?x8xf32>, %[[V:[^:]+]]: tensor<?x2x?x4xf32>,
// FUSE-SAME:    %[[N:[^:]+]]: tensor<?xi64>, %[[W:[^:]+]]: tensor<2x8xf32>, %[[U:[^:]+]]: tensor<2x8xf32>, %[[COT:[^:]+]]: tensor<?x2x?x4xf32>)
// FUSE:         %[[OUT:[^ ,]+]]{{.*}} = spectral.linear_attention query(%[[Q]] {{.+}} key(%[[K]] {{.+}} value(%[[V]]
// FUSE-SAME:      parameters(%[[U]], %[[W]] : tensor<2x8xf32>, tensor<2x8xf32>)
// FUSE:         %[[DQ:[^,]+]], %[[DK:[^,]+]], %[[DV:[^,]+]], %[[DW:[^,]+]] = spectral.linear_attention_grad
// FUSE-SAME:      query(%[[Q]] : {{.+}} key(%[[K]] : {{.+}} value(%[[V]] : {{.+}} lengths(%[[N]] : {{.+}} output(%[[OUT]] :
// FUSE-SAME:      cotangent(%[[COT]] : {{.+}} parameters(%[[U]], %[[W]] : tensor<2x8xf32>, tensor<2x8xf32>)
// FUSE-SAME:      {domain = #spectral.domain<log>, eps = 1.000000e-03 : f64, wrt = array<i64: 1>}
// FUSE-SAME:      features (
// FUSE:             arith.mulf
// FUSE:             arith.addf
// FUSE:             spectral.yield
// FUSE:           } query_features (
// FUSE:             arith.subf
// FUSE:             spectral.yield
// FUSE:         return %[[OUT]], %[[DQ]], %[[DK]], %[[DV]], %[[DW]]
// WRITTEN-LABEL: func.func @fused(
// WRITTEN-NOT:   spectral.
// WRITTEN:       return
#row = affine_map<(b, h, i, d) -> (b, h, i, d)>
#head = affine_map<(b, h, i, d) -> (h, d)>
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<?xi64>,
                     %w: tensor<2x8xf32>, %u: tensor<2x8xf32>) -> tensor<?x2x?x4xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %k, %c0 : tensor<?x2x?x8xf32>
  %s = tensor.dim %k, %c2 : tensor<?x2x?x8xf32>
  %empty = tensor.empty(%b, %s) : tensor<?x2x?x8xf32>
  %keys = linalg.generic {indexing_maps = [#row, #head, #head, #row],
                          iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%k, %w, %u : tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) outs(%empty : tensor<?x2x?x8xf32>) {
  ^bb0(%x: f32, %wi: f32, %ui: f32, %o: f32):
    %0 = arith.mulf %x, %wi : f32
    %1 = arith.addf %0, %ui : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x?x8xf32>
  %l = tensor.dim %q, %c2 : tensor<?x2x?x8xf32>
  %to = tensor.empty(%b, %l) : tensor<?x2x?x8xf32>
  %queries = linalg.generic {indexing_maps = [#row, #head, #row],
                             iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q, %u : tensor<?x2x?x8xf32>, tensor<2x8xf32>) outs(%to : tensor<?x2x?x8xf32>) {
  ^bb0(%x: f32, %ui: f32, %o: f32):
    %0 = arith.subf %x, %ui : f32
    linalg.yield %0 : f32
  } -> tensor<?x2x?x8xf32>
  %out = spectral.linear_attention query(%queries : tensor<?x2x?x8xf32>) key(%keys : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x4xf32>) lengths(%n : tensor<?xi64>)
      {domain = #spectral.domain<log>, eps = 1.0e-3 : f64} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x4xf32>
  return %out : tensor<?x2x?x4xf32>
}
func.func @fused(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x4xf32>, %n: tensor<?xi64>,
                 %w: tensor<2x8xf32>, %u: tensor<2x8xf32>, %cot: tensor<?x2x?x4xf32>)
    -> (tensor<?x2x?x4xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>) {
  %y:5 = spectral.vjp @f inputs(%q, %k, %v, %n, %w, %u : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>,
      tensor<?xi64>, tensor<2x8xf32>, tensor<2x8xf32>) cotangents(%cot : tensor<?x2x?x4xf32>) wrt [0, 1, 2, 4]
    -> tensor<?x2x?x4xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
  return %y#0, %y#1, %y#2, %y#3, %y#4
    : tensor<?x2x?x4xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x4xf32>, tensor<2x8xf32>
}

// -----

// A permutation is a parameter without a gradient; so are the diagonals that are not asked for.

// FUSE-LABEL: func.func @fastfood(
// FUSE-SAME:    %[[S:[^:]+]]: tensor<8xf32>, %[[G:[^:]+]]: tensor<8xf32>, %[[B:[^:]+]]: tensor<8xf32>, %[[P:[^:]+]]: tensor<8xi64>
// FUSE:         %[[HEADS:[^ ]+]] = tensor.expand_shape %[[P]] {{.+}} : tensor<8xi64> into tensor<1x8xi64>
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      parameters({{.*}}%[[HEADS]]{{.*}} : tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xi64>)
// FUSE-SAME:      wrt = array<i64: 1>
// FUSE-SAME:      features (
// FUSE:             spectral.fastfood
// FUSE:             spectral.yield
// FUSE-NOT:     spectral.
// FUSE:         return
// WRITTEN-LABEL: func.func @fastfood(
// WRITTEN-NOT:  spectral.
// WRITTEN:       return
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %s: tensor<8xf32>,
                     %g: tensor<8xf32>, %b: tensor<8xf32>, %p: tensor<8xi64>) -> tensor<?x2x?x8xf32> {
  %uq = spectral.fastfood %q scale(%s) gaussian(%g) signs(%b) permutation(%p)
    : tensor<?x2x?x8xf32>, tensor<8xf32>, tensor<8xi64> -> tensor<?x2x?x8xf32>
  %uk = spectral.fastfood %k scale(%s) gaussian(%g) signs(%b) permutation(%p)
    : tensor<?x2x?x8xf32>, tensor<8xf32>, tensor<8xi64> -> tensor<?x2x?x8xf32>
  %y = spectral.linear_attention query(%uq : tensor<?x2x?x8xf32>) key(%uk : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @fastfood(%q: tensor<?x2x?x8xf32>, %s: tensor<8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>, %p: tensor<8xi64>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<8xf32>) {
  %y:3 = spectral.vjp @f inputs(%q, %q, %q, %s, %g, %b, %p : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>,
      tensor<?x2x?x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xi64>)
    cotangents(%q : tensor<?x2x?x8xf32>) wrt [0, 4] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<8xf32>
  return %y#0, %y#1, %y#2 : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<8xf32>
}

// -----

// What has no adjoint of its own is written out, whichever way: here, maps that reduce rows by a maximum.

// FUSE-LABEL: func.func @maximum(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @maximum(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%x: tensor<?x8xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %least = arith.constant -1.0e+30 : f32
        %column = tensor.empty(%rows) : tensor<?xf32>
        %init = linalg.fill ins(%least : f32) outs(%column : tensor<?xf32>) -> tensor<?xf32>
        %max = linalg.reduce { arith.maximumf } ins(%x : tensor<?x8xf32>) outs(%init : tensor<?xf32>) dimensions = [1]
        %empty = tensor.empty(%rows) : tensor<?x8xf32>
        %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>,
                                              affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
            ins(%x, %max : tensor<?x8xf32>, tensor<?xf32>) outs(%empty : tensor<?x8xf32>) {
        ^bb0(%a: f32, %m: f32, %o: f32):
          %d = arith.subf %a, %m : f32
          linalg.yield %d : f32
        } -> tensor<?x8xf32>
        spectral.yield %y : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @maximum(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %cot0: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y:2 = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%cot0 : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %y#1 : tensor<?x2x?x8xf32>
}

// -----

// An eps with a factor, whose gradient is a sum over rows of the result, its cotangent and the denominators.

// FUSE-LABEL: func.func @offset(
// FUSE-SAME:    %[[OFFSET:[^: ]+]]: tensor<?x2xf32>, %[[COT:[^: ]+]]: tensor<?x2x?x8xf32>)
// FUSE:         %[[OUT:[^ ,]+]], %[[EXTRA:[^ :]+]]:4 = spectral.linear_attention query({{.+}} offset(%[[OFFSET]] : tensor<?x2xf32>)
// FUSE-SAME:      return_denominators
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      denominators(%[[EXTRA]]#3 : tensor<?x2x?x1xf32>) offset(%[[OFFSET]] : tensor<?x2xf32>)
// FUSE:         %[[PULLS:[^ ]+]] = linalg.generic {{.+}} ins(%[[COT]], %[[OUT]] : {{.+}}) outs({{.+}} : tensor<?x2x?xf32>)
// FUSE:         %[[GRADIENT:[^ ]+]] = linalg.generic {{.+}} ins(%[[PULLS]], %[[EXTRA]]#3, %[[OFFSET]] : {{.+}}) outs({{.+}} : tensor<?x2xf32>)
// FUSE:           math.exp
// FUSE:         return {{.+}}, %[[GRADIENT]] :
// WRITTEN-LABEL: func.func @offset(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %offset: tensor<?x2xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) offset(%offset : tensor<?x2xf32>) {domain = #spectral.domain<log>} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @offset(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %offset: tensor<?x2xf32>, %cot0: tensor<?x2x?x8xf32>)
    -> (tensor<?x2x?x8xf32>, tensor<?x2xf32>) {
  %y:3 = spectral.vjp @f inputs(%q, %k, %v, %offset : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2xf32>)
    cotangents(%cot0 : tensor<?x2x?x8xf32>) wrt [0, 3] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2xf32>
  return %y#1, %y#2 : tensor<?x2x?x8xf32>, tensor<?x2xf32>
}

// Without eps the factor is worth nothing.

// FUSE-LABEL: func.func @offset_without_eps(
// FUSE:         %[[ZERO:[^ ]+]] = linalg.fill
// FUSE:         return %[[ZERO]] : tensor<?x2xf32>
// WRITTEN-LABEL: func.func @offset_without_eps(
func.func private @g(%q: tensor<?x2x?x8xf32>, %offset: tensor<?x2xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%q : tensor<?x2x?x8xf32>)
      value(%q : tensor<?x2x?x8xf32>) offset(%offset : tensor<?x2xf32>) {eps = 0.0 : f64} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @offset_without_eps(%q: tensor<?x2x?x8xf32>, %offset: tensor<?x2xf32>, %cot0: tensor<?x2x?x8xf32>) -> tensor<?x2xf32> {
  %y:2 = spectral.vjp @g inputs(%q, %offset : tensor<?x2x?x8xf32>, tensor<?x2xf32>)
    cotangents(%cot0 : tensor<?x2x?x8xf32>) wrt [1] -> tensor<?x2x?x8xf32>, tensor<?x2xf32>
  return %y#1 : tensor<?x2xf32>
}

// -----

// A state, taken or returned.

// FUSE-LABEL: func.func @takes_state(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @takes_state(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x8xf32>, %z: tensor<?x2x8xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>)
      initial(%s, %z : tensor<?x2x8x8xf32>, tensor<?x2x8xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @takes_state(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %s: tensor<?x2x8x8xf32>, %z: tensor<?x2x8xf32>, %cot0: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y:2 = spectral.vjp @f inputs(%q, %k, %v, %s, %z : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>)
    cotangents(%cot0 : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %y#1 : tensor<?x2x?x8xf32>
}

// -----

// FUSE-LABEL: func.func @returns_state(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @returns_state(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> (tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>) {
  %y:3 = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {return_state} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>
  return %y#0, %y#1, %y#2 : tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>
}
func.func @returns_state(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %cot0: tensor<?x2x?x8xf32>, %cot1: tensor<?x2x8x8xf32>, %cot2: tensor<?x2x8xf32>) -> tensor<?x2x?x8xf32> {
  %y:4 = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%cot0, %cot1, %cot2 : tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x8x8xf32>, tensor<?x2x8xf32>, tensor<?x2x?x8xf32>
  return %y#3 : tensor<?x2x?x8xf32>
}

// -----

// Denominators with a floor.

// FUSE-LABEL: func.func @clamped(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @clamped(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) {denominator = #spectral.denominator<clamp>, floor = 1.0e-2 : f64} features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @clamped(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %cot0: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y:2 = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%cot0 : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %y#1 : tensor<?x2x?x8xf32>
}

// -----

// Gradients have no rule: derivatives of them are those of attention that is written out.

// FUSE-LABEL: func.func @second(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @second(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func private @g(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y, %g = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%v : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g : tensor<?x2x?x8xf32>
}
func.func @second(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %cot: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y, %g = spectral.vjp @g inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%cot : tensor<?x2x?x8xf32>) wrt [1] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g : tensor<?x2x?x8xf32>
}

// -----

// Tangents differentiate twice.

// FUSE-LABEL: func.func @tangent(
// FUSE-NOT:     spectral.
// WRITTEN-LABEL: func.func @tangent(
// WRITTEN-NOT:  spectral.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @tangent(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>, %dq: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y, %t = spectral.jvp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    tangents(%dq : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %t : tensor<?x2x?x8xf32>
}

// -----

// A causal forward pass saves states for its gradients, at the interval that it names, or as often as memory permits:
// 256 features of rows of 16 numbers with values of 64, every 512 positions.
// FUSE-LABEL: func.func @checkpoints(
// FUSE:         %{{.+}}, %[[F:.+]]:4 = spectral.linear_attention
// FUSE-SAME:      {causality = #spectral.causality<causal>, checkpoint_interval = 64 : i64, domain = #spectral.domain<log>, return_checkpoints, return_denominators}
// FUSE:           -> tensor<?x2x?x64xf32>, tensor<?x2x?x256x64xf32>, tensor<?x2x?x256xf32>, tensor<?x2x?x256xf32>, tensor<?x2x?x1xf32>
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      denominators(%[[F]]#3 : tensor<?x2x?x1xf32>)
// FUSE-SAME:      checkpoints(%[[F]]#0, %[[F]]#1, %[[F]]#2 : tensor<?x2x?x256x64xf32>, tensor<?x2x?x256xf32>, tensor<?x2x?x256xf32>)
// FUSE-SAME:      {causality = #spectral.causality<causal>, checkpoint_interval = 64 : i64,
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      checkpoints(
// FUSE-SAME:      checkpoint_interval = 512 : i64
// FUSE:         spectral.linear_attention_grad
// FUSE-NOT:       checkpoints(
// FUSE:         return
// WRITTEN-LABEL: func.func @checkpoints(
func.func private @asked(%q: tensor<?x2x?x256xf32>, %v: tensor<?x2x?x64xf32>) -> tensor<?x2x?x64xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x256xf32>) key(%q : tensor<?x2x?x256xf32>) value(%v : tensor<?x2x?x64xf32>)
      {causality = #spectral.causality<causal>, domain = #spectral.domain<log>, checkpoint_interval = 64 : i64}
      features (%x: tensor<?x256xf32>) {
        spectral.yield %x : tensor<?x256xf32>
      } -> tensor<?x2x?x64xf32>
  return %out : tensor<?x2x?x64xf32>
}
func.func private @chosen(%q: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x64xf32>, %w: tensor<1x16x256xf32>) -> tensor<?x2x?x64xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x16xf32>) key(%q : tensor<?x2x?x16xf32>) value(%v : tensor<?x2x?x64xf32>)
      parameters(%w : tensor<1x16x256xf32>) {causality = #spectral.causality<causal>, domain = #spectral.domain<log>}
      features (%x: tensor<?x16xf32>, %m: tensor<16x256xf32>) {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %rows = tensor.dim %x, %c0 : tensor<?x16xf32>
        %empty = tensor.empty(%rows) : tensor<?x256xf32>
        %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x256xf32>) -> tensor<?x256xf32>
        %u = linalg.matmul ins(%x, %m : tensor<?x16xf32>, tensor<16x256xf32>) outs(%init : tensor<?x256xf32>) -> tensor<?x256xf32>
        spectral.yield %u : tensor<?x256xf32>
      } -> tensor<?x2x?x64xf32>
  return %out : tensor<?x2x?x64xf32>
}
func.func private @reversed(%q: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x64xf32>, %n: tensor<?xi64>) -> tensor<?x2x?x64xf32> {
  %out = spectral.linear_attention query(%q : tensor<?x2x?x16xf32>) key(%q : tensor<?x2x?x16xf32>) value(%v : tensor<?x2x?x64xf32>)
      lengths(%n : tensor<?xi64>) {causality = #spectral.causality<anticausal>, domain = #spectral.domain<log>}
      features (%x: tensor<?x16xf32>) {
        spectral.yield %x : tensor<?x16xf32>
      } -> tensor<?x2x?x64xf32>
  return %out : tensor<?x2x?x64xf32>
}
func.func @checkpoints(%q: tensor<?x2x?x256xf32>, %x: tensor<?x2x?x16xf32>, %v: tensor<?x2x?x64xf32>, %w: tensor<1x16x256xf32>,
                       %n: tensor<?xi64>, %cot: tensor<?x2x?x64xf32>)
    -> (tensor<?x2x?x256xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>) {
  %a, %da = spectral.vjp @asked inputs(%q, %v : tensor<?x2x?x256xf32>, tensor<?x2x?x64xf32>)
    cotangents(%cot : tensor<?x2x?x64xf32>) wrt [0] -> tensor<?x2x?x64xf32>, tensor<?x2x?x256xf32>
  %b, %db = spectral.vjp @chosen inputs(%x, %v, %w : tensor<?x2x?x16xf32>, tensor<?x2x?x64xf32>, tensor<1x16x256xf32>)
    cotangents(%cot : tensor<?x2x?x64xf32>) wrt [0] -> tensor<?x2x?x64xf32>, tensor<?x2x?x16xf32>
  %c, %dc = spectral.vjp @reversed inputs(%x, %v, %n : tensor<?x2x?x16xf32>, tensor<?x2x?x64xf32>, tensor<?xi64>)
    cotangents(%cot : tensor<?x2x?x64xf32>) wrt [0] -> tensor<?x2x?x64xf32>, tensor<?x2x?x16xf32>
  return %da, %db, %dc : tensor<?x2x?x256xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}

// -----

// What means and log variances ask of the gradient of frequencies are its moments around the means.

// FUSE-LABEL: func.func @diagonal(
// FUSE-SAME:    %[[X:[^:]+]]: tensor<?x2x?x8xf32>, %[[MEAN:[^:]+]]: tensor<2x8xf32>, %[[SIGMA:[^:]+]]: tensor<2x8xf32>,
// FUSE:         %[[W:.+]] = spectral.gaussian_frequencies
// FUSE:         %{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}, %[[M:[^ ]+]]:2 = spectral.linear_attention_grad
// FUSE-SAME:      parameters(%[[W]] : tensor<2x8x12xf32>) centers(%[[MEAN]] : tensor<2x8xf32>)
// FUSE-SAME:      {domain = #spectral.domain<log>, mean_sign = #spectral.mean_sign<plus_minus>, moments = array<i64: 0>}
// FUSE:         %[[DSIGMA:.+]] = linalg.generic {{.+}} iterator_types = ["parallel", "parallel"]} ins(%[[M]]#1
// FUSE:           arith.mulf %{{.+}}, %cst{{.*}} : f32
// FUSE:         return %[[M]]#0, %[[DSIGMA]]
// WRITTEN-LABEL: func.func @diagonal(
// WRITTEN-NOT:   moments
// WRITTEN:       return
#in = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#weight = affine_map<(b, h, n, f, d) -> (h, d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
func.func private @f(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8xf32>, %omega: tensor<8x6xf32>)
    -> tensor<?x2x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>, mean_sign = #spectral.mean_sign<plus_minus>}
    : tensor<8x6xf32>, tensor<2x8xf32>, tensor<2x8xf32> -> tensor<2x8x12xf32>
  %b = tensor.dim %x, %c0 : tensor<?x2x?x8xf32>
  %n = tensor.dim %x, %c2 : tensor<?x2x?x8xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x2x?x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x?x12xf32>) -> tensor<?x2x?x12xf32>
  %u = linalg.generic {indexing_maps = [#in, #weight, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x2x?x8xf32>, tensor<2x8x12xf32>) outs(%init : tensor<?x2x?x12xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x?x12xf32>
  %out = spectral.linear_attention query(%u : tensor<?x2x?x12xf32>) key(%u : tensor<?x2x?x12xf32>)
      value(%x : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%row: tensor<?x12xf32>) {
        spectral.yield %row : tensor<?x12xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}
func.func @diagonal(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8xf32>, %omega: tensor<8x6xf32>,
    %cot: tensor<?x2x?x8xf32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %y:3 = spectral.vjp @f inputs(%x, %mean, %sigma, %omega : tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<8x6xf32>)
    cotangents(%cot : tensor<?x2x?x8xf32>) wrt [1, 2] -> tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>
  return %y#1, %y#2 : tensor<2x8xf32>, tensor<2x8xf32>
}

// -----

// One Gaussian for all heads, of one variance: its moments are those of all of them.

// FUSE-LABEL: func.func @scalar(
// FUSE-SAME:    %[[X:[^:]+]]: tensor<?x2x?x8xf32>, %[[MEAN:[^:]+]]: tensor<8xf32>,
// FUSE:         %[[CENTER:.+]] = tensor.expand_shape %[[MEAN]] {{\[\[}}0, 1]]
// FUSE:         %{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}, %[[M:[^ ]+]]:2 = spectral.linear_attention_grad
// FUSE-SAME:      centers(%[[CENTER]] : tensor<1x8xf32>) {domain = #spectral.domain<log>, moments = array<i64: 0>}
// FUSE-DAG:     %[[DMEAN:.+]] = tensor.collapse_shape %[[M]]#0
// FUSE-DAG:     %[[M1:.+]] = tensor.collapse_shape %[[M]]#1
// FUSE:         %[[DSIGMA:.+]] = linalg.generic {{.+}} iterator_types = ["reduction"]} ins(%[[M1]]
// FUSE:         return %[[DMEAN]], %[[DSIGMA]] : tensor<8xf32>, tensor<f32>
#in = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#weight = affine_map<(b, h, n, f, d) -> (d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
func.func private @f(%x: tensor<?x2x?x8xf32>, %mean: tensor<8xf32>, %sigma: tensor<f32>, %omega: tensor<8x6xf32>)
    -> tensor<?x2x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<scalar>}
    : tensor<8x6xf32>, tensor<8xf32>, tensor<f32> -> tensor<8x6xf32>
  %b = tensor.dim %x, %c0 : tensor<?x2x?x8xf32>
  %n = tensor.dim %x, %c2 : tensor<?x2x?x8xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x2x?x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x?x6xf32>) -> tensor<?x2x?x6xf32>
  %u = linalg.generic {indexing_maps = [#in, #weight, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x2x?x8xf32>, tensor<8x6xf32>) outs(%init : tensor<?x2x?x6xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x?x6xf32>
  %out = spectral.linear_attention query(%u : tensor<?x2x?x6xf32>) key(%u : tensor<?x2x?x6xf32>)
      value(%x : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%row: tensor<?x6xf32>) {
        spectral.yield %row : tensor<?x6xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}
func.func @scalar(%x: tensor<?x2x?x8xf32>, %mean: tensor<8xf32>, %sigma: tensor<f32>, %omega: tensor<8x6xf32>,
    %cot: tensor<?x2x?x8xf32>) -> (tensor<8xf32>, tensor<f32>) {
  %y:3 = spectral.vjp @f inputs(%x, %mean, %sigma, %omega : tensor<?x2x?x8xf32>, tensor<8xf32>, tensor<f32>, tensor<8x6xf32>)
    cotangents(%cot : tensor<?x2x?x8xf32>) wrt [1, 2] -> tensor<?x2x?x8xf32>, tensor<8xf32>, tensor<f32>
  return %y#1, %y#2 : tensor<8xf32>, tensor<f32>
}

// -----

// A full covariance reads more of the gradient than moments, as do the standard normal frequencies.

// FUSE-LABEL: func.func @full(
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      {domain = #spectral.domain<log>, wrt = array<i64: 0>}
// FUSE:         return
#in = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#weight = affine_map<(b, h, n, f, d) -> (h, d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
func.func private @f(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8x8xf32>, %omega: tensor<8x6xf32>)
    -> tensor<?x2x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<full>}
    : tensor<8x6xf32>, tensor<2x8xf32>, tensor<2x8x8xf32> -> tensor<2x8x6xf32>
  %b = tensor.dim %x, %c0 : tensor<?x2x?x8xf32>
  %n = tensor.dim %x, %c2 : tensor<?x2x?x8xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x2x?x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x?x6xf32>) -> tensor<?x2x?x6xf32>
  %u = linalg.generic {indexing_maps = [#in, #weight, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x2x?x8xf32>, tensor<2x8x6xf32>) outs(%init : tensor<?x2x?x6xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x?x6xf32>
  %out = spectral.linear_attention query(%u : tensor<?x2x?x6xf32>) key(%u : tensor<?x2x?x6xf32>)
      value(%x : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%row: tensor<?x6xf32>) {
        spectral.yield %row : tensor<?x6xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}
func.func @full(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8x8xf32>, %omega: tensor<8x6xf32>,
    %cot: tensor<?x2x?x8xf32>) -> (tensor<2x8xf32>, tensor<2x8x8xf32>) {
  %y:3 = spectral.vjp @f inputs(%x, %mean, %sigma, %omega : tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8x8xf32>, tensor<8x6xf32>)
    cotangents(%cot : tensor<?x2x?x8xf32>) wrt [1, 2] -> tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8x8xf32>
  return %y#1, %y#2 : tensor<2x8xf32>, tensor<2x8x8xf32>
}

// -----

// FUSE-LABEL: func.func @base(
// FUSE:         spectral.linear_attention_grad
// FUSE-SAME:      {domain = #spectral.domain<log>, wrt = array<i64: 0>}
// FUSE:         return
#in = affine_map<(b, h, n, f, d) -> (b, h, n, d)>
#weight = affine_map<(b, h, n, f, d) -> (h, d, f)>
#out = affine_map<(b, h, n, f, d) -> (b, h, n, f)>
func.func private @f(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8xf32>, %omega: tensor<8x6xf32>)
    -> tensor<?x2x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<8x6xf32>, tensor<2x8xf32>, tensor<2x8xf32> -> tensor<2x8x6xf32>
  %b = tensor.dim %x, %c0 : tensor<?x2x?x8xf32>
  %n = tensor.dim %x, %c2 : tensor<?x2x?x8xf32>
  %empty = tensor.empty(%b, %n) : tensor<?x2x?x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x?x6xf32>) -> tensor<?x2x?x6xf32>
  %u = linalg.generic {indexing_maps = [#in, #weight, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x2x?x8xf32>, tensor<2x8x6xf32>) outs(%init : tensor<?x2x?x6xf32>) {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %0 = arith.mulf %a, %c : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x2x?x6xf32>
  %out = spectral.linear_attention query(%u : tensor<?x2x?x6xf32>) key(%u : tensor<?x2x?x6xf32>)
      value(%x : tensor<?x2x?x8xf32>) {domain = #spectral.domain<log>} features (%row: tensor<?x6xf32>) {
        spectral.yield %row : tensor<?x6xf32>
      } -> tensor<?x2x?x8xf32>
  return %out : tensor<?x2x?x8xf32>
}
func.func @base(%x: tensor<?x2x?x8xf32>, %mean: tensor<2x8xf32>, %sigma: tensor<2x8xf32>, %omega: tensor<8x6xf32>,
    %cot: tensor<?x2x?x8xf32>) -> (tensor<2x8xf32>, tensor<8x6xf32>) {
  %y:3 = spectral.vjp @f inputs(%x, %mean, %sigma, %omega : tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>, tensor<8x6xf32>)
    cotangents(%cot : tensor<?x2x?x8xf32>) wrt [2, 3] -> tensor<?x2x?x8xf32>, tensor<2x8xf32>, tensor<8x6xf32>
  return %y#1, %y#2 : tensor<2x8xf32>, tensor<8x6xf32>
}
