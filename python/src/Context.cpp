//===- Context.cpp - contexts ---------------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Activity.h"
#include "Arrays.h"
#include "Errors.h"
#include "Objects.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace bochner::python;

/// Called from any thread, without the GIL. What the function raises has nowhere to go.
static void forwardLog(void *function, bochner_severity_t severity, const char *message) {
  if (!Py_IsInitialized())
    return;
  nb::gil_scoped_acquire acquired;
  try {
    nb::handle(static_cast<PyObject *>(function))(int(severity), message);
  } catch (nb::python_error &error) {
    error.discard_as_unraisable("the log of a bochner.Context");
  }
}

static Context createContext(std::optional<std::string> cacheDir, uint64_t cacheLimit, int threads, int verbosity,
                             std::optional<std::string> dumpDir, nb::object log) {
  bochner_context_options_t options = BOCHNER_CONTEXT_OPTIONS_INIT;
  options.cache_dir = cacheDir ? cacheDir->c_str() : nullptr;
  options.cache_limit = cacheLimit;
  options.threads = threads;
  options.verbosity = verbosity;
  options.dump_dir = dumpDir ? dumpDir->c_str() : nullptr;
  if (!log.is_none()) {
    options.log = forwardLog;
    options.log_user = log.inc_ref().ptr(); // for ever: modules keep their context, and threads may log late
  }
  bochner_context_t *context = nullptr;
  check(bochnerCreateContext(&options, &context));
  return {std::shared_ptr<bochner_context_t>(context, bochnerDestroyContext)};
}

static Module compile(const Context &context, nb::bytes source, std::optional<std::string> name,
                      const std::string &route, const std::string &device, const std::string &cpu,
                      std::optional<std::string> elementType, std::optional<std::string> dumpDir, bool keepPhases,
                      bool cache) {
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.source_name = name ? name->c_str() : nullptr;
  options.route = route.c_str();
  options.device = device.c_str();
  options.cpu = cpu.c_str();
  options.element_type = elementType ? elementType->c_str() : nullptr;
  options.dump_dir = dumpDir ? dumpDir->c_str() : nullptr;
  options.keep_phases = keepPhases;
  options.no_cache = !cache;
  bochner_module_t *module = nullptr;
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerCompile(context.handle.get(), source.c_str(), source.size(), &options, &module);
  }
  check(status);
  return {std::shared_ptr<bochner_module_t>(module, bochnerDestroyModule)};
}

static Module load(const Context &context, const std::string &path) {
  bochner_module_t *module = nullptr;
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerLoadModule(context.handle.get(), path.c_str(), &module);
  }
  check(status);
  return {std::shared_ptr<bochner_module_t>(module, bochnerDestroyModule)};
}

static nb::dict memoryStatistics(const Context &context) {
  bochner_memory_statistics_t statistics = BOCHNER_MEMORY_STATISTICS_INIT;
  check(bochnerGetMemoryStatistics(context.handle.get(), &statistics));
  nb::dict result;
  result["used_bytes"] = statistics.used_bytes;
  result["peak_used_bytes"] = statistics.peak_used_bytes;
  result["cached_bytes"] = statistics.cached_bytes;
  return result;
}

static nb::object fill(const Context &context, const std::string &init, const std::vector<int64_t> &shape,
                       const std::string &dtype, uint64_t seed, const std::string &name) {
  DLManagedTensorVersioned *managed = nullptr;
  check(bochnerCreateTensor(context.handle.get(), parseDtype(dtype), int32_t(shape.size()), shape.data(), &managed));
  SharedTensor tensor = own(managed);
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerFillTensor(init.c_str(), seed, name.c_str(), &managed->dl_tensor);
  }
  check(status);
  return lend(std::move(tensor), nb::handle());
}

static std::string buildGraph(const std::vector<std::string> &options) {
  std::vector<const char *> words;
  for (const std::string &option : options)
    words.push_back(option.c_str());
  std::string text;
  bochner_status_t *status;
  {
    InsideLibrary inside;
    status = bochnerBuildGraph(
        words.data(), words.size(),
        [](void *into, const char *data, size_t size) { static_cast<std::string *>(into)->assign(data, size); }, &text);
  }
  check(status);
  return text;
}

void bochner::python::bindContext(nb::module_ &module) {
  nb::class_<Context>(module, "Context", "Threads, memory, cache and log.")
      .def(nb::new_(&createContext), nb::kw_only(), nb::arg("cache_dir") = nb::none(), nb::arg("cache_limit") = 0,
           nb::arg("threads") = 0, nb::arg("verbosity") = 0, nb::arg("dump_dir") = nb::none(),
           nb::arg("log") = nb::none())
      .def("compile", compile, nb::arg("source"), nb::kw_only(), nb::arg("name") = nb::none(),
           nb::arg("route") = "fused", nb::arg("device") = "cpu", nb::arg("cpu") = "host",
           nb::arg("element_type") = nb::none(), nb::arg("dump_dir") = nb::none(), nb::arg("keep_phases") = false,
           nb::arg("cache") = true)
      .def("load", load, nb::arg("path"))
      .def_prop_ro("threads", [](const Context &self) { return bochnerGetThreadCount(self.handle.get()); })
      .def_prop_ro("cache_dir",
                   [](const Context &self) -> std::optional<std::string> {
                     const char *path = bochnerGetCacheDirectory(self.handle.get());
                     return path ? std::optional<std::string>(path) : std::nullopt;
                   })
      .def("memory_statistics", memoryStatistics)
      .def("release_memory", [](const Context &self) { bochnerReleaseMemory(self.handle.get()); })
      .def("fill", fill, nb::arg("init"), nb::arg("shape"), nb::arg("dtype"), nb::arg("seed"), nb::arg("name"),
           nb::sig("def fill(self, init: str, shape: collections.abc.Sequence[int], dtype: str, seed: int, name: str) "
                   "-> Tensor"));
  module.def("build_graph", buildGraph, nb::arg("options"));
  module.def("begin_fork", beginFork);
  module.def("end_fork_in_parent", endForkInParent);
  module.def("end_fork_in_child", endForkInChild);
  module.attr("version") = bochnerGetVersionString();
}
