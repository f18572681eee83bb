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
#include "lib/Transforms/DecomposeState.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using namespace bochner::decompose;

//===----------------------------------------------------------------------===//
// linear_attention
//===----------------------------------------------------------------------===//

namespace {
/// Writes out one linear_attention.
class AttentionWriter {
public:
  AttentionWriter(TensorBuilder &b, LinearAttentionOp op);
  Values write(TensorBuilder &b);

private:
  /// What loops carry: out, the final state, the counts, the checkpoints, the denominators.
  Values attendHead(TensorBuilder &b, Value entry, Value head, ValueRange results);
  /// The keys of a head, in the order of positions.
  struct Keys {
    Rows rows;
    Value features, values, mask, visible;
  };
  Values writeCheckpoints(TensorBuilder &b, Value entry, Head head, const Keys &keys, ValueRange into);

  LinearAttentionOp op;
  Type accumulator;
  int64_t group = 1;
  bool isLog, anticausal;
};
} // namespace

AttentionWriter::AttentionWriter(TensorBuilder &, LinearAttentionOp op)
    : op(op), accumulator(getAccumulatorType(op.getQuery().getType().getElementType())), isLog(op.isLogDomain()),
      anticausal(op.getCausality() == Causality::anticausal) {
  int64_t heads = op.getQuery().getType().getDimSize(1), groups = op.getKey().getType().getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) && groups > 0)
    group = heads / groups;
}

