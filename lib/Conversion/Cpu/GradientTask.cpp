//===- GradientTask.cpp - gradients of a tile of rows ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/GradientTask.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

void bochner::cpu::transposeBuffer(KernelBuilder &k, TaskBuilder &task, Value source, int64_t rows, int64_t columns,
                                   Value target, double scale) {
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  Value square = task.scratch({lanes, lanes}, k.element), turned = task.scratch({lanes, lanes}, k.element);
  k.columnBlocks(columns, lanes, [&](Value c, Columns part) {
    k.columnBlocks(rows, lanes, [&](Value r, Columns height) {
      if (height.isTail())
        k.loop(k.index(height.valid), k.index(lanes), 1,
               [&](Value j) { k.store(k.splat(0, lanes), square, {j, k.index(0)}, whole); });
      k.loop(k.index(0), k.index(height.valid), 1, [&](Value j) {
        Value v = k.load(source, {k.add(r, j), c}, part);
        k.store(scale == 1 ? v : k.mulf(v, k.splat(scale, lanes)), square, {j, k.index(0)}, whole);
      });
      k.transpose(square, k.index(0), turned, k.index(0));
      k.loop(k.index(0), k.index(part.valid), 1,
             [&](Value j) { k.store(k.load(turned, {j, k.index(0)}, whole), target, {k.add(c, j), r}, whole); });
    });
  });
}

//===----------------------------------------------------------------------===//
// GradientPlan
//===----------------------------------------------------------------------===//

GradientPlan::GradientPlan(ProgramPlan &plan, const WantedGradients &wanted) : plan(plan), wanted(wanted) {
  addGroups(plan.groups);
  for (unsigned position = plan.program.steps.size(); position-- > 0;) {
    const Step &step = plan.program.steps[position];
    StepAdjoint adjoint{&step, {}, groups.size()};
    if (step.kind == Step::Reduce)
      adjoint.sum = differentiateReduction(plan.program, step);
    else
      addGroups(plan.stepGroups.at(position));
    adjoint.end = groups.size();
    steps.push_back(std::move(adjoint));
  }
}

void GradientPlan::addGroups(SmallVector<FusedGroup> &list) {
  for (FusedGroup &group : list) {
    adjoints.push_back(differentiateGroup(plan.program, group));
    for (size_t i = 0; i < group.products.size(); ++i)
      if (adjoints.back().products[i])
        products.push_back({groups.size(), i, Value(), Value()});
    groups.push_back(&group);
  }
}

const GradientPlan::ProductSum *GradientPlan::find(size_t group, size_t product) const {
  const auto *found =
      llvm::find_if(products, [&](const ProductSum &p) { return p.group == group && p.product == product; });
  return found == products.end() ? nullptr : found;
}

void GradientPlan::shareWeights(const GradientPlan &other) {
  for (auto [p, from] : llvm::zip_equal(products, other.products))
    p.transposed = from.transposed;
}

void GradientPlan::pack(KernelBuilder &host, func::FuncOp kernel, StringRef name) {
  for (auto [i, p] : llvm::enumerate(products)) {
    const FusedGroup &group = *groups[p.group];
    const FusedProduct &fused = fusedOf(p);
    const Product &product = productOf(p);
    Value parameter = plan.parameter(product.parameter), heads = host.dim(parameter, 0), center = centerOf(p);
    int64_t headCount = cast<MemRefType>(parameter.getType()).getDimSize(0);
    SmallVector<Value> dynamic;
    if (ShapedType::isDynamic(headCount))
      dynamic.push_back(heads);
    p.transposed = workspace(host, {headCount, group.width, host.padded(product.depth)}, dynamic, host.element);
    KernelBuilder k = host;
    SmallVector<Value> captured{parameter, p.transposed};
    if (center)
      captured.push_back(center);
    TaskBuilder task(k, kernel, (name + "_turn" + Twine(i)).str(), captured);
    Value from = slice(k, task.captured(parameter), task.taskIndex);
    Value to = slice(k, task.captured(p.transposed), task.taskIndex);
    // The columns that the group reads.
    auto part = [&](ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) -> Value {
      int64_t ones[] = {1, 1};
      return memref::SubViewOp::create(k.b, k.loc, from, offsets, sizes, ones);
    };
    if (product.transposed) {
      from = part({fused.column, 0}, {group.width, product.depth});
      k.loop(k.index(0), k.index(group.width), 1, [&](Value f) {
        k.columnBlocks(product.depth, k.lanes(), [&](Value d, Columns columns) {
          Value v = k.load(from, {f, d}, columns);
          k.store(k.mulf(v, k.splat(fused.scale, columns.padded)), to, {f, d}, {columns.padded, columns.padded});
        });
      });
    } else {
      from = part({0, fused.column}, {product.depth, group.width});
      transposeBuffer(k, task, from, product.depth, group.width, to, center ? 1 : fused.scale);
      if (center)
        subtractCenter(k, p, slice(k, task.captured(center), task.taskIndex), to);
    }
    task.finish(host, k, heads);
  }
}

