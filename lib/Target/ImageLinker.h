//===- ImageLinker.h - object code to a relocated image ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lays an x86-64 ELF object out as one position-independent image and resolves everything that does not depend on where
// it will be mapped. What remains for the loader stands in LoaderTables.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_LIB_TARGET_IMAGELINKER_H
#define BOCHNER_LIB_TARGET_IMAGELINKER_H

#include "runtime/ModuleFormat.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace bochner {

/// The unit of protection: segments start at multiples of it.
constexpr uint64_t kPageSize = 4096;

enum class SegmentKind { text, rodata, data };

struct ImageSegment {
  uint64_t address = 0, size = 0;
};

struct ImageSymbol {
  std::string name;
  uint64_t address = 0, size = 0;
  SegmentKind segment = SegmentKind::text;
  bool exported = false, function = false;
};

/// Addresses are offsets from the start of the file that will hold the image at offset `base`.
struct Image {
  uint64_t base = 0;
  std::string bytes;
  ImageSegment segments[3]; // by SegmentKind
  std::vector<ImageSymbol> symbols;
  format::LoaderTables tables;
};

/// Links `object` for address `base`, a multiple of the page size. Everything in the image and its tables is in an
/// order that depends on the object alone. Fails on undefined symbols that are not in format::kRuntimeFunctions (naming
/// all of them), writable data and relocations that a loader without a linker cannot apply.
llvm::Expected<Image> linkImage(llvm::StringRef object, uint64_t base);

} // namespace bochner

#endif // BOCHNER_LIB_TARGET_IMAGELINKER_H
