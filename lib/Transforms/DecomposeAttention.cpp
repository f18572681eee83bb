//===- DecomposeAttention.cpp - operations on queries, keys and values ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: linear_attention and feature_map as loops over batch entries and heads around linalg on
// the rows of one head. Sums run over visible keys only, so that whatever padding holds has no effect. Sizes of whole
// buffers are functions of the operands' sizes, never of lengths, so that memory can be planned.
//
// Letters: l query, s key, f feature, d head dimension, m value.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/DecomposeRows.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using namespace bochner::decompose;

//===----------------------------------------------------------------------===//
// Feature regions
//===----------------------------------------------------------------------===//

/// The slice of one head of a parameter [H or 1, ...].
static Value sliceOf(TensorBuilder &b, Value parameter, Value head) {
  auto type = cast<RankedTensorType>(parameter.getType());
  Value shared = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, b.dim(parameter, 0), b.index(1));
  Value first = b.createOrFold<arith::SelectOp>(shared, b.index(0), head);
  TensorBuilder::Sizes sizes = b.sizes(parameter), offsets(type.getRank(), b.getIndexAttr(0)),
                       strides(type.getRank(), b.getIndexAttr(1));
  sizes[0] = b.getIndexAttr(1);
  offsets[0] = first;
  auto slice = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  return tensor::ExtractSliceOp::create(b, slice, parameter, offsets, sizes, strides);
}

/// What a feature region yields for rows of one head.
static Value applyMap(TensorBuilder &b, Region &map, Value rows, OperandRange parameters, Value head) {
  Block &block = map.front();
  IRMapping mapping;
  mapping.map(block.getArgument(0), rows);
  for (auto [argument, parameter] : llvm::zip(block.getArguments().drop_front(), parameters))
    if (!argument.use_empty())
      mapping.map(argument, sliceOf(b, parameter, head));
  for (Operation &op : block.without_terminator())
    b.clone(op, mapping);
  return mapping.lookupOrDefault(cast<YieldOp>(block.getTerminator()).getFeatures());
}

//===----------------------------------------------------------------------===//
// linear_attention
//===----------------------------------------------------------------------===//

namespace {
/// What queries need to know of keys: sum phi(k) v^T [F, M] and sum phi(k) [F]; in the domain log relative to
/// exp(maxima [F]).
struct State {
  Value products, normalizers, maxima;

  static State none(TensorBuilder &b, int64_t features, int64_t width, Type element, bool isLog) {
    OpFoldResult f = b.getIndexAttr(features), m = b.getIndexAttr(width);
    Value zero = b.real(element, 0.0);
    return {b.filled({f, m}, zero), b.filled(f, zero), isLog ? b.filled(f, b.minusInfinity(element)) : Value()};
  }
  static State of(ValueRange values) { return {values[0], values[1], values.size() > 2 ? values[2] : Value()}; }
  Values values() const { return maxima ? Values{products, normalizers, maxima} : Values{products, normalizers}; }

  /// With the first `count` of further keys, given by their features [n, F] or the logarithms of these.
  State add(TensorBuilder &b, Value keys, Value values, OpFoldResult count) const {
    OpFoldResult first = b.getIndexAttr(0);
    State next = *this;
    if (maxima) {
      Type element = getElementTypeOrSelf(maxima.getType());
      auto larger = [](TensorBuilder &b, ValueRange elements) { return b.maximum(elements[0], elements[1]); };
      Value none = b.filled(b.sizes(maxima), b.minusInfinity(element));
      Value peaks = b.loops("sf", {{rowsOf(b, keys, first, count), "sf"}}, {none, "f"}, larger);
      // The old maxima are read before the new ones take their place, so that a loop can carry one buffer.
      Value factors = b.loops("f", {{maxima, "f"}, {peaks, "f"}}, {b.empty(b.sizes(maxima), element), "f"},
                              [](TensorBuilder &b, ValueRange elements) {
                                return relativeExp(b, elements[0], b.maximum(elements[0], elements[1]));
                              });
      next.maxima = b.loops("f", {{peaks, "f"}}, {maxima, "f"}, larger);
      auto scale = [](TensorBuilder &b, ValueRange elements) { return b.multiply(elements[1], elements[0]); };
      next.products = b.loops("fm", {{factors, "f"}}, {products, "fm"}, scale);
      next.normalizers = b.loops("f", {{factors, "f"}}, {normalizers, "f"}, scale);
      keys = b.loops("sf", {{keys, "sf"}, {next.maxima, "f"}}, {b.empty(b.sizes(keys), element), "sf"},
                     [](TensorBuilder &b, ValueRange elements) { return relativeExp(b, elements[0], elements[1]); });
    }
    keys = rowsOf(b, keys, first, count);
    values = rowsOf(b, values, first, count);
    next.products = b.contract("sfm", {{keys, "sf"}, {values, "sm"}}, {next.products, "fm"});
    next.normalizers = b.contract("sf", {{keys, "sf"}}, {next.normalizers, "f"});
    return next;
  }

