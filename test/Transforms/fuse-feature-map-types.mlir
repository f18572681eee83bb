// Regions take 16-bit rows and extend them: half as much is read, and no f32 copy of the rows exists.
// RUN: bochner-opt %s -split-input-file -spectral-fuse-feature-map -canonicalize -cse --remarks-filter=spectral-fuse-feature-map \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>

// By linalg.generic for keys, by arith.extf for queries. The offset keeps the type of accumulators.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:    %[[Q:.+]]: tensor<?x8x?x64xbf16>, %[[K:.+]]: tensor<?x8x?x64xbf16>,
// CHECK-NOT:     arith.extf
// CHECK:         spectral.linear_attention query(%[[Q]] : tensor<?x8x?x64xbf16>) key(%[[K]] : tensor<?x8x?x64xbf16>)
// CHECK-SAME:      offset(%{{.+}} : tensor<?x8xf32>)
// CHECK:           arith.extf %{{.+}} : bf16 to f32
// CHECK:           math.exp %{{.+}} : tensor<?x64xf32>
// CHECK:           spectral.yield %{{.+}} : tensor<?x64xf32>
// CHECK:         query_features
// CHECK:           arith.extf %{{.+}} : tensor<?x64xbf16> to tensor<?x64xf32>
// CHECK:           -> tensor<?x8x?x32xbf16>
func.func @attention(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>, %v: tensor<?x8x?x32xbf16>,
                     %offset: tensor<?x8xf32>, %init: tensor<?x8x?x64xf32>) -> tensor<?x8x?x32xbf16> {
  %qw = arith.extf %q : tensor<?x8x?x64xbf16> to tensor<?x8x?x64xf32>
  %kw = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%k : tensor<?x8x?x64xbf16>) outs(%init : tensor<?x8x?x64xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %w = arith.extf %a : bf16 to f32
    linalg.yield %w : f32
  } -> tensor<?x8x?x64xf32>
  %qe = math.exp %qw : tensor<?x8x?x64xf32>
  %ke = math.exp %kw : tensor<?x8x?x64xf32>
  // expected-remark@+2 {{fused: 2 producers of operand 0 of 'spectral.linear_attention'}}
  // expected-remark@+1 {{fused: 2 producers of operand 1 of 'spectral.linear_attention'}}
  %out = spectral.linear_attention query(%qe : tensor<?x8x?x64xf32>) key(%ke : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xbf16>) offset(%offset : tensor<?x8xf32>) {domain = #spectral.domain<log>}
      features (%row: tensor<?x64xf32>) {
        spectral.yield %row : tensor<?x64xf32>
      } -> tensor<?x8x?x32xbf16>
  return %out : tensor<?x8x?x32xbf16>
}

// -----

// Queries and keys have one type: where one comes in f32, so does the other.
// CHECK-LABEL: func.func @one_in_f32(
// CHECK:         %[[W:.+]] = arith.extf
// CHECK:         spectral.linear_attention query(%[[W]] : tensor<?x8x?x64xf32>) key(%{{.+}} : tensor<?x8x?x64xf32>)
// CHECK-COUNT-2:   math.exp %{{.+}} : tensor<?x64xf32>
func.func @one_in_f32(%q: tensor<?x8x?x64xf16>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x32xf32>)
    -> tensor<?x8x?x32xf32> {
  // expected-remark@+1 {{not fused: rows of f16 are not rows of f32}}
  %qw = arith.extf %q : tensor<?x8x?x64xf16> to tensor<?x8x?x64xf32>
  %qe = math.exp %qw : tensor<?x8x?x64xf32>
  %ke = math.exp %k : tensor<?x8x?x64xf32>
  %ka = math.absf %ke : tensor<?x8x?x64xf32>
  // expected-remark@+2 {{fused: 1 producer of operand 0 of 'spectral.linear_attention'}}
  // expected-remark@+1 {{fused: 2 producers of operand 1 of 'spectral.linear_attention'}}
  %out = spectral.linear_attention query(%qe : tensor<?x8x?x64xf32>) key(%ka : tensor<?x8x?x64xf32>)
      value(%v : tensor<?x8x?x32xf32>) features (%row: tensor<?x64xf32>) {
        spectral.yield %row : tensor<?x64xf32>
      } -> tensor<?x8x?x32xf32>
  return %out : tensor<?x8x?x32xf32>
}

