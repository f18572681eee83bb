//===- InvokeFixture.h - a loaded function and its tensors -------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function "add" of FakeModule.h with arguments of shape [3, 5, 4].
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_RUNTIME_INVOKEFIXTURE_H
#define BOCHNER_TEST_RUNTIME_INVOKEFIXTURE_H

#include "FakeModule.h"
#include "TestUtils.h"

namespace bochner::test {

class InvokeFixture : public ::testing::Test {
protected:
  void SetUp() override {
    for (size_t i = 0; i < query.elements.size(); ++i) {
      query.elements[i] = float(i);
      key.elements[i] = float(1000 * i);
    }
    load(FakeModule());
  }

  void load(const FakeModule &fake) {
    std::string bytes = fake.build();
    bochner_module_t *raw = nullptr;
    ASSERT_OK(bochnerLoadModuleFromMemory(context.get(), bytes.data(), bytes.size(), &raw));
    module.reset(raw);
    function = bochnerGetFunction(raw, 0);
  }

  bochner_status_t *invoke(const bochner_invoke_options_t *options = nullptr) {
    const DLTensor *arguments[] = {&query.view, &key.view, &lengths.view};
    DLTensor *results[] = {&out.view};
    return bochnerInvoke(function, arguments, 3, results, 1, options);
  }

  bool outIsSum() const {
    for (size_t i = 0; i < 60; ++i)
      if (out.elements[i] != 1001.0f * float(i))
        return false;
    return true;
  }

  uint64_t usedBytes() const {
    bochner_memory_statistics_t statistics = BOCHNER_MEMORY_STATISTICS_INIT;
    EXPECT_OK(bochnerGetMemoryStatistics(context.get(), &statistics));
    return statistics.used_bytes;
  }

  ContextOwner context = makeContext();
  ModuleOwner module;
  const bochner_function_t *function = nullptr;
  Tensor<float> query{{3, 5, 4}}, key{{3, 5, 4}}, out{{3, 5, 4}, -1.0f};
  Tensor<int64_t> lengths{{3}, 5};
};

} // namespace bochner::test

#endif // BOCHNER_TEST_RUNTIME_INVOKEFIXTURE_H
