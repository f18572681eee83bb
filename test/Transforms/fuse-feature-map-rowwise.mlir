// Why an operation of linalg, arith, math or tensor is not row-wise.
// RUN: bochner-opt %s -spectral-fuse-feature-map --remarks-filter=spectral-fuse-feature-map \
// RUN:   --remark-format=emitRemark -verify-diagnostics -o /dev/null

// Operands that are neither rows, nor of one head, nor shared: an encoding of positions, a mask of batch entries, ...
func.func @by_position(%x: tensor<?x8x?x64xf32>, %p: tensor<?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 by position, not by row}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (n, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<?x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @by_batch(%x: tensor<?x8x?x64xf32>, %p: tensor<?xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 by batch entry, not by row}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<?xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @by_batch_and_head(%x: tensor<?x8x?x64xf32>, %p: tensor<?x8x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 by batch entry, not by row}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, h, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<?x8x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @head_not_first(%x: tensor<?x8x?x64xf32>, %p: tensor<64x8xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 by head, but not with the head as first dimension}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (d, h)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<64x8xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @transposed(%x: tensor<?x8x?x64xf32>, %p: tensor<?x?x8x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 in another layout than [B, H, N, ...]}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, n, h, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<?x?x8x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @dynamic_columns(%x: tensor<?x8x?x64xf32>, %p: tensor<8x?xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1 with columns of dynamic size}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (h, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %p : tensor<?x8x?x64xf32>, tensor<8x?xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// A sum over all positions.
func.func @over_positions(%x: tensor<?x8x?x64xf32>, %z: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 0 by batch entry, not by row}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d, s) -> (b, h, s, d)>, affine_map<(b, h, n, d, s) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x8x?x64xf32>) outs(%z : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.addf %a, %o : f32
    linalg.yield %m : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @index(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads the indices of its rows}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x8x?x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = linalg.index 2 : index
    %i = arith.index_cast %n : index to i64
    %f = arith.sitofp %i : i64 to f32
    %s = arith.mulf %a, %f : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

// Numbers that are known only at run time can be given as tensors, which become parameters.
func.func @captured(%x: tensor<?x8x?x64xf32>, %t: f32) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads a value that is not an operand}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x8x?x64xf32>) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.mulf %a, %t : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @scalar(%x: tensor<?x8x?x64xf32>, %t: f32) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' reads operand 1, a scalar that is not constant}}
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> ()>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %t : tensor<?x8x?x64xf32>, f32) outs(%x : tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @condition(%x: tensor<?x8x?x64xf32>, %c: i1) -> tensor<?x8x?x64xf32> {
  %z = math.exp %x : tensor<?x8x?x64xf32>
  // expected-remark@+1 {{not fused: 'arith.select' reads a scalar that is not constant}}
  %y = arith.select %c, %z, %x : tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @splat(%t: f32, %b: index, %n: index) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.splat' reads a scalar that is not constant}}
  %y = tensor.splat %t[%b, %n] : tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @two_results(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'linalg.generic' has 2 results}}
  %y, %z = linalg.generic {indexing_maps = [affine_map<(b, h, n, d) -> (b, h, n, d)>, affine_map<(b, h, n, d) -> (b, h, n, d)>],
                           iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%x, %x : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a, %b : f32, f32
  } -> (tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @sincos(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'math.sincos' has 2 results}}
  %y, %z = math.sincos %x : tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @joined_rows(%a: tensor<?x8x4x64xf32>, %b: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.concat' joins dimension 2, not columns}}
  %y = tensor.concat dim(2) %a, %b : (tensor<?x8x4x64xf32>, tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @part_of_the_rows(%x: tensor<?x8x?x64xf32>, %b: index, %n: index) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.extract_slice' does not take all rows}}
  %y = tensor.extract_slice %x[0, 0, 0, 0] [%b, 8, %n, 64] [1, 1, 1, 1] : tensor<?x8x?x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @other_rows(%x: tensor<1x8x20x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.extract_slice' does not take all rows}}
  %s = tensor.extract_slice %x[0, 0, 10, 0] [1, 8, 10, 64] [1, 1, 1, 1] : tensor<1x8x20x64xf32> to tensor<1x8x10x64xf32>
  %y = tensor.cast %s : tensor<1x8x10x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @dropped_batch(%x: tensor<1x4x8x10x64xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.extract_slice' does not take all rows}}
  %s = tensor.extract_slice %x[0, 0, 0, 0, 0] [1, 4, 8, 10, 64] [1, 1, 1, 1, 1] : tensor<1x4x8x10x64xf32> to tensor<4x8x10x64xf32>
  %y = tensor.cast %s : tensor<4x8x10x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @moving_columns(%x: tensor<1x8x10x80xf32>, %i: index) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.extract_slice' takes columns that are not constant}}
  %s = tensor.extract_slice %x[0, 0, 0, %i] [1, 8, 10, 64] [1, 1, 1, 1] : tensor<1x8x10x80xf32> to tensor<1x8x10x64xf32>
  %y = tensor.cast %s : tensor<1x8x10x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @added_rows(%x: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-remark@+1 {{not fused: 'tensor.pad' adds rows}}
  %y = tensor.pad %x low[0, 0, 0, 0] high[0, 0, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<?x8x?x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @padding(%x: tensor<?x8x?x60xf32>, %zero: f32) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.pad' pads with a value that is not constant}}
  %y = tensor.pad %x low[0, 0, 0, 4] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<?x8x?x60xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @padding_width(%x: tensor<?x8x?x60xf32>, %w: index) -> tensor<?x8x?x64xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-remark@+1 {{not fused: 'tensor.pad' pads by a number of columns that is not constant}}
  %y = tensor.pad %x low[0, 0, 0, 0] high[0, 0, 0, %w] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<?x8x?x60xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @table() -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'arith.constant' has rows of its own}}
  %c = arith.constant sparse<0, 1.0> : tensor<1x8x2x64xf32>
  %y = tensor.cast %c : tensor<1x8x2x64xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}

func.func @dynamic_head_dimension(%x: tensor<?x8x?x?xf32>) -> tensor<?x8x?x64xf32> {
  // expected-remark@+1 {{not fused: 'tensor.cast' has columns of dynamic size}}
  %y = tensor.cast %x : tensor<?x8x?x?xf32> to tensor<?x8x?x64xf32>
  %phi = spectral.feature_map rows(%y : tensor<?x8x?x64xf32>) features (%tile: tensor<?x64xf32>) {
    spectral.yield %tile : tensor<?x64xf32>
  } -> tensor<?x8x?x64xf32>
  return %phi : tensor<?x8x?x64xf32>
}
