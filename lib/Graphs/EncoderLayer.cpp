//===- EncoderLayer.cpp - a transformer layer around attention ------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/EncoderLayer.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

EncoderLayer::EncoderLayer(GraphBuilder &builder, const EncoderLayerSpec &spec, Type storage, Value x)
    : builder(builder), module(builder, spec.prefix), spec(spec), storage(storage), width{spec.width(), "W"},
      hiddenWidth{spec.feedForward, "FF"} {
  input = module.normalize("norm2", builder.convert("x_wide", x, builder.getElementType()), width);
}

Value EncoderLayer::project(StringRef name) {
  int64_t heads = spec.heads, each = name == "value" ? spec.valueDim : spec.headDim;
  Value weight = module.addWeight(("attention." + name + "_projection").str(),
                                  {heads * each, name == "value" ? "HM" : "HD"}, width);
  auto type = RankedTensorType::get({heads, each, width.size}, builder.getElementType());
  Value byHead = tensor::ExpandShapeOp::create(builder, builder.named((name + "_by_head").str()), type, weight,
                                               SmallVector<ReassociationIndices>{{0, 1}, {2}});
  return builder.convert((name + "_rows").str(), builder.contract(name, "bnw,hdw->bhnd", {input, byHead}), storage);
}

Value EncoderLayer::finish(Value attention) {
  Value weight = module.addWeight("attention.out_projection", width, {spec.heads * spec.valueDim, "HM"});
  auto type = RankedTensorType::get({width.size, spec.heads, spec.valueDim}, builder.getElementType());
  Value byHead = tensor::ExpandShapeOp::create(builder, builder.named("out_by_head"), type, weight,
                                               SmallVector<ReassociationIndices>{{0}, {1, 2}});
  Value wide = builder.convert("attention_wide", attention, builder.getElementType());
  Value projected = builder.contract("attention_out", "bhnm,whm->bnw", {wide, byHead});
  projected = builder.dropOut("attention_dropped", projected, spec.dropout);
  Value skipped = builder.compute("skipped", "bnw,bnw->bnw", {input, projected},
                                  [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });

  // Biases start at about nothing: N(0, 1e-12).
  Value normalized = module.normalize("norm1", skipped, width);
  Value hidden =
      builder.contract("hidden", "bnw,fw->bnf", {normalized, module.addWeight("linear1", hiddenWidth, width)});
  // Apart, so that the gradient of the bias is the sum of that of the hidden rows.
  Value shifted =
      builder.compute("shifted", "bnf,f->bnf", {hidden, module.addVector("linear1.bias", hiddenWidth, "normal(1e-6)")},
                      [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });
  Value activation =
      builder.compute("gelu", "bnf->bnf", shifted, [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value gate = math::ErfOp::create(b, loc, multiply(b, e[0], builder.constant(b, std::sqrt(0.5))));
        return multiply(b, multiply(b, e[0], builder.constant(b, 0.5)), add(b, gate, builder.constant(b, 1)));
      });
  activation = builder.dropOut("gelu_dropped", activation, spec.dropout);
  Value output =
      builder.contract("feed_forward", "bnf,wf->bnw", {activation, module.addWeight("linear2", width, hiddenWidth)});
  Value bias = module.addVector("linear2.bias", width, "normal(1e-6)");
  if (spec.dropout > 0) {
    output = builder.compute("shifted", "bnw,w->bnw", {output, bias},
                             [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });
    output = builder.dropOut("feed_forward_dropped", output, spec.dropout);
    output = builder.compute("layer_out", "bnw,bnw->bnw", {skipped, output},
                             [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });
  } else {
    output = builder.compute("layer_out", "bnw,bnw,w->bnw", {skipped, output, bias},
                             [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], add(b, e[1], e[2])); });
  }
  return builder.convert("narrow", output, storage);
}
