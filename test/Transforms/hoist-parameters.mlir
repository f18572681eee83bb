// RUN: bochner-opt %s -split-input-file -spectral-hoist-parameters --remarks-filter=spectral-hoist-parameters \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: bochner-opt %t.mlir -split-input-file -spectral-hoist-parameters -o %t.twice.mlir
// RUN: diff %t.mlir %t.twice.mlir
// RUN: bochner-opt %s -split-input-file -spectral-hoist-parameters="parameters=param_mean,param_sigma,buf_count,w" \
// RUN:   | FileCheck %s --check-prefix=NAMED

// Frequencies become an argument, a running statistic a result of @attention.prepare. What the rest still reads (%omega)
// stays an argument; a view of a parameter is no work; what nobody reads is not prepared.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:    %[[Q:[^:]+]]: tensor<?x8x?x4xf32> {bochner.name = "q"},
// CHECK-SAME:    %[[OMEGA:[^:]+]]: tensor<4x6xf32> {bochner.init = "normal(1)", bochner.name = "rand_omega"},
// CHECK-SAME:    %{{[^:]+}}: tensor<4xf32> {bochner.name = "w"},
// CHECK-SAME:    %[[W:[^:]+]]: tensor<8x4x6xf32> {bochner.name = "prepared_0"}) -> (tensor<?x8x?x4xf32> {bochner.name = "out"}) {
// CHECK-NOT:     gaussian_frequencies
// CHECK-NOT:     linalg.generic
// CHECK:         %[[VIEW:.+]] = tensor.expand_shape %[[OMEGA]]
// CHECK:         spectral.feature_map rows(%[[Q]] : {{.*}}) parameters(%[[W]], %[[VIEW]] :
// CHECK-LABEL: func.func @attention.prepare(
// CHECK-SAME:    %[[MEAN:[^:]+]]: tensor<8x4xf32> {bochner.init = "uniform(0.1)", bochner.name = "param_mean"},
// CHECK-SAME:    %[[SIGMA:[^:]+]]: tensor<8x4xf32> {{.*}}"param_sigma"},
// CHECK-SAME:    %[[OMEGA:[^:]+]]: tensor<4x6xf32> {{.*}}"rand_omega"},
// CHECK-SAME:    %[[COUNT:[^:]+]]: tensor<4xf32> {{.*}}"buf_count"})
// CHECK-SAME:    -> (tensor<8x4x6xf32> {bochner.name = "prepared_0"}, tensor<4xf32> {bochner.name = "buf_after_count"}) {
// CHECK:         %[[W:.+]] = spectral.gaussian_frequencies %[[OMEGA]] mean(%[[MEAN]]) sigma(%[[SIGMA]])
// CHECK:         %[[NEXT:.+]] = linalg.generic {{.*}} ins(%[[COUNT]] :
// CHECK:         return %[[W]], %[[NEXT]]
// With %omega redrawn in each call nothing but the statistic stays the same.
// NAMED-LABEL: func.func @attention(
// NAMED-SAME:    "param_mean"}, {{.*}}"param_sigma"}, {{.*}}"rand_omega"}, {{.*}}"w"}) -> (tensor<?x8x?x4xf32>
// NAMED:         spectral.gaussian_frequencies
// NAMED-LABEL: func.func @attention.prepare(%{{[^:]+}}: tensor<4xf32> {{.*}}"buf_count"}) -> (tensor<4xf32> {bochner.name = "buf_after_count"})
#id = affine_map<(i) -> (i)>
// expected-remark @below {{hoisted: 'attention.prepare' makes 2 values}}
func.func @attention(%q: tensor<?x8x?x4xf32> {bochner.name = "q"},
                     %mean: tensor<8x4xf32> {bochner.init = "uniform(0.1)", bochner.name = "param_mean"},
                     %sigma: tensor<8x4xf32> {bochner.init = "uniform(0.1)", bochner.name = "param_sigma"},
                     %omega: tensor<4x6xf32> {bochner.init = "normal(1)", bochner.name = "rand_omega"},
                     %count: tensor<4xf32> {bochner.init = "zeros", bochner.name = "buf_count"},
                     %unread: tensor<4xf32> {bochner.name = "w"})
    -> (tensor<?x8x?x4xf32> {bochner.name = "out"}, tensor<4xf32> {bochner.name = "buf_after_count"}) {
  %w = spectral.gaussian_frequencies %omega mean(%mean) sigma(%sigma) {covariance = #spectral.covariance<diagonal>}
    : tensor<4x6xf32>, tensor<8x4xf32>, tensor<8x4xf32> -> tensor<8x4x6xf32>
  %unused = arith.addf %mean, %sigma : tensor<8x4xf32>
  %view = tensor.expand_shape %omega [[0, 1], [2]] output_shape [1, 4, 6] : tensor<4x6xf32> into tensor<1x4x6xf32>
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %next = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%count : tensor<4xf32>) outs(%empty : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %one : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %out = spectral.feature_map rows(%q : tensor<?x8x?x4xf32>) parameters(%w, %view : tensor<8x4x6xf32>, tensor<1x4x6xf32>)
      features (%x: tensor<?x4xf32>, %wh: tensor<4x6xf32>, %oh: tensor<4x6xf32>) {
        spectral.yield %x : tensor<?x4xf32>
      } -> tensor<?x8x?x4xf32>
  return %out, %next : tensor<?x8x?x4xf32>, tensor<4xf32>
}

// -----

// A size of what was prepared is read from what was prepared; zeros of that size are no work.
// CHECK-LABEL: func.func @size(
// CHECK-SAME:    %[[P:[^:]+]]: tensor<?xf32> {bochner.name = "prepared_0"})
// CHECK:         tensor.dim %[[P]]
// CHECK:         linalg.fill
// expected-remark @below {{hoisted: 'size.prepare' makes 1 value}}
func.func @size(%q: tensor<?xf32> {bochner.name = "q"}, %w: tensor<?xf32> {bochner.init = "ones", bochner.name = "w"},
                %a: tensor<4xf32> {bochner.name = "param_mean"}, %b: tensor<4xf32> {bochner.name = "param_sigma"},
                %c: tensor<4xf32> {bochner.name = "buf_count"}) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %v = math.exp %w : tensor<?xf32>
  %n = tensor.dim %v, %c0 : tensor<?xf32>
  %slice = tensor.extract_slice %q[0] [%n] [1] : tensor<?xf32> to tensor<?xf32>
  %sum = arith.addf %slice, %v : tensor<?xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %last = arith.maximumf %sum, %zeros : tensor<?xf32>
  return %last : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @nothing(
// CHECK-NOT:   prepare
// expected-remark @below {{not hoisted: nothing in 'nothing' depends on parameters only}}
func.func @nothing(%q: tensor<4xf32> {bochner.name = "q"}, %w: tensor<4xf32> {bochner.init = "ones", bochner.name = "w"},
                   %a: tensor<4xf32> {bochner.name = "param_mean"}, %b: tensor<4xf32> {bochner.name = "param_sigma"},
                   %c: tensor<4xf32> {bochner.name = "buf_count"}) -> tensor<4xf32> {
  %sum = arith.addf %q, %w : tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @called(
// CHECK-NOT:   prepare
// expected-remark @below {{not hoisted: 'called' is called within the module}}
func.func @called(%w: tensor<4xf32> {bochner.init = "ones", bochner.name = "w"},
                  %a: tensor<4xf32> {bochner.name = "param_mean"}, %b: tensor<4xf32> {bochner.name = "param_sigma"},
                  %c: tensor<4xf32> {bochner.name = "buf_count"}) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = math.exp %w : tensor<4xf32>
  return %e, %a : tensor<4xf32>, tensor<4xf32>
}
func.func private @caller(%w: tensor<4xf32>) -> tensor<4xf32> {
  %0:2 = func.call @called(%w, %w, %w, %w)
    : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @all(
// CHECK-NOT:   prepare
// expected-remark @below {{not hoisted: all of 'all' depends on parameters only}}
func.func @all(%w: tensor<4xf32> {bochner.init = "ones", bochner.name = "w"},
               %a: tensor<4xf32> {bochner.name = "param_mean"}, %b: tensor<4xf32> {bochner.name = "param_sigma"},
               %c: tensor<4xf32> {bochner.name = "buf_count"}) -> tensor<4xf32> {
  %e = math.exp %w : tensor<4xf32>
  return %e : tensor<4xf32>
}
