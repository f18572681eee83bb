//===- Status.cpp - failures inside the runtime ---------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The C functions of bochner/status.h, and statuses that need no memory.
//
//===----------------------------------------------------------------------===//
#include "Status.h"

#include <cstring>
#include <exception>
#include <new>

using namespace bochner;

// Short enough to live inside the string object: reporting the lack of memory must not ask for memory.
static bochner_status outOfMemory{BOCHNER_STATUS_OUT_OF_MEMORY, "out of memory", {}};

Status::Status(bochner_status_code_t code, std::string message, Diagnostics diagnostics)
    : unique_ptr(new bochner_status{code, std::move(message), std::move(diagnostics)}) {}

std::string bochner::describeErrno(int error) {
  char buffer[128];
  // The GNU version returns the text, which may or may not be in the buffer.
  return strerror_r(error, buffer, sizeof buffer);
}

bochner_status_t *bochner::statusOfCurrentException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc &) {
  } catch (const std::exception &exception) {
    try {
      return Status(BOCHNER_STATUS_INTERNAL_ERROR, concat("unexpected exception: ", exception.what())).release();
    } catch (...) {
    }
  } catch (...) {
    try {
      return Status(BOCHNER_STATUS_INTERNAL_ERROR, "unexpected exception").release();
    } catch (...) {
    }
  }
  return &outOfMemory;
}

bochner_status_code_t bochnerGetStatusCode(const bochner_status_t *status) {
  return status ? status->code : BOCHNER_STATUS_OK;
}

const char *bochnerGetStatusMessage(const bochner_status_t *status) { return status ? status->message.c_str() : ""; }

size_t bochnerGetStatusDiagnosticCount(const bochner_status_t *status) {
  return status ? status->diagnostics.size() : 0;
}

const bochner_diagnostic_t *bochnerGetStatusDiagnostic(const bochner_status_t *status, size_t index) {
  return index < bochnerGetStatusDiagnosticCount(status) ? &status->diagnostics[index]->view : nullptr;
}

int bochnerIsUserError(bochner_status_code_t code) {
  return code >= BOCHNER_STATUS_INVALID_ARGUMENT && code <= BOCHNER_STATUS_VERSION_MISMATCH;
}

const char *bochnerGetStatusCodeName(bochner_status_code_t code) {
  switch (code) {
  case BOCHNER_STATUS_OK:
    return "ok";
  case BOCHNER_STATUS_INVALID_ARGUMENT:
    return "invalid argument";
  case BOCHNER_STATUS_COMPILE_ERROR:
    return "compile error";
  case BOCHNER_STATUS_NOT_FOUND:
    return "not found";
  case BOCHNER_STATUS_INVALID_MODULE:
    return "invalid module";
  case BOCHNER_STATUS_UNAVAILABLE:
    return "unavailable";
  case BOCHNER_STATUS_VERSION_MISMATCH:
    return "version mismatch";
  case BOCHNER_STATUS_IO_ERROR:
    return "input/output error";
  case BOCHNER_STATUS_OUT_OF_MEMORY:
    return "out of memory";
  case BOCHNER_STATUS_INTERNAL_ERROR:
    return "internal error";
  case BOCHNER_STATUS_KERNEL_FAULT:
    return "kernel fault";
  case BOCHNER_STATUS_DEVICE_ERROR:
    return "device error";
  }
  return "unknown";
}

void bochnerDestroyStatus(bochner_status_t *status) {
  if (status != &outOfMemory)
    delete status;
}
