//===- Fill.cpp - arrays that nobody gave --------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Fill.h"
#include "Failure.h"

#include <cmath>

namespace bochner::run {

Tensor fill(const std::string &initializer, DLDataType type, const std::vector<int64_t> &shape, uint64_t seed,
            const std::string &name) {
  Tensor tensor = Tensor::create(isFloat(type) ? kF32 : kI64, shape);
  DLTensor view = tensor.view();
  check(bochnerFillTensor(initializer.c_str(), seed, name.c_str(), &view));
  return tensor.converted(type, concat("the filled array '", name, "'"));
}

std::optional<std::string> offsetsDimension(std::string_view initializer) {
  constexpr std::string_view prefix = "offsets";
  if (initializer == prefix)
    return "N";
  if (initializer.substr(0, prefix.size() + 1) != "offsets(" || initializer.back() != ')' ||
      initializer.size() == prefix.size() + 2)
    return std::nullopt;
  return std::string(initializer.substr(prefix.size() + 1, initializer.size() - prefix.size() - 2));
}

Tensor fillOffsets(DLDataType type, const std::vector<int64_t> &shape, const std::string &name, int64_t rows) {
  if (shape.size() != 1 || !shape[0])
    fail("expected '", name, "' to be a list of at least one offset, but it has shape ", shapeText(shape));
  Tensor tensor = Tensor::create(kI64, shape);
  auto *out = static_cast<int64_t *>(tensor.data);
  out[0] = 0;
  for (int64_t i = 1; i < shape[0]; ++i)
    out[i] = static_cast<int64_t>(static_cast<__int128>(rows) * i / (shape[0] - 1));
  return tensor.converted(type, concat("the filled array '", name, "'"));
}

Tensor fillRandom(DLDataType type, const std::vector<int64_t> &shape, uint64_t seed, const std::string &name,
                  const std::string &init) {
  if (type == kBool)
    return fill("mask", type, shape, seed, name);
  if (init.compare(0, 6, "below(") == 0)
    return fill(init, type, shape, seed, name);
  if (!isFloat(type))
    fail("'", name, "' holds integers (", typeName(type), "), which random: does not draw; give a file");
  return fill("normal", type, shape, seed, name);
}

void divideByNorm(Tensor &tensor, const Tensor &divisor) {
  Tensor squares = divisor.converted(kF64, "the divisor").compact(), values = tensor.converted(kF32, "the dividend");
  double sum = 0;
  for (int64_t i = 0, e = squares.elements(); i < e; ++i) {
    double value = static_cast<const double *>(squares.data)[i];
    sum += value * value;
  }
  for (int64_t i = 0, e = values.elements(); sum > 0 && i < e; ++i) {
    float &value = static_cast<float *>(values.data)[i];
    value = static_cast<float>(value / std::sqrt(sum));
  }
  tensor = values.converted(tensor.type, "the quotient");
}

} // namespace bochner::run
