//===- ProgramPlan.h - a feature program in a kernel ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a kernel knows of a feature program once, outside its tasks: the register groups and the packed parameters.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_CPU_PROGRAMPLAN_H
#define BOCHNER_LIB_CONVERSION_CPU_PROGRAMPLAN_H

#include "lib/Analysis/FeatureProgram.h"
#include "lib/Conversion/Cpu/KernelBuilder.h"
#include <map>

namespace bochner::cpu {

/// A program with its groups and, in the workspace of the kernel, its parameters in the order that products read them.
class ProgramPlan {
public:
  /// `parameters` are the operation's, [H or 1, ...].
  ProgramPlan(FeatureProgram program, ValueRange parameters, spectral::ScheduleAttr schedule);

  /// Allocates the packed parameters in `host` and writes them by a task for each head of a parameter.
  void pack(KernelBuilder &host, mlir::func::FuncOp kernel, StringRef name);
  /// Parameter `i` as the operation has it.
  Value parameter(unsigned i) const { return parameters[i]; }
  /// What a task captures to use the program.
  SmallVector<Value> captures() const;

  FeatureProgram program;
  SmallVector<FusedGroup> groups;                         ///< of the features
  std::map<unsigned, SmallVector<FusedGroup>> stepGroups; ///< of steps that fill tiles, by their position
  /// Row-independent features (domain linear): they cost one product per query, not per row and column.
  SmallVector<Segment> constants;
  bool hasScratchTiles() const { return program.tiles.size() > 1; }

  /// Whether products of rows, tile 0, can run on dot products: pairs need an even depth.
  bool canUseDots() const;
  /// Products of rows run on dot products; rows are bf16 then. Before pack().
  bool dots = false;
  bool usesDots(const FusedProduct &product) const;
  /// Products read parameters where they are unless these are transposed: a kernel that reads them once, for a few
  /// rows, would spend most of its time on packing. Before pack().
  bool direct = false;
  bool isPacked(const FusedProduct &product) const;

  /// Keeps constant features among the ordinary ones, for kernels that need a row of state for each feature.
  void keepConstantFeatures();

private:
  friend class TileEmitter;
  void group();
  void packProduct(KernelBuilder &k, TaskBuilder &task, const FusedGroup &group, unsigned position, Value source,
                   Value target) const;
  int64_t featureBlock;
  SmallVector<Value> parameters;
  SmallVector<Value> packedColumns; ///< by parameter; null if it is no column vector
  /// By group and product: [heads, blocks, depth, register columns], of dot products [heads, blocks, 2, depth / 2,
  /// register columns], pairs of rows and what their rounding lost.
  std::map<std::pair<const FusedGroup *, unsigned>, Value> packedProducts;
};

/// Where output `o` of a group has column `column` of the group, the first one of a block.
Value outputColumn(KernelBuilder &k, const FusedGroup &group, size_t o, Value column);

/// Calls body(group, first column, columns, number) for every block of features of a program.
void forFeatureBlocks(KernelBuilder &k, const ProgramPlan &plan,
                      llvm::function_ref<void(const FusedGroup &, Value, Columns, Value)> body);

/// The slice of [H or 1, ...] that belongs to a head.
Value headSlice(KernelBuilder &k, Value parameter, Value head);

} // namespace bochner::cpu

#endif // BOCHNER_LIB_CONVERSION_CPU_PROGRAMPLAN_H
