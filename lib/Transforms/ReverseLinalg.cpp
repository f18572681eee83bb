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
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"

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
  using Body = function_ref<FailureOr<Value>(OpBuilder &, ValueRange)>;

  LogicalResult classify();
  Value emit(Value init, AffineMap map, Body body);
  SmallVector<Operation *> cloneForward(OpBuilder &inner, IRMapping &map, ValueRange arguments);
  Value termOf(const Output &output, IRMapping &map);
  void share(unsigned position);
  LogicalResult addTo(Value target, AffineMap map, Value inBody);
  LogicalResult addByLoops(Value target);
  FailureOr<Value> differentiateBody(OpBuilder &inner, ValueRange arguments, Value inBody, Value sum = {});

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
  auto refuse = [&](unsigned i) {
    return op.emitError()
           << "expected reductions of a function with a derivative to be sums, maxima or minima of terms "
              "that do not read an accumulator, but result "
           << i << " is not";
  };
  // What accumulators hold is known at the end of a reduction only.
  llvm::DenseSet<Value> transient;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (!op.getMatchingIndexingMap(&init).isPermutation())
      transient.insert(op.getMatchingBlockArgument(&init));
  for (Operation &inner : body->without_terminator())
    if (llvm::any_of(inner.getOperands(), [&](Value v) { return transient.contains(v); }))
      transient.insert_range(inner.getResults());
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    Value accumulator = op.getMatchingBlockArgument(&init);
    Output output{Output::Map, body->getTerminator()->getOperand(i), nullptr, sweep.cotangentOf(op->getResult(i))};
    bool reduces = !op.getMatchingIndexingMap(&init).isPermutation();
    if (reduces)
      output.kind = Output::Extremum;
    if (reduces && output.cotangent) {
      Operation *combine = output.combine = output.term.getDefiningOp();
      if (isa_and_nonnull<arith::AddFOp, math::FmaOp>(combine))
        output.kind = Output::Sum;
      else if (!isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp, arith::MinNumFOp>(combine))
        return refuse(i);
      if (llvm::count(combine->getOperands(), accumulator) != 1)
        return refuse(i);
      if (!isa<math::FmaOp>(combine))
        output.term = combine->getOperand(combine->getOperand(0) == accumulator ? 1 : 0);
      else if (combine->getOperand(2) == accumulator)
        output.term = {}; // the product of the first two operands
      else
        return refuse(i);
    }
    auto readsAccumulator = [&] {
      if (output.term)
        return transient.contains(output.term);
      return llvm::any_of(output.combine->getOperands().drop_back(), [&](Value v) { return transient.contains(v); });
    };
    if (output.cotangent && readsAccumulator())
      return refuse(i);
    outputs.push_back(output);
  }
  return success();
}

/// Clones the forward body without its reductions.
SmallVector<Operation *> LinalgAdjoint::cloneForward(OpBuilder &inner, IRMapping &map, ValueRange arguments) {
  for (auto [read, argument] : llvm::zip(reads, arguments))
    if (read.argument)
      map.map(read.argument, argument);
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
  return operations;
}

Value LinalgAdjoint::termOf(const Output &output, IRMapping &map) {
  return map.lookupOrDefault(output.term ? output.term : output.combine->getResult(0));
}

/// The derivative of the body's results with respect to a value of the forward body, or to one that it captures; added
/// to `sum` if there is one.
FailureOr<Value> LinalgAdjoint::differentiateBody(OpBuilder &inner, ValueRange arguments, Value inBody, Value sum) {
  IRMapping map;
  SmallVector<Operation *> operations = cloneForward(inner, map, arguments);
  ReverseMode body;
  body.activate(map.lookupOrDefault(inBody));
  body.propagate(operations);
  if (sum)
    body.setSum(inBody, sum);
  for (auto [i, output] : llvm::enumerate(outputs)) {
    if (!output.cotangent)
      continue;
    Value term = termOf(output, map), seed = arguments[cotangentReads[i]];
    if (output.kind == Output::Extremum) {
      Value reached = arith::CmpFOp::create(inner, loc, arith::CmpFPredicate::OEQ, term, arguments[resultReads[i]]);
      seed = arith::SelectOp::create(inner, loc, reached, seed, constantLike(inner, loc, 0, seed));
    }
    body.add(inner, term, seed);
  }
  if (failed(body.run(inner, operations)))
    return failure();
  return sum ? sumOrZeros(inner, body, inBody) : body.gradientOf(inner, map.lookupOrDefault(inBody));
}