/// The sign that the center has in a column of a product, counted in its group.
Value GradientPlan::signOf(KernelBuilder &k, const ProductSum &p, Value column) const {
  if (!wanted.alternate)
    return k.number(1);
  Value first = k.less(k.add(column, fusedOf(p).column), k.index(productOf(p).width / 2));
  return k.select(first, k.number(1), k.number(-1));
}

/// W^T -> its difference from the center, with its scale.
void GradientPlan::subtractCenter(KernelBuilder &k, const ProductSum &p, Value center, Value to) const {
  k.loop(k.index(0), k.index(plan.groups[p.group].width), 1, [&](Value f) {
    Value sign = signOf(k, p, f);
    k.columnBlocks(productOf(p).depth, k.lanes(), [&](Value d, Columns columns) {
      Columns whole{columns.padded, columns.padded};
      Value c = k.mulf(k.load(center, d, columns), k.broadcast(sign, columns.padded));
      Value v = k.subf(k.load(to, {f, d}, whole), c);
      k.store(k.mulf(v, k.splat(fusedOf(p).scale, columns.padded)), to, {f, d}, whole);
    });
  });
}

void GradientPlan::allocateSums(KernelBuilder &host, Value tasks) {
  const FeatureProgram &program = plan.program;
  constexpr int64_t any = ShapedType::kDynamic;
  for (ProductSum &p : products) {
    int64_t depth = productOf(p).depth;
    if (centerOf(p))
      p.sums = workspace(host, {any, 2, host.padded(depth)}, tasks, host.element);
    else if (wanted.of[productOf(p).parameter])
      p.sums = workspace(host, {any, depth, host.padded(groups[p.group]->width)}, tasks, host.element);
  }
  auto addVector = [&](unsigned id) {
    if (!wanted.of[id] || columnSums.count(id))
      return;
    int64_t width = cast<RankedTensorType>(program.parameters[id]).getDimSize(0);
    // Blocks of columns are added whole, wherever they start.
    columnSums[id] =
        workspace(host, {any, host.padded(width) + host.schedule.getRegisterColumns()}, tasks, host.element);
  };
  auto addColumns = [&](ArrayRef<ArrayTerm> terms) {
    for (const ArrayTerm &term : terms)
      addVector(term.id);
  };
  for (const GroupAdjoint &adjoint : adjoints)
    addColumns(adjoint.columns);
  for (const StepAdjoint &adjoint : steps) {
    for (const GroupAdjoint &segment : adjoint.sum.segments)
      addColumns(segment.columns);
    for (const Stage &stage : adjoint.step->stages)
      if (stage.scale >= 0)
        addVector(stage.scale);
  }
}

SmallVector<Value> GradientPlan::captures() const {
  SmallVector<Value> values;
  for (const ProductSum &p : products) {
    values.push_back(p.transposed);
    if (p.sums)
      values.push_back(p.sums);
  }
  for (unsigned i = 0; i < wanted.of.size(); ++i)
    for (Value v : {wanted.centers[i], columnSums.lookup(i)})
      if (v)
        values.push_back(v);
  return values;
}

void GradientPlan::clearSums(KernelBuilder &k, TaskBuilder &task, Value index) const {
  int64_t lanes = k.lanes();
  auto clear = [&](Value row, int64_t width) {
    k.loop(k.index(0), k.index(width), lanes, [&](Value c) { k.store(k.splat(0, lanes), row, c, {lanes, lanes}); });
  };
  for (const ProductSum &p : products)
    if (p.sums) {
      auto shape = cast<MemRefType>(p.sums.getType()).getShape();
      Value sums = slice(k, task.captured(p.sums), index);
      k.loop(k.index(0), k.index(shape[1]), 1, [&](Value d) { clear(slice(k, sums, d), shape[2]); });
    }
  for (auto [id, sums] : columnSums)
    clear(slice(k, task.captured(sums), index), cast<MemRefType>(sums.getType()).getDimSize(1));
}

