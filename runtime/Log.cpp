//===- Log.cpp - the log of a context -------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Levels and the default function, which writes to stderr.
//
//===----------------------------------------------------------------------===//
#include "Log.h"

#include "Status.h"

#include <cstdlib>
#include <unistd.h>

using namespace bochner;

static void writeToStderr(void *, bochner_severity_t severity, const char *message) {
  static constexpr const char *kNames[] = {"note", "remark", "warning", "error"};
  std::string line = concat("bochner: ", kNames[severity], ": ", message, '\n');
  // One call, so that lines of several threads do not mix. Nobody could be told if it fails.
  [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
}

Log::Log(int32_t verbosity, bochner_log_fn function, void *user, const char *environment)
    : function(function), user(user) {
  bool asked = environment && *environment;
  level = verbosity ? verbosity : asked ? atoi(environment) : 1;
  if (!function && asked)
    this->function = writeToStderr;
}

void Log::write(bochner_severity_t severity, const std::string &message) const {
  if (function && level >= (severity >= BOCHNER_SEVERITY_WARNING ? 1 : 2))
    function(user, severity, message.c_str());
}
