//===- LaunchDump.cpp - what a call launches, as text ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "LaunchDump.h"

#include "File.h"

#include <cstring>

using namespace bochner;

// The end of launch.json as the compiler writes it (lib/Target/CudaKernels.cpp). Each call is a line in front of it.
static constexpr char kTail[] = "\n]\n}\n";
static constexpr char kCalls[] = "\"calls\": [";

/// Names of kernels and tensors are text without control characters.
static std::string quote(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

std::string LaunchDump::fileOf(const Buffer &buffer) const {
  std::string name = concat("call", number, '-', buffer.kind, '-', buffer.name, ".bin");
  for (char &c : name)
    if (c == '/')
      c = '_';
  return name;
}

void LaunchDump::addBuffer(const char *kind, const char *name, const char *type, void *address, uint64_t bytes,
                           bool readable) {
  buffers.push_back({kind, name, type, static_cast<char *>(address), bytes, readable});
}

void LaunchDump::addLaunch(const char *kernel, const format::Launch &launch, const uint32_t *sizes, uint32_t count) {
  std::string text =
      concat(launches.empty() ? "" : ",", "\n    {\"kernel\": ", quote(kernel), ", \"grid\": [", launch.grid[0], ", ",
             launch.grid[1], ", ", launch.grid[2], "], \"block\": [", launch.block[0], ", ", launch.block[1], ", ",
             launch.block[2], "], \"dynamic_shared_bytes\": ", launch.sharedBytes, ", \"parameters\": [");
  for (uint32_t i = 0; i < count; ++i) {
    text += i ? ", " : "";
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string bytes;
    for (uint32_t j = 0; j < sizes[i]; ++j) {
      auto byte = static_cast<const unsigned char *>(launch.parameters[i])[j];
      bytes += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    text += concat("{\"size\": ", sizes[i], ", \"bytes\": \"", bytes, '"');
    if (sizes[i] == sizeof(char *)) {
      char *pointer;
      int64_t value;
      memcpy(&pointer, launch.parameters[i], sizeof pointer);
      memcpy(&value, launch.parameters[i], sizeof value);
      text += concat(", \"value\": ", value);
      for (size_t b = 0; b < buffers.size(); ++b)
        if (pointer >= buffers[b].address && (pointer < buffers[b].address + buffers[b].bytes)) {
          text += concat(", \"buffer\": ", b, ", \"offset\": ", pointer - buffers[b].address);
          break;
        }
    } else if (sizes[i] == sizeof(int32_t)) {
      int32_t value;
      memcpy(&value, launch.parameters[i], sizeof value);
      text += concat(", \"value\": ", value);
    }
    text += '}';
  }
  std::string file = writeWorkspace();
  launches += text + "], \"workspace\": " + (file.empty() ? "null" : quote(file)) + "}";
  ++launchNumber;
}

std::string LaunchDump::writeWorkspace() {
  for (const Buffer &buffer : buffers) {
    if (buffer.kind != "workspace" || !buffer.readable || !buffer.bytes)
      continue;
    if (launchNumber && format::checksum(buffer.address, buffer.bytes) == workspaceChecksum)
      return "";
    std::string name = concat("call", number, "-launch", launchNumber, "-workspace.bin");
    if (Status status = writeFile(concat(folder, '/', name), {buffer.address, buffer.bytes}))
      failure = std::move(status);
    return name;
  }
  return "";
}

void LaunchDump::endLaunch() {
  for (const Buffer &buffer : buffers)
    if (buffer.kind == "workspace" && buffer.readable)
      workspaceChecksum = format::checksum(buffer.address, buffer.bytes);
}

Status LaunchDump::writeContent(const char *kind) const {
  for (const Buffer &buffer : buffers)
    if (buffer.readable && buffer.kind == kind)
      if (Status status = writeFile(concat(folder, '/', fileOf(buffer)), {buffer.address, buffer.bytes}))
        return status;
  return {};
}

Status LaunchDump::begin() {
  std::string path = concat(folder, "/launch.json");
  if (Status status = readFile(path, head))
    return status;
  size_t calls = head.find(kCalls), tail = head.rfind(kTail);
  if (calls == std::string::npos || tail == std::string::npos || tail + strlen(kTail) != head.size())
    return invalidArgument("expected '", path, "' to be as a compilation with a dump folder writes it");
  head.resize(tail);
  for (size_t at = calls; (at = head.find("\n  {\"number\": ", at + 1)) != std::string::npos;)
    ++number;
  return writeContent("argument");
}

Status LaunchDump::end() {
  if (failure)
    return std::move(failure);
  if (Status status = writeContent("result"))
    return status;
  std::string text = concat(number ? "," : "", "\n  {\"number\": ", number, ", \"buffers\": [");
  for (const Buffer &buffer : buffers) {
    bool hasFile = buffer.readable && buffer.kind != "workspace";
    text += concat(&buffer == buffers.data() ? "" : ",", "\n    {\"kind\": ", quote(buffer.kind),
                   ", \"name\": ", quote(buffer.name), ", \"type\": ", quote(buffer.type),
                   ", \"bytes\": ", buffer.bytes, ", \"file\": ", hasFile ? quote(fileOf(buffer)) : "null", '}');
  }
  text += concat("], \"launches\": [", launches, "]}");
  return writeFile(concat(folder, "/launch.json"), concat(head, text, kTail));
}
