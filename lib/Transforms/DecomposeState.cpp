//===- DecomposeState.cpp - the state of linear attention, written out ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See DecomposeState.h; and attention_state, merge_states and apply_state.
//
// Letters: l query, s key, f feature, m value.
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/DecomposeState.h"
#include "dialect/VerifyUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using namespace bochner::decompose;

static constexpr double kLn2 = 0.6931471805599453, kLog2E = 1.4426950408889634;

//===----------------------------------------------------------------------===//
// Feature regions and rows
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

Value decompose::applyMap(TensorBuilder &b, Region &map, Value rows, OperandRange parameters, Value keyHead,
                          Value queryHead, int64_t queryHeads) {
  Block &block = map.front();
  IRMapping mapping;
  mapping.map(block.getArgument(0), rows);
  for (auto [argument, parameter] : llvm::zip(block.getArguments().drop_front(), parameters))
    if (!argument.use_empty()) {
      bool ofQueries = queryHeads && cast<RankedTensorType>(parameter.getType()).getDimSize(0) == queryHeads;
      mapping.map(argument, sliceOf(b, parameter, ofQueries ? queryHead : keyHead));
    }
  for (Operation &op : block.without_terminator())
    b.clone(op, mapping);
  return mapping.lookupOrDefault(cast<YieldOp>(block.getTerminator()).getFeatures());
}

Rows decompose::rowsOfEntry(TensorBuilder &b, Value sequences, Value tensor, Value entry) {
  Value rows = b.dim(tensor, 2), zero = b.index(0);
  if (!sequences)
    return {zero, rows};
  auto bound = [&](Value at) {
    Value offset = tensor::ExtractOp::create(b, sequences, at);
    offset = b.createOrFold<arith::IndexCastOp>(b.getIndexType(), offset);
    return arith::MaxSIOp::create(b, arith::MinSIOp::create(b, offset, rows).getResult(), zero).getResult();
  };
  Value first = bound(entry), end = bound(arith::AddIOp::create(b, entry, b.index(1)));
  Value count = arith::MaxSIOp::create(b, arith::SubIOp::create(b, end, first).getResult(), zero);
  return {first, arith::MinSIOp::create(b, count, rows)};
}

Value decompose::maskOfEntry(TensorBuilder &b, Value mask, Value batch, const Rows &keys) {
  OpFoldResult one = b.getIndexAttr(1);
  auto type = RankedTensorType::get(ShapedType::kDynamic, b.getI1Type());
  return tensor::ExtractSliceOp::create(b, type, mask, ArrayRef<OpFoldResult>{batch, keys.first},
                                        ArrayRef<OpFoldResult>{one, keys.count}, ArrayRef<OpFoldResult>{one, one});
}

Value decompose::maskRows(TensorBuilder &b, Value mask, Value rows, bool isLog) {
  Type element = getElementTypeOrSelf(rows.getType());
  Value hidden = isLog ? b.minusInfinity(element) : b.real(element, 0.0);
  return b.loops("sf", {{mask, "s"}, {rows, "sf"}}, {b.empty(b.sizes(rows), element), "sf"},
                 [&](TensorBuilder &b, ValueRange elements) -> Value {
                   return arith::SelectOp::create(b, elements[0], elements[1], hidden);
                 });
}

Value decompose::countOf(TensorBuilder &b, Value kept, Value count) {
  return kept ? arith::SelectOp::create(b, kept, count, b.index(0)).getResult() : count;
}

Value decompose::countVisible(TensorBuilder &b, Value mask, Value count) {
  if (!mask)
    return count;
  return repeat(b, b.index(0), count, b.index(1), b.index(0),
                [&](TensorBuilder &b, Value i, ValueRange carried) {
                  Value kept = tensor::ExtractOp::create(b, mask, i);
                  return Values{arith::AddIOp::create(b, carried[0], countOf(b, kept, b.index(1)))};
                })
      .front();
}

