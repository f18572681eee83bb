//===- CudaCallTest.cpp - calls on device cuda ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaFixture.h"

#include <thread>

using namespace bochner::test;

namespace {
class CudaCall : public CudaFixture {};
} // namespace

TEST_F(CudaCall, LaunchesOnTheStreamOfTheCaller) {
  EXPECT_OK(invokeOn(reinterpret_cast<void *>(0x1230)));
  EXPECT_TRUE(outIsSum());
  EXPECT_EQ(mock.count("cuLaunchKernel(fake_add, grid 3 1 1, block 128 1 1, shared 5120, stream 0x1230)"), 2u)
      << mock.log();
  EXPECT_EQ(mock.count("cuMemAllocAsync(4096, stream 0x1230)"), 1u);
  EXPECT_EQ(mock.count("cuMemFreeAsync(stream 0x1230)"), 1u);
  EXPECT_EQ(mock.count("cuStreamSynchronize"), 0u) << "a call waits for nothing";
  EXPECT_EQ(mock.count("cuFuncSetAttribute"), 0u);
}

TEST_F(CudaCall, LoadsOnce) {
  for (int i = 0; i < 3; ++i)
    EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuModuleLoadDataEx"), 1u) << mock.log();
  EXPECT_EQ(mock.count("cuModuleGetFunction"), 1u);
}

TEST_F(CudaCall, TakesTheWorkspaceOfTheCaller) {
  alignas(64) static char workspace[4096];
  EXPECT_OK(invokeOn(nullptr, workspace, sizeof workspace));
  EXPECT_EQ(mock.count("cuMemAllocAsync"), 0u) << mock.log();
  EXPECT_FAILURE(invokeOn(nullptr, workspace, 100),
                 "invalid argument: expected at least 4096 bytes of workspace, but got 100");
  EXPECT_FAILURE(invokeOn(nullptr, workspace + 1, 4095),
                 "invalid argument: expected the workspace to be aligned to 64 bytes");
}

TEST_F(CudaCall, AsksForStreamOrderedAllocation) {
  Setting pools("MOCK_CUDA_NO_POOLS", "1");
  EXPECT_FAILURE(invoke(), "unavailable: expected a device with stream-ordered allocation, which this one lacks; pass "
                           "4096 bytes of device memory as 'workspace' of the options");
}

//===----------------------------------------------------------------------===//
// Capture
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, IsCapturedAfterACall) {
  alignas(64) static char workspace[4096];
  EXPECT_OK(invokeOn(nullptr, workspace, sizeof workspace));
  mock.reset();
  Setting capturing("MOCK_CUDA_CAPTURING", "1");
  EXPECT_OK(invokeOn(nullptr, workspace, sizeof workspace));
  EXPECT_EQ(mock.count("cuLaunchKernel"), 2u) << mock.log();
}

TEST_F(CudaCall, IsNotLoadedDuringCapture) {
  alignas(64) static char workspace[4096];
  Setting capturing("MOCK_CUDA_CAPTURING", "1");
  EXPECT_FAILURE(invokeOn(nullptr, workspace, sizeof workspace),
                 "invalid argument: expected kernel 'fake_add' to be loaded before a stream is captured; call the "
                 "function once with tensors of these shapes before the capture");
}

TEST_F(CudaCall, DoesNotAllocateDuringCapture) {
  EXPECT_OK(invoke());
  Setting capturing("MOCK_CUDA_CAPTURING", "1");
  EXPECT_FAILURE(invoke(),
                 "invalid argument: expected 4096 bytes of workspace in device memory for a call on a stream "
                 "that is being captured, where nothing is allocated; allocate it before the capture and pass "
                 "it as 'workspace' of the options");
}

