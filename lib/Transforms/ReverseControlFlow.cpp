//===- ReverseControlFlow.cpp - derivatives of structured control flow ----===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// External models of ReverseDifferentiableOpInterface for `scf`. The adjoint of a branch or of an iteration computes it
// again, sweeps over it backward and hands on the sums of the cotangents of what it reads. A loop runs from the last
// iteration to the first one. What it carries is needed by few adjoints: most loops carry a result whose parts they
// write, of which only the shape counts. Only if one is needed, a replay of the loop stores what each iteration starts
// with. Carried tensors keep their shapes.
//
//===----------------------------------------------------------------------===//
#include "lib/Passes.h"
#include "lib/Transforms/ReverseMode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {

/// Copies of the operations of a block, and a sweep over them.
struct BlockAdjoint {
  /// `map` has the values for the block's arguments.
  BlockAdjoint(OpBuilder &b, Block &block, IRMapping map) : map(std::move(map)) {
    for (Operation &op : block.without_terminator())
      operations.push_back(b.clone(op, this->map));
  }
  /// Sums go on from `sums`; these and `cotangents` of `yielded` values of the block may be null.
  LogicalResult run(OpBuilder &b, ValueRange captured, ArrayRef<Value> sums, ValueRange yielded,
                    ArrayRef<Value> cotangents);

  IRMapping map;
  SmallVector<Operation *> operations;
  ReverseMode sweep;
};

class LoopAdjoint {
public:
  LoopAdjoint(scf::ForOp loop, OpBuilder &b, ReverseSweep &sweep) : loop(loop), b(b), sweep(sweep) {}
  LogicalResult build();

private:
  void findActive();
  void countIterations();
  Value inductionAt(OpBuilder &inner, Value position);
  Value reversed(OpBuilder &inner, Value position);
  LogicalResult emitBody(OpBuilder &inner, Value position, ValueRange sums);
  LogicalResult provideCarried(scf::ForOp backward);
  SmallVector<Value> replay(ArrayRef<unsigned> needed);

  scf::ForOp loop;
  OpBuilder &b;
  ReverseSweep &sweep;
  Location loc = loop.getLoc();
  SmallVector<Value> captured;  ///< active values from around the loop
  SmallVector<unsigned> active; ///< of the values that it carries
  Value zero, one, count;
  SmallVector<Value> carried; ///< stand-ins for what the iteration starts with that the adjoint is at
};

} // namespace

LogicalResult BlockAdjoint::run(OpBuilder &b, ValueRange captured, ArrayRef<Value> sums, ValueRange yielded,
                                ArrayRef<Value> cotangents) {
  for (Value v : captured)
    sweep.activate(v);
  sweep.propagate(operations);
  for (auto [v, sum] : llvm::zip_equal(captured, sums))
    if (sum)
      sweep.setSum(v, sum);
  for (auto [v, cotangent] : llvm::zip_equal(yielded, cotangents))
    sweep.add(b, map.lookupOrDefault(v), cotangent);
  return sweep.run(b, operations);
}

//===----------------------------------------------------------------------===//
// scf.if
//===----------------------------------------------------------------------===//

static LogicalResult adjoint(scf::IfOp op, OpBuilder &b, ReverseSweep &sweep) {
  Location loc = op.getLoc();
  SmallVector<Value> captured = activeCaptures(op->getRegions(), sweep);
  SmallVector<Value> sums;
  SmallVector<Type> types;
  for (Value v : captured) {
    Type element = getAccumulatorType(getElementTypeOrSelf(v.getType()));
    auto shaped = dyn_cast<ShapedType>(v.getType());
    types.push_back(shaped ? Type(shaped.clone(element)) : element);
    sums.push_back(sweep.sumOf(v) ? sumOrZeros(b, sweep, v) : Value());
  }
  auto cotangents = llvm::map_to_vector(op.getResults(), [&](Value v) { return sweep.cotangentOf(v); });
  auto choice = scf::IfOp::create(b, loc, types, op.getCondition(), /*withElseRegion=*/true);
  for (auto [branch, into] : llvm::zip_equal(op->getRegions(), choice->getRegions())) {
    OpBuilder inner = OpBuilder::atBlockEnd(&into.front());
    BlockAdjoint part(inner, branch.front(), IRMapping());
    if (failed(part.run(inner, captured, sums, branch.front().getTerminator()->getOperands(), cotangents)))
      return failure();
    scf::YieldOp::create(inner, loc,
                         llvm::map_to_vector(captured, [&](Value v) { return sumOrZeros(inner, part.sweep, v); }));
    eraseDead(into.front());
  }
  for (auto [v, sum] : llvm::zip_equal(captured, choice.getResults()))
    sweep.setSum(v, sum);
  return success();
}

