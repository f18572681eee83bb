//===- Status.h - failures inside the runtime --------------------*- C++ -*-===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Status is the owned form of bochner_status_t: empty means success. Functions return it and callers test it with
// `if (Status status = f()) return status;`. Exceptions are used for nothing but failing allocations of the standard
// library; protect() turns what may be thrown into a status at the C boundary.
//
//===----------------------------------------------------------------------===//
#ifndef BOCHNER_RUNTIME_STATUS_H
#define BOCHNER_RUNTIME_STATUS_H

#include "bochner/status.h"

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace bochner {

/// Keeps the strings that its C view points to; hence it stays where it was made.
struct Diagnostic {
  Diagnostic(bochner_severity_t severity, const char *location, const char *message)
      : location(location ? location : ""), message(message ? message : ""),
        view{severity, this->location.c_str(), this->message.c_str()} {}
  Diagnostic(const Diagnostic &) = delete;
  Diagnostic &operator=(const Diagnostic &) = delete;

  const std::string location, message;
  const bochner_diagnostic_t view;
};
using Diagnostics = std::vector<std::unique_ptr<Diagnostic>>;

} // namespace bochner

struct bochner_status {
  bochner_status_code_t code;
  std::string message;
  bochner::Diagnostics diagnostics;
};

namespace bochner {

struct StatusDeleter {
  void operator()(bochner_status *status) const { bochnerDestroyStatus(status); }
};
class [[nodiscard]] Status : public std::unique_ptr<bochner_status, StatusDeleter> {
public:
  using unique_ptr::unique_ptr;
  Status(bochner_status_code_t code, std::string message, Diagnostics diagnostics = {});
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

template <typename... T> Status invalidArgument(const T &...values) {
  return Status(BOCHNER_STATUS_INVALID_ARGUMENT, concat(values...));
}

/// "No such file or directory"; thread-safe.
std::string describeErrno(int error);

/// The status of the exception that is being handled. Never throws: without memory it is a static one.
bochner_status_t *statusOfCurrentException() noexcept;

/// Runs the body of a C function.
template <typename Fn> bochner_status_t *protect(Fn &&body) noexcept {
  try {
    Status status = body();
    return status.release();
  } catch (...) {
    return statusOfCurrentException();
  }
}

} // namespace bochner

#endif // BOCHNER_RUNTIME_STATUS_H
