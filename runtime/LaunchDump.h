//===- LaunchDump.h - what a call launches, as text -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_LAUNCHDUMP_H
#define BOCHNER_RUNTIME_LAUNCHDUMP_H

#include "ModuleFormat.h"
#include "Status.h"

namespace bochner {

/// Adds the launches of one call to launch.json of a folder that a compilation wrote, and the content of host memory
/// to files beside it: an independent interpreter of PTX can then repeat the call. docs/Running.md has the format.
class LaunchDump {
public:
  explicit LaunchDump(std::string folder) : folder(std::move(folder)) {}

  /// Memory of the call; `kind` is "argument", "result" or "workspace". `readable`: by the host.
  void addBuffer(const char *kind, const char *name, const char *type, void *address, uint64_t bytes, bool readable);
  void addLaunch(const char *kernel, const format::Launch &launch, const uint32_t *sizes, uint32_t count);
  /// After the launch, where it is done by then: what host code writes to the workspace until the next one is found
  /// out.
  void endLaunch();

  /// Reads launch.json and writes the content of arguments. Errors: NOT_FOUND, IO_ERROR, INVALID_ARGUMENT.
  Status begin();
  /// Writes the content of results and the launches. Errors: IO_ERROR.
  Status end();

private:
  struct Buffer {
    std::string kind, name, type;
    char *address;
    uint64_t bytes;
    bool readable;
  };
  std::string fileOf(const Buffer &buffer) const;
  /// Writes the workspace if host code has changed it since the last launch; the name of the file or nothing.
  std::string writeWorkspace();
  Status writeContent(const char *kind) const;

  const std::string folder;
  std::string head;  // of launch.json, up to where calls are added
  size_t number = 0; // of calls before this one
  std::vector<Buffer> buffers;
  std::string launches;
  size_t launchNumber = 0;
  uint64_t workspaceChecksum = 0; ///< after the last launch
  Status failure;                 ///< of a file that a launch wrote
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_LAUNCHDUMP_H
