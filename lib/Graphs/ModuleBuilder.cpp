//===- ModuleBuilder.cpp - parts of transformers --------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/ModuleBuilder.h"
#include "lib/Graphs/FeatureMapSpec.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

Value graphs::add(OpBuilder &b, Value x, Value y) { return arith::AddFOp::create(b, b.getUnknownLoc(), x, y); }
Value graphs::subtract(OpBuilder &b, Value x, Value y) { return arith::SubFOp::create(b, b.getUnknownLoc(), x, y); }
Value graphs::multiply(OpBuilder &b, Value x, Value y) { return arith::MulFOp::create(b, b.getUnknownLoc(), x, y); }
Value graphs::divide(OpBuilder &b, Value x, Value y) { return arith::DivFOp::create(b, b.getUnknownLoc(), x, y); }

Value ModuleBuilder::addWeight(StringRef name, const NamedSize &outputs, const NamedSize &inputs) {
  double bound = std::sqrt(6.0 / double(outputs.size + inputs.size));
  return addTable(name, outputs, inputs, "uniform(" + formatNumber(bound) + ")");
}

Value ModuleBuilder::addTable(StringRef name, const NamedSize &rows, const NamedSize &width, StringRef init) {
  return builder.addArgument(
      {(prefix + name + ".weight").str(), {rows.size, width.size}, {rows.name, width.name}, init.str()});
}

Value ModuleBuilder::addVector(StringRef name, const NamedSize &width, StringRef init) {
  return builder.addArgument({(prefix + name).str(), {width.size}, {width.name}, init.str()});
}

Value ModuleBuilder::normalize(StringRef name, Value rows, const NamedSize &width) {
  Value scale = addVector((name + ".weight").str(), width, "ones");
  Value shift = addVector((name + ".bias").str(), width, "zeros");
  double inverse = 1.0 / double(width.size);
  auto mean = [&](StringRef what, StringRef spec, ValueRange inputs, GraphBuilder::Body term) {
    return builder.compute((name + what).str(), spec, inputs,
                           [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
                             return add(b, e.back(), multiply(b, term(b, loc, e), builder.constant(b, inverse)));
                           },
                           0.0);
  };
  Value center = mean("_mean", "bnw->bn", rows, [](OpBuilder &, Location, ValueRange e) { return e[0]; });
  Value variance = mean("_variance", "bnw,bn->bn", {rows, center}, [](OpBuilder &b, Location, ValueRange e) -> Value {
    Value difference = subtract(b, e[0], e[1]);
    return multiply(b, difference, difference);
  });
  // Once for each row, not for each element, and so in the gradient.
  Value factor = builder.compute(
      (name + "_factor").str(), "bn->bn", variance, [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value deviation = math::SqrtOp::create(b, loc, add(b, e[0], builder.constant(b, 1e-5)));
        return divide(b, builder.constant(b, 1), deviation);
      });
  return builder.compute(name, "bnw,bn,bn,w,w->bnw", {rows, center, factor, scale, shift},
                         [&](OpBuilder &b, Location, ValueRange e) -> Value {
                           Value unit = multiply(b, subtract(b, e[0], e[1]), e[2]);
                           return add(b, multiply(b, unit, e[3]), e[4]);
                         });
}
