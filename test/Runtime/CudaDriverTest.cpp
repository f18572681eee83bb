//===- CudaDriverTest.cpp - machines without a driver ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaFixture.h"

using namespace bochner::test;

// Before the mock is loaded: a test runs in a process of its own, or is the first one of all that ask for a driver.
TEST(CudaADriver, IsNotThere) {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD) || dlopen("libcuda.so.1", RTLD_NOW))
    GTEST_SKIP() << "this machine has a driver, or the mock is already loaded";
  int64_t shape[] = {4};
  DLManagedTensorVersioned *tensor = nullptr;
  EXPECT_FAILURE_WITH(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                      "unavailable: expected a driver for NVIDIA GPUs, but libcuda.so.1 could not be loaded (");
  EXPECT_EQ(tensor, nullptr);
}

TEST(CudaADriver, IsTooOld) {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD))
    GTEST_SKIP() << "another test of this process has loaded a driver";
  MockCuda old("mock-cuda-old");
  int64_t shape[] = {4};
  DLManagedTensorVersioned *tensor = nullptr;
  EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                 "unavailable: expected a driver of CUDA 11.2 or later, but libcuda.so.1 has no function "
                 "cuMemAllocAsync; install a newer driver");
  dlclose(old.handle);
}

TEST(CudaADriver, HasNoDevice) {
  MockCuda mock;
  if (mock.counts().initialized)
    GTEST_SKIP() << "another test of this process has initialized the driver";
  Setting fail("MOCK_CUDA_FAIL", "cuInit"), result("MOCK_CUDA_RESULT", "100");
  int64_t shape[] = {4};
  DLManagedTensorVersioned *tensor = nullptr;
  EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                 "unavailable: expected an NVIDIA GPU that can be used, but cuInit failed: CUDA_ERROR_NO_DEVICE (mock "
                 "failure); use device cpu or sim");
}

namespace {
class CudaTensor : public ::testing::Test {
protected:
  TensorOwner create(int device, std::vector<int64_t> shape) {
    DLManagedTensorVersioned *tensor = nullptr;
    EXPECT_OK(
        bochnerCreateDeviceTensor({kDLCUDA, device}, {kDLFloat, 32, 1}, int32_t(shape.size()), shape.data(), &tensor));
    return TensorOwner(tensor);
  }
  void TearDown() override {
    EXPECT_EQ(mock.counts().violations, 0) << mock.log();
    EXPECT_EQ(mock.counts().allocations, 0) << mock.log();
    EXPECT_EQ(mock.counts().depth, 0) << mock.log();
  }
  MockCuda mock;
  Tensor<float> from{{2, 3}, 7.0f}, to{{2, 3}};
};
} // namespace

TEST_F(CudaTensor, GoesThereAndBack) {
  TensorOwner first = create(1, {2, 3}), second = create(1, {2, 3});
  EXPECT_OK(bochnerCopyTensor(&from.view, &first->dl_tensor, nullptr));
  EXPECT_OK(bochnerCopyTensor(&first->dl_tensor, &second->dl_tensor, nullptr));
  EXPECT_OK(bochnerCopyTensor(&second->dl_tensor, &to.view, nullptr));
  EXPECT_EQ(to.elements, from.elements);
  EXPECT_EQ(first->dl_tensor.device.device_id, 1);
}

TEST_F(CudaTensor, MayBeEmpty) {
  TensorOwner empty = create(0, {0, 3});
  Tensor<float> none{{0, 3}};
  EXPECT_OK(bochnerCopyTensor(&none.view, &empty->dl_tensor, nullptr));
}

TEST_F(CudaTensor, NamesTheDeviceThatIsNotThere) {
  int64_t shape[] = {4};
  DLManagedTensorVersioned *tensor = nullptr;
  EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCUDA, 3}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                 "unavailable: cuDeviceGet failed: CUDA_ERROR_INVALID_DEVICE (mock failure): device 3");
  EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCPU, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                 "invalid argument: expected DLPack device type 2 (CUDA), but got 1");
  EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 4, 1}, 1, shape, &tensor),
                 "invalid argument: expected an element type of whole bytes with one lane, but got float4");
  shape[0] = -1;
  EXPECT_FAILURE_WITH(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                      "expected a shape of at most 64 dimensions");
}

TEST_F(CudaTensor, RefusesOtherCopies) {
  TensorOwner device = create(0, {2, 3});
  Tensor<float> other{{3, 2}};
  EXPECT_FAILURE(bochnerCopyTensor(&from.view, &to.view, nullptr),
                 "invalid argument: expected a tensor in the memory of a CUDA device to copy from or to");
  EXPECT_FAILURE(bochnerCopyTensor(&other.view, &device->dl_tensor, nullptr),
                 "invalid argument: expected tensors of one type and shape to copy between");
  EXPECT_FAILURE(bochnerCopyTensor(nullptr, &device->dl_tensor, nullptr),
                 "invalid argument: expected a tensor to copy from, but got NULL");
  from.strides = {1, 2};
  from.view.strides = from.strides.data();
  EXPECT_FAILURE(bochnerCopyTensor(&from.view, &device->dl_tensor, nullptr),
                 "invalid argument: expected a compact tensor to copy from, but stride 0 is 1 instead of 3");
}

TEST_F(CudaTensor, SaysWhatFailed) {
  {
    Setting fail("MOCK_CUDA_FAIL", "cuMemAlloc"), result("MOCK_CUDA_RESULT", "2");
    int64_t shape[] = {4};
    DLManagedTensorVersioned *tensor = nullptr;
    EXPECT_FAILURE(bochnerCreateDeviceTensor({kDLCUDA, 0}, {kDLFloat, 32, 1}, 1, shape, &tensor),
                   "out of memory: cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY (out of memory): 16 bytes for a tensor");
  }
  TensorOwner device = create(0, {2, 3});
  for (const char *call : {"cuMemcpyHtoDAsync", "cuStreamSynchronize"}) {
    Setting fail("MOCK_CUDA_FAIL", call);
    EXPECT_FAILURE(bochnerCopyTensor(&from.view, &device->dl_tensor, nullptr),
                   std::string("device error: ") + call + " failed: CUDA_ERROR_UNKNOWN (mock failure)");
  }
  Setting fail("MOCK_CUDA_FAIL", "cuMemcpyDtoHAsync");
  EXPECT_FAILURE(bochnerCopyTensor(&device->dl_tensor, &to.view, nullptr),
                 "device error: cuMemcpyDtoHAsync failed: CUDA_ERROR_UNKNOWN (mock failure)");
}
