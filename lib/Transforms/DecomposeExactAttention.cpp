//===- DecomposeExactAttention.cpp - closed-form attention, written out ---===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: exact_attention as loops over batch entries, heads and blocks of queries around linalg on
// the rows of one head.
//
// Letters: s key, d head dimension, m value, r query of a block.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/DecomposeRows.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using namespace bochner::decompose;

/// Queries of a block, which share a pass over the keys; the loop over them is the innermost one.
static constexpr int64_t kBlock = 32;

/// Attention of the queries [first, first + n) of a head in the place of `out` [n, M]. `keys` [s, D] and `values` [s,
/// M] are those that one of them sees; `weights` [s, block] is where their weights can be stored.
static Value attend(TensorBuilder &b, ExactAttentionOp op, Value queries, Value keys, Value values, Value weights,
                    Value first, Value visible, Value out) {
  Type element = getElementTypeOrSelf(keys.getType());
  bool isSoftmax = op.getKernel() == Kernel::softmax;
  OpFoldResult block = b.getIndexAttr(kBlock), begin = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult count = b.sizes(queries)[0], dimension = b.sizes(keys)[1], width = b.sizes(values)[1];
  Value zero = b.real(element, 0.0), none = b.minusInfinity(element);
  auto firstColumns = [&](Value tensor) -> Value {
    return tensor::ExtractSliceOp::create(b, tensor, {begin, begin}, {b.sizes(tensor)[0], count}, {one, one});
  };

  // The last block may have fewer queries; what its other columns hold takes part in nothing that is read.
  Value columns = b.empty({dimension, block}, element);
  Value part = b.loops("dr", {{queries, "rd"}}, {firstColumns(columns), "dr"},
                       [](TensorBuilder &, ValueRange elements) { return elements[0]; });
  columns = tensor::InsertSliceOp::create(b, part, columns, {begin, begin}, {dimension, count}, {one, one});

  Value scores = linalg::FillOp::create(b, zero, weights).getResult(0);
  scores = b.loops("sdr", {{keys, "sd"}, {columns, "dr"}}, {scores, "sr"}, [&](TensorBuilder &b, ValueRange elements) {
    if (isSoftmax)
      return b.add(elements[2], b.multiply(elements[0], elements[1]));
    Value difference = b.subtract(elements[1], elements[0]);
    return b.add(elements[2], b.multiply(difference, difference));
  });

  auto ifVisible = [&](TensorBuilder &b, unsigned keyLoop, unsigned queryLoop, Value value, Value otherwise) -> Value {
    if (!op.isCausal())
      return value;
    Value query = arith::AddIOp::create(b, first, linalg::IndexOp::create(b, queryLoop));
    Value key = linalg::IndexOp::create(b, keyLoop);
    Value isVisible = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, key, query);
    return arith::SelectOp::create(b, isVisible, value, otherwise);
  };
  Value factor = b.real(element, op.getScale().convertToDouble() * (isSoftmax ? 1.0 : -0.5));
  scores = b.loops("sr", {}, {scores, "sr"}, [&](TensorBuilder &b, ValueRange elements) {
    return ifVisible(b, 0, 1, b.multiply(factor, elements[0]), none);
  });
  Value tops = b.loops("sr", {{scores, "sr"}}, {b.filled(block, none), "r"},
                       [](TensorBuilder &b, ValueRange elements) { return b.maximum(elements[0], elements[1]); });
  weights = b.loops("sr", {{tops, "r"}}, {scores, "sr"},
                    [](TensorBuilder &b, ValueRange elements) { return relativeExp(b, elements[1], elements[0]); });
  Value denominators = b.contract("sr", {{weights, "sr"}}, {b.filled(block, zero), "r"});
  if (!isSoftmax)
    denominators = Epsilon{op.getEps().convertToDouble(), Value()}.addTo(b, denominators, tops, "r");
  // A weight of 0 does not hide a value that is not finite; the test does.
  Value numerators = b.loops("smr", {{values, "sm"}, {weights, "sr"}}, {b.filled({width, block}, zero), "mr"},
                             [&](TensorBuilder &b, ValueRange elements) {
                               Value product = b.multiply(elements[0], elements[1]);
                               return b.add(elements[2], ifVisible(b, 0, 2, product, zero));
                             });
  denominators = tensor::ExtractSliceOp::create(b, denominators, begin, count, one);
  return normalize(b, {firstColumns(numerators), "mr"}, {denominators, "r"}, {out, "rm"}, "rm", visible);
}

Value decompose::write(TensorBuilder &b, ExactAttentionOp op) {
  Type element = getElementTypeOrSelf(op.getQuery().getType()), accumulator = getAccumulatorType(element);
  int64_t width = lastDim(op.getValue().getType());
  return forEachHead(b, op.getQuery(), width, [&](TensorBuilder &b, Head head, Value out) {
    OpFoldResult begin = b.getIndexAttr(0);
    Value zero = b.index(0), block = b.index(kBlock), length = b.dim(op.getQuery(), 2), keys = b.dim(op.getKey(), 2);
    Value visible = visibleKeys(b, op.getLengths(), op.getKey(), head.batch);
    auto rows = [&](Value tensor, Value count) { return b.convert(head.rows(b, tensor, begin, count), accumulator); };
    Value query = rows(op.getQuery(), length), key = rows(op.getKey(), keys), value = rows(op.getValue(), keys);
    return repeat(b, zero, length, block, out,
                  [&](TensorBuilder &b, Value first, ValueRange carried) {
                    Value rest = arith::SubIOp::create(b, length, first);
                    Value count = arith::MinSIOp::create(b, rest, block), seen = visible;
                    if (op.isCausal())
                      seen = arith::MinSIOp::create(b, visible, arith::AddIOp::create(b, first, count).getResult());
                    Value weights = b.empty({keys, b.getIndexAttr(kBlock)}, accumulator);
                    Value rows = attend(b, op, rowsOf(b, query, first, count), rowsOf(b, key, begin, seen),
                                        rowsOf(b, value, begin, seen), rowsOf(b, weights, begin, seen), first, visible,
                                        head.rows(b, carried.front(), first, count));
                    return Values{head.insert(b, rows, carried.front(), first, count)};
                  })
        .front();
  });
}
