//===- GuardedArray.cpp - tensors between forbidden pages -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GuardedArray.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

using namespace bochner::test;

namespace {
constexpr unsigned char kGap = 0xff; // as a float of any width: NaN
}

int64_t bochner::test::elements(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

/// Of a 16-bit type.
static double fromBits(const std::string &type, uint16_t bits) {
  if (type == "f16") {
    _Float16 value;
    memcpy(&value, &bits, 2);
    return double(value);
  }
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

static uint16_t toBits(const std::string &type, double value) {
  if (type == "f16") {
    auto half = _Float16(value);
    uint16_t bits;
    memcpy(&bits, &half, 2);
    return bits;
  }
  auto single = float(value);
  uint32_t wide;
  memcpy(&wide, &single, 4);
  if (std::isnan(value))
    return uint16_t(wide >> 16 | 0x40);
  return uint16_t((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
}

double bochner::test::roundedTo(const std::string &type, double value) {
  return type == "f64" ? value : type == "f32" ? double(float(value)) : fromBits(type, toBits(type, value));
}

GuardedArray::GuardedArray(const std::string &type, Shape sizes, Layout layout)
    : type(type), shape(std::move(sizes)), elementSize(type == "f32"                     ? 4
                                                       : type == "bf16" || type == "f16" ? 2
                                                       : type == "i1"                    ? 1
                                                                                         : 8) {
  size_t rank = shape.size();
  std::vector<size_t> order(rank); // from the outermost dimension in memory
  for (size_t i = 0; i < rank; ++i)
    order[i] = i;
  if (layout == Layout::HeadsInside && rank == 4)
    std::swap(order[1], order[2]);
  strides.assign(rank, 1);
  int64_t next = 1;
  for (size_t i = rank; i-- > 0;) {
    size_t d = order[i];
    strides[d] = next;
    next *= std::max<int64_t>(shape[d], 1);
    if (layout == Layout::PaddedRows && rank > 1 && d + 1 == rank)
      next += 3;
    if (layout == Layout::EveryOther && rank > 2 && d == 1) {
      strides[d] *= 2;
      next *= 2;
    }
  }
  int64_t last = 0, first = 0; // offsets of the outermost elements
  if (layout == Layout::EveryOther && rank > 2)
    strides[0] = -strides[0];
  for (size_t d = 0; d < rank; ++d) {
    int64_t extent = (std::max<int64_t>(shape[d], 1) - 1) * strides[d];
    (extent > 0 ? last : first) += extent;
  }
  size_t page = sysconf(_SC_PAGESIZE), skew = layout == Layout::Misaligned ? 1 : 0;
  size_t needed = elements(shape) ? size_t(last - first + 1) * elementSize + skew : 0;
  size_t inner = (needed + page - 1) / page * page;
  mapped = inner + 2 * page;
  void *pages = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    throw std::runtime_error("no memory for a test");
  mapping = static_cast<char *>(pages);
  if (inner) {
    mprotect(mapping + page, inner, PROT_READ | PROT_WRITE);
    memset(mapping + page, kGap, inner);
  }
  bytes = mapping + page + inner - needed - int64_t(first) * int64_t(elementSize);
  view.data = bytes;
  view.device = {kDLCPU, 0};
  view.ndim = int32_t(rank);
  int code = type == "bf16" ? kDLBfloat : type == "i1" ? kDLBool : type[0] == 'f' ? kDLFloat : kDLInt;
  view.dtype = {uint8_t(code), uint8_t(8 * elementSize), 1};
  view.shape = shape.data();
  view.strides = strides.data();
}

GuardedArray::~GuardedArray() { munmap(mapping, mapped); }

int64_t GuardedArray::offset(int64_t element) const {
  int64_t at = 0;
  for (size_t d = shape.size(); d-- > 0;) {
    at += element % shape[d] * strides[d];
    element /= shape[d];
  }
  return at * int64_t(elementSize);
}

void GuardedArray::write(const Values &values) {
  for (size_t i = 0; i < values.size(); ++i) {
    float single = float(values[i]);
    int64_t integer = type[0] == 'i' ? int64_t(values[i]) : 0;
    uint16_t half = elementSize == 2 ? toBits(type, values[i]) : uint16_t(0);
    const void *from = type == "f32"      ? static_cast<const void *>(&single)
                       : type == "f64"    ? static_cast<const void *>(&values[i])
                       : elementSize == 2 ? static_cast<const void *>(&half)
                                          : static_cast<const void *>(&integer);
    memcpy(bytes + offset(int64_t(i)), from, elementSize);
  }
}

Values GuardedArray::read() const {
  Values values(size_t(elements(shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    const char *from = bytes + offset(int64_t(i));
    if (type == "f32") {
      float single;
      memcpy(&single, from, 4);
      values[i] = single;
    } else if (elementSize == 2) {
      uint16_t half;
      memcpy(&half, from, 2);
      values[i] = fromBits(type, half);
    } else if (type == "f64") {
      memcpy(&values[i], from, 8);
    } else if (type == "i64") {
      int64_t integer;
      memcpy(&integer, from, 8);
      values[i] = double(integer);
    } else {
      values[i] = *from;
    }
  }
  return values;
}

void GuardedArray::protect() {
  size_t page = sysconf(_SC_PAGESIZE);
  mprotect(mapping + page, mapped - 2 * page, PROT_READ);
}

size_t GuardedArray::damage() const {
  size_t page = sysconf(_SC_PAGESIZE);
  const char *begin = mapping + page;
  std::vector<bool> isElement(mapped - 2 * page);
  for (int64_t i = 0, e = elements(shape); i < e; ++i)
    for (size_t b = 0; b < elementSize; ++b)
      isElement[size_t(bytes - begin + offset(i)) + b] = true;
  size_t changed = 0;
  for (size_t i = 0; i < isElement.size(); ++i)
    changed += !isElement[i] && static_cast<unsigned char>(begin[i]) != kGap;
  return changed;
}
