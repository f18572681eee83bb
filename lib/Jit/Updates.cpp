//===- Updates.cpp - results that are next values of arguments ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arguments are found by the names that callers know.
//
//===----------------------------------------------------------------------===//
#include "lib/Jit/Updates.h"
#include "dialect/Spectral.h"

using namespace mlir;
using namespace bochner;

/// True if result `result` is the final state of an attention whose initial state is argument `argument`, which nothing
/// else reads: its kernels read each head's state before they write it.
static bool isStateInPlace(func::FuncOp function, unsigned argument, unsigned result) {
  if (!llvm::hasSingleElement(function.getBody()))
    return false;
  Value given = function.getArgument(argument);
  Value returned = function.getBody().front().getTerminator()->getOperand(result);
  auto attention = returned.getDefiningOp<spectral::LinearAttentionOp>();
  if (!attention || !given.hasOneUse() || given.getUses().begin()->getOwner() != attention)
    return false;
  for (auto [initial, final] : llvm::zip(attention.getInitial(), attention.getFinalState()))
    if (initial == given && final == returned)
      return true;
  return false;
}

LogicalResult bochner::describeUpdates(func::FuncOp function, format::FunctionInfo &info, bool ownsKernels) {
  for (size_t i = 0; i < info.results.size(); ++i) {
    auto name = function.getResultAttrOfType<StringAttr>(i, spectral::kUpdatesAttr);
    if (!name)
      continue;
    const format::TensorInfo &result = info.results[i];
    auto emitError = [&] {
      return function.emitError() << "expected result '" << result.name << "' of public function '" << info.name
                                  << "' to ";
    };
    auto argument = llvm::find_if(info.arguments, [&](const auto &tensor) { return tensor.name == name.strref(); });
    if (argument == info.arguments.end())
      return emitError() << "update an argument, but there is no '" << name.strref() << "'";
    auto number = uint32_t(argument - info.arguments.begin());
    Type type = function.getArgumentTypes()[number], resultType = function.getResultTypes()[i];
    if (failed(verifyCompatibleShape(type, resultType)) || argument->type != result.type)
      return emitError() << "have the type of '" << argument->name << "', which it updates, " << type << ", but got "
                         << resultType;
    for (const format::Update &other : info.updates)
      if (other.argument == number)
        return emitError() << "update an argument of its own, but '" << info.results[other.result].name << "' updates '"
                           << argument->name << "' too";
    info.updates.push_back({number, uint32_t(i), uint32_t(ownsKernels && isStateInPlace(function, number, i))});
  }
  return success();
}