Values AttentionWriter::attendHead(TensorBuilder &b, Value entry, Value head, ValueRange results) {
  OpFoldResult one = b.getIndexAttr(1);
  Value keyHead = arith::DivUIOp::create(b, head, b.index(group)), zero = b.index(0);
  // Rows of the entry: in a batch entry of their own, or packed behind others.
  Value batch = op.getSequences() ? zero : entry;
  Rows queryRows = rowsOfEntry(b, op.getSequences(), op.getQuery(), entry);
  Rows keyRows = rowsOfEntry(b, op.getKeySequencesOrShared(), op.getKey(), entry);
  Head ofQueries{batch, head}, ofKeys{batch, keyHead};
  Value visible = keyRows.count;
  if (op.getLengths())
    visible = visibleKeys(b, op.getLengths(), op.getKey(), entry);

  auto featuresOf = [&](Region &map, Value tile) {
    return b.convert(applyMap(b, map, tile, op.getParameters(), keyHead, head,
                              group > 1 ? op.getQuery().getType().getDimSize(1) : 0),
                     accumulator);
  };
  Value keys = featuresOf(op.getFeatures(), ofKeys.rows(b, op.getKey(), keyRows.first, keyRows.count));
  Value queries = featuresOf(op.getQueryMap(), ofQueries.rows(b, op.getQuery(), queryRows.first, queryRows.count));
  Value values = b.convert(ofKeys.rows(b, op.getValue(), keyRows.first, keyRows.count), accumulator), mask;
  if (op.getMask()) {
    mask = maskOfEntry(b, op.getMask(), batch, keyRows);
    keys = maskRows(b, mask, keys, isLog);
    values = maskRows(b, mask, values, /*isLog=*/false);
  }

  Attending how{{op.getEps().convertToDouble(), Value()},
                op.getNormalize(),
                op.getDenominator(),
                op.getFloor().convertToDouble()};
  if (Value offset = op.getOffset()) {
    how.epsilon.offset = tensor::ExtractOp::create(b, offset, ValueRange{batch, head});
    if (how.epsilon.offset.getType() != accumulator)
      how.epsilon.offset = arith::ExtFOp::create(b, accumulator, how.epsilon.offset);
  }

  State state = op.getInitial().empty() ? State::none(b, op.getFeatureCount(), op.getValueWidth(), accumulator, isLog)
                                        : State::load(b, op.getInitial(), batch, keyHead, accumulator);
  size_t stateSize = state.values().size();
  Value count = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));

  // Attention of some queries in their place of the result; carries the result and the count.
  auto attend = [&](TensorBuilder &b, const State &state, OpFoldResult first, OpFoldResult number, ValueRange into) {
    Value at = arith::AddIOp::create(b, queryRows.first, getValueOrCreateConstantIndexOp(b, b.getLoc(), first));
    State::Attended rows =
        state.apply(b, rowsOf(b, queries, first, number), how, ofQueries.rows(b, into[0], at, number));
    Value total = rows.small ? Value(arith::AddIOp::create(b, into[1], rows.small)) : into[1];
    Values updated{ofQueries.insert(b, rows.rows, into[0], at, number), total};
    if (op.getReturnDenominators()) {
      OpFoldResult size = b.sizes(rows.denominators)[0];
      SmallVector<ReassociationIndices> column{{0, 1}};
      auto type =
          RankedTensorType::get({cast<RankedTensorType>(rows.denominators.getType()).getDimSize(0), 1}, accumulator);
      Value tile = tensor::ExpandShapeOp::create(b, b.getLoc(), type, rows.denominators, column, {size, one});
      updated.push_back(ofQueries.insert(b, tile, into[2], at, number));
    }
    return updated;
  };
  auto addKey = [&](TensorBuilder &b, const State &state, Value i) {
    Value kept = mask ? Value(tensor::ExtractOp::create(b, mask, i)) : Value();
    return state.add(b, rowsOf(b, keys, i, one), rowsOf(b, values, i, one), one, countOf(b, kept, b.index(1)));
  };

  Values written{results[0], count};
  if (op.getReturnDenominators())
    written.push_back(results.back());
  if (!op.isCausal()) {
    state = state.add(b, keys, values, visible, countVisible(b, mask, visible));
    written = attend(b, state, b.getIndexAttr(0), queryRows.count, written);
  } else {
    // Rows that are a key and a query; then queries without a key of their own, and keys without a query.
    Value both = arith::MinSIOp::create(b, visible, queryRows.count);
    auto step = [&](TensorBuilder &b, Value i, ValueRange carried) {
      State next = addKey(b, State::of(carried.take_front(stateSize), isLog), i);
      Values yielded = next.values();
      llvm::append_range(yielded, attend(b, next, i, one, carried.drop_front(stateSize)));
      return yielded;
    };
    auto addOnly = [&](TensorBuilder &b, Value i, ValueRange carried) {
      return addKey(b, State::of(carried, isLog), i).values();
    };
    auto attendRest = [&](const State &state) {
      written = repeat(b, both, queryRows.count, b.index(1), written,
                       [&](TensorBuilder &b, Value i, ValueRange into) { return attend(b, state, i, one, into); });
    };
    auto attendBoth = [&] {
      Values carried = state.values();
      llvm::append_range(carried, written);
      carried = repeat(b, zero, both, b.index(1), carried, [&](TensorBuilder &b, Value i, ValueRange carried) {
        Value at = anticausal ? Value(arith::SubIOp::create(b, arith::SubIOp::create(b, both, i), b.index(1))) : i;
        return step(b, at, carried);
      });
      state = State::of(ValueRange(carried).take_front(stateSize), isLog);
      written.assign(carried.begin() + stateSize, carried.end());
    };
    if (anticausal) { // queries without a key of their own see none; keys without a query are seen by all
      attendRest(state);
      state = State::of(repeat(b, both, visible, b.index(1), state.values(), addOnly), isLog);
      attendBoth();
    } else {
      attendBoth();
      attendRest(state);
      state = State::of(repeat(b, both, visible, b.index(1), state.values(), addOnly), isLog);
    }
  }

  Values yielded{written[0]};
  if (op.getReturnState())
    llvm::append_range(yielded, state.save(b, results.slice(1, op.getFinalState().size()), {batch, keyHead}));
  if (op.getCounts())
    yielded.push_back(tensor::InsertOp::create(b, written[1], results[yielded.size()], ValueRange{batch, head}));
  if (op.getReturnCheckpoints())
    llvm::append_range(yielded, writeCheckpoints(b, entry, ofKeys, {keyRows, keys, values, mask, visible},
                                                 results.slice(yielded.size(), op.getCheckpoints().size())));
  if (op.getReturnDenominators())
    yielded.push_back(written[2]);
  return yielded;
}