//===----------------------------------------------------------------------===//
// scf.for
//===----------------------------------------------------------------------===//

/// What an iteration starts with depends on active values if the loop does or if an iteration before makes it so.
void LoopAdjoint::findActive() {
  captured = activeCaptures(loop->getRegions(), sweep);
  ReverseMode activity;
  for (Value v : captured)
    activity.activate(v);
  for (auto [argument, init] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getInitArgs()))
    if (sweep.isActive(init))
      activity.activate(argument);
  SmallVector<Operation *> operations =
      operationsBetween(loop.getBody()->begin(), loop.getBody()->getTerminator()->getIterator());
  for (bool changes = true; changes;) {
    changes = false;
    activity.propagate(operations);
    for (auto [argument, yielded] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues()))
      if (activity.isActive(yielded) && !activity.isActive(argument)) {
        activity.activate(argument);
        changes = true;
      }
  }
  for (auto [i, argument] : llvm::enumerate(loop.getRegionIterArgs()))
    if (activity.isActive(argument))
      active.push_back(i);
}

void LoopAdjoint::countIterations() {
  zero = arith::ConstantIndexOp::create(b, loc, 0);
  one = arith::ConstantIndexOp::create(b, loc, 1);
  auto toIndex = [&](Value v) {
    if (v.getType().isIndex())
      return v;
    return loop.getUnsignedCmp() ? arith::IndexCastUIOp::create(b, loc, b.getIndexType(), v).getResult()
                                 : arith::IndexCastOp::create(b, loc, b.getIndexType(), v).getResult();
  };
  Value span = b.createOrFold<arith::SubIOp>(loc, toIndex(loop.getUpperBound()), toIndex(loop.getLowerBound()));
  if (getConstantIntValue(loop.getStep()) != 1) {
    Value step = toIndex(loop.getStep());
    span = arith::AddIOp::create(b, loc, span, arith::SubIOp::create(b, loc, step, one));
    span = arith::DivSIOp::create(b, loc, span, step);
  }
  count = b.createOrFold<arith::MaxSIOp>(loc, span, zero);
}

Value LoopAdjoint::inductionAt(OpBuilder &inner, Value position) {
  Type type = loop.getInductionVar().getType();
  if (!type.isIndex())
    position = arith::IndexCastOp::create(inner, loc, type, position);
  Value offset = inner.createOrFold<arith::MulIOp>(loc, position, loop.getStep());
  return inner.createOrFold<arith::AddIOp>(loc, loop.getLowerBound(), offset);
}

/// The position of an iteration, from those of the adjoint.
Value LoopAdjoint::reversed(OpBuilder &inner, Value position) {
  return arith::SubIOp::create(inner, loc, arith::SubIOp::create(inner, loc, count, one), position);
}

LogicalResult LoopAdjoint::emitBody(OpBuilder &inner, Value position, ValueRange sums) {
  IRMapping map;
  map.map(loop.getInductionVar(), inductionAt(inner, reversed(inner, position)));
  for (auto [argument, init] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getInitArgs())) {
    auto standIn = UnrealizedConversionCastOp::create(b, loc, init.getType(), init);
    carried.push_back(standIn.getResult(0));
    map.map(argument, carried.back());
  }
  BlockAdjoint iteration(inner, *loop.getBody(), map);
  SmallVector<Value> cotangents(carried.size());
  for (auto [i, cotangent] : llvm::zip(active, sums)) {
    iteration.sweep.activate(carried[i]);
    cotangents[i] = cotangent;
  }
  if (failed(iteration.run(inner, captured, llvm::to_vector(sums.drop_front(active.size())), loop.getYieldedValues(),
                           cotangents)))
    return failure();
  SmallVector<Value> yielded;
  for (unsigned i : active)
    yielded.push_back(sumOrZeros(inner, iteration.sweep, carried[i]));
  for (Value v : captured)
    yielded.push_back(sumOrZeros(inner, iteration.sweep, v));
  scf::YieldOp::create(inner, loc, yielded);
  return success();
}

