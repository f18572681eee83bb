//===- Failure.h - how the program gives up -------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever goes wrong is thrown where it is noticed and printed by main(): what was expected, what came, what to do.
//
//===----------------------------------------------------------------------===//
#ifndef LISTOPS_FAILURE_H
#define LISTOPS_FAILURE_H

#include <sstream>
#include <stdexcept>
#include <string>

namespace listops {

class Failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Strings and numbers, one after the other.
template <typename... T> std::string concat(const T &...values) {
  std::ostringstream out;
  (out << ... << values);
  return out.str();
}

template <typename... T> [[noreturn]] void fail(const T &...values) { throw Failure(concat(values...)); }

} // namespace listops

#endif // LISTOPS_FAILURE_H
