//===- Fill.cpp - arrays that nobody gave ---------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fills tensors as bochner.init says. Numbers are exact in f32, so that f32 and f64 graphs see the same.
//
//===----------------------------------------------------------------------===//
#include "LoadedModule.h"
#include "Random.h"
#include "TensorView.h"
#include "bochner/bochner.h"

#include <algorithm>
#include <charconv>
#include <cmath>

using namespace bochner;

namespace {
struct Initializer {
  enum Kind { Zeros, Ones, Normal, Uniform, Signs, Permutation, Chi, Mask, Below, Constant } kind;
  double parameter;
};

/// Elements handled at a time; a multiple of four.
constexpr int64_t kChunk = 4096;

/// Writes chunks of numbers to a compact tensor of any type that bochnerFillTensor() takes.
class Writer {
public:
  Writer(const DLTensor &tensor, int64_t elements)
      : type(tensor.dtype), data(static_cast<char *>(tensor.data) + tensor.byte_offset), elements(elements) {}

  template <typename T> void write(int64_t begin, const T *values, int64_t count) {
    if (type.code == kDLFloat && type.bits == 64)
      convert<double>(begin, values, count);
    else if (type.code == kDLFloat)
      convert<float>(begin, values, count);
    else if (type.bits == 64)
      convert<int64_t>(begin, values, count);
    else if (type.bits == 32)
      convert<int32_t>(begin, values, count);
    else
      convert<int8_t>(begin, values, count);
  }

  /// chunk(begin, count, out) for all elements.
  template <typename T, typename Fn> void forEachChunk(Fn chunk) {
    T values[kChunk];
    for (int64_t begin = 0; begin < elements; begin += kChunk) {
      int64_t count = std::min(kChunk, elements - begin);
      chunk(begin, count, values);
      write(begin, values, count);
    }
  }

private:
  template <typename To, typename From> void convert(int64_t begin, const From *values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      To value = static_cast<To>(values[i]);
      std::copy_n(reinterpret_cast<const char *>(&value), sizeof value, data + (begin + i) * int64_t(sizeof value));
    }
  }
  DLDataType type;
  char *data; ///< possibly misaligned
  int64_t elements;
};
} // namespace

static Status parseInitializer(std::string_view text, std::string_view name, Initializer &result) {
  struct Known {
    const char *name;
    Initializer::Kind kind;
    enum { None, Optional, Required } parameter;
  };
  static const Known known[] = {
      {"zeros", Initializer::Zeros, Known::None},       {"ones", Initializer::Ones, Known::None},
      {"normal", Initializer::Normal, Known::Optional}, {"uniform", Initializer::Uniform, Known::Required},
      {"signs", Initializer::Signs, Known::None},       {"permutation", Initializer::Permutation, Known::None},
      {"chi", Initializer::Chi, Known::None},           {"mask", Initializer::Mask, Known::None},
      {"below", Initializer::Below, Known::Required},   {"constant", Initializer::Constant, Known::Required}};
  size_t open = std::min(text.find('('), text.size());
  for (const Known &candidate : known) {
    if (text.substr(0, open) != candidate.name)
      continue;
    result = {candidate.kind, 1.0};
    if (open == text.size()) {
      if (candidate.parameter == Known::Required)
        break;
      return {};
    }
    if (candidate.parameter == Known::None || text.back() != ')')
      break;
    std::string_view number = text.substr(open + 1, text.size() - open - 2);
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), result.parameter);
    if (error != std::errc() || end != number.data() + number.size() || !std::isfinite(result.parameter))
      break;
    return {};
  }
  return invalidArgument("expected the initializer of '", name, "' to be zeros, ones, normal(std), uniform(a), signs, ",
                         "permutation, chi, mask, below(n) or constant(x), but got '", text,
                         "'; give the array instead");
}

static void fillNormal(Writer &writer, const RandomStream &stream, double std) {
  writer.forEachChunk<float>([&](int64_t begin, int64_t count, float *out) {
    stream.normals(begin / 4, (count + 3) / 4, out);
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<float>(out[i] * std);
  });
}

