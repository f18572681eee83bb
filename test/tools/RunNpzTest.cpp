//===- RunNpzTest.cpp - numpy's files -------------------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Archives that numpy wrote, archives of our own, and thousands of damaged ones.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Fill.h"
#include "tools/bochner-run/Npy.h"
#include "tools/bochner-run/Npz.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <unistd.h>

using namespace bochner::run;
using testing::ElementsAre;
using testing::HasSubstr;

static std::string golden(const char *name) { return std::string(BOCHNER_GOLDEN_DIR "/") + name; }

static FileContent inMemory(std::string bytes) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  return {*owner, owner};
}

namespace {
/// A file name in the folder for temporary files, removed at the end.
struct TemporaryFile {
  TemporaryFile() {
    const char *folder = std::getenv("TMPDIR");
    path = std::string(folder ? folder : P_tmpdir) + "/bochner-run-test-" + std::to_string(getpid()) + ".npz";
  }
  ~TemporaryFile() { unlink(path.c_str()); }
  std::string path;
};
} // namespace

static std::string writtenBytes(const std::vector<NamedTensor> &arrays) {
  TemporaryFile file;
  OutputFile output(file.path);
  output.open();
  writeNpz(output, arrays);
  output.commit();
  return std::string(readFile(file.path).bytes);
}

static std::string npy(const std::string &descr, const std::string &order, const std::string &shape,
                       const std::string &data) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size());
  header += '\0';
  return header + text + data;
}

static Tensor parse(const std::string &bytes) {
  FileContent content = inMemory(bytes);
  return parseNpy(content.bytes, content.memory, "'q'");
}

TEST(RunNpz, ReadsWhatNumpyCompressed) {
  NpzReader archive(golden("generator_rks_t.npz"));
  EXPECT_TRUE(archive.contains("lengths"));
  EXPECT_FALSE(archive.contains("lengths.npy"));
  Tensor lengths = archive.read("lengths"), out = archive.read("out"), q = archive.read("q");
  EXPECT_TRUE(lengths.type == kI64 && out.type == kF64 && q.type == kF32);
  EXPECT_THAT(lengths.shape, ElementsAre(2));
  EXPECT_THAT(out.shape, ElementsAre(2, 12, 2, 8));
  for (int64_t length : valuesOf<int64_t>(lengths))
    EXPECT_TRUE(length >= 1 && length <= 12);
  double squares = 0;
  for (float value : valuesOf<float>(q))
    squares += value * value;
  EXPECT_NEAR(squares / q.elements(), 1, 0.3);
}

