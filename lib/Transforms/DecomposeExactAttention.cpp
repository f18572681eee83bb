//===- DecomposeExactAttention.cpp - closed-form attention, written out ---===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: exact_attention as loops over batch entries or packed sequences, heads and blocks of
// queries around linalg on the rows of one head. Positions count from the start of the entry. What a query does not see
// is left out by a test of each pair, so that whatever masked rows hold has no effect.
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

namespace {
/// Rows of a batch entry or of a packed sequence.
struct Span {
  Value first, count;
};

/// A block of queries of one head and all that they may see.
struct QueryBlock {
  ExactAttentionOp op;
  Value queries;      ///< [n, D]
  Value first;        ///< position of the first query
  Value keys, values; ///< [s, D] and [s, M]
  Value mask;         ///< [s], or null
  Value weights;      ///< [s, block], where weights can be stored

  /// `value` if a key and a query of the block see each other, else `otherwise`; loops are given by their numbers.
  Value ifVisible(TensorBuilder &b, unsigned keyLoop, unsigned queryLoop, Value kept, Value value,
                  Value otherwise) const;
  /// Attention in the place of `out` [n, M].
  Value attend(TensorBuilder &b, Value out) const;
};
} // namespace

Value QueryBlock::ifVisible(TensorBuilder &b, unsigned keyLoop, unsigned queryLoop, Value kept, Value value,
                            Value otherwise) const {
  ExactAttentionOp attention = op;
  Value isVisible = kept;
  if (attention.isCausal()) {
    Value query = arith::AddIOp::create(b, first, linalg::IndexOp::create(b, queryLoop));
    Value key = linalg::IndexOp::create(b, keyLoop);
    auto order = attention.getCausality() == Causality::causal ? arith::CmpIPredicate::ule : arith::CmpIPredicate::uge;
    Value inOrder = arith::CmpIOp::create(b, order, key, query);
    isVisible = kept ? arith::AndIOp::create(b, kept, inOrder).getResult() : inOrder;
  }
  return isVisible ? arith::SelectOp::create(b, isVisible, value, otherwise).getResult() : value;
}

Value QueryBlock::attend(TensorBuilder &b, Value out) const {
  ExactAttentionOp attention = op;
  Type element = getElementTypeOrSelf(keys.getType());
  bool isSoftmax = attention.getKernel() == Kernel::softmax;
  OpFoldResult block = b.getIndexAttr(kBlock), begin = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult count = b.sizes(queries)[0], dimension = b.sizes(keys)[1], width = b.sizes(values)[1];
  Value zero = b.real(element, 0.0), unit = b.real(element, 1.0), none = b.minusInfinity(element);
  auto firstColumns = [&](Value tensor) -> Value {
    return tensor::ExtractSliceOp::create(b, tensor, {begin, begin}, {b.sizes(tensor)[0], count}, {one, one});
  };
  auto withMask = [&](SmallVector<Indexed> inputs) {
    if (mask)
      inputs.push_back({mask, "s"});
    return inputs;
  };
  auto keptOf = [&](ValueRange elements) { return mask ? elements[elements.size() - 2] : Value(); };

  // The last block may have fewer queries; its other columns are zeros, for the derivative has products with them.
  Value columns = b.filled({dimension, block}, zero);
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
  Value factor = b.real(element, attention.getScale().convertToDouble() * (isSoftmax ? 1.0 : -0.5));
  scores = b.loops("sr", withMask({}), {scores, "sr"}, [&](TensorBuilder &b, ValueRange elements) {
    return ifVisible(b, 0, 1, keptOf(elements), b.multiply(factor, elements.back()), none);
  });
  Value tops = b.loops("sr", {{scores, "sr"}}, {b.filled(block, none), "r"},
                       [](TensorBuilder &b, ValueRange elements) { return b.maximum(elements[0], elements[1]); });
  Value weights = b.loops("sr", {{tops, "r"}}, {scores, "sr"}, [](TensorBuilder &b, ValueRange elements) {
    return relativeExp(b, elements[1], elements[0]);
  });
  Value denominators = b.contract("sr", {{weights, "sr"}}, {b.filled(block, zero), "r"});
  if (!isSoftmax)
    denominators = Epsilon{attention.getEps().convertToDouble(), Value()}.addTo(b, denominators, tops, "r");
  // A weight of 0 does not hide a value that is not finite; the test does.
  Value numerators = b.loops("smr", withMask({{values, "sm"}, {weights, "sr"}}), {b.filled({width, block}, zero), "mr"},
                             [&](TensorBuilder &b, ValueRange elements) {
                               Value product = b.multiply(elements[0], elements[1]);
                               return b.add(elements.back(), ifVisible(b, 0, 2, keptOf(elements), product, zero));
                             });
  // Queries without a visible key yield 0, whatever the quotient is; the loop over keys is given by the weights.
  Value seen = b.loops("sr", withMask({{weights, "sr"}}), {b.filled(block, zero), "r"},
                       [&](TensorBuilder &b, ValueRange elements) {
                         return b.maximum(elements.back(), ifVisible(b, 0, 1, keptOf(elements), unit, zero));
                       });
  auto firstOf = [&](Value tensor) -> Value { return tensor::ExtractSliceOp::create(b, tensor, begin, count, one); };
  Type stored = getElementTypeOrSelf(out.getType());
  return b.loops("rm", {{firstColumns(numerators), "mr"}, {firstOf(denominators), "r"}, {firstOf(seen), "r"}},
                 {out, "rm"}, [&](TensorBuilder &b, ValueRange elements) -> Value {
                   Value any = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, elements[2], zero);
                   // The derivative of 0 / 0 is not a number, whether it is selected or not.
                   Value denominator = arith::SelectOp::create(b, any, elements[1], unit);
                   Value ratio = arith::SelectOp::create(b, any, b.divide(elements[0], denominator), zero);
                   return stored == element ? ratio : arith::TruncFOp::create(b, stored, ratio).getResult();
                 });
}

