//===- Gradient.cpp - functions that return gradients ---------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Asks for the derivative of a graph; the phase `differentiate` writes it out. Which arguments have gradients follows
// from their names, so that random numbers, running statistics and lengths have none.
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Gradient.h"
#include "dialect/Spectral.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;

StringRef graphs::nameOf(DictionaryAttr attributes) { return attributes.getAs<StringAttr>(spectral::kNameAttr); }

/// Without the prefix of one of several layers or maps: layer0_, fm0_, ...
static bool consumeNumbered(StringRef &name, StringRef prefix) {
  StringRef rest = name;
  uint64_t number;
  if (!rest.consume_front(prefix) || rest.consumeInteger(10, number) || !rest.consume_front("_"))
    return false;
  name = rest;
  return true;
}

bool graphs::isParameter(StringRef name) {
  bool inLayer = consumeNumbered(name, "layer");
  consumeNumbered(name, "fm");
  if (name.starts_with("rand_") || name.starts_with("buf_"))
    return false;
  return inLayer || name.starts_with("param_") || name.starts_with("layer_") || name.starts_with("model_");
}

/// Parameters and rows.
static bool hasGradient(StringRef name) {
  return name == "q" || name == "k" || name == "v" || name == "x" || graphs::isParameter(name);
}

DictionaryAttr graphs::describeLike(DictionaryAttr attributes, const Twine &name, StringRef init) {
  NamedAttrList described;
  described.set(spectral::kNameAttr, StringAttr::get(attributes.getContext(), name));
  if (Attribute dims = attributes.get(spectral::kDimsAttr))
    described.set(spectral::kDimsAttr, dims);
  if (!init.empty())
    described.set(spectral::kInitAttr, StringAttr::get(attributes.getContext(), init));
  return described.getDictionary(attributes.getContext());
}

graphs::DerivedFunction::DerivedFunction(func::FuncOp function) : OpBuilder(function.getContext()), function(function) {
  function.getAllArgAttrs(arguments);
  function.getAllResultAttrs(results);
  inputs = arguments.size();
  llvm::append_range(argumentTypes, function.getArgumentTypes());
}

void graphs::DerivedFunction::addArgument(Type type, DictionaryAttr attributes) {
  arguments.push_back(attributes);
  argumentTypes.push_back(type);
}

func::FuncOp graphs::DerivedFunction::start(StringRef suffix) {
  setInsertionPointAfter(function);
  derived = func::FuncOp::create(*this, getUnknownLoc(), (function.getName() + "." + suffix).str(),
                                 getFunctionType(argumentTypes, {}));
  derived.setAllArgAttrs(arguments);
  constexpr StringLiteral kAttributes = "bochner.attributes"; // of what runners call
  derived->setAttr(kAttributes, function->removeAttr(kAttributes));
  Block *body = derived.addEntryBlock();
  for (auto [argument, attributes] : llvm::zip(body->getArguments(), arguments))
    argument.setLoc(named(graphs::nameOf(attributes)));
  setInsertionPointToEnd(body);
  function.setPrivate();
  return derived;
}

/// Zeros in the type and shape of a result, for what the objective does not depend on.
Value graphs::DerivedFunction::zerosFor(unsigned result) {
  auto type = cast<RankedTensorType>(function.getResultTypes()[result]);
  if (type.hasStaticShape())
    return arith::ConstantOp::create(*this, getUnknownLoc(), cast<TypedAttr>(getZeroAttr(type)));
  auto dims = results[result].getAs<ArrayAttr>(spectral::kDimsAttr);
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    sizes.push_back(ShapedType::isDynamic(size) ? sizeOf(dims[dim]) : getIndexAttr(size));
  Value empty = tensor::EmptyOp::create(*this, getUnknownLoc(), sizes, type.getElementType());
  Value zero = arith::ConstantOp::create(*this, getUnknownLoc(), getZeroAttr(type.getElementType()));
  return linalg::FillOp::create(*this, getUnknownLoc(), zero, empty).getResult(0);
}

/// The size of a dimension, which some argument has too.
OpFoldResult graphs::DerivedFunction::sizeOf(Attribute name) {
  for (auto [argument, attributes] : llvm::zip(derived.getArguments(), arguments)) {
    auto dims = attributes.getAs<ArrayAttr>(spectral::kDimsAttr);
    for (size_t dim = 0; dim < dims.size(); ++dim)
      if (dims[dim] == name)
        return tensor::getMixedSize(*this, getUnknownLoc(), argument, int64_t(dim));
  }
  llvm_unreachable("results of graphs have dimensions of arguments");
}

SmallVector<Value> graphs::DerivedFunction::differentiate(unsigned objective, Value cotangent, ArrayRef<int64_t> wrt) {
  SmallVector<Value> cotangents;
  SmallVector<Type> types(function.getResultTypes());
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    cotangents.push_back(i == objective ? cotangent : zerosFor(i));
  for (int64_t i : wrt)
    types.push_back(argumentTypes[i]);
  auto derivative = spectral::VjpOp::create(*this, named("derivative"), types, function.getName(),
                                            derived.getArguments().take_front(inputs), cotangents, wrt);
  return derivative.getResults();
}

void graphs::DerivedFunction::finish(ValueRange values, ArrayRef<DictionaryAttr> attributes) {
  func::ReturnOp::create(*this, getUnknownLoc(), values);
  derived.setFunctionType(getFunctionType(derived.getArgumentTypes(), values.getTypes()));
  derived.setAllResultAttrs(attributes);
  // Names and initializers are for runners.
  function.removeArgAttrsAttr();
  function.removeResAttrsAttr();
}

Value graphs::DerivedFunction::one(unsigned result) {
  auto type = cast<RankedTensorType>(function.getResultTypes()[result]);
  Attribute value = getFloatAttr(type.getElementType(), 1);
  return arith::ConstantOp::create(*this, getUnknownLoc(), DenseElementsAttr::get(type, value));
}

std::optional<unsigned> graphs::DerivedFunction::findResult(StringRef name) const {
  for (auto [i, attributes] : llvm::enumerate(results))
    if (graphs::nameOf(attributes) == name)
      return i;
  return std::nullopt;
}

void graphs::addGradient(func::FuncOp function) {
  DerivedFunction b(function);
  SmallVector<int64_t> wrt;
  SmallVector<DictionaryAttr> results(b.getResults());
  for (auto [i, attributes] : llvm::enumerate(b.getArguments()))
    if (StringRef name = nameOf(attributes); hasGradient(name)) {
      wrt.push_back(int64_t(i));
      results.push_back(describeLike(attributes, "grad_" + name));
    }
  std::optional<unsigned> loss = b.findResult("loss");
  if (!loss)
    b.addArgument(function.getResultTypes().front(), describeLike(b.getResults().front(), "cot", "normal(1)"));
  func::FuncOp gradient = b.start("grad");
  Value cotangent = loss ? b.one(*loss) : gradient.getArguments().back();
  b.finish(b.differentiate(loss.value_or(0), cotangent, wrt), results);
}