  /// Attention of queries, given as keys are, in the place of `out` [n, M]; `visible` keys are in the state.
  Value apply(TensorBuilder &b, Value queries, const Epsilon &epsilon, Value visible, Value out) const {
    auto type = cast<RankedTensorType>(queries.getType());
    Type element = type.getElementType();
    OpFoldResult rows = b.sizes(queries)[0], width = b.getIndexAttr(lastDim(products.getType()));
    Value zero = b.real(element, 0.0), tops;
    if (maxima) {
      tops = b.loops("lf", {{queries, "lf"}, {maxima, "f"}}, {b.filled(rows, b.minusInfinity(element)), "l"},
                     [](TensorBuilder &b, ValueRange elements) {
                       return b.maximum(elements[2], b.add(elements[0], elements[1]));
                     });
      queries = b.loops("lf", {{queries, "lf"}, {maxima, "f"}, {tops, "l"}}, {b.empty(b.sizes(queries), element), "lf"},
                        [](TensorBuilder &b, ValueRange elements) {
                          return relativeExp(b, b.add(elements[0], elements[1]), elements[2]);
                        });
    }
    Value numerators = b.contract("lfm", {{queries, "lf"}, {products, "fm"}}, {b.filled({rows, width}, zero), "lm"});
    Value denominators = b.contract("lf", {{queries, "lf"}, {normalizers, "f"}}, {b.filled(rows, zero), "l"});
    denominators = epsilon.addTo(b, denominators, tops, "l");
    return normalize(b, {numerators, "lm"}, {denominators, "l"}, {out, "lm"}, "lm", visible);
  }
};
} // namespace

Value decompose::write(TensorBuilder &b, LinearAttentionOp op) {
  Type element = getElementTypeOrSelf(op.getQuery().getType()), accumulator = getAccumulatorType(element);
  int64_t features = op.getFeatureCount(), width = op.getValueWidth();
  return forEachHead(b, op.getQuery(), width, [&](TensorBuilder &b, Head head, Value out) {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    Value length = b.dim(op.getQuery(), 2), keyCount = b.dim(op.getKey(), 2);
    Value visible = visibleKeys(b, op.getLengths(), op.getKey(), head.batch);
    auto featuresOf = [&](Region &map, Value rows, Value count) {
      Value tile = head.rows(b, rows, zero, count);
      return b.convert(applyMap(b, map, tile, op.getParameters(), head.head), accumulator);
    };
    Value keys = featuresOf(op.getFeatures(), op.getKey(), keyCount);
    Value queries = featuresOf(op.getQueryMap(), op.getQuery(), length);
    Value values = b.convert(head.rows(b, op.getValue(), zero, keyCount), accumulator);

    Epsilon epsilon{op.getEps().convertToDouble(), Value()};
    if (Value offset = op.getOffset()) {
      epsilon.offset = tensor::ExtractOp::create(b, offset, ValueRange{head.batch, head.head});
      if (accumulator != element)
        epsilon.offset = arith::ExtFOp::create(b, accumulator, epsilon.offset);
    }

    // Attention of some queries in their place of the result.
    auto attend = [&](TensorBuilder &b, const State &state, OpFoldResult first, OpFoldResult count, Value out) {
      Value rows = state.apply(b, rowsOf(b, queries, first, count), epsilon, visible, head.rows(b, out, first, count));
      return head.insert(b, rows, out, first, count);
    };
    State state = State::none(b, features, width, accumulator, op.isLogDomain());
    if (!op.isCausal())
      return attend(b, state.add(b, keys, values, visible), zero, length, out);

    // A query sees its own key and those before it; past the last visible key the state stays as it is.
    Values carried = state.values();
    carried.push_back(out);
    carried = repeat(b, b.index(0), visible, b.index(1), carried, [&](TensorBuilder &b, Value i, ValueRange carried) {
      State next = State::of(carried.drop_back()).add(b, rowsOf(b, keys, i, one), rowsOf(b, values, i, one), one);
      Values yielded = next.values();
      yielded.push_back(attend(b, next, i, one, carried.back()));
      return yielded;
    });
    State last = State::of(ValueRange(carried).drop_back());
    return repeat(b, visible, length, b.index(1), carried.back(),
                  [&](TensorBuilder &b, Value i, ValueRange out) { return Values{attend(b, last, i, one, out[0])}; })
        .front();
  });
}

//===----------------------------------------------------------------------===//
// feature_map
//===----------------------------------------------------------------------===//

Value decompose::write(TensorBuilder &b, FeatureMapOp op) {
  return forEachHead(b, op.getRows(), op.getFeatureCount(), [&](TensorBuilder &b, Head head, Value out) {
    OpFoldResult zero = b.getIndexAttr(0);
    Value count = b.dim(op.getRows(), 2), rows = head.rows(b, op.getRows(), zero, count);
    Value features = applyMap(b, op.getFeatures(), rows, op.getParameters(), head.head);
    if (op.isLogDomain())
      features = b.loops("lf", {{features, "lf"}}, {b.empty(b.sizes(features), getElementTypeOrSelf(out)), "lf"},
                         [](TensorBuilder &b, ValueRange elements) { return b.exp(elements[0]); });
    return head.insert(b, features, out, zero, count);
  });
}
