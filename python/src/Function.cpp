//===- Function.cpp - compiled functions and their calls ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call borrows the caller's arrays, gives up the GIL, runs, and hands results out. Checks of shapes and types are the
// library's own.
//
//===----------------------------------------------------------------------===//
#include "Activity.h"
#include "Arrays.h"
#include "Errors.h"
#include "Objects.h"

#include <chrono>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace bochner::python;

namespace {
/// Arrays of one call. Both vectors are as long as the list of the caller.
struct Borrowed {
  template <typename GetInfo> Borrowed(nb::sequence list, bool writable, GetInfo info) {
    size_t count = nb::len(list);
    arrays.reserve(count);
    tensors.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const bochner_tensor_info_t *what = info(i);
      nb::object array = list[i];
      arrays.emplace_back(array, writable, what ? what->name : "argument");
      tensors.push_back(arrays.back().get());
    }
  }
  std::vector<BorrowedArray> arrays;
  std::vector<DLTensor *> tensors;
};
} // namespace

static nb::tuple toTuple(const bochner_tensor_info_t *info) {
  nb::list shape;
  for (int32_t i = 0; i < info->rank; ++i)
    shape.append(info->shape[i] == BOCHNER_DYNAMIC ? nb::none() : nb::object(nb::int_(info->shape[i])));
  nb::object dims = nb::none();
  if (info->dim_names) {
    nb::list names;
    for (int32_t i = 0; i < info->rank; ++i)
      names.append(nb::str(info->dim_names[i]));
    dims = nb::tuple(names);
  }
  return nb::make_tuple(info->name, dtypeName(info->dtype), nb::tuple(shape), info->init, dims);
}

static auto argumentInfo(const Function &self) {
  return [&self](size_t i) { return bochnerGetArgument(self.handle, i); };
}
static auto resultInfo(const Function &self) {
  return [&self](size_t i) { return bochnerGetResult(self.handle, i); };
}

static nb::list invoke(const Function &self, nb::sequence inputs, int threads) {
  Borrowed arguments(inputs, /*writable=*/false, argumentInfo(self));
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = threads;
  std::vector<DLManagedTensorVersioned *> results(bochnerGetResultCount(self.handle));
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerInvokeAllocating(self.handle, arguments.tensors.data(), arguments.tensors.size(), results.data(),
                                     results.size(), &options);
  }
  check(status);
  std::vector<SharedTensor> owned;
  for (DLManagedTensorVersioned *result : results)
    owned.push_back(own(result));
  nb::object like = arguments.tensors.empty() ? nb::object() : nb::object(inputs[0]);
  nb::list list;
  for (SharedTensor &result : owned)
    list.append(lend(std::move(result), like));
  return list;
}

static void invokeInto(const Function &self, nb::sequence inputs, nb::sequence outputs, int threads) {
  Borrowed arguments(inputs, /*writable=*/false, argumentInfo(self));
  Borrowed results(outputs, /*writable=*/true, resultInfo(self));
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = threads;
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerInvoke(self.handle, arguments.tensors.data(), arguments.tensors.size(), results.tensors.data(),
                           results.tensors.size(), &options);
  }
  check(status);
}

/// Milliseconds of each of `runs` calls after one that does not count. No Python runs between the clock's readings.
static std::vector<double> measure(const Function &self, nb::sequence inputs, int runs, int threads) {
  Borrowed arguments(inputs, /*writable=*/false, argumentInfo(self));
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = threads;
  std::vector<DLManagedTensorVersioned *> results(bochnerGetResultCount(self.handle));
  std::vector<SharedTensor> owned;
  std::vector<DLTensor *> tensors;
  std::vector<double> times;
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerInvokeAllocating(self.handle, arguments.tensors.data(), arguments.tensors.size(), results.data(),
                                     results.size(), &options);
    for (DLManagedTensorVersioned *result : results)
      if (!status) {
        owned.push_back(own(result));
        tensors.push_back(&result->dl_tensor);
      }
    while (!status && int(times.size()) < runs) {
      auto start = std::chrono::steady_clock::now();
      status = bochnerInvoke(self.handle, arguments.tensors.data(), arguments.tensors.size(), tensors.data(),
                             tensors.size(), &options);
      times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
  }
  check(status);
  return times;
}

static nb::dict estimateCost(const Function &self, nb::sequence inputs) {
  Borrowed arguments(inputs, /*writable=*/false, argumentInfo(self));
  bochner_cost_t cost = BOCHNER_COST_INIT;
  check(bochnerEstimateCost(self.handle, arguments.tensors.data(), arguments.tensors.size(), &cost));
  nb::dict result;
  result["flop"] = cost.flop;
  result["workspace_bytes"] = cost.workspace_bytes;
  result["scratch_bytes"] = cost.scratch_bytes;
  result["state_bytes"] = cost.state_bytes;
  result["concurrency"] = cost.concurrency;
  return result;
}

void bochner::python::bindFunction(nb::module_ &module) {
  static constexpr const char *kTensors =
      "(self) -> list[tuple[str, str, tuple[int | None, ...], str, tuple[str, ...] | None]]";
  static const std::string argumentsSignature = std::string("def arguments") + kTensors;
  static const std::string resultsSignature = std::string("def results") + kTensors;
  nb::class_<Function>(module, "Function", "A function of a module, without conveniences.")
      .def_prop_ro("name", [](const Function &self) { return bochnerGetFunctionName(self.handle); })
      .def_prop_ro("attributes", [](const Function &self) { return bochnerGetFunctionAttributes(self.handle); })
      .def(
          "arguments",
          [](const Function &self) {
            nb::list list;
            for (size_t i = 0, count = bochnerGetArgumentCount(self.handle); i < count; ++i)
              list.append(toTuple(bochnerGetArgument(self.handle, i)));
            return list;
          },
          nb::sig(argumentsSignature.c_str()))
      .def(
          "results",
          [](const Function &self) {
            nb::list list;
            for (size_t i = 0, count = bochnerGetResultCount(self.handle); i < count; ++i)
              list.append(toTuple(bochnerGetResult(self.handle, i)));
            return list;
          },
          nb::sig(resultsSignature.c_str()))
      .def(
          "updated_argument",
          [](const Function &self, size_t result) { return bochnerGetUpdatedArgument(self.handle, result); },
          nb::arg("result"))
      .def("invoke", invoke, nb::arg("inputs"), nb::arg("threads") = 0)
      .def("invoke_into", invokeInto, nb::arg("inputs"), nb::arg("outputs"), nb::arg("threads") = 0)
      .def("measure", measure, nb::arg("inputs"), nb::arg("runs"), nb::arg("threads") = 0)
      .def("estimate_cost", estimateCost, nb::arg("inputs"),
           nb::sig("def estimate_cost(self, inputs: "
                   "collections.abc.Sequence[typing.Any]) -> dict[str, typing.Any]"));
}
