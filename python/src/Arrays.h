//===- Arrays.h - arrays of Python, borrowed and lent -----------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Anything that speaks DLPack comes in for the time of a call, without a copy. Tensors of the library go out through
// DLPack and the buffer protocol.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_PYTHON_ARRAYS_H
#define BOCHNER_PYTHON_ARRAYS_H

#include "bochner/bochner.h"
#include <memory>
#include <nanobind/nanobind.h>
#include <string>
#include <vector>

namespace bochner::python {

/// "float32", "bfloat16", "int64", "bool", ...: as NumPy and its relatives spell them.
std::string dtypeName(DLDataType dtype);
/// Throws InvalidArgumentError for a name that the library has no type for.
DLDataType parseDtype(const std::string &name);

struct ExchangeApi;

/// An array of the caller, as long as this object and the array live. Needs the GIL to be made and destroyed.
class BorrowedArray {
public:
  /// `what` names the array in errors. Throws InvalidArgumentError or what the array's own __dlpack__ raises.
  BorrowedArray(nanobind::handle array, bool writable, const char *what);
  BorrowedArray(BorrowedArray &&other) noexcept;
  BorrowedArray(const BorrowedArray &) = delete;

  DLTensor *get() const { return tensor ? tensor : const_cast<DLTensor *>(&own); }

private:
  DLTensor own = {};          ///< filled by the exchange API of the array's type
  DLTensor *tensor = nullptr; ///< or inside the capsule
  nanobind::object capsule;
};

/// A tensor of the library; copies share it.
using SharedTensor = std::shared_ptr<DLManagedTensorVersioned>;
SharedTensor own(DLManagedTensorVersioned *tensor);

/// The tensor as an array of the type of `like` if that type can make one fast, otherwise as bochner.Tensor.
nanobind::object lend(SharedTensor tensor, nanobind::handle like);

/// Registers bochner.Tensor.
void bindTensor(nanobind::module_ &module);

} // namespace bochner::python

#endif // BOCHNER_PYTHON_ARRAYS_H
