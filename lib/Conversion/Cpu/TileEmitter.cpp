//===- TileEmitter.cpp - feature programs as vector code ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/TileEmitter.h"
#include "lib/Conversion/Cpu/DotProducts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

TileEmitter::TileEmitter(KernelBuilder &k, TaskBuilder &task, const ProgramPlan &plan, int64_t chunkRows)
    : k(k), task(task), plan(plan) {
  const FeatureProgram &p = plan.program;
  tiles.push_back(Value());
  for (const Tile &tile : ArrayRef(p.tiles).drop_front()) // rows not a power of two apart
    tiles.push_back(task.scratch({chunkRows, k.padded(tile.width) + k.lanes()}, k.element));
  for (unsigned row = 0; row < p.rows; ++row)
    rowScalars.push_back(task.scratch({chunkRows}, k.element));
  int64_t widest = 0;
  for (const Step &step : p.steps)
    if (step.kind == Step::Transform)
      widest = std::max(widest, k.padded(bochner::widthOf(step.operand)) + k.lanes()); // whole squares at any column
  if (widest) {
    transposed = task.scratch({widest, k.lanes()}, k.element);
    permuted = task.scratch({widest, k.lanes()}, k.element);
    square = task.scratch({k.lanes(), k.lanes()}, k.element);
  }
}

void TileEmitter::setHead(Value head, Value queryHead, int64_t queryHeads) {
  auto sliceOf = [&](Value outer) {
    Value parameter = task.captured(outer);
    bool ofQueries = queryHeads && cast<MemRefType>(parameter.getType()).getDimSize(0) == queryHeads;
    return headSlice(k, parameter, ofQueries ? queryHead : head);
  };
  parameters.clear();
  columnVectors.clear();
  for (auto [parameter, column] : llvm::zip(plan.parameters, plan.packedColumns)) {
    parameters.push_back(sliceOf(parameter));
    columnVectors.push_back(column ? sliceOf(column) : Value());
  }
  for (const auto &[key, packed] : plan.packedProducts)
    products[key] = sliceOf(packed);
}

Value TileEmitter::evaluate(const Expr *e, Place &at) {
  auto &memo = !e->byRow && at.shared ? *at.shared : at.memo;
  if (Value v = memo.lookup(e))
    return v;
  Value v = compute(e, at);
  return memo[e] = v;
}

/// Row scalars first: they are added before anything is broadcast.
Value TileEmitter::affine(const Expr *e, Place &at) {
  Value sum;
  CpuMath math = k.math();
  if (e->value)
    sum = k.number(e->value);
  for (bool wide : {false, true})
    for (auto [c, operand] : llvm::zip(e->coefficients, e->operands)) {
      if (operand->byColumn != wide)
        continue;
      Value x = evaluate(operand, at);
      int64_t width = isa<VectorType>(x.getType()) ? at.columns.padded : 0;
      if (!sum) {
        sum = c == 1 ? x : k.mulf(x, math.constant(c, x));
        continue;
      }
      sum = k.broadcast(sum, width);
      sum = c == 1 ? k.addf(sum, x) : c == -1 ? k.subf(sum, x) : math.fma(x, math.constant(c, x), sum);
    }
  return sum;
}

