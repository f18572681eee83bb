//===- Layout.h - axes in files and axes of graphs ------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Graphs use [B, H, N, D]; frameworks often store [B, N, H, D]. This file knows which arrays that concerns and how
// their axes map, by name and rank.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_LAYOUT_H
#define BOCHNER_TOOLS_RUN_LAYOUT_H

#include <string>
#include <vector>

namespace bochner::run {

/// How arrays in files stand to the [B, H, N, D] of graphs.
enum class Layout {
  BHND, ///< the same
  BNHD, ///< [B, N, H, D]
};

/// For each axis of a graph's tensor, the axis of the array in a file; the identity for what the layout leaves alone:
/// parameters, draws, and the [B, N, width] of whole models.
std::vector<int> fileAxes(Layout layout, const std::string &name, int rank);

/// For each axis of the file, the axis of the graph.
std::vector<int> inverted(const std::vector<int> &axes);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_LAYOUT_H
