//===- AttentionCost.cpp - what forms of attention cost -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Analysis/AttentionCost.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

int64_t bochner::chooseCheckpointInterval(LinearAttentionOp op) {
  if (int64_t interval = op.getCheckpointInterval())
    return interval;
  auto query = op.getQuery().getType(), key = op.getKey().getType(), value = op.getValue().getType();
  auto bytes = [](RankedTensorType type) { return double(type.getElementTypeBitWidth()) / 8; };
  double accumulator = query.getElementType().isF64() ? 8 : 4;
  // Queries, keys, values and outputs, and as much for gradients.
  double rows = 2 * (bytes(query) * double(query.getDimSize(3) + key.getDimSize(3)) +
                     bytes(value) * 2 * double(value.getDimSize(3)));
  double state = accumulator * double(op.getFeatureCount()) * double(op.getValueWidth() + 2);
  int64_t interval = 64;
  // Segments keep their products with parameters in scratch.
  auto takesTooMuch = [&] { return state > 0.15 * rows * double(interval) || 4 * op.getValueWidth() > interval; };
  while (interval < 1024 && takesTooMuch())
    interval *= 2;
  return interval;
}

int64_t bochner::quadraticSegmentTiles(int64_t features, int64_t elementBytes, ScheduleAttr schedule) {
  int64_t bytes = features * schedule.getRowTile() * elementBytes;
  return std::clamp<int64_t>((256 << 10) / bytes, 1, 4);
}

double bochner::costOf(Form form, const AttentionSizes &n, ScheduleAttr schedule) {
  int64_t tile = schedule.getRowTile(), rows = schedule.getRegisterRows();
  double map = double(n.dimension) * n.features, state = double(n.features) * n.valueWidth;
  double queries = n.group * n.queries, paddedQueries = n.group * llvm::alignTo(n.queries, rows);
  double keys = n.keys, paddedKeys = llvm::alignTo(n.keys, rows);
  switch (form) {
  case Form::recurrent: {
    // A row reads and writes its state, which takes longer than to multiply it: 1.6 is the measured factor.
    const double traffic = 1.6;
    return (queries + keys) * (map + traffic * state);
  }
  case Form::quadratic: {
    // Features of keys are computed again for every part of the queries, and the other way round.
    double segments = llvm::divideCeil(n.keys, tile * quadraticSegmentTiles(n.features, n.elementBytes, schedule));
    double parts =
        llvm::divideCeil(n.group * llvm::divideCeil(n.queries, tile) * tile, std::max(schedule.getRowChunk(), tile));
    double columns = llvm::alignTo(n.keys, tile), seen = keys;
    if (n.causal) { // half of the pairs; the tiles on the diagonal are whole
      segments = (segments + 1) / 2;
      parts = (parts + 1) / 2;
      columns = (columns + tile) / 2;
      seen = (keys + 1) / 2;
    }
    return (paddedKeys * parts + paddedQueries * segments) * map + paddedQueries * columns * n.features +
           queries * seen * n.valueWidth;
  }
  case Form::chunked:
  case Form::automatic: {
    // The state is cleared first.
    double cost = (paddedKeys + paddedQueries) * map + (1 + keys + paddedQueries) * state;
    if (n.causal) // keys of a query's own chunk: five eighths of the square are computed, and keys are transposed
      cost += tile * (0.75 * paddedQueries * n.features + queries * n.valueWidth / 2);
    return n.dots ? 0.58 * cost : cost; // measured
  }
  }
  llvm_unreachable("every form is covered");
}

Form bochner::chooseForm(LinearAttentionOp op, ScheduleAttr schedule, bool hasBf16Dot) {
  auto query = op.getQuery().getType(), key = op.getKey().getType();
  AttentionSizes sizes{query.getDimSize(2),
                       key.getDimSize(2),
                       /*group=*/1,
                       key.getDimSize(3),
                       op.getFeatureCount(),
                       op.getValueWidth(),
                       query.getElementType().isF64() ? 8 : 4,
                       op.isCausal(),
                       hasBf16Dot && !op.isCausal() && query.getElementType().isBF16()};
  if (ShapedType::isDynamic(sizes.queries) || ShapedType::isDynamic(sizes.keys))
    return Form::chunked;
  int64_t heads = query.getDimSize(1), groups = key.getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) && groups > 0)
    sizes.group = heads / groups;
  Form best = Form::chunked;
  auto consider = [&](Form form) {
    if (costOf(form, sizes, schedule) < costOf(best, sizes, schedule))
      best = form;
  };
  if (op.getReturnDenominators() || op.getReturnCheckpoints())
    return best;
  // Of more rows than a register tile has, a chunk shares each pass over the state.
  if (op.isCausal() && sizes.queries <= schedule.getRegisterRows())
    consider(Form::recurrent);
  if (op.getInitial().empty() && !op.getReturnState())
    consider(Form::quadratic);
  return best;
}
