// RUN: bochner-opt %s -spectral-split-aggregates | FileCheck %s
// RUN: bochner-opt %s -spectral-split-aggregates -spectral-split-aggregates | FileCheck %s

// CHECK-LABEL: func.func @softmax(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x4xf32>
// CHECK:         %[[MAX:.+]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%[[X]]
// CHECK:         %[[EXP:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[MAX]]
// CHECK:           math.exp
// CHECK:         %[[SUM:.+]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%[[EXP]]
// CHECK:         %[[OUT:.+]] = linalg.generic {{.*}} ins(%[[EXP]], %[[SUM]]
// CHECK:         return %[[OUT]]
func.func @softmax(%x: tensor<?x4xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = linalg.softmax dimension(1) ins(%x : tensor<?x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
