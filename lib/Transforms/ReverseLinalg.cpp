//===- ReverseLinalg.cpp - derivatives of structured operations -----------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of ReverseDifferentiableOpInterface for `linalg`. The cotangent of an operand is a structured
// operation over the same iterations, whose body computes the forward body again and sweeps over it backward:
// dimensions that the operand does not have are summed over. So the adjoint of a broadcast is a sum, that of a sum a
// broadcast, and that of a product two products.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using linalg::LinalgOp;

namespace {

/// How a result comes about in the body.
struct Output {
  enum Kind { Map, Sum, Extremum } kind; ///< the last two reduce
  Value term;                            ///< what is yielded, or combined with the accumulator
  Operation *combine = nullptr;          ///< that does so
  Value cotangent;                       ///< null: the result does not count
};

/// A tensor that bodies of adjoints read.
struct Read {
  Value tensor;
  AffineMap map;
  BlockArgument argument; ///< of the forward body that it stands for; null for cotangents and results
};

class LinalgAdjoint {
public:
  LinalgAdjoint(LinalgOp op, OpBuilder &b, ReverseSweep &sweep) : op(op), b(b), sweep(sweep), loc(op.getLoc()) {}
  LogicalResult build();

private:
  LogicalResult classify();
  LogicalResult addTo(Value target, AffineMap map, Value inBody);
  FailureOr<Value> emitBody(OpBuilder &inner, ValueRange arguments, Value inBody, bool sums);

  LinalgOp op;
  OpBuilder &b;
  ReverseSweep &sweep;
  Location loc;
  SmallVector<Output> outputs;
  SmallVector<Read> reads;
  SmallVector<unsigned> cotangentReads, resultReads; ///< positions in `reads`, by output
};

} // namespace

LogicalResult LinalgAdjoint::classify() {
  Block *body = op.getBlock();
  Operation *yield = body->getTerminator();
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    Output output{Output::Map, yield->getOperand(i), nullptr, sweep.cotangentOf(op->getResult(i))};
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (map.getNumResults() == op.getNumLoops() || !output.cotangent) {
      outputs.push_back(output);
      continue;
    }
    BlockArgument accumulator = op.getMatchingBlockArgument(&init);
    Operation *combine = output.term.getDefiningOp();
    bool sum = isa_and_nonnull<arith::AddFOp, math::FmaOp>(combine),
         extremum = isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp, arith::MinNumFOp>(combine);
    auto refuse = [&] {
      return op.emitError() << "expected reductions of a function with a derivative to be sums, maxima or minima of "
                               "terms that do not read the accumulator, but result "
                            << i << " is not";
    };
    if ((!sum && !extremum) || !accumulator.hasOneUse() || *accumulator.user_begin() != combine ||
        !output.term.hasOneUse())
      return refuse();
    if (isa<math::FmaOp>(combine)) {
      if (combine->getOperand(2) != accumulator)
        return refuse();
      output.term = {}; // the product of the other two
    } else {
      output.term = combine->getOperand(combine->getOperand(0) == accumulator ? 1 : 0);
    }
    output.kind = sum ? Output::Sum : Output::Extremum;
    output.combine = combine;
    outputs.push_back(output);
  }
  return success();
}

