//===- Tensor.cpp - arrays in memory -------------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Strided copies and conversions of element types.
//
//===----------------------------------------------------------------------===//
#include "Tensor.h"
#include "Failure.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <sys/mman.h>

namespace bochner::run {

std::string typeName(DLDataType type) {
  if (type == kBool)
    return "bool";
  const char *prefix = type.code == kDLFloat    ? "f"
                       : type.code == kDLBfloat ? "bf"
                       : type.code == kDLInt    ? "i"
                       : type.code == kDLUInt   ? "u"
                                                : "?";
  return concat(prefix, unsigned(type.bits));
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t size : shape)
    text += concat(text.empty() ? "" : "x", size < 0 ? std::string("?") : std::to_string(size));
  return text.empty() ? "scalar" : text;
}

int64_t elementCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(count, size, &count))
      fail("an array of shape ", shapeText(shape), " is too large");
  return count;
}

std::shared_ptr<void> allocate(size_t bytes) {
  // Huge pages where they fit: a first touch costs per page, and arrays here are touched for the first time.
  constexpr size_t kHugePage = size_t(2) << 20;
  size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void *memory = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
  if (!memory)
    throw std::bad_alloc();
  if (alignment == kHugePage)
    madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE); // the rest would only be resident for nothing
  return std::shared_ptr<void>(memory, std::free);
}

std::vector<int64_t> compactStrides(const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

Tensor Tensor::create(DLDataType type, std::vector<int64_t> shape) {
  Tensor tensor;
  tensor.type = type;
  int64_t bytes;
  if (__builtin_mul_overflow(elementCount(shape), int64_t(elementSize(type)), &bytes))
    fail("an array of shape ", shapeText(shape), " is too large");
  std::shared_ptr<void> memory = allocate(bytes);
  tensor.data = memory.get();
  tensor.memory = std::move(memory);
  tensor.strides = compactStrides(shape);
  tensor.shape = std::move(shape);
  return tensor;
}

bool Tensor::isCompact() const {
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != stride)
      return elements() == 0;
    stride *= shape[i];
  }
  return true;
}

bool Tensor::hasContiguousRows() const { return shape.empty() || shape.back() <= 1 || strides.back() == 1; }

Tensor Tensor::permuted(const std::vector<int> &axes) const {
  Tensor result = *this;
  for (size_t i = 0; i < axes.size(); ++i) {
    result.shape[i] = shape[axes[i]];
    result.strides[i] = strides[axes[i]];
  }
  return result;
}

Tensor Tensor::compact() const { return isCompact() ? *this : copy(); }

Tensor Tensor::copy() const {
  Tensor result = create(type, shape);
  size_t size = elementSize(type);
  int64_t row = shape.empty() ? 1 : shape.back(), stride = shape.empty() ? 1 : strides.back();
  int64_t step = stride * int64_t(size);
  char *to = static_cast<char *>(result.data);
  forEachRow(*this, [&](const char *from) {
    if (stride == 1) {
      std::memcpy(to, from, row * size);
      to += row * size;
    } else {
      for (int64_t i = 0; i < row; ++i, from += step, to += size)
        std::memcpy(to, from, size);
    }
  });
  return result;
}

