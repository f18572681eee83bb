//===- Bind.cpp - arrays for the arguments of a function -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays keep the axes of their file in memory and are bound as strided views; they are copied only to change their
// type or where their rows are not contiguous.
//
//===----------------------------------------------------------------------===//
#include "Bind.h"
#include "Fill.h"
#include "Npy.h"
#include "Npz.h"

#include <optional>

namespace bochner::run {

/// What no initializer stands in for.
static bool isRequired(const bochner_tensor_info_t &info) {
  std::string_view name = info.name;
  return name == "q" || name == "k" || name == "v" || name == "x" || name == "lengths" || !info.init[0];
}

/// Rank and static sizes, in the axes of the file, which is what the user sees.
static void checkShape(const std::vector<int64_t> &shape, const bochner_tensor_info_t &info, Layout layout,
                       const std::string &what) {
  std::vector<int> axes = fileAxes(layout, info.name, info.rank);
  std::vector<int64_t> expected(info.rank);
  for (int axis = 0; axis < info.rank; ++axis)
    expected[axes[axis]] = info.shape[axis];
  bool fits = shape.size() == expected.size();
  for (size_t axis = 0; fits && axis < shape.size(); ++axis)
    fits = expected[axis] == BOCHNER_DYNAMIC || expected[axis] == shape[axis];
  if (!fits)
    fail("expected ", what, " to have shape ", shapeText(expected),
         axes != fileAxes(Layout::BHND, info.name, info.rank) ? " (layout bnhd)" : "", ", but got ", shapeText(shape));
}

static Tensor toArgument(const Tensor &array, const bochner_tensor_info_t &info, Layout layout,
                         const std::string &what) {
  checkShape(array.shape, info, layout, what);
  std::vector<int> axes = fileAxes(layout, info.name, info.rank);
  // Converting makes it compact in the axes of the file, so that the view has the strides that the layout says.
  Tensor converted = array.converted(info.dtype, what), bound = converted.permuted(axes);
  if (!bound.hasContiguousRows())
    bound = converted.compact().permuted(axes);
  return bound.hasContiguousRows() ? bound : bound.compact();
}

namespace {
class Binder {
public:
  Binder(const Signature &signature, const Options &options)
      : signature(signature), options(options), bound(signature.arguments.size()) {}

  std::vector<Tensor> bind() {
    bindInputs();
    bindArchive();
    requireInputs();
    // Offsets first: the number of sequences is the size of what else belongs to each.
    for (bool offsets : {true, false})
      for (size_t i = 0; i < bound.size(); ++i)
        if (!bound[i] && (!offsets || isOffsets(i)))
          fillArgument(i);
    std::vector<Tensor> result;
    result.reserve(bound.size());
    for (std::optional<Tensor> &tensor : bound)
      result.push_back(std::move(*tensor));
    return result;
  }

private:
  void bindInputs();
  void bindArchive();
  void requireInputs() const;
  bool isOffsets(size_t index) const;
  std::optional<int64_t> findSize(const std::string &dimension) const;
  std::vector<int64_t> resolveShape(size_t index) const;
  void fillArgument(size_t index);

