// RUN: bochner-opt %s -split-input-file -spectral-differentiate -canonicalize -cse | FileCheck %s

// What a sweep looks like. That derivatives are right is the matter of Integration/differentiation-rules.test.

// Products become two products; sums of 16-bit numbers are of f32. What only the result needs is dead.

// CHECK-LABEL: func.func @short_sums(
// CHECK-SAME:    %[[A:[^:]+]]: tensor<3x5xbf16>, %[[B:[^:]+]]: tensor<5x4xbf16>, %[[O:[^:]+]]: {{.+}}, %[[COT:[^:]+]]: tensor<3x4xbf16>)
// CHECK-NOT:     linalg.matmul
// CHECK:         %[[SUM:.+]] = linalg.generic {{.+}}["parallel", "reduction", "parallel"]} ins(%[[B]], %[[COT]] : {{.+}}) outs(%{{.+}} : tensor<3x5xf32>)
// CHECK:         %[[GA:.+]] = arith.truncf %[[SUM]] : tensor<3x5xf32> to tensor<3x5xbf16>
// CHECK:         linalg.generic {{.+}}["reduction", "parallel", "parallel"]} ins(%[[A]], %[[COT]] : {{.+}}) outs(%{{.+}} : tensor<5x4xf32>)
// CHECK:           arith.extf
// CHECK:           arith.addf {{.+}} : f32
// CHECK:         return %[[GA]]
// CHECK-NOT:   func.func private @f
func.func private @f(%a: tensor<3x5xbf16>, %b: tensor<5x4xbf16>, %o: tensor<3x4xbf16>) -> tensor<3x4xbf16> {
  %y = linalg.matmul ins(%a, %b : tensor<3x5xbf16>, tensor<5x4xbf16>) outs(%o : tensor<3x4xbf16>) -> tensor<3x4xbf16>
  return %y : tensor<3x4xbf16>
}
func.func @short_sums(%a: tensor<3x5xbf16>, %b: tensor<5x4xbf16>, %o: tensor<3x4xbf16>, %cot: tensor<3x4xbf16>)
    -> (tensor<3x5xbf16>, tensor<5x4xbf16>) {
  %y, %ga, %gb = spectral.vjp @f inputs(%a, %b, %o : tensor<3x5xbf16>, tensor<5x4xbf16>, tensor<3x4xbf16>)
    cotangents(%cot : tensor<3x4xbf16>) wrt [0, 1] -> tensor<3x4xbf16>, tensor<3x5xbf16>, tensor<5x4xbf16>
  return %ga, %gb : tensor<3x5xbf16>, tensor<5x4xbf16>
}

// -----

// The cotangent of a maximum is divided among the elements that reach it.

// CHECK-LABEL: func.func @maximum(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x8xf32>, %[[INIT:[^:]+]]: tensor<?xf32>, %[[COT:[^:]+]]: tensor<?xf32>)
// CHECK:         %[[MAX:.+]] = linalg.reduce { arith.maximumf } ins(%[[X]]
// CHECK:         arith.cmpf oeq, %[[INIT]], %[[MAX]]
// CHECK:         %[[COUNT:.+]] = linalg.generic {{.+}} ins(%[[X]], %[[MAX]]
// CHECK:         %[[SHARE:.+]] = arith.divf %[[COT]], %[[COUNT]]
// CHECK:         %[[G:.+]] = linalg.generic {{.+}} ins(%[[X]], %[[SHARE]], %[[MAX]]
// CHECK:           arith.select
// CHECK:         return %[[G]]
func.func private @f(%x: tensor<?x8xf32>, %init: tensor<?xf32>) -> tensor<?xf32> {
  %y = linalg.reduce { arith.maximumf } ins(%x : tensor<?x8xf32>) outs(%init : tensor<?xf32>) dimensions = [1]
  return %y : tensor<?xf32>
}
func.func @maximum(%x: tensor<?x8xf32>, %init: tensor<?xf32>, %cot: tensor<?xf32>) -> tensor<?x8xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %init : tensor<?x8xf32>, tensor<?xf32>) cotangents(%cot : tensor<?xf32>) wrt [0]
    -> tensor<?xf32>, tensor<?x8xf32>
  return %g : tensor<?x8xf32>
}

