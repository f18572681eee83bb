//===- LoadedModule.cpp - a module that is ready to be called -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks that a description refers only to what it has: a call relies on that without looking again.
//
//===----------------------------------------------------------------------===//
#include "LoadedModule.h"

#include "CpuFeatures.h"

#include <iterator>

using namespace bochner;
using format::DimRef;
using format::ScalarType;

namespace {
struct TypeRow {
  ScalarType type;
  DLDataType dlpack;
  const char *name;
};
} // namespace

static constexpr TypeRow kTypes[] = {
    {ScalarType::f64, {kDLFloat, 64, 1}, "f64"},    {ScalarType::f32, {kDLFloat, 32, 1}, "f32"},
    {ScalarType::bf16, {kDLBfloat, 16, 1}, "bf16"}, {ScalarType::f16, {kDLFloat, 16, 1}, "f16"},
    {ScalarType::i64, {kDLInt, 64, 1}, "i64"},      {ScalarType::i32, {kDLInt, 32, 1}, "i32"},
    {ScalarType::i8, {kDLInt, 8, 1}, "i8"},         {ScalarType::i1, {kDLBool, 8, 1}, "i1"},
};

DLDataType bochner::toDLPack(ScalarType type) { return kTypes[unsigned(type)].dlpack; }
unsigned bochner::byteSize(ScalarType type) { return toDLPack(type).bits / 8; }

std::string bochner::toString(DLDataType type) {
  for (const TypeRow &row : kTypes)
    if (row.dlpack.code == type.code && row.dlpack.bits == type.bits && row.dlpack.lanes == type.lanes)
      return row.name;
  static constexpr const char *kCodes[] = {"int", "uint", "float", "handle", "bfloat", "complex", "bool"};
  std::string name =
      type.code < std::size(kCodes) ? kCodes[type.code] : concat("type code ", unsigned(type.code), ", ");
  name += std::to_string(type.bits);
  return type.lanes == 1 ? name : concat(name, "x", type.lanes);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

namespace {
/// Looks for a reference to something that the function does not have.
class FunctionChecker {
public:
  explicit FunctionChecker(const format::FunctionInfo &info) : info(info) {}

  bool check() const {
    for (const format::TensorInfo &argument : info.arguments)
      if (!checkTensor(argument))
        return false;
    for (const format::TensorInfo &result : info.results)
      if (!checkTensor(result) || result.dims.size() != result.shape.size() || !check(result.dims))
        return false;
    for (const format::EqualDims &pair : info.equalDims)
      if (!check(pair.left) || !check(pair.right))
        return false;
    for (const format::ValueRange &range : info.ranges)
      if (range.argument >= info.arguments.size() || !isInteger(info.arguments[range.argument].type) ||
          !check(range.low) || !check(range.high))
        return false;
    for (const format::SequenceOffsets &offsets : info.offsets)
      if (offsets.argument >= info.arguments.size() || !isInteger(info.arguments[offsets.argument].type) ||
          info.arguments[offsets.argument].shape.size() != 1 || !check(offsets.rows))
        return false;
    for (const format::Update &update : info.updates)
      if (!check(update))
        return false;
    for (const std::vector<format::CostTerm> *terms : {&info.flop, &info.stateBytes})
      for (const format::CostTerm &term : *terms)
        if (!check(term.dims))
          return false;
    return info.scratchBytes <= uint64_t(1) << 32;
  }

private:
  static bool isInteger(ScalarType type) { return type >= ScalarType::i64; }
  static bool checkTensor(const format::TensorInfo &tensor) {
    for (int64_t size : tensor.shape)
      if (size < 0 && size != format::kDynamic)
        return false;
    return tensor.shape.size() <= 64 && (tensor.dimNames.empty() || tensor.dimNames.size() == tensor.shape.size());
  }
  bool check(const format::Update &update) const {
    if (update.argument >= info.arguments.size() || update.result >= info.results.size())
      return false;
    for (const format::Update &other : info.updates)
      if (&other != &update && (other.argument == update.argument || other.result == update.result))
        return false;
    const format::TensorInfo &argument = info.arguments[update.argument], &result = info.results[update.result];
    return argument.type == result.type && argument.shape.size() == result.shape.size();
  }
  bool check(const DimRef &ref) const {
    if (ref.argument == DimRef::kConstant)
      return ref.dim >= 0;
    return ref.argument < info.arguments.size() && ref.dim >= 0 &&
           uint64_t(ref.dim) < info.arguments[ref.argument].shape.size();
  }
  bool check(const std::vector<DimRef> &refs) const {
    for (const DimRef &ref : refs)
      if (!check(ref))
        return false;
    return true;
  }

  const format::FunctionInfo &info;
};
} // namespace

bochner_tensor_info_t LoadedModule::describe(const format::TensorInfo &info) {
  const char **names = nullptr;
  if (!info.dimNames.empty()) {
    names = dimNames.emplace_back(new const char *[info.dimNames.size()]).get();
    for (size_t i = 0; i < info.dimNames.size(); ++i)
      names[i] = info.dimNames[i].c_str();
  }
  return {info.name.c_str(), toDLPack(info.type), int32_t(info.shape.size()),
          info.shape.data(), info.init.c_str(),   names};
}

Status LoadedModule::addFunction(const format::FunctionInfo &info, const std::string &name) {
  if (!FunctionChecker(info).check())
    return Status(
        BOCHNER_STATUS_INVALID_MODULE,
        concat("expected '", name, "' to be a module, but the description of '", info.name, "' contradicts itself"));
  Function function;
  function.info = &info;
  void *entry = code->findFunction(info.entry);
  void *workspace = info.workspace.empty() ? nullptr : code->findFunction(info.workspace);
  if (!entry || (!workspace && !info.workspace.empty()))
    return Status(BOCHNER_STATUS_INVALID_MODULE,
                  concat("expected '", name, "' to be a module, but it has no code for '",
                         entry ? info.workspace : info.entry, "'"));
  function.entry = reinterpret_cast<format::EntryFn>(entry);
  function.workspace = reinterpret_cast<format::WorkspaceFn>(workspace);
  for (const format::TensorInfo &argument : info.arguments)
    function.arguments.push_back(describe(argument));
  for (const format::TensorInfo &result : info.results)
    function.results.push_back(describe(result));
  table.push_back(std::move(function));
  return {};
}

Status LoadedModule::create(std::unique_ptr<Image> image, const std::string &name,
                            std::shared_ptr<const LoadedModule> &module) {
  std::shared_ptr<LoadedModule> result(new LoadedModule(std::move(image)));
  for (const format::FunctionInfo &info : result->info().functions)
    if (Status status = result->addFunction(info, name))
      return status;
  result->missing = missingCpuFeatures(result->info().features);
  module = std::move(result);
  return {};
}

Status LoadedModule::fromMemory(std::string_view file, const std::string &name,
                                std::shared_ptr<const LoadedModule> &module) {
  std::unique_ptr<Image> image;
  if (Status status = Image::fromMemory(file, name, image))
    return status;
  return create(std::move(image), name, module);
}

Status LoadedModule::fromFile(const FileDescriptor &file, size_t size, bool mayMap, const std::string &name,
                              std::shared_ptr<const LoadedModule> &module) {
  std::unique_ptr<Image> image;
  if (Status status = Image::fromFile(file, size, mayMap, name, image))
    return status;
  return create(std::move(image), name, module);
}
