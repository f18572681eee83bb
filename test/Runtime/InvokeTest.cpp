//===- InvokeTest.cpp - calls that succeed --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every call runs the function "add" of FakeModule.h, whose tasks write through scratch and workspace and so notice
// when two of them share it.
//
//===----------------------------------------------------------------------===//
#include "InvokeFixture.h"

#include <atomic>
#include <cstring>
#include <thread>

using namespace bochner;
using namespace bochner::test;

namespace {
class Invoke : public InvokeFixture {};
} // namespace

/// The tensor as a view of other memory, strides in elements.
template <typename T> static void viewOf(Tensor<T> &tensor, void *data, std::vector<int64_t> strides) {
  tensor.strides = std::move(strides);
  tensor.view.strides = tensor.strides.data();
  tensor.view.data = data;
}

TEST_F(Invoke, AddsTensors) {
  EXPECT_OK(invoke());
  EXPECT_TRUE(outIsSum());
}

TEST_F(Invoke, AllocatesResults) {
  DLManagedTensorVersioned *out = nullptr;
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  ASSERT_OK(bochnerInvokeAllocating(function, arguments, 3, &out, 1, nullptr));
  TensorOwner owner(out);
  EXPECT_EQ(out->version.major, 1u);
  EXPECT_EQ(out->flags, 0u);
  const DLTensor &view = out->dl_tensor;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data) % 64, 0u);
  EXPECT_EQ(view.device.device_type, kDLCPU);
  EXPECT_EQ(std::vector<int64_t>(view.shape, view.shape + 3), (std::vector<int64_t>{3, 5, 4}));
  EXPECT_EQ(std::vector<int64_t>(view.strides, view.strides + 3), (std::vector<int64_t>{20, 4, 1}));
  memcpy(this->out.elements.data(), view.data, sizeof(float) * 60);
  EXPECT_TRUE(outIsSum());
}

TEST_F(Invoke, AcceptsStrides) {
  // q and out as views whose axes 0 and 1 are swapped in memory; k is one row for all.
  std::vector<float> queryMemory(60), outMemory(60), row = {1, 2, 3, 4};
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t n = 0; n < 5; ++n)
      memcpy(&queryMemory[size_t(n * 12 + b * 4)], &query.elements[size_t(b * 20 + n * 4)], 16);
  viewOf(query, queryMemory.data(), {4, 12, 1});
  viewOf(out, outMemory.data(), {4, 12, 1});
  viewOf(key, row.data(), {0, 0, 1});
  ASSERT_OK(invoke());
  for (size_t i = 0; i < 60; ++i)
    EXPECT_EQ(outMemory[i], queryMemory[i] + row[i % 4]);
}

TEST_F(Invoke, AcceptsNegativeStrides) {
  std::vector<float> reversed(query.elements.rbegin(), query.elements.rend());
  for (size_t i = 0; i < 60; i += 4)
    std::reverse(reversed.begin() + int64_t(i), reversed.begin() + int64_t(i) + 4);
  viewOf(query, reversed.data() + 56, {-20, -4, 1}); // element 0 is the last row
  ASSERT_OK(invoke());
  EXPECT_TRUE(outIsSum());
}

TEST_F(Invoke, HonorsByteOffset) {
  std::vector<float> shifted(query.elements.size() + 3, -1.0f);
  std::copy(query.elements.begin(), query.elements.end(), shifted.begin() + 3);
  query.view.data = shifted.data();
  query.view.byte_offset = 12;
  ASSERT_OK(invoke());
  EXPECT_TRUE(outIsSum());
}

TEST_F(Invoke, AcceptsMisalignedData) {
  // Axes swapped as well: the copies must follow the strides.
  std::vector<char> queryBytes(241), outBytes(242, 'x'), lengthBytes(25);
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t n = 0; n < 5; ++n)
      memcpy(&queryBytes[size_t(1 + 4 * (n * 12 + b * 4))], &query.elements[size_t(b * 20 + n * 4)], 16);
  memcpy(&lengthBytes[1], lengths.elements.data(), 24);
  viewOf(query, &queryBytes[1], {4, 12, 1});
  viewOf(out, &outBytes[1], {4, 12, 1});
  lengths.view.data = &lengthBytes[1];
  ASSERT_OK(invoke());
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t n = 0; n < 5; ++n)
      memcpy(&out.elements[size_t(b * 20 + n * 4)], &outBytes[size_t(1 + 4 * (n * 12 + b * 4))], 16);
  EXPECT_TRUE(outIsSum());
  EXPECT_EQ(outBytes[0], 'x');
  EXPECT_EQ(outBytes[241], 'x');
  EXPECT_EQ(usedBytes(), 0u);
}

