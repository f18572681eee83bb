//===- Main.cpp - main function of the runtime's tests --------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With --compile FOLDER SOURCE [COUNT] the program is one process of a test with several: it compiles COUNT times with
// the cache in FOLDER, and prints code, message and log.
//
//===----------------------------------------------------------------------===//
#include "TestUtils.h"

#include <cstdio>
#include <cstring>

using namespace bochner::test;

static int compileAndPrint(const char *folder, const std::string &source, int count) {
  LogLines log;
  for (int i = 0; i < count; ++i) {
    ContextOwner context = makeContext(folder, &log); // a new one each time, so that the disk counts
    bochner_module_t *raw = nullptr;
    std::string failure = describe(bochnerCompile(context.get(), source.data(), source.size(), nullptr, &raw));
    ModuleOwner module(raw);
    if (!failure.empty())
      printf("%s\n", failure.c_str());
    else if (bochnerGetFunctionCount(raw) != 1)
      printf("wrong module\n");
  }
  for (const std::string &line : log.warnings)
    printf("warning: %s\n", line.c_str());
  return 0;
}

int main(int argc, char **argv) {
  // Whatever the user has set must not change what the tests see.
  for (const char *name : {"BOCHNER_CACHE_DIR", "BOCHNER_DUMP_DIR", "BOCHNER_VERBOSE"})
    unsetenv(name);
  if (argc >= 4 && !strcmp(argv[1], "--compile"))
    return compileAndPrint(argv[2], argv[3], argc > 4 ? atoi(argv[4]) : 1);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
