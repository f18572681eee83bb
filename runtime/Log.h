//===- Log.h - the log of a context ------------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lines for the host's log function, or for stderr if the user asked for that with BOCHNER_VERBOSE.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_LOG_H
#define BOCHNER_RUNTIME_LOG_H

#include "bochner/bochner.h"

#include <string>

namespace bochner {

class Log {
public:
  /// `verbosity` as in bochner_context_options_t; `environment` is the value of BOCHNER_VERBOSE or null.
  Log(int32_t verbosity, bochner_log_fn function, void *user, const char *environment);

  void warn(const std::string &message) const { write(BOCHNER_SEVERITY_WARNING, message); }
  void inform(const std::string &message) const { write(BOCHNER_SEVERITY_NOTE, message); }
  /// For messages that are expensive to put together.
  bool informs() const { return level >= 2; }
  void write(bochner_severity_t severity, const std::string &message) const;

private:
  bochner_log_fn function;
  void *user;
  int level; // 0: nothing, 1: warnings and errors, 2: everything
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_LOG_H
