//===- FeaturePlan.cpp - a feature program on a GPU -----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Gpu/FeaturePlan.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::simt;

FeaturePlan::FeaturePlan(FeatureProgram p, ValueRange operands, Precision precision)
    : program(std::move(p)), precision(precision), parameters(operands) {
  groups = fuseSegments(program, program.phi, kBlock);
  for (auto [position, step] : llvm::enumerate(program.steps))
    stepGroups[position] = fuseSegments(program, step.operand, kBlock);
  for (const FusedGroup &group : groups) {
    firstRows.push_back(stateRows);
    stateRows += int64_t(group.outputs.size()) * toBlocks(group.width);
  }
}

int64_t FeaturePlan::firstRow(unsigned group, unsigned o) const {
  return firstRows[group] + o * toBlocks(groups[group].width);
}

SmallVector<FeaturePlan::Run> FeaturePlan::runs() const {
  SmallVector<Run> runs;
  for (auto [g, group] : llvm::enumerate(groups))
    for (auto [o, output] : llvm::enumerate(group.outputs)) {
      int64_t period = group.period ? group.period : group.width;
      for (int64_t column = 0; column < group.width; column += period)
        runs.push_back(
            {output.column + column / period * (group.period ? group.stride : 0), firstRow(g, o) + column, period});
    }
  return runs;
}

bool FeaturePlan::isMultiplied(unsigned tile) const {
  return llvm::any_of(program.products, [&](const Product &p) { return p.tile == tile; });
}

std::string FeaturePlan::differentiate() {
  for (auto [position, step] : llvm::enumerate(program.steps)) {
    if (step.kind != Step::Reduce || step.reduction != ReductionKind::Add)
      return "the map keeps a tile of rows or a maximum";
    for (const FusedGroup &group : stepGroups[position])
      if (!group.products.empty())
        return "a row scalar of the map sums a product";
    stepAdjoints.push_back(differentiateReduction(program, step));
    for (auto [segment, adjoint] : llvm::zip_equal(step.operand, stepAdjoints.back().segments))
      for (const ArrayTerm &term : adjoint.tiles)
        if (term.offset || segment.width != program.tiles[0].width)
          return "a row scalar of the map sums a part of the rows";
  }
  for (const FusedGroup &group : groups) {
    adjoints.push_back(differentiateGroup(program, group));
    if (!adjoints.back().columns.empty())
      return "the map has a column vector as a parameter";
  }
  for (const Product &product : program.products)
    if (product.tile != 0)
      return "a product of the map reads a product";
  return "";
}

LogicalResult FeaturePlan::packProduct(HostBuilder &host, StringRef name, const FusedGroup &group, unsigned position,
                                       const ChipLimits &limits) {
  const FusedProduct &fused = group.products[position];
  const Product &product = program.products[fused.product];
  int64_t depth = toBlocks(product.depth), width = toBlocks(group.width);
  Type element = elementOf(precision, host.b.getContext());
  Value source = parameters[product.parameter], heads = host.dim(source, 0);
  Value target = host.workspace({ShapedType::kDynamic, depth, width}, heads, element);
  packedProducts[{&group, position}] = target;

  DeviceKernel kernel(host, name, 256);
  ThreadBuilder &t = kernel.t;
  GlobalTensor from = kernel.tensor(source), to = kernel.tensor(target);
  Value head = t.blockId(1), at = t.add(t.mul(t.blockId(0), kernel.threads), t.threadId());
  t.when(t.less(at, depth * width), [&] {
    Value d = t.div(at, width), c = t.rem(at, width);
    Value exists = t.both(t.less(d, product.depth), t.less(c, group.width)), column = t.add(c, fused.column);
    SmallVector<Value> value = t.choose(exists, t.f32(0), [&] {
      Value address =
          product.transposed ? kernel.address(from, {head, column, d}) : kernel.address(from, {head, d, column});
      Value x = t.loadNumber(from.element, address);
      return SmallVector<Value>{fused.scale == 1 ? x : t.mulf(x, t.f32(fused.scale))};
    });
    t.storeNumber(value[0], element, kernel.address(to, {head, d, c}));
  });
  return kernel.finish({host.index((depth * width + kernel.threads - 1) / kernel.threads), heads}, limits);
}

LogicalResult FeaturePlan::pack(HostBuilder &host, StringRef name, const ChipLimits &limits) {
  unsigned number = 0;
  auto packAll = [&](ArrayRef<FusedGroup> groups) -> LogicalResult {
    for (const FusedGroup &group : groups)
      for (unsigned i = 0; i < group.products.size(); ++i)
        if (failed(packProduct(host, (name + "_pack" + Twine(number++)).str(), group, i, limits)))
          return failure();
    return success();
  };
  for (const auto &[position, groups] : stepGroups)
    if (failed(packAll(groups)))
      return failure();
  return packAll(groups);
}
