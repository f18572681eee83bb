//===- Batches.h - expressions side by side -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A batch is a function of the settings and the number of the step. Each epoch shuffles all expressions, takes them in
// windows of a few batches, sorts a window by length, so that little is padded, and shuffles its batches.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_BATCHES_H
#define LISTOPS_BATCHES_H

#include "Options.h"

namespace listops {

struct Batch {
  int64_t size = 0, length = 0; ///< expressions; tokens of the longest
  std::vector<int32_t> tokens;  ///< size x length, padded at the ends
  std::vector<int64_t> lengths;
  std::vector<int32_t> labels;
};

class TrainBatches {
public:
  explicit TrainBatches(const Options &options) : options(options) {}
  const Batch &at(int64_t step);

private:
  void shuffle(int64_t newEpoch);
  void fill(int64_t newWindow);

  const Options &options;
  int64_t epoch = -1, window = -1; ///< what `order` and `batches` are of
  std::vector<uint32_t> order;
  std::vector<Batch> batches;
};

std::vector<Batch> makeHeldOutBatches(const Options &options);

} // namespace listops

#endif // LISTOPS_BATCHES_H