/// Rows `offsets[entry]` to `offsets[entry + 1]` of `rows`, within them whatever the offsets are; all without offsets.
static Span spanOf(TensorBuilder &b, Value rows, Value offsets, Value entry) {
  Value zero = b.index(0);
  if (!offsets)
    return {zero, rows};
  auto offset = [&](Value at) -> Value {
    Value value = tensor::ExtractOp::create(b, offsets, at);
    value = b.createOrFold<arith::IndexCastOp>(b.getIndexType(), value);
    return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, value, zero), rows);
  };
  Value first = offset(entry), next = offset(arith::AddIOp::create(b, entry, b.index(1)));
  Value end = arith::MaxSIOp::create(b, next, first);
  return {first, arith::SubIOp::create(b, end, first)};
}

/// Attention of all queries of an entry and head in their place of `out`.
static Value attendEntry(TensorBuilder &b, ExactAttentionOp op, Value entry, Value queryHead, Value keyHead,
                         Value out) {
  Type accumulator = getAccumulatorType(getElementTypeOrSelf(op.getQuery().getType()));
  Value zero = b.index(0), block = b.index(kBlock), keyRows = b.dim(op.getKey(), 2);
  Head queryPlace{op.getSequences() ? zero : entry, queryHead}, keyPlace{queryPlace.batch, keyHead};
  Span querySpan = spanOf(b, b.dim(op.getQuery(), 2), op.getSequences(), entry);
  Span keySpan = spanOf(b, keyRows, op.getKeySequencesOrShared(), entry);
  if (op.getLengths())
    keySpan.count = visibleKeys(b, op.getLengths(), op.getKey(), entry);
  auto rows = [&](Head place, Value tensor, Span span) {
    return b.convert(place.rows(b, tensor, span.first, span.count), accumulator);
  };
  Value queries = rows(queryPlace, op.getQuery(), querySpan), keys = rows(keyPlace, op.getKey(), keySpan),
        values = rows(keyPlace, op.getValue(), keySpan);
  auto maskOf = [&](Value count) -> Value {
    OpFoldResult one = b.getIndexAttr(1);
    auto type = RankedTensorType::get(ShapedType::kDynamic, b.getI1Type());
    return tensor::ExtractSliceOp::create(b, type, op.getMask(), {keyPlace.batch, keySpan.first}, {one, count},
                                          {one, one});
  };
  return repeat(b, zero, querySpan.count, block, out,
                [&](TensorBuilder &b, Value first, ValueRange carried) {
                  Value rest = arith::SubIOp::create(b, querySpan.count, first);
                  Value count = arith::MinSIOp::create(b, rest, block), seen = keySpan.count;
                  if (op.getCausality() == Causality::causal) // no query of the block sees later keys
                    seen = arith::MinSIOp::create(b, seen, arith::AddIOp::create(b, first, count));
                  OpFoldResult begin = b.getIndexAttr(0);
                  Value weights = b.empty({keyRows, b.getIndexAttr(kBlock)}, accumulator);
                  QueryBlock part{op,
                                  rowsOf(b, queries, first, count),
                                  first,
                                  rowsOf(b, keys, begin, seen),
                                  rowsOf(b, values, begin, seen),
                                  op.getMask() ? maskOf(seen) : Value(),
                                  rowsOf(b, weights, begin, seen)};
                  Value place = arith::AddIOp::create(b, querySpan.first, first), outRows = carried.front();
                  Value attended = part.attend(b, queryPlace.rows(b, outRows, place, count));
                  return Values{queryPlace.insert(b, attended, outRows, place, count)};
                })
      .front();
}

Value decompose::write(TensorBuilder &b, ExactAttentionOp op) {
  TensorBuilder::Sizes sizes = b.sizes(op.getQuery());
  sizes.back() = b.getIndexAttr(lastDim(op.getValue().getType()));
  Type stored = getElementTypeOrSelf(op.getOut().getType());
  Value zero = b.index(0), one = b.index(1), heads = b.dim(op.getQuery(), 1), entries, out;
  if (Value sequences = op.getSequences()) {
    entries = arith::SubIOp::create(b, b.dim(sequences, 0), one);
    out = b.filled(sizes, b.real(stored, 0.0)); // rows outside sequences
  } else {
    entries = b.dim(op.getQuery(), 0);
    out = b.empty(sizes, stored);
  }
  int64_t queryHeads = op.getQuery().getType().getDimSize(1), keyHeads = op.getKey().getType().getDimSize(1);
  bool grouped = !ShapedType::isDynamic(queryHeads) && !ShapedType::isDynamic(keyHeads) && queryHeads != keyHeads;
  return repeat(b, zero, entries, one, out,
                [&](TensorBuilder &b, Value entry, ValueRange carried) {
                  return repeat(b, zero, heads, one, carried, [&](TensorBuilder &b, Value head, ValueRange carried) {
                    Value keyHead = head;
                    if (grouped)
                      keyHead = arith::DivUIOp::create(b, head, b.index(queryHeads / keyHeads));
                    return Values{attendEntry(b, op, entry, head, keyHead, carried.front())};
                  });
                })
      .front();
}
