//===- RunTestUtils.h - what the tests of bochner-run share ----*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensors from lists, and the message of what fails.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TEST_TOOLS_RUNTESTUTILS_H
#define BOCHNER_TEST_TOOLS_RUNTESTUTILS_H

#include "tools/bochner-run/Failure.h"
#include "tools/bochner-run/Tensor.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <initializer_list>

namespace bochner::run {

/// The message of the Failure that `fn` throws; "nothing failed" if it does not.
template <typename Fn> std::string messageOf(Fn fn) {
  try {
    fn();
  } catch (const Failure &failure) {
    return failure.what();
  }
  return "nothing failed";
}

template <typename T> Tensor tensorOf(DLDataType type, std::vector<int64_t> shape, const std::vector<T> &values) {
  Tensor tensor = Tensor::create(type, std::move(shape));
  std::copy(values.begin(), values.end(), static_cast<T *>(tensor.data));
  return tensor;
}

/// The elements in order.
template <typename T> std::vector<T> valuesOf(const Tensor &tensor) {
  Tensor compact = tensor.compact();
  const T *first = static_cast<const T *>(compact.data);
  return std::vector<T>(first, first + compact.elements());
}

} // namespace bochner::run

#endif // BOCHNER_TEST_TOOLS_RUNTESTUTILS_H
