//===- Program.cpp - functions whose tensors have names -------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Program.h"
#include <algorithm>
#include <cstring>
#include <regex>

using namespace bochner::test;

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

/// Elements of one index of a dimension and of those behind it.
static int64_t widthFrom(const Shape &shape, size_t dimension) {
  return elements(Shape(shape.begin() + int64_t(dimension), shape.end()));
}

Array Array::slice(size_t dimension, int64_t first, int64_t end) const {
  Array part{shape, {}};
  part.shape[dimension] = end - first;
  int64_t outer = elements(Shape(shape.begin(), shape.begin() + int64_t(dimension))),
          inner = widthFrom(shape, dimension + 1);
  for (int64_t i = 0; i < outer; ++i) {
    auto begin = values.begin() + i * shape[dimension] * inner;
    part.values.insert(part.values.end(), begin + first * inner, begin + end * inner);
  }
  return part;
}

bool bochner::test::operator==(const Array &a, const Array &b) {
  return a.shape == b.shape && a.values.size() == b.values.size() &&
         (a.values.empty() || memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(double)) == 0);
}

Array bochner::test::concatenate(const Array &a, const Array &b, size_t dimension) {
  Array both{a.shape, {}};
  both.shape[dimension] += b.shape[dimension];
  int64_t outer = elements(Shape(a.shape.begin(), a.shape.begin() + int64_t(dimension)));
  for (int64_t i = 0; i < outer; ++i)
    for (const Array *part : {&a, &b}) {
      int64_t width = widthFrom(part->shape, dimension);
      both.values.insert(both.values.end(), part->values.begin() + i * width, part->values.begin() + (i + 1) * width);
    }
  return both;
}

double bochner::test::relativeError(const Array &got, const Array &expected) {
  return got.shape == expected.shape ? relativeError(got.values, expected.values) : INFINITY;
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

std::string Program::compile(const std::string &source, const std::string &route, const std::string &elementType) {
  text = source;
  bochner_compile_options_t options = BOCHNER_COMPILE_OPTIONS_INIT;
  options.route = route.c_str();
  options.element_type = elementType.empty() ? nullptr : elementType.c_str();
  options.no_cache = options.keep_phases = 1;
  bochner_module_t *created = nullptr;
  error = take(bochnerCompile(context(), text.data(), text.size(), &options, &created));
  if (error.empty()) {
    module.reset(created, bochnerDestroyModule);
    error = take(bochnerLookupFunction(created, "f", &function));
  }
  EXPECT_EQ(error, "") << text;
  return error;
}

Program::Program(const std::string &text, const std::string &route, const std::string &elementType) {
  compile(text, route, elementType);
}

Program Program::withSmallerTiles(int64_t shrink) const {
  Program other;
  std::string kernels;
  for (size_t i = 0, e = module ? bochnerGetPhaseCount(module.get()) : 0; i < e; ++i) {
    const bochner_phase_t *phase = bochnerGetPhase(module.get(), i);
    if (std::string(phase->name) == "kernel")
      kernels = phase->ir;
  }
  std::smatch found;
  std::regex schedule("row_tile = (\\d+), feature_block = (\\d+), register_rows = (\\d+), register_columns = (\\d+), "
                      "row_chunk = (\\d+)");
  if (!std::regex_search(kernels, found, schedule)) {
    ADD_FAILURE() << "there is no schedule in\n" << kernels;
    return other;
  }
  // Blocks of features are whole register tiles, and rows of a tile whole groups of registers.
  int64_t rows = std::stoll(found[1]), features = std::stoll(found[2]), columns = std::stoll(found[4]);
  int64_t block = std::max<int64_t>(features / shrink, 16);
  std::string replaced = "row_tile = " + std::to_string(rows / shrink) + ", feature_block = " + std::to_string(block) +
                         ", register_rows = " + std::string(found[3]) +
                         ", register_columns = " + std::to_string(std::min(columns, block)) +
                         ", row_chunk = " + std::to_string(2 * rows / shrink);
  other.compile(std::regex_replace(kernels, schedule, replaced), "fused", "");
  return other;
}

//===----------------------------------------------------------------------===//
// Calling
//===----------------------------------------------------------------------===//

static std::string typeOf(DLDataType type) {
  std::string bits = std::to_string(int(type.bits));
  return type.code == kDLBfloat ? "bf16" : type.code == kDLBool ? "i1" : (type.code == kDLFloat ? "f" : "i") + bits;
}

Arrays Program::call(const Arrays &in, const How &how, bool inPlace) const {
  if (!function)
    return {};
  std::vector<std::unique_ptr<GuardedArray>> arrays;
  std::vector<const DLTensor *> arguments;
  std::vector<DLTensor *> results;
  std::map<size_t, size_t> updated; // result -> argument
  size_t argumentCount = bochnerGetArgumentCount(function), resultCount = bochnerGetResultCount(function);
  for (size_t i = 0; inPlace && i < resultCount; ++i)
    if (int64_t argument = bochnerGetUpdatedArgument(function, i); argument >= 0)
      updated[i] = size_t(argument);
  auto isUpdated = [&](size_t argument) {
    return std::any_of(updated.begin(), updated.end(), [&](auto &pair) { return pair.second == argument; });
  };
  for (size_t i = 0; i < argumentCount; ++i) {
    const bochner_tensor_info_t *info = bochnerGetArgument(function, i);
    auto given = in.find(info->name);
    if (given == in.end()) {
      ADD_FAILURE() << "no array '" << info->name << "'";
      return {};
    }
    Layout layout = given->second.shape.size() == 4 ? how.layout : Layout::Compact;
    arrays.push_back(std::make_unique<GuardedArray>(typeOf(info->dtype), given->second.shape, layout));
    arrays.back()->write(given->second.values);
    if (!isUpdated(i))
      arrays.back()->protect();
    arguments.push_back(arrays.back()->tensor());
  }
  std::vector<Shape> shapes(resultCount);
  std::vector<GuardedArray *> written;
  for (size_t i = 0; i < resultCount; ++i) {
    const bochner_tensor_info_t *info = bochnerGetResult(function, i);
    shapes[i].resize(size_t(info->rank));
    std::string failure =
        take(bochnerResolveResultShape(function, arguments.data(), argumentCount, i, shapes[i].data()));
    EXPECT_EQ(failure, "") << text;
    if (!failure.empty())
      return {};
    if (updated.count(i)) {
      written.push_back(arrays[updated[i]].get());
    } else {
      Layout layout = info->rank == 4 ? how.resultLayout : Layout::Compact;
      arrays.push_back(std::make_unique<GuardedArray>(typeOf(info->dtype), shapes[i], layout));
      written.push_back(arrays.back().get());
    }
    results.push_back(written.back()->tensor());
  }
  bochner_invoke_options_t options = BOCHNER_INVOKE_OPTIONS_INIT;
  options.threads = how.threads;
  options.parallel_for = how.parallelFor;
  std::string failure =
      take(bochnerInvoke(function, arguments.data(), argumentCount, results.data(), resultCount, &options));
  EXPECT_EQ(failure, "") << text;
  if (!failure.empty())
    return {};
  Arrays out;
  for (size_t i = 0; i < resultCount; ++i) {
    EXPECT_EQ(written[i]->damage(), 0u) << "bytes around result " << i << " were written\n" << text;
    out[bochnerGetResult(function, i)->name] = {shapes[i], written[i]->read()};
  }
  return out;
}
