//===- EncoderLayer.cpp - a transformer layer around attention ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/EncoderLayer.h"
#include "lib/Graphs/FeatureMapSpec.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

static Value add(OpBuilder &b, Value x, Value y) { return arith::AddFOp::create(b, b.getUnknownLoc(), x, y); }
static Value subtract(OpBuilder &b, Value x, Value y) { return arith::SubFOp::create(b, b.getUnknownLoc(), x, y); }
static Value multiply(OpBuilder &b, Value x, Value y) { return arith::MulFOp::create(b, b.getUnknownLoc(), x, y); }

EncoderLayer::EncoderLayer(GraphBuilder &builder, const EncoderLayerSizes &sizes, Type storage)
    : builder(builder), sizes(sizes), storage(storage), width{sizes.width(), "W"},
      hiddenWidth{sizes.feedForward, "FF"} {
  constexpr int64_t any = ShapedType::kDynamic;
  Value x = builder.addArgument({"x", {any, any, sizes.width()}, {"B", "N", "W"}, ""}, storage);
  input = normalize("norm2", builder.convert("x_wide", x, builder.getElementType()));
}

/// A matrix of a dense layer, by Glorot and Bengio's uniform initialization.
Value EncoderLayer::addWeight(StringRef name, const Dim &outputs, const Dim &inputs) {
  double bound = std::sqrt(6.0 / double(outputs.size + inputs.size));
  return builder.addArgument({("layer_" + name + ".weight").str(),
                              {outputs.size, inputs.size},
                              {outputs.name, inputs.name},
                              "uniform(" + formatNumber(bound) + ")"});
}

Value EncoderLayer::addVector(StringRef name, const Dim &width, StringRef init) {
  return builder.addArgument({("layer_" + name).str(), {width.size}, {width.name}, init.str()});
}

Value EncoderLayer::normalize(StringRef name, Value rows) {
  Value scale = addVector((name + ".weight").str(), width, "ones");
  Value shift = addVector((name + ".bias").str(), width, "zeros");
  double inverse = 1.0 / double(sizes.width());
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
  return builder.compute(name, "bnw,bn,bn,w,w->bnw", {rows, center, variance, scale, shift},
                         [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
                           Value deviation = math::SqrtOp::create(b, loc, add(b, e[2], builder.constant(b, 1e-5)));
                           Value unit = arith::DivFOp::create(b, loc, subtract(b, e[0], e[1]), deviation);
                           return add(b, multiply(b, unit, e[3]), e[4]);
                         });
}

Value EncoderLayer::project(StringRef name) {
  int64_t heads = sizes.heads, each = name == "value" ? sizes.valueDim : sizes.headDim;
  Value weight =
      addWeight(("attention." + name + "_projection").str(), {heads * each, name == "value" ? "HM" : "HD"}, width);
  auto type = RankedTensorType::get({heads, each, width.size}, builder.getElementType());
  Value byHead = tensor::ExpandShapeOp::create(builder, builder.named((name + "_by_head").str()), type, weight,
                                               SmallVector<ReassociationIndices>{{0, 1}, {2}});
  return builder.convert((name + "_rows").str(), builder.contract(name, "bnw,hdw->bhnd", {input, byHead}), storage);
}

Value EncoderLayer::finish(Value attention) {
  Value weight = addWeight("attention.out_projection", width, {sizes.heads * sizes.valueDim, "HM"});
  auto type = RankedTensorType::get({width.size, sizes.heads, sizes.valueDim}, builder.getElementType());
  Value byHead = tensor::ExpandShapeOp::create(builder, builder.named("out_by_head"), type, weight,
                                               SmallVector<ReassociationIndices>{{0}, {1, 2}});
  Value wide = builder.convert("attention_wide", attention, builder.getElementType());
  Value projected = builder.contract("attention_out", "bhnm,whm->bnw", {wide, byHead});
  Value skipped = builder.compute("skipped", "bnw,bnw->bnw", {input, projected},
                                  [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });

  // Biases start at about nothing: N(0, 1e-12).
  Value normalized = normalize("norm1", skipped);
  Value hidden = builder.contract("hidden", "bnw,fw->bnf", {normalized, addWeight("linear1", hiddenWidth, width)});
  Value activation = builder.compute(
      "gelu", "bnf,f->bnf", {hidden, addVector("linear1.bias", hiddenWidth, "normal(1e-6)")},
      [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value x = add(b, e[0], e[1]);
        Value gate = math::ErfOp::create(b, loc, multiply(b, x, builder.constant(b, std::sqrt(0.5))));
        return multiply(b, multiply(b, x, builder.constant(b, 0.5)), add(b, gate, builder.constant(b, 1)));
      });
  Value output =
      builder.contract("feed_forward", "bnf,wf->bnw", {activation, addWeight("linear2", width, hiddenWidth)});
  Value out = builder.compute("layer_out", "bnw,bnw,w->bnw",
                              {skipped, output, addVector("linear2.bias", width, "normal(1e-6)")},
                              [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], add(b, e[1], e[2])); });
  return builder.convert("narrow", out, storage);
}