static void fillUniform(Writer &writer, const RandomStream &stream, double a) {
  writer.forEachChunk<float>([&](int64_t begin, int64_t count, float *out) {
    uint32_t words[kChunk];
    stream.words(begin / 4, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i) // an odd multiple of 2^-24 in (-1, 1)
      out[i] = static_cast<float>(((2 * (words[i] >> 8) + 1) * 5.9604644775390625e-8 - 1.0) * a);
  });
}

/// chi with as many degrees of freedom as the last axis is long: the length of a vector of that many normal numbers.
static void fillChi(Writer &writer, const RandomStream &stream, int64_t degrees) {
  int64_t blocks = (degrees + 3) / 4;
  std::vector<float> values(4 * blocks);
  writer.forEachChunk<float>([&](int64_t begin, int64_t count, float *out) {
    for (int64_t i = 0; i < count; ++i) {
      stream.normals((begin + i) * blocks, blocks, values.data());
      double sum = 0;
      for (int64_t d = 0; d < degrees; ++d)
        sum += double(values[d]) * values[d];
      out[i] = static_cast<float>(std::sqrt(sum));
    }
  });
}

/// Fisher and Yates, row by row.
static void permuteRows(Writer &writer, const RandomStream &stream, int64_t elements, int64_t row) {
  std::vector<uint32_t> words(4 * ((row + 3) / 4));
  std::vector<int64_t> values(row);
  for (int64_t begin = 0; begin < elements; begin += row) {
    stream.words(begin / row * (words.size() / 4), words.size() / 4, words.data());
    for (int64_t i = 0; i < row; ++i)
      values[i] = i;
    for (int64_t i = row; i-- > 1;)
      std::swap(values[i], values[int64_t((uint64_t(words[i]) * uint64_t(i + 1)) >> 32)]);
    writer.write(begin, values.data(), row);
  }
}

/// Mostly 1; a row of zeros, whose attention would be of nothing, gets a 1 somewhere.
static void fillMask(Writer &writer, const RandomStream &stream, int64_t elements, int64_t row) {
  std::vector<uint32_t> words(4 * ((elements + 3) / 4));
  std::vector<int64_t> values(elements);
  stream.words(0, words.size() / 4, words.data());
  for (int64_t i = 0; i < elements; ++i)
    values[i] = words[i] >= uint32_t(1) << 29;
  for (int64_t begin = 0; begin < elements; begin += row)
    if (std::none_of(&values[begin], &values[begin] + row, [](int64_t value) { return value; }))
      values[begin + words[begin] % row] = 1;
  writer.write(0, values.data(), elements);
}

