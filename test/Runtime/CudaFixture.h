//===- CudaFixture.h - a function for device cuda on a mock driver -*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The function of FakeCode.c that launches kernels, on the driver of MockCuda.c, whose device memory the host can read.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_RUNTIME_CUDAFIXTURE_H
#define BOCHNER_TEST_RUNTIME_CUDAFIXTURE_H

#include "FakeModule.h"
#include "MockCuda.h"
#include "TestUtils.h"
#include "runtime/CudaKernel.h"

#include <dlfcn.h>

namespace bochner::test {

/// The mock driver: loaded before the runtime asks for a library of its name, which then is this one.
struct MockCuda {
  explicit MockCuda(const std::string &folder = "mock-cuda") {
    std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
    handle = dlopen((program + "/" + folder + "/libcuda.so.1").c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(handle) << dlerror();
    find(reset, "mockCudaReset");
    find(log, "mockCudaLog");
    find(counts, "mockCudaCounts");
    find(createContext, "mockCudaCreateContext");
    find(destroyContext, "mockCudaDestroyContext");
    find(push, "cuCtxPushCurrent_v2");
    find(pop, "cuCtxPopCurrent_v2");
  }
  template <typename T> void find(T &function, const char *name) {
    function = reinterpret_cast<T>(dlsym(handle, name));
    EXPECT_TRUE(function) << name;
  }
  /// How many calls of the driver begin like that.
  size_t count(const std::string &text) const {
    std::string lines = std::string("\n") + log();
    size_t found = 0;
    for (size_t at = 0; (at = lines.find("\n" + text, at)) != std::string::npos; ++at)
      ++found;
    return found;
  }

  void *handle;
  decltype(&mockCudaReset) reset;
  decltype(&mockCudaLog) log;
  decltype(&mockCudaCounts) counts;
  decltype(&mockCudaCreateContext) createContext;
  decltype(&mockCudaDestroyContext) destroyContext;
  int (*push)(void *);
  int (*pop)(void **);
};

/// A variable of the environment for a scope.
class Setting {
public:
  Setting(const char *name, const char *value) : name(name) { setenv(name, value, 1); }
  ~Setting() { unsetenv(name); }

private:
  const char *name;
};

class CudaFixture : public ::testing::Test {
protected:
  void SetUp() override {
    for (size_t i = 0; i < query.elements.size(); ++i) {
      query.elements[i] = float(i);
      key.elements[i] = float(1000 * i);
    }
    for (DLTensor *tensor : {&query.view, &key.view, &out.view})
      tensor->device = {kDLCUDA, 0};
    lengths = {&kernel, {kDLCUDA, 0}, 1, {kDLInt, 64, 1}, &batches, nullptr, 0};
    FakeModule fake;
    fake.info.device = "cuda";
    fake.info.functions[0].entry = "fakeLaunch";
    fake.info.functions[0].workspace = "fakeLaunchWorkspace";
    std::string bytes = fake.build();
    bochner_module_t *raw = nullptr;
    ASSERT_OK(bochnerLoadModuleFromMemory(context.get(), bytes.data(), bytes.size(), &raw));
    module.reset(raw);
    function = bochnerGetFunction(raw, 0);
    mock.reset();
  }

  /// Nothing is left behind, whatever went wrong.
  void TearDown() override {
    module.reset();
    mock_cuda_counts_t counts = mock.counts();
    EXPECT_EQ(counts.violations, 0) << mock.log();
    EXPECT_EQ(counts.modules, 0) << mock.log();
    EXPECT_EQ(counts.allocations, 0) << mock.log();
    EXPECT_EQ(counts.depth, 0) << mock.log();
  }

  bochner_status_t *invoke(const bochner_invoke_options_t *options = nullptr) {
    const DLTensor *arguments[] = {&query.view, &key.view, &lengths};
    DLTensor *results[] = {&out.view};
    return bochnerInvoke(function, arguments, 3, results, 1, options);
  }
  bochner_status_t *invokeOn(void *stream, void *workspace = nullptr, size_t size = 0) {
    bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
    options.stream = stream;
    options.workspace = workspace;
    options.workspace_size = size;
    return invoke(&options);
  }
  bool outIsSum() const {
    for (size_t i = 0; i < out.elements.size(); ++i)
      if (out.elements[i] != 1001.0f * float(i))
        return false;
    return true;
  }

  MockCuda mock;
  ContextOwner context = makeContext();
  ModuleOwner module;
  const bochner_function_t *function = nullptr;
  Tensor<float> query{{3, 5, 4}}, key{{3, 5, 4}}, out{{3, 5, 4}, -1.0f};
  int64_t batches = 3;
  DLTensor lengths;

  const bochner_cuda_image_t images[4] = {{"\177ELF sm_80", 10, 80, 0, 0},
                                          {"\177ELF sm_86", 10, 86, 0, 0},
                                          {"\177ELF sm_90a", 11, 90, 0, 1},
                                          {".target sm_80", 13, 80, 1, 0}};
  const uint32_t sizes[4] = {8, 8, 8, 8};
  bochner_cuda_kernel_t kernel = {BOCHNER_CUDA_KERNEL_VERSION, 4, "fake_add", images, sizes, 4, {0, 0, 0}};
};

} // namespace bochner::test

#endif // BOCHNER_TEST_RUNTIME_CUDAFIXTURE_H
