//===- DecomposeRandom.cpp - random numbers as loops ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: draws of Philox 4x32-10 ("Parallel Random Numbers: As Easy as 1, 2, 3", Salmon et al.
// 2011) as a loop over blocks whose iterations do not depend on each other and have no branches, so that LLVM
// vectorizes it, with the four elements of a block as one interleaved store. Unlike kernels, this code serves both
// routes: a draw is defined by its words, and the oracle has to see the same ones.
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/Decompose.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;

static constexpr double kHalfPi = 1.5707963267948966;

//===----------------------------------------------------------------------===//
// Philox
//===----------------------------------------------------------------------===//

using Words = std::array<Value, 4>;

static Value integer(TensorBuilder &b, Type type, int64_t value) {
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, APInt(type.getIntOrFloatBitWidth(), value, false, true)));
}

static Value word(TensorBuilder &b, uint32_t value) { return integer(b, b.getI32Type(), value); }

/// {low, high} halves of 64 bits.
static std::pair<Value, Value> halves(TensorBuilder &b, Value wide) {
  Type type = b.getI32Type();
  Value high = arith::ShRUIOp::create(b, wide, integer(b, b.getI64Type(), 32));
  return {arith::TruncIOp::create(b, type, wide), arith::TruncIOp::create(b, type, high)};
}

static Value exclusiveOr(TensorBuilder &b, Value x, Value y, Value z) {
  return arith::XOrIOp::create(b, arith::XOrIOp::create(b, x, y).getResult(), z);
}

/// The words of the block with this counter.
static Words philox(TensorBuilder &b, Value counter, int64_t stream, std::pair<Value, Value> key) {
  auto [c0, c1] = halves(b, counter);
  Value c2 = word(b, uint32_t(stream)), c3 = word(b, uint32_t(uint64_t(stream) >> 32));
  auto [k0, k1] = key;
  Value m0 = word(b, 0xD2511F53), m1 = word(b, 0xCD9E8D57), w0 = word(b, 0x9E3779B9), w1 = word(b, 0xBB67AE85);
  for (int round = 0; round < 10; ++round) {
    if (round) {
      k0 = arith::AddIOp::create(b, k0, w0);
      k1 = arith::AddIOp::create(b, k1, w1);
    }
    auto first = arith::MulUIExtendedOp::create(b, m0, c0), second = arith::MulUIExtendedOp::create(b, m1, c2);
    c0 = exclusiveOr(b, second.getHigh(), c1, k0);
    c1 = second.getLow();
    c2 = exclusiveOr(b, first.getHigh(), c3, k1);
    c3 = first.getLow();
  }
  return {c0, c1, c2, c3};
}

/// `count` elements in one dimension, of which each block gives as many as `make` returns.
template <typename Op>
static Value draw(TensorBuilder &b, Op op, Type element, int64_t count, int64_t perBlock,
                  function_ref<SmallVector<Value>(TensorBuilder &, const Words &)> make) {
  Type wide = b.getI64Type();
  Value offset = tensor::ExtractOp::create(b, op.getOffset(), ValueRange());
  std::pair<Value, Value> key = halves(b, tensor::ExtractOp::create(b, op.getKey(), ValueRange()));
  int64_t blocks = llvm::divideCeil(count, perBlock), stream = op.getStream();
  Value flat = b.empty(OpFoldResult(b.getIndexAttr(blocks * perBlock)), element);
  auto loop = scf::ForOp::create(
      b, b.index(0), b.index(blocks), b.index(1), flat, [&](OpBuilder &nested, Location loc, Value i, ValueRange into) {
        TensorBuilder b(loc, nested);
        Value counter = arith::AddIOp::create(b, offset, arith::IndexCastOp::create(b, wide, i).getResult());
        Value first = arith::MulIOp::create(b, i, b.index(perBlock)), result = into[0];
        for (auto [at, value] : llvm::enumerate(make(b, philox(b, counter, stream, key)))) {
          Value place = arith::AddIOp::create(b, first, b.index(at));
          result = tensor::InsertOp::create(b, value, result, place);
        }
        scf::YieldOp::create(b, result);
      });
  flat = loop.getResult(0);
  return count == blocks * perBlock ? flat : b.columns(flat, 0, count);
}