/// Integers from 0 on.
static void fillBelow(Writer &writer, const RandomStream &stream, double bound) {
  writer.forEachChunk<int64_t>([&](int64_t begin, int64_t count, int64_t *out) {
    uint32_t words[kChunk];
    stream.words(begin / 4, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<int64_t>((uint64_t(words[i]) * static_cast<uint64_t>(bound)) >> 32);
  });
}

/// Zeros, ones or signs.
static void fillUnits(Writer &writer, const RandomStream &stream, Initializer::Kind kind) {
  writer.forEachChunk<float>([&](int64_t begin, int64_t count, float *out) {
    uint32_t words[kChunk];
    if (kind == Initializer::Signs)
      stream.words(begin / 4, (count + 3) / 4, words);
    for (int64_t i = 0; i < count; ++i)
      out[i] = kind == Initializer::Zeros ? 0.0f : kind == Initializer::Ones || words[i] & 1 ? 1.0f : -1.0f;
  });
}

static Status checkTensor(const DLTensor &tensor, std::string_view name, uint64_t &elements) {
  bool isWide = tensor.dtype.lanes == 1 && (tensor.dtype.bits == 64 || tensor.dtype.bits == 32);
  bool isByte = tensor.dtype.lanes == 1 && tensor.dtype.bits == 8;
  if (!(tensor.dtype.code == kDLFloat && isWide) && !(tensor.dtype.code == kDLInt && (isWide || isByte)) &&
      !(tensor.dtype.code == kDLBool && isByte))
    return invalidArgument("expected '", name, "' to be filled to hold f64, f32, i64, i32, i8 or i1, but it holds ",
                           toString(tensor.dtype), "; fill a wider tensor and convert it");
  if (tensor.device.device_type != kDLCPU)
    return invalidArgument("expected '", name, "' to be filled to be on the CPU, but it is on device type ",
                           int(tensor.device.device_type));
  if (tensor.ndim < 0 || (tensor.ndim && !tensor.shape) ||
      !countElements(tensor.shape, tensor.ndim, tensor.dtype.bits / 8, elements))
    return invalidArgument("expected '", name, "' to be filled to have a shape whose sizes are at least 0 and whose ",
                           "bytes stay within 63 bits");
  std::vector<int64_t> strides(tensor.ndim);
  compactStrides(tensor.shape, tensor.ndim, strides.data());
  for (int32_t i = 0; tensor.strides && elements && i < tensor.ndim; ++i)
    if (tensor.shape[i] > 1 && tensor.strides[i] != strides[i])
      return invalidArgument("expected '", name, "' to be filled to be compact, but its stride ", i, " is ",
                             tensor.strides[i], " instead of ", strides[i]);
  if (elements && !tensor.data)
    return invalidArgument("expected '", name, "' to be filled to have memory, but its data is NULL");
  return {};
}

static Status fill(std::string_view init, uint64_t seed, std::string_view name, const DLTensor &tensor) {
  Initializer initializer;
  if (Status status = parseInitializer(init, name, initializer))
    return status;
  uint64_t count;
  if (Status status = checkTensor(tensor, name, count))
    return status;
  bool isReal = initializer.kind == Initializer::Normal || initializer.kind == Initializer::Uniform ||
                initializer.kind == Initializer::Chi;
  if (isReal && tensor.dtype.code != kDLFloat)
    return invalidArgument("expected '", name, "' to hold floats, which '", init, "' draws, but it holds ",
                           toString(tensor.dtype));
  bool isPermutation = initializer.kind == Initializer::Permutation;
  if (isPermutation && !tensor.ndim)
    return invalidArgument("expected '", name, "' to have an axis to permute, but it is a scalar");
  auto elements = static_cast<int64_t>(count);
  int64_t row = tensor.ndim ? tensor.shape[tensor.ndim - 1] : 1;
  int64_t limit = tensor.dtype.code == kDLBool ? 2 : tensor.dtype.bits == 8 ? 128 : int64_t(1) << 31;
  if (initializer.kind == Initializer::Below && !(initializer.parameter >= 0 && initializer.parameter <= 4294967296.0))
    return invalidArgument("expected the bound of '", name, "' to be from 0 to 2^32, but got '", init, "'");
  int64_t numbers = isPermutation                            ? row
                    : initializer.kind == Initializer::Below ? static_cast<int64_t>(initializer.parameter)
                                                             : 0;
  if (numbers > limit && tensor.dtype.code != kDLFloat && tensor.dtype.bits < 64)
    return invalidArgument("expected the numbers below ", numbers, " of '", name, "' to fit ", toString(tensor.dtype));

  RandomStream stream(seed, name);
  Writer writer(tensor, elements);
  switch (initializer.kind) {
  case Initializer::Normal:
    fillNormal(writer, stream, initializer.parameter);
    break;
  case Initializer::Uniform:
    fillUniform(writer, stream, initializer.parameter);
    break;
  case Initializer::Chi:
    fillChi(writer, stream, row);
    break;
  case Initializer::Permutation:
    permuteRows(writer, stream, elements, row);
    break;
  case Initializer::Mask:
    fillMask(writer, stream, elements, row);
    break;
  case Initializer::Below:
    fillBelow(writer, stream, initializer.parameter);
    break;
  case Initializer::Constant:
    writer.forEachChunk<double>([&](int64_t, int64_t chunk, double *out) {
      std::fill_n(out, chunk, static_cast<float>(initializer.parameter));
    });
    break;
  case Initializer::Zeros:
  case Initializer::Ones:
  case Initializer::Signs:
    fillUnits(writer, stream, initializer.kind);
    break;
  }
  return {};
}

bochner_status_t *bochnerFillTensor(const char *init, uint64_t seed, const char *name, DLTensor *tensor) {
  return protect([&]() -> Status {
    if (!init || !name || !tensor)
      return invalidArgument("expected an initializer, a name and a tensor, but got NULL");
    return fill(init, seed, name, *tensor);
  });
}
