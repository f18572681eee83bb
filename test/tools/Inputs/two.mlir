func.func @first(%q: tensor<?xf32> {bochner.name = "q"}) -> (tensor<?xf32> {bochner.name = "out"}) {
  return %q : tensor<?xf32>
}
func.func @second(%q: tensor<?xf64> {bochner.name = "q"}) -> (tensor<?xf64> {bochner.name = "out"}) {
  return %q : tensor<?xf64>
}