// -----

// A loop runs backward. What it writes in the result is not needed and not stored; rows are added to in their place.

// CHECK-LABEL: func.func @rows(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x4xf32>, %[[N:[^:]+]]: index, %[[COT:[^:]+]]: tensor<?x4xf32>)
// CHECK:         %[[COUNT:.+]] = arith.maxsi %[[N]]
// CHECK:         %[[ZEROS:.+]] = linalg.fill
// CHECK:         %[[SUMS:.+]]:2 = scf.for %[[J:.+]] = {{.+}} iter_args(%[[CARRIED:.+]] = %[[COT]], %[[SUM:.+]] = %[[ZEROS]])
// CHECK:           %[[LAST:.+]] = arith.subi %[[COUNT]]
// CHECK:           %[[I:.+]] = arith.subi %[[LAST]], %[[J]]
// CHECK:           tensor.extract_slice %[[X]][%[[I]], 0]
// CHECK:           tensor.extract_slice %[[CARRIED]][%[[I]], 0]
// CHECK:           %[[OLD:.+]] = tensor.extract_slice %[[SUM]][%[[I]], 0]
// CHECK:           %[[NEW:.+]] = arith.addf %[[OLD]]
// CHECK:           tensor.insert_slice %[[NEW]] into %[[SUM]][%[[I]], 0]
// CHECK-NOT:     scf.for
// CHECK:         return %[[SUMS]]#1
func.func private @f(%x: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %y = scf.for %i = %c0 to %n step %c1 iter_args(%into = %empty) -> tensor<?x4xf32> {
    %row = tensor.extract_slice %x[%i, 0] [1, 4] [1, 1] : tensor<?x4xf32> to tensor<4xf32>
    %e = math.exp %row : tensor<4xf32>
    %next = tensor.insert_slice %e into %into[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<?x4xf32>
    scf.yield %next : tensor<?x4xf32>
  }
  return %y : tensor<?x4xf32>
}
func.func @rows(%x: tensor<?x4xf32>, %n: index, %cot: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %n : tensor<?x4xf32>, index) cotangents(%cot : tensor<?x4xf32>) wrt [0]
    -> tensor<?x4xf32>, tensor<?x4xf32>
  return %g : tensor<?x4xf32>
}

// -----

// What iterations start with is stored where the derivative needs it; what it does not need is not computed again.

