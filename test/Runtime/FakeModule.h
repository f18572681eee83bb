//===- FakeModule.h - module files for the tests -----------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes module files around the machine code of FakeCode.c, independently of the compiler's writer, and with
// everything exposed that a test may want to break.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_RUNTIME_FAKEMODULE_H
#define BOCHNER_TEST_RUNTIME_FAKEMODULE_H

#include "runtime/ModuleFormat.h"

#include <elf.h>

namespace bochner::test {

struct FakeModule {
  /// Starts as the module with the function "add" of FakeCode.c.
  FakeModule();

  std::string build() const;

  // File offsets: text at kText, then one page of data.
  static constexpr uint64_t kText = 4096;
  uint64_t dataOffset() const;
  /// Where the code of an export is.
  uint64_t symbolOffset(const std::string &name) const;

  format::ModuleInfo info;
  format::LoaderTables tables;
  std::string text;
  std::vector<std::pair<std::string, uint64_t>> symbols; // name, offset in text
  uint32_t textFlags = PF_R | PF_X, dataFlags = PF_R | PF_W;
};

/// A function that adds two f32 tensors: add(q, k: [B, N, 4], lengths: [B] of i64 in [0, N]) -> out.
format::FunctionInfo makeAddInfo();

/// Writes the checksum of a changed file anew.
void sign(std::string &file);

} // namespace bochner::test

#endif // BOCHNER_TEST_RUNTIME_FAKEMODULE_H
