//===- FeatureTile.cpp - features of a tile of rows -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/FeatureTile.h"
#include "lib/Conversion/CpuMath.h"
#include "lib/Conversion/Gpu/Staging.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

/// How elements of a tile are stored: as operands if a product reads them.
static Precision storageOf(const FeaturePlan &plan, unsigned tile) {
  return tile == 0 || plan.isMultiplied(tile) ? plan.precision : Precision::tf32;
}

int64_t FeatureTile::bytes(const FeaturePlan &plan, int64_t rows) {
  int64_t bytes = plan.program.rows * rows * 4;
  for (auto [i, tile] : llvm::enumerate(plan.program.tiles))
    bytes += rows * rowBytesOf(storageOf(plan, i), toBlocks(tile.width), Order::ByRow, false);
  return bytes;
}

FeatureTile::FeatureTile(DeviceKernel &kernel, Fragments &fragments, const FeaturePlan &plan, int64_t rows)
    : kernel(kernel), t(kernel.t), fragments(fragments), plan(plan), count(rows), heads(plan.parameters.size()) {
  MLIRContext *context = t.b.getContext();
  for (auto [i, tile] : llvm::enumerate(plan.program.tiles)) {
    Precision stored = storageOf(plan, i);
    int64_t bytes = rowBytesOf(stored, toBlocks(tile.width), Order::ByRow, false);
    tiles.push_back({{kernel.allocateShared(rows * bytes), bytes}, elementOf(stored, context)});
  }
  for (unsigned i = 0; i < plan.program.rows; ++i)
    rowScalars.push_back(kernel.allocateShared(rows * 4));
}

void FeatureTile::setHead(llvm::function_ref<Value(Value)> headOf) {
  for (auto [head, parameter] : llvm::zip(heads, plan.parameters))
    head = headOf(parameter);
}

