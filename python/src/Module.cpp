//===- Module.cpp - compiled modules --------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Activity.h"
#include "Errors.h"
#include "Objects.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace bochner::python;

static std::vector<Function> getFunctions(const Module &self) {
  std::vector<Function> functions;
  for (size_t i = 0, count = bochnerGetFunctionCount(self.handle.get()); i < count; ++i)
    functions.push_back({self.handle, bochnerGetFunction(self.handle.get(), i)});
  return functions;
}

static nb::list getPhases(const Module &self) {
  nb::list phases;
  for (size_t i = 0, count = bochnerGetPhaseCount(self.handle.get()); i < count; ++i) {
    const bochner_phase_t *phase = bochnerGetPhase(self.handle.get(), i);
    phases.append(nb::make_tuple(phase->name, phase->ir));
  }
  return phases;
}

static nb::list getDiagnostics(const Module &self) {
  static constexpr const char *kSeverities[] = {"note", "remark", "warning", "error"};
  nb::list diagnostics;
  for (size_t i = 0, count = bochnerGetModuleDiagnosticCount(self.handle.get()); i < count; ++i) {
    const bochner_diagnostic_t *diagnostic = bochnerGetModuleDiagnostic(self.handle.get(), i);
    diagnostics.append(nb::make_tuple(kSeverities[diagnostic->severity], diagnostic->location, diagnostic->message));
  }
  return diagnostics;
}

static nb::dict getInfo(const Module &self) {
  static constexpr const char *kOutcomes[] = {"none", "miss", "memory", "disk"};
  const bochner_module_info_t *info = bochnerGetModuleInfo(self.handle.get());
  nb::dict result;
  result["producer"] = info->producer;
  result["route"] = info->route;
  result["device"] = info->device;
  result["cpu"] = info->cpu;
  result["features"] = info->features;
  result["cache"] = kOutcomes[info->cache];
  result["compile_ms"] = info->compile_ms;
  result["load_ms"] = info->load_ms;
  result["size"] = info->size;
  return result;
}

void bochner::python::bindModule(nb::module_ &module) {
  nb::class_<Module>(module, "Module", "Code, and the description of its functions.")
      .def("functions", getFunctions)
      .def("phases", getPhases, nb::sig("def phases(self) -> list[tuple[str, str]]"))
      .def("diagnostics", getDiagnostics, nb::sig("def diagnostics(self) -> list[tuple[str, str, str]]"))
      .def("info", getInfo, nb::sig("def info(self) -> dict[str, typing.Any]"))
      .def(
          "save",
          [](const Module &self, const std::string &path) {
            bochner_status_t *status;
            {
              InsideLibrary inside;
              status = bochnerSaveModule(self.handle.get(), path.c_str());
            }
            check(status);
          },
          nb::arg("path"));
}
