//===- Plot.h - curves as SVG ---------------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_PLOT_H
#define LISTOPS_PLOT_H

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace listops {

struct Curve {
  std::string name; ///< for the legend; "": none
  std::string color;
  bool isDashed = false;
  std::vector<std::pair<double, double>> points;
  std::vector<double> spread = {}; ///< of each point, to both sides: a band
};

struct Panel {
  std::string title, xLabel, yLabel;
  std::vector<Curve> curves;
  std::optional<std::pair<double, double>> yRange = std::nullopt; ///< what the curves take otherwise
};

/// Panels in rows, as a document that stands alone.
std::string drawSvg(const std::string &title, const std::vector<Panel> &panels, size_t columns);

} // namespace listops

#endif // LISTOPS_PLOT_H
