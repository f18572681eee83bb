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

LogicalResult bochner::describeUpdates(func::FuncOp function, format::FunctionInfo &info) {
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
    info.updates.push_back({number, uint32_t(i), /*inPlace=*/0});
  }
  return success();
}