Values decompose::emptyState(TensorBuilder &b, Value keys, TypeRange types) {
  Values tensors;
  for (Type type : types) {
    TensorBuilder::Sizes sizes{b.sizes(keys)[0], b.sizes(keys)[1]};
    for (int64_t size : cast<RankedTensorType>(type).getShape().drop_front(2))
      sizes.push_back(b.getIndexAttr(size));
    tensors.push_back(b.empty(sizes, getElementTypeOrSelf(type)));
  }
  return tensors;
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

State State::none(TensorBuilder &b, int64_t features, int64_t width, Type element, bool isLog) {
  OpFoldResult f = b.getIndexAttr(features), m = b.getIndexAttr(width);
  Value zero = b.real(element, 0.0);
  return {b.filled({f, m}, zero), b.filled(f, zero), isLog ? b.filled(f, b.minusInfinity(element)) : Value(),
          b.index(0)};
}

State State::of(ValueRange values, bool isLog) {
  return {values[0], values[1], isLog ? values[2] : Value(), values.back()};
}

Values State::values() const {
  return maxima ? Values{products, normalizers, maxima, seen} : Values{products, normalizers, seen};
}

/// Offsets, sizes and strides of what a tensor has at `place`, its first indices.
static std::array<SmallVector<OpFoldResult>, 3> sliceAt(TensorBuilder &b, Value tensor, ValueRange place) {
  SmallVector<OpFoldResult> offsets(place.begin(), place.end()), sizes(place.size(), b.getIndexAttr(1));
  for (int64_t size : cast<RankedTensorType>(tensor.getType()).getShape().drop_front(place.size())) {
    offsets.push_back(b.getIndexAttr(0));
    sizes.push_back(b.getIndexAttr(size));
  }
  return {offsets, sizes, SmallVector<OpFoldResult>(offsets.size(), b.getIndexAttr(1))};
}

State State::load(TensorBuilder &b, ValueRange state, Value batch, Value head, Type accumulator) {
  auto part = [&](Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    auto slice = sliceAt(b, tensor, {batch, head});
    auto sliced = RankedTensorType::get(type.getShape().drop_front(2), type.getElementType());
    return b.convert(tensor::ExtractSliceOp::create(b, sliced, tensor, slice[0], slice[1], slice[2]), accumulator);
  };
  State loaded{part(state[0]), part(state[1]), Value(), Value()};
  Value zero = b.real(accumulator, 0.0);
  auto isSeen = [&](TensorBuilder &b, Value z) -> Value {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, z, zero);
  };
  if (state.size() > 2)
    loaded.maxima = b.loops(
        "f", {{part(state[2]), "f"}, {loaded.normalizers, "f"}},
        {b.empty(b.sizes(loaded.normalizers), accumulator), "f"}, [&](TensorBuilder &b, ValueRange elements) -> Value {
          Value natural = b.multiply(elements[0], b.real(accumulator, kLn2));
          return arith::SelectOp::create(b, isSeen(b, elements[1]), natural, b.minusInfinity(accumulator));
        });
  loaded.seen = repeat(b, b.index(0), b.dim(loaded.normalizers, 0), b.index(1), b.index(0),
                       [&](TensorBuilder &b, Value i, ValueRange carried) {
                         Value z = tensor::ExtractOp::create(b, loaded.normalizers, i);
                         return Values{arith::SelectOp::create(b, isSeen(b, z), b.index(1), carried[0])};
                       })
                    .front();
  return loaded;
}

