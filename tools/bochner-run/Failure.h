//===- Failure.h - how the runner gives up --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that can go wrong ends as one Failure, thrown where it is noticed and printed by main(): the stack
// unwinds over temporary files and mappings, so that nothing half-written stays behind. Also the owners of the
// runtime's objects, whose status becomes a Failure.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_TOOLS_RUN_FAILURE_H
#define BOCHNER_TOOLS_RUN_FAILURE_H

#include "bochner/bochner.h"

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace bochner::run {

/// Exit status of the process.
enum ExitStatus { Success = 0, UserError = 1, CheckFailed = 2, InternalError = 3 };

class Failure : public std::exception {
public:
  Failure(ExitStatus status, std::string message) : status(status), message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }
  const ExitStatus status;

private:
  const std::string message;
};

namespace detail {
inline void append(std::string &out, std::string_view value) { out += value; }
inline void append(std::string &out, const std::string &value) { out += value; }
inline void append(std::string &out, const char *value) { out += value; }
inline void append(std::string &out, char value) { out += value; }
template <typename T> std::enable_if_t<std::is_arithmetic_v<T>> append(std::string &out, T value) {
  out += std::to_string(value);
}
} // namespace detail

/// Strings and numbers, one after the other.
template <typename... T> std::string concat(const T &...values) {
  std::string out;
  (detail::append(out, values), ...);
  return out;
}

/// Something that the user can mend.
template <typename... T> [[noreturn]] void fail(const T &...values) { throw Failure(UserError, concat(values...)); }

/// Throws what `status` says, with its diagnostics; takes it over. Returns if it is NULL.
void check(bochner_status_t *status);

template <auto destroy> struct Destroyer {
  template <typename T> void operator()(T *object) const { destroy(object); }
};
using Context = std::unique_ptr<bochner_context_t, Destroyer<bochnerDestroyContext>>;
using Module = std::unique_ptr<bochner_module_t, Destroyer<bochnerDestroyModule>>;

} // namespace bochner::run

#endif // BOCHNER_TOOLS_RUN_FAILURE_H
