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

using namespace mlir;
using namespace bochner;

static StringRef nameOf(DictionaryAttr attributes) { return attributes.getAs<StringAttr>(spectral::kNameAttr); }

/// Rows and parameters; those of one of several maps begin with fm0_, fm1_, ...
static bool hasGradient(StringRef name) {
  if (name == "q" || name == "k" || name == "v" || name == "x")
    return true;
  StringRef rest = name;
  uint64_t map;
  if (rest.consume_front("fm") && !rest.consumeInteger(10, map) && rest.consume_front("_"))
    name = rest;
  return name.starts_with("param_") || name.starts_with("layer_");
}

/// The attributes of a tensor, of another name and without what else says where it comes from.
static NamedAttrList describeLike(DictionaryAttr attributes, const Twine &name) {
  NamedAttrList described;
  described.set(spectral::kNameAttr, StringAttr::get(attributes.getContext(), name));
  if (Attribute dims = attributes.get(spectral::kDimsAttr))
    described.set(spectral::kDimsAttr, dims);
  return described;
}

void graphs::addGradient(func::FuncOp function) {
  OpBuilder b(function.getContext());
  auto named = [&](StringRef name) { return NameLoc::get(b.getStringAttr(name)); };
  SmallVector<DictionaryAttr> arguments, results;
  function.getAllArgAttrs(arguments);
  function.getAllResultAttrs(results);

  NamedAttrList cotangent = describeLike(results.front(), "cot");
  cotangent.set(spectral::kInitAttr, b.getStringAttr("normal(1)"));
  SmallVector<Type> inputTypes(function.getArgumentTypes()), resultTypes(function.getResultTypes());
  SmallVector<int64_t> wrt;
  for (auto [i, attributes] : llvm::enumerate(arguments))
    if (StringRef name = nameOf(attributes); hasGradient(name)) {
      wrt.push_back(int64_t(i));
      results.push_back(describeLike(attributes, "grad_" + name).getDictionary(b.getContext()));
      resultTypes.push_back(inputTypes[i]);
    }
  arguments.push_back(cotangent.getDictionary(b.getContext()));
  inputTypes.push_back(resultTypes.front());

  b.setInsertionPointAfter(function);
  auto gradient = func::FuncOp::create(b, b.getUnknownLoc(), (function.getName() + ".grad").str(),
                                       b.getFunctionType(inputTypes, resultTypes));
  gradient.setAllArgAttrs(arguments);
  gradient.setAllResultAttrs(results);
  constexpr StringLiteral kAttributes = "bochner.attributes"; // of what runners call
  gradient->setAttr(kAttributes, function->removeAttr(kAttributes));

  Block *body = gradient.addEntryBlock();
  for (auto [argument, attributes] : llvm::zip(body->getArguments(), arguments))
    argument.setLoc(named(nameOf(attributes)));
  b.setInsertionPointToEnd(body);
  SmallVector<Value> cotangents{body->getArguments().back()};
  for (Type type : function.getResultTypes().drop_front()) // the objective does not depend on running statistics
    cotangents.push_back(arith::ConstantOp::create(b, b.getUnknownLoc(), cast<TypedAttr>(b.getZeroAttr(type))));
  auto derivative = spectral::VjpOp::create(b, named("derivative"), resultTypes, function.getName(),
                                            body->getArguments().drop_back(), cotangents, wrt);
  func::ReturnOp::create(b, b.getUnknownLoc(), derivative.getResults());

  function.setPrivate();
  // Names and initializers are for runners.
  function.removeArgAttrsAttr();
  function.removeResAttrsAttr();
}