/// Whether nothing depends on what a tensor holds.
static bool readsShapeOnly(Value v, llvm::DenseSet<Value> &visited) {
  if (!visited.insert(v).second)
    return true;
  return llvm::all_of(v.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    auto goesOn = [&](Value result) { return readsShapeOnly(result, visited); };
    if (isa<tensor::DimOp>(user))
      return true;
    if (isa<tensor::ExtractSliceOp, tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
            tensor::InsertSliceOp, tensor::InsertOp, UnrealizedConversionCastOp>(user))
      return goesOn(user->getResult(0));
    if (auto structured = dyn_cast<linalg::LinalgOp>(user)) // a destination without old content is new
      return structured.isDpsInit(&use) && !structured.payloadUsesValueFromOperand(&use);
    if (auto inner = dyn_cast<scf::ForOp>(user)) {
      BlockArgument argument = inner.getTiedLoopRegionIterArg(&use);
      return argument && goesOn(argument) && goesOn(inner.getTiedLoopResult(&use));
    }
    if (isa<scf::YieldOp>(user) && isa<scf::ForOp, scf::IfOp>(user->getParentOp())) {
      Operation *parent = user->getParentOp();
      auto inner = dyn_cast<scf::ForOp>(parent);
      return goesOn(parent->getResult(use.getOperandNumber())) &&
             (!inner || goesOn(inner.getRegionIterArg(use.getOperandNumber())));
    }
    return false;
  });
}

/// The parts of a stored tensor that belong to an iteration.
static std::array<SmallVector<OpFoldResult>, 3> placeOf(OpBuilder &b, Location loc, Value like, Value position) {
  SmallVector<OpFoldResult> offsets{position}, sizes{b.getIndexAttr(1)};
  llvm::append_range(sizes, sizesOf(b, loc, like));
  offsets.resize(sizes.size(), b.getIndexAttr(0));
  return {offsets, sizes, SmallVector<OpFoldResult>(sizes.size(), b.getIndexAttr(1))};
}

/// For values that the loop carries, tensors of what each iteration starts with.
SmallVector<Value> LoopAdjoint::replay(ArrayRef<unsigned> needed) {
  // Values that these depend on.
  Block *body = loop.getBody();
  llvm::SetVector<unsigned> kept(needed.begin(), needed.end());
  llvm::DenseSet<Operation *> visited;
  SmallVector<Value> work;
  auto visit = [&](Value v) {
    auto argument = dyn_cast<BlockArgument>(v);
    if (!argument)
      work.push_back(v);
    else if (argument.getOwner() == body && argument != loop.getInductionVar() &&
             kept.insert(argument.getArgNumber() - 1))
      work.push_back(loop.getYieldedValues()[argument.getArgNumber() - 1]);
  };
  for (unsigned i : needed)
    visit(loop.getYieldedValues()[i]);
  while (!work.empty()) {
    Value v = work.pop_back_val();
    Operation *op = v.getDefiningOp();
    if (!op) {
      visit(v);
      continue;
    }
    op = body->findAncestorOpInBlock(*op);
    if (op && visited.insert(op).second)
      op->walk([&](Operation *inner) { llvm::for_each(inner->getOperands(), visit); });
  }

  SmallVector<Value> inits;
  for (unsigned i : kept)
    inits.push_back(loop.getInitArgs()[i]);
  for (unsigned i : needed) {
    Value init = loop.getInitArgs()[i];
    SmallVector<OpFoldResult> sizes{getAsOpFoldResult(count)};
    if (isa<RankedTensorType>(init.getType()))
      llvm::append_range(sizes, sizesOf(b, loc, init));
    Type element = getElementTypeOrSelf(init.getType()); // sizes in bytes are known of numbers, not of indices
    inits.push_back(tensor::EmptyOp::create(b, loc, sizes, element.isIndex() ? b.getI64Type() : element));
  }
  auto again = scf::ForOp::create(b, loc, zero, count, one, inits);
  OpBuilder inner = OpBuilder::atBlockBegin(again.getBody());
  Value position = again.getInductionVar();
  IRMapping map;
  map.map(loop.getInductionVar(), inductionAt(inner, position));
  map.map(loop.getRegionIterArgs(), loop.getInitArgs()); // read by what is dead
  for (auto [i, value] : llvm::zip(kept, again.getRegionIterArgs()))
    map.map(loop.getRegionIterArgs()[i], value);
  SmallVector<Value> yielded, stored;
  for (auto [i, all] : llvm::zip_equal(needed, again.getRegionIterArgs().drop_front(kept.size()))) {
    Value value = map.lookup(loop.getRegionIterArgs()[i]);
    if (isa<RankedTensorType>(value.getType())) {
      auto [offsets, sizes, strides] = placeOf(inner, loc, value, position);
      stored.push_back(tensor::InsertSliceOp::create(inner, loc, value, all, offsets, sizes, strides));
    } else {
      if (value.getType().isIndex())
        value = arith::IndexCastOp::create(inner, loc, inner.getI64Type(), value);
      stored.push_back(tensor::InsertOp::create(inner, loc, value, all, position));
    }
  }
  for (Operation &op : body->without_terminator())
    inner.clone(op, map);
  for (unsigned i : kept)
    yielded.push_back(map.lookupOrDefault(loop.getYieldedValues()[i]));
  llvm::append_range(yielded, stored);
  scf::YieldOp::create(inner, loc, yielded);
  eraseDead(*again.getBody());
  return llvm::to_vector_of<Value>(again.getResults().drop_front(kept.size()));
}