/// Elements in row-major order with the shape of `type`.
static Value shaped(TensorBuilder &b, Value flat, RankedTensorType type) {
  if (type.getRank() == 1)
    return flat;
  ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  type = type.clone(getElementTypeOrSelf(flat.getType()));
  return tensor::ExpandShapeOp::create(b, type, flat, ArrayRef<ReassociationIndices>(all));
}

//===----------------------------------------------------------------------===//
// random_bits, random_signs, random_permutation
//===----------------------------------------------------------------------===//

Value decompose::write(TensorBuilder &b, RandomBitsOp op) {
  RankedTensorType type = op.getSample().getType();
  Value flat = draw(b, op, b.getI32Type(), type.getNumElements(), 4,
                    [](TensorBuilder &, const Words &words) { return SmallVector<Value>(words.begin(), words.end()); });
  return shaped(b, flat, type);
}

Value decompose::write(TensorBuilder &b, RandomSignsOp op) {
  RankedTensorType type = op.getSample().getType();
  Type element = type.getElementType();
  Value flat = draw(b, op, element, type.getNumElements(), 4, [&](TensorBuilder &b, const Words &words) {
    Value zero = word(b, 0), plus = b.real(element, 1.0), minus = b.real(element, -1.0);
    SmallVector<Value> signs;
    for (Value w : words) {
      Value isSet = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, w, zero);
      signs.push_back(arith::SelectOp::create(b, isSet, minus, plus));
    }
    return signs;
  });
  return shaped(b, flat, type);
}

Value decompose::write(TensorBuilder &b, RandomPermutationOp op) {
  Type wide = b.getI64Type();
  int64_t count = op.getSample().getType().getNumElements();
  Value keys = draw(b, op, wide, count, 2, [&](TensorBuilder &b, const Words &words) {
    SmallVector<Value> pair;
    for (int q : {0, 2}) {
      Value low = arith::ExtUIOp::create(b, wide, words[q]), high = arith::ExtUIOp::create(b, wide, words[q + 1]);
      pair.push_back(arith::OrIOp::create(b, low, arith::ShLIOp::create(b, high, integer(b, wide, 32)).getResult()));
    }
    return pair;
  });
  Value zeros = b.filled(OpFoldResult(b.getIndexAttr(count)), integer(b, wide, 0));
  // j is the outer loop, so that the inner one stores what it compares.
  return b.loops("ji", {{keys, "j"}, {keys, "i"}}, {zeros, "i"}, [&](TensorBuilder &b, ValueRange e) -> Value {
    Value j = linalg::IndexOp::create(b, 0), i = linalg::IndexOp::create(b, 1);
    Value less = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, e[0], e[1]);
    Value equal = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, e[0], e[1]);
    Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, j, i);
    Value counts = arith::OrIOp::create(b, less, arith::AndIOp::create(b, equal, before).getResult());
    return arith::AddIOp::create(b, e[2], arith::ExtUIOp::create(b, wide, counts).getResult());
  });
}

//===----------------------------------------------------------------------===//
// dropout
//===----------------------------------------------------------------------===//