// -----

// An extension that others read stays for them and sinks all the same; what it extends is not computed twice.
// CHECK-LABEL: func.func @copied(
// CHECK-SAME:    %[[X:.+]]: tensor<?x8x?x64xbf16>
// CHECK:         %[[A:.+]] = math.absf %[[X]]
// CHECK:         %[[W:.+]] = arith.extf %[[A]]
// CHECK:         %[[PHI:.+]] = spectral.feature_map rows(%[[A]] : tensor<?x8x?x64xbf16>)
// CHECK-NOT:       math.absf
// CHECK:           arith.extf %{{.+}} : tensor<?x64xbf16> to tensor<?x64xf32>
// CHECK:           math.exp
// CHECK:           -> tensor<?x8x?x64xf32>
// CHECK:         return %[[PHI]], %[[W]]
func.func @copied(%x: tensor<?x8x?x64xbf16>) -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) {
  // expected-remark@+1 {{not fused: 'math.absf' has 1 user, and 'arith.extf' keeps its result}}
  %a = math.absf %x : tensor<?x8x?x64xbf16>
  %w = arith.extf %a : tensor<?x8x?x64xbf16> to tensor<?x8x?x64xf32>
  %e = math.exp %w : tensor<?x8x?x64xf32>
  // expected-remark@+1 {{fused: 2 producers of operand 0 of 'spectral.feature_map'}}
  %phi = spectral.feature_map rows(%e : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi, %w : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
}

// -----

// Features rounded to 16 bits are those of rows of 16 bits.
// CHECK-LABEL: func.func @rounded(
// CHECK:         spectral.feature_map rows(%arg0 : tensor<?x8x?x64xbf16>)
// CHECK:           arith.truncf
// CHECK:           spectral.yield %{{.+}} : tensor<?x64xbf16>
func.func @rounded(%x: tensor<?x8x?x64xbf16>) -> tensor<?x8x?x64xbf16> {
  %w = arith.extf %x : tensor<?x8x?x64xbf16> to tensor<?x8x?x64xf32>
  %e = math.exp %w : tensor<?x8x?x64xf32>
  %n = arith.truncf %e : tensor<?x8x?x64xf32> to tensor<?x8x?x64xbf16>
  // expected-remark@+1 {{fused: 3 producers of operand 0 of 'spectral.feature_map'}}
  %phi = spectral.feature_map rows(%n : tensor<?x8x?x64xbf16>) features (%tile: tensor<?x64xbf16>) {
    spectral.yield %tile : tensor<?x64xbf16>
  } -> tensor<?x8x?x64xbf16>
  return %phi : tensor<?x8x?x64xbf16>
}

// -----

// Digits of f64 are asked for: a region that computes in f32 would lose them.
// CHECK-LABEL: func.func @through_f64(
// CHECK:         %[[N:.+]] = arith.truncf
// CHECK:         spectral.feature_map rows(%[[N]] :
func.func @through_f64(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %w = arith.extf %x : tensor<?x8x?x64xf32> to tensor<?x8x?x64xf64>
  %e = math.exp %w : tensor<?x8x?x64xf64>
  // expected-remark@+1 {{not fused: 'arith.truncf' converts to or from f64, beside which regions compute in no other type}}
  %n = arith.truncf %e : tensor<?x8x?x64xf64> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%n : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// -----

#id = affine_map<(b, h, n, d) -> (b, h, n, d)>
func.func @through_f64_in_a_body(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' converts to or from f64, beside which regions compute in no other type}}
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x8x?x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %w = arith.extf %a : f32 to f64
    %e = math.exp %w : f64
    %r = arith.truncf %e : f64 to f32
    linalg.yield %r : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%n : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}