TEST_F(Invoke, AcceptsEmptyTensors) {
  for (std::vector<int64_t> shape : {std::vector<int64_t>{0, 5, 4}, {3, 0, 4}}) {
    Tensor<float> query(shape), key(shape), out(shape);
    Tensor<int64_t> lengths({shape[0]});
    query.view.data = key.view.data = out.view.data = nullptr;
    if (!shape[0])
      lengths.view.data = nullptr;
    const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
    DLTensor *results[] = {&out.view};
    EXPECT_OK(bochnerInvoke(function, arguments, 3, results, 1, nullptr));
  }
}

TEST_F(Invoke, IgnoresStridesOfDimensionsOfOne) {
  Tensor<float> query({1, 1, 4}, 1), key({1, 1, 4}, 2), out({1, 1, 4});
  Tensor<int64_t> lengths({1}, 1);
  viewOf(query, query.elements.data(), {INT64_MAX, INT64_MIN, 1});
  viewOf(lengths, lengths.elements.data(), {77}); // the last dimension of one element need not be contiguous
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLTensor *results[] = {&out.view};
  ASSERT_OK(bochnerInvoke(function, arguments, 3, results, 1, nullptr));
  EXPECT_EQ(out.elements, std::vector<float>(4, 3.0f));
}

TEST_F(Invoke, AcceptsViewsThatInterleaveInOneBuffer) {
  // Rows of 12 floats: query, key, out; one projection often makes them so.
  std::vector<float> buffer(15 * 12);
  for (size_t row = 0; row < 15; ++row) {
    memcpy(&buffer[row * 12], &query.elements[row * 4], 16);
    memcpy(&buffer[row * 12 + 4], &key.elements[row * 4], 16);
  }
  viewOf(query, &buffer[0], {60, 12, 1});
  viewOf(key, &buffer[4], {60, 12, 1});
  viewOf(out, &buffer[8], {60, 12, 1});
  ASSERT_OK(invoke());
  for (size_t row = 0; row < 15; ++row)
    memcpy(&out.elements[row * 4], &buffer[row * 12 + 8], 16);
  EXPECT_TRUE(outIsSum());
}

TEST_F(Invoke, CallsFunctionsWithoutTensorsOrDimensions) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info = {};
  info.name = "copy";
  info.entry = "fakeCopyScalar";
  info.arguments.resize(1);
  info.results.resize(1);
  info.arguments[0].name = "x";
  info.results[0].name = "y";
  info.arguments[0].type = info.results[0].type = format::ScalarType::f64;
  load(fake);
  Tensor<double> x({}, 2.5), y({});
  const DLTensor *arguments[] = {&x.view};
  DLTensor *results[] = {&y.view};
  ASSERT_OK(bochnerInvoke(function, arguments, 1, results, 1, nullptr));
  EXPECT_EQ(y.elements[0], 2.5);
}

TEST_F(Invoke, AcceptsOffsetsOfSequences) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.equalDims.pop_back();
  info.ranges.clear();
  info.offsets = {{2, {0, 1}}};
  load(fake);
  for (std::vector<int64_t> offsets : {std::vector<int64_t>{0, 2, 5}, {0, 0, 5, 5}, {0, 5}}) {
    lengths.shape = {int64_t(offsets.size())};
    lengths.view.data = offsets.data();
    std::fill(out.elements.begin(), out.elements.end(), -1.0f);
    ASSERT_OK(invoke());
    EXPECT_TRUE(outIsSum());
  }
  // Values are not looked at where only shapes count.
  lengths.view.data = nullptr;
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  int64_t shape[3];
  EXPECT_OK(bochnerResolveResultShape(function, arguments, 3, 0, shape));
}

TEST_F(Invoke, AcceptsOffsetsOfNothing) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.equalDims.pop_back();
  info.ranges.clear();
  info.offsets = {{2, {0, 1}}};
  load(fake);
  Tensor<float> query({1, 0, 4}), key({1, 0, 4}), out({1, 0, 4});
  Tensor<int64_t> offsets({1});
  const DLTensor *arguments[] = {&query.view, &key.view, &offsets.view};
  DLTensor *results[] = {&out.view};
  EXPECT_OK(bochnerInvoke(function, arguments, 3, results, 1, nullptr));
}

//===----------------------------------------------------------------------===//
// Memory and threads
//===----------------------------------------------------------------------===//