/// Each is the state of the keys before it, from the first one on.
Values AttentionWriter::writeCheckpoints(TensorBuilder &b, Value entry, Head head, const Keys &keys, ValueRange into) {
  Value interval = b.index(op.getCheckpointInterval()), zero = b.index(0), first = zero;
  if (op.getSequences())
    first = arith::AddIOp::create(b, arith::DivUIOp::create(b, keys.rows.first, interval), entry);
  Value count = arith::CeilDivUIOp::create(b, keys.rows.count, interval);
  return repeat(b, zero, count, b.index(1), into, [&](TensorBuilder &b, Value i, ValueRange carried) {
    Value before = arith::MinSIOp::create(b, arith::MulIOp::create(b, i, interval), keys.visible);
    State state = State::none(b, op.getFeatureCount(), op.getValueWidth(), accumulator, isLog);
    Value kept = countVisible(b, keys.mask, before);
    if (anticausal) { // the last ones
      Value rest = arith::SubIOp::create(b, keys.visible, before);
      kept = arith::SubIOp::create(b, countVisible(b, keys.mask, keys.visible), countVisible(b, keys.mask, rest));
      state = state.add(b, rowsOf(b, keys.features, rest, before), rowsOf(b, keys.values, rest, before), before, kept);
    } else {
      state = state.add(b, keys.features, keys.values, before, kept);
    }
    return state.save(b, carried, {head.batch, head.head, arith::AddIOp::create(b, first, i)});
  });
}

Values AttentionWriter::write(TensorBuilder &b) {
  TensorBuilder::Sizes sizes = b.sizes(op.getQuery());
  sizes.back() = b.getIndexAttr(op.getValueWidth());
  Values results{b.empty(sizes, op.getValue().getType().getElementType())};
  if (op.getReturnState())
    llvm::append_range(results, emptyState(b, op.getKey(), op.getFinalState().getTypes()));
  if (op.getCounts())
    results.push_back(b.empty({sizes[0], sizes[1]}, b.getI64Type()));
  if (op.getReturnCheckpoints()) {
    ReifiedRankedShapedTypeDims shapes;
    bool known = succeeded(op.reifyResultShapes(b, shapes));
    assert(known && "an attention tells the shapes of its results");
    (void)known;
    for (Value v : op.getCheckpoints())
      results.push_back(b.empty(shapes[cast<OpResult>(v).getResultNumber()], accumulator));
  }
  if (op.getReturnDenominators())
    results.push_back(b.empty({sizes[0], sizes[1], sizes[2], OpFoldResult(b.getIndexAttr(1))}, accumulator));
  Value zero = b.index(0), one = b.index(1), entries = b.dim(op.getQuery(), 0);
  if (op.getSequences())
    entries = arith::MaxSIOp::create(b, arith::SubIOp::create(b, b.dim(op.getSequences(), 0), one).getResult(), zero);
  Value heads = b.dim(op.getQuery(), 1);
  return repeat(b, zero, entries, one, results, [&](TensorBuilder &b, Value entry, ValueRange carried) {
    return repeat(b, zero, heads, one, carried, [&](TensorBuilder &b, Value head, ValueRange carried) {
      return attendHead(b, entry, head, carried);
    });
  });
}

Values decompose::write(TensorBuilder &b, LinearAttentionOp op) { return AttentionWriter(b, op).write(b); }

//===----------------------------------------------------------------------===//
// feature_map
//===----------------------------------------------------------------------===//

Value decompose::write(TensorBuilder &b, FeatureMapOp op) {
  Type element = op.getOut().getType().getElementType(), accumulator = getAccumulatorType(element);
  auto mapRows = [&](TensorBuilder &b, Head head, Value out) {
    OpFoldResult zero = b.getIndexAttr(0);
    Value count = b.dim(op.getRows(), 2), rows = head.rows(b, op.getRows(), zero, count);
    Value features = applyMap(b, op.getFeatures(), rows, op.getParameters(), head.head, head.head, 0);
    features = b.convert(features, accumulator);
    if (op.isLogDomain())
      features = b.loops("lf", {{features, "lf"}}, {b.empty(b.sizes(features), accumulator), "lf"},
                         [](TensorBuilder &b, ValueRange elements) { return b.exp(elements[0]); });
    return head.insert(b, b.convert(features, element), out, zero, count);
  };
  return forEachHead(b, op.getRows(), op.getFeatureCount(), mapRows, element);
}
