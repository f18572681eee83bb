//===- ProgramPlan.cpp - a feature program in a kernel --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Cpu/ProgramPlan.h"
#include "lib/Conversion/Cpu/DotProducts.h"

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

bool ProgramPlan::canUseDots() const {
  return llvm::all_of(program.products, [](const Product &p) { return p.tile != 0 || p.depth % 2 == 0; });
}

bool ProgramPlan::usesDots(const FusedProduct &product) const {
  return dots && program.products[product.product].tile == 0;
}

bool ProgramPlan::isPacked(const FusedProduct &product) const {
  return !direct || program.products[product.product].transposed;
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
    if (step.kind != Step::Reduce)
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

void bochner::cpu::forFeatureBlocks(KernelBuilder &k, const ProgramPlan &plan,
                                    llvm::function_ref<void(const FusedGroup &, Value, Columns, Value)> body) {
  int64_t size = k.schedule.getFeatureBlock(), before = 0;
  for (const FusedGroup &group : plan.groups) {
    k.columnBlocks(group.width, size, [&](Value block, Columns columns) {
      body(group, block, columns, k.add(k.div(block, k.index(size)), before));
    });
    before += (group.width + size - 1) / size;
  }
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

/// Writes what a product reads of a parameter, in blocks of the register columns.
void ProgramPlan::packProduct(KernelBuilder &k, TaskBuilder &task, const FusedGroup &group, unsigned position,
                              Value source, Value target) const {
  const FusedProduct &fused = group.products[position];
  const Product &product = program.products[fused.product];
  Value block = k.index(k.schedule.getRegisterColumns()), depth = k.index(product.depth), rows;
  if (usesDots(fused))
    rows = task.scratch({product.depth, k.schedule.getRegisterColumns()}, k.element);
  auto scaled = [&](Value v) { return fused.scale == 1 ? v : k.mulf(v, k.math().constant(fused.scale, v)); };
  k.registerBlocks(group.width, [&](Value c, Columns columns) {
    Value packed = slice(k, target, k.div(c, block)), to = k.rem(c, block), from = k.add(c, fused.column);
    Value into = rows ? rows : packed;
    Columns whole{columns.padded, columns.padded};
    if (product.transposed) {
      if (columns.isTail())
        k.loop(k.index(0), depth, 1, [&](Value kk) { k.store(k.splat(0, columns.padded), into, {kk, to}, whole); });
      k.loop(k.index(0), k.index(columns.valid), 1, [&](Value j) {
        k.loop(k.index(0), depth, 1, [&](Value kk) {
          k.storeScalar(scaled(k.loadScalar(source, {k.add(from, j), kk})), into, {kk, k.add(to, j)});
        });
      });
    } else {
      k.loop(k.index(0), depth, 1,
             [&](Value kk) { k.store(scaled(k.load(source, {kk, from}, columns)), into, {kk, to}, whole); });
    }
    if (rows)
      splitToPairs(k, rows, packed, product.depth, to, columns.padded);
  });
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
        if (isPacked(f))
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
      Value packed = usesDots(use.group->products[use.product])
                         ? workspace(host, {headCount, blocks, 2, depth / 2, block}, dynamic, host.b.getI32Type())
                         : workspace(host, {headCount, blocks, depth, block}, dynamic, host.element);
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
      Value target = slice(k, task.captured(packedProducts[{use.group, use.product}]), task.taskIndex);
      packProduct(k, task, *use.group, use.product, source, target);
    }
    task.finish(host, k, heads);
  }
}
