"""Writes a tensor by parts that drop a dimension of size 1 between others, and compares it with NumPy's."""
import sys

import numpy as np

import gradient_graphs as graphs

TEXT = """
func.func @f(%x: tensor<2x4x6xf64> {bochner.name = "x"}) -> (tensor<1x2x4x6xf64> {bochner.name = "y"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %e = tensor.empty() : tensor<1x2x4x6xf64>
  %r = scf.for %h = %c0 to %c2 step %c1 iter_args(%a = %e) -> (tensor<1x2x4x6xf64>) {
    %s = scf.for %g = %c0 to %c4 step %c1 iter_args(%b = %a) -> (tensor<1x2x4x6xf64>) {
      %v = tensor.extract_slice %x[%h, %g, 0] [1, 1, 6] [1, 1, 1] : tensor<2x4x6xf64> to tensor<6xf64>
      %w = arith.addf %v, %v : tensor<6xf64>
      %part = tensor.extract_slice %b[0, 0, %g, 0] [1, 2, 1, 6] [1, 1, 1, 1]
        : tensor<1x2x4x6xf64> to tensor<1x2x6xf64>
      %p2 = tensor.insert_slice %w into %part[0, %h, 0] [1, 1, 6] [1, 1, 1] : tensor<6xf64> into tensor<1x2x6xf64>
      %b2 = tensor.insert_slice %p2 into %b[0, 0, %g, 0] [1, 2, 1, 6] [1, 1, 1, 1]
        : tensor<1x2x6xf64> into tensor<1x2x4x6xf64>
      scf.yield %b2 : tensor<1x2x4x6xf64>
    }
    scf.yield %s : tensor<1x2x4x6xf64>
  }
  return %r : tensor<1x2x4x6xf64>
}
"""


def main():
    x = np.random.default_rng(1).standard_normal((2, 4, 6))
    got = {route: graphs.call(TEXT, {"x": x}, route=route)["y"] for route in ("fused", "decompose")}
    wrong = [route for route, y in got.items() if not np.array_equal(y, 2 * x[None])]
    print(f"wrong: {wrong}" if wrong else "all agree")
    return bool(wrong)


sys.exit(main())
