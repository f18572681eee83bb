//===- SimulateTool.cpp - run a kernel of a file in the simulator ---------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bochner-simulate FILE KERNEL [--grid=X,Y,Z] [--block=X,Y,Z] [--shared=BYTES] [--seed=N] [--threads=N] [--steps=N]
//                  [--strict] [--count] [--reports=N] [--libdevice=FILE] [PARAMETER...]
//
// For lit tests: prints reports, counters and buffers. A parameter is NAME:TYPE:COUNT[:CONTENT] with TYPE f32, i32,
// i16, or i8 and CONTENT iota (default), zero, none (not initialized), const (iota, read only), or a plain integer.
//
//===----------------------------------------------------------------------===//
#include "SimulatedModule.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace bochner::test;

namespace {
struct Parameter {
  std::string name, type, content;
  size_t count = 0;
  std::vector<char> storage;
  uint64_t value = 0;
  bool isBuffer = false;
};
} // namespace

static std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts{""};
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back().push_back(c);
  return parts;
}

static Parameter parseParameter(const std::string &text) {
  Parameter parameter;
  std::vector<std::string> parts = split(text, ':');
  if (parts.size() < 3) {
    parameter.value = strtoull(text.c_str(), nullptr, 0);
    return parameter;
  }
  parameter.isBuffer = true;
  parameter.name = parts[0];
  parameter.type = parts[1];
  parameter.count = strtoull(parts[2].c_str(), nullptr, 0);
  parameter.content = parts.size() > 3 ? parts[3] : "iota";
  size_t size = parameter.type == "i8" ? 1 : parameter.type == "i16" ? 2 : 4;
  parameter.storage.resize(parameter.count * size + 256);
  uintptr_t address = (uintptr_t(parameter.storage.data()) + 255) & ~uintptr_t(255);
  parameter.value = address;
  for (size_t i = 0; i < parameter.count && parameter.content != "zero"; ++i) {
    auto *at = reinterpret_cast<char *>(address + i * size);
    float number = float(i);
    int32_t integer = int32_t(i);
    if (parameter.type == "f32")
      memcpy(at, &number, 4);
    else
      memcpy(at, &integer, size);
  }
  return parameter;
}

static void print(const Parameter &parameter) {
  printf("%s =", parameter.name.c_str());
  auto *bytes = reinterpret_cast<const char *>(parameter.value);
  for (size_t i = 0; i < std::min<size_t>(parameter.count, 16); ++i)
    if (parameter.type == "f32")
      printf(" %g", double(reinterpret_cast<const float *>(bytes)[i]));
    else if (parameter.type == "i32")
      printf(" %d", reinterpret_cast<const int32_t *>(bytes)[i]);
    else if (parameter.type == "i16")
      printf(" %d", reinterpret_cast<const int16_t *>(bytes)[i]);
    else
      printf(" %d", bytes[i]);
  printf("\n");
}

static void print(const bochner_sim_counters_t &counters) {
#define PRINT(NAME) printf(#NAME " %llu\n", (unsigned long long)counters.NAME);
  PRINT(blocks)
  PRINT(threads)
  PRINT(barriers)
  PRINT(shuffles)
  PRINT(collectives)
  PRINT(mufu)
  PRINT(shared_requests)
  PRINT(shared_wavefronts)
  PRINT(shared_minimum)
  PRINT(global_read_bytes)
  PRINT(global_read_sectors)
  PRINT(global_written_bytes)
  PRINT(global_written_sectors)
  PRINT(atomics)
#undef PRINT
  for (uint32_t i = 0; i < counters.mma_shapes; ++i) {
    uint32_t key = counters.mma[i].key;
    printf("mma m%un%uk%u %llu\n", key % 16 * 8, (key >> 4) % 64 * 8, (key >> 10) % 16 * 4,
           (unsigned long long)counters.mma[i].count);
  }
}

int main(int argc, char **argv) {
  if (argc < 3)
    return 1;
  LaunchOptions options;
  std::vector<Parameter> parameters;
  std::string libdevice;
  auto triple = [](const char *text) {
    std::array<uint32_t, 3> result = {1, 1, 1};
    sscanf(text, "%u,%u,%u", &result[0], &result[1], &result[2]);
    return result;
  };
  for (int i = 3; i < argc; ++i) {
    std::string text = argv[i], value = text.substr(std::min(text.size(), text.find('=') + 1));
    auto is = [&](const char *flag) { return !text.compare(0, strlen(flag), flag); };
    if (is("--grid="))
      options.grid = triple(value.c_str());
    else if (is("--block="))
      options.block = triple(value.c_str());
    else if (is("--shared="))
      options.dynamicShared = uint32_t(strtoul(value.c_str(), nullptr, 0));
    else if (is("--seed="))
      options.seed = strtoull(value.c_str(), nullptr, 0);
    else if (is("--steps="))
      options.stepLimit = strtoull(value.c_str(), nullptr, 0);
    else if (is("--threads="))
      options.threads = atoi(value.c_str());
    else if (is("--reports="))
      options.reportLimit = uint32_t(atoi(value.c_str()));
    else if (is("--libdevice="))
      libdevice = value;
    else if (is("--strict"))
      options.checks |= BOCHNER_SIM_STRICT_COLLECTIVES;
    else if (is("--count"))
      options.checks |= BOCHNER_SIM_COUNT_MEMORY;
    else
      parameters.push_back(parseParameter(text));
  }
  std::string diagnostics;
  auto module = SimulatedModule::fromFile(argv[1], diagnostics, libdevice);
  if (!module) {
    fputs(diagnostics.c_str(), stdout);
    return 1;
  }
  std::vector<uint64_t> values;
  std::vector<Buffer> buffers;
  for (const Parameter &parameter : parameters) {
    values.push_back(parameter.value);
    if (!parameter.isBuffer)
      continue;
    size_t bytes = parameter.storage.size() - 256;
    uint32_t flags = (parameter.content == "none" ? 0 : BOCHNER_SIM_BUFFER_INITIALIZED) |
                     (parameter.content == "const" ? 0 : BOCHNER_SIM_BUFFER_WRITABLE);
    buffers.push_back({parameter.name, reinterpret_cast<void *>(parameter.value), bytes, flags});
  }
  bochner_sim_status_t status = module->launch(argv[2], options, values, buffers);
  printf("status %d\n", int(status));
  for (const FoundReport &report : module->reports)
    printf("%s x%llu: %s\n", report.kindName.c_str(), (unsigned long long)report.count, report.text.c_str());
  for (const Parameter &parameter : parameters)
    if (parameter.isBuffer && parameter.content != "const")
      print(parameter);
  if (options.checks & BOCHNER_SIM_COUNT_MEMORY)
    print(module->counters);
  return 0;
}
