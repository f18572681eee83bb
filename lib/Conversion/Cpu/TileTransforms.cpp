//===- TileTransforms.cpp - Walsh-Hadamard transforms of rows --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Transforms and their adjoints work on `lanes` rows at a time, transposed: a permutation is then addressing, and
// butterflies need no shuffles.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/TileEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

/// Butterflies between vectors that each hold one column of `lanes` rows; several stages run in registers.
void TileEmitter::emitHadamard(Value columns, int64_t width) {
  Columns whole{k.lanes(), k.lanes()};
  int64_t most = 8;
  for (int64_t stride = 1; stride < width;) {
    int64_t radix = std::min(most, width / stride), span = radix * stride;
    k.loop(k.index(0), k.index(width), span, [&](Value first) {
      k.loop(k.index(0), k.index(stride), 1, [&](Value offset) {
        SmallVector<Value> v, at;
        for (int64_t i = 0; i < radix; ++i) {
          at.push_back(k.add(k.add(first, offset), i * stride));
          v.push_back(k.load(columns, {at.back(), k.index(0)}, whole));
        }
        for (int64_t s = 1; s < radix; s *= 2)
          for (int64_t i = 0; i < radix; ++i)
            if (!(i & s)) {
              Value x = v[i], y = v[i + s];
              v[i] = k.addf(x, y);
              v[i + s] = k.subf(x, y);
            }
        for (int64_t i = 0; i < radix; ++i)
          k.store(v[i], columns, {at[i], k.index(0)}, whole);
      });
    });
    stride *= radix;
  }
}

/// The operand of a transform at rows from `group` on, in `transposed`. Rows past the end repeat the last one.
void TileEmitter::loadOperand(const Step &step, RowRange rows, Value group) {
  int64_t lanes = k.lanes(), origin = 0;
  for (const Segment &s : step.operand) {
    k.columnBlocks(s.width, lanes, [&](Value c, Columns columns) {
      k.loop(k.index(0), k.index(lanes), 1, [&](Value r) {
        Value local = k.min(k.add(group, r), k.sub(rows.count, k.index(1)));
        Place at{k.add(rows.base, local), local, c, columns};
        k.store(k.broadcast(evaluate(s.value, at), lanes), square, {r, k.index(0)}, {lanes, lanes});
      });
      k.transpose(square, k.index(0), transposed, k.add(c, origin));
    });
    origin += s.width;
  }
}

/// The column that column j of a stage reads.
Value TileEmitter::permutedColumn(const Stage &stage, Value j) {
  if (stage.permutation < 0)
    return j;
  Value from = k.loadScalar(parameters[stage.permutation], j);
  return from.getType().isIndex() ? from : arith::IndexCastOp::create(k.b, k.loc, k.b.getIndexType(), from);
}

/// transposed <- a stage of it; `unscaled`, if not null, gets what the scale multiplies.
void TileEmitter::emitStage(const Stage &stage, int64_t width, Value unscaled) {
  Columns whole{k.lanes(), k.lanes()};
  if (stage.permutation >= 0 || stage.scale >= 0) {
    k.loop(k.index(0), k.index(width), 1, [&](Value j) {
      Value v = k.load(transposed, {permutedColumn(stage, j), k.index(0)}, whole);
      if (unscaled)
        k.store(v, unscaled, {j, k.index(0)}, whole);
      if (stage.scale >= 0)
        v = k.mulf(v, k.broadcast(k.loadScalar(parameters[stage.scale], j), k.lanes()));
      k.store(v, permuted, {j, k.index(0)}, whole);
    });
    std::swap(transposed, permuted);
  }
  if (stage.hadamard)
    emitHadamard(transposed, width);
}