/// Drops inputs that the body does not read, unless an iteration would lose its size.
static linalg::GenericOp dropUnusedInputs(OpBuilder &b, linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Value> inputs(op.getInputs());
  for (unsigned i = inputs.size(); i-- > 0;) {
    if (!op.getBlock()->getArgument(i).use_empty())
      continue;
    SmallVector<AffineMap> rest = maps;
    rest.erase(rest.begin() + i);
    llvm::SmallBitVector covered(op.getNumLoops());
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

/// What `body` makes of the elements that are read, at `map` of a tensor like `init`: summed up, from `init` on, over
/// iterations that it does not tell apart. Null if the body fails.
Value LinalgAdjoint::emit(Value init, AffineMap map, Body body) {
  SmallVector<utils::IteratorType> iterators(op.getNumLoops(), utils::IteratorType::reduction);
  for (AffineExpr e : map.getResults())
    iterators[cast<AffineDimExpr>(e).getPosition()] = utils::IteratorType::parallel;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Read &read : reads) {
    inputs.push_back(read.tensor);
    maps.push_back(read.map);
  }
  maps.push_back(map);
  // Rules look at what surrounds operations, so the operation stands in its place before its body is filled.
  auto generic = linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, iterators);
  SmallVector<Type> types;
  for (Value v : generic->getOperands())
    types.push_back(getElementTypeOrSelf(v.getType()));
  OpBuilder inner(b.getContext());
  Block *block = inner.createBlock(&generic.getRegion(), {}, types, SmallVector<Location>(types.size(), loc));
  FailureOr<Value> value = body(inner, block->getArguments());
  if (failed(value))
    return {};
  Value yielded = *value, sum = block->getArguments().back();
  if (!map.isPermutation())
    yielded = arith::AddFOp::create(inner, loc, sum, convertTo(inner, loc, sum.getType(), yielded));
  linalg::YieldOp::create(inner, loc, yielded);
  eraseDead(*generic.getBlock());
  return dropUnusedInputs(b, generic).getResult(0);
}

/// Adds to the cotangent of `target`, whose elements the body sees as `inBody` at `map`.
LogicalResult LinalgAdjoint::addTo(Value target, AffineMap map, Value inBody) {
  if (!map.isProjectedPermutation())
    return op.emitError() << "expected operands of a function with a derivative to be read at permutations of "
                             "iterations, but got "
                          << AffineMapAttr::get(map);
  bool sums = !map.isPermutation(), scalar = !isa<RankedTensorType>(target.getType());
  Type element = getElementTypeOrSelf(target.getType()), wide = sums ? getAccumulatorType(element) : element;
  SmallVector<OpFoldResult> sizes;
  if (!scalar)
    sizes = sizesOf(b, loc, target);
  Value init = tensor::EmptyOp::create(b, loc, sizes, wide);
  if (sums)
    init = linalg::FillOp::create(b, loc, arith::ConstantOp::create(b, loc, b.getFloatAttr(wide, 0)).getResult(), init)
               .getResult(0);
  Value cotangent = emit(
      init, map, [&](OpBuilder &inner, ValueRange arguments) { return differentiateBody(inner, arguments, inBody); });
  if (!cotangent)
    return failure();
  cotangent = convertTo(b, loc, element, cotangent);
  if (scalar)
    cotangent = tensor::ExtractOp::create(b, loc, cotangent, ValueRange());
  else if (cotangent.getType() != target.getType())
    cotangent = tensor::CastOp::create(b, loc, target.getType(), cotangent);
  sweep.add(b, target, cotangent);
  return success();
}

/// Adds to the cotangent of a tensor that the body reads wherever it likes, such as rows that are gathered: as
/// iterations may read the same element, one after the other.
LogicalResult LinalgAdjoint::addByLoops(Value target) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0), one = arith::ConstantIndexOp::create(b, loc, 1);
  Value sum = sumOrZeros(b, sweep, target), result;
  SmallVector<Value> indices;
  OpBuilder inner = b;
  for (const Range &range : SmallVector<Range>(op.createLoopRanges(b, loc))) {
    Value end = getValueOrCreateConstantIndexOp(inner, loc, range.size);
    auto loop = scf::ForOp::create(inner, loc, zero, end, one, sum);
    if (result)
      scf::YieldOp::create(inner, loc, loop.getResults());
    else
      result = loop.getResult(0);
    inner = OpBuilder::atBlockBegin(loop.getBody());
    indices.push_back(loop.getInductionVar());
    sum = loop.getRegionIterArg(0);
  }
  SmallVector<Value> elements;
  for (const Read &read : reads) {
    auto at = llvm::map_to_vector(read.map.getResults(), [&](AffineExpr e) -> Value {
      return affine::makeComposedAffineApply(inner, loc, e, getAsOpFoldResult(indices));
    });
    elements.push_back(isa<RankedTensorType>(read.tensor.getType())
                           ? tensor::ExtractOp::create(inner, loc, read.tensor, at).getResult()
                           : read.tensor);
  }
  FailureOr<Value> next = differentiateBody(inner, elements, target, sum);
  if (failed(next))
    return failure();
  if (!indices.empty()) {
    scf::YieldOp::create(inner, loc, *next);
    inner.getBlock()->walk([&](linalg::IndexOp index) {
      index.replaceAllUsesWith(indices[index.getDim()]);
      index.erase();
    });
    eraseDead(*inner.getBlock());
  }
  sweep.setSum(target, indices.empty() ? *next : result);
  return success();
}