/// Loops over rows, blocks and the words of a block, innermost, for which a block is drawn once: it does not depend on
/// them. Rows that do not make whole blocks draw one for each element.
Value decompose::write(TensorBuilder &b, DropoutOp op) {
  RankedTensorType type = op.getInput().getType();
  Type element = type.getElementType(), precise = element.getIntOrFloatBitWidth() < 32 ? b.getF32Type() : element;
  int64_t rank = type.getRank(), columns = type.getShape().back(), blocks = llvm::divideCeil(columns, 4);
  double rate = op.getRate().convertToDouble();
  uint32_t threshold = uint32_t(std::min(std::round(std::ldexp(rate, 32)), 4294967295.0));
  int64_t stream = op.getStream();
  Value offset = tensor::ExtractOp::create(b, op.getOffset(), ValueRange());
  std::pair<Value, Value> key = halves(b, tensor::ExtractOp::create(b, op.getKey(), ValueRange()));

  bool whole = columns % 4 == 0;
  Value input = op.getInput();
  TensorBuilder::Sizes sizes = b.sizes(input);
  SmallVector<ReassociationIndices> groups;
  if (whole) {
    for (int64_t dim = 0; dim < rank; ++dim)
      groups.push_back({dim});
    groups.back().push_back(rank);
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = blocks;
    shape.push_back(4);
    sizes.back() = b.getIndexAttr(blocks);
    sizes.push_back(b.getIndexAttr(4));
    input = tensor::ExpandShapeOp::create(b, type.clone(shape), input, groups, sizes);
  }
  SmallVector<Value> rows; // sizes of the leading dimensions
  for (OpFoldResult size : ArrayRef(sizes).take_front(rank - 1))
    rows.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));

  std::string dims = b.letters(sizes.size());
  Value result = b.loops(dims, {{input, dims}}, {b.empty(sizes, element), dims}, [&](TensorBuilder &b, ValueRange e) {
    Value row = b.index(0);
    for (auto [dim, size] : llvm::enumerate(rows))
      row = arith::AddIOp::create(b, arith::MulIOp::create(b, row, size).getResult(),
                                  linalg::IndexOp::create(b, dim).getResult());
    Value block = linalg::IndexOp::create(b, rank - 1), place;
    if (whole) {
      place = linalg::IndexOp::create(b, rank);
    } else {
      place = arith::RemUIOp::create(b, block, b.index(4));
      block = arith::DivUIOp::create(b, block, b.index(4));
    }
    block = arith::AddIOp::create(b, arith::MulIOp::create(b, row, b.index(blocks)).getResult(), block);
    Value counter = arith::AddIOp::create(b, offset, arith::IndexCastOp::create(b, b.getI64Type(), block).getResult());
    Words words = philox(b, counter, stream, key);
    Value drawn = words[3];
    for (int64_t i : {2, 1, 0}) {
      Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place, b.index(i));
      drawn = arith::SelectOp::create(b, here, words[i], drawn);
    }
    Value dropped = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, drawn, word(b, threshold));
    Value value = e[0];
    if (precise != element)
      value = arith::ExtFOp::create(b, precise, value);
    value = b.multiply(value, b.real(precise, 1 / (1 - rate)));
    if (precise != element)
      value = arith::TruncFOp::create(b, element, value);
    return arith::SelectOp::create(b, dropped, b.real(element, 0.0), value).getResult();
  });
  return whole ? tensor::CollapseShapeOp::create(b, type, result, groups).getResult() : result;
}

//===----------------------------------------------------------------------===//
// random_normal
//===----------------------------------------------------------------------===//

static Value quotientBits(TensorBuilder &b, Value w, int64_t bits) {
  return arith::ShRUIOp::create(b, w, word(b, uint32_t(bits)));
}

static Value toReal(TensorBuilder &b, Type element, Value integer) {
  return arith::SIToFPOp::create(b, element, integer);
}

static Value isBitSet(TensorBuilder &b, Value bits, uint32_t bit) {
  Value masked = arith::AndIOp::create(b, bits, word(b, bit));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, masked, word(b, 0));
}

/// r (cos 2 pi a, sin 2 pi a). The angle is taken relative to the nearest axis in integers, where it is exact: in f32,
/// 2 pi a would round to more than the error of the functions.
static std::pair<Value, Value> boxMuller(TensorBuilder &b, Type element, Value radiusWord, Value angleWord) {
  Value u = arith::AddIOp::create(b, quotientBits(b, radiusWord, 8), word(b, 1));
  u = b.multiply(toReal(b, element, u), b.real(element, 0x1p-24));
  Value radius = math::SqrtOp::create(b, b.multiply(b.real(element, -2.0), math::LogOp::create(b, u)));

  Value angle = quotientBits(b, angleWord, 8);
  Value quadrant = quotientBits(b, arith::AddIOp::create(b, angle, word(b, 1u << 21)), 22);
  Value axis = arith::ShLIOp::create(b, quadrant, word(b, 22));
  Value rest = toReal(b, element, arith::SubIOp::create(b, angle, axis));
  rest = b.multiply(rest, b.real(element, kHalfPi * 0x1p-22));
  Value cosine = math::CosOp::create(b, rest), sine = math::SinOp::create(b, rest);
  Value odd = isBitSet(b, quadrant, 1);
  Value x = arith::SelectOp::create(b, odd, sine, cosine), y = arith::SelectOp::create(b, odd, cosine, sine);
  auto signedBy = [&](Value value, Value quadrant) -> Value {
    Value negative = arith::NegFOp::create(b, value);
    return b.multiply(radius, arith::SelectOp::create(b, isBitSet(b, quadrant, 2), negative, value));
  };
  Value next = arith::AddIOp::create(b, quadrant, word(b, 1));
  return {signedBy(x, next), signedBy(y, quadrant)};
}

