//===- SpectralRandomOps.td - random numbers from counters -----*- tablegen -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Draws that are functions of a key and a counter, so that they need no state, no storage and no order: the same on
// every rank, device, route and number of threads, and in every rerun. random_bits defines the words; the other
// operations say which words make which element. Dropout draws its mask where it is needed, so none is ever stored.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_SPECTRAL_RANDOM_OPS
#define BOCHNER_SPECTRAL_RANDOM_OPS

include "dialect/SpectralBase.td"

/// tensor<i64>, which operations need not spell.
def Spectral_Scalar64
    : Type<CPred<"$_self == ::mlir::RankedTensorType::get({}, ::mlir::IntegerType::get($_self.getContext(), 64))">,
           "tensor<i64>">,
      BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getIntegerType(64))">;

class Spectral_RandomOp<string mnemonic, TypeConstraint resultType, string resultDoc>
    : Spectral_Op<mnemonic, [Pure]> {
  let arguments = (ins
    Arg<Spectral_Scalar64, "The key of the generator.">:$key,
    Arg<Spectral_Scalar64, "The counter of the first block.">:$offset,
    DefaultValuedAttr<I64Attr, "0">:$stream);
  let results = (outs Res<resultType, resultDoc>:$sample);
  let assemblyFormat = "`key` `(` $key `)` `offset` `(` $offset `)` attr-dict `:` type($sample)";
}

