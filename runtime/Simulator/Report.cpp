//===- Report.cpp - text of what the simulator found ----------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reports name threads, blocks and places of the source. One place gets one report of a kind, with a count.
//
//===----------------------------------------------------------------------===//
#include "Report.h"
#include "Launch.h"

#include <cstdarg>
#include <cstdio>

namespace bochner::sim {

const char *kindName(bochner_sim_report_kind_t kind) {
  static const char *const names[] = {
#define NAME(KIND, TEXT) TEXT,
      BOCHNER_SIM_REPORT_KINDS(NAME)
#undef NAME
  };
  return names[kind];
}

std::string format(const char *pattern, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

static std::string triple(uint32_t linear, const uint32_t *dims) {
  return format("(%u,%u,%u)", linear % dims[0], linear / dims[0] % dims[1], linear / dims[0] / dims[1]);
}

std::string Block::threadName(uint32_t linear) const { return "thread " + triple(linear, launch.request.block); }

std::string Block::blockName() const { return "block " + triple(index, launch.request.grid); }

std::string Block::place(uint32_t site) const {
  const bochner_sim_site_t &at = kernel.sites[site];
  std::string text = kernel.strings + at.what;
  if (!at.line)
    return text + " at an unknown place";
  const char *file = kernel.strings + at.file;
  return text + format(" at %s:%u:%u", file, at.line, at.column);
}

std::string Block::who(const Lane &lane, uint32_t site) const {
  return threadName(lane.linear) + " of " + blockName() + ", " + place(site);
}

/// Sites of one line and column are one place: inlining and unrolling multiply them.
static uint64_t placeKey(const bochner_sim_kernel_t &kernel, bochner_sim_report_kind_t kind, uint32_t site) {
  const bochner_sim_site_t &at = kernel.sites[site];
  uint64_t where = at.line ? uint64_t(at.file) << 32 ^ uint64_t(at.line) << 12 ^ at.column : uint64_t(1) << 52 | site;
  return where * 32 + kind;
}

void Block::report(bochner_sim_report_kind_t kind, uint32_t site, const std::string &text) {
  uint64_t key = placeKey(kernel, kind, site);
  auto [entry, isNew] = reportOfPlace.try_emplace(key, reports.size());
  if (!isNew) {
    if (entry->second < reports.size())
      ++reports[entry->second].count;
    return;
  }
  if (reports.size() < launch.reportLimit)
    reports.push_back({kind, key, 1, text});
  else
    entry->second = size_t(-1);
}

} // namespace bochner::sim
