//===- ReverseTensor.cpp - derivatives of tensor operations ---------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of ReverseDifferentiableOpInterface for `tensor`: views are read and written the other way round.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

static Value zerosLike(OpBuilder &b, Value like) { return constantLike(b, like.getLoc(), 0, like); }

/// Of `g`, in the type of `like`.
static Value castLike(OpBuilder &b, Value g, Value like) {
  return g.getType() == like.getType() ? g : tensor::CastOp::create(b, g.getLoc(), like.getType(), g).getResult();
}

/// Adds `g` to a part of the cotangent of `whole`, which is large where a loop reads small parts of a tensor.
static void addToPart(OpBuilder &b, ReverseSweep &sweep, Value whole, Value g, function_ref<Value(Value)> read,
                      function_ref<Value(Value, Value)> write) {
  Location loc = g.getLoc();
  Value sum = sweep.sumOf(whole);
  if (!sum)
    return sweep.setSum(whole, write(g, zerosLike(b, whole)));
  Type wide = getAccumulatorType(getElementTypeOrSelf(whole.getType()));
  sum = convertTo(b, loc, wide, sum);
  Value part = arith::AddFOp::create(b, loc, read(sum), convertTo(b, loc, wide, g));
  sweep.setSum(whole, write(part, sum));
}

static LogicalResult adjoint(tensor::CastOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  sweep.add(b, op.getSource(), castLike(b, g, op.getSource()));
  return success();
}

static LogicalResult adjoint(tensor::ExtractSliceOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  auto offsets = op.getMixedOffsets(), sizes = op.getMixedSizes(), strides = op.getMixedStrides();
  addToPart(
      b, sweep, op.getSource(), g,
      [&](Value sum) -> Value {
        auto type = op.getType().clone(getElementTypeOrSelf(sum.getType()));
        return tensor::ExtractSliceOp::create(b, loc, cast<RankedTensorType>(type), sum, offsets, sizes, strides);
      },
      [&](Value part, Value sum) -> Value {
        return tensor::InsertSliceOp::create(b, loc, part, sum, offsets, sizes, strides);
      });
  return success();
}

static LogicalResult adjoint(tensor::InsertSliceOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  auto offsets = op.getMixedOffsets(), sizes = op.getMixedSizes(), strides = op.getMixedStrides();
  if (sweep.isActive(op.getSource()))
    sweep.add(b, op.getSource(),
              tensor::ExtractSliceOp::create(b, loc, op.getSourceType(), g, offsets, sizes, strides));
  if (sweep.isActive(op.getDest()))
    sweep.add(b, op.getDest(),
              tensor::InsertSliceOp::create(b, loc, zerosLike(b, op.getSource()), g, offsets, sizes, strides));
  return success();
}

static LogicalResult adjoint(tensor::CollapseShapeOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Value source = op.getSrc();
  sweep.add(b, source,
            tensor::ExpandShapeOp::create(b, op.getLoc(), source.getType(), g, op.getReassociationIndices(),
                                          sizesOf(b, op.getLoc(), source)));
  return success();
}

static LogicalResult adjoint(tensor::ExpandShapeOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  sweep.add(b, op.getSrc(),
            tensor::CollapseShapeOp::create(b, op.getLoc(), op.getSrcType(), g, op.getReassociationIndices()));
  return success();
}

static LogicalResult adjoint(tensor::ConcatOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  uint64_t dim = op.getDim();
  OpFoldResult start = b.getIndexAttr(0);
  for (Value input : op.getInputs()) {
    SmallVector<OpFoldResult> sizes = sizesOf(b, loc, input), offsets(sizes.size(), b.getIndexAttr(0)),
                              strides(sizes.size(), b.getIndexAttr(1));
    offsets[dim] = start;
    if (sweep.isActive(input))
      sweep.add(
          b, input,
          tensor::ExtractSliceOp::create(b, loc, cast<RankedTensorType>(input.getType()), g, offsets, sizes, strides));
    Value next = arith::AddIOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, start),
                                       getValueOrCreateConstantIndexOp(b, loc, sizes[dim]));
    start = next;
  }
  return success();
}

static LogicalResult adjoint(tensor::PadOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  Value padding = op.getConstantPaddingValue();
  if (!padding || sweep.isActive(padding))
    return op.emitError() << "expected the padding of a function with a derivative to be one constant value";
  SmallVector<OpFoldResult> sizes = sizesOf(b, loc, op.getSource()), strides(sizes.size(), b.getIndexAttr(1));
  sweep.add(b, op.getSource(),
            tensor::ExtractSliceOp::create(b, loc, op.getSourceType(), g, op.getMixedLowPad(), sizes, strides));
  return success();
}

static LogicalResult adjoint(tensor::ExtractOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  addToPart(
      b, sweep, op.getTensor(), g,
      [&](Value sum) -> Value { return tensor::ExtractOp::create(b, op.getLoc(), sum, op.getIndices()); },
      [&](Value part, Value sum) -> Value {
        return tensor::InsertOp::create(b, op.getLoc(), part, sum, op.getIndices());
      });
  return success();
}

static LogicalResult adjoint(tensor::InsertOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  if (sweep.isActive(op.getScalar()))
    sweep.add(b, op.getScalar(), tensor::ExtractOp::create(b, loc, g, op.getIndices()));
  if (sweep.isActive(op.getDest())) {
    Value zero = zerosLike(b, op.getScalar());
    sweep.add(b, op.getDest(), tensor::InsertOp::create(b, loc, zero, g, op.getIndices()));
  }
  return success();
}

static LogicalResult adjoint(tensor::FromElementsOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  auto type = op.getType();
  for (auto [position, element] : llvm::enumerate(op.getElements())) {
    if (!sweep.isActive(element))
      continue;
    SmallVector<Value> at(type.getRank());
    for (int64_t d = type.getRank(), rest = position; d-- > 0; rest /= type.getDimSize(d))
      at[d] = arith::ConstantIndexOp::create(b, op.getLoc(), rest % type.getDimSize(d));
    sweep.add(b, element, tensor::ExtractOp::create(b, op.getLoc(), g, at));
  }
  return success();
}

static LogicalResult adjoint(tensor::SplatOp op, OpBuilder &b, ReverseSweep &sweep, Value g) {
  Location loc = op.getLoc();
  int64_t rank = op.getType().getRank();
  Value zero = zerosLike(b, op.getInput());
  Value init = tensor::FromElementsOp::create(b, loc, RankedTensorType::get({}, zero.getType()), zero);
  auto sum = linalg::ReduceOp::create(b, loc, g, init, llvm::to_vector(llvm::seq<int64_t>(0, rank)),
                                      [&](OpBuilder &inner, Location, ValueRange arguments) {
                                        Value added = arith::AddFOp::create(inner, loc, arguments[1], arguments[0]);
                                        linalg::YieldOp::create(inner, loc, added);
                                      });
  sweep.add(b, op.getInput(), tensor::ExtractOp::create(b, loc, sum.getResult(0), ValueRange()));
  return success();
}

namespace {

template <typename Op> struct Model : ReverseDifferentiableOpInterface::ExternalModel<Model<Op>, Op> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    return adjoint(cast<Op>(op), b, sweep, sweep.cotangentOf(op->getResult(0)));
  }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<Model<Ops>>(*context), ...);
}

} // namespace

void bochner::registerReverseTensorModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attach<tensor::CastOp, tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::CollapseShapeOp,
           tensor::ExpandShapeOp, tensor::ConcatOp, tensor::PadOp, tensor::ExtractOp, tensor::InsertOp,
           tensor::FromElementsOp, tensor::SplatOp>(context);
  });
}