void GradientPlan::addSums(KernelBuilder &k, TaskBuilder &task, unsigned parameter, unsigned moment, Value sumsOf,
                           Value gradient) const {
  auto add = [&](Value v, ValueRange at, Columns columns) {
    k.store(k.addf(k.load(gradient, at, columns), v), gradient, at, columns);
  };
  for (const ProductSum &p : products) {
    const FusedGroup &group = *groups[p.group];
    const FusedProduct &fused = fusedOf(p);
    const Product &product = productOf(p);
    if (product.parameter != parameter || !p.sums)
      continue;
    Value sums = slice(k, task.captured(p.sums), sumsOf);
    if (centerOf(p)) {
      k.columnBlocks(product.depth, k.lanes(), [&](Value d, Columns columns) {
        add(k.load(sums, {k.index(moment), d}, {columns.padded, columns.padded}), d, columns);
      });
      continue;
    }
    k.loop(k.index(0), k.index(product.depth), 1, [&](Value d) {
      if (product.transposed)
        return k.loop(k.index(0), k.index(group.width), 1, [&](Value c) {
          SmallVector<Value> at{k.add(c, fused.column), d};
          Value v = k.mulf(k.loadScalar(sums, {d, c}), k.number(fused.scale));
          k.storeScalar(k.addf(k.loadScalar(gradient, at), v), gradient, at);
        });
      k.columnBlocks(group.width, k.lanes(), [&](Value c, Columns columns) {
        Value v = k.load(sums, {d, c}, {columns.padded, columns.padded});
        add(k.mulf(v, k.splat(fused.scale, columns.padded)), {d, k.add(c, fused.column)}, columns);
      });
    });
  }
  if (Value columnSum = columnSums.lookup(parameter)) {
    Value sums = slice(k, task.captured(columnSum), sumsOf);
    int64_t width = cast<RankedTensorType>(plan.program.parameters[parameter]).getDimSize(0);
    k.columnBlocks(width, k.lanes(), [&](Value c, Columns columns) {
      add(k.load(sums, c, {columns.padded, columns.padded}), c, columns);
    });
  }
}

//===----------------------------------------------------------------------===//
// GradientTask
//===----------------------------------------------------------------------===//

GradientTask::GradientTask(KernelBuilder &k, TaskBuilder &task, const GradientPlan &gradient, TileEmitter &emitter,
                           const AttentionShape &shape)
    : features(FeatureTile::ofBlock(k, task, gradient.plan)), k(k), task(task), gradient(gradient), plan(gradient.plan),
      emitter(emitter), shape(shape) {
  int64_t tile = k.schedule.getRowTile(), count = 1, widest = 1;
  for (const FusedGroup *group : gradient.groups) {
    count = std::max<int64_t>(count, group->products.size());
    widest = std::max(widest, group->width);
  }
  blockWidth = k.padded(std::min(widest, k.schedule.getFeatureBlock()));
  productCotangents = task.scratch({tile, count * blockWidth}, k.element);
  pulled = task.scratch({tile, k.padded(shape.valueWidth)}, k.element);
  rowWeights = task.scratch({tile}, k.element);
  // Blocks of columns are added whole, wherever they start.
  for (const Tile &rows : plan.program.tiles)
    tileGradients.push_back(task.scratch({tile, k.padded(rows.width) + k.schedule.getRegisterColumns()}, k.element));
  rowGradients = tileGradients.front();
  for (unsigned row = 0; row < plan.program.rows; ++row)
    rowCotangents.push_back(task.scratch({tile}, k.element));
  emitter.setRowCotangents(rowCotangents);
  for (const auto &p : gradient.products) {
    MomentTile &moments = momentTiles.emplace_back();
    if (gradient.centerOf(p))
      moments = {task.scratch({tile, k.padded(gradient.productOf(p).depth)}, k.element),
                 task.scratch({tile, k.lanes()}, k.element), Value()};
  }
  setSums(task.taskIndex);
}

