//===- ContextTest.cpp - contexts, versions and statuses ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestUtils.h"
#include "runtime/Status.h"

#include <new>
#include <stdexcept>

using namespace bochner;
using namespace bochner::test;

TEST(Context, ChecksTheAbiVersion) {
  bochner_context_t *context = nullptr;
  EXPECT_FAILURE(bochnerCreateContextForAbi(BOCHNER_ABI_VERSION + 1, nullptr, &context),
                 "version mismatch: expected a program built for ABI version 0.0 to 0.3 (libbochner.so is version "
                 "0.1.0), but it was built for 0.4; install a newer libbochner.so");
  EXPECT_FAILURE(bochnerCreateContextForAbi(BOCHNER_ABI_VERSION + 0x10000, nullptr, &context),
                 "version mismatch: expected a program built for ABI version 0.0 to 0.3 (libbochner.so is version "
                 "0.1.0), but it was built for 1.3; install a newer libbochner.so");
  EXPECT_EQ(context, nullptr);
  EXPECT_EQ(bochnerGetAbiVersion(), BOCHNER_ABI_VERSION);
  int major = -1, minor = -1, patch = -1;
  bochnerGetVersion(&major, &minor, &patch);
  EXPECT_EQ(std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch), BOCHNER_VERSION_STRING);
  bochnerGetVersion(nullptr, nullptr, nullptr);
  EXPECT_STREQ(bochnerGetVersionString(), BOCHNER_VERSION_STRING);
}

TEST(Context, ChecksItsOptions) {
  bochner_context_t *context = nullptr;
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.threads = -1;
  EXPECT_FAILURE(bochnerCreateContext(&options, &context),
                 "invalid argument: expected threads to lie in [0, 16384], but got -1");
  options.threads = 0;
  options.parallel_for.run = [](void *, bochner_task_fn, void *, int64_t) {};
  options.parallel_for.max_concurrency = 100000;
  EXPECT_FAILURE(bochnerCreateContext(&options, &context),
                 "invalid argument: expected max_concurrency of parallel_for to lie in [1, 16384], but got 100000");
  EXPECT_FAILURE(bochnerCreateContext(nullptr, nullptr),
                 "invalid argument: expected a pointer for the context, but got NULL");
}

TEST(Context, UsesOneThreadForEachCpu) {
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.cache_dir = "";
  bochner_context_t *context = nullptr;
  ASSERT_OK(bochnerCreateContext(&options, &context));
  EXPECT_GE(bochnerGetThreadCount(context), 1);
  bochnerDestroyContext(context);
  options.threads = 7;
  ASSERT_OK(bochnerCreateContext(&options, &context));
  EXPECT_EQ(bochnerGetThreadCount(context), 7);
  bochnerDestroyContext(context);
}

TEST(Context, AcceptsOptionsOfAnOlderHeader) {
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.struct_size = offsetof(bochner_context_options_t, threads);
  options.cache_dir = "";
  options.threads = -5; // not there yet in that header
  bochner_context_t *context = nullptr;
  EXPECT_OK(bochnerCreateContext(&options, &context));
  bochnerDestroyContext(context);
}

TEST(Context, DestroysNothing) {
  bochnerDestroyContext(nullptr);
  bochnerDestroyModule(nullptr);
  bochnerDestroyStatus(nullptr);
  bochnerReleaseMemory(nullptr);
}

TEST(Status, NullIsSuccess) {
  EXPECT_EQ(bochnerGetStatusCode(nullptr), BOCHNER_STATUS_OK);
  EXPECT_STREQ(bochnerGetStatusMessage(nullptr), "");
  EXPECT_EQ(bochnerGetStatusDiagnosticCount(nullptr), 0u);
  EXPECT_EQ(bochnerGetStatusDiagnostic(nullptr, 0), nullptr);
}

TEST(Status, ExceptionsBecomeStatuses) {
  EXPECT_FAILURE(protect([]() -> Status { throw std::bad_alloc(); }), "out of memory: out of memory");
  EXPECT_FAILURE(protect([]() -> Status { throw std::runtime_error("odd"); }),
                 "internal error: unexpected exception: odd");
  EXPECT_FAILURE(protect([]() -> Status { throw 5; }), "internal error: unexpected exception");
  EXPECT_OK(protect([]() -> Status { return {}; }));
}

TEST(Status, EveryCodeHasAName) {
  for (int code = 0; code <= BOCHNER_STATUS_INTERNAL_ERROR; ++code)
    EXPECT_STRNE(bochnerGetStatusCodeName(bochner_status_code_t(code)), "unknown") << code;
  EXPECT_STREQ(bochnerGetStatusCodeName(bochner_status_code_t(15)), "unknown");
  EXPECT_EQ(bochnerIsUserError(BOCHNER_STATUS_OK), 0);
  EXPECT_EQ(bochnerIsUserError(BOCHNER_STATUS_OUT_OF_MEMORY), 0);
  EXPECT_EQ(bochnerIsUserError(BOCHNER_STATUS_VERSION_MISMATCH), 1);
}