/// Normal numbers in row-major order, one dimension.
template <typename Op> static Value normals(TensorBuilder &b, Op op, Type element, int64_t count) {
  Type precise = element.getIntOrFloatBitWidth() < 32 ? b.getF32Type() : element;
  return draw(b, op, element, count, 4, [&](TensorBuilder &b, const Words &words) {
    SmallVector<Value> values;
    for (int pair : {0, 2}) {
      auto [x, y] = boxMuller(b, precise, words[pair], words[pair + 1]);
      for (Value value : {x, y})
        values.push_back(precise == element ? value : arith::TruncFOp::create(b, element, value).getResult());
    }
    return values;
  });
}

Value decompose::write(TensorBuilder &b, RandomNormalOp op) {
  RankedTensorType type = op.getSample().getType();
  return shaped(b, normals(b, op, type.getElementType(), type.getNumElements()), type);
}

//===----------------------------------------------------------------------===//
// random_orthogonal
//===----------------------------------------------------------------------===//

/// G as blocks [K, D, D] of D columns, with columns of zeros behind the last one.
static Value columnBlocks(TensorBuilder &b, Value flat, int64_t rows, int64_t columns) {
  Type type = b.getF64Type();
  OpFoldResult d = b.getIndexAttr(rows), k = b.getIndexAttr(llvm::divideCeil(columns, rows));
  return b.loops("kdj", {}, {b.empty({k, d, d}, type), "kdj"}, [&](TensorBuilder &b, ValueRange) -> Value {
    Value block = linalg::IndexOp::create(b, 0), row = linalg::IndexOp::create(b, 1);
    Value first = arith::MulIOp::create(b, block, b.index(rows));
    Value column = arith::AddIOp::create(b, first, linalg::IndexOp::create(b, 2).getResult());
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, column, b.index(columns));
    Value inside = arith::MinUIOp::create(b, column, b.index(columns - 1));
    Value at = arith::AddIOp::create(b, arith::MulIOp::create(b, row, b.index(columns)).getResult(), inside);
    Value element = tensor::ExtractOp::create(b, flat, at);
    return arith::SelectOp::create(b, exists, element, b.real(type, 0.0));
  });
}

/// One step of the modified Gram-Schmidt process on a block [D, D]: column c gets length 1 and is taken out of all
/// later ones. Rows are the outer loops, so that the inner ones run along columns and vectorize.
static Value orthogonalizeAgainst(TensorBuilder &b, Value block, Value c, int64_t rows) {
  Type type = b.getF64Type();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), d = b.getIndexAttr(rows);
  auto vector = RankedTensorType::get({rows}, type);
  SmallVector<OpFoldResult> offsets{zero, c}, sizes{d, one}, strides{one, one};
  Value column = tensor::ExtractSliceOp::create(b, vector, block, offsets, sizes, strides);
  Value square = b.loops("d", {{column, "d"}}, {b.filled({}, b.real(type, 0.0)), ""},
                         [](TensorBuilder &b, ValueRange e) { return b.add(e[1], b.multiply(e[0], e[0])); });
  Value inverse = b.loops("", {{square, ""}}, {b.empty({}, type), ""}, [&](TensorBuilder &b, ValueRange e) -> Value {
    // Columns that only fill the block are zero and stay so.
    Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, e[0], b.real(type, 0.0));
    Value reciprocal = b.divide(b.real(type, 1.0), math::SqrtOp::create(b, e[0]));
    return arith::SelectOp::create(b, isZero, b.real(type, 0.0), reciprocal);
  });
  // A buffer of its own: the update below reads it while it writes the block.
  Value unit = b.loops("d", {{column, "d"}, {inverse, ""}}, {b.empty(d, type), "d"},
                       [](TensorBuilder &b, ValueRange e) { return b.multiply(e[0], e[1]); });
  block = tensor::InsertSliceOp::create(b, unit, block, offsets, sizes, strides);
  Value first = arith::AddIOp::create(b, c, b.index(1)), count = arith::SubIOp::create(b, b.index(rows), first);
  SmallVector<OpFoldResult> laterOffsets{zero, first}, laterSizes{d, count};
  Value later = tensor::ExtractSliceOp::create(b, block, laterOffsets, laterSizes, strides);
  Value shares = tensor::ExtractSliceOp::create(b, b.filled(d, b.real(type, 0.0)), ArrayRef<OpFoldResult>(zero),
                                                ArrayRef<OpFoldResult>(count), ArrayRef<OpFoldResult>(one));
  shares = b.contract("dj", {{unit, "d"}, {later, "dj"}}, {shares, "j"});
  later = b.loops("dj", {{unit, "d"}, {shares, "j"}}, {later, "dj"},
                  [](TensorBuilder &b, ValueRange e) { return b.subtract(e[2], b.multiply(e[0], e[1])); });
  return tensor::InsertSliceOp::create(b, later, block, laterOffsets, laterSizes, strides);
}