void GradientTask::setSums(Value index) {
  columnSums.clear();
  productSums.clear();
  for (auto [id, sums] : gradient.columnSums)
    columnSums[id] = slice(k, task.captured(sums), index);
  for (const auto &p : gradient.products)
    productSums.push_back(p.sums ? slice(k, task.captured(p.sums), index) : Value());
}

void GradientTask::setHead(Value keyHead, Value queryHead, int64_t queryHeads) {
  weights.clear();
  for (auto [p, moments] : llvm::zip_equal(gradient.products, momentTiles)) {
    bool ofQueries = queryHeads && cast<MemRefType>(p.transposed.getType()).getDimSize(0) == queryHeads;
    Value head = ofQueries ? queryHead : keyHead;
    weights.push_back(headSlice(k, task.captured(p.transposed), head));
    if (Value center = gradient.centerOf(p))
      moments.center = headSlice(k, task.captured(center), head);
  }
}

void GradientTask::start(Value count) {
  Value end = k.wholeGroups(count);
  for (Value gradients : tileGradients)
    clearRows(k, gradients, k.index(0), end);
  for (const MomentTile &moments : momentTiles)
    if (moments.share)
      for (Value tile : {moments.share, moments.sums})
        clearRows(k, tile, k.index(0), end);
  if (!rowCotangents.empty())
    k.loop(k.index(0), end, 1, [&](Value i) {
      for (Value cotangents : rowCotangents)
        k.storeScalar(k.number(0), cotangents, i);
    });
}

void GradientTask::emitBlock(size_t group, RowRange rows, Value block, Columns columns, Value position,
                             const Pull &pull, Scale scale, FetchAhead fetchAhead) {
  emitRegisterTiles(group, rows, block, columns, position, pull, scale, fetchAhead);
  emitProducts(group, rows, block, columns);
}

void GradientTask::emitRegisterTiles(size_t number, RowRange rows, Value block, Columns columns, Value position,
                                     const Pull &pull, Scale scale, FetchAhead fetchAhead) {
  const FusedGroup &group = *gradient.groups[number];
  const GroupAdjoint &adjoint = gradient.adjoints[number];
  int64_t height = k.schedule.getRegisterRows();
  bool counts = !adjoint.tiles.empty() || !adjoint.rows.empty() || !adjoint.columns.empty() ||
                llvm::any_of(adjoint.products, [](const Expr *e) { return e != nullptr; });
  forRegisterTiles(k, rows.count, columns, [&](Value i, Value c, Columns part) {
    Columns whole{part.padded, part.padded};
    fetchAhead(k.add(k.mul(position, k.index(k.schedule.getRowTile() / height)), k.div(i, k.index(height))));
    TileEmitter::RegisterTile tile = emitter.openTile(group, rows, i, k.add(block, c), part);
    for (auto [o, outputs] : llvm::enumerate(tile.outputs)) {
      Value feature = k.add(outputColumn(k, group, o, block), c);
      SmallVector<Value> phi, init;
      for (int64_t r = 0; r < height; ++r)
        phi.push_back(scale(outputs[r], k.add(i, r), feature, part));
      features.store(k, phi, i, k.add(features.column(k, group, o, block), c));
      if (pull.weightedSum) {
        Value sum = k.load(pull.weightedSum, feature, whole);
        for (int64_t r = 0; r < height; ++r)
          sum = k.fma(phi[r], k.broadcast(k.loadScalar(rowWeights, k.add(i, r)), part.padded), sum);
        k.store(sum, pull.weightedSum, feature, whole);
      }
      if (!counts)
        continue;
      Value vector = pull.vector ? k.load(pull.vector, feature, whole) : k.splat(0, part.padded);
      for (int64_t r = 0; r < height; ++r)
        init.push_back(pull.weighs ? k.mulf(vector, k.broadcast(k.loadScalar(rowWeights, k.add(i, r)), part.padded))
                                   : vector);
      SmallVector<Value> cotangents = k.product(
          init, k.index(shape.valueWidth), [&](Value m, int64_t r) { return k.loadScalar(pulled, {k.add(i, r), m}); },
          [&](Value m) { return k.load(pull.matrix, {m, feature}, whole); });
      if (pull.scores)
        cotangents = k.productCausal(
            cotangents, i, rows.count, k.truth(true),
            [&](Value j, int64_t r) { return k.loadScalar(pull.scores, {k.add(i, r), j}); },
            [&](Value j) { return k.load(pull.others, {j, feature}, whole); });
      for (int64_t r = 0; r < height; ++r) {
        if (shape.log) // of the binary logarithm
          cotangents[r] = k.mulf(k.mulf(cotangents[r], phi[r]), k.splat(0.6931471805599453, part.padded));
        tile.places[r].cotangents.push_back(cotangents[r]);
      }
    }
    if (counts)
      addTerms(number, rows, tile, i, block, c, part);
  });
}