// CHECK-LABEL: func.func @recurrence(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<4xf32>, %{{.+}}: tensor<4xf32>, %{{.+}}: index, %[[COT:[^:]+]]: tensor<4xf32>)
// CHECK:         %[[REPLAY:.+]]:2 = scf.for %[[I:.+]] = {{.+}} iter_args(%[[S:.+]] = %[[X]], %[[ALL:.+]] = %{{.+}})
// CHECK:           tensor.insert_slice %[[S]] into %[[ALL]][%[[I]], 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<?x4xf32>
// CHECK-NOT:       math.exp
// CHECK:           math.sin %[[S]]
// CHECK:         scf.for {{.+}} iter_args(%[[G:.+]] = %[[COT]]) ->
// CHECK:           %[[START:.+]] = tensor.extract_slice %[[REPLAY]]#1
// CHECK:           %[[COS:.+]] = math.cos %[[START]]
// CHECK:           %[[NEXT:.+]] = arith.mulf %[[G]], %[[COS]]
// CHECK:           scf.yield %[[NEXT]]
func.func private @f(%x: tensor<4xf32>, %z: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y:2 = scf.for %i = %c0 to %n step %c1 iter_args(%s = %x, %t = %z) -> (tensor<4xf32>, tensor<4xf32>) {
    %next = math.sin %s : tensor<4xf32>
    %other = math.exp %t : tensor<4xf32>
    scf.yield %next, %other : tensor<4xf32>, tensor<4xf32>
  }
  return %y#0, %y#1 : tensor<4xf32>, tensor<4xf32>
}
func.func @recurrence(%x: tensor<4xf32>, %z: tensor<4xf32>, %n: index, %cot: tensor<4xf32>) -> tensor<4xf32> {
  %y:3 = spectral.vjp @f inputs(%x, %z, %n : tensor<4xf32>, tensor<4xf32>, index)
    cotangents(%cot, %cot : tensor<4xf32>, tensor<4xf32>) wrt [0] -> tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  return %y#2 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @branch(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<4xf32>, %[[C:[^:]+]]: i1, %[[COT:[^:]+]]: tensor<4xf32>)
// CHECK:         %[[G:.+]] = scf.if %[[C]] -> (tensor<4xf32>) {
// CHECK:           %[[COS:.+]] = math.cos %[[X]]
// CHECK:           %[[THEN:.+]] = arith.mulf %[[COT]], %[[COS]]
// CHECK:           scf.yield %[[THEN]]
// CHECK:         } else {
// CHECK-NEXT:      scf.yield %[[COT]]
// CHECK:         return %[[G]]
func.func private @f(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %y = scf.if %c -> tensor<4xf32> {
    %s = math.sin %x : tensor<4xf32>
    scf.yield %s : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
func.func @branch(%x: tensor<4xf32>, %c: i1, %cot: tensor<4xf32>) -> tensor<4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %c : tensor<4xf32>, i1) cotangents(%cot : tensor<4xf32>) wrt [0]
    -> tensor<4xf32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

// What is gathered is added to element by element.

// CHECK-LABEL: func.func @gather(
// CHECK-SAME:    %[[X:[^:]+]]: {{.+}}, %[[AT:[^:]+]]: tensor<3xindex>, %[[COT:[^:]+]]: tensor<3x4xf32>)
// CHECK:         scf.for %[[I:.+]] = {{.+}} to %c3
// CHECK:           scf.for %[[J:.+]] = {{.+}} to %c4 {{.+}} iter_args(%[[SUM:.+]] = %{{.+}})
// CHECK:             %[[ROW:.+]] = tensor.extract %[[AT]][%[[I]]]
// CHECK:             %[[G:.+]] = tensor.extract %[[COT]][%[[I]], %[[J]]]
// CHECK:             %[[OLD:.+]] = tensor.extract %[[SUM]][%[[ROW]], %[[J]]]
// CHECK:             %[[NEW:.+]] = arith.addf %[[OLD]], %[[G]]
// CHECK:             tensor.insert %[[NEW]] into %[[SUM]][%[[ROW]], %[[J]]]
func.func private @f(%x: tensor<6x4xf32>, %at: tensor<3xindex>) -> tensor<3x4xf32> {
  %empty = tensor.empty() : tensor<3x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%at : tensor<3xindex>) outs(%empty : tensor<3x4xf32>) {
  ^bb0(%row: index, %old: f32):
    %j = linalg.index 1 : index
    %0 = tensor.extract %x[%row, %j] : tensor<6x4xf32>
    linalg.yield %0 : f32
  } -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
func.func @gather(%x: tensor<6x4xf32>, %at: tensor<3xindex>, %cot: tensor<3x4xf32>) -> tensor<6x4xf32> {
  %y, %g = spectral.vjp @f inputs(%x, %at : tensor<6x4xf32>, tensor<3xindex>) cotangents(%cot : tensor<3x4xf32>) wrt [0]
    -> tensor<3x4xf32>, tensor<6x4xf32>
  return %g : tensor<6x4xf32>
}

// -----

// A tangent needs no loop of its own. A function that is called stays.

// CHECK-LABEL: func.func private @f(
// CHECK-LABEL: func.func @tangent(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<4xf32>, %[[D:[^:]+]]: tensor<4xf32>)
// CHECK-NEXT:    %[[E:.+]] = math.exp %[[X]]
// CHECK-NEXT:    %[[T:.+]] = arith.mulf %[[D]], %[[E]]
// CHECK-NEXT:    return %[[T]]
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.exp %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @tangent(%x: tensor<4xf32>, %d: tensor<4xf32>) -> tensor<4xf32> {
  %y, %t = spectral.jvp @f inputs(%x : tensor<4xf32>) tangents(%d : tensor<4xf32>) wrt [0]
    -> tensor<4xf32>, tensor<4xf32>
  return %t : tensor<4xf32>
}
func.func @f_is_used(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
