//===- Xla.cpp - functions as custom calls of XLA -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One handler serves all functions: the attribute `program` names one that was registered. XLA allocates results, and
// its threads run the tasks. JAX has no 64-bit integers by default, so 32-bit ones are accepted in their place.
//
//===----------------------------------------------------------------------===//
#include "Activity.h"
#include "Objects.h"

#include "xla/ffi/api/ffi.h"
#include <algorithm>
#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nanobind/stl/string.h>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace nb = nanobind;
namespace ffi = xla::ffi;
using namespace bochner::python;

//===----------------------------------------------------------------------===//
// Registered functions
//===----------------------------------------------------------------------===//

namespace {
struct Registry {
  std::shared_mutex mutex;
  std::unordered_map<std::string, Function> functions;

  static Registry &get() {
    static auto *registry = new Registry; // executables may run while the process exits
    return *registry;
  }
};
} // namespace

static void registerFunction(const std::string &key, const Function &function) {
  Registry &registry = Registry::get();
  std::unique_lock<std::shared_mutex> lock(registry.mutex);
  registry.functions.insert_or_assign(key, function);
}

static std::optional<Function> findFunction(std::string_view key) {
  Registry &registry = Registry::get();
  std::shared_lock<std::shared_mutex> lock(registry.mutex);
  auto it = registry.functions.find(std::string(key));
  return it == registry.functions.end() ? std::nullopt : std::optional<Function>(it->second);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

namespace {
/// XLA's threads treat denormal numbers as zero. The library's results are the same bits through every door, so while
/// this object lives, arithmetic is what the standard says.
class DefaultArithmetic {
public:
  DefaultArithmetic() {
    fegetenv(&previous);
    fesetenv(FE_DFL_ENV);
  }
  ~DefaultArithmetic() { fesetenv(&previous); }
  DefaultArithmetic(const DefaultArithmetic &) = delete;

private:
  fenv_t previous;
};

/// One parallel loop. Helpers that start when all tasks are taken find nothing to do; the state outlives them.
struct Loop {
  Loop(bochner_task_fn task, void *context, int64_t count) : task(task), context(context), count(count) {}

  void work() {
    DefaultArithmetic arithmetic;
    for (int64_t i = next++; i < count; i = next++) {
      task(context, i);
      if (++done == count) {
        std::lock_guard<std::mutex> lock(mutex);
        finished.notify_all();
      }
    }
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    finished.wait(lock, [&] { return done == count; });
  }

  const bochner_task_fn task;
  void *const context;
  const int64_t count;
  std::atomic<int64_t> next{0}, done{0};
  std::mutex mutex;
  std::condition_variable finished;
};
} // namespace

/// The caller is one of as many threads as the pool has; it works too and waits for tasks, not for helpers: a pool
/// whose threads are all busy cannot block it.
static void runOnPool(void *host, bochner_task_fn task, void *context, int64_t count) {
  auto *pool = static_cast<ffi::ThreadPool *>(host);
  if (count <= 0)
    return;
  auto loop = std::make_shared<Loop>(task, context, count);
  for (int64_t helper = std::min<int64_t>(pool->num_threads() - 1, count - 1); helper > 0; --helper)
    pool->Schedule([loop] { loop->work(); });
  loop->work();
  loop->wait();
}

//===----------------------------------------------------------------------===//
// The handler
//===----------------------------------------------------------------------===//

static std::optional<DLDataType> toDlpack(ffi::DataType type) {
  switch (type) {
  case ffi::DataType::F64:
    return DLDataType{kDLFloat, 64, 1};
  case ffi::DataType::F32:
    return DLDataType{kDLFloat, 32, 1};
  case ffi::DataType::F16:
    return DLDataType{kDLFloat, 16, 1};
  case ffi::DataType::BF16:
    return DLDataType{kDLBfloat, 16, 1};
  case ffi::DataType::S64:
    return DLDataType{kDLInt, 64, 1};
  case ffi::DataType::S32:
    return DLDataType{kDLInt, 32, 1};
  case ffi::DataType::PRED:
    return DLDataType{kDLBool, 8, 1};
  default:
    return std::nullopt;
  }
}

namespace {
/// A buffer as the library takes it.
struct View {
  std::vector<int64_t> shape;
  std::vector<int64_t> widened; ///< values of a 32-bit buffer where 64 bits are expected
  DLTensor tensor = {};

  ffi::Error set(ffi::AnyBuffer buffer, const bochner_tensor_info_t *expected) {
    std::optional<DLDataType> dtype = toDlpack(buffer.element_type());
    if (!dtype)
      return ffi::Error::InvalidArgument("expected floats, integers or truth values");
    shape.assign(buffer.dimensions().begin(), buffer.dimensions().end());
    tensor.data = buffer.untyped_data();
    if (expected && expected->dtype.code == kDLInt && expected->dtype.bits == 64 && dtype->bits == 32) {
      auto *values = static_cast<const int32_t *>(buffer.untyped_data());
      widened.assign(values, values + buffer.element_count());
      tensor.data = widened.data();
      dtype->bits = 64;
    }
    tensor.device = {kDLCPU, 0};
    tensor.ndim = int32_t(shape.size());
    tensor.dtype = *dtype;
    tensor.shape = shape.data();
    return ffi::Error::Success();
  }
};
} // namespace

static ffi::Error call(ffi::ThreadPool pool, std::string_view program, ffi::RemainingArgs arguments,
                       ffi::RemainingRets results) {
  std::optional<Function> function = findFunction(program);
  if (!function)
    return ffi::Error(ffi::ErrorCode::kNotFound,
                      "expected the key of a program of this process, but got '" + std::string(program) + "'");
  std::vector<View> views(arguments.size() + results.size());
  std::vector<DLTensor *> tensors;
  for (size_t i = 0; i < views.size(); ++i) {
    bool isResult = i >= arguments.size();
    ffi::Error error = ffi::Error::Success();
    if (isResult) {
      auto buffer = results.get<ffi::AnyBuffer>(i - arguments.size());
      if (buffer.has_error())
        return buffer.error();
      error = views[i].set(*buffer.value(), nullptr);
    } else {
      auto buffer = arguments.get<ffi::AnyBuffer>(i);
      if (buffer.has_error())
        return buffer.error();
      error = views[i].set(buffer.value(), bochnerGetArgument(function->handle, i));
    }
    if (error.failure())
      return error;
    tensors.push_back(&views[i].tensor);
  }
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.parallel_for = {runOnPool, &pool, int32_t(std::max<int64_t>(pool.num_threads(), 1))};
  Activity activity;
  DefaultArithmetic arithmetic;
  bochner_status_t *status = bochnerInvoke(function->handle, tensors.data(), arguments.size(),
                                           tensors.data() + arguments.size(), results.size(), &options);
  if (!status)
    return ffi::Error::Success();
  ffi::Error error(bochnerIsUserError(bochnerGetStatusCode(status)) ? ffi::ErrorCode::kInvalidArgument
                                                                    : ffi::ErrorCode::kInternal,
                   bochnerGetStatusMessage(status));
  bochnerDestroyStatus(status);
  return error;
}

XLA_FFI_DEFINE_HANDLER(
    kCall, call,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Attr<std::string_view>("program").RemainingArgs().RemainingRets());

void bochner::python::bindXla(nb::module_ &module) {
  module.def("register_xla_function", registerFunction, nb::arg("key"), nb::arg("function"),
             "Makes a function known to the handler under a key.");
  module.def("xla_handler", [] { return nb::capsule(reinterpret_cast<void *>(kCall)); }, "The handler, for jax.ffi.");
}