Value TileEmitter::compute(const Expr *e, Place &at) {
  CpuMath math = k.math();
  auto column = [&] { return k.add(at.column, e->offset); };
  auto operand = [&](unsigned i) { return evaluate(e->operands[i], at); };
  switch (e->kind) {
  case ExprKind::Constant:
    return k.number(e->value);
  case ExprKind::Tile: {
    if (e->id == 0)
      return k.load(tiles[0], {at.row, column()}, at.columns);
    return k.load(tiles[e->id], {at.local, column()}, {at.columns.padded, at.columns.padded});
  }
  case ExprKind::Column:
    return k.load(columnVectors[e->id], {column()}, {at.columns.padded, at.columns.padded});
  case ExprKind::Row:
    return k.loadScalar(rowScalars[e->id], at.local);
  case ExprKind::Cotangent:
    return at.cotangents[e->id];
  case ExprKind::RowCotangent:
    return k.loadScalar(rowCotangents[e->id], at.local);
  case ExprKind::Product:
    llvm_unreachable("register tiles accumulate products before they evaluate expressions");
  case ExprKind::Affine:
    return affine(e, at);
  case ExprKind::Exp2:
    return math.exp2(operand(0));
  case ExprKind::CosQ:
  case ExprKind::SinQ: {
    const Expr *angle = e->operands[0];
    if (!at.cosines.count(angle)) {
      auto [cosine, sine] = math.cosSinQuarter(operand(0));
      at.cosines[angle] = cosine;
      at.sines[angle] = sine;
    }
    return (e->kind == ExprKind::CosQ ? at.cosines : at.sines)[angle];
  }
  case ExprKind::Log:
    return math.log(operand(0));
  case ExprKind::Log1p:
    return math.log1p(operand(0));
  default:
    break;
  }
  SmallVector<Value> in;
  bool wide = false;
  for (unsigned i = 0; i < e->operands.size(); ++i) {
    in.push_back(operand(i));
    wide |= isa<VectorType>(in.back().getType());
  }
  for (Value &v : in)
    v = k.broadcast(v, wide ? at.columns.padded : 0);
  OpBuilder &b = k.b;
  Location loc = k.loc;
  switch (e->kind) {
  case ExprKind::Mul:
    return k.mulf(in[0], in[1]);
  case ExprKind::Div:
    return k.divf(in[0], in[1]);
  case ExprKind::Max:
    return arith::MaximumFOp::create(b, loc, in[0], in[1]);
  case ExprKind::Min:
    return arith::MinimumFOp::create(b, loc, in[0], in[1]);
  case ExprKind::Abs:
    return math::AbsFOp::create(b, loc, in[0]);
  case ExprKind::Sqrt:
    return math::SqrtOp::create(b, loc, in[0]);
  case ExprKind::Compare:
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate(e->id), in[0], in[1]);
  case ExprKind::Select:
    return arith::SelectOp::create(b, loc, in[0], in[1], in[2]);
  default:
    llvm_unreachable("every kind of expression is covered");
  }
}

Value TileEmitter::clampRow(RowRange rows, Value local, int64_t r) {
  return r == 0 ? local : k.min(k.add(local, r), k.sub(rows.count, k.index(1)));
}

/// init[r] + row r of a tile times a block of columns of a parameter.
SmallVector<Value> TileEmitter::multiply(const FusedGroup &group, unsigned position, ArrayRef<Place> places,
                                         ArrayRef<Value> init, Value column, Columns columns, bool exact) {
  const FusedProduct &fused = group.products[position];
  const Product &product = plan.program.products[fused.product];
  // Packed parameters are in blocks of the register columns, which no block of columns crosses.
  Value size = k.index(k.schedule.getRegisterColumns()), block = k.div(column, size), first = k.rem(column, size);
  auto packed = products.find({&group, position});
  Value weights = packed == products.end() ? Value() : packed->second;
  auto scalar = [&](Value kk, int64_t r) {
    return k.loadScalar(tiles[product.tile], {product.tile == 0 ? places[r].row : places[r].local, kk});
  };
  if (!plan.isPacked(fused)) {
    SmallVector<Value> zeros(init.size(), k.splat(0, columns.padded));
    SmallVector<Value> sums =
        k.product(fused.scale == 1 ? init : ArrayRef<Value>(zeros), k.index(product.depth), scalar, [&](Value kk) {
          return k.load(parameters[product.parameter], {kk, k.add(column, fused.column)}, columns);
        });
    if (fused.scale != 1)
      for (auto [sum, start] : llvm::zip(sums, init))
        sum = k.fma(sum, k.splat(fused.scale, columns.padded), start);
    return sums;
  }
  if (!plan.usesDots(fused))
    return k.product(init, k.index(product.depth), scalar,
                     [&](Value kk) { return k.load(weights, {block, kk, first}, {columns.padded, columns.padded}); });
  auto add = [&](ArrayRef<Value> sums, int64_t part) {
    return dotProduct(
        k, sums, k.index(product.depth / 2),
        [&](Value kk, int64_t r) { return loadPair(k, tiles[0], {places[r].row, k.mul(kk, k.index(2))}); },
        [&](Value kk, int64_t c) { return loadPairs(k, weights, {block, k.index(part), kk, k.add(first, c)}); });
  };
  SmallVector<Value> sums = add(init, 0);
  if (exact)
    return add(sums, 1);
  // Rounding parameters to bf16 errs like rounding the rows has: by 2^-9 of the terms. An exponent or an angle needs
  // what was lost if these are large: 32 in exponents, 16 quarters of a turn, where the error reaches about 1%.
  SmallVector<Value> terms;
  for (auto [sum, start] : llvm::zip(sums, init))
    terms.push_back(k.subf(sum, start));
  return k.choose(reaches(k, terms, plan.program.logDomain ? 32 : 16), sums, [&] { return add(sums, 1); });
}