DLTensor Tensor::view() const {
  DLTensor tensor = {};
  tensor.data = data;
  tensor.device = {kDLCPU, 0};
  tensor.ndim = rank();
  tensor.dtype = type;
  tensor.shape = const_cast<int64_t *>(shape.data());
  tensor.strides = const_cast<int64_t *>(strides.data());
  return tensor;
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

namespace {

/// A 16-bit float with `mantissa` stored bits; rounds once, from double, to nearest even.
template <int mantissa> struct Float16 {
  static constexpr int kExponentBits = 15 - mantissa, kBias = (1 << (kExponentBits - 1)) - 1;
  uint16_t bits;

  explicit operator double() const {
    int exponent = (bits >> mantissa) & ((1 << kExponentBits) - 1), fraction = bits & ((1 << mantissa) - 1);
    double magnitude;
    if (exponent == (1 << kExponentBits) - 1)
      magnitude = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    else if (exponent == 0)
      magnitude = std::ldexp(fraction, 1 - kBias - mantissa);
    else
      magnitude = std::ldexp(fraction + (1 << mantissa), exponent - kBias - mantissa);
    return bits & 0x8000 ? -magnitude : magnitude;
  }

  Float16() = default;
  explicit Float16(double value) {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0, infinity = ((1 << kExponentBits) - 1) << mantissa;
    double magnitude = std::fabs(value);
    if (std::isnan(value)) {
      bits = sign | infinity | 1 << (mantissa - 1);
      return;
    }
    int exponent = 1 - kBias;
    if (magnitude > 0 && std::isfinite(magnitude))
      exponent = std::max(std::ilogb(magnitude), 1 - kBias);
    // The integer carries into the exponent where rounding reaches the next power of two.
    double scaled = std::isinf(value) ? magnitude : std::nearbyint(std::ldexp(magnitude, mantissa - exponent));
    double code = scaled + std::ldexp(exponent + kBias - 1, mantissa);
    bits = sign | (code >= infinity ? infinity : static_cast<uint16_t>(code));
  }
};
using Half = Float16<10>;
using BFloat = Float16<7>;

struct Boolean {
  uint8_t value;
};

/// Calls fn(T()) with the C++ type of an element; false if there is none.
template <typename Fn> bool withFloat(DLDataType type, Fn fn) {
  if (type == kF64)
    fn(double());
  else if (type == kF32)
    fn(float());
  else if (type == kF16)
    fn(Half());
  else if (type == kBF16)
    fn(BFloat());
  else
    return false;
  return true;
}
template <typename Fn> bool withInteger(DLDataType type, Fn fn) {
  if (type == kI64)
    fn(int64_t());
  else if (type == kI32)
    fn(int32_t());
  else if (type == kI16)
    fn(int16_t());
  else if (type == kI8)
    fn(int8_t());
  else if (type == kU64)
    fn(uint64_t());
  else if (type == kU32)
    fn(uint32_t());
  else if (type == kU16)
    fn(uint16_t());
  else if (type == kU8)
    fn(uint8_t());
  else if (type == kBool)
    fn(Boolean());
  else
    return false;
  return true;
}

template <typename T> T load(const char *at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename From, typename To> void convertFloats(const char *from, To *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (sizeof(From) >= 4 && sizeof(To) >= 4)
      to[i] = static_cast<To>(load<From>(from + i * sizeof(From)));
    else
      to[i] = static_cast<To>(static_cast<double>(load<From>(from + i * sizeof(From))));
  }
}

/// False at the first value that does not fit.
template <typename From, typename To> bool convertIntegers(const char *from, To *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    From value = load<From>(from + i * sizeof(From));
    if constexpr (std::is_same_v<From, Boolean>) {
      // numpy writes 0 and 1; anything else counts as true.
      if constexpr (std::is_same_v<To, Boolean>)
        to[i].value = value.value != 0;
      else
        to[i] = value.value != 0;
    } else if constexpr (std::is_same_v<To, Boolean>) {
      if (value != 0 && value != 1)
        return false;
      to[i].value = value != 0;
    } else {
      to[i] = static_cast<To>(value);
      if (static_cast<From>(to[i]) != value || (to[i] < 0) != (value < 0))
        return false;
    }
  }
  return true;
}

} // namespace

void readFloats(DLDataType type, const char *from, int64_t count, double *to) {
  withFloat(type, [&](auto f) { convertFloats<decltype(f), double>(from, to, count); });
}

Tensor Tensor::converted(DLDataType to, const std::string &what) const {
  if (type == to)
    return *this;
  if (isFloat(type) != isFloat(to))
    fail("expected ", what, " to hold ", isFloat(to) ? "floats" : "integers", " (", typeName(to), "), but it holds ",
         typeName(type));
  Tensor source = compact();
  Tensor result = create(to, shape);
  const char *from = static_cast<const char *>(source.data);
  int64_t count = elements();
  bool known = false, fits = true;
  if (isFloat(to)) {
    withFloat(type, [&](auto f) {
      known = withFloat(to, [&](auto t) {
        convertFloats<decltype(f), decltype(t)>(from, static_cast<decltype(t) *>(result.data), count);
      });
    });
  } else {
    withInteger(type, [&](auto f) {
      known = withInteger(to, [&](auto t) {
        fits = convertIntegers<decltype(f), decltype(t)>(from, static_cast<decltype(t) *>(result.data), count);
      });
    });
  }
  if (!known)
    fail("cannot convert ", what, " from ", typeName(type), " to ", typeName(to));
  if (!fits)
    fail("expected the values of ", what, " to fit ", typeName(to), ", but got one of type ", typeName(type),
         " that does not");
  return result;
}

} // namespace bochner::run
