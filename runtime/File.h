//===- File.h - reading and writing whole files ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files of modules: read or map them, write them so that nobody sees half a file, and find out who may change them.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_FILE_H
#define BOCHNER_RUNTIME_FILE_H

#include "Status.h"

#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>

namespace bochner {

/// An open file; closed at the end.
class FileDescriptor {
public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor &&other) : fd(other.fd) { other.fd = -1; }
  FileDescriptor &operator=(FileDescriptor &&other) {
    std::swap(fd, other.fd);
    return *this;
  }
  explicit operator bool() const { return fd >= 0; }
  int get() const { return fd; }

private:
  int fd = -1;
};

/// Opens a regular file for reading. Errors: NOT_FOUND, IO_ERROR.
Status openFile(const std::string &path, FileDescriptor &file, struct stat &information);

/// The whole content of a file that openFile() opened, or of a stream; `path` is for the message.
Status readFile(const FileDescriptor &file, const std::string &path, std::string &content);

/// openFile() and readFile() that also accepts pipes and devices.
Status readFile(const std::string &path, std::string &content);

/// Writes a temporary file beside `path` and renames it. Something that is not a regular file (a pipe, a device) is
/// written to as it is. A symbolic link stays, its target is replaced. Errors: IO_ERROR.
Status writeFile(const std::string &path, std::string_view content);

/// Writes `content` to a new file in the open folder and renames it to `name`; errno on failure, else 0.
int writeFileAt(int folder, const std::string &name, std::string_view content, unsigned mode);

/// True if nobody but this user and the superuser can write to what `information` describes.
bool isPrivate(const struct stat &information);

/// "a/b" of "a/b/c", "." of "c", "/" of "/c".
std::string parentFolder(const std::string &path);

} // namespace bochner

#endif // BOCHNER_RUNTIME_FILE_H