/// What the cotangents of a register tile are worth: those of its products go to productCotangents.
void GradientTask::addTerms(size_t number, RowRange rows, TileEmitter::RegisterTile &tile, Value i, Value block,
                            Value c, Columns part) {
  const GroupAdjoint &adjoint = gradient.adjoints[number];
  int64_t height = k.schedule.getRegisterRows();
  Columns whole{part.padded, part.padded};
  for (int64_t r = 0; r < height; ++r) {
    TileEmitter::Place &at = tile.places[r];
    Value row = k.add(i, r);
    for (auto [p, cotangent] : llvm::enumerate(adjoint.products))
      if (cotangent)
        k.store(emitter.evaluateAdjoint(cotangent, at), productCotangents, {row, cotangentColumn(p, c)}, whole);
    for (const ArrayTerm &term : adjoint.rows) {
      Value sum =
          k.addf(k.loadScalar(rowCotangents[term.id], row), k.sumLanes(emitter.evaluateAdjoint(term.value, at)));
      k.storeScalar(sum, rowCotangents[term.id], row);
    }
    for (const ArrayTerm &term : adjoint.tiles) {
      Value gradients = tileGradients[term.id];
      SmallVector<Value> where{row, k.add(k.add(block, c), term.offset)};
      k.store(k.addf(k.load(gradients, where, whole), emitter.evaluateAdjoint(term.value, at)), gradients, where,
              whole);
    }
  }
  // Rows past the end repeat the last one and must not count.
  for (const ArrayTerm &term : adjoint.columns) {
    Value sums = columnSums.lookup(term.id);
    if (!sums)
      continue;
    Value where = k.add(k.add(block, c), term.offset), sum = k.load(sums, where, whole);
    for (int64_t r = 0; r < height; ++r) {
      Value v = emitter.evaluateAdjoint(term.value, tile.places[r]);
      sum = k.addf(sum, k.select(k.less(k.add(i, r), rows.count), v, k.splat(0, part.padded)));
    }
    k.store(sum, sums, where, whole);
  }
}

/// d x += d u W^T and d W += x^T d u.
void GradientTask::emitProducts(size_t number, RowRange rows, Value block, Columns columns) {
  const FusedGroup &group = *gradient.groups[number];
  int64_t height = k.schedule.getRegisterRows();
  for (size_t p = 0; p < group.products.size(); ++p) {
    const auto *use = gradient.find(number, p);
    if (!use)
      continue;
    size_t position = use - gradient.products.begin();
    const Product &product = plan.program.products[group.products[p].product];
    int64_t depth = product.depth;
    Value share = momentTiles[position].share;
    k.loop(k.index(0), rows.count, height, [&](Value i) {
      k.accumulate(
          share ? share : tileGradients[product.tile], i, height, depth, k.index(columns.valid),
          [&](Value f, int64_t r) { return k.loadScalar(productCotangents, {k.add(i, r), cotangentColumn(p, f)}); },
          [&](Value f, Value d, Columns part) {
            return k.load(weights[position], {k.add(block, f), d}, {part.padded, part.padded});
          });
    });
    if (share) {
      emitRowSums(position, rows, block, columns);
      continue;
    }
    Value sums = productSums[position];
    if (!sums)
      continue;
    Value x = product.tile ? emitter.tile(product.tile) : xRows, first = product.tile ? k.index(0) : rows.base;
    auto addRows = [&](Value d, int64_t count) {
      k.registerBlocks(columns.valid, [&](Value c, Columns part) {
        Columns whole{part.padded, part.padded};
        k.accumulateBlock(
            sums, d, count, k.add(block, c), whole, rows.count,
            [&](Value row, int64_t r) { return k.loadScalar(x, {k.add(first, row), k.add(d, r)}); },
            [&](Value row) { return k.load(productCotangents, {row, cotangentColumn(p, c)}, whole); });
      });
    };
    k.rowGroups(depth, addRows);
  }
}

