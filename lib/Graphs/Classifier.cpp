//===- Classifier.cpp - a transformer that classifies sequences -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Graphs/Classifier.h"
#include "lib/Graphs/FeatureMapSpec.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace bochner;
using namespace bochner::graphs;

static Value indexOf(OpBuilder &b, int64_t dim) { return linalg::IndexOp::create(b, b.getUnknownLoc(), dim); }
static Value toIndex(OpBuilder &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getUnknownLoc(), b.getIndexType(), integer);
}
static Value element(OpBuilder &b, Value table, ValueRange indices) {
  return tensor::ExtractOp::create(b, b.getUnknownLoc(), table, indices);
}
static Value isLess(OpBuilder &b, Value x, Value y) {
  return arith::CmpIOp::create(b, b.getUnknownLoc(), arith::CmpIPredicate::slt, x, y);
}

Classifier::Classifier(GraphBuilder &builder, const ClassifierSpec &spec)
    : builder(builder), module(builder, "model_"), spec(spec), width{spec.width, "W"}, classes{spec.classes, "C"} {
  constexpr int64_t any = ShapedType::kDynamic;
  tokens = builder.addArgument({"tokens", {any, any}, {"B", "N"}, "below(" + std::to_string(spec.vocabulary) + ")"},
                               builder.getI32Type());
}

Value Classifier::embed() {
  Value words = module.addTable("embedding", {spec.vocabulary, "V"}, width, "normal(1)");
  Value places = module.addTable("positions", {spec.maxLength, "P"}, width, "normal(0.1)");
  std::pair<char, OpFoldResult> columns{'w', builder.getIndexAttr(spec.width)};
  Type type = builder.getElementType();
  // Apart from the tokens: the gradient of positions is summed over the batch before it is scattered.
  Value positions = builder.compute(
      "positions", "->nw", {},
      [&](OpBuilder &b, Location loc, ValueRange) -> Value {
        Value last = arith::ConstantIndexOp::create(b, loc, spec.maxLength - 1);
        Value place = arith::MinUIOp::create(b, loc, indexOf(b, 0), last);
        return element(b, places, {place, indexOf(b, 1)});
      },
      std::nullopt, {{'n', builder.sizesOf(tokens)[1]}, columns}, type);
  Value embedded = builder.compute(
      "embedded", "bn->bnw", tokens,
      [&](OpBuilder &b, Location, ValueRange e) { return element(b, words, {toIndex(b, e[0]), indexOf(b, 2)}); },
      std::nullopt, columns, type);
  Value rows = builder.compute("placed", "bnw,nw->bnw", {embedded, positions},
                               [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });
  return builder.dropOut("placed_dropped", rows, spec.dropout);
}

/// sum / max(count, 1): the mean of nothing is 0.
Value Classifier::divideByCount(OpBuilder &b, Value sum, Value count) {
  Location loc = b.getUnknownLoc();
  Value one = arith::ConstantOp::create(b, loc, b.getIntegerAttr(count.getType(), 1));
  count = arith::MaxSIOp::create(b, loc, count, one);
  if (isa<IndexType>(count.getType()))
    count = arith::IndexCastOp::create(b, loc, b.getI64Type(), count);
  return divide(b, sum, arith::SIToFPOp::create(b, loc, builder.getElementType(), count));
}

/// The mean of the rows of each sequence, [B, W].
Value Classifier::pool(Value rows, Value lengths) {
  if (!lengths) {
    Value sum = builder.contract("row_sum", "bnw->bw", rows);
    Value count = getValueOrCreateConstantIndexOp(builder, builder.getUnknownLoc(), builder.sizesOf(rows)[1]);
    return builder.compute("pooled", "bw->bw", sum,
                           [&](OpBuilder &b, Location, ValueRange e) { return divideByCount(b, e[0], count); });
  }
  Value sum = builder.compute(
      "row_sum", "bnw,b->bw", {rows, lengths},
      [&](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value counts = isLess(b, indexOf(b, 2), toIndex(b, e[1]));
        Value row = arith::SelectOp::create(b, loc, counts, e[0], builder.constant(b, 0));
        return add(b, e[2], row);
      },
      0.0);
  return builder.compute("pooled", "bw,b->bw", {sum, lengths},
                         [&](OpBuilder &b, Location, ValueRange e) { return divideByCount(b, e[0], e[1]); });
}

Value Classifier::classify(Value rows, Value lengths) {
  Value normalized = module.normalize("norm", builder.convert("rows_wide", rows, builder.getElementType()), width);
  Value products =
      builder.contract("scores", "bw,cw->bc", {pool(normalized, lengths), module.addWeight("head", classes, width)});
  return builder.compute("logits", "bc,c->bc", {products, module.addVector("head.bias", classes, "zeros")},
                         [](OpBuilder &b, Location, ValueRange e) { return add(b, e[0], e[1]); });
}

Classifier::Loss Classifier::compare(Value logits, Value labels) {
  Value largest = builder.compute(
      "largest", "bc->b", logits,
      [](OpBuilder &b, Location loc, ValueRange e) { return arith::MaximumFOp::create(b, loc, e[0], e[1]); },
      -std::numeric_limits<double>::infinity());
  Value partition = builder.compute(
      "partition", "bc,b->b", {logits, largest},
      [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        return add(b, e[2], math::ExpOp::create(b, loc, subtract(b, e[0], e[1])));
      },
      0.0);
  Type type = builder.getElementType();
  Value picked = builder.compute(
      "picked", "b->b", labels,
      [&](OpBuilder &b, Location, ValueRange e) { return element(b, logits, {indexOf(b, 0), toIndex(b, e[0])}); },
      std::nullopt, {}, type);
  Value sum = builder.compute(
      "loss_sum", "b,b,b->", {picked, partition, largest},
      [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value logarithm = math::LogOp::create(b, loc, e[1]);
        return add(b, e[3], add(b, logarithm, subtract(b, e[2], e[0])));
      },
      0.0);
  Value count = getValueOrCreateConstantIndexOp(builder, builder.getUnknownLoc(), builder.sizesOf(logits)[0]);
  Value loss = builder.compute("loss", "->", sum,
                               [&](OpBuilder &b, Location, ValueRange e) { return divideByCount(b, e[0], count); });

  // Classes that are preferred to the label; a logit that is not a number is never right.
  Value preferred = builder.compute(
      "preferred", "bc,b,b->b", {logits, picked, labels},
      [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value more = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UGT, e[0], e[1]);
        Value same = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, e[0], e[1]);
        Value earlier = isLess(b, indexOf(b, 1), toIndex(b, e[2]));
        Value preferred = arith::OrIOp::create(b, loc, more, arith::AndIOp::create(b, loc, same, earlier));
        return arith::AddIOp::create(b, loc, e[3], arith::ExtUIOp::create(b, loc, b.getI64Type(), preferred));
      },
      0.0, {}, builder.getI64Type());
  Value correct = builder.compute(
      "correct", "b->", preferred,
      [](OpBuilder &b, Location loc, ValueRange e) -> Value {
        Value zero = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
        Value right = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, e[0], zero);
        return arith::AddIOp::create(b, loc, e[1], arith::ExtUIOp::create(b, loc, b.getI64Type(), right));
      },
      0.0, {}, builder.getI64Type());
  return {loss, correct};
}
