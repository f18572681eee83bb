//===- GradientSteps.cpp - gradients pass through the steps of a map ------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/GradientTask.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

void GradientTask::finish(RowRange rows) {
  emitMoments(rows, 0, plan.groups.size());
  for (const GradientPlan::StepAdjoint &adjoint : gradient.steps) {
    switch (adjoint.step->kind) {
    case Step::Reduce:
      undoSum(adjoint, rows);
      break;
    case Step::Transform:
      emitter.emitTransformAdjoint(*adjoint.step, rows, tileGradients[adjoint.step->result],
                                   [&](unsigned parameter) { return columnSums.lookup(parameter); });
      undoTile(adjoint, rows);
      break;
    case Step::Materialize:
      undoTile(adjoint, rows);
      break;
    }
  }
}

/// What a row scalar passes on to the rows that it is a sum of.
void GradientTask::undoSum(const GradientPlan::StepAdjoint &adjoint, RowRange rows) {
  k.loop(k.index(0), rows.count, 1, [&](Value i) {
    for (auto [segment, terms] : llvm::zip(adjoint.step->operand, adjoint.sum.segments)) {
      k.registerBlocks(segment.width, [&, &terms = terms](Value c, Columns part) {
        Columns whole{part.padded, part.padded};
        for (const ArrayTerm &term : terms.tiles) {
          SmallVector<Value> at{i, k.add(c, term.offset)};
          Value v = emitter.evaluateAt(term.value, rows, i, c, part), gradients = tileGradients[term.id];
          k.store(k.addf(k.load(gradients, at, whole), v), gradients, at, whole);
        }
        for (const ArrayTerm &term : terms.rows) {
          Value sum = k.sumLanes(emitter.evaluateAt(term.value, rows, i, c, part));
          k.storeScalar(k.addf(k.loadScalar(rowCotangents[term.id], i), sum), rowCotangents[term.id], i);
        }
        for (const ArrayTerm &term : terms.columns)
          if (Value sums = columnSums.lookup(term.id)) {
            Value at = k.add(c, term.offset), v = emitter.evaluateAt(term.value, rows, i, c, part);
            k.store(k.addf(k.load(sums, at, whole), v), sums, at, whole);
          }
      });
    }
  });
}

/// What the gradient of a tile is worth in what its operand reads.
void GradientTask::undoTile(const GradientPlan::StepAdjoint &adjoint, RowRange rows) {
  Value cotangents = tileGradients[adjoint.step->result];
  for (size_t number = adjoint.begin; number < adjoint.end; ++number) {
    const FusedGroup &group = *gradient.groups[number];
    k.columnBlocks(group.width, k.schedule.getFeatureBlock(), [&](Value block, Columns columns) {
      forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
        TileEmitter::RegisterTile tile = emitter.openTile(group, rows, i, k.add(block, c), part, /*exact=*/true);
        for (size_t o = 0; o < group.outputs.size(); ++o) {
          Value column = k.add(outputColumn(k, group, o, block), c);
          for (auto [r, place] : llvm::enumerate(tile.places))
            place.cotangents.push_back(k.load(cotangents, {k.add(i, r), column}, {part.padded, part.padded}));
        }
        addTerms(number, rows, tile, i, block, c, part);
      });
      emitProducts(number, rows, block, columns);
    });
  }
  emitMoments(rows, adjoint.begin, adjoint.end);
}