/// Sums of d u over a block of columns, with the signs of the center, in the lanes of a vector.
void GradientTask::emitRowSums(size_t position, RowRange rows, Value block, Columns columns) {
  const auto &use = gradient.products[position];
  int64_t lanes = k.lanes(), width = k.schedule.getRegisterColumns(), whole = columns.valid / width * width;
  int64_t half = gradient.productOf(use).width / 2 - gradient.fusedOf(use).column;
  auto cotangents = [&](Value row, Value c, Columns part) -> Value {
    Value v = k.load(productCotangents, {row, cotangentColumn(use.product, c)}, part);
    if (!gradient.wanted.alternate)
      return v;
    auto positions = VectorType::get({part.padded}, k.b.getIndexType());
    auto spread = [&](Value x) -> Value { return vector::BroadcastOp::create(k.b, k.loc, positions, x); };
    Value column =
        arith::AddIOp::create(k.b, k.loc, vector::StepOp::create(k.b, k.loc, positions), spread(k.add(block, c)));
    Value first = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, column, spread(k.index(half)));
    return arith::SelectOp::create(k.b, k.loc, first, v, arith::NegFOp::create(k.b, k.loc, v));
  };
  k.loop(k.index(0), rows.count, 1, [&](Value i) {
    SmallVector<Value> at{i, k.index(0)};
    Value sum = k.load(momentTiles[position].sums, at, {lanes, lanes});
    if (whole) {
      Value wide = k.loop(k.index(0), k.index(whole), width, k.splat(0, width), [&](Value c, ValueRange carried) {
        return SmallVector<Value>{k.addf(carried[0], cotangents(i, c, {width, width}))};
      })[0];
      for (int64_t first = 0; first < width; first += lanes)
        sum = k.addf(sum, k.lanesAt(wide, first));
    }
    for (int64_t c = whole; c < columns.valid; c += lanes)
      sum = k.addf(sum, cotangents(i, k.index(c), k.columns(std::min(lanes, columns.valid - c))));
    k.store(sum, momentTiles[position].sums, at, {lanes, lanes});
  });
}

/// With y = d u (W - c)^T and s the sum of d u: d x += y + s c, m0 += x s, m1 += x y.
void GradientTask::emitMoments(RowRange rows, size_t firstGroup, size_t endGroup) {
  for (auto [moments, sums, use] : llvm::zip_equal(momentTiles, productSums, gradient.products)) {
    if (!moments.share || use.group < firstGroup || use.group >= endGroup)
      continue;
    unsigned tile = gradient.productOf(use).tile;
    Value read = tile ? emitter.tile(tile) : xRows, first = tile ? k.index(0) : rows.base, into = tileGradients[tile];
    int64_t lanes = k.lanes();
    double scale = gradient.fusedOf(use).scale;
    k.loop(k.index(0), rows.count, 1, [&, &moments = moments](Value i) {
      SmallVector<Value> at{i, k.index(0)};
      k.storeScalar(k.mulf(k.sumLanes(k.load(moments.sums, at, {lanes, lanes})), k.number(scale)), moments.sums, at);
    });
    k.columnBlocks(gradient.productOf(use).depth, k.lanes(),
                   [&, &moments = moments, sums = sums](Value d, Columns part) {
                     Columns whole{part.padded, part.padded};
                     Value center = k.load(moments.center, d, part);
                     SmallVector<Value> init;
                     for (int64_t moment : {0, 1})
                       init.push_back(k.load(sums, {k.index(moment), d}, whole));
                     auto result = k.loop(k.index(0), rows.count, 1, init, [&](Value i, ValueRange carried) {
                       Value x = k.load(read, {k.add(first, i), d}, part), y = k.load(moments.share, {i, d}, whole);
                       Value s = k.broadcast(k.loadScalar(moments.sums, {i, k.index(0)}), part.padded);
                       Value gradients = k.addf(k.load(into, {i, d}, whole), k.fma(s, center, y));
                       k.store(gradients, into, {i, d}, whole);
                       return SmallVector<Value>{k.fma(x, s, carried[0]), k.fma(x, y, carried[1])};
                     });
                     for (int64_t moment : {0, 1})
                       k.store(result[moment], sums, {k.index(moment), d}, whole);
                   });
  }
}
