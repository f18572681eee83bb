//===- ImageTest.cpp - the loader of module files -------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Good files run, bad files are refused with a reason, and no file whatever makes the loader crash.
//
//===----------------------------------------------------------------------===//
#include "FakeModule.h"
#include "TestUtils.h"
#include "runtime/LoadedModule.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <random>

using namespace bochner;
using namespace bochner::test;

static std::string load(const std::string &file, std::unique_ptr<Image> *image = nullptr) {
  std::unique_ptr<Image> local;
  return describe(Image::fromMemory(file, "m", image ? *image : local).release());
}

/// Loads the module with its structures changed and its checksum right.
static std::string loadChanged(const std::function<void(std::string &)> &change) {
  std::string file = FakeModule().build();
  change(file);
  sign(file);
  return load(file);
}

static Elf64_Ehdr *header(std::string &file) { return reinterpret_cast<Elf64_Ehdr *>(&file[0]); }
static Elf64_Phdr *segments(std::string &file) { return reinterpret_cast<Elf64_Phdr *>(&file[sizeof(Elf64_Ehdr)]); }
static Elf64_Shdr *sections(std::string &file) { return reinterpret_cast<Elf64_Shdr *>(&file[header(file)->e_shoff]); }

static const std::string kInvalid = "invalid module: expected 'm' to be a module, but ";

TEST(Image, LoadsAModule) {
  std::unique_ptr<Image> image;
  ASSERT_EQ(load(FakeModule().build(), &image), "");
  EXPECT_EQ(image->info().producer, "fake 1.0");
  EXPECT_EQ(image->info().functions.size(), 1u);
  EXPECT_NE(image->findFunction("fakeAdd"), nullptr);
  EXPECT_EQ(image->findFunction("fakeSubtract"), nullptr);
}

/// `jmp *slot(%rip)`, the way compiled code calls an import.
static void addStub(FakeModule &module, const char *name, uint64_t slotInData) {
  module.text.resize((module.text.size() + 15) / 16 * 16);
  module.symbols.push_back({name, module.text.size()});
  uint64_t next = FakeModule::kText + module.text.size() + 6;
  module.text.append("\xff\x25", 2);
  auto distance = int32_t(int64_t(module.dataOffset() + slotInData) - int64_t(next));
  module.text.append(reinterpret_cast<const char *>(&distance), 4);
}

/// `mov slot(%rip), %rax; ret`
static void addReader(FakeModule &module, const char *name, uint64_t slotInData) {
  module.text.resize((module.text.size() + 15) / 16 * 16);
  module.symbols.push_back({name, module.text.size()});
  uint64_t next = FakeModule::kText + module.text.size() + 7;
  module.text.append("\x48\x8b\x05", 3);
  auto distance = int32_t(int64_t(module.dataOffset() + slotInData) - int64_t(next));
  module.text.append(reinterpret_cast<const char *>(&distance), 4);
  module.text.push_back('\xc3');
}

TEST(Image, ResolvesImportsAndRelocations) {
  FakeModule module;
  addStub(module, "stub_expf", 8);
  addReader(module, "reader", 16);
  module.tables.imports = {{module.dataOffset() + 8, "expf"}};
  module.tables.relocations = {{module.dataOffset() + 16, FakeModule::kText}};
  std::string file = module.build();
  std::unique_ptr<Image> image;
  ASSERT_EQ(load(file, &image), "");
  auto stub = reinterpret_cast<float (*)(float)>(image->findFunction("stub_expf"));
  EXPECT_EQ(stub(1.5f), std::exp(1.5f));
  auto reader = reinterpret_cast<char *(*)()>(image->findFunction("reader"));
  EXPECT_EQ(reader() + module.symbolOffset("fakeAdd") - FakeModule::kText, image->findFunction("fakeAdd"));
  // What is saved is what was loaded, not what it became.
  EXPECT_EQ(image->fileContent(), file);
}

TEST(Image, KnowsEveryFunctionOfTheList) {
  for (const char *name : format::kRuntimeFunctions) {
    FakeModule module;
    module.tables.imports = {{module.dataOffset(), name}};
    EXPECT_EQ(load(module.build()), "") << name;
  }
}

TEST(Image, RefusesOtherImports) {
  for (const char *name : {"system", "", "expf\n", "EXPF", "printf"}) {
    FakeModule module;
    module.tables.imports = {{module.dataOffset(), name}};
    EXPECT_EQ(load(module.build()), kInvalid + "it imports '" + name + "', which the runtime does not provide");
  }
}

