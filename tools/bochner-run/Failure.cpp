//===- Failure.cpp - how the runner gives up -----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A status of the runtime as a Failure: message and diagnostics in the form that editors recognize.
//
//===----------------------------------------------------------------------===//
#include "Failure.h"

namespace bochner::run {

static const char *severityName(bochner_severity_t severity) {
  switch (severity) {
  case BOCHNER_SEVERITY_NOTE:
    return "note";
  case BOCHNER_SEVERITY_REMARK:
    return "remark";
  case BOCHNER_SEVERITY_WARNING:
    return "warning";
  case BOCHNER_SEVERITY_ERROR:
    break;
  }
  return "error";
}

/// Who can mend it. The state of the machine (a full disk, too little memory, a driver that fails) is the caller's to
/// mend as well; only a defect of ours is internal.
static ExitStatus exitStatusOf(bochner_status_code_t code) {
  if (bochnerIsUserError(code) || code == BOCHNER_STATUS_IO_ERROR || code == BOCHNER_STATUS_OUT_OF_MEMORY ||
      code == BOCHNER_STATUS_DEVICE_ERROR)
    return UserError;
  return InternalError;
}

void check(bochner_status_t *status) {
  if (!status)
    return;
  std::unique_ptr<bochner_status_t, Destroyer<bochnerDestroyStatus>> owner(status);
  const std::string message = bochnerGetStatusMessage(status);
  std::string text = message;
  for (size_t i = 0, e = bochnerGetStatusDiagnosticCount(status); i < e; ++i) {
    const bochner_diagnostic_t *diagnostic = bochnerGetStatusDiagnostic(status, i);
    std::string place = diagnostic->location[0] ? concat(diagnostic->location, ": ") : "";
    if (message == place + diagnostic->message)
      continue; // the message of a failed compilation is its first error
    text += concat('\n', place, severityName(diagnostic->severity), ": ", diagnostic->message);
  }
  throw Failure(exitStatusOf(bochnerGetStatusCode(status)), std::move(text));
}

} // namespace bochner::run
