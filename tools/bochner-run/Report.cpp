//===- Report.cpp - what a run says --------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text and JSON of the same numbers.
//
//===----------------------------------------------------------------------===//
#include "Report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace bochner::run {

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static std::string shortest(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

void JsonObject::add(const char *key, double value) { addRaw(key, std::isfinite(value) ? shortest(value) : "null"); }

void JsonObject::addRaw(const char *key, const std::string &value) {
  members += concat(members.empty() ? "" : ", ", quote(key), ": ", value);
}

/// Bytes of the UTF-8 sequence that `text` begins with; 0 if it does not begin with one.
static size_t sequenceLength(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first < 0xe0)
    return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    bool isOverlong = first == 0xe0 && byte(1) < 0xa0, isSurrogate = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !isOverlong && !isSurrogate ? 3 : 0;
  }
  bool isInRange = (first > 0xf0 || byte(1) >= 0x90) && (first < 0xf4 || byte(1) < 0x90);
  return first >= 0xf0 && first < 0xf5 && follows(1) && follows(2) && follows(3) && isInRange ? 4 : 0;
}

std::string JsonObject::quote(std::string_view value) {
  std::string text = "\"";
  while (!value.empty()) {
    size_t length = sequenceLength(value);
    unsigned char c = value[0];
    if (length == 0) {
      text += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      text += concat('\\', char(c));
    } else if (c < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      text += escape;
    } else {
      text += value.substr(0, length);
    }
    value.remove_prefix(std::max<size_t>(length, 1));
  }
  return text + '"';
}

static std::string listIndex(const std::vector<int64_t> &index) {
  std::string text;
  for (int64_t i : index)
    text += concat(text.empty() ? "" : ", ", i);
  return "[" + text + "]";
}

static JsonObject checkToJson(const CheckReport &check) {
  auto add = [](JsonObject &object, const ResultError &error) {
    object.add("max_abs", error.maxAbs);
    object.add("max_rel", error.maxRel);
    object.add("rms_rel", error.rmsRel);
    object.add("median_rel", error.medianRel);
    object.add("p99_rel", error.p99Rel);
    object.add("largest", error.largest);
    object.add("elements", error.elements);
    object.add("non_finite", error.nonFinite);
    object.add("limit", error.limit);
    object.add("weighted", error.weighted);
  };
  JsonObject object;
  add(object, check.worst());
  object.add("passed", check.passed());
  JsonObject results;
  for (const ResultError &error : check.results) {
    JsonObject result;
    add(result, error);
    result.addRaw("where", listIndex(error.where));
    result.addRaw("where_abs", listIndex(error.whereAbs));
    result.add("passed", error.passed);
    results.add(error.name.c_str(), result);
  }
  object.add("results", results);
  if (check.denominators) {
    JsonObject denominators;
    denominators.add("rows", check.denominators->rows);
    denominators.add("near_zero", check.denominators->nearZero);
    denominators.add("smallest_rel", check.denominators->smallestRel);
    object.add("denominators", denominators);
  }
  return object;
}

