//===- Batches.cpp - expressions side by side ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Batches.h"

#include <algorithm>

namespace listops {

/// Batches in a window: enough for equal lengths, few enough to be made while one waits.
constexpr int64_t kWindow = 32;
/// Streams of random numbers besides those of the two splits.
enum Stream : uint64_t { kOrderOfExamples = 3, kOrderOfBatches = 4 };

template <typename T> static void shuffle(std::vector<T> &values, Random random) {
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[random.below(static_cast<uint32_t>(i))]);
}

/// Sorted by length and cut into batches.
static std::vector<Batch> makeBatches(std::vector<Example> examples, int64_t size) {
  // Ties by content: the order must not depend on how the library sorts.
  std::sort(examples.begin(), examples.end(), [](const Example &a, const Example &b) {
    return a.tokens.size() != b.tokens.size() ? a.tokens.size() < b.tokens.size() : a.tokens < b.tokens;
  });
  std::vector<Batch> batches;
  for (size_t begin = 0; begin < examples.size(); begin += static_cast<size_t>(size)) {
    size_t end = std::min(begin + static_cast<size_t>(size), examples.size());
    Batch batch;
    batch.size = static_cast<int64_t>(end - begin);
    batch.length = static_cast<int64_t>(examples[end - 1].tokens.size());
    batch.tokens.assign(static_cast<size_t>(batch.size * batch.length), kPadding);
    for (size_t i = begin; i < end; ++i) {
      const Example &example = examples[i];
      std::copy(example.tokens.begin(), example.tokens.end(),
                batch.tokens.begin() + static_cast<int64_t>(i - begin) * batch.length);
      batch.lengths.push_back(static_cast<int64_t>(example.tokens.size()));
      batch.labels.push_back(example.label);
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

void TrainBatches::shuffle(int64_t newEpoch) {
  epoch = newEpoch;
  window = -1;
  order.resize(static_cast<size_t>(options.trainSize));
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<uint32_t>(i);
  listops::shuffle(order, Random(uint64_t(options.seed)).fork(kOrderOfExamples).fork(static_cast<uint64_t>(epoch)));
}

void TrainBatches::fill(int64_t newWindow) {
  window = newWindow;
  std::vector<Example> examples;
  int64_t begin = window * kWindow * options.batch, end = std::min(begin + kWindow * options.batch, options.trainSize);
  TaskOptions task = options.taskAt(epoch * options.stepsPerEpoch() + window * kWindow);
  for (int64_t i = begin; i < end; ++i)
    examples.push_back(makeExample(task, uint64_t(options.seed), Split::Train, order[static_cast<size_t>(i)]));
  batches = makeBatches(std::move(examples), options.batch);
  listops::shuffle(batches, Random(uint64_t(options.seed))
                                .fork(kOrderOfBatches)
                                .fork(static_cast<uint64_t>(epoch))
                                .fork(static_cast<uint64_t>(window)));
}

const Batch &TrainBatches::at(int64_t step) {
  int64_t inEpoch = step % options.stepsPerEpoch();
  if (step / options.stepsPerEpoch() != epoch)
    shuffle(step / options.stepsPerEpoch());
  if (inEpoch / kWindow != window)
    fill(inEpoch / kWindow);
  return batches[static_cast<size_t>(inEpoch % kWindow)];
}

std::vector<Batch> makeHeldOutBatches(const Options &options) {
  std::vector<Example> examples;
  TaskOptions task = options.task();
  for (int64_t i = 0; i < options.heldOutSize; ++i)
    examples.push_back(makeExample(task, uint64_t(options.seed), Split::HeldOut, uint64_t(i)));
  return makeBatches(std::move(examples), options.batch);
}

} // namespace listops
