//===- DecomposeAttention.cpp - operations on queries, keys and values ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: linear_attention, feature_map and exact_attention as loops over batch entries and heads
// around linalg on the rows of one head. Sums run over visible keys only, so that whatever padding holds has no effect.
// Sizes of whole buffers are functions of the operands' sizes, never of lengths, so that memory can be planned.
//
// Letters: l query, s key, f feature, d head dimension, m value, r query of a block.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/Decompose.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;
using Values = SmallVector<Value>;

//===----------------------------------------------------------------------===//
// Loops and slices
//===----------------------------------------------------------------------===//

/// `for i in range(first, last, step): values = body(i, values)`.
static Values repeat(TensorBuilder &b, Value first, Value last, Value step, ValueRange values,
                     function_ref<Values(TensorBuilder &, Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, first, last, step, values,
                                 [&](OpBuilder &nested, Location loc, Value i, ValueRange carried) {
                                   TensorBuilder inner(loc, nested);
                                   scf::YieldOp::create(inner, body(inner, i, carried));
                                 });
  return Values(loop.getResults());
}

/// `count` rows of a tensor; their number is static if it is an attribute.
static RankedTensorType rowsType(Value tensor, OpFoldResult count) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t size = isa<Value>(count) ? ShapedType::kDynamic : *getConstantIntValue(count);
  return RankedTensorType::get({size, lastDim(type)}, type.getElementType());
}

namespace {
/// One head of one batch entry.
struct Head {
  Value batch, head;

  /// Rows [first, first + count) of a tensor [B, H, N, columns].
  Value rows(TensorBuilder &b, Value tensor, OpFoldResult first, OpFoldResult count) const {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(tensor.getType()));
    return tensor::ExtractSliceOp::create(b, rowsType(tensor, count), tensor, {batch, head, first, zero},
                                          {one, one, count, columns}, {one, one, one, one});
  }

  /// The tensor with `rows` in place of these.
  Value insert(TensorBuilder &b, Value rows, Value tensor, OpFoldResult first, OpFoldResult count) const {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(rows.getType()));
    return tensor::InsertSliceOp::create(b, rows, tensor, {batch, head, first, zero}, {one, one, count, columns},
                                         {one, one, one, one});
  }
};
} // namespace

/// A result [B, H, N, columns] that `body` writes head by head; B, H and N are those of `like`.
static Value forEachHead(TensorBuilder &b, Value like, int64_t columns,
                         function_ref<Value(TensorBuilder &, Head, Value)> body) {
  TensorBuilder::Sizes sizes = b.sizes(like);
  sizes.back() = b.getIndexAttr(columns);
  Value result = b.empty(sizes, getElementTypeOrSelf(like.getType()));
  Value zero = b.index(0), one = b.index(1), batches = b.dim(like, 0), heads = b.dim(like, 1);
  return repeat(b, zero, batches, one, result,
                [&](TensorBuilder &b, Value batch, ValueRange carried) {
                  return repeat(b, zero, heads, one, carried, [&](TensorBuilder &b, Value head, ValueRange carried) {
                    return Values{body(b, Head{batch, head}, carried.front())};
                  });
                })
      .front();
}

/// Rows [first, first + count) of a tensor [N, columns].
static Value rowsOf(TensorBuilder &b, Value tensor, OpFoldResult first, OpFoldResult count) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(tensor.getType()));
  return tensor::ExtractSliceOp::create(b, rowsType(tensor, count), tensor, {first, zero}, {count, columns},
                                        {one, one});
}

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

/// Number of keys that padding leaves: the length, kept within [0, S].
static Value visibleKeys(TensorBuilder &b, Value lengths, Value key, Value batch) {
  Value keys = b.dim(key, 2);
  if (!lengths)
    return keys;
  Value length = tensor::ExtractOp::create(b, lengths, batch);
  length = b.createOrFold<arith::IndexCastOp>(b.getIndexType(), length);
  length = arith::MaxSIOp::create(b, length, b.index(0));
  return arith::MinSIOp::create(b, length, keys);
}

//===----------------------------------------------------------------------===//
// Exponents
//===----------------------------------------------------------------------===//

/// A maximum that exponents can be relative to: exp(-inf - 0) is 0 where exp(-inf - -inf) is not a number.
static Value finite(TensorBuilder &b, Value maximum) {
  Value none = b.minusInfinity(maximum.getType()), zero = b.real(maximum.getType(), 0.0);
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum, none);
  return arith::SelectOp::create(b, isNone, zero, maximum);
}

/// `exp(value - maximum)`.
static Value relativeExp(TensorBuilder &b, Value value, Value maximum) {
  return b.exp(b.subtract(value, finite(b, maximum)));
}

namespace {
/// eps exp(offset), what a denominator is compared with.
struct Epsilon {
  double eps;
  Value offset; ///< null for no offset

  /// `denominators[dims] + eps exp(offset - maxima[dims])`; no maxima if the denominators are not scaled.
  Value addTo(TensorBuilder &b, Value denominators, Value maxima, const std::string &dims) const {
    // Without eps nothing is added: its exponential may be infinite.
    if (eps == 0.0)
      return denominators;
    Value factor = b.real(getElementTypeOrSelf(denominators.getType()), eps);
    SmallVector<decompose::Indexed> inputs;
    if (maxima)
      inputs.push_back({maxima, dims});
    return b.loops(dims, inputs, {denominators, dims}, [&](TensorBuilder &b, ValueRange elements) {
      Value exponent = offset;
      if (maxima) {
        Value shift = finite(b, elements.front());
        exponent = offset ? b.subtract(offset, shift) : arith::NegFOp::create(b, shift).getResult();
      }
      return b.add(elements.back(), exponent ? b.multiply(factor, b.exp(exponent)) : factor);
    });
  }
};
} // namespace

/// `numerators / denominators`, or 0 for queries without a visible key, in the element type of `out`.
static Value normalize(TensorBuilder &b, const decompose::Indexed &numerators, const decompose::Indexed &denominators,
                       const decompose::Indexed &out, StringRef order, Value visible) {
  Type accumulator = getElementTypeOrSelf(numerators.tensor), element = getElementTypeOrSelf(out.tensor);
  Value zero = b.real(accumulator, 0.0);
  Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, visible, b.index(0));
  return b.loops(order, {numerators, denominators}, out, [&](TensorBuilder &b, ValueRange elements) -> Value {
    Value ratio = b.divide(elements[0], elements[1]);
    Value result = arith::SelectOp::create(b, any, ratio, zero);
    if (element == accumulator)
      return result;
    return arith::TruncFOp::create(b, element, result);
  });
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

//===----------------------------------------------------------------------===//
// exact_attention
//===----------------------------------------------------------------------===//

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