void TileEmitter::emitTransform(const Step &step, RowRange rows) {
  int64_t lanes = k.lanes(), width = bochner::widthOf(step.operand);
  Columns whole{lanes, lanes};
  k.loop(k.index(0), rows.count, lanes, [&](Value group) {
    loadOperand(step, rows, group);
    for (const Stage &stage : step.stages)
      emitStage(stage, width, /*unscaled=*/Value());
    k.columnBlocks(width, lanes, [&](Value c, Columns columns) {
      k.transpose(transposed, c, square, k.index(0));
      k.loop(k.index(0), k.index(lanes), 1, [&](Value r) {
        k.store(k.load(square, {r, k.index(0)}, whole), tiles[step.result], {k.add(group, r), c}, whole);
      });
    });
  });
}

/// transposed <- the adjoint of a stage at it: d scale += the sum over rows of it times `unscaled`.
void TileEmitter::emitStageAdjoint(const Stage &stage, int64_t width, Value unscaled, Value scaleSums) {
  Columns whole{k.lanes(), k.lanes()};
  if (stage.hadamard) // is symmetric
    emitHadamard(transposed, width);
  if (stage.permutation < 0 && stage.scale < 0)
    return;
  // Columns that are read more than once add up, whatever the parameter holds.
  if (stage.permutation >= 0)
    clearRows(k, permuted, k.index(0), k.index(width));
  k.loop(k.index(0), k.index(width), 1, [&](Value j) {
    Value v = k.load(transposed, {j, k.index(0)}, whole);
    if (unscaled) {
      Value sum = k.sumLanes(k.mulf(v, k.load(unscaled, {j, k.index(0)}, whole)));
      k.storeScalar(k.addf(k.loadScalar(scaleSums, j), sum), scaleSums, j);
    }
    if (stage.scale >= 0)
      v = k.mulf(v, k.broadcast(k.loadScalar(parameters[stage.scale], j), k.lanes()));
    SmallVector<Value> to{permutedColumn(stage, j), k.index(0)};
    if (stage.permutation >= 0)
      v = k.addf(k.load(permuted, to, whole), v);
    k.store(v, permuted, to, whole);
  });
  std::swap(transposed, permuted);
}

void TileEmitter::emitTransformAdjoint(const Step &step, RowRange rows, Value cotangents,
                                       function_ref<Value(unsigned)> scaleSums) {
  int64_t lanes = k.lanes(), width = bochner::widthOf(step.operand);
  Columns whole{lanes, lanes};
  SmallVector<Value> sums, unscaled;
  for (const Stage &stage : step.stages) {
    sums.push_back(stage.scale >= 0 ? scaleSums(stage.scale) : Value());
    unscaled.push_back(sums.back() ? task.scratch({width, lanes}, k.element) : Value());
  }
  k.loop(k.index(0), rows.count, lanes, [&](Value group) {
    // What scales multiply is computed again, up to the last scale that counts.
    size_t again = step.stages.size();
    while (again && !unscaled[again - 1])
      --again;
    if (again)
      loadOperand(step, rows, group);
    for (size_t i = 0; i < again; ++i) {
      Stage stage = step.stages[i];
      stage.hadamard &= i + 1 < again;
      emitStage(stage, width, unscaled[i]);
    }
    // Rows past the end must not count.
    k.columnBlocks(width, lanes, [&](Value c, Columns columns) {
      k.loop(k.index(0), k.index(lanes), 1, [&](Value r) {
        Value row = k.add(group, r), v = k.load(cotangents, {row, c}, whole);
        k.store(k.select(k.less(row, rows.count), v, k.splat(0, lanes)), square, {r, k.index(0)}, whole);
      });
      k.transpose(square, k.index(0), transposed, c);
    });
    for (size_t i = step.stages.size(); i-- > 0;)
      emitStageAdjoint(step.stages[i], width, unscaled[i], sums[i]);
    k.columnBlocks(width, lanes, [&](Value c, Columns columns) {
      k.transpose(transposed, c, square, k.index(0));
      k.loop(k.index(0), k.index(lanes), 1, [&](Value r) {
        k.store(k.load(square, {r, k.index(0)}, whole), cotangents, {k.add(group, r), c}, whole);
      });
    });
  });
}