TEST_F(Invoke, UsesMemoryOfTheCaller) {
  bochner_cost_t cost = BOCHNER_COST_INIT;
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  ASSERT_OK(bochnerEstimateCost(function, arguments, 3, &cost));
  std::vector<char> memory(cost.workspace_bytes + uint64_t(cost.concurrency) * cost.scratch_bytes + 128, 'x');
  char *aligned = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.workspace = aligned;
  options.workspace_size = cost.workspace_bytes;
  options.scratch = aligned + cost.workspace_bytes;
  options.scratch_size = uint64_t(cost.concurrency) * cost.scratch_bytes;
  bochnerReleaseMemory(context.get());
  ASSERT_OK(invoke(&options));
  EXPECT_TRUE(outIsSum());
  bochner_memory_statistics_t statistics = BOCHNER_MEMORY_STATISTICS_INIT;
  ASSERT_OK(bochnerGetMemoryStatistics(context.get(), &statistics));
  EXPECT_EQ(statistics.peak_used_bytes, 0u);
  EXPECT_EQ(std::count(memory.end() - 1, memory.end(), 'x'), 1);
}

TEST_F(Invoke, KeepsMemoryForTheNextCall) {
  ASSERT_OK(invoke());
  bochner_memory_statistics_t first = BOCHNER_MEMORY_STATISTICS_INIT, second = first;
  ASSERT_OK(bochnerGetMemoryStatistics(context.get(), &first));
  ASSERT_OK(invoke());
  ASSERT_OK(bochnerGetMemoryStatistics(context.get(), &second));
  EXPECT_EQ(first.used_bytes, 0u);
  EXPECT_GT(first.cached_bytes, 0u);
  EXPECT_EQ(first.cached_bytes, second.cached_bytes);
  bochnerReleaseMemory(context.get());
  ASSERT_OK(bochnerGetMemoryStatistics(context.get(), &second));
  EXPECT_EQ(second.cached_bytes, 0u);
}

TEST_F(Invoke, GivesTheSameResultsForEveryNumberOfThreads) {
  for (int32_t threads : {1, 2, 3, 64}) {
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.threads = threads;
    std::fill(out.elements.begin(), out.elements.end(), -1.0f);
    ASSERT_OK(invoke(&options));
    EXPECT_TRUE(outIsSum()) << threads;
  }
}

TEST_F(Invoke, UsesNoMoreThreadsThanAskedFor) {
  context = makeContext("", nullptr, /*threads=*/8);
  load(FakeModule());
  alignas(64) static char scratch[8 * 64];
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = 2;
  options.scratch = scratch;
  options.scratch_size = 2 * 64; // enough for two
  // Long enough for all threads to wake up.
  Tensor<float> query({4, 500, 4}), key({4, 500, 4}), out({4, 500, 4});
  Tensor<int64_t> lengths({4});
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLTensor *results[] = {&out.view};
  for (int repetition = 0; repetition < 10; ++repetition) {
    memset(scratch, 'x', sizeof scratch);
    ASSERT_OK(bochnerInvoke(function, arguments, 3, results, 1, &options));
    ASSERT_EQ(std::count(scratch + 2 * 64, scratch + 8 * 64, 'x'), 6 * 64);
  }
}

TEST_F(Invoke, MayRunInManyThreadsAtOnce) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      Tensor<float> query({4, 8, 4}, float(t)), key({4, 8, 4}, 1), out({4, 8, 4});
      Tensor<int64_t> lengths({4}, 8);
      const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
      DLTensor *results[] = {&out.view};
      for (int repetition = 0; repetition < 100; ++repetition) {
        std::fill(out.elements.begin(), out.elements.end(), -1.0f);
        failures += !describe(bochnerInvoke(function, arguments, 3, results, 1, nullptr)).empty();
        failures += out.elements != std::vector<float>(128, float(t) + 1);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(usedBytes(), 0u);
}

namespace {
/// A pool of the host that starts `threads` threads for each loop, whatever it declared.
struct HostPool {
  static void run(void *self, bochner_task_fn task, void *context, int64_t count) {
    auto &pool = *static_cast<HostPool *>(self);
    ++pool.loops;
    std::atomic<int64_t> next{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < pool.threads; ++t)
      threads.emplace_back([&] {
        for (int64_t i; (i = next++) < count;)
          task(context, i);
      });
    for (std::thread &thread : threads)
      thread.join();
  }
  int threads;
  int loops = 0;
};
} // namespace

TEST_F(Invoke, UsesThreadsOfTheHost) {
  // Enough tasks for all threads to meet, and each other's scratch if they had the same.
  Tensor<float> query({4, 500, 4}, 1), key({4, 500, 4}, 2), out({4, 500, 4});
  for (size_t i = 0; i < query.elements.size(); ++i)
    query.elements[i] = float(i);
  Tensor<int64_t> lengths({4}, 8);
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  DLTensor *results[] = {&out.view};
  for (auto [threads, declared] : {std::pair(3, 3), {2, 100}, {4, 2}, {3, 1}}) {
    HostPool pool{threads};
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.parallel_for = {HostPool::run, &pool, declared};
    std::fill(out.elements.begin(), out.elements.end(), -1.0f);
    ASSERT_OK(bochnerInvoke(function, arguments, 3, results, 1, &options));
    for (size_t i = 0; i < out.elements.size(); ++i)
      ASSERT_EQ(out.elements[i], float(i) + 2) << threads << ' ' << declared;
    EXPECT_EQ(pool.loops, declared > 1 ? 1 : 0);
  }
}

