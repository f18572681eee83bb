//===- Image.h - the code of a module in memory ------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loads the ELF file that ModuleFormat.h describes: maps it or copies it, fills in the slots of its tables and makes
// the text executable. No offset, length or name of the file is trusted. Text is never writable once it can run, and
// nothing is writable once a module is loaded.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_IMAGE_H
#define BOCHNER_RUNTIME_IMAGE_H

#include "File.h"
#include "ModuleFormat.h"
#include "Status.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bochner {

class Image {
public:
  ~Image();
  Image(const Image &) = delete;
  Image &operator=(const Image &) = delete;

  /// Copies `file`. `name` is for messages.
  static Status fromMemory(std::string_view file, const std::string &name, std::unique_ptr<Image> &image);

  /// Maps the open file if `mayMap`, which must be false if anybody could change its content; a file system that
  /// forbids execution gets a copy.
  static Status fromFile(const FileDescriptor &file, size_t size, bool mayMap, const std::string &name,
                         std::unique_ptr<Image> &image);

  /// True if `data` begins like a module.
  static bool hasMagic(std::string_view data);

  const format::ModuleInfo &info() const { return moduleInfo; }
  size_t size() const { return fileSize; }

  /// The address of a function in the text; null if there is none of that name.
  void *findFunction(const std::string &name) const;

  /// The file as it was before the slots were filled in.
  std::string fileContent() const;

private:
  Image() = default;

  struct Segment {
    size_t begin, end; // file offsets
    bool writable, executable;
  };
  struct Section;

  Status parse(const std::string &name);
  const char *parseHeaders();
  const char *parseSegments(uint64_t offset, uint64_t count);
  const char *parseSections(uint64_t offset, uint64_t count, uint64_t namesIndex);
  const char *parseSymbols(const Section &symbols, const Section &strings);
  Status link(const std::string &name);
  const char *fillSlot(uint64_t slot, const void *value);
  bool protect(int (*protection)(const Segment &));

  std::string_view bytes() const { return {base, fileSize}; }

  char *base = nullptr;
  size_t fileSize = 0;
  std::vector<Segment> segments;
  format::ModuleInfo moduleInfo;
  format::LoaderTables tables;
  std::map<std::string, uint64_t, std::less<>> functions; // name to file offset
  std::vector<uint64_t> slotValues;                       // before relocation, imports first
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_IMAGE_H