void FeatureTile::clearPadding() {
  for (auto [i, tile] : llvm::enumerate(plan.program.tiles))
    if (i == 0 || plan.isMultiplied(i))
      simt::clearPadding(kernel, tiles[i].matrix, count, tile.width, plan.precision);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value FeatureTile::load(unsigned tile, Value row, Value column) {
  const SharedTile &from = tiles[tile];
  int64_t bytes = from.element.getIntOrFloatBitWidth() / 8;
  return t.loadNumber(from.element,
                      t.offset(from.matrix.address, t.add(t.mul(row, from.matrix.rowBytes), t.mul(column, bytes))));
}

void FeatureTile::store(unsigned tile, Value row, Value column, Value x) {
  const SharedTile &to = tiles[tile];
  int64_t bytes = to.element.getIntOrFloatBitWidth() / 8;
  t.storeNumber(x, to.element,
                t.offset(to.matrix.address, t.add(t.mul(row, to.matrix.rowBytes), t.mul(column, bytes))));
}

Value FeatureTile::loadColumn(unsigned parameter, Value column) {
  GlobalTensor tensor = kernel.tensor(plan.parameters[parameter]);
  Value address = kernel.address(tensor, {heads[parameter], column});
  return isa<FloatType>(tensor.element) ? t.loadNumber(tensor.element, address)
                                        : t.toI32(t.load(tensor.element, address, tensor.elementBytes()));
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

Value FeatureTile::evaluate(const Expr *e, Scope &scope) {
  if (Value v = scope.products.lookup(e))
    return v;
  // What depends on the row alone is the same for all columns, and so on.
  bool onPlace = (e->byRow && e->byColumn) || readsProduct(e);
  int64_t key = onPlace ? -1 : e->byRow ? scope.rowKey : e->byColumn ? 1024 + scope.columnKey : 4096;
  Value &known = onPlace ? scope.products[e] : scope.known[{e, key}];
  if (!known) {
    Value v = compute(e, scope);
    (onPlace ? scope.products[e] : scope.known[{e, key}]) = v; // the map may have grown
    return v;
  }
  return known;
}

std::pair<Value, Value> FeatureTile::cosSin(Value quarterTurns) {
  if (plan.precision == Precision::tf32x3)
    return CpuMath(t.b, t.loc).cosSinQuarter(quarterTurns);
  // Within half a turn of zero, where sin.approx and cos.approx err by 2^-20.
  CpuMath math(t.b, t.loc);
  Value turns = t.mulf(quarterTurns, t.f32(0.25));
  Value angle = t.mulf(t.subf(turns, math.round(turns)), t.f32(6.283185307179586));
  return {t.cos(angle), t.sin(angle)};
}

Value FeatureTile::compute(const Expr *e, Scope &scope) {
  OpBuilder &b = t.b;
  Location loc = t.loc;
  auto operand = [&](unsigned i) { return evaluate(e->operands[i], scope); };
  switch (e->kind) {
  case ExprKind::Constant:
    return t.f32(e->value);
  case ExprKind::Tile:
    return load(e->id, scope.row, t.add(scope.column, e->offset));
  case ExprKind::Column:
    return loadColumn(e->id, t.add(scope.column, e->offset));
  case ExprKind::Row:
    return t.loadNumber(b.getF32Type(), t.offset(rowScalars[e->id], t.mul(scope.row, 4)));
  case ExprKind::Affine: {
    Value sum = e->value ? t.f32(e->value) : Value();
    for (auto [c, x] : llvm::zip(e->coefficients, e->operands)) {
      Value v = evaluate(x, scope);
      sum = !sum ? (c == 1 ? v : t.mulf(v, t.f32(c))) : c == 1 ? t.addf(sum, v) : t.fma(v, t.f32(c), sum);
    }
    return sum ? sum : t.f32(0);
  }
  case ExprKind::Exp2:
    return t.exp2(operand(0));
  case ExprKind::CosQ:
  case ExprKind::SinQ: {
    auto [cosine, sine] = cosSin(operand(0));
    return e->kind == ExprKind::CosQ ? cosine : sine;
  }
  case ExprKind::Log:
    return CpuMath(b, loc).log(operand(0));
  case ExprKind::Log1p:
    return CpuMath(b, loc).log1p(operand(0));
  case ExprKind::Mul:
    return t.mulf(operand(0), operand(1));
  case ExprKind::Div:
    return t.divf(operand(0), operand(1));
  case ExprKind::Max:
    return arith::MaximumFOp::create(b, loc, operand(0), operand(1));
  case ExprKind::Min:
    return arith::MinimumFOp::create(b, loc, operand(0), operand(1));
  case ExprKind::Abs:
    return math::AbsFOp::create(b, loc, operand(0));
  case ExprKind::Sqrt:
    return math::SqrtOp::create(b, loc, operand(0));
  case ExprKind::Compare:
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate(e->id), operand(0), operand(1));
  case ExprKind::Select:
    return t.select(operand(0), operand(1), operand(2));
  case ExprKind::Cotangent:
    return scope.cotangents[e->id];
  case ExprKind::RowCotangent:
    return t.loadNumber(b.getF32Type(), t.offset(scope.rowCotangents[e->id], t.mul(scope.row, 4)));
  case ExprKind::Product:
    break;
  }
  llvm_unreachable("accumulators hold products before expressions are evaluated");
}

Value FeatureTile::columnExists(const FusedGroup &group, Orientation orientation, Value column, int64_t n, int64_t i) {
  if (group.width % kBlock == 0)
    return {};
  Value at = orientation == Orientation::Rows ? t.add(fragments.columnOf(i), 8 * n) : fragments.rowOf(i);
  return t.less(t.add(column, at), group.width);
}

void FeatureTile::forElements(const FusedGroup &group, Orientation orientation, Value row, Value column,
                              llvm::function_ref<void(Scope &, int64_t, int64_t)> visit) {
  bool byRow = orientation == Orientation::Rows;
  Scope scope;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t i = 0; i < 4; ++i) {
      Value inRow = fragments.rowOf(i), inColumn = t.add(fragments.columnOf(i), 8 * n);
      scope.row = t.add(row, byRow ? inRow : inColumn);
      scope.column = t.add(column, byRow ? inColumn : inRow);
      if (group.width % kBlock) // columns of the padding repeat the last one
        scope.column = t.min(scope.column, t.i32(group.width - 1));
      scope.rowKey = byRow ? i / 2 : 2 * n + i % 2;
      scope.columnKey = byRow ? 2 * n + i % 2 : i / 2;
      scope.products.clear();
      visit(scope, n, i);
    }
}