TEST_F(Invoke, UsesThreadsOfTheHostByContext) {
  HostPool pool{3};
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.cache_dir = "";
  options.parallel_for = {HostPool::run, &pool, 3};
  bochner_context_t *raw = nullptr;
  ASSERT_OK(bochnerCreateContext(&options, &raw));
  context.reset(raw);
  load(FakeModule());
  ASSERT_OK(invoke());
  EXPECT_TRUE(outIsSum());
  EXPECT_EQ(pool.loops, 1);
  bochner_cost_t cost = BOCHNER_COST_INIT;
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  ASSERT_OK(bochnerEstimateCost(function, arguments, 3, &cost));
  EXPECT_EQ(cost.concurrency, 3);
}

//===----------------------------------------------------------------------===//
// Shapes and costs
//===----------------------------------------------------------------------===//

TEST_F(Invoke, ResolvesShapesAndCostsWithoutData) {
  query.view.data = key.view.data = lengths.view.data = nullptr;
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  int64_t shape[3];
  ASSERT_OK(bochnerResolveResultShape(function, arguments, 3, 0, shape));
  EXPECT_EQ(std::vector<int64_t>(shape, shape + 3), (std::vector<int64_t>{3, 5, 4}));
  bochner_cost_t cost = BOCHNER_COST_INIT;
  ASSERT_OK(bochnerEstimateCost(function, arguments, 3, &cost));
  EXPECT_EQ(cost.flop, 4 * 3 * 5 + 10);
  EXPECT_EQ(cost.state_bytes, 48u);
  EXPECT_EQ(cost.workspace_bytes, 64u * 15);
  EXPECT_EQ(cost.scratch_bytes, 64u); // 16, rounded up
  EXPECT_EQ(cost.concurrency, 2);
}

TEST_F(Invoke, WritesOnlyWhatAnOlderHeaderKnows) {
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
  bochner_cost_t cost = BOCHNER_COST_INIT;
  cost.struct_size = offsetof(bochner_cost_t, workspace_bytes);
  cost.workspace_bytes = 12345;
  ASSERT_OK(bochnerEstimateCost(function, arguments, 3, &cost));
  EXPECT_EQ(cost.flop, 70);
  EXPECT_EQ(cost.workspace_bytes, 12345u);
  EXPECT_EQ(cost.struct_size, offsetof(bochner_cost_t, workspace_bytes));
}

//===----------------------------------------------------------------------===//
// Managed tensors
//===----------------------------------------------------------------------===//

TEST_F(Invoke, BorrowsManagedTensors) {
  DLManagedTensor old = {query.view, nullptr, nullptr};
  DLManagedTensorVersioned versioned = {{1, 7}, nullptr, nullptr, DLPACK_FLAG_BITMASK_READ_ONLY, key.view};
  DLTensor *keyView = nullptr;
  ASSERT_OK(bochnerBorrowVersionedTensor(&versioned, /*writable=*/0, &keyView));
  const DLTensor *arguments[] = {bochnerBorrowTensor(&old), keyView, &lengths.view};
  DLTensor *results[] = {&out.view};
  ASSERT_OK(bochnerInvoke(function, arguments, 3, results, 1, nullptr));
  EXPECT_TRUE(outIsSum());
  EXPECT_FAILURE(bochnerBorrowVersionedTensor(&versioned, /*writable=*/1, &keyView),
                 "invalid argument: expected a writable tensor for a result, but it is read-only");
  EXPECT_EQ(keyView, nullptr);
  versioned.version.major = 2;
  EXPECT_FAILURE(bochnerBorrowVersionedTensor(&versioned, 0, &keyView),
                 "version mismatch: expected a tensor of DLPack 1.x, but got version 2.7");
  EXPECT_EQ(bochnerBorrowTensor(nullptr), nullptr);
}

TEST_F(Invoke, CreatesTensors) {
  DLManagedTensorVersioned *tensor = nullptr;
  const int64_t shape[] = {2, 3};
  ASSERT_OK(bochnerCreateTensor(context.get(), {kDLFloat, 32, 1}, 2, shape, &tensor));
  memset(tensor->dl_tensor.data, 0, 24);
  EXPECT_GT(usedBytes(), 0u);
  context.reset();
  module.reset();
  tensor->deleter(tensor); // after everything else is gone
}