TEST(Image, RefusesSlotsOutsideOfData) {
  FakeModule module;
  uint64_t data = module.dataOffset();
  for (uint64_t slot : {uint64_t(0), FakeModule::kText, data - 8, data - 4, data + 4092, data + 4096, UINT64_MAX - 3}) {
    module.tables = {{{slot, "expf"}}, {}};
    EXPECT_EQ(load(module.build()), kInvalid + "a slot lies outside its data") << slot;
    module.tables = {{}, {{slot, FakeModule::kText}}};
    EXPECT_EQ(load(module.build()), kInvalid + "a slot lies outside its data") << slot;
  }
  module.tables = {{{data + 4, "expf"}}, {}};
  EXPECT_EQ(load(module.build()), kInvalid + "a slot is not aligned");
  for (uint64_t target : {uint64_t(0), data + 4097, UINT64_MAX}) {
    module.tables = {{}, {{data, target}}};
    EXPECT_EQ(load(module.build()), kInvalid + "a slot points outside its code") << target;
  }
}

TEST(Image, RefusesOtherFiles) {
  EXPECT_EQ(load(""), kInvalid + "it is too short");
  EXPECT_EQ(load(std::string(71, 'x')), kInvalid + "it is too short");
  EXPECT_EQ(load(std::string(500, 'x')), kInvalid + "it is no 64-bit ELF file");
  std::string file = FakeModule().build();
  file[5000] = char(file[5000] ^ 1);
  EXPECT_EQ(load(file), kInvalid + "its checksum does not match its content; it is damaged or incomplete");
}

TEST(Image, NamesEndInsideTheirTable) {
  FakeModule module;
  std::string last = module.symbols.back().first, file = module.build();
  std::unique_ptr<Image> image;
  ASSERT_EQ(load(file, &image), "");
  EXPECT_NE(image->findFunction(last), nullptr);
  sections(file)[4].sh_size -= 1; // the zero byte of the last name
  sign(file);
  ASSERT_EQ(load(file, &image), "");
  EXPECT_EQ(image->findFunction(last), nullptr);
  EXPECT_NE(image->findFunction("fakeAdd"), nullptr);
}

TEST(Image, RefusesContradictingHeaders) {
  EXPECT_EQ(loadChanged([](std::string &file) { header(file)->e_type = ET_EXEC; }),
            kInvalid + "its ELF header is not that of a module");
  EXPECT_EQ(loadChanged([](std::string &file) { header(file)->e_machine = EM_AARCH64; }),
            kInvalid + "it is for a processor other than x86-64");
  EXPECT_EQ(loadChanged([](std::string &file) { header(file)->e_shoff = file.size(); }),
            kInvalid + "its header tables lie outside the file");
  EXPECT_EQ(loadChanged([](std::string &file) { header(file)->e_phoff = UINT64_MAX - 8; }),
            kInvalid + "its header tables lie outside the file");
  EXPECT_EQ(loadChanged([](std::string &file) { header(file)->e_shstrndx = 99; }),
            kInvalid + "its sections have no names");
  EXPECT_EQ(loadChanged([](std::string &file) { segments(file)[0].p_filesz = segments(file)[0].p_memsz = 1 << 30; }),
            kInvalid + "a segment lies outside the file");
  EXPECT_EQ(loadChanged([](std::string &file) { segments(file)[0].p_memsz += 4096; }),
            kInvalid + "a segment has an address other than its offset");
  EXPECT_EQ(loadChanged([](std::string &file) {
              segments(file)[1].p_offset = segments(file)[1].p_vaddr = segments(file)[0].p_offset;
            }),
            kInvalid + "its segments share pages");
  EXPECT_EQ(loadChanged([](std::string &file) { segments(file)[0].p_flags = PF_R | PF_W | PF_X; }),
            kInvalid + "a segment is writable and executable");
  EXPECT_EQ(loadChanged([](std::string &file) { sections(file)[3].sh_size = UINT64_MAX; }),
            kInvalid + "a section lies outside the file");
  EXPECT_EQ(loadChanged([](std::string &file) { sections(file)[3].sh_type = SHT_PROGBITS; }),
            kInvalid + "it has no symbols");
  EXPECT_EQ(loadChanged([](std::string &file) { sections(file)[6].sh_name = 0; }),
            kInvalid + "it has no section .bochner");
  EXPECT_EQ(loadChanged([](std::string &file) { file[sections(file)[6].sh_offset + 8] = 77; }),
            kInvalid + "its description is of another version of the format; compile it again");
}

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

static std::string loadDescription(const std::function<void(format::FunctionInfo &)> &change) {
  FakeModule module;
  change(module.info.functions[0]);
  std::shared_ptr<const LoadedModule> loaded;
  return describe(LoadedModule::fromMemory(module.build(), "m", loaded).release());
}

