//===- Library.h - parts that are loaded when needed -------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libbochner-compiler.so and libbochner-sim.so stand beside libbochner.so, or on the search path of the dynamic linker.
// Names are in the order of preference: packages for running programs have the first one only, build trees may lack it.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_LIBRARY_H
#define BOCHNER_RUNTIME_LIBRARY_H

#include "Status.h"

namespace bochner {

struct LibraryNames {
  const char *first, *second;
};

/// The path of a library beside this one, as this one was named or where its symbolic link leads; empty if it is not
/// there.
std::string findBeside(const LibraryNames &names);

/// Opens `path`, or the first of the names on the search path if that is empty; null with a note for each attempt.
void *openLibrary(const std::string &path, const LibraryNames &names, Diagnostics &notes);

} // namespace bochner

#endif // BOCHNER_RUNTIME_LIBRARY_H
