//===- TestUtils.h - what the tests of the runtime share ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Temporary folders, owners for C handles, tensors over vectors, and expectations about statuses.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_RUNTIME_TESTUTILS_H
#define BOCHNER_TEST_RUNTIME_TESTUTILS_H

#include "bochner/bochner.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace bochner::test {

/// A folder with mode 0700 that is gone at the end of the scope.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bochner-test-XXXXXX").string();
    name = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(name, ignored);
  }
  std::string operator/(const std::string &file) const { return name + "/" + file; }
  const std::string &path() const { return name; }

private:
  std::string name;
};

inline std::string readAll(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void writeAll(const std::string &path, const std::string &content) {
  std::ofstream(path, std::ios::binary) << content;
}
inline std::vector<std::string> listFiles(const std::string &folder) {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

struct Deleter {
  void operator()(bochner_status_t *status) const { bochnerDestroyStatus(status); }
  void operator()(bochner_context_t *context) const { bochnerDestroyContext(context); }
  void operator()(bochner_module_t *module) const { bochnerDestroyModule(module); }
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using StatusOwner = std::unique_ptr<bochner_status_t, Deleter>;
using ContextOwner = std::unique_ptr<bochner_context_t, Deleter>;
using ModuleOwner = std::unique_ptr<bochner_module_t, Deleter>;
using TensorOwner = std::unique_ptr<DLManagedTensorVersioned, Deleter>;

/// Code and message in one string, "" for success; takes the status.
inline std::string describe(bochner_status_t *status) {
  StatusOwner owner(status);
  return status ? std::string(bochnerGetStatusCodeName(bochnerGetStatusCode(status))) + ": " +
                      bochnerGetStatusMessage(status)
                : "";
}

#define EXPECT_OK(CALL) EXPECT_EQ(::bochner::test::describe(CALL), "")
#define ASSERT_OK(CALL) ASSERT_EQ(::bochner::test::describe(CALL), "")
#define EXPECT_FAILURE(CALL, TEXT) EXPECT_EQ(::bochner::test::describe(CALL), TEXT)
/// For messages with a part that depends on the machine.
#define EXPECT_FAILURE_WITH(CALL, PART)                                                                                \
  do {                                                                                                                 \
    std::string description = ::bochner::test::describe(CALL);                                                         \
    EXPECT_NE(description.find(PART), std::string::npos) << description;                                               \
  } while (false)

/// Collects the log of a context.
struct LogLines {
  static void receive(void *self, bochner_severity_t severity, const char *message) {
    auto &lines = *static_cast<LogLines *>(self);
    std::lock_guard<std::mutex> lock(lines.mutex);
    (severity >= BOCHNER_SEVERITY_WARNING ? lines.warnings : lines.notes).push_back(message);
  }
  std::mutex mutex;
  std::vector<std::string> warnings, notes;
};

/// A context without a cache on disk unless `folder` is given.
inline ContextOwner makeContext(const std::string &folder = "", LogLines *log = nullptr, int32_t threads = 2,
                                uint64_t cacheLimit = 0) {
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.cache_dir = folder.c_str();
  options.cache_limit = cacheLimit;
  options.threads = threads;
  options.verbosity = 2;
  options.log = log ? LogLines::receive : nullptr;
  options.log_user = log;
  bochner_context_t *context = nullptr;
  EXPECT_OK(bochnerCreateContext(&options, &context));
  return ContextOwner(context);
}

template <typename T> struct TypeOf;
template <> struct TypeOf<float> {
  static constexpr DLDataType value{kDLFloat, 32, 1};
};
template <> struct TypeOf<double> {
  static constexpr DLDataType value{kDLFloat, 64, 1};
};
template <> struct TypeOf<int64_t> {
  static constexpr DLDataType value{kDLInt, 64, 1};
};

/// A tensor that owns its elements; `view` may be changed at will.
template <typename T> struct Tensor {
  explicit Tensor(std::vector<int64_t> sizes, T fill = T()) : shape(std::move(sizes)) {
    size_t count = 1;
    for (int64_t size : shape)
      count *= size_t(size);
    elements.assign(count, fill);
    view = {elements.data(), {kDLCPU, 0}, int32_t(shape.size()), TypeOf<T>::value, shape.data(), nullptr, 0};
  }
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;

  std::vector<T> elements;
  std::vector<int64_t> shape, strides;
  DLTensor view;
};

} // namespace bochner::test

#endif // BOCHNER_TEST_RUNTIME_TESTUTILS_H
