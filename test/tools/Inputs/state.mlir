// One step of a sum: out = q + state, which is the next state as well.
func.func @step(%q: tensor<?x64xf32> {bochner.name = "q", bochner.dims = ["H", "M"]},
                %state: tensor<?x64xf32> {bochner.name = "state_s", bochner.dims = ["H", "M"], bochner.init = "ones"})
    -> (tensor<?x64xf32> {bochner.name = "out"},
        tensor<?x64xf32> {bochner.name = "state_s", bochner.updates = "state_s"}) {
  %c0 = arith.constant 0 : index
  %h = tensor.dim %q, %c0 : tensor<?x64xf32>
  %init = tensor.empty(%h) : tensor<?x64xf32>
  %sum = linalg.add ins(%q, %state : tensor<?x64xf32>, tensor<?x64xf32>) outs(%init : tensor<?x64xf32>)
    -> tensor<?x64xf32>
  return %sum, %sum : tensor<?x64xf32>, tensor<?x64xf32>
}
