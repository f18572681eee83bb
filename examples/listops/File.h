//===- File.h - files that are whole or not there -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_FILE_H
#define LISTOPS_FILE_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace listops {

/// Nothing if there is no such file. Throws Failure if it cannot be read.
std::optional<std::string> readFile(const std::string &path);

/// Writes a temporary file beside `path`, waits until the disk has it, and renames it: whenever the process or the
/// machine stops, `path` has its old content or the new one. Throws Failure.
void writeFile(const std::string &path, std::string_view content);

/// Creates a folder unless it is there, but not its parents. Throws Failure.
void makeFolder(const std::string &path);

/// Holds a folder against other processes until this one ends, however it ends. Throws Failure.
class FolderLock {
public:
  explicit FolderLock(const std::string &folder);
  ~FolderLock();
  FolderLock(const FolderLock &) = delete;
  FolderLock &operator=(const FolderLock &) = delete;

private:
  int file;
};

/// What a program writes to its standard output; its standard error is ours. Throws Failure.
std::string outputOf(const std::vector<std::string> &command, const std::string &remedy);

/// FNV-1a, to notice damage.
uint64_t hashOf(std::string_view bytes, uint64_t hash = 14695981039346656037u);
std::string toHex(uint64_t value);

} // namespace listops

#endif // LISTOPS_FILE_H
