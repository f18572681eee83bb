//===- Npz.h - numpy's archives of named arrays ---------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A zip archive with one .npy file for each array, stored or deflated, of any size (zip64). Reading touches only the
// arrays that are asked for, checks their checksums and never trusts a size; stored arrays stay in the mapped file.
// Writing stores, in one pass, with every array aligned to 64 bytes, and gives the same bytes for the same arrays.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_NPZ_H
#define BOCHNER_TOOLS_RUN_NPZ_H

#include "File.h"
#include "Tensor.h"

#include <map>

namespace bochner::run {

class NpzReader {
public:
  /// Reads the directory. Throws Failure if it is not one.
  explicit NpzReader(const std::string &path);
  /// The same for content that is in memory already; `path` is for messages.
  NpzReader(std::string path, FileContent content);

  bool contains(const std::string &name) const { return members.count(name) != 0; }
  std::vector<std::string> names() const;
  Tensor read(const std::string &name) const;

private:
  struct Member {
    uint32_t method, checksum;
    uint64_t compressedSize, size, headerOffset;
  };
  void readDirectory();
  std::string_view packedBytes(const std::string &name, const Member &member) const;
  Tensor inflateArray(std::string_view packed, const Member &member, const std::string &what) const;
  [[noreturn]] void failAsDamaged(const std::string &how) const;

  std::string path;
  FileContent content;
  std::map<std::string, Member> members;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Writes the archive to an open file.
void writeNpz(OutputFile &file, const std::vector<NamedTensor> &arrays);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_NPZ_H
