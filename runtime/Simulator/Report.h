//===- Report.h - what the simulator found -----------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A report as blocks collect them, and the text of its kind.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_SIMULATOR_REPORT_H
#define BOCHNER_RUNTIME_SIMULATOR_REPORT_H

#include "Interface.h"

#include <string>

namespace bochner::sim {

struct Report {
  bochner_sim_report_kind_t kind;
  uint64_t place; // equal for reports of one kind and one line of the source
  uint64_t count;
  std::string text;
};

const char *kindName(bochner_sim_report_kind_t kind);

/// printf into a string.
__attribute__((format(printf, 1, 2))) std::string format(const char *pattern, ...);

} // namespace bochner::sim

#endif // BOCHNER_RUNTIME_SIMULATOR_REPORT_H
