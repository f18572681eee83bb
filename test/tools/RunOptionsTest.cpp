//===- RunOptionsTest.cpp - the command line ------------------- ===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What each option means and how each mistake is answered.
//
//===----------------------------------------------------------------------===//
#include "RunTestUtils.h"
#include "tools/bochner-run/Options.h"

using namespace bochner::run;
using testing::ElementsAre;
using testing::HasSubstr;

static Options parse(std::vector<const char *> arguments) {
  arguments.insert(arguments.begin(), "bochner-run");
  return parseOptions(static_cast<int>(arguments.size()), arguments.data());
}

static std::string messageFor(std::vector<const char *> arguments) {
  return messageOf([&] { parse(std::move(arguments)); });
}

TEST(RunOptions, ReadsEverything) {
  Options options = parse({"--entry",
                           "f",
                           "g.mlir",
                           "--route=decompose",
                           "--cpu",
                           "x86-64-v3",
                           "--threads",
                           "3",
                           "--layout",
                           "bnhd",
                           "--in",
                           "q=random:2x8x1024x64:7",
                           "--in=k=a=b.npy",
                           "--npz",
                           "in.npz",
                           "--out-npz",
                           "out.npz",
                           "--emit",
                           "m.bochner",
                           "--json",
                           "j",
                           "--cache-dir",
                           "",
                           "--no-cache",
                           "--dump-dir",
                           "d",
                           "--check",
                           "--bench"});
  EXPECT_EQ(options.file, "g.mlir");
  EXPECT_EQ(options.entry, "f");
  EXPECT_EQ(options.route, "decompose");
  EXPECT_EQ(options.cpu, "x86-64-v3");
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.layout, Layout::BNHD);
  ASSERT_EQ(options.inputs.size(), 2u);
  EXPECT_EQ(options.inputs[0].name, "q");
  EXPECT_THAT(options.inputs[0].shape, ElementsAre(2, 8, 1024, 64));
  EXPECT_EQ(options.inputs[0].seed, 7u);
  EXPECT_EQ(options.inputs[1].name, "k");
  EXPECT_EQ(options.inputs[1].file, "a=b.npy");
  EXPECT_EQ(options.cacheDir, "");
  EXPECT_TRUE(options.noCache && options.check && options.bench && options.wantsRun());
}

TEST(RunOptions, CompilesOnlyWithoutInputs) {
  EXPECT_FALSE(parse({"g.mlir", "--emit", "m"}).wantsRun());
  EXPECT_FALSE(parse({"g.mlir", "--dump-dir", "d", "--json", "j"}).wantsRun());
  EXPECT_TRUE(parse({"g.mlir"}).wantsRun());
  EXPECT_TRUE(parse({"g.mlir", "--emit", "m", "--in", "q=random:1"}).wantsRun());
  EXPECT_EQ(parse({"--", "--strange"}).file, "--strange");
  EXPECT_EQ(parse({"-"}).file, "-");
}

TEST(RunOptions, NeedsNoFileForHelp) {
  EXPECT_TRUE(parse({"--help"}).help);
  EXPECT_TRUE(parse({"--version"}).version);
}

TEST(RunOptions, AnswersMistakes) {
  EXPECT_EQ(messageFor({}), "expected FILE: MLIR text, bytecode or a module; see bochner-run --help");
  EXPECT_EQ(messageFor({"a", "b"}), "expected one FILE, but got 'a' and 'b'");
  EXPECT_EQ(messageFor({"a", "--thread", "2"}), "unknown option '--thread'; did you mean --threads?");
  EXPECT_EQ(messageFor({"a", "--frobnicate"}), "unknown option '--frobnicate'; bochner-run --help lists them");
  EXPECT_EQ(messageFor({"a", "-h"}), "unknown option '-h'; bochner-run --help lists them");
  EXPECT_EQ(messageFor({"a", "--json"}), "expected a value after --json");
  EXPECT_EQ(messageFor({"a", "--check=yes"}), "--check takes no value, but got 'yes'");
  EXPECT_EQ(messageFor({"a", "--route", "fast"}), "expected --route to be one of fused, decompose, but got 'fast'");
  EXPECT_THAT(messageFor({"a", "--device", "tpu"}), HasSubstr("one of cpu, cuda, sim"));
  EXPECT_THAT(messageFor({"a", "--device", "cuda", "--bench"}), HasSubstr("--bench measures devices cpu and sim"));
  EXPECT_THAT(messageFor({"a", "--device", "cuda", "--chip", "sm_10,sm_80"}),
              HasSubstr("expected --chip to be one of"));
  EXPECT_THAT(messageFor({"a", "--ptxas", "none"}), HasSubstr("--ptxas applies to device cuda, but the device is cpu"));
  EXPECT_THAT(messageFor({"a", "--tf32"}), HasSubstr("--tf32 applies to devices cuda and sim"));
  EXPECT_THAT(messageFor({"a", "--report"}), HasSubstr("--report counts what device sim does"));
  EXPECT_THAT(messageFor({"a", "--sim-seed", "1"}),
              HasSubstr("--sim-seed applies to device sim, but the device is cpu"));
  EXPECT_THAT(messageFor({"a", "--device", "sim", "--sim-seed", "-1"}),
              HasSubstr("that is not negative, but got '-1'"));
  EXPECT_THAT(messageFor({"a", "--chip", "sm_80"}), HasSubstr("--chip applies to devices cuda and sim"));
  EXPECT_THAT(messageFor({"a", "--chip", "sm_42"}), HasSubstr("sm_90a"));
  for (const char *threads : {"0", "-1", "two", "", "2x", "99999999999"})
    EXPECT_THAT(messageFor({"a", "--threads", threads}), HasSubstr("a number from 1 to 4096")) << threads;
  EXPECT_THAT(messageFor({"a", "--emit", ""}), HasSubstr("expected a value for --emit"));
}

TEST(RunOptions, AnswersMistakesInInputs) {
  for (const char *input : {"q", "=a.npy", "q="})
    EXPECT_THAT(messageFor({"a", "--in", input}), HasSubstr("expected --in NAME=FILE.npy")) << input;
  for (const char *input : {"q=random:", "q=random:2x", "q=random:2xy", "q=random:-1", "q=random:2.5", "q=random:x2"})
    EXPECT_THAT(messageFor({"a", "--in", input}), HasSubstr("sizes joined by 'x'")) << input;
  EXPECT_THAT(messageFor({"a", "--in", "q=random:99999999x99999999x99999999"}), HasSubstr("too large"));
  for (const char *input : {"q=random:2:", "q=random:2:-1", "q=random:2:99999999999999999999"})
    EXPECT_THAT(messageFor({"a", "--in", input}), HasSubstr("expected the seed")) << input;
  EXPECT_THAT(messageFor({"a", "--in", "q=a", "--in", "q=b"}), HasSubstr("'q' is given twice"));
}