/// Divides the cotangent of a maximum among the terms that reach it, so that the sum of their derivatives is one.
void LinalgAdjoint::share(unsigned position) {
  OpOperand &init = op.getDpsInitsMutable()[position];
  Value result = op->getResult(position), &cotangent = outputs[position].cotangent;
  Type wide = getAccumulatorType(getElementTypeOrSelf(result.getType()));
  Value same = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, init.get(), result);
  Value start = arith::UIToFPOp::create(b, loc, cast<RankedTensorType>(result.getType()).clone(wide), same);
  Value count = emit(start, op.getMatchingIndexingMap(&init), [&](OpBuilder &inner, ValueRange arguments) {
    IRMapping map;
    cloneForward(inner, map, arguments);
    Value term = termOf(outputs[position], map);
    Value reached =
        arith::CmpFOp::create(inner, loc, arith::CmpFPredicate::OEQ, term, arguments[resultReads[position]]);
    return FailureOr<Value>(arith::UIToFPOp::create(inner, loc, wide, reached));
  });
  cotangent =
      arith::DivFOp::create(b, loc, cotangent, convertTo(b, loc, getElementTypeOrSelf(cotangent.getType()), count));
  reads[cotangentReads[position]].tensor = cotangent;
}

LogicalResult LinalgAdjoint::build() {
  if (failed(classify()))
    return failure();
  auto accumulates = [&](unsigned i) { return outputs[i].kind != Output::Map; };
  for (OpOperand *input : op.getDpsInputOperands())
    reads.push_back({input->get(), op.getMatchingIndexingMap(input), op.getMatchingBlockArgument(input)});
  // Accumulators are read by what is dead only.
  for (OpOperand &init : op.getDpsInitsMutable())
    reads.push_back({init.get(), op.getMatchingIndexingMap(&init), op.getMatchingBlockArgument(&init)});
  size_t operands = reads.size(), firstInit = operands - outputs.size();
  cotangentReads.resize(outputs.size());
  resultReads.resize(outputs.size());
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    AffineMap map = op.getMatchingIndexingMap(&init);
    if (!outputs[i].cotangent)
      continue;
    cotangentReads[i] = reads.size();
    reads.push_back({outputs[i].cotangent, map, BlockArgument()});
    if (outputs[i].kind == Output::Extremum) {
      resultReads[i] = reads.size();
      reads.push_back({op->getResult(i), map, BlockArgument()});
    }
  }
  for (unsigned i = 0; i < outputs.size(); ++i)
    if (outputs[i].cotangent && outputs[i].kind == Output::Extremum)
      share(i);
  for (size_t i = 0; i < operands; ++i) {
    const Read &read = reads[i];
    if (!sweep.isActive(read.tensor) || read.argument.use_empty() || (i >= firstInit && accumulates(i - firstInit)))
      continue;
    if (failed(addTo(read.tensor, read.map, read.argument)))
      return failure();
  }
  // What the body reads from around the operation.
  AffineMap nowhere = AffineMap::get(op.getNumLoops(), 0, b.getContext());
  for (Value v : activeCaptures(op->getRegions(), sweep))
    if (failed(isa<ShapedType>(v.getType()) ? addByLoops(v) : addTo(v, nowhere, v)))
      return failure();
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
           linalg::BatchMatvecOp, linalg::BatchVecmatOp, linalg::ContractOp, linalg::ElementwiseOp, linalg::AddOp,
           linalg::SubOp, linalg::MulOp, linalg::DivOp, linalg::ExpOp, linalg::LogOp, linalg::AbsOp, linalg::NegFOp,
           linalg::SqrtOp, linalg::RsqrtOp, linalg::SquareOp, linalg::ReciprocalOp, linalg::TanhOp, linalg::ErfOp,
           linalg::MaxOp, linalg::MinOp, linalg::FloorOp, linalg::CeilOp, linalg::RoundOp, linalg::PowFOp,
           linalg::SelectOp>(context);
  });
}