Values State::save(TensorBuilder &b, ValueRange into, ValueRange place) const {
  Type accumulator = getElementTypeOrSelf(normalizers.getType());
  State scaled = *this;
  Value exponents;
  if (maxima) { // 2^r with whole r, and 0 where there is no key
    exponents = b.loops("f", {{maxima, "f"}}, {b.empty(b.sizes(maxima), accumulator), "f"},
                        [&](TensorBuilder &b, ValueRange elements) -> Value {
                          Value binary = b.multiply(finite(b, elements[0]), b.real(accumulator, kLog2E));
                          return math::CeilOp::create(b, binary);
                        });
    Value factors = b.loops("f", {{maxima, "f"}, {exponents, "f"}}, {b.empty(b.sizes(maxima), accumulator), "f"},
                            [&](TensorBuilder &b, ValueRange elements) {
                              Value natural = b.multiply(elements[1], b.real(accumulator, kLn2));
                              return b.exp(b.subtract(elements[0], natural));
                            });
    auto scale = [](TensorBuilder &b, ValueRange elements) { return b.multiply(elements[0], elements[1]); };
    scaled.products =
        b.loops("fm", {{factors, "f"}, {products, "fm"}}, {b.empty(b.sizes(products), accumulator), "fm"}, scale);
    scaled.normalizers =
        b.loops("f", {{factors, "f"}, {normalizers, "f"}}, {b.empty(b.sizes(normalizers), accumulator), "f"}, scale);
  }
  Values written;
  for (auto [tensor, part] : llvm::zip(into, Values{scaled.products, scaled.normalizers, exponents})) {
    auto slice = sliceAt(b, tensor, place);
    part = b.convert(part, getElementTypeOrSelf(tensor.getType()));
    written.push_back(tensor::InsertSliceOp::create(b, part, tensor, slice[0], slice[1], slice[2]));
  }
  return written;
}

