//===- GuardedArray.h - tensors between forbidden pages ---------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An array of rank 1 to 4 in any layout, whose last byte touches a page that cannot be accessed. Bytes that belong to
// no element are NaN, so that reading one shows, and are looked at after a call, so that writing one shows. Arguments
// cannot be written at all.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_PROPERTY_GUARDEDARRAY_H
#define BOCHNER_TEST_PROPERTY_GUARDEDARRAY_H

#include "bochner/bochner.h"
#include <string>
#include <vector>

namespace bochner::test {

using Values = std::vector<double>;
using Shape = std::vector<int64_t>;
int64_t elements(const Shape &shape);
/// The nearest value that a float type has.
double roundedTo(const std::string &type, double value);

/// Where the elements of an array lie.
enum class Layout {
  Compact,
  HeadsInside, ///< [B, N, H, D] seen as [B, H, N, D]
  PaddedRows,  ///< three elements between rows
  EveryOther,  ///< every second slice of dimension 1, backwards in dimension 0
  Misaligned,  ///< compact, one byte off
};
constexpr Layout kLayouts[] = {Layout::Compact, Layout::HeadsInside, Layout::PaddedRows, Layout::EveryOther,
                               Layout::Misaligned};

class GuardedArray {
public:
  /// `type` is "f32", "f64", "bf16", "f16", "i64" or "i1".
  GuardedArray(const std::string &type, Shape shape, Layout layout = Layout::Compact);
  GuardedArray(const GuardedArray &) = delete;
  ~GuardedArray();

  void write(const Values &values);
  Values read() const;
  void protect(); ///< from now on it cannot be written
  /// The bytes between elements that are no longer what they were.
  size_t damage() const;
  DLTensor *tensor() { return &view; }

private:
  int64_t offset(int64_t element) const; ///< of a logical element, in bytes from `bytes`

  std::string type;
  Shape shape, strides;
  size_t elementSize, mapped = 0;
  char *mapping = nullptr, *bytes = nullptr; ///< all pages; element 0
  DLTensor view{};
};

} // namespace bochner::test

#endif // BOCHNER_TEST_PROPERTY_GUARDEDARRAY_H
