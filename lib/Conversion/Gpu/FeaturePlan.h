//===- FeaturePlan.h - a feature program on a GPU ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels know of a feature program before they run it: groups of columns, parameters as products read them, and
// where each feature has its row in the state. States of kernels have rows in the order of groups, each output of a
// group padded to whole blocks: `stateRows` in all.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_CONVERSION_GPU_FEATUREPLAN_H
#define BOCHNER_LIB_CONVERSION_GPU_FEATUREPLAN_H

#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Conversion/Gpu/DeviceKernel.h"
#include "lib/Conversion/Gpu/Fragments.h"
#include <map>
#include <vector>

namespace bochner::simt {

/// The start of a maximum that nothing has set; 2^ of its difference from a number is 0.
inline constexpr double kUnset = -1e30;

class FeaturePlan {
public:
  /// `parameters` are the operation's buffers, [H or 1, ...].
  FeaturePlan(FeatureProgram program, ValueRange parameters, Precision precision);

  /// Writes what products read to the workspace, by a kernel for each.
  mlir::LogicalResult pack(HostBuilder &host, StringRef name, const ChipLimits &limits);

  FeatureProgram program;
  Precision precision;
  SmallVector<Value> parameters;
  SmallVector<FusedGroup> groups;                         ///< of the features
  std::map<unsigned, SmallVector<FusedGroup>> stepGroups; ///< of steps that fill tiles, by their position
  int64_t stateRows = 0;

  /// First row in the state of output `o` of a group, whose column j has row j behind it.
  int64_t firstRow(unsigned group, unsigned o) const;
  /// Runs of features and rows of the state that lie one behind the other.
  struct Run {
    int64_t feature, row, count;
    bool operator==(const Run &other) const {
      return feature == other.feature && row == other.row && count == other.count;
    }
  };
  SmallVector<Run> runs() const;
  /// The packed operand of a product: [heads, depth, width], both in whole blocks.
  Value packed(const FusedGroup &group, unsigned position) const { return packedProducts.at({&group, position}); }
  int64_t depth(const FusedGroup &group, unsigned position) const {
    return program.products[group.products[position].product].depth;
  }
  /// Adjoints of the groups and of the steps, which are sums of row scalars.
  std::vector<GroupAdjoint> adjoints;
  std::vector<ReduceAdjoint> stepAdjoints;
  /// Fills them in. Why kernels cannot compute the adjoint; empty if they can. The reason completes "..., but
  /// <reason>".
  std::string differentiate();
  /// Whether a product reads the tile, which then holds operands.
  bool isMultiplied(unsigned tile) const;

private:
  mlir::LogicalResult packProduct(HostBuilder &host, StringRef name, const FusedGroup &group, unsigned position,
                                  const ChipLimits &limits);
  SmallVector<int64_t> firstRows; ///< by group
  std::map<std::pair<const FusedGroup *, unsigned>, Value> packedProducts;
};

} // namespace bochner::simt

#endif // BOCHNER_LIB_CONVERSION_GPU_FEATUREPLAN_H
