//===- DecomposeRows.cpp - rows of one head, written out ------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/DecomposeRows.h"
#include "dialect/VerifyUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using namespace bochner::decompose;

//===----------------------------------------------------------------------===//
// Loops and slices
//===----------------------------------------------------------------------===//

Values decompose::repeat(TensorBuilder &b, Value first, Value last, Value step, ValueRange values,
                         function_ref<Values(TensorBuilder &, Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, first, last, step, values,
                                 [&](OpBuilder &nested, Location loc, Value i, ValueRange carried) {
                                   TensorBuilder inner(loc, nested);
                                   scf::YieldOp::create(inner, body(inner, i, carried));
                                 });
  return Values(loop.getResults());
}

/// `count` rows of a tensor; their number is static if it is an attribute.
static RankedTensorType rowsType(Value tensor, OpFoldResult count) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t size = isa<Value>(count) ? ShapedType::kDynamic : *getConstantIntValue(count);
  return RankedTensorType::get({size, lastDim(type)}, type.getElementType());
}

Value decompose::Head::rows(TensorBuilder &b, Value tensor, OpFoldResult first, OpFoldResult count) const {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(tensor.getType()));
  return tensor::ExtractSliceOp::create(b, rowsType(tensor, count), tensor, {batch, head, first, zero},
                                        {one, one, count, columns}, {one, one, one, one});
}

Value decompose::Head::insert(TensorBuilder &b, Value rows, Value tensor, OpFoldResult first,
                              OpFoldResult count) const {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(rows.getType()));
  return tensor::InsertSliceOp::create(b, rows, tensor, {batch, head, first, zero}, {one, one, count, columns},
                                       {one, one, one, one});
}

Value decompose::forEachHead(TensorBuilder &b, Value like, int64_t columns,
                             function_ref<Value(TensorBuilder &, Head, Value)> body, Type element) {
  TensorBuilder::Sizes sizes = b.sizes(like);
  sizes.back() = b.getIndexAttr(columns);
  Value result = b.empty(sizes, element ? element : getElementTypeOrSelf(like.getType()));
  Value zero = b.index(0), one = b.index(1), batches = b.dim(like, 0), heads = b.dim(like, 1);
  return repeat(b, zero, batches, one, result,
                [&](TensorBuilder &b, Value batch, ValueRange carried) {
                  return repeat(b, zero, heads, one, carried, [&](TensorBuilder &b, Value head, ValueRange carried) {
                    return Values{body(b, Head{batch, head}, carried.front())};
                  });
                })
      .front();
}

Value decompose::rowsOf(TensorBuilder &b, Value tensor, OpFoldResult first, OpFoldResult count) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), columns = b.getIndexAttr(lastDim(tensor.getType()));
  return tensor::ExtractSliceOp::create(b, rowsType(tensor, count), tensor, {first, zero}, {count, columns},
                                        {one, one});
}

Value decompose::visibleKeys(TensorBuilder &b, Value lengths, Value key, Value batch) {
  Value keys = b.dim(key, 2);
  if (!lengths)
    return keys;
  Value length = tensor::ExtractOp::create(b, lengths, batch);
  length = b.createOrFold<arith::IndexCastOp>(b.getIndexType(), length);
  length = arith::MaxSIOp::create(b, length, b.index(0));
  return arith::MinSIOp::create(b, length, keys);
}

//===----------------------------------------------------------------------===//
// Exponents
//===----------------------------------------------------------------------===//

Value decompose::finite(TensorBuilder &b, Value maximum) {
  Value none = b.minusInfinity(maximum.getType()), zero = b.real(maximum.getType(), 0.0);
  Value isNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum, none);
  return arith::SelectOp::create(b, isNone, zero, maximum);
}

Value decompose::relativeExp(TensorBuilder &b, Value value, Value maximum) {
  return b.exp(b.subtract(value, finite(b, maximum)));
}

Value decompose::Epsilon::addTo(TensorBuilder &b, Value denominators, Value maxima, const std::string &dims) const {
  // Without eps nothing is added: its exponential may be infinite.
  if (eps == 0.0)
    return denominators;
  Value factor = b.real(getElementTypeOrSelf(denominators.getType()), eps);
  SmallVector<Indexed> inputs;
  if (maxima)
    inputs.push_back({maxima, dims});
  return b.loops(dims, inputs, {denominators, dims}, [&](TensorBuilder &b, ValueRange elements) {
    Value exponent = offset;
    if (maxima) {
      Value shift = finite(b, elements.front());
      exponent = offset ? b.subtract(offset, shift) : arith::NegFOp::create(b, shift).getResult();
    }
    if (!exponent)
      return b.add(elements.back(), factor);
    // Infinite eps belong to rows that are 0; as a product, their derivative would be 0 times infinity.
    Type type = exponent.getType();
    Value most = b.real(type, type.getIntOrFloatBitWidth() == 64 ? 709 : 88);
    Value tooLarge = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, exponent, most);
    Value added = b.multiply(factor, b.exp(arith::MinimumFOp::create(b, exponent, most)));
    added = arith::SelectOp::create(b, tooLarge, b.real(type, std::numeric_limits<double>::infinity()), added);
    return b.add(elements.back(), added);
  });
}

Value decompose::normalize(TensorBuilder &b, const Indexed &numerators, const Indexed &denominators, const Indexed &out,
                           StringRef order, Value visible) {
  Type accumulator = getElementTypeOrSelf(numerators.tensor), element = getElementTypeOrSelf(out.tensor);
  Value zero = b.real(accumulator, 0.0), one = b.real(accumulator, 1.0);
  Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, visible, b.index(0));
  return b.loops(order, {numerators, denominators}, out, [&](TensorBuilder &b, ValueRange elements) -> Value {
    // The derivative of 0 / 0 is not a number, whether it is selected or not.
    Value denominator = arith::SelectOp::create(b, any, elements[1], one);
    Value ratio = b.divide(elements[0], denominator);
    Value result = arith::SelectOp::create(b, any, ratio, zero);
    if (element == accumulator)
      return result;
    return arith::TruncFOp::create(b, element, result);
  });
}