def Spectral_RandomBitsOp : Spectral_RandomOp<"random_bits", RankedTensorOf<[I32]>, "Independent uniform words."> {
  let summary = "Uniform 32-bit words from a counter.";
  let description = [{
    Yields the words of Philox 4x32-10 ("Parallel Random Numbers: As Easy as 1, 2, 3", Salmon et al. 2011).

    Formula: block `b` is `w_0 .. w_3 = philox(counter, key)` with the counter
    `c_0 = low(offset + b), c_1 = high(offset + b), c_2 = low(stream), c_3 = high(stream)` and the key
    `k_0 = low(key), k_1 = high(key)`, where `low` and `high` are the halves of 64 bits and the sum wraps. Ten times:
    `c <- (high(0xCD9E8D57 c_2) ^ c_1 ^ k_0, low(0xCD9E8D57 c_2), high(0xD2511F53 c_0) ^ c_3 ^ k_1,
    low(0xD2511F53 c_0))`, then `k <- k + (0x9E3779B9, 0xBB67AE85)`. Element `i` of the result, in row-major order, is
    word `i mod 4` of block `i / 4`.

    Numerics: exact. A result of n elements uses `ceil(n / 4)` blocks; with an offset that is larger by d it has the
    elements that follow 4 d further. Draws with other keys, other streams, or ranges of offsets that do not overlap
    are independent. Operations of one graph that share key and offset differ by 'stream'.

    Constraints:
    - C1: the result has rank 1 at least.
    - C2: the result has a static shape without empty dimensions.

    Dynamic dimensions: none.

    Example:
    ```mlir
    func.func @words(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<4x8xi32> {
      %words = spectral.random_bits key(%key) offset(%offset) {stream = 1 : i64} : tensor<4x8xi32>
      return %words : tensor<4x8xi32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as a loop over blocks, on both routes.
  }];
}

def Spectral_RandomNormalOp : Spectral_RandomOp<"random_normal", Spectral_FloatTensor, "Independent normal numbers."> {
  let summary = "Standard normal numbers from a counter.";
  let description = [{
    Yields independent standard normal numbers, two from each two words (G. E. P. Box and M. E. Muller).

    Formula: with the words `w_0 .. w_3` of block `b` of `spectral.random_bits`, the elements `4 b + 2 p` and
    `4 b + 2 p + 1` (row-major order, p = 0, 1) are `r cos(2 pi a)` and `r sin(2 pi a)` with `r = sqrt(-2 log u)`,
    `u = ((w_2p >> 8) + 1) / 2^24` in (0, 1] and `a = (w_(2p+1) >> 8) / 2^24` in [0, 1).

    Numerics: computed in the element type, 16-bit types in f32. Both uniform numbers have 24 bits, so they are exact
    in f32, and the angle is reduced to an eighth of a turn in integers: every type yields the same draw up to rounding
    of the functions. Magnitudes are at most 5.77. The route `fused` computes `log`, `cos` and `sin` by polynomials, the
    route `decompose` by libm; the words are the same.

    Constraints:
    - C1: the result has rank 1 at least.
    - C2: the result has a static shape without empty dimensions.

    Dynamic dimensions: none.

    Example:
    ```mlir
    func.func @omega(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<64x256xf32> {
      %omega = spectral.random_normal key(%key) offset(%offset) : tensor<64x256xf32>
      return %omega : tensor<64x256xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as a loop over blocks, on both routes.
  }];
}

def Spectral_RandomSignsOp : Spectral_RandomOp<"random_signs", Spectral_FloatTensor, "Independent signs, 1 or -1."> {
  let summary = "Random signs from a counter.";
  let description = [{
    Yields independent numbers that are 1 or -1 with equal probability.

    Formula: with the words of `spectral.random_bits`, element `i` (row-major order) is -1 if bit 31 of word `i mod 4`
    of block `i / 4` is set, otherwise 1.

    Numerics: exact in every element type.

    Constraints:
    - C1: the result has rank 1 at least.
    - C2: the result has a static shape without empty dimensions.

    Dynamic dimensions: none.

    Example:
    ```mlir
    func.func @signs(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<64xf32> {
      %signs = spectral.random_signs key(%key) offset(%offset) {stream = 2 : i64} : tensor<64xf32>
      return %signs : tensor<64xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as a loop over blocks, on both routes.
  }];
}

def Spectral_RandomPermutationOp
    : Spectral_RandomOp<"random_permutation", RankedTensorOf<[I64]>, "A permutation of 0 .. n - 1 `[n]`."> {
  let summary = "A random permutation from a counter.";
  let description = [{
    Yields a permutation of n numbers: the ranks of n random keys.

    Formula: with the words of `spectral.random_bits`, element `i` has the 64-bit key
    `key_i = w_q + 2^32 w_(q+1)`, `q = 2 (i mod 2)`, of block `i / 2`, without a sign. The result is
    `result[i] = |{j : key_j < key_i}| + |{j < i : key_j = key_i}|`, `[n]`: `argsort(argsort(key))` with a stable sort.

    Numerics: exact. Every permutation is equally likely up to equal keys, which have probability n^2 / 2^65. Takes n^2
    comparisons, in loops without branches.

    Constraints:
    - C1: the result has rank 1.
    - C2: the result has a static shape and is not empty.

    Dynamic dimensions: none.

    Example:
    ```mlir
    func.func @permutation(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<64xi64> {
      %p = spectral.random_permutation key(%key) offset(%offset) {stream = 3 : i64} : tensor<64xi64>
      return %p : tensor<64xi64>
    }
    ```

    Lowering: `spectral-decompose` writes it out as a loop over blocks and a sum of comparisons, on both routes.
  }];
}

def Spectral_RandomOrthogonalOp
    : Spectral_RandomOp<"random_orthogonal", Spectral_FloatTensor, "Frequencies `[D, m]`, one a column."> {
  let summary = "Normal columns that are orthogonal within blocks, from a counter.";
  let description = [{
    Yields frequencies in blocks of D columns that are orthogonal to each other, each column distributed as D standard
    normal numbers ("Orthogonal Random Features", Yu et al. 2016).

    Formula: G is the result of `spectral.random_normal` with the same operands in f64, `[D, m]`. Column c belongs to
    the block that begins with column `c - c mod D` (the last block may be narrower). Within a block, `q_c` are the
    orthonormal columns that Gram and Schmidt's process makes of `g_c` from left to right, so that `q_c . g_c > 0`: Q is
    distributed by Haar's measure. The result is `|g_c| q_c`. The lengths `|g_c|` are independent of each other and of
    Q, as Q and R of a normal matrix are, and have the distribution chi_D.

    Numerics: computed in f64 by the modified process whatever the element type, which makes the draw the same up to
    rounding of the type; for results in f64 the process runs twice, so that columns are orthogonal to rounding. Sums
    run in a fixed order.

    Constraints:
    - C1: the result has rank 2.
    - C2: the result has a static shape without empty dimensions.

    Dynamic dimensions: none.

    Example:
    ```mlir
    func.func @omega(%key: tensor<i64>, %offset: tensor<i64>) -> tensor<64x256xf32> {
      %omega = spectral.random_orthogonal key(%key) offset(%offset) : tensor<64x256xf32>
      return %omega : tensor<64x256xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as loops over blocks and columns, on both routes.
  }];
}

def Spectral_DropoutOp : Spectral_Op<"dropout", [Pure, AllTypesMatch<["input", "result"]>, Spectral_Reified,
    DeclareOpInterfaceMethods<Spectral_ReverseDifferentiableOpInterface>]> {
  let summary = "Elements dropped at random, by a counter.";
  let description = [{
    Sets elements to zero, each with the probability 'rate' and independently, and scales the others so that the
    expectation stays ("Dropout: A Simple Way to Prevent Neural Networks from Overfitting", Srivastava et al. 2014).

    Formula: `result[r, c] = 0` if `w < round(2^32 rate)`, otherwise `input[r, c] / (1 - rate)`. Here r counts rows, all
    dimensions but the last, in row-major order, C is the number of columns, and w is word `c mod 4` of block
    `r ceil(C / 4) + floor(c / 4)` of `spectral.random_bits` with the same key, offset and stream, without a sign.

    Numerics: computed in the element type, 16-bit types in f32. What is dropped is 0 whatever it was. The gradient
    drops the same elements of the cotangent: the mask is drawn again and never stored.

    Constraints:
    - C1: 'rate' is at least 0 and less than 1.
    - C2: the last dimension of 'input' is static and not empty.

    Dynamic dimensions: all but the last.

    Example:
    ```mlir
    func.func @drop(%x: tensor<?x?x64xf32>, %key: tensor<i64>, %offset: tensor<i64>) -> tensor<?x?x64xf32> {
      %y = spectral.dropout %x key(%key) offset(%offset) {rate = 1.0e-1 : f64, stream = 4 : i64} : tensor<?x?x64xf32>
      return %y : tensor<?x?x64xf32>
    }
    ```

    Lowering: `spectral-decompose` writes it out as loops over rows and blocks, on both routes.
  }];
  let arguments = (ins
    Arg<Spectral_FloatTensor, "Any rows.">:$input,
    Arg<Spectral_Scalar64, "The key of the generator.">:$key,
    Arg<Spectral_Scalar64, "The counter of the first block.">:$offset,
    F64Attr:$rate,
    DefaultValuedAttr<I64Attr, "0">:$stream);
  let results = (outs Res<Spectral_FloatTensor, "What is left of them.">:$result);
  let assemblyFormat = "$input `key` `(` $key `)` `offset` `(` $offset `)` attr-dict `:` type($input)";
}

#endif // BOCHNER_SPECTRAL_RANDOM_OPS