/// for i in [0, count): carried = body(i, carried)
static Value repeat(TensorBuilder &b, int64_t count, Value carried,
                    function_ref<Value(TensorBuilder &, Value, Value)> body) {
  auto loop = scf::ForOp::create(b, b.index(0), b.index(count), b.index(1), carried,
                                 [&](OpBuilder &nested, Location loc, Value i, ValueRange into) {
                                   TensorBuilder b(loc, nested);
                                   scf::YieldOp::create(b, body(b, i, into[0]));
                                 });
  return loop.getResult(0);
}

Value decompose::write(TensorBuilder &b, RandomOrthogonalOp op) {
  RankedTensorType type = op.getSample().getType();
  Type element = type.getElementType(), precise = b.getF64Type();
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1), count = llvm::divideCeil(columns, rows);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), d = b.getIndexAttr(rows), k = b.getIndexAttr(count);
  Value blocks = columnBlocks(b, normals(b, op, precise, rows * columns), rows, columns);
  Value squares = b.loops("kdj", {{blocks, "kdj"}}, {b.filled({k, d}, b.real(precise, 0.0)), "kj"},
                          [](TensorBuilder &b, ValueRange e) { return b.add(e[1], b.multiply(e[0], e[0])); });

  // The process loses as many digits as the block's condition has: f32 has none that f64 does not, f64 needs a second
  // run on columns that are nearly orthogonal. A block of [D, D] stays in the first level cache.
  int64_t runs = element.isF64() ? 2 : 1;
  auto square = RankedTensorType::get({rows, rows}, precise);
  blocks = repeat(b, count, blocks, [&](TensorBuilder &b, Value i, Value blocks) -> Value {
    SmallVector<OpFoldResult> offsets{i, zero, zero}, sizes{one, d, d}, strides{one, one, one};
    Value block = tensor::ExtractSliceOp::create(b, square, blocks, offsets, sizes, strides);
    block = repeat(b, runs, block, [&](TensorBuilder &b, Value, Value block) {
      return repeat(b, rows, block,
                    [&](TensorBuilder &b, Value c, Value block) { return orthogonalizeAgainst(b, block, c, rows); });
    });
    return tensor::InsertSliceOp::create(b, block, blocks, offsets, sizes, strides);
  });

  return b.loops("dc", {}, {b.empty({d, b.getIndexAttr(columns)}, element), "dc"}, [&](TensorBuilder &b, ValueRange) {
    Value row = linalg::IndexOp::create(b, 0), column = linalg::IndexOp::create(b, 1), width = b.index(rows);
    Value block = arith::DivUIOp::create(b, column, width), within = arith::RemUIOp::create(b, column, width);
    Value unit = tensor::ExtractOp::create(b, blocks, ValueRange{block, row, within});
    Value squared = tensor::ExtractOp::create(b, squares, ValueRange{block, within});
    Value value = b.multiply(unit, math::SqrtOp::create(b, squared));
    for (Type narrower : {Type(b.getF32Type()), element}) // by way of f32: a rounding from f64 to 16 bits is a call
      if (narrower.getIntOrFloatBitWidth() < value.getType().getIntOrFloatBitWidth() && !element.isF64())
        value = arith::TruncFOp::create(b, narrower, value);
    return value;
  });
}