std::string toJson(const Report &report) {
  JsonObject object;
  auto addIf = [&](bool known, const char *key, auto value) {
    if (known)
      object.add(key, value());
    else
      object.addNull(key);
  };
  bool ran = report.timing.has_value(), hasPeak = ran && report.timing->peakGflops > 0;
  object.add("entry", report.entry);
  object.add("route", report.route);
  object.add("device", report.device);
  addIf(!report.chip.empty(), "chip", [&] { return report.chip; });
  object.add("cpu", report.cpu);
  object.add("threads", report.threads);
  addIf(ran, "runs", [&] { return report.timing->runs; });
  addIf(ran, "median_ms", [&] { return report.timing->medianMs; });
  addIf(ran, "min_ms", [&] { return report.timing->minMs; });
  addIf(ran, "gflop", [&] { return report.gflop(); });
  addIf(ran, "gflops", [&] { return report.gflops(); });
  addIf(hasPeak, "peak_gflops", [&] { return report.timing->peakGflops; });
  addIf(hasPeak, "peak_share", [&] { return report.gflops() / report.timing->peakGflops; });
  addIf(hasPeak, "peak_unit", [&] { return report.timing->peakUnit; });
  bool hasState = ran && report.timing->stateMs > 0;
  addIf(hasState, "updated_bytes", [&] { return report.timing->updatedBytes; });
  addIf(hasState, "state_ms", [&] { return report.timing->stateMs; });
  addIf(hasState, "state_gbytes_per_s", [&] { return report.stateGbytesPerS(); });
  addIf(hasState, "state_share", [&] { return report.stateShare(); });
  addIf(ran, "scratch_bytes", [&] { return report.cost->scratch_bytes; });
  addIf(ran, "workspace_bytes", [&] { return report.cost->workspace_bytes; });
  addIf(ran, "state_bytes", [&] { return report.cost->state_bytes; });
  object.add("peak_rss_bytes", report.peakRssBytes);
  object.add("compile_ms", report.compileMs);
  addIf(report.cacheHit.has_value(), "cache", [&] { return *report.cacheHit ? "hit" : "miss"; });
  addIf(ran, "start_to_result_ms", [&] { return report.startToResultMs; });
  if (report.check && !report.check->results.empty())
    object.add("check", checkToJson(*report.check));
  if (!report.kernels.empty())
    object.addRaw("kernels", kernelsToJson(report.kernels));
  return object.text() + '\n';
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

__attribute__((format(printf, 1, 2))) static std::string format(const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char buffer[512];
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::string describeResult(const std::string &name, const Tensor &tensor) {
  std::string text = concat(name, ' ', shapeText(tensor.shape), ' ', typeName(tensor.type));
  if (!isFloat(tensor.type) || !tensor.elements())
    return text;
  Tensor rows = tensor.hasContiguousRows() ? tensor : tensor.compact();
  double low = INFINITY, high = -INFINITY, sum = 0;
  int64_t count = rows.elements(), finite = 0;
  std::vector<double> row(rows.shape.empty() ? 1 : rows.shape.back());
  forEachRow(rows, [&](const char *from) {
    readFloats(rows.type, from, row.size(), row.data());
    for (double value : row) {
      if (!std::isfinite(value))
        continue;
      low = std::min(low, value);
      high = std::max(high, value);
      sum += value * value;
      ++finite;
    }
  });
  if (finite)
    text += format(": %.6g to %.6g, rms %.6g", low, high, std::sqrt(sum / finite));
  if (finite < count)
    text += format("; %lld not finite", static_cast<long long>(count - finite));
  return text;
}

static std::string bytes(uint64_t count) {
  if (count < 10240)
    return format("%llu B", static_cast<unsigned long long>(count));
  if (count < 10485760)
    return format("%.0f KB", count / 1024.0);
  return format("%.0f MB", count / 1048576.0);
}

static std::string describe(const ResultError &error, const std::optional<Denominators> &denominators) {
  std::string text =
      format("check %s: %s, error %.2e of the largest (limit %.0e%s), rms %.2e, median %.2e, 99%% %.2e",
             error.name.c_str(), error.passed ? "passed" : "FAILED", error.maxRel, error.limit,
             error.weighted ? ", weighted by the denominator" : "", error.rmsRel, error.medianRel, error.p99Rel);
  if (error.elements)
    text += concat(", worst at ", listIndex(error.where), '\n',
                   format("  largest difference %.2e at %s: %.9g instead of %.9g\n", error.maxAbs,
                          listIndex(error.whereAbs).c_str(), error.gotAbs, error.expectedAbs));
  else
    text += '\n';
  text += format("  %lld elements, the largest %.6g", static_cast<long long>(error.elements), error.largest);
  if (error.nonFinite || error.nonFiniteReference)
    text += format("; %lld not finite, %lld in the reference", static_cast<long long>(error.nonFinite),
                   static_cast<long long>(error.nonFiniteReference));
  text += '\n';
  if (error.weighted && denominators)
    text += format("  %lld of %lld denominators below 1%% of the largest, the smallest %.2e of it\n",
                   static_cast<long long>(denominators->nearZero), static_cast<long long>(denominators->rows),
                   denominators->smallestRel);
  return text;
}

std::string toText(const Report &report) {
  std::string text = format("%s: route %s on %s (%s), %d thread%s\n", report.entry.c_str(), report.route.c_str(),
                            report.device.c_str(), report.cpu.c_str(), report.threads, report.threads == 1 ? "" : "s");
  if (!report.cacheHit)
    text += "compile: none, the module was loaded\n";
  else if (*report.cacheHit)
    text += "compile: none, the cache had it\n";
  else
    text += format("compile: %.1f ms\n", report.compileMs);
  if (!report.timing)
    return text;
  for (const std::string &line : report.resultLines)
    text += concat("result ", line, '\n');
  const Timing &timing = *report.timing;
  if (timing.peakGflops > 0) {
    text += format("time: median %.4g ms, least %.4g ms of %lld runs; %.1f ms from the start to the first result\n",
                   timing.medianMs, timing.minMs, static_cast<long long>(timing.runs), report.startToResultMs);
    text +=
        format("rate: %.1f GFLOP/s of %.3g GFLOP, %.1f%% of the peak of %.1f GFLOP/s (%s)\n", report.gflops(),
               report.gflop(), 100 * report.gflops() / timing.peakGflops, timing.peakGflops, timing.peakUnit.c_str());
  } else {
    text += format("time: %.4g ms for the first run; %.1f ms from the start to its result\n", timing.medianMs,
                   report.startToResultMs);
  }
  if (timing.stateMs > 0)
    text += concat("state: ", bytes(timing.updatedBytes),
                   format(" take %.4g ms to read and write once (%.1f GB/s), %.1f%% of the median\n", timing.stateMs,
                          report.stateGbytesPerS(), 100 * report.stateShare()));
  text += concat("memory: scratch ", bytes(report.cost->scratch_bytes), " a thread, workspace ",
                 bytes(report.cost->workspace_bytes), " of which states ", bytes(report.cost->state_bytes),
                 ", peak resident set ", bytes(report.peakRssBytes), '\n');
  if (!report.kernels.empty())
    text += describeKernels(report.kernels);
  if (report.check) {
    for (const ResultError &error : report.check->results)
      text += describe(error, report.check->denominators);
    if (!report.check->note.empty())
      text += concat("check note: ", report.check->note, '\n');
  }
  return text;
}

} // namespace bochner::run
