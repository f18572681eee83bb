//===- FakeModule.cpp - module files for the tests ------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// headers | text | data | .symtab .strtab .shstrtab .bochner | section headers | checksum
//
//===----------------------------------------------------------------------===//
#include "FakeModule.h"

#include "FakeCode.h"

#include <cstring>

using namespace bochner;
using namespace bochner::test;
using format::DimRef;
using format::ScalarType;

format::FunctionInfo test::makeAddInfo() {
  auto dim = [](uint32_t argument, int64_t d) {
    DimRef ref;
    ref.argument = argument;
    ref.dim = d;
    return ref;
  };
  auto constant = [&](int64_t value) { return dim(DimRef::kConstant, value); };
  auto tensor = [](std::string name, ScalarType type, std::vector<int64_t> shape) {
    format::TensorInfo info;
    info.name = std::move(name);
    info.type = type;
    info.shape = std::move(shape);
    return info;
  };
  format::FunctionInfo info;
  info.name = "add";
  info.entry = "fakeAdd";
  info.workspace = "fakeAddWorkspace";
  info.scratchBytes = 16;
  info.arguments = {tensor("q", ScalarType::f32, {-1, -1, 4}), tensor("k", ScalarType::f32, {-1, -1, 4}),
                    tensor("lengths", ScalarType::i64, {-1})};
  info.arguments[1].init = "normal(0.5)";
  info.arguments[0].dimNames = {"B", "N", "D"};
  info.results = {tensor("out", ScalarType::f32, {-1, -1, 4})};
  info.results[0].dims = {dim(0, 0), dim(0, 1), constant(4)};
  info.equalDims = {{dim(0, 0), dim(1, 0)}, {dim(0, 1), dim(1, 1)}, {dim(0, 0), dim(2, 0)}};
  info.ranges = {{2, constant(0), dim(0, 1)}};
  info.flop = {{4, {dim(0, 0), dim(0, 1)}}, {1, {constant(10)}}};
  info.stateBytes = {{16, {dim(0, 0)}}};
  info.attributes = "map=add";
  return info;
}

FakeModule::FakeModule() : text(__start_fakecode, size_t(__stop_fakecode - __start_fakecode)) {
  info.producer = "fake 1.0";
  info.route = "fused";
  info.device = "cpu";
  info.cpu = "x86-64";
  info.functions = {makeAddInfo()};
  auto add = [&](const char *name, const void *address) {
    symbols.push_back({name, uint64_t(static_cast<const char *>(address) - __start_fakecode)});
  };
  add("fakeAdd", reinterpret_cast<const void *>(fakeAdd));
  add("fakeAddWorkspace", reinterpret_cast<const void *>(fakeAddWorkspace));
  add("fakeCopyScalar", reinterpret_cast<const void *>(fakeCopyScalar));
  add("fakeReverse", reinterpret_cast<const void *>(fakeReverse));
  add("fakeLaunch", reinterpret_cast<const void *>(fakeLaunch));
  add("fakeLaunchWorkspace", reinterpret_cast<const void *>(fakeLaunchWorkspace));
  add("fakeNegativeWorkspace", reinterpret_cast<const void *>(fakeNegativeWorkspace));
}

uint64_t FakeModule::dataOffset() const { return kText + (text.size() + 4095) / 4096 * 4096; }

uint64_t FakeModule::symbolOffset(const std::string &name) const {
  for (const auto &[symbol, offset] : symbols)
    if (symbol == name)
      return kText + offset;
  return 0;
}

template <typename T> static void append(std::string &out, const T &value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof value);
}

std::string FakeModule::build() const {
  enum { null, textSection, dataSection, symtab, strtab, shstrtab, description, count };
  Elf64_Shdr sections[count] = {};
  std::string names(1, '\0');
  auto name = [&](int section, const char *text) {
    sections[section].sh_name = uint32_t(names.size());
    names.append(text).push_back('\0');
  };

  std::string file(kText, '\0');
  file += text;
  file.resize(dataOffset());
  file.resize(dataOffset() + 4096);
  name(textSection, ".text");
  sections[textSection].sh_type = SHT_PROGBITS;
  sections[textSection].sh_offset = sections[textSection].sh_addr = kText;
  sections[textSection].sh_size = text.size();
  name(dataSection, ".data");
  sections[dataSection].sh_type = SHT_PROGBITS;
  sections[dataSection].sh_offset = sections[dataSection].sh_addr = dataOffset();
  sections[dataSection].sh_size = 4096;

  auto table = [&](int section, const char *title, uint32_t type, const std::string &content) {
    file.resize((file.size() + 7) / 8 * 8);
    if (section != shstrtab) // its own name comes last
      name(section, title);
    sections[section].sh_type = type;
    sections[section].sh_offset = file.size();
    sections[section].sh_size = content.size();
    file += content;
  };
  std::string symbolTable(sizeof(Elf64_Sym), '\0'), symbolNames(1, '\0');
  for (const auto &[symbol, offset] : symbols) {
    Elf64_Sym entry = {};
    entry.st_name = uint32_t(symbolNames.size());
    entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    entry.st_shndx = textSection;
    entry.st_value = kText + offset;
    append(symbolTable, entry);
    symbolNames.append(symbol).push_back('\0');
  }
  table(symtab, ".symtab", SHT_SYMTAB, symbolTable);
  sections[symtab].sh_link = strtab;
  sections[symtab].sh_entsize = sizeof(Elf64_Sym);
  table(strtab, ".strtab", SHT_STRTAB, symbolNames);
  auto infoCopy = info;
  auto tablesCopy = tables;
  table(description, ".bochner", SHT_PROGBITS, format::serializeSection(infoCopy, tablesCopy));
  name(shstrtab, ".shstrtab");
  table(shstrtab, "", SHT_STRTAB, names);

  file.resize((file.size() + 7) / 8 * 8);
  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_shoff = file.size();
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = count;
  header.e_shstrndx = shstrtab;
  Elf64_Phdr segments[2] = {};
  for (int i : {0, 1}) {
    segments[i].p_type = PT_LOAD;
    segments[i].p_offset = segments[i].p_vaddr = i ? dataOffset() : kText;
    segments[i].p_filesz = segments[i].p_memsz = i ? 4096 : text.size();
    segments[i].p_flags = i ? dataFlags : textFlags;
    segments[i].p_align = 4096;
  }
  memcpy(&file[0], &header, sizeof header);
  memcpy(&file[sizeof header], segments, sizeof segments);
  for (const Elf64_Shdr &section : sections)
    append(file, section);
  append(file, uint64_t(0));
  sign(file);
  return file;
}

void test::sign(std::string &file) {
  uint64_t sum = format::checksum(file.data(), file.size() - 8);
  memcpy(&file[file.size() - 8], &sum, sizeof sum);
}