TEST_F(CudaCall, DoesNotOptInDuringCapture) {
  alignas(64) static char workspace[4096];
  EXPECT_OK(invokeOn(nullptr, workspace, sizeof workspace));
  Setting capturing("MOCK_CUDA_CAPTURING", "1");
  Tensor<float> q{{3, 60, 4}}, k{{3, 60, 4}}, o{{3, 60, 4}};
  for (DLTensor *tensor : {&q.view, &k.view, &o.view})
    tensor->device = {kDLCUDA, 0};
  query.view = q.view;
  key.view = k.view;
  out.view = o.view;
  EXPECT_FAILURE_WITH(invokeOn(nullptr, workspace, sizeof workspace), "to be loaded before a stream is captured");
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, OptsInToSharedMemory) {
  Tensor<float> q{{3, 60, 4}}, k{{3, 60, 4}}, o{{3, 60, 4}};
  for (DLTensor *tensor : {&q.view, &k.view, &o.view})
    tensor->device = {kDLCUDA, 0};
  query.view = q.view;
  key.view = k.view;
  out.view = o.view;
  {
    Setting fail("MOCK_CUDA_FAIL", "cuFuncSetAttribute");
    EXPECT_FAILURE(invoke(), "device error: cuFuncSetAttribute failed: CUDA_ERROR_UNKNOWN (mock failure): kernel "
                             "'fake_add', 61440 bytes of shared memory");
    mock.reset();
  }
  EXPECT_OK(invoke());
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuFuncSetAttribute(8, 61440)"), 1u) << mock.log();
  Setting limit("MOCK_CUDA_SHARED", "50000");
  SetUp();
  query.view = q.view;
  key.view = k.view;
  out.view = o.view;
  EXPECT_FAILURE(invoke(), "unavailable: kernel 'fake_add' needs 61440 bytes of shared memory, but the device gives "
                           "50000; compile for its chip");
}

//===----------------------------------------------------------------------===//
// Contexts and threads
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, UsesTheCurrentContext) {
  void *own = mock.createContext(0), *popped;
  ASSERT_EQ(mock.push(own), 0);
  mock.reset();
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuDevicePrimaryCtxRetain"), 0u) << mock.log();
  EXPECT_EQ(mock.count("cuCtxPushCurrent"), 0u);
  mock.pop(&popped);
  EXPECT_EQ(popped, own);
  // Another context of the same device has modules of its own.
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuModuleLoadDataEx"), 2u) << mock.log();
  EXPECT_EQ(mock.counts().modules, 2);
}

TEST_F(CudaCall, LeavesTheContextOfAnotherDevice) {
  void *own = mock.createContext(1), *popped;
  ASSERT_EQ(mock.push(own), 0);
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuCtxPushCurrent"), 2u) << mock.log();
  mock.pop(&popped);
  EXPECT_EQ(popped, own);
}

TEST_F(CudaCall, SurvivesAContextThatIsGone) {
  void *first = mock.createContext(0), *popped;
  ASSERT_EQ(mock.push(first), 0);
  EXPECT_OK(invoke());
  mock.pop(&popped);
  mock.destroyContext(first);
  // Another one with the same address has no modules yet, and those of the first are not unloaded from it.
  void *second = mock.createContext(0);
  ASSERT_EQ(second, first);
  ASSERT_EQ(mock.push(second), 0);
  EXPECT_OK(invoke());
  mock.pop(&popped);
  EXPECT_EQ(mock.count("cuModuleLoadDataEx"), 2u) << mock.log();
  mock.reset();
  module.reset();
  EXPECT_EQ(mock.count("cuModuleUnload"), 1u) << mock.log();
}

TEST_F(CudaCall, LoadsOnceForAllThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j)
        EXPECT_OK(invokeOn(reinterpret_cast<void *>(uintptr_t(0x10))));
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(mock.count("cuModuleLoadDataEx"), 1u);
  EXPECT_EQ(mock.count("cuLaunchKernel"), 80u);
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, RefusesTensorsOnTheCpu) {
  key.view.device = {kDLCPU, 0};
  EXPECT_FAILURE(invoke(),
                 "invalid argument: expected 'k' to be in the memory of a CUDA device (DLPack device type 2), "
                 "but got device type 1; copy it there first, for example by bochnerCopyTensor()");
}

TEST_F(CudaCall, RefusesTwoDevices) {
  out.view.device.device_id = 1;
  EXPECT_FAILURE(invoke(),
                 "invalid argument: expected result 'out' to be on CUDA device 0 as the tensors before it, but "
                 "got device 1");
}