State State::add(TensorBuilder &b, Value keys, Value values, OpFoldResult count, Value kept) const {
  OpFoldResult first = b.getIndexAttr(0);
  State next = *this;
  next.seen = arith::AddIOp::create(b, seen, kept);
  if (maxima) {
    Type element = getElementTypeOrSelf(maxima.getType());
    auto larger = [](TensorBuilder &b, ValueRange elements) { return b.maximum(elements[0], elements[1]); };
    Value none = b.filled(b.sizes(maxima), b.minusInfinity(element));
    Value peaks = b.loops("sf", {{rowsOf(b, keys, first, count), "sf"}}, {none, "f"}, larger);
    // The old maxima are read before the new ones take their place, so that a loop can carry one buffer. Of equal
    // numbers both maxima must give the same one their cotangents, or these would not cancel: the second.
    Value factors = b.loops("f", {{maxima, "f"}, {peaks, "f"}}, {b.empty(b.sizes(maxima), element), "f"},
                            [](TensorBuilder &b, ValueRange elements) {
                              return relativeExp(b, elements[0], b.maximum(elements[1], elements[0]));
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

State::Attended State::apply(TensorBuilder &b, Value queries, const Attending &how, Value out) const {
  auto type = cast<RankedTensorType>(queries.getType());
  Type element = type.getElementType();
  OpFoldResult rows = b.sizes(queries)[0], width = b.getIndexAttr(lastDim(products.getType()));
  Value zero = b.real(element, 0.0), tops;
  if (maxima) {
    tops = b.loops(
        "lf", {{queries, "lf"}, {maxima, "f"}}, {b.filled(rows, b.minusInfinity(element)), "l"},
        [](TensorBuilder &b, ValueRange elements) { return b.maximum(elements[2], b.add(elements[0], elements[1])); });
    queries = b.loops("lf", {{queries, "lf"}, {maxima, "f"}, {tops, "l"}}, {b.empty(b.sizes(queries), element), "lf"},
                      [](TensorBuilder &b, ValueRange elements) {
                        return relativeExp(b, b.add(elements[0], elements[1]), elements[2]);
                      });
  }
  Value numerators = b.contract("lfm", {{queries, "lf"}, {products, "fm"}}, {b.filled({rows, width}, zero), "lm"});
  if (!how.normalize) {
    SmallVector<Indexed> inputs{{numerators, "lm"}};
    if (tops)
      inputs.push_back({tops, "l"});
    Type stored = getElementTypeOrSelf(out.getType());
    Value result = b.loops("lm", inputs, {out, "lm"}, [&](TensorBuilder &b, ValueRange elements) -> Value {
      Value v = tops ? b.multiply(elements[0], b.exp(finite(b, elements[1]))) : elements[0];
      return stored == element ? v : arith::TruncFOp::create(b, stored, v).getResult();
    });
    return {result, Value(), Value()};
  }
  Value denominators = b.contract("lf", {{queries, "lf"}, {normalizers, "f"}}, {b.filled(rows, zero), "l"});
  denominators = how.epsilon.addTo(b, denominators, tops, "l");
  Value floor = b.real(element, how.floor), count;
  auto isSmall = [&](TensorBuilder &b, Value v) -> Value {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, math::AbsFOp::create(b, v), floor);
  };
  if (how.policy == Denominator::clamp)
    denominators = b.loops("l", {}, {denominators, "l"}, [&](TensorBuilder &b, ValueRange elements) -> Value {
      Value negative = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, elements[0], zero);
      Value bound = arith::SelectOp::create(b, negative, b.real(element, -how.floor), floor);
      return arith::SelectOp::create(b, isSmall(b, elements[0]), bound, elements[0]);
    });
  if (how.policy == Denominator::count) {
    Value none = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
    count = repeat(b, b.index(0), b.dim(denominators, 0), b.index(1), none,
                   [&](TensorBuilder &b, Value i, ValueRange carried) {
                     Value small = isSmall(b, tensor::ExtractOp::create(b, denominators, i));
                     Value one = arith::ExtUIOp::create(b, b.getI64Type(), small);
                     return Values{arith::AddIOp::create(b, carried[0], one)};
                   })
                .front();
    // Without keys there is nothing to divide.
    Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, seen, b.index(0));
    count = arith::SelectOp::create(b, any, count, none);
  }
  Value rowDenominators = denominators;
  if (tops)
    rowDenominators = b.loops("l", {{denominators, "l"}, {tops, "l"}}, {b.empty(rows, element), "l"},
                              [](TensorBuilder &b, ValueRange elements) {
                                return b.add(math::LogOp::create(b, elements[0]), finite(b, elements[1]));
                              });
  return {normalize(b, {numerators, "lm"}, {denominators, "l"}, {out, "lm"}, "lm", seen), count, rowDenominators};
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Values decompose::write(TensorBuilder &b, AttentionStateOp op) {
  Type accumulator = getAccumulatorType(op.getKey().getType().getElementType());
  bool isLog = op.isLogDomain();
  Value zero = b.index(0), one = b.index(1);
  Values results = emptyState(b, op.getKey(), op.getResultTypes());
  return repeat(b, zero, b.dim(op.getKey(), 0), one, results, [&](TensorBuilder &b, Value batch, ValueRange carried) {
    return repeat(b, zero, b.dim(op.getKey(), 1), one, carried, [&](TensorBuilder &b, Value head, ValueRange carried) {
      Head of{batch, head};
      Rows rows = rowsOfEntry(b, Value(), op.getKey(), batch);
      Value visible = visibleKeys(b, op.getLengths(), op.getKey(), batch), mask;
      Value tile = of.rows(b, op.getKey(), rows.first, rows.count);
      Value keys = b.convert(applyMap(b, op.getFeatures(), tile, op.getParameters(), head, head, 0), accumulator);
      Value values = b.convert(of.rows(b, op.getValue(), rows.first, rows.count), accumulator);
      if (op.getMask()) {
        mask = maskOfEntry(b, op.getMask(), batch, rows);
        keys = maskRows(b, mask, keys, isLog);
        values = maskRows(b, mask, values, /*isLog=*/false);
      }
      State state = op.getInitial().empty()
                        ? State::none(b, op.getFeatureCount(), op.getValueWidth(), accumulator, isLog)
                        : State::load(b, op.getInitial(), batch, head, accumulator);
      return state.add(b, keys, values, visible, countVisible(b, mask, visible)).save(b, carried, {batch, head});
    });
  });
}

Value decompose::write(TensorBuilder &b, ApplyStateOp op) {
  Type accumulator = getAccumulatorType(op.getQuery().getType().getElementType());
  int64_t heads = op.getQuery().getType().getDimSize(1), group = 1,
          groups = cast<RankedTensorType>(op.getState().front().getType()).getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) && groups > 0)
    group = heads / groups;
  return forEachHead(b, op.getQuery(), op.getValueWidth(), [&](TensorBuilder &b, Head of, Value out) {
    Value keyHead = arith::DivUIOp::create(b, of.head, b.index(group)), zero = b.index(0),
          rows = b.dim(op.getQuery(), 2);
    Value tile = of.rows(b, op.getQuery(), zero, rows);
    Value queries = b.convert(
        applyMap(b, op.getFeatures(), tile, op.getParameters(), keyHead, of.head, group > 1 ? heads : 0), accumulator);
    Attending how{{op.getEps().convertToDouble(), Value()},
                  op.getNormalize(),
                  op.getDenominator(),
                  op.getFloor().convertToDouble()};
    if (Value offset = op.getOffset()) {
      how.epsilon.offset = tensor::ExtractOp::create(b, offset, ValueRange{of.batch, of.head});
      if (how.epsilon.offset.getType() != accumulator)
        how.epsilon.offset = arith::ExtFOp::create(b, accumulator, how.epsilon.offset);
    }
    State state = State::load(b, op.getState(), of.batch, keyHead, accumulator);
    Value written = state.apply(b, queries, how, of.rows(b, out, zero, rows)).rows;
    return of.insert(b, written, out, zero, rows);
  });
}

