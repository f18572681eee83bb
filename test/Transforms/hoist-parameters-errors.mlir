// RUN: bochner-opt %s -split-input-file -spectral-hoist-parameters="parameters=w" -verify-diagnostics

// expected-error @below {{expected 'parameters' to name arguments of a public function, but got 'w'}}
module {
  func.func @f(%q: tensor<4xf32> {bochner.name = "q"}) -> tensor<4xf32> {
    return %q : tensor<4xf32>
  }
}

// -----

module {
  // expected-error @below {{expected no other function '@f.prepare'}}
  func.func @f(%q: tensor<4xf32>, %w: tensor<4xf32> {bochner.name = "w"}) -> tensor<4xf32> {
    %e = math.exp %w : tensor<4xf32>
    %s = arith.addf %q, %e : tensor<4xf32>
    return %s : tensor<4xf32>
  }
  // expected-note @below {{defined here}}
  func.func private @f.prepare()
}
