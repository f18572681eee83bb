//===- LinearAttentionGrad.cpp - gradients of linear attention ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adjoint without causality. The state of the keys comes from the forward pass, or keys make it again; tasks over
// heads and parts of the queries give d q and their share of dS and dz; those are added up in order; tasks over heads
// and parts of the keys give d k and d v.
// Shares of parameter gradients are added up last, in the order of the tasks that made them.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/LinearAttentionGrad.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// A buffer [..., W] as rows: body(index of the row, W).
static void forRows(KernelBuilder &k, ArrayRef<int64_t> shape,
                    llvm::function_ref<void(SmallVector<Value>, int64_t)> body) {
  if (shape.size() == 1)
    return body({}, shape[0]);
  k.loop(k.index(0), k.index(shape[0]), 1, [&](Value i) { body({i}, shape[1]); });
}

void bochner::cpu::forGroups(KernelBuilder &k, const ProgramPlan &plan,
                             llvm::function_ref<void(size_t, const FusedGroup &, Value, Columns, Value)> body) {
  forFeatureBlocks(k, plan, [&](const FusedGroup &group, Value block, Columns columns, Value position) {
    body(&group - plan.groups.begin(), group, block, columns, position);
  });
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

LinearAttentionGradKernel::LinearAttentionGradKernel(KernelBuilder &host, func::FuncOp kernel,
                                                     const LinearAttentionOperands &operands,
                                                     const GradientOperands &gradients, const AttentionShape &shape,
                                                     const Normalization &how, FeatureProgram keyProgram,
                                                     std::optional<FeatureProgram> queryProgram)
    : LinearAttentionKernel(host, kernel, operands, shape, how, std::move(keyProgram), std::move(queryProgram)),
      gradients(gradients) {
  keyGradient = std::make_unique<GradientPlan>(*keyPlan, gradients.wanted);
  queryGradient = std::make_unique<GradientPlan>(separateQueryPlan ? *separateQueryPlan : *keyPlan, gradients.wanted);
  keyGradient->pack(host, kernel, (name + "_keys").str());
  if (separateQueryPlan)
    queryGradient->pack(host, kernel, (name + "_queries").str());
  else
    queryGradient->shareWeights(*keyGradient);
}

void LinearAttentionGradKernel::emitBidirectional() {
  auto [keyParts, keyRows] = partition(host.dim(operands.key, 2), keyTasks(host.index(1)));
  Value queryHeads = host.mul(operands.entries(host), operands.queryHeads(host));
  auto [queryParts, queryRows] = partition(host.dim(operands.query, 2), queryHeads);
  Value queryTasks = host.mul(queryHeads, queryParts);
  stateParts = operands.initial ? host.index(1) : keyParts;
  allocateState(stateParts);
  if (operands.initial) {
    emitLoad();
  } else {
    emitKeys(keyParts, keyRows);
    host.when(host.less(host.index(1), keyParts), [&, keyParts = keyParts] { emitMerge(keyParts); });
  }
  auto turned = [&] {
    return workspace(host, {ShapedType::kDynamic, shape.valueWidth, host.padded(shape.features) + host.lanes()},
                     keyTasks(host.index(1)), host.element);
  };
  stateTurned = turned();
  cotangentTurned = turned();
  emitTurn(state.sums, stateParts, stateTurned, "_turn_state");
  cotangents = AttentionState::allocate(host, queryTasks, shape.features, shape.valueWidth, /*log=*/false,
                                        /*constants=*/false);
  queryGradient->allocateSums(host, queryTasks);
  emitQueryGradients(queryParts, queryRows);
  shares = host.mul(queryParts, host.index(operands.group));
  emitMergeCotangents();
  emitTurn(cotangents.sums, shares, cotangentTurned, "_turn_cotangents");
  keyGradient->allocateSums(host, keyTasks(keyParts));
  emitKeyGradients(keyParts, keyRows);
  emitParameterGradients(keyParts, queryParts);
}

/// [tasks, F, M] of the first of `parts` parts -> [heads, M, F].
void LinearAttentionGradKernel::emitTurn(Value sums, Value parts, Value turned, StringRef suffix) {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + suffix).str(), {sums, parts, turned});
  Value source = slice(k, task.captured(sums), k.mul(task.taskIndex, task.captured(parts)));
  Value target = slice(k, task.captured(turned), task.taskIndex);
  transposeBuffer(k, task, source, shape.features, shape.valueWidth, target);
  task.finish(host, k, keyTasks(host.index(1)));
}