/// Replaces the stand-ins for what iterations start with, by what stands before the adjoint's loop.
LogicalResult LoopAdjoint::provideCarried(scf::ForOp backward) {
  SmallVector<unsigned> needed;
  for (auto [i, standIn] : llvm::enumerate(carried)) {
    llvm::DenseSet<Value> visited;
    Value init = loop.getInitArgs()[i];
    if (isa<RankedTensorType>(init.getType()) ? readsShapeOnly(standIn, visited) : standIn.use_empty()) {
      standIn.replaceAllUsesWith(init);
      continue;
    }
    if (!isa<RankedTensorType, FloatType, IntegerType, IndexType>(init.getType()))
      return loop.emitError() << "expected a loop with a derivative to carry tensors and scalars only where the "
                                 "derivative reads them, but it carries "
                              << init.getType();
    needed.push_back(i);
  }
  if (!needed.empty()) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(backward);
    SmallVector<Value> stored = replay(needed);
    b.setInsertionPointToStart(backward.getBody());
    Value position = reversed(b, backward.getInductionVar());
    for (auto [i, all] : llvm::zip_equal(needed, stored)) {
      Value init = loop.getInitArgs()[i], value;
      if (auto type = dyn_cast<RankedTensorType>(init.getType())) {
        auto [offsets, sizes, strides] = placeOf(b, loc, init, position);
        value = tensor::ExtractSliceOp::create(b, loc, type, all, offsets, sizes, strides);
      } else {
        value = tensor::ExtractOp::create(b, loc, all, position);
        if (init.getType().isIndex())
          value = arith::IndexCastOp::create(b, loc, init.getType(), value);
      }
      carried[i].replaceAllUsesWith(value);
    }
  }
  for (Value standIn : carried)
    standIn.getDefiningOp()->erase();
  return success();
}

LogicalResult LoopAdjoint::build() {
  findActive();
  countIterations();
  SmallVector<Value> sums;
  for (unsigned i : active) {
    Value init = loop.getInitArgs()[i], cotangent = sweep.cotangentOf(loop.getResult(i));
    Type wide = getAccumulatorType(getElementTypeOrSelf(init.getType()));
    Value sum = cotangent ? cotangent : constantLike(b, loc, 0, init);
    sums.push_back(convertTo(b, loc, wide, sum));
  }
  for (Value v : captured)
    sums.push_back(sumOrZeros(b, sweep, v));
  // Rules look at what surrounds operations, so the loop stands in its place before its body is filled.
  auto backward = scf::ForOp::create(b, loc, zero, count, one, sums);
  OpBuilder inner = OpBuilder::atBlockBegin(backward.getBody());
  if (failed(emitBody(inner, backward.getInductionVar(), backward.getRegionIterArgs())))
    return failure();
  eraseDead(*backward.getBody());
  if (failed(provideCarried(backward)))
    return failure();
  for (auto [v, sum] : llvm::zip_equal(captured, backward.getResults().drop_front(active.size())))
    sweep.setSum(v, sum);
  for (auto [i, sum] : llvm::zip(active, backward.getResults()))
    sweep.add(b, loop.getInitArgs()[i], sum);
  return success();
}

namespace {

struct IfModel : ReverseDifferentiableOpInterface::ExternalModel<IfModel, scf::IfOp> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    return adjoint(cast<scf::IfOp>(op), b, sweep);
  }
};

struct ForModel : ReverseDifferentiableOpInterface::ExternalModel<ForModel, scf::ForOp> {
  LogicalResult buildAdjoint(Operation *op, OpBuilder &b, ReverseSweep &sweep) const {
    return LoopAdjoint(cast<scf::ForOp>(op), b, sweep).build();
  }
};

} // namespace

void bochner::registerReverseControlFlowModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, scf::SCFDialect *) {
    scf::IfOp::attachInterface<IfModel>(*context);
    scf::ForOp::attachInterface<ForModel>(*context);
  });
}
