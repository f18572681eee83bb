//===- Errors.h - statuses become exceptions --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The exceptions are Python classes (bochner/_errors.py); this side only finds the class of a code.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PYTHON_ERRORS_H
#define BOCHNER_PYTHON_ERRORS_H

#include "bochner/status.h"
#include <nanobind/nanobind.h>
#include <string>

namespace bochner::python {

/// Throws the exception of a failure and destroys the status; returns if it is NULL. Needs the GIL.
void check(bochner_status_t *status);

/// Throws bochner.InvalidArgumentError. Needs the GIL.
[[noreturn]] void throwInvalidArgument(const std::string &message);

/// The exception of a failure as an object, for callers that raise it themselves. Destroys the status.
nanobind::object makeException(bochner_status_t *status);

} // namespace bochner::python

#endif // BOCHNER_PYTHON_ERRORS_H