TEST(LoadedModule, RefusesDescriptionsThatContradictThemselves) {
  const std::string contradiction = kInvalid + "the description of 'add' contradicts itself";
  using Info = format::FunctionInfo;
  const std::function<void(Info &)> changes[] = {
      [](Info &info) { info.arguments[0].shape[0] = -2; },
      [](Info &info) { info.arguments[0].shape.resize(65); },
      [](Info &info) { info.arguments[0].dimNames.pop_back(); },
      [](Info &info) { info.results[0].dims.pop_back(); },
      [](Info &info) { info.results[0].dims[0].argument = 3; },
      [](Info &info) { info.results[0].dims[0].dim = 3; },
      [](Info &info) { info.results[0].dims[0].dim = -1; },
      [](Info &info) { info.results[0].dims[2].dim = -4; },
      [](Info &info) { info.equalDims[0].left.argument = 17; },
      [](Info &info) { info.equalDims[0].right.dim = 17; },
      [](Info &info) { info.ranges[0].argument = 9; },
      [](Info &info) { info.ranges[0].argument = 0; }, // floats have no range
      [](Info &info) { info.ranges[0].high.dim = 9; },
      [](Info &info) { info.offsets = {{9, {}}}; },
      [](Info &info) { info.offsets = {{0, {}}}; }, // floats
      [](Info &info) { info.offsets = {{2, {0, 9}}}; },
      [](Info &info) {
        info.arguments[2].shape = {-1, 1}; // a table of offsets
        info.offsets = {{2, {}}};
      },
      [](Info &info) { info.updates = {{3, 0, 0}}; },
      [](Info &info) { info.updates = {{0, 1, 0}}; },
      [](Info &info) { info.updates = {{2, 0, 0}}; }, // another type
      [](Info &info) {
        info.arguments[0].type = format::ScalarType::f64;
        info.updates = {{0, 0, 0}};
      },
      [](Info &info) { info.updates = {{0, 0, 0}, {1, 0, 0}}; },
      [](Info &info) { info.updates = {{0, 0, 0}, {0, 0, 0}}; },
      [](Info &info) { info.flop[0].dims[1].argument = 9; },
      [](Info &info) { info.stateBytes[0].dims[0].dim = 9; },
      [](Info &info) { info.scratchBytes = UINT64_MAX; },
  };
  for (size_t i = 0; i < std::size(changes); ++i)
    EXPECT_EQ(loadDescription(changes[i]), contradiction) << "change " << i;
}

TEST(LoadedModule, NeedsTheCodeOfItsFunctions) {
  EXPECT_EQ(loadDescription([](format::FunctionInfo &info) { info.entry = "absent"; }),
            kInvalid + "it has no code for 'absent'");
  EXPECT_EQ(loadDescription([](format::FunctionInfo &info) { info.workspace = "gone"; }),
            kInvalid + "it has no code for 'gone'");
}

//===----------------------------------------------------------------------===//
// Damage
//===----------------------------------------------------------------------===//

static void loadQuietly(const std::string &file) {
  std::shared_ptr<const LoadedModule> module;
  // Good or bad: it must come back.
  describe(LoadedModule::fromMemory(file, "m", module).release());
}

TEST(ImageFuzz, EveryLengthIsRefused) {
  std::string file = FakeModule().build();
  for (size_t length = 0; length < file.size(); ++length) {
    std::string cut = file.substr(0, length);
    ASSERT_NE(load(cut), "") << length;
    if (length < 600 || length > file.size() - 3000) { // and with a checksum that fits
      if (cut.size() >= 8)
        sign(cut);
      ASSERT_NE(load(cut), "") << length;
    }
  }
}

TEST(ImageFuzz, EveryByteMayBeWrong) {
  const std::string good = FakeModule().build();
  for (size_t at = 0; at < good.size(); ++at) {
    // Code and empty pages are not looked at by the loader; a few of their bytes are enough.
    bool looked = at < 256 || at > good.size() - 4096;
    if (!looked && at % 61)
      continue;
    std::string file = good;
    file[at] = char(file[at] ^ 0x40);
    ASSERT_NE(load(file), "") << at;
    for (unsigned char value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      file[at] = char(value);
      sign(file);
      loadQuietly(file);
    }
  }
}

TEST(ImageFuzz, RandomDamageBehindAGoodChecksum) {
  FakeModule module;
  module.tables.imports = {{module.dataOffset(), "expf"}, {module.dataOffset() + 8, "memset"}};
  module.tables.relocations = {{module.dataOffset() + 16, FakeModule::kText}};
  const std::string good = module.build();
  std::mt19937_64 random(1);
  const uint64_t values[] = {0, 1, 8, 4096, good.size() - 8, good.size(), UINT32_MAX, INT64_MAX, UINT64_MAX};
  for (int round = 0; round < 20000; ++round) {
    std::string file = good;
    for (int change = int(random() % 3); change >= 0; --change) {
      size_t tail = random() % 2 ? 200 : 3000;
      size_t at = random() % 2 ? random() % 200 : file.size() - 8 - random() % tail;
      uint64_t value = values[random() % std::size(values)];
      size_t size = std::min<size_t>(size_t(1) << random() % 4, file.size() - at);
      memcpy(&file[at], &value, size);
    }
    sign(file);
    loadQuietly(file);
  }
}
