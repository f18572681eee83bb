//===- WriteFakeModule.cpp - a module for programs outside of the tree ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes the module "add" of the runtime's tests to the file that the argument names.
//
//===----------------------------------------------------------------------===//
#include "test/Runtime/FakeModule.h"

#include <fstream>

int main(int argc, char **argv) {
  if (argc != 2)
    return 1;
  std::ofstream out(argv[1], std::ios::binary);
  out << bochner::test::FakeModule().build();
  return out.flush() ? 0 : 1;
}