/// The body of the adjoint with respect to a value of the forward body, or of what it captures.
FailureOr<Value> LinalgAdjoint::emitBody(OpBuilder &inner, ValueRange arguments, Value inBody, bool sums) {
  IRMapping map;
  for (auto [read, argument] : llvm::zip(reads, arguments))
    if (read.argument)
      map.map(read.argument, argument);
  ReverseMode body;
  body.activate(map.lookupOrDefault(inBody));
  SmallVector<Operation *> operations;
  for (Operation &forward : op.getBlock()->without_terminator()) {
    bool combines = llvm::any_of(outputs, [&](const Output &o) { return o.combine == &forward; });
    if (!combines) {
      operations.push_back(inner.clone(forward, map));
    } else if (auto fma = dyn_cast<math::FmaOp>(forward)) {
      Value x = map.lookupOrDefault(fma.getA()), y = map.lookupOrDefault(fma.getB());
      operations.push_back(arith::MulFOp::create(inner, loc, x, y));
      map.map(fma.getResult(), operations.back()->getResult(0));
    }
  }
  body.propagate(operations);
  for (auto [i, output] : llvm::enumerate(outputs)) {
    if (!output.cotangent)
      continue;
    Value term = map.lookupOrDefault(output.term ? output.term : output.combine->getResult(0));
    Value seed = arguments[cotangentReads[i]];
    if (output.kind == Output::Extremum) {
      Value reached = arith::CmpFOp::create(inner, loc, arith::CmpFPredicate::OEQ, term, arguments[resultReads[i]]);
      seed = arith::SelectOp::create(inner, loc, reached, seed, constantLike(inner, loc, 0, seed));
    }
    body.add(inner, term, seed);
  }
  if (failed(body.run(inner, operations)))
    return failure();
  Value partial = body.gradientOf(inner, map.lookupOrDefault(inBody)), sum = arguments.back();
  if (partial.getType() != sum.getType())
    partial = arith::ExtFOp::create(inner, loc, sum.getType(), partial);
  return sums ? arith::AddFOp::create(inner, loc, sum, partial).getResult() : partial;
}

/// Drops inputs that the body does not read, unless an iteration would lose its size.
static linalg::GenericOp dropUnusedInputs(OpBuilder &b, linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Value> inputs(op.getInputs());
  unsigned loops = op.getNumLoops();
  for (unsigned i = inputs.size(); i-- > 0;) {
    if (!op.getBlock()->getArgument(i).use_empty())
      continue;
    SmallVector<AffineMap> rest = maps;
    rest.erase(rest.begin() + i);
    llvm::SmallBitVector covered(loops);
    for (AffineMap map : rest)
      for (AffineExpr e : map.getResults())
        if (auto dim = dyn_cast<AffineDimExpr>(e))
          covered.set(dim.getPosition());
    if (!covered.all())
      continue;
    maps = rest;
    inputs.erase(inputs.begin() + i);
    op.getBlock()->eraseArgument(i);
  }
  if (inputs.size() == op.getInputs().size())
    return op;
  auto fewer = linalg::GenericOp::create(b, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(), maps,
                                         op.getIteratorTypesArray());
  fewer.getRegion().takeBody(op.getRegion());
  op.erase();
  return fewer;
}

/// Adds to the cotangent of `target`, whose elements the body sees as `inBody` at `map`.
LogicalResult LinalgAdjoint::addTo(Value target, AffineMap map, Value inBody) {
  if (!map.isProjectedPermutation())
    return op.emitError() << "expected operands of a function with a derivative to be read at permutations of "
                             "iterations, but got "
                          << AffineMapAttr::get(map);
  SmallVector<utils::IteratorType> iterators(op.getNumLoops(), utils::IteratorType::reduction);
  for (AffineExpr e : map.getResults())
    iterators[cast<AffineDimExpr>(e).getPosition()] = utils::IteratorType::parallel;
  bool sums = map.getNumResults() < op.getNumLoops(), scalar = !isa<RankedTensorType>(target.getType());
  Type element = getElementTypeOrSelf(target.getType()), wide = sums ? getAccumulatorType(element) : element;
  SmallVector<OpFoldResult> sizes;
  if (!scalar)
    sizes = sizesOf(b, loc, target);
  Value init = tensor::EmptyOp::create(b, loc, sizes, wide);
  if (sums)
    init = linalg::FillOp::create(b, loc, arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 0)).getResult(), init)
               .getResult(0);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Read &read : reads) {
    inputs.push_back(read.tensor);
    maps.push_back(read.map);
  }
  maps.push_back(map);
  LogicalResult done = success();
  auto generic = linalg::GenericOp::create(
      b, loc, init.getType(), inputs, init, maps, iterators, [&](OpBuilder &inner, Location, ValueRange arguments) {
        auto value = emitBody(inner, arguments, inBody, sums);
        done = success(succeeded(value));
        linalg::YieldOp::create(inner, loc, succeeded(value) ? *value : arguments.back());
      });
  if (failed(done))
    return failure();
  Value cotangent = dropUnusedInputs(b, generic).getResult(0);
  if (wide != element)
    cotangent = arith::TruncFOp::create(b, loc, cast<RankedTensorType>(cotangent.getType()).clone(element), cotangent);
  if (scalar)
    cotangent = tensor::ExtractOp::create(b, loc, cotangent, ValueRange());
  else if (cotangent.getType() != target.getType())
    cotangent = tensor::CastOp::create(b, loc, target.getType(), cotangent);
  sweep.add(b, target, cotangent);
  return success();
}