Values decompose::write(TensorBuilder &b, MergeStatesOp op) {
  Type accumulator = getElementTypeOrSelf(op.getLeft()[1].getType()), stored = getElementTypeOrSelf(op.getLeft()[0]);
  Value zero = b.real(accumulator, 0.0);
  ValueRange left = op.getLeft(), right = op.getRight();
  auto sum = [&](StringRef dims, size_t i, Type element, ArrayRef<Value> factors) {
    SmallVector<Indexed> inputs{{left[i], dims.str()}, {right[i], dims.str()}};
    for (Value factor : factors)
      inputs.push_back({factor, "bhf"});
    return b.loops(dims, inputs, {b.empty(b.sizes(left[i]), element), dims.str()},
                   [&](TensorBuilder &b, ValueRange elements) -> Value {
                     auto wide = [&](Value v) {
                       return v.getType() == accumulator ? v : arith::ExtFOp::create(b, accumulator, v).getResult();
                     };
                     Value x = wide(elements[0]), y = wide(elements[1]);
                     if (!factors.empty()) {
                       x = b.multiply(x, elements[2]);
                       y = b.multiply(y, elements[3]);
                     }
                     Value v = b.add(x, y);
                     return element == accumulator ? v : arith::TruncFOp::create(b, element, v).getResult();
                   });
  };
  if (left.size() == 2)
    return {sum("bhfm", 0, stored, {}), sum("bhf", 1, accumulator, {})};
  Value none = b.minusInfinity(accumulator);
  auto exponent = [&](TensorBuilder &b, Value r, Value z) -> Value { // minus infinity where there is no key
    Value seen = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, z, zero);
    return arith::SelectOp::create(b, seen, r, none);
  };
  auto inputs = [&](ValueRange state) { return SmallVector<Indexed>{{state[2], "bhf"}, {state[1], "bhf"}}; };
  SmallVector<Indexed> both = inputs(left);
  llvm::append_range(both, inputs(right));
  Value empty = b.empty(b.sizes(left[1]), accumulator);
  Value maxima = b.loops("bhf", both, {empty, "bhf"}, [&](TensorBuilder &b, ValueRange e) {
    return finite(b, b.maximum(exponent(b, e[0], e[1]), exponent(b, e[2], e[3])));
  });
  auto factor = [&](ValueRange state) {
    SmallVector<Indexed> of = inputs(state);
    of.push_back({maxima, "bhf"});
    return b.loops("bhf", of, {b.empty(b.sizes(left[1]), accumulator), "bhf"},
                   [&](TensorBuilder &b, ValueRange e) -> Value {
                     return math::Exp2Op::create(b, b.subtract(exponent(b, e[0], e[1]), e[2]));
                   });
  };
  Value x = factor(left), y = factor(right);
  return {sum("bhfm", 0, stored, {x, y}), sum("bhf", 1, accumulator, {x, y}), maxima};
}