TileEmitter::RegisterTile TileEmitter::openTile(const FusedGroup &group, RowRange rows, Value local, Value column,
                                                Columns columns, bool exact) {
  RegisterTile tile;
  tile.shared = std::make_unique<llvm::DenseMap<const Expr *, Value>>();
  for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r) {
    Value at = clampRow(rows, local, r);
    tile.places.push_back({k.add(rows.base, at), at, column, columns});
    tile.places.back().shared = tile.shared.get();
  }
  for (auto [i, f] : llvm::enumerate(group.products)) {
    std::optional<int64_t> keptAt = keptColumn(group, i);
    auto keptPlace = [&](const Place &place) {
      Value row = keptBackward ? k.sub(keptFirst, place.local) : k.add(keptFirst, place.local);
      return SmallVector<Value>{row, k.add(column, *keptAt)};
    };
    Columns whole{columns.padded, columns.padded};
    if (keptAt && loadsKept) {
      for (Place &place : tile.places)
        place.memo[f.value] = k.load(kept, keptPlace(place), whole);
      continue;
    }
    SmallVector<Value> init;
    for (Place &place : tile.places)
      init.push_back(k.broadcast(evaluate(f.init, place), columns.padded));
    for (auto [place, sum] : llvm::zip(tile.places, multiply(group, i, tile.places, init, column, columns, exact))) {
      place.memo[f.value] = sum;
      if (keptAt)
        k.store(sum, kept, keptPlace(place), whole);
    }
  }
  // Features that do not exist may come out as anything, such as 1 / 0; as 0 they add nothing to sums over features.
  double absent = plan.program.logDomain ? k.logRange().unset : 0;
  for (const FusedOutput &output : group.outputs) {
    tile.outputs.emplace_back();
    for (Place &place : tile.places) {
      Value v = k.broadcast(evaluate(output.value, place), columns.padded);
      tile.outputs.back().push_back(k.maskTail(v, columns, absent));
    }
  }
  return tile;
}

SmallVector<SmallVector<Value>> TileEmitter::registerTile(const FusedGroup &group, RowRange rows, Value local,
                                                          Value column, Columns columns, bool exact) {
  return std::move(openTile(group, rows, local, column, columns, exact).outputs);
}

int64_t TileEmitter::keptWidth(const KernelBuilder &k, const ProgramPlan &plan) {
  int64_t width = 0;
  for (const FusedGroup &group : plan.groups)
    width += int64_t(group.products.size()) * k.padded(group.width);
  return width;
}

/// The first column of a product's; none of groups that belong to steps.
std::optional<int64_t> TileEmitter::keptColumn(const FusedGroup &group, unsigned position) const {
  int64_t column = 0;
  if (kept)
    for (const FusedGroup &other : plan.groups) {
      if (&other == &group)
        return column + position * k.padded(group.width);
      column += int64_t(other.products.size()) * k.padded(other.width);
    }
  return std::nullopt;
}

void TileEmitter::keepProducts(Value buffer, bool loads) {
  kept = buffer;
  loadsKept = loads;
}

void TileEmitter::setKeptRows(Value first, bool backward) {
  keptFirst = first;
  keptBackward = backward;
}

Value TileEmitter::evaluateAdjoint(const Expr *e, Place &at) {
  return k.maskTail(k.broadcast(evaluate(e, at), at.columns.padded), at.columns, 0);
}

Value TileEmitter::evaluateAt(const Expr *e, RowRange rows, Value local, Value column, Columns columns) {
  Place at{k.add(rows.base, local), local, column, columns};
  return evaluateAdjoint(e, at);
}