TEST(RunNpz, ReadsWhatItWrites) {
  Tensor a = tensorOf<float>(kF32, {2, 3}, {1, 2, 3, 4, 5, 6});
  std::string bytes = writtenBytes({{"a", a},
                                    {"transposed", a.permuted({1, 0})},
                                    {"scalar", tensorOf<double>(kF64, {}, {0.5})},
                                    {"empty", Tensor::create(kI64, {0, 4})},
                                    {"flag", tensorOf<uint8_t>(kBool, {1}, {1})},
                                    {"bf16", a.converted(kBF16, "a")},
                                    {"f16", a.converted(kF16, "a")}});
  FileContent content = inMemory(bytes);
  NpzReader archive("x.npz", content);
  EXPECT_THAT(archive.names(), ElementsAre("a", "bf16", "empty", "f16", "flag", "scalar", "transposed"));
  Tensor back = archive.read("a");
  EXPECT_EQ(valuesOf<float>(back), valuesOf<float>(a));
  EXPECT_EQ((static_cast<const char *>(back.data) - content.bytes.data()) % 64, 0) << "not aligned in the file";
  EXPECT_THAT(archive.read("transposed").shape, ElementsAre(3, 2));
  EXPECT_THAT(valuesOf<float>(archive.read("transposed")), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(valuesOf<double>(archive.read("scalar")), ElementsAre(0.5));
  EXPECT_THAT(archive.read("empty").shape, ElementsAre(0, 4));
  EXPECT_TRUE(archive.read("flag").type == kBool);
  EXPECT_TRUE(archive.read("bf16").type == kF32); // numpy has none
  EXPECT_TRUE(archive.read("f16").type == kF16);
  EXPECT_EQ(bytes, writtenBytes({{"a", a},
                                 {"transposed", a.permuted({1, 0})},
                                 {"scalar", tensorOf<double>(kF64, {}, {0.5})},
                                 {"empty", Tensor::create(kI64, {0, 4})},
                                 {"flag", tensorOf<uint8_t>(kBool, {1}, {1})},
                                 {"bf16", a.converted(kBF16, "a")},
                                 {"f16", a.converted(kF16, "a")}}));
  EXPECT_TRUE(NpzReader("x.npz", inMemory(writtenBytes({}))).names().empty());
}

/// The same archive with all sizes and offsets of the directory in the fields for those above 4 GB.
static std::string withLargeFields(std::string bytes) {
  auto get = [&](size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
      value |= uint64_t(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return value;
  };
  auto put = [](std::string &to, size_t at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i)
      to[at + i] = static_cast<char>(value >> (8 * i));
  };
  size_t end = bytes.size() - 22, entry = get(end + 16, 4), nameSize = get(entry + 28, 2);
  std::string extra(4 + 24, '\0');
  put(extra, 0, 1, 2);
  put(extra, 2, 24, 2);
  put(extra, 4, get(entry + 24, 4), 8);
  put(extra, 12, get(entry + 20, 4), 8);
  put(extra, 20, get(entry + 42, 4), 8);
  std::string last(56 + 20, '\0');
  put(last, 0, 0x06064b50, 4);
  put(last, 4, 44, 8);
  put(last, 24, 1, 8);
  put(last, 32, 1, 8);
  put(last, 40, end - entry + extra.size(), 8);
  put(last, 48, entry, 8);
  put(last, 56, 0x07064b50, 4);
  put(last, 64, end + extra.size(), 8);
  put(last, 72, 1, 4);
  for (size_t at : {entry + 20, entry + 24, entry + 42, end + 12, end + 16})
    put(bytes, at, 0xffffffff, 4);
  put(bytes, entry + 30, extra.size(), 2);
  bytes.insert(end, last);
  bytes.insert(entry + 46 + nameSize, extra);
  return bytes;
}

TEST(RunNpz, ReadsLargeArchives) {
  Tensor a = fillRandom(kF32, {3, 5}, 0, "a");
  NpzReader archive("x.npz", inMemory(withLargeFields(writtenBytes({{"a", a}}))));
  EXPECT_EQ(valuesOf<float>(archive.read("a")), valuesOf<float>(a));
}

/// Reads everything that there is; what is wrong must be a Failure.
static bool readsAll(const std::string &bytes) {
  try {
    NpzReader archive("x.npz", inMemory(bytes));
    for (const std::string &name : archive.names())
      valuesOf<char>(archive.read(name).converted(kF64, name).converted(kI8, name));
    return true;
  } catch (const Failure &) {
    return false;
  }
}

/// Archives that are cut off or have changed bytes are refused or read; they never make it crash, hang or allocate
/// without limit. Changed elements are always noticed.
TEST(RunNpz, SurvivesDamage) {
  Tensor a = fillRandom(kF32, {3, 5}, 0, "a");
  for (const std::string &intact : {writtenBytes({{"a", a}, {"b", a}}), withLargeFields(writtenBytes({{"a", a}})),
                                    std::string(readFile(golden("elu_t.npz")).bytes)}) {
    for (size_t size = 0; size < intact.size(); size += intact.size() > 2000 ? 13 : 1)
      EXPECT_FALSE(readsAll(intact.substr(0, size))) << size;
    std::mt19937 random(0);
    for (int i = 0; i < 4000; ++i) {
      uint32_t words[4];
      for (uint32_t &word : words)
        word = static_cast<uint32_t>(random());
      std::string damaged = intact;
      // Mostly around the directory, which has more to say than elements have.
      size_t range = words[3] & 1 ? damaged.size() : std::min<size_t>(damaged.size(), 800);
      damaged[damaged.size() - 1 - words[0] % range] = static_cast<char>(words[1]);
      if (words[3] & 2)
        damaged[damaged.size() - 1 - words[2] % range] = words[3] & 4 ? '\xff' : '\0';
      readsAll(damaged);
    }
  }
  std::string changed = writtenBytes({{"a", a}});
  changed[changed.find("NUMPY") + 140] ^= 1; // an element
  EXPECT_THAT(messageOf([&] { NpzReader("x.npz", inMemory(changed)).read("a"); }),
              HasSubstr("the array 'a' of 'x.npz' is damaged: it differs from its checksum"));
}

TEST(RunNpz, ExplainsWhatIsNotAnArchive) {
  EXPECT_THAT(messageOf([] { NpzReader("x.npz", inMemory("hello")); }), HasSubstr("it is not an npz archive"));
  EXPECT_THAT(messageOf([] { NpzReader("x.npz", inMemory("")); }), HasSubstr("cannot read 'x.npz'"));
  EXPECT_THAT(messageOf([] { NpzReader("/nonexistent/x.npz"); }), HasSubstr("No such file"));
  EXPECT_THAT(messageOf([] { NpzReader("/"); }), HasSubstr("it is a folder"));
}

TEST(RunNpy, ReadsOrdersAndTypes) {
  Tensor fortran = parse(npy("|i1", "True", "(2, 3)", {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(fortran.strides, ElementsAre(1, 2));
  EXPECT_THAT(valuesOf<int8_t>(fortran), ElementsAre(1, 3, 5, 2, 4, 6));
  Tensor big = parse(npy(">i4", "False", "(1,)", std::string("\x00\x01\x02\x03", 4)));
  EXPECT_THAT(valuesOf<int32_t>(big), ElementsAre(0x00010203));
  EXPECT_TRUE(parse(npy("<V2", "False", "(1,)", "ab")).type == kBF16);
  EXPECT_TRUE(parse(npy("|b1", "False", "(1,)", "\x01")).type == kBool);
  EXPECT_THAT(valuesOf<int8_t>(parse(npy("|i1", "False", "()", "\x07"))), ElementsAre(7));
  EXPECT_EQ(parse(npy("<f8", "False", "(3, 0)", "")).elements(), 0);
}

TEST(RunNpy, ExplainsWhatItCannotRead) {
  auto message = [](const std::string &bytes) { return messageOf([&] { parse(bytes); }); };
  EXPECT_THAT(message("not numpy at all"),
              HasSubstr("expected 'q' to be a numpy array, but it does not begin like one"));
  EXPECT_THAT(message(npy("<f8", "False", "(3,)", "short")), HasSubstr("24 bytes of elements, but only 5 are there"));
  EXPECT_THAT(message(npy("|O", "False", "(3,)", "")), HasSubstr("but got elements of type '|O'"));
  EXPECT_THAT(message(npy("<c8", "False", "(3,)", "")), HasSubstr("but got elements of type '<c8'"));
  EXPECT_THAT(message(npy("<f4", "False", "(-3,)", "")), HasSubstr("expected a size"));
  EXPECT_THAT(message(npy("<f4", "False", "(4294967296, 4294967296)", "")), HasSubstr("too large"));
  EXPECT_THAT(message(npy("<f4", "False", "(4611686018427387903,)", "")), HasSubstr("too large"));
  EXPECT_THAT(message(npy("<f4", "Maybe", "(3,)", "")), HasSubstr("True or False"));
  EXPECT_THAT(message(npy("<f4", "False", "(3,) 'x': 1", "")), HasSubstr("header is damaged"));
  std::string structure = npy("x", "False", "(3,)", "");
  structure.replace(structure.find("'x'"), 3, "[()]");
  EXPECT_THAT(message(structure), HasSubstr("its elements are structures"));
  std::string version = npy("<f4", "False", "(1,)", "1234");
  version[6] = 9;
  EXPECT_THAT(message(version), HasSubstr("format version 1, 2 or 3, but got version 9"));
  EXPECT_THAT(message(npy("<f4", "False", "(1,)", "1234").substr(0, 30)), HasSubstr("ends within its header"));
}

TEST(RunNpy, WritesHeadersOfNumpy) {
  std::string header = npyHeader(kF32, {2, 3});
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_THAT(header, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  EXPECT_THAT(npyHeader(kI64, {2}), HasSubstr("'<i8', 'fortran_order': False, 'shape': (2,), }"));
  EXPECT_THAT(npyHeader(kBool, {}), HasSubstr("'|b1', 'fortran_order': False, 'shape': (), }"));
}

TEST(RunFile, ReplacesOnlyWhenItIsComplete) {
  TemporaryFile file;
  {
    OutputFile output(file.path);
    output.open();
    output.write("half");
    EXPECT_NE(access(file.path.c_str(), F_OK), 0);
  }
  EXPECT_NE(access(file.path.c_str(), F_OK), 0);
  for (const char *text : {"one", "two"}) {
    OutputFile output(file.path);
    output.open();
    output.write(text);
    output.commit();
    EXPECT_EQ(readFile(file.path).bytes, text);
  }
  EXPECT_THAT(messageOf([] { OutputFile("/nonexistent/x"); }), HasSubstr("cannot write '/nonexistent/x'"));
  EXPECT_THAT(messageOf([] { OutputFile("/"); }), HasSubstr("Is a directory"));
  OutputFile null("/dev/null"); // stays a device
  null.open();
  null.write("text");
  null.commit();
  EXPECT_THAT(messageOf([] { OutputFile("/dev/null").temporaryPath(); }), HasSubstr("not a regular file"));
}
