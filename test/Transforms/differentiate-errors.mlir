// RUN: bochner-opt %s -split-input-file -verify-diagnostics -spectral-differentiate

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected operations with a derivative, but 'math.cbrt' has no rule}}
  // expected-note @below {{implement ReverseDifferentiableOpInterface for it}}
  %y = math.cbrt %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @no_rule(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

// What does not depend on the inputs that are asked for needs no rule.
func.func private @f(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<4xf32> {
  %v = math.cbrt %w : tensor<4xf32>
  %y = arith.mulf %x, %v : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @no_rule_needed(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %x : tensor<4xf32>, tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0]
    -> tensor<4xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected a function that does not ask for its own derivative, but @f does}}
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%x : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<f32> {
  %one = arith.constant dense<1.0> : tensor<f32>
  // expected-error @below {{expected reductions of a function with a derivative to be sums, maxima or minima of terms that do not read an accumulator, but result 0 is not}}
  %y = linalg.reduce ins(%x : tensor<4xf32>) outs(%one : tensor<f32>) dimensions = [0]
    (%in: f32, %product: f32) {
      %next = arith.mulf %in, %product : f32
      linalg.yield %next : f32
    }
  return %y : tensor<f32>
}
func.func @product(%x: tensor<4xf32>, %cot: tensor<f32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%cot : tensor<f32>) wrt [0] -> tensor<f32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

// The second sum reads the first one, as it is in the middle of the loop.
func.func private @f(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{expected reductions of a function with a derivative to be sums, maxima or minima of terms that do not read an accumulator, but result 1 is not}}
  %y:2 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>],
                         iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%s, %s : tensor<f32>, tensor<f32>) {
  ^bb0(%in: f32, %first: f32, %second: f32):
    %0 = arith.addf %first, %in : f32
    %1 = arith.addf %second, %0 : f32
    linalg.yield %0, %1 : f32, f32
  } -> (tensor<f32>, tensor<f32>)
  return %y#1 : tensor<f32>
}
func.func @running_sum(%x: tensor<4xf32>, %cot: tensor<f32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %cot : tensor<4xf32>, tensor<f32>) cotangents(%cot : tensor<f32>) wrt [0]
    -> tensor<f32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<6xf32>, %w: tensor<3xf32>, %o: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{expected operands of a function with a derivative to be read at permutations of iterations, but got affine_map<(d0, d1) -> (d0 + d1)>}}
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i + j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : tensor<6xf32>, tensor<3xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %sum, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @window(%x: tensor<6xf32>, %w: tensor<3xf32>, %o: tensor<4xf32>) -> tensor<6xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %w, %o : tensor<6xf32>, tensor<3xf32>, tensor<4xf32>)
    cotangents(%o : tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<6xf32>
  return %g : tensor<6xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>) -> tensor<6xf32> {
  %c0 = arith.constant 0 : index
  %first = tensor.extract %x[%c0] : tensor<4xf32>
  // expected-error @below {{expected the padding of a function with a derivative to be one constant value}}
  %y = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %first : f32
  } : tensor<4xf32> to tensor<6xf32>
  return %y : tensor<6xf32>
}
func.func @padding(%x: tensor<4xf32>, %cot: tensor<6xf32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x : tensor<4xf32>) cotangents(%cot : tensor<6xf32>) wrt [0] -> tensor<6xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func private @f(%x: tensor<4xf32>, %v: vector<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{expected a loop with a derivative to carry tensors and scalars only where the derivative reads them, but it carries 'vector<4xf32>'}}
  %y, %u = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x, %w = %v) -> (tensor<4xf32>, vector<4xf32>) {
    %e = vector.extract %w[0] : f32 from vector<4xf32>
    %f = tensor.splat %e : tensor<4xf32>
    %next = arith.mulf %s, %f : tensor<4xf32>
    %double = arith.addf %w, %w : vector<4xf32>
    scf.yield %next, %double : tensor<4xf32>, vector<4xf32>
  }
  return %y : tensor<4xf32>
}
func.func @carries_vector(%x: tensor<4xf32>, %v: vector<4xf32>, %n: index) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %v, %n : tensor<4xf32>, vector<4xf32>, index) cotangents(%x : tensor<4xf32>) wrt [0]
    -> tensor<4xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  // expected-error @below {{expected attention with fused gradients, but rows are reduced by a maximum or minimum; write it out by 'spectral-decompose' before it is differentiated}}
  %y = spectral.linear_attention query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) features (%x: tensor<?x8xf32>) {
        %c0 = arith.constant 0 : index
        %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
        %least = arith.constant 0xFF800000 : f32
        %column = tensor.empty(%rows) : tensor<?xf32>
        %init = linalg.fill ins(%least : f32) outs(%column : tensor<?xf32>) -> tensor<?xf32>
        %most = linalg.reduce { arith.maximumf } ins(%x : tensor<?x8xf32>) outs(%init : tensor<?xf32>) dimensions = [1]
        %empty = tensor.empty(%rows) : tensor<?x8xf32>
        %h = linalg.broadcast ins(%most : tensor<?xf32>) outs(%empty : tensor<?x8xf32>) dimensions = [1]
        spectral.yield %h : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>
  return %y : tensor<?x2x?x8xf32>
}
func.func @attention(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y, %g = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%v : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g : tensor<?x2x?x8xf32>
}

// -----

// Gradients have no rule of their own.
func.func private @f(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  // expected-error @below {{expected operations with a derivative, but 'spectral.linear_attention_grad' has no rule}}
  // expected-note @below {{implement ReverseDifferentiableOpInterface for it}}
  %y:3 = spectral.linear_attention_grad query(%q : tensor<?x2x?x8xf32>) key(%k : tensor<?x2x?x8xf32>)
      value(%v : tensor<?x2x?x8xf32>) output(%v : tensor<?x2x?x8xf32>) cotangent(%v : tensor<?x2x?x8xf32>)
      features (%x: tensor<?x8xf32>) {
        spectral.yield %x : tensor<?x8xf32>
      } -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %y#0 : tensor<?x2x?x8xf32>
}
func.func @gradients(%q: tensor<?x2x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32> {
  %y, %g = spectral.vjp @f inputs(%q, %k, %v : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>)
    cotangents(%v : tensor<?x2x?x8xf32>) wrt [0] -> tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>
  return %g : tensor<?x2x?x8xf32>
}
