//===- Options.h - the command line ---------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Options are settings, which decide the bits of a run and stand in its checkpoints, or not: threads, files, the time
// limit and how often something is written may change when a run is resumed.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_OPTIONS_H
#define LISTOPS_OPTIONS_H

#include "Task.h"

#include <map>
#include <set>

namespace listops {

/// Name without dashes to value, in text.
using Settings = std::map<std::string, std::string>;

struct Options {
  // The model.
  std::string map = "gmm_prf";
  int64_t layers = 2, width = 64, heads = 4, features = 0, feedForward = 128;
  // The data.
  int64_t maxLength = 500, minLength = 0, trainSize = 96000, heldOutSize = 2000;
  // The optimizer.
  int64_t batch = 32, steps = 0, epochs = 2, warmup = 200, grow = 3000;
  double learningRate = 2e-3, weightDecay = 0.01, clipNorm = 1.0, dropout = 0, positions = 1;
  std::string schedule = "cosine";
  int64_t seed = 1, report = 0;
  // What does not count as a setting.
  int64_t threads = 0, checkpointEvery = 100, printData = 0;
  double minutes = 0;
  std::string out, generator;
  bool resume = false, help = false;

  std::set<std::string> given; ///< names of the options on the command line

  TaskOptions task() const;
  /// The task that training starts with, on the way to task(): with --grow, bounds of lengths grow by a constant factor
  /// in each step.
  TaskOptions taskAt(int64_t step) const;
  bool isSoftmax() const { return map == "softmax"; }
  int64_t headDim() const { return width / heads; }
  int64_t stepsPerEpoch() const { return (trainSize + batch - 1) / batch; }
  int64_t totalSteps() const { return steps ? steps : epochs * stepsPerEpoch(); }
  int64_t reportEvery() const { return report ? report : stepsPerEpoch(); }
  /// Of the step that follows `step` others.
  double learningRateAt(int64_t step) const;

  Settings settings() const;
  /// Takes the settings of a checkpoint; those on the command line must not say anything else.
  void takeSettings(const Settings &settings, const std::string &path);
};

/// Throws Failure.
Options parseOptions(int argc, char **argv);

std::string helpText();

} // namespace listops

#endif // LISTOPS_OPTIONS_H
