//===- Layout.cpp - axes in files and axes of graphs ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of DESIGN.md's "Axes and names".
//
//===----------------------------------------------------------------------===//
#include "Layout.h"

#include <numeric>

namespace bochner::run {

static bool isPerHead(const std::string &name) {
  for (const char *known : {"q", "k", "v", "cot", "out", "grad_q", "grad_k", "grad_v"})
    if (name == known)
      return true;
  return name.compare(0, 4, "phi_") == 0;
}

std::vector<int> fileAxes(Layout layout, const std::string &name, int rank) {
  if (layout == Layout::BNHD) {
    if (isPerHead(name) && rank == 4)
      return {0, 2, 1, 3}; // [B, N, H, D]
    if (isPerHead(name) && rank == 5)
      return {0, 2, 3, 1, 4}; // [B, N, C, H, F] is [B, C, H, N, F]
    if (name == "den" && rank == 3)
      return {0, 2, 1}; // [B, N, H]
    if (name == "den" && rank == 4)
      return {0, 2, 3, 1}; // [B, N, C, H]
  }
  std::vector<int> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

std::vector<int> inverted(const std::vector<int> &axes) {
  std::vector<int> result(axes.size());
  for (size_t i = 0; i < axes.size(); ++i)
    result[axes[i]] = static_cast<int>(i);
  return result;
}

} // namespace bochner::run
