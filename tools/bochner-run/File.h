//===- File.h - reading and replacing whole files -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs are mapped. Outputs are written to a temporary file beside the target and take its place when the whole run
// has succeeded, so that nobody ever sees half a file and a failed run leaves everything as it was.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_FILE_H
#define BOCHNER_TOOLS_RUN_FILE_H

#include <memory>
#include <string>
#include <string_view>

namespace bochner::run {

struct FileContent {
  std::string_view bytes;
  std::shared_ptr<const void> memory; ///< keeps the bytes
};

/// Maps a regular file, reads anything else; "-" is the standard input. Throws Failure.
FileContent readFile(const std::string &path);

class OutputFile {
public:
  /// Throws Failure if it is plain by now that `path` cannot be written. Creates nothing.
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  /// Creates the temporary file. What is not a regular file (a pipe, a device) is written to as it is.
  void open();
  void write(const void *data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Where the content goes until commit(), for writers that want a path. Only for regular files.
  const std::string &temporaryPath();
  /// Puts the file in its place.
  void commit();

  const std::string &path() const { return target; }

private:
  [[noreturn]] void failToWrite(int error);

  std::string target, temporary;
  bool isRegular = true;
  int fd = -1;
};

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_FILE_H
