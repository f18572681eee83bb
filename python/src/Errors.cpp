//===- Errors.cpp - statuses become exceptions ----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Errors.h"

#include <memory>

namespace nb = nanobind;
using namespace bochner::python;

static const char *severityName(bochner_severity_t severity) {
  switch (severity) {
  case BOCHNER_SEVERITY_NOTE:
    return "note";
  case BOCHNER_SEVERITY_REMARK:
    return "remark";
  case BOCHNER_SEVERITY_WARNING:
    return "warning";
  case BOCHNER_SEVERITY_ERROR:
    return "error";
  }
  return "error";
}

static nb::object make(const char *code, const char *message, nb::list diagnostics) {
  return nb::module_::import_("bochner._errors").attr("make_error")(code, message, diagnostics);
}

[[noreturn]] static void raise(nb::object exception) {
  PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

nb::object bochner::python::makeException(bochner_status_t *status) {
  std::unique_ptr<bochner_status_t, decltype(&bochnerDestroyStatus)> owner(status, bochnerDestroyStatus);
  nb::list diagnostics;
  for (size_t i = 0, count = bochnerGetStatusDiagnosticCount(status); i < count; ++i) {
    const bochner_diagnostic_t *diagnostic = bochnerGetStatusDiagnostic(status, i);
    diagnostics.append(nb::make_tuple(severityName(diagnostic->severity), diagnostic->location, diagnostic->message));
  }
  return make(bochnerGetStatusCodeName(bochnerGetStatusCode(status)), bochnerGetStatusMessage(status), diagnostics);
}

void bochner::python::check(bochner_status_t *status) {
  if (status)
    raise(makeException(status));
}

void bochner::python::throwInvalidArgument(const std::string &message) {
  raise(make(bochnerGetStatusCodeName(BOCHNER_STATUS_INVALID_ARGUMENT), message.c_str(), nb::list()));
}
