//===- Report.h - what a run says -----------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The measurements of one run, as text for people and as one JSON object for scripts.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_REPORT_H
#define BOCHNER_TOOLS_RUN_REPORT_H

#include "Bench.h"
#include "Check.h"
#include "Roofline.h"

#include <optional>

namespace bochner::run {

struct Report {
  std::string entry, route, device, cpu;
  std::string chip;             ///< empty on the CPU
  std::optional<bool> cacheHit; ///< none for a module that was loaded by name
  double compileMs = 0;
  int32_t threads = 0;
  // Only if the function was called:
  std::optional<Timing> timing; ///< of one run without --bench
  std::optional<bochner_cost_t> cost;
  std::optional<CheckReport> check;
  double startToResultMs = 0;
  uint64_t peakRssBytes = 0;
  std::vector<std::string> resultLines;
  std::vector<KernelCounts> kernels; ///< with --report, in the order of launches

  double gflop() const { return cost->flop * 1e-9; }
  double stateGbytesPerS() const { return 2 * timing->updatedBytes * 1e-9 / (timing->stateMs * 1e-3); }
  double stateShare() const { return timing->stateMs / timing->medianMs; }
  double gflops() const { return gflop() / (timing->medianMs * 1e-3); }
};

/// "out 2x8x1024x64 f32: -1.2 to 3.4, rms 0.9".
std::string describeResult(const std::string &name, const Tensor &tensor);

std::string toText(const Report &report);

/// One strict JSON object and a line feed. What was not measured is null.
std::string toJson(const Report &report);

/// Collects members; numbers in the shortest form that reads back the same, NaN and infinities as null.
class JsonObject {
public:
  void add(const char *key, std::string_view value) { addRaw(key, quote(value)); }
  void add(const char *key, const char *value) { add(key, std::string_view(value)); }
  void add(const char *key, const std::string &value) { add(key, std::string_view(value)); }
  void add(const char *key, double value);
  void add(const char *key, int64_t value) { addRaw(key, std::to_string(value)); }
  void add(const char *key, uint64_t value) { addRaw(key, std::to_string(value)); }
  void add(const char *key, int32_t value) { addRaw(key, std::to_string(value)); }
  void add(const char *key, bool value) { addRaw(key, value ? "true" : "false"); }
  void add(const char *key, const JsonObject &value) { addRaw(key, value.text()); }
  void addNull(const char *key) { addRaw(key, "null"); }
  void addRaw(const char *key, const std::string &value);
  std::string text() const { return "{" + members + "}"; }

  /// A string literal; bytes that are not UTF-8 become U+FFFD.
  static std::string quote(std::string_view value);

private:
  std::string members;
};

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_REPORT_H
