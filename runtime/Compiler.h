//===- Compiler.h - libbochner-compiler.so, when it is needed ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the compiler, says which file it is without loading it (the cache key needs that), and loads it at the first
// compilation. One for the whole process.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_COMPILER_H
#define BOCHNER_RUNTIME_COMPILER_H

#include "CompilerInterface.h"
#include "Status.h"

#include <mutex>
#include <string>

namespace bochner {

class Compiler {
public:
  static Compiler &get();

  /// Path, size and times of the compiler's files: a rebuilt compiler has another identity. Empty if there is none.
  std::string identity();

  /// Loads the compiler; the interface lives as long as the process.
  /// Errors: UNAVAILABLE if it is missing, VERSION_MISMATCH.
  Status load(const bochner_compiler_interface_t *&interface);

private:
  Status loadLocked();

  std::mutex mutex;
  const bochner_compiler_interface_t *loaded = nullptr;
  std::string loadedIdentity;
};

} // namespace bochner

#endif // BOCHNER_RUNTIME_COMPILER_H
