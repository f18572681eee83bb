//===- Checkpoint.cpp - a run that can go on -----------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checkpoint.h"
#include "Failure.h"
#include "File.h"

#include <cstring>

namespace listops {

constexpr std::string_view kMagic = "LISTOPS1";
constexpr size_t kHeader = 24; ///< magic, size, hash

namespace {
/// Writer and Reader go through the same members (visitCheckpoint), one in each direction.
class Writer {
public:
  std::string bytes;

  void operator()(const std::string &value) {
    (*this)(value.size());
    bytes += value;
  }
  template <typename T> std::enable_if_t<std::is_arithmetic_v<T>> operator()(const T &value) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  size_t count(size_t size) {
    (*this)(size);
    return size;
  }
};

class Reader {
public:
  Reader(std::string_view bytes, const std::string &path) : bytes(bytes), path(path) {}

  void operator()(std::string &value) {
    size_t size = count(0);
    value = std::string(take(size));
  }
  template <typename T> std::enable_if_t<std::is_arithmetic_v<T>> operator()(T &value) {
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
  }
  /// Every element that is counted takes a byte at least, so that a wrong number cannot ask for much memory.
  size_t count(size_t) {
    size_t size = 0;
    (*this)(size);
    if (size > bytes.size())
      failAsDamaged();
    return size;
  }
  void finish() {
    if (!bytes.empty())
      failAsDamaged();
  }

private:
  std::string_view take(size_t size) {
    if (size > bytes.size())
      failAsDamaged();
    std::string_view result = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return result;
  }
  [[noreturn]] void failAsDamaged() {
    fail("expected the checkpoint '", path, "' to be complete, but its content ends early or late; it is of another ",
         "version of this program, so start a new run with another --out");
  }
  std::string_view bytes;
  const std::string &path;
};
} // namespace

template <typename Archive, typename Container, typename Fn>
static void visitAll(Archive &archive, Container &values, Fn visit) {
  size_t size = archive.count(values.size());
  if constexpr (!std::is_const_v<Container>)
    values.resize(size);
  for (auto &value : values)
    visit(value);
}

template <typename Archive, typename Saved> static void visitCheckpoint(Archive &archive, Saved &checkpoint) {
  archive(checkpoint.graph);
  archive(checkpoint.step);
  archive(checkpoint.seconds);
  archive(checkpoint.cpuSeconds);
  archive(checkpoint.meter.loss);
  archive(checkpoint.meter.correct);
  archive(checkpoint.meter.count);
  visitAll(archive, checkpoint.history, [&](auto &record) {
    archive(record.step);
    archive(record.seconds);
    archive(record.cpuSeconds);
    archive(record.learningRate);
    archive(record.trainLoss);
    archive(record.trainAccuracy);
    archive(record.heldOutLoss);
    archive(record.heldOutAccuracy);
  });
  visitAll(archive, checkpoint.tensors, [&](auto &tensor) {
    archive(tensor.name);
    archive(tensor.type);
    visitAll(archive, tensor.shape, [&](auto &size) { archive(size); });
    archive(tensor.bytes);
  });
}

void saveCheckpoint(const Checkpoint &checkpoint, const std::string &path) {
  Writer writer;
  writer(checkpoint.settings.size());
  for (const auto &[name, value] : checkpoint.settings) {
    writer(name);
    writer(value);
  }
  visitCheckpoint(writer, checkpoint);
  Writer header;
  header.bytes = kMagic;
  header(uint64_t(writer.bytes.size()));
  header(hashOf(writer.bytes));
  writeFile(path, header.bytes + writer.bytes);
}

Checkpoint loadCheckpoint(const std::string &path) {
  std::optional<std::string> content = readFile(path);
  if (!content)
    fail("expected a checkpoint '", path, "' to resume from, but there is none; leave out --resume to start a run");
  if (content->size() < kHeader || content->compare(0, kMagic.size(), kMagic) != 0)
    fail("expected '", path, "' to be a checkpoint of this program, but it begins with something else; start a new ",
         "run with another --out");
  uint64_t size, hash;
  std::memcpy(&size, content->data() + 8, 8);
  std::memcpy(&hash, content->data() + 16, 8);
  std::string_view rest = std::string_view(*content).substr(kHeader);
  if (rest.size() != size)
    fail("expected ", size, " bytes in the checkpoint '", path, "', but got ", rest.size(),
         "; it is damaged, so restore a copy or start a new run with another --out");
  if (hashOf(rest) != hash)
    fail("expected the checksum of the checkpoint '", path, "' to be ", toHex(hash), ", but got ", toHex(hashOf(rest)),
         "; it is damaged, so restore a copy or start a new run with another --out");
  Reader reader(rest, path);
  Checkpoint checkpoint;
  for (size_t i = 0, e = reader.count(0); i < e; ++i) {
    std::string name;
    reader(name);
    reader(checkpoint.settings[name]);
  }
  visitCheckpoint(reader, checkpoint);
  reader.finish();
  return checkpoint;
}

} // namespace listops
