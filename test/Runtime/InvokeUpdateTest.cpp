//===- InvokeUpdateTest.cpp - results in the memory of arguments ----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result that is the next value of an argument may be given its memory. What is refused is in InvokeErrorsTest.cpp.
//
//===----------------------------------------------------------------------===//
#include "InvokeFixture.h"

#include <cstring>

using namespace bochner;
using namespace bochner::test;

namespace {
/// The function "add" with `out` as the next value of `q`.
class InvokeUpdate : public InvokeFixture {
protected:
  void loadUpdate(uint32_t inPlace) {
    FakeModule fake;
    fake.info.functions[0].updates = {{0, 0, inPlace}};
    load(fake);
  }

  /// Calls with memory of the caller and returns what the library allocated beyond it.
  uint64_t invokeAndCountBytes() {
    alignas(64) static char workspace[1024], scratch[256];
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.workspace = workspace;
    options.workspace_size = sizeof workspace;
    options.scratch = scratch;
    options.scratch_size = sizeof scratch;
    bochnerReleaseMemory(context.get());
    EXPECT_OK(invoke(&options));
    bochner_memory_statistics_t statistics = BOCHNER_MEMORY_STATISTICS_INIT;
    EXPECT_OK(bochnerGetMemoryStatistics(context.get(), &statistics));
    return statistics.peak_used_bytes;
  }
};
} // namespace

TEST_F(InvokeUpdate, TakesPlaceInTheArgument) {
  loadUpdate(/*inPlace=*/1);
  EXPECT_EQ(bochnerGetUpdatedArgument(function, 0), 0);
  EXPECT_EQ(bochnerGetUpdatedArgument(function, 1), -1);
  out.view.data = query.elements.data();
  EXPECT_EQ(invokeAndCountBytes(), 0u);
  out.elements = query.elements;
  EXPECT_TRUE(outIsSum());
}

TEST_F(InvokeUpdate, MayHaveMemoryOfItsOwn) {
  loadUpdate(/*inPlace=*/1);
  std::vector<float> before = query.elements;
  EXPECT_EQ(invokeAndCountBytes(), 0u);
  EXPECT_TRUE(outIsSum());
  EXPECT_EQ(query.elements, before);
}

TEST_F(InvokeUpdate, IgnoresStridesOfDimensionsOfOne) {
  // Strides of dimensions of one do not count.
  loadUpdate(/*inPlace=*/1);
  std::vector<float> memory(20);
  for (size_t i = 0; i < 20; ++i)
    memory[i] = float(i);
  query.shape = key.shape = out.shape = {1, 5, 4};
  lengths.shape = {1};
  query.view.data = out.view.data = memory.data();
  query.view.strides = (query.strides = {77, 4, 1}).data();
  out.view.strides = (out.strides = {-3, 4, 1}).data();
  ASSERT_OK(invoke());
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ(memory[i], 1001.0f * float(i));
}

TEST_F(InvokeUpdate, CopiesTheArgumentOfCodeThatReadsItLater) {
  FakeModule fake;
  format::FunctionInfo &info = fake.info.functions[0];
  info.entry = "fakeReverse";
  info.workspace = "";
  info.updates = {{0, 0, 0}};
  load(fake);
  std::vector<float> reversed(query.elements.rbegin(), query.elements.rend());
  out.view.data = query.elements.data();
  EXPECT_GE(invokeAndCountBytes(), 240u);
  EXPECT_EQ(query.elements, reversed);
  // With memory of its own there is nothing to copy.
  out.view.data = out.elements.data();
  EXPECT_EQ(invokeAndCountBytes(), 0u);
  EXPECT_NE(out.elements, reversed);
}

TEST_F(InvokeUpdate, AcceptsMisalignedMemory) {
  loadUpdate(/*inPlace=*/1);
  std::vector<char> bytes(241);
  memcpy(&bytes[1], query.elements.data(), 240);
  query.view.data = out.view.data = &bytes[1];
  ASSERT_OK(invoke());
  memcpy(out.elements.data(), &bytes[1], 240);
  EXPECT_TRUE(outIsSum());
}
