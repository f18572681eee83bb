//===- Kernel.cpp - what the kernels have become -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Kernel.h"
#include "Failure.h"

#include <algorithm>
#include <cmath>

namespace listops {

constexpr int64_t kDirections = 24, kDistances = 61, kFrequencies = 61;
constexpr double kFarthest = 12, kHighest = 3;
constexpr const char *kBefore = "#999999", *kAfter = "#c03a2b", *kTrain = "#1f6fb2";

/// Unit vectors, the same for every head.
static std::vector<double> makeDirections(int64_t dim) {
  std::vector<float> values(static_cast<size_t>(kDirections * dim));
  int64_t shape[] = {kDirections, dim};
  DLTensor tensor = {values.data(), {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};
  check(bochnerFillTensor("normal", 0, "directions", &tensor));
  std::vector<double> result(values.begin(), values.end());
  for (int64_t i = 0; i < kDirections; ++i) {
    double squares = 0;
    for (int64_t d = 0; d < dim; ++d)
      squares += result[static_cast<size_t>(i * dim + d)] * result[static_cast<size_t>(i * dim + d)];
    for (int64_t d = 0; d < dim; ++d)
      result[static_cast<size_t>(i * dim + d)] /= std::sqrt(squares);
  }
  return result;
}

/// With a window that ends at zero, so that cutting the curve off does not ring.
static void transform(KernelCurve &curve) {
  for (int64_t f = 0; f < kFrequencies; ++f) {
    double frequency = kHighest * double(f) / double(kFrequencies - 1), sum = 0;
    for (size_t i = 0; i < curve.distance.size(); ++i) {
      double window = 0.5 + 0.5 * std::cos(M_PI * double(i) / double(curve.distance.size() - 1));
      double weight = (i ? 1.0 : 0.5) * kFarthest / double(kDistances - 1);
      sum += weight * window * curve.mean[i] * std::cos(frequency * curve.distance[i]) / M_PI;
    }
    curve.frequency.push_back(frequency);
    curve.density.push_back(sum);
  }
}

std::vector<std::vector<KernelCurve>> measureKernels(Model &model, const Options &options) {
  std::vector<std::vector<KernelCurve>> result;
  if (options.isSoftmax())
    return result;
  int64_t dim = options.headDim(), count = 2 * kDirections * kDistances;
  std::vector<double> directions = makeDirections(dim);
  std::vector<float> points; // of each head: directions, distances, both signs
  for (int64_t h = 0; h < options.heads; ++h)
    for (int64_t i = 0; i < kDirections * kDistances; ++i)
      for (double sign : {0.5, -0.5})
        for (int64_t d = 0; d < dim; ++d)
          points.push_back(static_cast<float>(sign * kFarthest * double(i % kDistances) / double(kDistances - 1) *
                                              directions[static_cast<size_t>(i / kDistances * dim + d)]));
  auto features = static_cast<size_t>(model.featureCount());
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    int64_t components = 1;
    std::vector<float> phi = model.features(layer, points, count, components);
    // <phi(x), phi(y)> of one head, summed over components.
    auto product = [&](int64_t head, int64_t x, int64_t y) {
      double sum = 0;
      for (int64_t c = 0; c < components; ++c)
        for (size_t f = 0; f < features; ++f)
          sum += double(phi[static_cast<size_t>((c * options.heads + head) * count + x) * features + f]) *
                 double(phi[static_cast<size_t>((c * options.heads + head) * count + y) * features + f]);
      return sum;
    };
    std::vector<KernelCurve> &curves = result.emplace_back(static_cast<size_t>(options.heads));
    for (int64_t head = 0; head < options.heads; ++head) {
      KernelCurve &curve = curves[static_cast<size_t>(head)];
      for (int64_t i = 0; i < kDistances; ++i) {
        double sum = 0, squares = 0;
        for (int64_t direction = 0; direction < kDirections; ++direction) {
          int64_t x = 2 * (direction * kDistances + i);
          double norm = std::sqrt(product(head, x, x) * product(head, x + 1, x + 1));
          double value = norm > 0 ? product(head, x, x + 1) / norm : 0;
          sum += value / double(kDirections);
          squares += value * value / double(kDirections);
        }
        curve.distance.push_back(kFarthest * double(i) / double(kDistances - 1));
        curve.mean.push_back(sum);
        curve.deviation.push_back(std::sqrt(std::max(squares - sum * sum, 0.0)));
      }
      transform(curve);
    }
  }
  return result;
}

static Curve makeCurve(const char *name, const char *color, bool isDashed, const std::vector<double> &xs,
                       const std::vector<double> &ys) {
  Curve curve{name, color, isDashed, {}};
  for (size_t i = 0; i < xs.size(); ++i)
    curve.points.emplace_back(xs[i], ys[i]);
  return curve;
}

/// Of what is drawn, or 0.
static double lowestOf(const KernelCurve &a, const KernelCurve &b) {
  double lowest = 0;
  for (const KernelCurve *curve : {&a, &b})
    for (size_t i = 0; i < curve->mean.size(); ++i)
      lowest = std::min(lowest, curve->mean[i] - curve->deviation[i]);
  return lowest;
}

std::string drawKernels(const Options &options, const std::vector<std::vector<KernelCurve>> &before,
                        const std::vector<std::vector<KernelCurve>> &after, int64_t steps) {
  std::vector<Panel> panels;
  for (size_t layer = 0; layer < after.size(); ++layer)
    for (bool isDensity : {false, true})
      for (size_t head = 0; head < after[layer].size(); ++head) {
        const KernelCurve &old = before[layer][head], &now = after[layer][head];
        Panel panel;
        panel.title = concat("layer ", layer + 1, ", head ", head + 1);
        panel.xLabel = isDensity ? "frequency" : "distance |x - y|";
        panel.yLabel = isDensity ? "density" : "kernel";
        if (isDensity) {
          panel.curves = {makeCurve("before", kBefore, true, old.frequency, old.density),
                          makeCurve("after", kAfter, false, now.frequency, now.density)};
        } else {
          panel.curves = {makeCurve("before", kBefore, true, old.distance, old.mean),
                          makeCurve("after", kAfter, false, now.distance, now.mean)};
          panel.curves[0].spread = old.deviation;
          panel.curves[1].spread = now.deviation;
          panel.yRange = {lowestOf(old, now), 1}; // a kernel that is nearly constant should look like one
        }
        panels.push_back(std::move(panel));
      }
  return drawSvg(concat(options.map, ": kernels before and after ", steps, " steps (bands: directions)"), panels,
                 static_cast<size_t>(options.heads));
}

std::string drawCurves(const Options &options, const std::vector<Record> &history) {
  std::vector<double> steps, trainLoss, heldOutLoss, trainAccuracy, heldOutAccuracy;
  for (const Record &record : history) {
    steps.push_back(double(record.step));
    trainLoss.push_back(record.trainLoss);
    heldOutLoss.push_back(record.heldOutLoss);
    trainAccuracy.push_back(100 * record.trainAccuracy);
    heldOutAccuracy.push_back(100 * record.heldOutAccuracy);
  }
  Panel loss{"loss", "steps", "cross-entropy", {}};
  loss.curves = {makeCurve("train", kTrain, true, steps, trainLoss),
                 makeCurve("held out", kAfter, false, steps, heldOutLoss)};
  Panel accuracy{"accuracy", "steps", "percent", {}};
  accuracy.curves = {makeCurve("train", kTrain, true, steps, trainAccuracy),
                     makeCurve("held out", kAfter, false, steps, heldOutAccuracy)};
  return drawSvg(concat("ListOps up to ", options.maxLength, " tokens, ", options.map), {loss, accuracy}, 2);
}

} // namespace listops
