//===- Image.cpp - the code of a module in memory -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// parse() checks the file as plain bytes, link() changes the memory that holds it. Everything read from the file is
// compared with its size before use, and arithmetic on it cannot wrap.
//
//===----------------------------------------------------------------------===//
#include "Image.h"

#include "Imports.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <sys/mman.h>

using namespace bochner;

static constexpr size_t kPage = 4096; // of x86-64, and of the file format
static constexpr size_t kChecksumSize = 8;

static size_t roundToPage(size_t size) { return (size + kPage - 1) & ~(kPage - 1); }

static Status invalidModule(const std::string &name, std::string_view why) {
  return Status(BOCHNER_STATUS_INVALID_MODULE, concat("expected '", name, "' to be a module, but ", why));
}

/// True if [offset, offset + size) lies in [0, limit).
static bool inRange(uint64_t offset, uint64_t size, uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

/// A structure at any offset of the file; the caller has checked the range.
template <typename T> static T readAt(std::string_view file, uint64_t offset) {
  T value;
  memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

/// A string of a string table; empty if it does not end inside the table.
static std::string_view readString(std::string_view table, uint64_t offset) {
  if (offset >= table.size())
    return {};
  const void *end = memchr(table.data() + offset, 0, table.size() - offset);
  return end ? std::string_view(table.data() + offset) : std::string_view();
}

struct Image::Section {
  uint32_t type = SHT_NULL, link = 0;
  std::string_view content;
};

Image::~Image() {
  if (base)
    munmap(base, roundToPage(fileSize));
}

bool Image::hasMagic(std::string_view data) {
  return data.size() >= 6 && !memcmp(data.data(), ELFMAG, SELFMAG) && data[EI_CLASS] == ELFCLASS64 &&
         data[EI_DATA] == ELFDATA2LSB;
}

//===----------------------------------------------------------------------===//
// Bytes to description. The checks return what is wrong, or null.
//===----------------------------------------------------------------------===//

const char *Image::parseHeaders() {
  if (fileSize < sizeof(Elf64_Ehdr) + kChecksumSize)
    return "it is too short";
  if (!hasMagic(bytes()))
    return "it is no 64-bit ELF file";
  size_t checked = fileSize - kChecksumSize;
  if (format::checksum(base, checked) != readAt<uint64_t>(bytes(), checked))
    return "its checksum does not match its content; it is damaged or incomplete";
  auto header = readAt<Elf64_Ehdr>(bytes(), 0);
  if (header.e_type != ET_DYN || header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shentsize != sizeof(Elf64_Shdr))
    return "its ELF header is not that of a module";
  if (header.e_machine != EM_X86_64)
    return "it is for a processor other than x86-64";
#if !defined(__x86_64__)
  return "it is for x86-64 and this machine is not";
#endif
  if (!inRange(header.e_phoff, uint64_t(header.e_phnum) * sizeof(Elf64_Phdr), checked) ||
      !inRange(header.e_shoff, uint64_t(header.e_shnum) * sizeof(Elf64_Shdr), checked))
    return "its header tables lie outside the file";
  if (const char *error = parseSegments(header.e_phoff, header.e_phnum))
    return error;
  return parseSections(header.e_shoff, header.e_shnum, header.e_shstrndx);
}

const char *Image::parseSegments(uint64_t offset, uint64_t count) {
  uint64_t free = 0; // first page that no segment before has claimed
  for (uint64_t i = 0; i < count; ++i) {
    auto header = readAt<Elf64_Phdr>(bytes(), offset + i * sizeof(Elf64_Phdr));
    if (header.p_type != PT_LOAD || !header.p_memsz)
      continue;
    if (header.p_vaddr != header.p_offset || header.p_memsz != header.p_filesz)
      return "a segment has an address other than its offset";
    if (!inRange(header.p_offset, header.p_filesz, fileSize - kChecksumSize))
      return "a segment lies outside the file";
    if (header.p_offset % kPage || header.p_offset < free)
      return "its segments share pages";
    Segment segment{header.p_offset, header.p_offset + header.p_filesz, (header.p_flags & PF_W) != 0,
                    (header.p_flags & PF_X) != 0};
    if (segment.writable && segment.executable)
      return "a segment is writable and executable";
    free = roundToPage(segment.end);
    segments.push_back(segment);
  }
  return nullptr;
}

const char *Image::parseSections(uint64_t offset, uint64_t count, uint64_t namesIndex) {
  std::vector<Section> sections;
  std::vector<uint32_t> names;
  for (uint64_t i = 0; i < count; ++i) {
    auto header = readAt<Elf64_Shdr>(bytes(), offset + i * sizeof(Elf64_Shdr));
    Section section;
    if (header.sh_type != SHT_NULL && header.sh_type != SHT_NOBITS) {
      if (!inRange(header.sh_offset, header.sh_size, fileSize - kChecksumSize))
        return "a section lies outside the file";
      section = {header.sh_type, header.sh_link, bytes().substr(header.sh_offset, header.sh_size)};
    }
    sections.push_back(section);
    names.push_back(header.sh_name);
  }
  if (namesIndex >= sections.size())
    return "its sections have no names";

  const Section *description = nullptr, *symbols = nullptr;
  for (size_t i = 0; i < sections.size(); ++i) {
    if (readString(sections[namesIndex].content, names[i]) == ".bochner")
      description = &sections[i];
    if (sections[i].type == SHT_SYMTAB)
      symbols = &sections[i];
  }
  if (!description)
    return "it has no section .bochner";
  if (!format::deserializeSection(description->content.data(), description->content.size(), moduleInfo, tables))
    return "its description is of another version of the format; compile it again";
  if (!symbols || symbols->link >= sections.size())
    return "it has no symbols";
  return parseSymbols(*symbols, sections[symbols->link]);
}

const char *Image::parseSymbols(const Section &symbols, const Section &strings) {
  for (uint64_t at = 0; inRange(at, sizeof(Elf64_Sym), symbols.content.size()); at += sizeof(Elf64_Sym)) {
    auto symbol = readAt<Elf64_Sym>(symbols.content, at);
    std::string_view name = readString(strings.content, symbol.st_name);
    if (name.empty() || symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL)
      continue;
    for (const Segment &segment : segments)
      if (segment.executable && symbol.st_value >= segment.begin && symbol.st_value < segment.end)
        functions.emplace(name, symbol.st_value);
  }
  return nullptr;
}

Status Image::parse(const std::string &name) {
  if (const char *error = parseHeaders())
    return invalidModule(name, error);
  return {};
}

//===----------------------------------------------------------------------===//
// Description to code
//===----------------------------------------------------------------------===//

const char *Image::fillSlot(uint64_t slot, const void *value) {
  for (const Segment &segment : segments) {
    if (!segment.writable || slot < segment.begin || !inRange(slot, sizeof value, segment.end))
      continue;
    if (slot % sizeof value)
      return "a slot is not aligned";
    slotValues.push_back(readAt<uint64_t>(bytes(), slot));
    memcpy(base + slot, &value, sizeof value);
    return nullptr;
  }
  return "a slot lies outside its data";
}

bool Image::protect(int (*protection)(const Segment &)) {
  for (const Segment &segment : segments)
    if (mprotect(base + segment.begin, roundToPage(segment.end) - segment.begin, protection(segment)))
      return false;
  return true;
}

/// Expects memory that is readable, and writable where a segment is.
Status Image::link(const std::string &name) {
  for (const format::Import &import : tables.imports) {
    void *address = bochnerFindImport(import.name.c_str());
    if (!address)
      return invalidModule(name, concat("it imports '", import.name, "', which the runtime does not provide"));
    if (const char *error = fillSlot(import.slot, address))
      return invalidModule(name, error);
  }
  for (const format::Relocation &relocation : tables.relocations) {
    bool known = false;
    for (const Segment &segment : segments)
      known |= relocation.target >= segment.begin && relocation.target <= segment.end;
    const char *error = known ? fillSlot(relocation.slot, base + relocation.target) : "a slot points outside its code";
    if (error)
      return invalidModule(name, error);
  }
  // Whatever lies between the segments stays readable only.
  if (mprotect(base, roundToPage(fileSize), PROT_READ) ||
      !protect([](const Segment &segment) { return segment.executable ? PROT_READ | PROT_EXEC : PROT_READ; }))
    return Status(BOCHNER_STATUS_UNAVAILABLE,
                  concat("expected permission to execute compiled code, but got: ", describeErrno(errno)));
  return {};
}

Status Image::fromMemory(std::string_view file, const std::string &name, std::unique_ptr<Image> &image) {
  std::unique_ptr<Image> result(new Image);
  if (file.size() <= kChecksumSize)
    return invalidModule(name, "it is too short");
  void *memory = mmap(nullptr, roundToPage(file.size()), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return Status(BOCHNER_STATUS_OUT_OF_MEMORY,
                  concat("expected ", file.size(), " bytes for '", name, "', but got: ", describeErrno(errno)));
  result->base = static_cast<char *>(memory);
  result->fileSize = file.size();
  memcpy(result->base, file.data(), file.size());
  if (Status status = result->parse(name))
    return status;
  if (Status status = result->link(name))
    return status;
  image = std::move(result);
  return {};
}

Status Image::fromFile(const FileDescriptor &file, size_t size, bool mayMap, const std::string &name,
                       std::unique_ptr<Image> &image) {
  std::unique_ptr<Image> result(new Image);
  void *memory = MAP_FAILED;
  if (mayMap && size > kChecksumSize)
    memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
  if (memory != MAP_FAILED) {
    result->base = static_cast<char *>(memory);
    result->fileSize = size;
    if (Status status = result->parse(name))
      return status;
    auto whileLinking = [](const Segment &segment) { return segment.writable ? PROT_READ | PROT_WRITE : PROT_READ; };
    auto executable = [](const Segment &segment) {
      return segment.executable ? PROT_READ | PROT_EXEC : segment.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    };
    // A file system mounted without permission to execute says so here.
    if (result->protect(executable) && result->protect(whileLinking)) {
      if (Status status = result->link(name))
        return status;
      image = std::move(result);
      return {};
    }
  }
  std::string content;
  if (Status status = readFile(file, name, content))
    return status;
  return fromMemory(content, name, image);
}

void *Image::findFunction(const std::string &name) const {
  auto found = functions.find(name);
  return found == functions.end() ? nullptr : base + found->second;
}

std::string Image::fileContent() const {
  std::string content(base, fileSize);
  size_t next = 0;
  auto restore = [&](uint64_t slot) { memcpy(&content[slot], &slotValues[next++], sizeof(uint64_t)); };
  for (const format::Import &import : tables.imports)
    restore(import.slot);
  for (const format::Relocation &relocation : tables.relocations)
    restore(relocation.slot);
  return content;
}
