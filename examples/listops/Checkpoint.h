//===- Checkpoint.h - a run that can go on --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All that a run needs to end with the bits that it would have ended with undisturbed. The position in the data is the
// number of steps, because a batch is a function of it. One file: "LISTOPS1", size and FNV-1a of the rest, the rest.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_CHECKPOINT_H
#define LISTOPS_CHECKPOINT_H

#include "Options.h"

namespace listops {

/// What was measured after `step` steps.
struct Record {
  int64_t step = 0;
  double seconds = 0, cpuSeconds = 0, learningRate = 0, trainLoss = 0, trainAccuracy = 0, heldOutLoss = 0,
         heldOutAccuracy = 0;
};

/// Sums over batches.
struct Meter {
  double loss = 0;
  int64_t correct = 0, count = 0;
  void add(double batchLoss, int64_t batchCorrect, int64_t size) {
    loss += batchLoss * double(size);
    correct += batchCorrect;
    count += size;
  }
  double meanLoss() const { return count ? loss / double(count) : 0; }
  double accuracy() const { return count ? double(correct) / double(count) : 0; }
};

struct SavedTensor {
  std::string name, type; ///< "f32"
  std::vector<int64_t> shape;
  std::string bytes;
};

struct Checkpoint {
  Settings settings;
  std::string graph; ///< hash of the graph that was trained
  int64_t step = 0;
  double seconds = 0, cpuSeconds = 0; ///< spent on the steps, by the clock and by all threads together
  Meter meter;                        ///< since the last record
  std::vector<Record> history;
  std::vector<SavedTensor> tensors; ///< parameters, their moments, buffers
};

void saveCheckpoint(const Checkpoint &checkpoint, const std::string &path);

/// Throws Failure if there is none, or if it is damaged.
Checkpoint loadCheckpoint(const std::string &path);

} // namespace listops

#endif // LISTOPS_CHECKPOINT_H