/// What the accumulators of a group's products hold.
SmallVector<FeatureTile::Block> FeatureTile::multiply(const FusedGroup &group, Orientation orientation, Value row,
                                                      Value column, ArrayRef<Weights> weights) {
  SmallVector<Block> products;
  for (auto [p, fused] : llvm::enumerate(group.products)) {
    Block block;
    const Expr *init = fused.init;
    forElements(group, orientation, row, column,
                [&](Scope &scope, int64_t n, int64_t i) { block[n][i] = evaluate(init, scope); });
    const SharedMatrix &tile = tiles[plan.program.products[fused.product].tile].matrix;
    const Weights &w = weights[p];
    products.push_back(fragments.overDepth(toBlocks(plan.depth(group, p)), block, [&](Value depth, Block sums) {
      if (orientation == Orientation::Rows) {
        Fragments::Operand rows = fragments.left(tile, row, depth, Order::ByRow);
        auto columns = fragments.right(w.matrix, w.column, depth, Order::ByDepth, false, w.shared);
        for (int64_t n = 0; n < 2; ++n)
          sums[n] = fragments.multiply(rows, columns[n], sums[n]);
      } else {
        Fragments::Operand columns = fragments.left(w.matrix, w.column, depth, Order::ByDepth);
        auto rows = fragments.right(tile, row, depth, Order::ByRow, false);
        for (int64_t n = 0; n < 2; ++n)
          sums[n] = fragments.multiply(columns, rows[n], sums[n]);
      }
      return sums;
    }));
  }
  return products;
}

SmallVector<FeatureTile::Block> FeatureTile::evaluate(const FusedGroup &group, Orientation orientation, Value row,
                                                      Value column, ArrayRef<Weights> weights) {
  SmallVector<Block> products = multiply(group, orientation, row, column, weights), outputs(group.outputs.size());
  forElements(group, orientation, row, column, [&](Scope &scope, int64_t n, int64_t i) {
    for (auto [p, fused] : llvm::enumerate(group.products))
      scope.products[fused.value] = products[p][n][i];
    for (auto [o, output] : llvm::enumerate(group.outputs))
      outputs[o][n][i] = evaluate(output.value, scope);
  });
  return outputs;
}

FeatureTile::Adjoint FeatureTile::differentiate(const FusedGroup &group, const GroupAdjoint &adjoint,
                                                Orientation orientation, Value row, Value column,
                                                ArrayRef<Weights> weights, const AdjointCalls &calls) {
  SmallVector<Block> products = multiply(group, orientation, row, column, weights);
  Adjoint result{SmallVector<Block>(group.outputs.size()), SmallVector<Block>(group.products.size())};
  forElements(group, orientation, row, column, [&](Scope &scope, int64_t n, int64_t i) {
    for (auto [p, fused] : llvm::enumerate(group.products))
      scope.products[fused.value] = products[p][n][i];
    scope.cotangents.clear();
    for (auto [o, output] : llvm::enumerate(group.outputs)) {
      result.outputs[o][n][i] = evaluate(output.value, scope);
      scope.cotangents.push_back(calls.cotangent(o, n, i, result.outputs[o][n][i]));
    }
    for (auto [p, cotangent] : llvm::enumerate(adjoint.products))
      result.products[p][n][i] = cotangent ? evaluate(cotangent, scope) : t.f32(0);
    for (const ArrayTerm &term : adjoint.rows)
      calls.addToRow(term.id, i, evaluate(term.value, scope));
    for (auto [number, term] : llvm::enumerate(adjoint.tiles))
      calls.addToTile(number, columnExists(group, orientation, column, n, i), scope.row,
                      t.add(scope.column, term.offset), evaluate(term.value, scope));
  });
  return result;
}