SmallVector<Value> LinearAttentionGradKernel::gradientCaptures(const GradientPlan &plan, ValueRange more) const {
  SmallVector<Value> captured = plan.captures();
  llvm::append_range(captured, cotangents.captures());
  captured.append({stateTurned, cotangentTurned, gradients.output, gradients.cotangent, gradients.query, gradients.key,
                   gradients.value});
  llvm::append_range(captured, more);
  return capturesOf(plan.plan, captured);
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

/// Denominators of a tile, from sums that the features give: a sweep of its own.
void LinearAttentionGradKernel::emitDenominators(KernelBuilder &k, TileEmitter &emitter, RowRange rows,
                                                 const AttentionState &local, FeatureTile &features,
                                                 const QuerySums &sums, Value logOffset, Value denominators) {
  emitQueryStart(k, shape, rows.count, local, Value(), Value(), sums);
  forFeatureBlocks(k, queryPlan(), [&](const FusedGroup &group, Value block, Columns columns, Value) {
    emitQueryFeatures(k, emitter, group, shape, rows, k.index(0), rows.count, block, columns, local, features, sums,
                      [](Value) {});
  });
  k.loop(k.index(0), rows.count, 1, [&](Value i) {
    Value sum = k.sumLanes(k.load(sums.denominator, {i, k.index(0)}, {k.lanes(), k.lanes()}));
    Value maximum = shape.log ? k.loadScalar(sums.maximum, i) : Value();
    storeDenominator(k, addEpsilon(k, sum, how.eps, logOffset, maximum), maximum, denominators, i);
  });
}

/// Rows of cotangents and what multiplies z: g and w. In the log domain the denominator is part of the features'
/// scale, whose binary logarithm goes to `shifts`; rows without a denominator get one that makes them vanish.
void LinearAttentionGradKernel::emitPulledRows(KernelBuilder &k, const PulledRows &to, Value cotangentRows,
                                               Value outputRows, Value base, Value count, Value denominators,
                                               Value firstDenominator) {
  k.loop(count, k.wholeGroups(count), 1, [&](Value i) {
    k.storeScalar(k.number(0), to.weights, i);
    if (to.shifts)
      k.storeScalar(k.number(0), to.shifts, i);
  });
  k.loop(k.index(0), count, 1, [&](Value i) {
    Value factor, shift = k.number(0), row = k.add(base, i);
    if (denominators) {
      Value denominator = k.loadScalar(denominators, {k.add(firstDenominator, i), k.index(0)});
      auto compare = [&](arith::CmpFPredicate predicate, double bound) {
        return arith::CmpFOp::create(k.b, k.loc, predicate, denominator, k.number(bound)).getResult();
      };
      if (shape.log)
        shift = k.select(compare(arith::CmpFPredicate::OGT, k.logRange().unset),
                         k.mulf(denominator, k.number(1.4426950408889634)), k.number(-k.logRange().unset));
      else
        factor = k.select(compare(arith::CmpFPredicate::OEQ, 0), k.number(0), k.divf(k.number(1), denominator));
    }
    if (to.shifts)
      k.storeScalar(shift, to.shifts, i);
    k.storeScalar(k.number(0), to.weights, i);
    k.registerBlocks(shape.valueWidth, [&](Value m, Columns columns) {
      Value g = k.load(cotangentRows, {row, m}, columns);
      if (factor)
        g = k.mulf(g, k.broadcast(factor, columns.padded));
      k.store(g, to.rows, {i, m}, {columns.padded, columns.padded});
      if (how.normalize) {
        Value product = k.sumLanes(k.mulf(g, k.load(outputRows, {row, m}, columns)));
        k.storeScalar(k.subf(k.loadScalar(to.weights, i), product), to.weights, i);
      }
    });
  });
}

void LinearAttentionGradKernel::emitQueryGradients(Value parts, Value partRows) {
  const ProgramPlan &plan = queryPlan();
  KernelBuilder k = host;
  TaskBuilder task(
      k, kernel, (name + "_grad_queries").str(),
      gradientCaptures(*queryGradient, {stateParts, parts, partRows, operands.denominators, operands.offset}));
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.query), 1), task.captured(parts));
  Value keyHead = k.div(at.head, k.index(operands.group));
  RowSpan span = operands.querySpan(k, task, at.batch);
  Value low = k.min(k.mul(at.part, task.captured(partRows)), span.count);
  Value high = k.min(k.add(low, task.captured(partRows)), span.count);

  int64_t rowTile = k.schedule.getRowTile();
  TileEmitter emitter(k, task, plan, rowTile);
  setQueryHead(emitter, keyHead, at.head);
  GradientTask tiles(k, task, *queryGradient, emitter, shape);
  tiles.setHead(keyHead, at.head, operands.group > 1 ? cast<MemRefType>(operands.query.getType()).getDimSize(1) : 0);
  bool computesDenominators = how.normalize && !operands.denominators;
  QuerySums sums;
  Value denominators;
  if (computesDenominators) {
    sums = QuerySums::allocate(k, task, shape);
    denominators = task.scratch({rowTile, 1}, k.element);
  }
  Value shifts = shape.log ? task.scratch({rowTile}, k.element) : Value();
  Value keyHeads = k.div(k.dim(task.captured(operands.query), 1), k.index(operands.group));
  Value stateIndex = k.add(k.mul(at.batch, keyHeads), keyHead);
  AttentionState local = state.at(k, task, k.mul(stateIndex, task.captured(stateParts)));
  AttentionState share = cotangents.at(k, task, task.taskIndex);
  share.clear(k, shape.features, shape.valueWidth);
  queryGradient->clearSums(k, task, task.taskIndex);
  auto rowsOf = [&](Value tensor) { return operands.rows(k, task, tensor, at.batch, at.head, span); };
  Value queryRows = rowsOf(operands.query), cotangentRows = rowsOf(gradients.cotangent),
        outputRows = rowsOf(gradients.output), gradientRows = rowsOf(gradients.query);
  if (operands.denominators)
    denominators = rowsOf(operands.denominators);
  Value logOffset = computesDenominators ? offsetOf(k, task, at.batch, at.head) : Value();
  Value queryScratch = task.scratch({rowTile, cast<MemRefType>(queryRows.getType()).getDimSize(1)}, k.element);
  GradientTask::Pull pull{slice(k, task.captured(stateTurned), stateIndex), how.normalize ? local.normalizer : Value(),
                          how.normalize, how.normalize ? share.normalizer : Value()};
  k.loop(low, high, rowTile, [&](Value base) {
    Value count = k.min(k.sub(high, base), k.index(rowTile));
    StagedRows staged = stageRows(k, queryRows, base, count, queryScratch);
    emitter.setRows(staged.rows);
    tiles.xRows = staged.rows;
    RowRange rows{staged.first, count};
    emitter.emitSteps(rows);
    if (computesDenominators)
      emitDenominators(k, emitter, rows, local, tiles.features, sums, logOffset, denominators);
    emitPulledRows(k, {tiles.pulled, tiles.rowWeights, shifts}, cotangentRows, outputRows, base, count, denominators,
                   computesDenominators ? k.index(0) : base);
    tiles.start(count);
    auto scale = [&](Value v, Value row, Value feature, Columns columns) -> Value {
      if (!shape.log)
        return v;
      Value maximum = k.load(local.maximum, feature, columns, k.logRange().unset);
      Value shift = k.broadcast(k.loadScalar(shifts, row), columns.padded);
      return k.math().exp2Bounded(k.subf(k.addf(v, maximum), shift));
    };
    auto fetchNext = [&](Value share) {
      fetchShare(k, plan, {queryRows, cotangentRows, outputRows}, k.add(base, rowTile), share);
    };
    forGroups(k, plan, [&](size_t number, const FusedGroup &group, Value block, Columns columns, Value position) {
      tiles.emitBlock(number, rows, block, columns, position, pull, scale, fetchNext);
      emitStateUpdate(k, group, shape, count, block, columns, share, tiles.features, tiles.pulled, k.index(0));
    });
    tiles.finish(rows);
    k.loop(k.index(0), count, 1, [&](Value i) { copyRow(k, tiles.rowGradients, i, gradientRows, k.add(base, i)); });
  });
  task.finish(host, k, host.mul(host.mul(operands.entries(host), operands.queryHeads(host)), parts));
}

