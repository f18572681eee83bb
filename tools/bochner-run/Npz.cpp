//===- Npz.cpp - numpy's archives of named arrays ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parts of the zip format that numpy and its like produce: no encryption, no spanning, methods 0 and 8.
//
//===----------------------------------------------------------------------===//
#include "Npz.h"
#include "Failure.h"
#include "Npy.h"

#include <cstring>
#include <limits>
#include <zlib.h>

namespace bochner::run {

constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kDirectoryEnd = 0x06054b50,
                   kDirectoryEnd64 = 0x06064b50, kDirectoryEnd64Locator = 0x07064b50;
constexpr size_t kLocalHeaderSize = 30, kDirectoryEntrySize = 46, kDirectoryEndSize = 22, kDirectoryEnd64Size = 56,
                 kLocatorSize = 20;
constexpr uint32_t kSizes64 = 1, kPadding = 0xd935; // identifiers of extra fields
constexpr uint32_t kInSizes64 = 0xffffffff;         // "see the extra field"
constexpr uint32_t kStored = 0, kDeflated = 8;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

template <typename T> static T littleEndian(std::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value |= T(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

NpzReader::NpzReader(const std::string &path) : NpzReader(path, readFile(path)) {}

NpzReader::NpzReader(std::string path, FileContent content) : path(std::move(path)), content(std::move(content)) {
  readDirectory();
}

void NpzReader::failAsDamaged(const std::string &how) const { fail("cannot read '", path, "': ", how); }

void NpzReader::readDirectory() {
  std::string_view bytes = content.bytes;
  auto u16 = [&](size_t at) { return littleEndian<uint16_t>(bytes, at); };
  auto u32 = [&](size_t at) { return littleEndian<uint32_t>(bytes, at); };
  auto u64 = [&](size_t at) { return littleEndian<uint64_t>(bytes, at); };

  // The end record is the last thing in the file, but for a comment of up to 64 KB.
  size_t end = std::string_view::npos;
  if (bytes.size() >= kDirectoryEndSize) {
    size_t last = bytes.size() - kDirectoryEndSize, first = last > 0xffff ? last - 0xffff : 0;
    for (size_t at = last + 1; at-- > first;)
      if (u32(at) == kDirectoryEnd && at + kDirectoryEndSize + u16(at + 20) <= bytes.size()) {
        end = at;
        break;
      }
  }
  if (end == std::string_view::npos)
    failAsDamaged("it is not an npz archive, or it is truncated");
  uint64_t count = u16(end + 10), size = u32(end + 12), offset = u32(end + 16);
  if (end >= kLocatorSize && u32(end - kLocatorSize) == kDirectoryEnd64Locator) {
    uint64_t end64 = u64(end - kLocatorSize + 8);
    if (bytes.size() < kDirectoryEnd64Size || end64 > bytes.size() - kDirectoryEnd64Size ||
        u32(end64) != kDirectoryEnd64)
      failAsDamaged("its directory is damaged");
    count = u64(end64 + 32);
    size = u64(end64 + 40);
    offset = u64(end64 + 48);
  }
  if (offset > end || size > end - offset)
    failAsDamaged("its directory is damaged");

  size_t at = offset, limit = offset + size;
  for (uint64_t i = 0; i < count; ++i) {
    if (limit - at < kDirectoryEntrySize || u32(at) != kDirectoryEntry)
      failAsDamaged("its directory is damaged");
    size_t nameSize = u16(at + 28), extraSize = u16(at + 30), commentSize = u16(at + 32);
    if (limit - at - kDirectoryEntrySize < nameSize + extraSize + commentSize)
      failAsDamaged("its directory is damaged");
    std::string name(bytes.substr(at + kDirectoryEntrySize, nameSize));
    Member member{u16(at + 10), u32(at + 16), u32(at + 20), u32(at + 24), u32(at + 42)};
    if (u16(at + 8) & 1)
      failAsDamaged(concat("'", name, "' is encrypted"));
    // Extra field 1 holds those of size, compressed size and offset that did not fit.
    size_t extra = at + kDirectoryEntrySize + nameSize, extraEnd = extra + extraSize;
    while (extraEnd - extra >= 4) {
      size_t id = u16(extra), fieldSize = u16(extra + 2);
      extra += 4;
      if (extraEnd - extra < fieldSize)
        break;
      size_t value = extra;
      for (uint64_t *field : {&member.size, &member.compressedSize, &member.headerOffset})
        if (id == kSizes64 && *field == kInSizes64 && extra + fieldSize - value >= 8) {
          *field = u64(value);
          value += 8;
        }
      extra += fieldSize;
    }
    at += kDirectoryEntrySize + nameSize + extraSize + commentSize;
    constexpr std::string_view kSuffix = ".npy";
    if (name.size() <= kSuffix.size() || name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) != 0)
      continue; // not an array
    name.resize(name.size() - kSuffix.size());
    if (!members.emplace(name, member).second)
      failAsDamaged(concat("it has two arrays '", name, "'"));
  }
}

std::vector<std::string> NpzReader::names() const {
  std::vector<std::string> result;
  result.reserve(members.size());
  for (auto &member : members)
    result.push_back(member.first);
  return result;
}

std::string_view NpzReader::packedBytes(const std::string &name, const Member &member) const {
  std::string_view bytes = content.bytes;
  uint64_t at = member.headerOffset;
  if (bytes.size() < kLocalHeaderSize || at > bytes.size() - kLocalHeaderSize ||
      littleEndian<uint32_t>(bytes, at) != kLocalHeader)
    failAsDamaged(concat("the array '", name, "' is damaged"));
  // The local header has sizes of its own for name and extra fields, and may have none for the content.
  uint64_t start =
      at + kLocalHeaderSize + littleEndian<uint16_t>(bytes, at + 26) + littleEndian<uint16_t>(bytes, at + 28);
  if (start > bytes.size() || member.compressedSize > bytes.size() - start)
    failAsDamaged(concat("the array '", name, "' is truncated"));
  return bytes.substr(start, member.compressedSize);
}

static uint32_t checksumOf(std::string_view bytes) {
  return crc32_z(0, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size());
}

namespace {
/// Raw deflate over spans of any size; zlib counts in 32 bits.
class Inflater {
public:
  explicit Inflater(std::string_view packed) : packed(packed) {
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
      throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  /// How many bytes it gave: fewer than `size` at the end or where the data is damaged.
  size_t read(char *to, size_t size) {
    size_t done = 0;
    while (done < size && !ended) {
      size_t in = std::min<size_t>(packed.size(), 1u << 30), out = std::min<size_t>(size - done, 1u << 30);
      stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data()));
      stream.avail_in = static_cast<uInt>(in);
      stream.next_out = reinterpret_cast<Bytef *>(to + done);
      stream.avail_out = static_cast<uInt>(out);
      int code = inflate(&stream, Z_NO_FLUSH);
      packed.remove_prefix(in - stream.avail_in);
      size_t produced = out - stream.avail_out;
      done += produced;
      ended = code != Z_OK || (produced == 0 && in == stream.avail_in);
    }
    return done;
  }

private:
  z_stream stream = {};
  std::string_view packed;
  bool ended = false;
};
} // namespace

Tensor NpzReader::inflateArray(std::string_view packed, const Member &member, const std::string &what) const {
  // The header first: it says how large the array is, so that a damaged size does not ask for memory.
  std::string head(std::min<uint64_t>(member.size, kLargestNpyHeader), '\0');
  head.resize(Inflater(packed).read(head.data(), head.size()));
  NpyHeader header = parseNpyHeader(head, what);
  if (header.size + header.dataBytes > member.size)
    fail("expected ", what, " to have ", header.dataBytes, " bytes of elements, but only ", member.size - header.size,
         " are there");
  constexpr uint64_t kLargestRatio = 1032; // of deflate
  if (member.size / kLargestRatio > packed.size())
    failAsDamaged(concat(what, " is damaged"));
  std::shared_ptr<void> memory = allocate(member.size);
  char *bytes = static_cast<char *>(memory.get());
  if (Inflater(packed).read(bytes, member.size) != member.size || checksumOf({bytes, member.size}) != member.checksum)
    failAsDamaged(concat(what, " is damaged: it differs from its checksum"));
  return parseNpy({bytes, member.size}, std::move(memory), what);
}

Tensor NpzReader::read(const std::string &name) const {
  const Member &member = members.at(name);
  std::string what = concat("the array '", name, "' of '", path, "'");
  std::string_view packed = packedBytes(name, member);
  if (member.method == kDeflated)
    return inflateArray(packed, member, what);
  if (member.method != kStored)
    fail(what, " is compressed by method ", member.method, "; expected none or deflate");
  if (packed.size() != member.size || checksumOf(packed) != member.checksum)
    failAsDamaged(concat(what, " is damaged: it differs from its checksum"));
  return parseNpy(packed, content.memory, what);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
/// Collects little-endian fields.
struct Record {
  std::string bytes;
  template <typename T> Record &put(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      bytes += static_cast<char>(uint64_t(value) >> (8 * i));
    return *this;
  }
  Record &u16(uint64_t value) { return put(static_cast<uint16_t>(value)); }
  Record &u32(uint64_t value) { return put(static_cast<uint32_t>(value)); }
  Record &u64(uint64_t value) { return put(value); }
  /// The value, or the mark that it stands in the extra field.
  Record &u32or64(uint64_t value) { return u32(value < kInSizes64 ? value : kInSizes64); }
};
} // namespace

/// Version to extract, flags, method, time and date: of a stored file from the first day of 1980.
static void putCommonFields(Record &record, bool is64, uint32_t checksum, uint64_t size) {
  record.u16(is64 ? 45 : 20).u16(0).u16(kStored).u16(0).u16(1 << 5 | 1).u32(checksum).u32or64(size).u32or64(size);
}

void writeNpz(OutputFile &file, const std::vector<NamedTensor> &arrays) {
  Record directory;
  uint64_t offset = 0, directoryCount = arrays.size();
  for (const NamedTensor &array : arrays) {
    std::string what = concat("'", array.name, "'");
    Tensor tensor = array.tensor.converted(typeInNpy(array.tensor.type), what).compact();
    std::string header = npyHeader(tensor.type, tensor.shape), name = array.name + ".npy";
    uint64_t dataSize = uint64_t(tensor.elements()) * elementSize(tensor.type), size = header.size() + dataSize;
    const char *data = static_cast<const char *>(tensor.data);
    uint32_t checksum = crc32_z(checksumOf(header), reinterpret_cast<const Bytef *>(data), dataSize);
    bool is64 = size >= kInSizes64;

    Record extra;
    if (is64)
      extra.u16(kSizes64).u16(16).u64(size).u64(size);
    uint64_t start = offset + kLocalHeaderSize + name.size() + extra.bytes.size() + 4, padding = -start % 64;
    extra.u16(kPadding).u16(padding);
    extra.bytes.append(padding, '\0');
    Record local;
    local.u32(kLocalHeader);
    putCommonFields(local, is64, checksum, size);
    local.u16(name.size()).u16(extra.bytes.size());
    file.write(local.bytes);
    file.write(name);
    file.write(extra.bytes);
    file.write(header);
    file.write(data, dataSize);

    Record extra64;
    if (is64)
      extra64.u64(size).u64(size);
    if (offset >= kInSizes64)
      extra64.u64(offset);
    directory.u32(kDirectoryEntry).u16(is64 ? 45 : 20);
    putCommonFields(directory, is64 || offset >= kInSizes64, checksum, size);
    directory.u16(name.size()).u16(extra64.bytes.empty() ? 0 : extra64.bytes.size() + 4).u16(0).u16(0).u16(0).u32(0);
    directory.u32or64(offset);
    directory.bytes += name;
    if (!extra64.bytes.empty())
      directory.u16(kSizes64).u16(extra64.bytes.size());
    directory.bytes += extra64.bytes;
    offset += kLocalHeaderSize + name.size() + extra.bytes.size() + size;
  }

  uint64_t directorySize = directory.bytes.size(), end = offset + directorySize;
  if (offset >= kInSizes64 || directoryCount >= 0xffff) {
    directory.u32(kDirectoryEnd64).u64(kDirectoryEnd64Size - 12).u16(45).u16(45).u32(0).u32(0);
    directory.u64(directoryCount).u64(directoryCount).u64(directorySize).u64(offset);
    directory.u32(kDirectoryEnd64Locator).u32(0).u64(end).u32(1);
  }
  uint64_t count16 = std::min<uint64_t>(directoryCount, 0xffff);
  directory.u32(kDirectoryEnd).u16(0).u16(0).u16(count16).u16(count16);
  directory.u32or64(directorySize).u32or64(offset).u16(0);
  file.write(directory.bytes);
}

} // namespace bochner::run
