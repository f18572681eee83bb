//===- ProgramPlan.cpp - a feature program in a kernel --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/ProgramPlan.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::cpu;

ProgramPlan::ProgramPlan(FeatureProgram p, ValueRange operands, spectral::ScheduleAttr schedule)
    : program(std::move(p)), featureBlock(schedule.getFeatureBlock()), parameters(operands),
      packedColumns(operands.size()) {
  if (!program.logDomain)
    for (const Segment &s : program.phi)
      if (!s.value->byRow)
        constants.push_back(s);
  group();
}

void ProgramPlan::keepConstantFeatures() {
  constants.clear();
  group();
}

void ProgramPlan::group() {
  SmallVector<FusedGroup> all = fuseSegments(program, program.phi, featureBlock);
  groups.clear();
  for (FusedGroup &g : all) {
    bool constant = llvm::all_of(g.outputs, [](const FusedOutput &o) { return !o.value->byRow; });
    if (!constant || constants.empty())
      groups.push_back(g);
  }
  for (auto [position, step] : llvm::enumerate(program.steps))
    if (step.kind == Step::Materialize)
      stepGroups[position] = fuseSegments(program, step.operand, featureBlock);
}

SmallVector<Value> ProgramPlan::captures() const {
  SmallVector<Value> values(parameters);
  for (Value v : packedColumns)
    if (v)
      values.push_back(v);
  for (const auto &entry : packedProducts)
    values.push_back(entry.second);
  return values;
}

Value bochner::cpu::outputColumn(KernelBuilder &k, const FusedGroup &group, size_t o, Value column) {
  Value at = k.add(column, group.outputs[o].column);
  if (!group.period)
    return at;
  Value repetition = k.div(column, k.index(group.period));
  return k.add(at, k.mul(repetition, k.index(group.stride - group.period)));
}

Value bochner::cpu::headSlice(KernelBuilder &k, Value parameter, Value head) {
  auto type = cast<MemRefType>(parameter.getType());
  if (type.getDimSize(0) == 1)
    return slice(k, parameter, k.index(0));
  if (!type.isDynamicDim(0))
    return slice(k, parameter, head);
  Value shared = k.equal(k.dim(parameter, 0), k.index(1));
  return slice(k, parameter, k.select(shared, k.index(0), head));
}

void ProgramPlan::pack(KernelBuilder &host, func::FuncOp kernel, StringRef name) {
  // Every parameter that a product or a column vector reads is written once, for each of its heads.
  struct Use {
    const FusedGroup *group;
    unsigned product;
  };
  llvm::SmallDenseMap<unsigned, SmallVector<Use>> uses;
  auto addUses = [&](SmallVector<FusedGroup> &list) {
    for (FusedGroup &g : list)
      for (auto [i, f] : llvm::enumerate(g.products))
        uses[program.products[f.product].parameter].push_back({&g, unsigned(i)});
  };
  addUses(groups);
  for (auto &entry : stepGroups)
    addUses(entry.second);

  int64_t block = host.schedule.getRegisterColumns();
  for (auto [id, type] : llvm::enumerate(program.parameters)) {
    auto tensor = cast<RankedTensorType>(type);
    bool column = tensor.getRank() == 1 && isa<FloatType>(tensor.getElementType());
    if (!column && !uses.count(id))
      continue;
    Value parameter = parameters[id], heads = host.dim(parameter, 0);
    auto headCount = cast<MemRefType>(parameter.getType()).getDimSize(0);
    SmallVector<Value> dynamic;
    if (ShapedType::isDynamic(headCount))
      dynamic.push_back(heads);
    SmallVector<Value> captured{parameter};
    if (column) { // padded, so that any block of columns can be loaded whole
      packedColumns[id] =
          workspace(host, {headCount, host.padded(tensor.getDimSize(0)) + block}, dynamic, host.element);
      captured.push_back(packedColumns[id]);
    }
    for (const Use &use : uses[id]) {
      int64_t blocks = (use.group->width + block - 1) / block;
      int64_t depth = program.products[use.group->products[use.product].product].depth;
      Value packed = workspace(host, {headCount, blocks, depth, block}, dynamic, host.element);
      packedProducts[{use.group, use.product}] = packed;
      captured.push_back(packed);
    }
    KernelBuilder k = host;
    TaskBuilder task(k, kernel, (name + "_pack" + Twine(id)).str(), captured);
    Value source = slice(k, task.captured(parameter), task.taskIndex);
    if (column) {
      Value target = slice(k, task.captured(packedColumns[id]), task.taskIndex);
      k.registerBlocks(tensor.getDimSize(0), [&](Value c, Columns columns) {
        k.store(k.load(source, c, columns), target, c, {columns.padded, columns.padded});
      });
    }
    for (const Use &use : uses[id]) {
      const FusedProduct &f = use.group->products[use.product];
      const Product &product = program.products[f.product];
      Value target = slice(k, task.captured(packedProducts[{use.group, use.product}]), task.taskIndex);
      auto scaled = [&](Value v) { return f.scale == 1 ? v : k.mulf(v, k.math().constant(f.scale, v)); };
      int64_t origin = f.column;
      k.registerBlocks(use.group->width, [&](Value c, Columns columns) {
        Value at = k.div(c, k.index(block)), to = k.rem(c, k.index(block)), from = k.add(c, origin);
        Columns whole{columns.padded, columns.padded};
        if (!product.transposed) {
          k.loop(k.index(0), k.index(product.depth), 1,
                 [&](Value kk) { k.store(scaled(k.load(source, {kk, from}, columns)), target, {at, kk, to}, whole); });
          return;
        }
        if (columns.isTail())
          k.loop(k.index(0), k.index(product.depth), 1,
                 [&](Value kk) { k.store(k.splat(0, columns.padded), target, {at, kk, to}, whole); });
        k.loop(k.index(0), k.index(columns.valid), 1, [&](Value j) {
          k.loop(k.index(0), k.index(product.depth), 1, [&](Value kk) {
            k.storeScalar(scaled(k.loadScalar(source, {k.add(from, j), kk})), target, {at, kk, k.add(to, j)});
          });
        });
      });
    }
    task.finish(host, k, heads);
  }
}