/// Adds the shares of dS and dz of a head of keys to the first of them, in order.
void LinearAttentionGradKernel::emitMergeCotangents() {
  KernelBuilder k = host;
  SmallVector<Value> captured = cotangents.captures();
  captured.push_back(shares);
  TaskBuilder task(k, kernel, (name + "_merge_cotangents").str(), captured);
  int64_t lanes = k.lanes();
  Columns whole{lanes, lanes};
  Value count = task.captured(shares), first = k.mul(task.taskIndex, count);
  AttentionState into = cotangents.at(k, task, first);
  k.loop(k.index(1), count, 1, [&](Value i) {
    AttentionState from = cotangents.at(k, task, k.add(first, i));
    auto add = [&](Value target, Value source, ValueRange at) {
      k.store(k.addf(k.load(target, at, whole), k.load(source, at, whole)), target, at, whole);
    };
    k.loop(k.index(0), k.index(k.padded(shape.features)), lanes,
           [&](Value f) { add(into.normalizer, from.normalizer, f); });
    k.loop(k.index(0), k.index(shape.features), 1, [&](Value f) {
      k.loop(k.index(0), k.index(k.padded(shape.valueWidth)), lanes,
             [&](Value m) { add(into.sums, from.sums, {f, m}); });
    });
  });
  task.finish(host, k, keyTasks(host.index(1)));
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

void LinearAttentionGradKernel::emitKeyGradients(Value parts, Value partRows) {
  KernelBuilder k = host;
  TaskBuilder task(k, kernel, (name + "_grad_keys").str(),
                   gradientCaptures(*keyGradient, {parts, partRows, stateParts, shares}));
  TaskPosition at = locate(k, task.taskIndex, k.dim(task.captured(operands.key), 1), task.captured(parts));
  Value head = k.div(task.taskIndex, task.captured(parts));
  RowSpan span = operands.keySpan(k, task, at.batch);
  Value visible = operands.visibleKeys(k, task, at.batch, span);
  Value low = k.mul(at.part, task.captured(partRows));
  Value end = k.min(k.add(low, task.captured(partRows)), span.count), high = k.min(end, visible);

  int64_t rowTile = k.schedule.getRowTile();
  TileEmitter emitter(k, task, *keyPlan, rowTile);
  emitter.setHead(at.head);
  GradientTask tiles(k, task, *keyGradient, emitter, shape);
  tiles.setHead(at.head);
  AttentionState local = state.at(k, task, k.mul(head, task.captured(stateParts)));
  AttentionState sums = cotangents.at(k, task, k.mul(head, task.captured(shares)));
  keyGradient->clearSums(k, task, task.taskIndex);
  auto rowsOf = [&](Value tensor) { return operands.rows(k, task, tensor, at.batch, at.head, span); };
  Value keyRows = rowsOf(operands.key), valueRows = rowsOf(operands.value), keyGradients = rowsOf(gradients.key),
        valueGradients = rowsOf(gradients.value);
  Value mask = operands.maskOf(k, task, at.batch, span), positions;
  Value keyScratch = task.scratch({rowTile, cast<MemRefType>(keyRows.getType()).getDimSize(1)}, k.element);
  QuerySums products{task.scratch({rowTile, k.padded(shape.valueWidth)}, k.element), Value(), Value()};
  if (mask) {
    positions = task.scratch({rowTile}, k.b.getIndexType());
    clearRows(k, keyGradients, low, end);
    clearRows(k, valueGradients, low, end);
  } else {
    Value hidden = k.max(low, high);
    clearRows(k, keyGradients, hidden, end);
    clearRows(k, valueGradients, hidden, end);
  }
  GradientTask::Pull pull{slice(k, task.captured(cotangentTurned), head), sums.normalizer, /*weighs=*/false, Value()};
  k.loop(low, high, rowTile, [&](Value base) {
    Value count = k.min(k.sub(high, base), k.index(rowTile));
    StagedRows staged{keyScratch, k.index(0)};
    if (mask) {
      count = stageVisibleRows(k, mask, base, count, {{keyRows, keyScratch}, {valueRows, tiles.pulled}}, positions);
    } else {
      staged = stageRows(k, keyRows, base, count, keyScratch);
      k.loop(k.index(0), count, 1, [&](Value i) { copyRow(k, valueRows, k.add(base, i), tiles.pulled, i); });
    }
    emitter.setRows(staged.rows);
    tiles.xRows = staged.rows;
    RowRange rows{staged.first, count};
    emitter.emitSteps(rows);
    tiles.start(count);
    clearRows(k, products.numerator, k.index(0), k.wholeGroups(count));
    auto scale = [&](Value v, Value, Value feature, Columns columns) -> Value {
      if (!shape.log)
        return v;
      return k.math().exp2Bounded(k.subf(v, k.load(local.maximum, feature, columns, -k.logRange().unset)));
    };
    auto fetchNext = [&](Value share) { fetchShare(k, *keyPlan, {keyRows, valueRows}, k.add(base, rowTile), share); };
    forGroups(k, *keyPlan, [&](size_t number, const FusedGroup &group, Value block, Columns columns, Value position) {
      tiles.emitBlock(number, rows, block, columns, position, pull, scale, fetchNext);
      emitQueryProduct(k, group, shape, count, block, columns, sums, Value(), tiles.features, products);
    });
    tiles.finish(rows);
    k.loop(k.index(0), count, 1, [&](Value i) {
      Value row = positions ? k.loadScalar(positions, i) : k.add(base, i);
      copyRow(k, tiles.rowGradients, i, keyGradients, row);
      copyRow(k, products.numerator, i, valueGradients, row);
    });
  });
  task.finish(host, k, keyTasks(parts));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

void LinearAttentionGradKernel::emitParameterGradients(Value keyParts, Value queryParts) {
  Value keyHeads = operands.keyHeads(host), queryHeads = operands.queryHeads(host);
  Value keyCount = keyTasks(keyParts), queryCount = host.mul(host.mul(operands.entries(host), queryHeads), queryParts);
  for (const auto &entry : gradients.parameters) {
    unsigned parameter = entry.parameter, moment = entry.moment;
    Value gradient = entry.gradient;
    SmallVector<Value> captured = queryGradient->captures();
    for (Value v : keyGradient->captures())
      if (!llvm::is_contained(captured, v))
        captured.push_back(v);
    captured.append({gradient, keyHeads, queryHeads, keyCount, queryCount, keyParts, queryParts});
    KernelBuilder k = host;
    std::string suffix = gradients.wanted.centers[parameter] ? "_moment" + std::to_string(moment) : "";
    TaskBuilder task(k, kernel, (name + "_grad_parameter" + Twine(parameter) + suffix).str(), captured);
    // Sums of 16-bit elements are of f32.
    ArrayRef<int64_t> shape = cast<MemRefType>(gradient.getType()).getShape().drop_front();
    Value target = slice(k, task.captured(gradient), task.taskIndex), sum = task.scratch(shape, k.element);
    Value count = k.dim(task.captured(gradient), 0);
    auto forBlocks = [&](llvm::function_ref<void(SmallVector<Value>, Columns)> body) {
      forRows(k, shape, [&](SmallVector<Value> row, int64_t width) {
        k.columnBlocks(width, k.lanes(), [&](Value c, Columns columns) {
          SmallVector<Value> at(row);
          at.push_back(c);
          body(at, columns);
        });
      });
    };
    forBlocks([&](SmallVector<Value> at, Columns columns) { k.store(k.splat(0, columns.padded), sum, at, columns); });
    auto addAll = [&](const GradientPlan &plan, Value tasks, Value parts, Value heads, int64_t group) {
      k.loop(k.index(0), task.captured(tasks), 1, [&](Value i) {
        // Which slice the task's head reads: all one, that of its head of keys, or that of its own.
        Value head = k.rem(k.div(i, task.captured(parts)), task.captured(heads));
        Value own = k.equal(count, task.captured(heads));
        Value index = k.select(own, head, k.div(head, k.index(group)));
        index = k.select(k.equal(count, k.index(1)), k.index(0), index);
        k.when(k.equal(index, task.taskIndex), [&] { plan.addSums(k, task, parameter, moment, i, sum); });
      });
    };
    addAll(*queryGradient, queryCount, queryParts, queryHeads, operands.group);
    addAll(*keyGradient, keyCount, keyParts, keyHeads, 1);
    forBlocks([&](SmallVector<Value> at, Columns columns) { k.store(k.load(sum, at, columns), target, at, columns); });
    task.finish(host, k, host.dim(gradient, 0));
  }
}