Value TileEmitter::constantNorm() {
  double known = 0;
  Value sum = k.splat(0, k.lanes());
  bool varies = false;
  for (const Segment &s : plan.constants) {
    if (s.value->kind == ExprKind::Constant) {
      known += s.width * s.value->value * s.value->value;
      continue;
    }
    varies = true;
    for (int64_t c = 0; c < s.width; c += k.lanes()) {
      Columns columns = k.columns(std::min(k.lanes(), s.width - c));
      Place at{k.index(0), k.index(0), k.index(c), columns};
      Value v = k.maskTail(k.broadcast(evaluate(s.value, at), columns.padded), columns, 0);
      sum = k.fma(v, v, sum);
    }
  }
  return varies ? k.addf(k.sumLanes(sum), k.number(known)) : k.number(known);
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

void TileEmitter::emitSteps(RowRange rows) {
  for (auto [position, step] : llvm::enumerate(plan.program.steps)) {
    switch (step.kind) {
    case Step::Materialize:
      emitMaterialize(position, step, rows);
      break;
    case Step::Reduce:
      emitReduce(step, rows);
      break;
    case Step::Transform:
      emitTransform(step, rows);
      break;
    }
  }
}

void TileEmitter::emitMaterialize(unsigned position, const Step &step, RowRange rows) {
  for (const FusedGroup &group : plan.stepGroups.at(position))
    k.registerBlocks(group.width, [&](Value c, Columns columns) {
      k.loop(k.index(0), rows.count, k.schedule.getRegisterRows(), [&](Value local) {
        auto values = registerTile(group, rows, local, c, columns, /*exact=*/true);
        for (size_t o = 0; o < values.size(); ++o)
          for (int64_t r = 0; r < k.schedule.getRegisterRows(); ++r)
            k.store(values[o][r], tiles[step.result], {k.add(local, r), outputColumn(k, group, o, c)}, columns);
      });
    });
}

void TileEmitter::emitReduce(const Step &step, RowRange rows) {
  double neutral = step.reduction == ReductionKind::Add
                       ? 0
                       : (step.reduction == ReductionKind::Max ? -1 : 1) * std::numeric_limits<double>::infinity();
  auto combine = [&](Value x, Value y) -> Value {
    switch (step.reduction) {
    case ReductionKind::Add:
      return k.addf(x, y);
    case ReductionKind::Max:
      return arith::MaximumFOp::create(k.b, k.loc, x, y);
    case ReductionKind::Min:
      return arith::MinimumFOp::create(k.b, k.loc, x, y);
    }
    llvm_unreachable("every kind of reduction is covered");
  };
  auto lanesToScalar = [&](Value v) -> Value {
    if (step.reduction == ReductionKind::Add)
      return k.sumLanes(v);
    auto kind =
        step.reduction == ReductionKind::Max ? vector::CombiningKind::MAXIMUMF : vector::CombiningKind::MINIMUMF;
    return vector::ReductionOp::create(k.b, k.loc, kind, v);
  };
  int64_t block = k.schedule.getRegisterColumns();
  k.loop(k.index(0), rows.count, 1, [&](Value local) {
    Value row = k.add(rows.base, local), total;
    for (const Segment &s : step.operand) {
      int64_t full = s.width / block * block;
      SmallVector<Value> parts;
      if (full) {
        auto sum = k.loop(k.index(0), k.index(full), block, k.splat(neutral, block), [&](Value c, ValueRange carried) {
          Place at{row, local, c, {block, block}};
          Value v = k.broadcast(evaluate(s.value, at), block);
          return SmallVector<Value>{combine(carried[0], v)};
        });
        parts.push_back(lanesToScalar(sum[0]));
      }
      if (s.width > full) {
        Columns columns = k.columns(s.width - full);
        Place at{row, local, k.index(full), columns};
        Value v = k.broadcast(evaluate(s.value, at), columns.padded);
        parts.push_back(lanesToScalar(k.maskTail(v, columns, neutral)));
      }
      for (Value part : parts)
        total = total ? combine(total, part) : part;
    }
    k.storeScalar(total, rowScalars[step.result], local);
  });
}
