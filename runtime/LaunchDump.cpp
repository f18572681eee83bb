//===- LaunchDump.cpp - what launches of a call looked like ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LaunchDump.h"

#include "File.h"

#include <cstring>

using namespace bochner;

static std::string hexadecimal(const void *data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    auto byte = static_cast<const unsigned char *>(data)[i];
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

/// A parameter as JSON: the buffer that an address is in, or the bytes in memory's order.
static std::string describeParameter(const void *value, uint32_t size,
                                     const std::vector<bochner_sim_buffer_t> &buffers) {
  uint64_t address = 0;
  if (size == 8)
    memcpy(&address, value, 8);
  for (const bochner_sim_buffer_t &buffer : buffers) {
    auto start = reinterpret_cast<uint64_t>(buffer.address);
    if (size == 8 && address >= start && address < start + buffer.bytes)
      return concat("{\"type\": \"pointer\", \"size\": 8, \"buffer\": \"", buffer.name,
                    "\", \"offset\": ", address - start, "}");
  }
  return concat("{\"type\": \"b", size * 8, "\", \"size\": ", size, ", \"bytes\": \"", hexadecimal(value, size), "\"}");
}

void LaunchDump::begin(const format::Launch &launch, const std::vector<bochner_sim_buffer_t> &buffers) {
  const auto &kernel = *static_cast<const bochner_sim_kernel_t *>(launch.kernel);
  std::string parameters, contents;
  for (uint32_t i = 0; i < kernel.parameter_count; ++i)
    parameters += (i ? ",\n      " : "") + describeParameter(launch.parameters[i], kernel.parameter_sizes[i], buffers);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const bochner_sim_buffer_t &buffer = buffers[i];
    uint64_t now = format::checksum(static_cast<const char *>(buffer.address), buffer.bytes);
    if (i < checksums.size() && checksums[i] == now)
      continue;
    std::string name = concat("launch-", number, "-", buffer.name, ".bin");
    if (Status status = writeFile(folder + "/" + name, {static_cast<const char *>(buffer.address), buffer.bytes}))
      failure = std::move(status);
    contents += concat(contents.empty() ? "" : ",\n      ", "{\"buffer\": \"", buffer.name,
                       "\", \"bytes\": ", buffer.bytes, ", \"file\": \"", name, "\"}");
  }
  launches += concat(number++ ? ",\n" : "", "  {\"entry\": \"", kernel.name, "\", \"file\": \"", kernel.name,
                     ".ptx\",\n    \"grid\": [", launch.grid[0], ", ", launch.grid[1], ", ", launch.grid[2],
                     "], \"block\": [", launch.block[0], ", ", launch.block[1], ", ", launch.block[2],
                     "], \"dynamic_shared_bytes\": ", launch.sharedBytes, ",\n    \"parameters\": [", parameters,
                     "],\n    \"contents\": [", contents, "]}");
}

void LaunchDump::end(const std::vector<bochner_sim_buffer_t> &buffers) {
  checksums.clear();
  for (const bochner_sim_buffer_t &buffer : buffers)
    checksums.push_back(format::checksum(static_cast<const char *>(buffer.address), buffer.bytes));
}

Status LaunchDump::write() {
  return failure ? std::move(failure) : writeFile(folder + "/launch.json", "[\n" + launches + "\n]\n");
}