LogicalResult LinalgAdjoint::build() {
  if (failed(classify()))
    return failure();
  auto accumulates = [&](unsigned i) { return outputs[i].kind != Output::Map; };
  for (OpOperand *input : op.getDpsInputOperands())
    reads.push_back({input->get(), op.getMatchingIndexingMap(input), op.getMatchingBlockArgument(input)});
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable()))
    if (!accumulates(i))
      reads.push_back({init.get(), op.getMatchingIndexingMap(&init), op.getMatchingBlockArgument(&init)});
  size_t operands = reads.size();
  cotangentReads.resize(outputs.size());
  resultReads.resize(outputs.size());
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (outputs[i].cotangent) {
      cotangentReads[i] = reads.size();
      reads.push_back({outputs[i].cotangent, map, BlockArgument()});
    }
    if (outputs[i].kind == Output::Extremum) {
      resultReads[i] = reads.size();
      reads.push_back({op->getResult(i), map, BlockArgument()});
    }
  }
  for (const Read &read : llvm::to_vector(ArrayRef(reads).take_front(operands)))
    if (sweep.isActive(read.tensor) && !read.argument.use_empty())
      if (failed(addTo(read.tensor, read.map, read.argument)))
        return failure();
  // Scalars from around the operation.
  SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  for (Value v : captured) {
    if (!sweep.isActive(v))
      continue;
    if (isa<ShapedType>(v.getType()))
      return op.emitError() << "expected the body of a function with a derivative to read tensors as operands only, "
                               "but it reads "
                            << v.getType();
    if (failed(addTo(v, AffineMap::get(op.getNumLoops(), 0, b.getContext()), v)))
      return failure();
  }
  // What reductions start from.
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    if (!accumulates(i) || !outputs[i].cotangent || !sweep.isActive(init.get()))
      continue;
    Value cotangent = outputs[i].cotangent;
    if (outputs[i].kind == Output::Extremum) {
      Value kept = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, init.get(), op->getResult(i));
      cotangent = arith::SelectOp::create(b, loc, kept, cotangent, constantLike(b, loc, 0, cotangent));
    }
    sweep.add(b, init.get(), cotangent);
  }
  return success();
}

namespace {

template <typename Op> struct Model : ReverseDifferentiableOpInterface::ExternalModel<Model<Op>, Op> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    return LinalgAdjoint(cast<LinalgOp>(op), b, sweep).build();
  }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<Model<Ops>>(*context), ...);
}

} // namespace

void bochner::registerReverseLinalgModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attach<linalg::GenericOp, linalg::MapOp, linalg::ReduceOp, linalg::TransposeOp, linalg::BroadcastOp, linalg::FillOp,
           linalg::CopyOp, linalg::MatmulOp, linalg::BatchMatmulOp, linalg::MatvecOp, linalg::VecmatOp, linalg::DotOp,
           linalg::BatchMatvecOp, linalg::ContractOp, linalg::ElementwiseOp, linalg::AddOp, linalg::SubOp,
           linalg::MulOp, linalg::DivOp, linalg::ExpOp, linalg::LogOp, linalg::AbsOp, linalg::NegFOp, linalg::SqrtOp,
           linalg::RsqrtOp, linalg::SquareOp, linalg::ReciprocalOp, linalg::TanhOp, linalg::ErfOp, linalg::MaxOp,
           linalg::MinOp, linalg::PowFOp, linalg::SelectOp>(context);
  });
}
