//===- ModuleWriter.cpp - LLVM dialect to the bytes of a module -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a module in the LLVM dialect and its description. Output: an ELF file whose offsets are its addresses, so that
// the runtime, perf, gdb and objdump all read the same file:
//
//   headers | .text | .rodata | .data | .symtab .strtab .shstrtab .bochner | section headers | checksum
//
// Segments start at page boundaries. The checksum covers everything before it.
//
//===----------------------------------------------------------------------===//
#include "lib/Target/ModuleWriter.h"
#include "lib/Target/ImageLinker.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/BinaryFormat/ELF.h"

using namespace llvm;

namespace bochner {

namespace {
/// Builds the file front to back; headers are patched in when the rest is known.
class ElfBuilder {
public:
  explicit ElfBuilder(const Image &image) : image(image) {}
  std::string build(StringRef description);

private:
  enum SectionIndex : uint32_t { null, text, rodata, data, symtab, strtab, shstrtab, bochner, sectionCount };

  template <typename T> void append(const T &value) {
    file.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  template <typename T> void patch(size_t offset, const T &value) {
    file.replace(offset, sizeof value, reinterpret_cast<const char *>(&value), sizeof value);
  }
  void alignEnd() { file.resize(alignTo(file.size(), 8)); }

  void addSegment(SectionIndex index, SegmentKind kind, uint64_t sectionFlags, uint32_t segmentFlags);
  void addTable(SectionIndex index, uint32_t type, StringRef content);
  void addSymbols();

  const Image &image;
  std::string file;
  ELF::Elf64_Shdr sections[sectionCount] = {};
  SmallVector<ELF::Elf64_Phdr, 3> segments;
};
} // namespace

void ElfBuilder::addSegment(SectionIndex index, SegmentKind kind, uint64_t sectionFlags, uint32_t segmentFlags) {
  const ImageSegment &segment = image.segments[unsigned(kind)];
  ELF::Elf64_Shdr &section = sections[index];
  section.sh_type = ELF::SHT_PROGBITS;
  section.sh_flags = sectionFlags;
  section.sh_addr = section.sh_offset = segment.address;
  section.sh_size = segment.size;
  section.sh_addralign = kPageSize;
  if (!segment.size)
    return;
  ELF::Elf64_Phdr header = {};
  header.p_type = ELF::PT_LOAD;
  header.p_flags = segmentFlags;
  header.p_offset = header.p_vaddr = header.p_paddr = segment.address;
  header.p_filesz = header.p_memsz = segment.size;
  header.p_align = kPageSize;
  segments.push_back(header);
}

void ElfBuilder::addTable(SectionIndex index, uint32_t type, StringRef content) {
  alignEnd();
  sections[index].sh_type = type;
  sections[index].sh_offset = file.size();
  sections[index].sh_size = content.size();
  sections[index].sh_addralign = 8;
  file.append(content.data(), content.size());
}

void ElfBuilder::addSymbols() {
  std::string symbols(sizeof(ELF::Elf64_Sym), 0), names(1, 0);
  uint32_t count = 1;
  // ELF wants local symbols first.
  for (bool exported : {false, true}) {
    if (exported)
      sections[symtab].sh_info = count;
    for (const ImageSymbol &symbol : image.symbols) {
      if (symbol.exported != exported)
        continue;
      ELF::Elf64_Sym entry = {};
      entry.st_name = names.size();
      entry.setBindingAndType(exported ? ELF::STB_GLOBAL : ELF::STB_LOCAL,
                              symbol.function ? ELF::STT_FUNC : ELF::STT_OBJECT);
      entry.st_shndx = text + unsigned(symbol.segment);
      entry.st_value = symbol.address;
      entry.st_size = symbol.size;
      symbols.append(reinterpret_cast<const char *>(&entry), sizeof entry);
      names.append(symbol.name).push_back(0);
      ++count;
    }
  }
  addTable(symtab, ELF::SHT_SYMTAB, symbols);
  sections[symtab].sh_link = strtab;
  sections[symtab].sh_entsize = sizeof(ELF::Elf64_Sym);
  addTable(strtab, ELF::SHT_STRTAB, names);
}

std::string ElfBuilder::build(StringRef description) {
  file.assign(image.base, 0);
  file += image.bytes;
  addSegment(text, SegmentKind::text, ELF::SHF_ALLOC | ELF::SHF_EXECINSTR, ELF::PF_R | ELF::PF_X);
  addSegment(rodata, SegmentKind::rodata, ELF::SHF_ALLOC, ELF::PF_R);
  addSegment(data, SegmentKind::data, ELF::SHF_ALLOC | ELF::SHF_WRITE, ELF::PF_R | ELF::PF_W);
  addSymbols();

  std::string names;
  static constexpr StringLiteral sectionNames[] = {"",        ".text",   ".rodata",   ".data",
                                                   ".symtab", ".strtab", ".shstrtab", ".bochner"};
  static_assert(std::size(sectionNames) == sectionCount);
  for (auto [section, name] : zip(sections, sectionNames)) {
    section.sh_name = names.size();
    names.append(name).push_back(0);
  }
  addTable(shstrtab, ELF::SHT_STRTAB, names);
  addTable(bochner, ELF::SHT_PROGBITS, description);

  alignEnd();
  ELF::Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELF::ElfMagic, strlen(ELF::ElfMagic));
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_DYN;
  header.e_machine = ELF::EM_X86_64;
  header.e_version = ELF::EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_shoff = file.size();
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(ELF::Elf64_Phdr);
  header.e_phnum = segments.size();
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = sectionCount;
  header.e_shstrndx = shstrtab;
  for (const ELF::Elf64_Shdr &section : sections)
    append(section);
  patch(0, header);
  for (auto [index, segment] : enumerate(segments))
    patch(header.e_phoff + index * sizeof segment, segment);
  append(format::checksum(file.data(), file.size()));
  return std::move(file);
}

mlir::FailureOr<std::string> writeModule(mlir::ModuleOp module, const CodeGenOptions &options,
                                         format::ModuleInfo &info) {
  for (const format::FunctionInfo &function : info.functions)
    for (const std::string *symbol : {&function.entry, &function.workspace})
      if (!symbol->empty() && !is_contained(options.entries, *symbol))
        return mlir::emitError(module.getLoc()) << "expected symbol '" << *symbol << "' of function '" << function.name
                                                << "' to be among the entries of the module";

  mlir::FailureOr<SmallVector<char, 0>> object = emitObject(module, options);
  if (failed(object))
    return mlir::failure();
  Expected<Image> image = linkImage(StringRef(object->data(), object->size()), /*base=*/kPageSize);
  if (!image)
    return mlir::emitError(module.getLoc()) << toString(image.takeError());

  info.cpu = options.target.name;
  info.features = options.target.featureString();
  return ElfBuilder(*image).build(format::serializeSection(info, image->tables));
}

} // namespace bochner
