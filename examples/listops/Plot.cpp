//===- Plot.cpp - curves as SVG ------------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace listops {

namespace {
constexpr double kWidth = 380, kHeight = 260, kLeft = 56, kRight = 14, kTop = 30, kBottom = 42, kTitle = 34;

struct Range {
  double low = 0, high = 1;
  double share(double value) const { return (value - low) / (high - low); }
};
} // namespace

static std::string number(double value, int digits = 2) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

static std::string escape(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

/// The numbers 1, 2 or 5 times a power of ten that divide a range into about five parts.
static std::vector<double> ticksOf(const Range &range) {
  double rough = (range.high - range.low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  for (double tick = std::ceil(range.low / step - 1e-9) * step; tick <= range.high + 1e-9 * step; tick += step)
    ticks.push_back(std::fabs(tick) < 1e-9 * step ? 0 : tick);
  return ticks;
}

static std::string tickText(double value) {
  char text[40];
  if (value >= 10000 && std::fmod(value, 1000) == 0)
    std::snprintf(text, sizeof text, "%.0fk", value / 1000);
  else
    std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

static void include(Range &range, bool &isEmpty, double value) {
  if (!std::isfinite(value))
    return;
  range = isEmpty ? Range{value, value} : Range{std::min(range.low, value), std::max(range.high, value)};
  isEmpty = false;
}

/// At least a little wide.
static Range widened(Range range) {
  if (range.high - range.low > 1e-12 * std::max(std::fabs(range.high), 1.0))
    return range;
  return {range.low - 0.5, range.high + 0.5};
}

namespace {
class PanelDrawer {
public:
  PanelDrawer(const Panel &panel, double left, double top, std::string &svg)
      : panel(panel), left(left + kLeft), top(top + kTop), svg(svg) {
    bool noX = true, noY = true;
    for (const Curve &curve : panel.curves)
      for (size_t i = 0; i < curve.points.size(); ++i) {
        double spread = i < curve.spread.size() ? curve.spread[i] : 0;
        include(xs, noX, curve.points[i].first);
        include(ys, noY, curve.points[i].second - spread);
        include(ys, noY, curve.points[i].second + spread);
      }
    if (panel.yRange)
      ys = {panel.yRange->first, panel.yRange->second};
    xs = widened(xs);
    ys = widened(ys);
  }

  void draw() {
    drawAxes();
    for (const Curve &curve : panel.curves)
      drawCurve(curve);
    double row = top + 14;
    for (const Curve &curve : panel.curves) {
      if (curve.name.empty())
        continue;
      double x = left + width - 118;
      line(x, row - 4, x + 18, row - 4, curve.color, curve.isDashed ? " stroke-dasharray=\"5 3\"" : "", 2);
      text(x + 23, row, curve.name, "start");
      row += 15;
    }
  }

private:
  static constexpr double width = kWidth - kLeft - kRight, height = kHeight - kTop - kBottom;
  double x(double value) const { return left + width * xs.share(value); }
  double y(double value) const { return top + height * (1 - std::clamp(ys.share(value), 0.0, 1.0)); }

  void line(double x0, double y0, double x1, double y1, const std::string &color, const char *more, double stroke) {
    svg += "<line x1=\"" + number(x0) + "\" y1=\"" + number(y0) + "\" x2=\"" + number(x1) + "\" y2=\"" + number(y1) +
           "\" stroke=\"" + color + "\" stroke-width=\"" + number(stroke, 1) + "\"" + more + "/>\n";
  }
  void text(double atX, double atY, const std::string &content, const char *anchor, const char *more = "") {
    svg += "<text x=\"" + number(atX) + "\" y=\"" + number(atY) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
           escape(content) + "</text>\n";
  }

  void drawAxes() {
    for (double tick : ticksOf(xs)) {
      line(x(tick), top, x(tick), top + height, "#e4e4e4", "", 1);
      text(x(tick), top + height + 15, tickText(tick), "middle");
    }
    for (double tick : ticksOf(ys)) {
      line(left, y(tick), left + width, y(tick), "#e4e4e4", "", 1);
      text(left - 5, y(tick) + 4, tickText(tick), "end");
    }
    line(left, top + height, left + width, top + height, "#444444", "", 1);
    line(left, top, left, top + height, "#444444", "", 1);
    text(left + width / 2, top - 9, panel.title, "middle", " font-weight=\"bold\"");
    text(left + width / 2, top + height + 32, panel.xLabel, "middle");
    std::string turn = " transform=\"rotate(-90 " + number(left - 42) + " " + number(top + height / 2) + ")\"";
    text(left - 42, top + height / 2, panel.yLabel, "middle", turn.c_str());
  }

  void drawCurve(const Curve &curve) {
    if (!curve.spread.empty()) {
      std::string outline;
      for (size_t i = 0; i < curve.points.size(); ++i)
        outline += number(x(curve.points[i].first)) + "," + number(y(curve.points[i].second + curve.spread[i])) + " ";
      for (size_t i = curve.points.size(); i-- > 0;)
        outline += number(x(curve.points[i].first)) + "," + number(y(curve.points[i].second - curve.spread[i])) + " ";
      svg += "<polygon points=\"" + outline + "\" fill=\"" + curve.color + "\" fill-opacity=\"0.15\"/>\n";
    }
    std::string points;
    for (auto [px, py] : curve.points)
      if (std::isfinite(px) && std::isfinite(py))
        points += number(x(px)) + "," + number(y(py)) + " ";
    svg += "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + curve.color + "\" stroke-width=\"1.8\"" +
           (curve.isDashed ? " stroke-dasharray=\"5 3\"" : "") + "/>\n";
  }

  const Panel &panel;
  double left, top;
  std::string &svg;
  Range xs, ys;
};
} // namespace

std::string drawSvg(const std::string &title, const std::vector<Panel> &panels, size_t columns) {
  size_t rows = (panels.size() + columns - 1) / columns;
  std::string width = number(kWidth * double(columns), 0), height = number(kTitle + kHeight * double(rows), 0);
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
                    "\" viewBox=\"0 0 " + width + " " + height +
                    "\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#222222\">\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
                    "<text x=\"14\" y=\"22\" font-size=\"14\">" +
                    escape(title) + "</text>\n";
  for (size_t i = 0; i < panels.size(); ++i)
    PanelDrawer(panels[i], kWidth * double(i % columns), kTitle + kHeight * double(i / columns), svg).draw();
  return svg + "</svg>\n";
}

} // namespace listops