Value FeatureTile::evaluateTerms(ArrayRef<ArrayTerm> terms, Value row, Value column, ArrayRef<Value> rowCotangents) {
  Scope scope;
  scope.row = row;
  scope.column = column;
  scope.rowCotangents = rowCotangents;
  Value sum;
  for (const ArrayTerm &term : terms) {
    Value x = evaluate(term.value, scope);
    sum = sum ? t.addf(sum, x) : x;
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// Calls consume(row, column, value, output, group) for each element of 16 rows that exists.
void FeatureTile::emitGroups(const SmallVector<FusedGroup> &groups, Value row,
                             llvm::function_ref<void(Value, Value, Value, int64_t, int64_t)> consume) {
  for (size_t g = 0; g < groups.size(); ++g)
    t.loop(t.i32(0), t.i32(toBlocks(groups[g].width)), kBlock, [&](Value column) {
      SmallVector<Block> outputs =
          evaluate(groups[g], Orientation::Rows, row, column, globalWeights(groups[g], column));
      for (auto [o, block] : llvm::enumerate(outputs))
        for (int64_t n = 0; n < 2; ++n)
          for (int64_t i = 0; i < 4; ++i)
            consume(t.add(row, fragments.rowOf(i)), t.add(column, t.add(fragments.columnOf(i), 8 * n)), block[n][i], o,
                    g);
    });
}

void FeatureTile::emitMaterialize(const Step &step, unsigned position, Value row) {
  const SmallVector<FusedGroup> &groups = plan.stepGroups.at(position);
  emitGroups(groups, row, [&](Value r, Value column, Value x, int64_t o, int64_t g) {
    const FusedGroup &group = groups[g];
    auto write = [&] {
      Value to = t.add(column, group.outputs[o].column);
      if (group.period)
        to = t.add(to, t.mul(t.div(column, group.period), group.stride - group.period));
      store(step.result, r, to, x);
    };
    if (group.width % kBlock)
      t.when(t.less(column, group.width), write);
    else
      write();
  });
}

void FeatureTile::emitReduce(const Step &step, unsigned position, Value row) {
  // Sums of each lane's columns, then over the four lanes of a row.
  double start = step.reduction == ReductionKind::Add   ? 0
                 : step.reduction == ReductionKind::Max ? -std::numeric_limits<double>::infinity()
                                                        : std::numeric_limits<double>::infinity();
  auto combine = [&](Value x, Value y) -> Value {
    switch (step.reduction) {
    case ReductionKind::Add:
      return t.addf(x, y);
    case ReductionKind::Max:
      return arith::MaximumFOp::create(t.b, t.loc, x, y);
    case ReductionKind::Min:
      return arith::MinimumFOp::create(t.b, t.loc, x, y);
    }
    llvm_unreachable("every kind of reduction is covered");
  };
  SmallVector<Value> sums(2, t.f32(start));
  for (const FusedGroup &group : plan.stepGroups.at(position)) {
    sums = t.loop(t.i32(0), t.i32(toBlocks(group.width)), kBlock, sums, [&](Value column, ValueRange carried) {
      SmallVector<Value> next(carried);
      SmallVector<Block> outputs = evaluate(group, Orientation::Rows, row, column, globalWeights(group, column));
      for (const Block &block : outputs)
        for (int64_t n = 0; n < 2; ++n)
          for (int64_t i = 0; i < 4; ++i) {
            Value x = block[n][i];
            if (Value exists = columnExists(group, Orientation::Rows, column, n, i))
              x = t.select(exists, x, t.f32(start));
            next[i / 2] = combine(next[i / 2], x);
          }
      return next;
    });
  }
  for (int64_t half = 0; half < 2; ++half) {
    for (int64_t distance : {1, 2})
      sums[half] = combine(sums[half], t.shuffleXor(sums[half], distance));
    t.when(t.equal(fragments.quad, 0), [&] {
      Value r = t.add(row, t.add(fragments.group, 8 * half));
      t.store(sums[half], t.offset(rowScalars[step.result], t.mul(r, 4)), 4);
    });
  }
}

/// One row at a time, its columns spread over the lanes: columns lane, lane + 32, ...
void FeatureTile::emitTransform(const Step &step, Value row) {
  int64_t width = plan.program.tiles[step.result].width;
  Value lane = t.lane();
  t.loop(row, t.add(row, kBlock), 1, [&](Value r) {
    int64_t each = (width + kWarpSize - 1) / kWarpSize;
    // Lanes behind the last column repeat it, and store nothing.
    auto column = [&](int64_t i) {
      Value c = t.add(lane, i * kWarpSize);
      return (i + 1) * kWarpSize > width ? t.min(c, t.i32(width - 1)) : c;
    };
    auto write = [&](ArrayRef<Value> values) {
      for (int64_t i = 0; i < each; ++i) {
        if ((i + 1) * kWarpSize <= width)
          store(step.result, r, column(i), values[i]);
        else
          t.when(t.less(t.add(lane, i * kWarpSize), width), [&] { store(step.result, r, column(i), values[i]); });
      }
    };
    SmallVector<Value> values;
    for (int64_t i = 0; i < each; ++i)
      values.push_back(load(step.result, r, column(i)));
    for (const Stage &stage : step.stages) {
      if (stage.permutation >= 0) { // columns of other lanes
        write(values);
        t.warpBarrier();
        for (int64_t i = 0; i < each; ++i)
          values[i] = load(step.result, r, loadColumn(stage.permutation, column(i)));
        t.warpBarrier();
      }
      if (stage.scale >= 0)
        for (int64_t i = 0; i < each; ++i)
          values[i] = t.mulf(values[i], loadColumn(stage.scale, column(i)));
      if (!stage.hadamard)
        continue;
      for (int64_t distance = 1; distance < std::min(width, kWarpSize); distance *= 2) {
        Value upper = t.equal(t.bitAnd(lane, distance), distance);
        for (Value &v : values) {
          Value other = t.shuffleXor(v, distance);
          v = t.addf(other, t.select(upper, t.subf(t.f32(0), v), v));
        }
      }
      for (int64_t distance = kWarpSize; distance < width; distance *= 2)
        for (int64_t i = 0; i < each; ++i)
          if (int64_t step = distance / kWarpSize; !(i & step)) {
            Value low = values[i], high = values[i + step];
            values[i] = t.addf(low, high);
            values[i + step] = t.subf(low, high);
          }
    }
    write(values);
  });
}

SmallVector<FeatureTile::Weights> FeatureTile::globalWeights(const FusedGroup &group, Value column) {
  SmallVector<Weights> weights;
  for (unsigned p = 0; p < group.products.size(); ++p) {
    Value packed = plan.packed(group, p);
    int64_t width = cast<MemRefType>(packed.getType()).getDimSize(2);
    Value address = kernel.address(kernel.tensor(packed), {head(group, p)});
    weights.push_back({{address, width * bytesOf(plan.precision)}, column, false});
  }
  return weights;
}

void FeatureTile::emitSteps() {
  if (plan.program.steps.empty())
    return;
  t.loop(t.mul(t.warp(), kBlock), t.i32(count), t.i32(kernel.threads / kWarpSize * kBlock), [&](Value row) {
    for (auto [position, step] : llvm::enumerate(plan.program.steps)) {
      if (step.kind == Step::Reduce) {
        emitReduce(step, position, row);
      } else {
        emitMaterialize(step, position, row);
        t.warpBarrier();
        if (step.kind == Step::Transform)
          emitTransform(step, row);
      }
      t.warpBarrier();
    }
  });
}