  const Signature &signature;
  const Options &options;
  std::vector<std::optional<Tensor>> bound;
};
} // namespace

void Binder::bindInputs() {
  for (const InputOption &input : options.inputs) {
    int index = signature.findArgument(input.name);
    if (index < 0)
      fail("'", signature.name(), "' has no argument '", input.name, "'; it takes ", signature.argumentNames());
    const bochner_tensor_info_t &info = *signature.arguments[index];
    if (input.file.empty()) {
      checkShape(input.shape, info, options.layout, concat("'", input.name, "'")); // before drawing much
      Tensor array = fillRandom(info.dtype, input.shape, input.seed, input.name, info.init);
      bound[index] = toArgument(array, info, options.layout, concat("'", input.name, "'"));
    } else {
      std::string what = concat("'", input.name, "' from '", input.file, "'");
      FileContent content = readFile(input.file);
      bound[index] = toArgument(parseNpy(content.bytes, content.memory, what), info, options.layout, what);
    }
  }
}

void Binder::bindArchive() {
  if (!options.npz)
    return;
  NpzReader archive(*options.npz);
  for (size_t i = 0; i < bound.size(); ++i) {
    const bochner_tensor_info_t &info = *signature.arguments[i];
    if (!bound[i] && archive.contains(info.name))
      bound[i] = toArgument(archive.read(info.name), info, options.layout,
                            concat("the array '", info.name, "' of '", *options.npz, "'"));
  }
}

void Binder::requireInputs() const {
  std::string missing;
  for (size_t i = 0; i < bound.size(); ++i)
    if (!bound[i] && isRequired(*signature.arguments[i]))
      missing += concat(missing.empty() ? "'" : ", '", signature.arguments[i]->name, "'");
  if (!missing.empty())
    fail("expected an array for ", missing, "; give --in NAME=FILE.npy, --in NAME=random:SHAPE or --npz FILE ('",
         signature.name(), "' takes ", signature.argumentNames(), ")");
}

bool Binder::isOffsets(size_t index) const { return offsetsDimension(signature.arguments[index]->init).has_value(); }

/// The size of the dimensions of that name (bochner.dims) in arrays that are there. P+1 is one more than P.
std::optional<int64_t> Binder::findSize(const std::string &dimension) const {
  for (size_t i = 0; i < bound.size() && !dimension.empty(); ++i) {
    const bochner_tensor_info_t &info = *signature.arguments[i];
    for (int j = 0; bound[i] && info.dim_names && j < info.rank; ++j) {
      std::string name = info.dim_names[j];
      int64_t size = bound[i]->shape[j];
      if (dimension == name)
        return size;
      if (dimension == name + "+1")
        return size + 1;
      if (dimension + "+1" == name && size > 0)
        return size - 1;
    }
  }
  return std::nullopt;
}

/// Static sizes, and what other arrays say.
std::vector<int64_t> Binder::resolveShape(size_t index) const {
  const bochner_tensor_info_t &info = *signature.arguments[index];
  std::vector<int64_t> shape(info.shape, info.shape + info.rank);
  for (int axis = 0; axis < info.rank; ++axis) {
    if (shape[axis] != BOCHNER_DYNAMIC)
      continue;
    std::string name = info.dim_names ? info.dim_names[axis] : "";
    constexpr int64_t kSequences = 4; // nobody said how many
    if (std::optional<int64_t> size = findSize(name))
      shape[axis] = *size;
    else if (isOffsets(index))
      shape[axis] = kSequences + 1;
    else
      fail("cannot fill '", info.name, "' as '", info.init, "' says: no given array determines its dimension ", axis,
           name.empty() ? "" : " (", name, name.empty() ? "" : ")", "; give the array");
  }
  return shape;
}

void Binder::fillArgument(size_t index) {
  const bochner_tensor_info_t &info = *signature.arguments[index];
  constexpr uint64_t kSeed = 0;
  std::string name = info.name;
  std::optional<int64_t> rows;
  if (std::optional<std::string> dimension = offsetsDimension(info.init)) {
    rows = findSize(*dimension);
    if (!rows)
      fail("cannot fill '", name, "' as '", info.init, "' says: no given array has a dimension ", *dimension,
           "; give the array");
  }
  Tensor tensor = rows ? fillOffsets(info.dtype, resolveShape(index), name, *rows)
                       : fill(info.init, info.dtype, resolveShape(index), kSeed, name);
  // The scaling S of a fixed FastFood map is chi_D / |G|: it takes the length of G out and puts a chi one in.
  if (std::string_view(info.init) == "chi" && name.size() >= 2 && name.compare(name.size() - 2, 2, "_S") == 0) {
    int other = signature.findArgument(name.substr(0, name.size() - 1) + "G");
    if (other >= 0) {
      if (!bound[other])
        fillArgument(other);
      divideByNorm(tensor, *bound[other]);
    }
  }
  bound[index] = std::move(tensor);
}

std::vector<Tensor> bindArguments(const Signature &signature, const Options &options) {
  return Binder(signature, options).bind();
}

std::vector<Tensor> convertArguments(const Signature &from, const std::vector<Tensor> &arguments, const Signature &to) {
  std::vector<Tensor> result;
  for (const bochner_tensor_info_t *info : to.arguments) {
    int index = from.findArgument(info->name);
    if (index < 0)
      throw Failure(InternalError, concat("the reference takes '", info->name, "', which the function does not have"));
    result.push_back(arguments[index].converted(info->dtype, concat("'", info->name, "'")));
  }
  return result;
}

} // namespace bochner::run
