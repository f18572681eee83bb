//===- CudaImageTest.cpp - the choice of an image -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CudaFixture.h"
#include "runtime/CudaModules.h"

using namespace bochner;
using namespace bochner::test;

namespace {
class CudaImage : public CudaFixture {
protected:
  std::string ranked(int major, int minor) {
    std::string text;
    for (const bochner_cuda_image_t *image : rankImages(kernel, major, minor))
      text += bochner::describe(*image) + "; ";
    return text;
  }
};
} // namespace

TEST_F(CudaImage, IsExactThenOfTheSameMajorVersionThenPtx) {
  EXPECT_EQ(ranked(8, 0), "cubin for sm_80; PTX for sm_80; ");
  EXPECT_EQ(ranked(8, 6), "cubin for sm_86; cubin for sm_80; PTX for sm_80; ");
  EXPECT_EQ(ranked(8, 9), "cubin for sm_86; cubin for sm_80; PTX for sm_80; ");
  EXPECT_EQ(ranked(9, 0), "cubin for sm_90a; PTX for sm_80; ");
  EXPECT_EQ(ranked(10, 0), "PTX for sm_80; ");
  EXPECT_EQ(ranked(12, 0), "PTX for sm_80; ");
  EXPECT_EQ(ranked(7, 5), "");
}

TEST_F(CudaImage, IsLoadedForTheDevice) {
  struct {
    const char *capability, *loaded;
  } rows[] = {{"80", "cubin"}, {"86", "cubin"}, {"90", "cubin"}, {"100", "ptx"}};
  for (const auto &row : rows) {
    Setting capability("MOCK_CUDA_CAPABILITY", row.capability);
    SetUp(); // another module, which has loaded nothing
    EXPECT_OK(invoke());
    EXPECT_EQ(mock.count("cuModuleLoadDataEx"), 1u) << mock.log();
    EXPECT_EQ(mock.count(std::string("cuModuleLoadDataEx(") + row.loaded), 1u) << mock.log();
  }
}

TEST_F(CudaImage, IsMissingForAnOldDevice) {
  Setting capability("MOCK_CUDA_CAPABILITY", "75");
  EXPECT_FAILURE(invoke(),
                 "unavailable: expected a GPU that kernel 'fake_add' has code for (cubin for sm_80, cubin for "
                 "sm_86, cubin for sm_90a, PTX for sm_80), but the device has compute capability 7.5; compile "
                 "for its chip");
}

TEST_F(CudaImage, FallsThroughToPtx) {
  Setting refuse("MOCK_CUDA_REFUSE_CUBIN", "1"), capability("MOCK_CUDA_CAPABILITY", "86");
  EXPECT_OK(invoke());
  EXPECT_EQ(mock.count("cuModuleLoadDataEx(cubin)"), 2u) << mock.log();
  EXPECT_EQ(mock.count("cuModuleLoadDataEx(ptx)"), 1u) << mock.log();
  EXPECT_TRUE(outIsSum());
}

TEST_F(CudaImage, SaysWhyAllWereRefused) {
  Setting refuse("MOCK_CUDA_REFUSE_CUBIN", "1");
  kernel.image_count = 3;
  StatusOwner status(invoke());
  ASSERT_TRUE(status);
  EXPECT_STREQ(bochnerGetStatusMessage(status.get()),
               "cuModuleLoadDataEx failed: CUDA_ERROR_NO_BINARY_FOR_GPU (mock failure): kernel 'fake_add', cubin for "
               "sm_90a refused: CUDA_ERROR_NO_BINARY_FOR_GPU (mock failure): made for another chip");
  EXPECT_EQ(bochnerGetStatusDiagnosticCount(status.get()), 1u);
}

TEST_F(CudaImage, OfAnotherReleaseIsRefused) {
  kernel.version = 77;
  EXPECT_FAILURE(invoke(), "invalid module: expected kernel 'fake_add' to have version 1, but got 77");
}
