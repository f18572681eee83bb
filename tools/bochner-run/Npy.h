//===- Npy.h - numpy's array format ---------------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One array: a header with type, order and shape, then the elements. Every field is checked against the bytes that are
// there; types without a counterpart in numpy are written as the next wider float.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_NPY_H
#define BOCHNER_TOOLS_RUN_NPY_H

#include "Tensor.h"

#include <string_view>

namespace bochner::run {

struct NpyHeader {
  DLDataType type = kF32;
  bool byteSwapped = false, fortranOrder = false;
  std::vector<int64_t> shape;
  size_t size = 0;      ///< of the header, that is the offset of the elements
  size_t dataBytes = 0; ///< of the elements
};

/// The bytes that parseNpyHeader() needs to see at most; longer headers are refused.
constexpr size_t kLargestNpyHeader = 1 << 16;

/// `what` names the array in the message of a Failure, for example "'q' of in.npz".
NpyHeader parseNpyHeader(std::string_view bytes, const std::string &what);

/// A whole .npy file in memory. Shares the memory unless the bytes have to be swapped.
Tensor parseNpy(std::string_view bytes, std::shared_ptr<const void> memory, const std::string &what);

/// The header of a compact array; its length is a multiple of 64.
std::string npyHeader(DLDataType type, const std::vector<int64_t> &shape);

/// What an array of `type` is converted to before it is written: f32 for bf16, else the same.
DLDataType typeInNpy(DLDataType type);

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_NPY_H