TEST_F(CudaCall, RefusesWhatACopyWouldAlign) {
  key.view.byte_offset = 2;
  EXPECT_FAILURE(invoke(), "invalid argument: expected 'k' to be aligned to its element size of 4 bytes in device "
                           "memory; copy it to aligned memory first");
}

TEST_F(CudaCall, DoesNotAllocateResults) {
  const DLTensor *arguments[] = {&query.view, &key.view, &lengths};
  DLManagedTensorVersioned *result = nullptr;
  EXPECT_FAILURE_WITH(bochnerInvokeAllocating(function, arguments, 3, &result, 1, nullptr),
                      "invalid argument: expected results of the caller for a function of device cuda");
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST_F(CudaCall, SaysWhichCallFailed) {
  for (const char *call :
       {"cuCtxGetCurrent", "cuCtxPushCurrent", "cuCtxGetDevice", "cuStreamIsCapturing", "cuDeviceGetAttribute",
        "cuMemAllocAsync", "cuModuleLoadDataEx", "cuModuleGetFunction", "cuFuncGetAttribute", "cuLaunchKernel"}) {
    Setting fail("MOCK_CUDA_FAIL", call);
    EXPECT_FAILURE_WITH(invoke(), std::string("device error: ") + call + " failed: CUDA_ERROR_UNKNOWN (mock failure)");
    EXPECT_EQ(mock.counts().allocations, 0) << call;
    EXPECT_EQ(mock.counts().depth, 0) << call;
  }
  EXPECT_OK(invoke()); // a failure is not for ever
  EXPECT_TRUE(outIsSum());
}

TEST_F(CudaCall, SaysWhichCallOfADeviceFailed) {
  // Before the primary context of device 1 is known.
  for (DLTensor *tensor : {&query.view, &key.view, &lengths, &out.view})
    tensor->device = {kDLCUDA, 1};
  for (const char *call : {"cuDeviceGet", "cuDevicePrimaryCtxRetain"}) {
    if (mock.counts().retained > 1)
      GTEST_SKIP() << "another test of this process has retained it";
    Setting fail("MOCK_CUDA_FAIL", call);
    EXPECT_FAILURE_WITH(invoke(), std::string("device error: ") + call + " failed: CUDA_ERROR_UNKNOWN (mock failure)");
  }
}

TEST_F(CudaCall, TellsMemoryFromOtherFailures) {
  Setting fail("MOCK_CUDA_FAIL", "cuMemAllocAsync"), result("MOCK_CUDA_RESULT", "2");
  EXPECT_FAILURE(invoke(),
                 "out of memory: cuMemAllocAsync failed: CUDA_ERROR_OUT_OF_MEMORY (out of memory): 4096 bytes "
                 "of workspace");
}

TEST_F(CudaCall, RefusesGridsThatNoDeviceTakes) {
  Tensor<float> q{{1, 70000, 4}}, k{{1, 70000, 4}}, o{{1, 70000, 4}};
  for (DLTensor *tensor : {&q.view, &k.view, &o.view})
    tensor->device = {kDLCUDA, 0};
  query.view = q.view;
  key.view = k.view;
  out.view = o.view;
  batches = 1;
  EXPECT_FAILURE(invoke(),
                 "invalid argument: expected dimension 1 of the grid of kernel 'fake_add' to be at most 65535 "
                 "blocks, but got 70000; use smaller batches");
}

TEST_F(CudaCall, HasNothingToDoForNoBlocks) {
  Tensor<float> q{{0, 5, 4}}, k{{0, 5, 4}}, o{{0, 5, 4}};
  for (DLTensor *tensor : {&q.view, &k.view, &o.view})
    tensor->device = {kDLCUDA, 0};
  query.view = q.view;
  key.view = k.view;
  out.view = o.view;
  batches = 0;
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuLaunchKernel"), 0u) << mock.log();
}

TEST_F(CudaCall, EndsAtTheFirstFailure) {
  Setting fail("MOCK_CUDA_FAIL", "cuLaunchKernel");
  EXPECT_FAILURE_WITH(invoke(), "kernel 'fake_add'");
  EXPECT_EQ(mock.count("cuLaunchKernel"), 1u) << mock.log();
}
