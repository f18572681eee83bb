//===- FuseFeatureMap.cpp - sink row-wise producers into feature regions --===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Moves what produces queries, keys and rows into the region that maps them, where it works on tiles that never reach
// memory. From an operand, producers are taken last first, as long as they are row-wise; wherever the operations taken
// so far read the rows of one tensor only, the operand can be cut. All operands are planned before any is changed,
// because an operation pays off inside regions only if nothing outside keeps it.
//
//===----------------------------------------------------------------------===//
#include "dialect/FeatureRegions.h"
#include "lib/Passes.h"
#include "lib/Transforms/RowwiseModels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace bochner {
#define GEN_PASS_DEF_FUSEFEATUREMAPPASS
#include "lib/Passes.h.inc"
} // namespace bochner

#define DEBUG_TYPE "spectral-fuse-feature-map"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

namespace {
/// Operations that stay where they are, each with the reason.
using Kept = llvm::DenseMap<Operation *, std::string>;

/// What sinks into the region of one operand.
struct Plan {
  OpOperand *operand;
  /// The rows that the region is given in place of the operand's.
  Value cut;
  /// The operations between `cut` and the operand, producers first.
  SmallVector<Operation *> sunk;
  /// Why it is not more, and where; empty if there is nothing more.
  std::string reason;
  Location stop;

  explicit Plan(OpOperand *operand) : operand(operand), cut(operand->get()), stop(operand->getOwner()->getLoc()) {}
};

/// Finds the plan of one operand.
class Planner {
public:
  Planner(const Kept &kept, int64_t maxRowWidth) : kept(kept), maxRowWidth(maxRowWidth) {}

  /// `mayWiden`: the region may be given 16-bit rows, which it extends itself.
  Plan plan(OpOperand *operand, bool mayWiden);

private:
  /// The row operands of an operation that can sink.
  FailureOr<SmallVector<Value>> sinkProducer(Operation *op, std::string &reason);
  /// Whether a region can be given the rows of `value` in place of those of `operand`.
  LogicalResult checkCut(Value value, Value operand, bool mayWiden, std::string &reason);

  const Kept &kept;
  int64_t maxRowWidth;
};
} // namespace

static std::string quoted(Operation *op) { return ("'" + op->getName().getStringRef() + "'").str(); }

/// Views cost nothing where they are: a kernel reads through strides.
static bool isView(Operation *op) { return isa<tensor::CastOp, tensor::ExtractSliceOp>(op); }

/// arith.extf, or linalg.generic that does only this to each element.
static bool isExtension(Operation *op) {
  if (isa<arith::ExtFOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 || generic.getNumReductionLoops() ||
      !llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return false;
  auto extend = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ExtFOp>();
  return extend && extend.getIn() == generic.getBody()->getArgument(0);
}

static SmallVector<RowwiseOperand> getKinds(Operation *op) {
  SmallVector<RowwiseOperand> kinds;
  std::string reason;
  (void)cast<RowwiseOpInterface>(op).classifyOperands(kinds, reason);
  return kinds;
}

/// Operations of `among` from producers to consumers, in an order that depends on the graph only and not on how it is
/// laid out in the block: regions of equal graphs become equal.
static SmallVector<Operation *> sortByUse(Value root, const SetVector<Operation *> &among) {
  SmallVector<Operation *> order;
  llvm::SmallPtrSet<Operation *, 16> seen;
  SmallVector<std::pair<Operation *, unsigned>> stack;
  auto visit = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (op && among.contains(op) && seen.insert(op).second)
      stack.push_back({op, 0});
  };
  visit(root);
  while (!stack.empty()) {
    auto &[op, next] = stack.back();
    if (next < op->getNumOperands()) {
      visit(op->getOperand(next++));
    } else {
      order.push_back(op);
      stack.pop_back();
    }
  }
  return order;
}

FailureOr<SmallVector<Value>> Planner::sinkProducer(Operation *op, std::string &reason) {
  if (auto keeps = kept.find(op); keeps != kept.end()) {
    reason = keeps->second;
    return failure();
  }
  auto rowwise = dyn_cast<RowwiseOpInterface>(op);
  if (!rowwise || !isMemoryEffectFree(op)) {
    reason = quoted(op) + (rowwise ? " has side effects" : " is not row-wise");
    return failure();
  }
  SmallVector<RowwiseOperand> kinds;
  if (failed(rowwise.classifyOperands(kinds, reason)))
    return failure();
  SmallVector<Value> rows;
  for (auto [operand, kind] : llvm::zip_equal(op->getOperands(), kinds))
    if (kind == RowwiseOperand::Row)
      rows.push_back(operand);
  return rows;
}

LogicalResult Planner::checkCut(Value value, Value operand, bool mayWiden, std::string &reason) {
  auto type = cast<RankedTensorType>(value.getType()), want = cast<RankedTensorType>(operand.getType());
  std::string text;
  llvm::raw_string_ostream os(text);
  if (type.getRank() != kRowDims + 1)
    os << "rows of rank " << type.getRank() << " are not [B, H, N, D]: " << type;
  else if (type.getElementType() != want.getElementType() &&
           (!mayWiden || getAccumulatorType(type.getElementType()) != want.getElementType()))
    os << "rows of " << type.getElementType() << " are not rows of " << want.getElementType();
  else if (type.isDynamicDim(kRowDims) || type.getDimSize(kRowDims) == 0)
    os << "the head dimension of " << type << " is not static and positive";
  else if (type.getDimSize(kRowDims) > std::max(maxRowWidth, want.getDimSize(kRowDims)))
    os << "rows of " << type.getDimSize(kRowDims) << " columns are wider than max-row-width (" << maxRowWidth << ")";
  reason = text;
  return success(text.empty());
}

/// Why rows do not come from deeper than `frontier`, none of which is produced in the operation's block; empty for an
/// argument of a function.
static std::string explainSources(const SetVector<Value> &frontier) {
  if (frontier.empty())
    return "features do not depend on rows";
  if (frontier.size() > 1)
    return "features depend on rows of " + std::to_string(frontier.size()) + " tensors";
  if (Operation *producer = frontier.front().getDefiningOp())
    return quoted(producer) + " stands in another block";
  Operation *parent = cast<BlockArgument>(frontier.front()).getOwner()->getParentOp();
  return isa<FunctionOpInterface>(parent) ? "" : "rows are an argument of " + quoted(parent);
}

Plan Planner::plan(OpOperand *operand, bool mayWiden) {
  Plan plan(operand);
  Block *block = operand->getOwner()->getBlock();
  SetVector<Value> frontier;
  frontier.insert(operand->get());
  SetVector<Operation *> sunk, best;
  size_t stored = 0, bestStored = 0; // tensors that need not be stored any more
  while (true) {
    // The last producer: all of its consumers among the sunk operations have been seen.
    Operation *last = nullptr;
    for (Value value : frontier)
      if (Operation *producer = value.getDefiningOp(); producer && producer->getBlock() == block)
        if (!last || last->isBeforeInBlock(producer))
          last = producer;
    if (!last) {
      std::string reason = explainSources(frontier);
      // What made the last cut illegal stands, unless the rows are cut there or behind it are only views.
      if (!reason.empty() || stored == bestStored) {
        plan.reason = reason;
        plan.stop = operand->getOwner()->getLoc();
      }
      break;
    }
    FailureOr<SmallVector<Value>> rows = sinkProducer(last, plan.reason);
    if (failed(rows)) {
      plan.stop = last->getLoc();
      break;
    }
    frontier.remove(last->getResult(0));
    frontier.insert(rows->begin(), rows->end());
    sunk.insert(last);
    stored += !isView(last);
    if (frontier.size() != 1)
      continue;
    if (failed(checkCut(frontier.front(), operand->get(), mayWiden, plan.reason))) {
      auto reads = [&](Operation *user) { return sunk.contains(user); };
      plan.stop = (*llvm::find_if(frontier.front().getUsers(), reads))->getLoc();
    } else if (stored > bestStored) {
      plan.cut = frontier.front();
      best = sunk;
      bestStored = stored;
    }
  }
  plan.sunk = sortByUse(operand->get(), best);
  return plan;
}

//===----------------------------------------------------------------------===//
// What outside keeps
//===----------------------------------------------------------------------===//

/// Adds to `kept` the operations that plans sink although something else needs their result; true if there are some.
static bool findKept(ArrayRef<Plan> plans, Kept &kept) {
  llvm::SmallPtrSet<OpOperand *, 8> replaced;
  llvm::SmallPtrSet<Operation *, 8> copied;
  SetVector<Operation *> sunk;
  for (const Plan &plan : plans) {
    if (!plan.sunk.empty())
      replaced.insert(plan.operand);
    sunk.insert(plan.sunk.begin(), plan.sunk.end());
  }
  // Consumers before producers, so that what they keep is known. Operations of different blocks are independent.
  SmallVector<Operation *> order(sunk.getArrayRef());
  llvm::sort(order, [](Operation *a, Operation *b) {
    return a->getBlock() == b->getBlock() ? b->isBeforeInBlock(a) : std::less<>()(a->getBlock(), b->getBlock());
  });
  bool found = false;
  for (Operation *op : order)
    for (OpOperand &use : op->getUses()) {
      Operation *user = use.getOwner();
      auto dim = dyn_cast<tensor::DimOp>(user);
      if (replaced.contains(&use) || (dim && dim.getConstantIndex()) ||
          (sunk.contains(user) && !kept.contains(user) && !copied.contains(user)))
        continue;
      if (isExtension(op)) { // nothing to compute twice, and half as much to read
        copied.insert(op);
        break;
      }
      size_t users = llvm::SmallPtrSet<Operation *, 4>(op->user_begin(), op->user_end()).size();
      kept[op] = quoted(op) + " has " + std::to_string(users) + (users == 1 ? " user" : " users") + ", and " +
                 quoted(user) + " keeps its result";
      found = true;
      break;
    }
  return found;
}

/// Reads the sizes of sunk results from the rows that they were made of.
static void replaceDims(Operation *op) {
  Value result = op->getResult(0);
  for (Operation *user : llvm::make_early_inc_range(result.getUsers())) {
    auto dim = dyn_cast<tensor::DimOp>(user);
    std::optional<int64_t> index = dim ? dim.getConstantIndex() : std::nullopt;
    auto type = cast<RankedTensorType>(result.getType());
    if (!index || *index < 0 || *index >= type.getRank())
      continue;
    OpBuilder b(dim);
    Value size;
    if (!type.isDynamicDim(*index)) {
      size = arith::ConstantIndexOp::create(b, dim.getLoc(), type.getDimSize(*index));
    } else {
      auto [origin, originDim] = getRowDimOrigin(result, *index);
      size = originDim < 0 ? origin : tensor::DimOp::create(b, dim.getLoc(), origin, originDim).getResult();
    }
    dim.replaceAllUsesWith(size);
    dim.erase();
  }
}

/// Erases what has no use any more, from `ops` to what only they used.
static void eraseDead(SetVector<Operation *> ops) {
  while (!ops.empty()) {
    Operation *op = ops.pop_back_val();
    if (!isOpTriviallyDead(op))
      continue;
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        ops.insert(producer);
    op->erase();
  }
}

//===----------------------------------------------------------------------===//
// Sinking
//===----------------------------------------------------------------------===//

namespace {
/// Rewrites one operation and its regions.
class Sinker {
public:
  explicit Sinker(FeatureMapOpInterface op) : op(op) {}
  void sink(ArrayRef<Plan> plans);

private:
  unsigned getParameter(Value value, RowwiseOperand kind);
  void sink(const Plan &plan, size_t index);

  FeatureMapOpInterface op;
  /// The numbers of the parameters that give a value to regions: by heads, or whole to all heads.
  llvm::DenseMap<Value, unsigned> byHead, shared;
};
} // namespace

/// The number of the parameter that gives `value` to regions; appended if there is none.
unsigned Sinker::getParameter(Value value, RowwiseOperand kind) {
  bool isShared = kind == RowwiseOperand::Shared;
  unsigned number = op.getFeatureParameters().size();
  auto [known, isNew] = (isShared ? shared : byHead).try_emplace(value, number);
  if (!isNew)
    return known->second;
  if (isShared) { // [...] -> [1, ...]: the slice of every head
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape{1};
    llvm::append_range(shape, type.getShape());
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      groups.push_back(dim == 0 ? ReassociationIndices{0, 1} : ReassociationIndices{dim + 1});
    OpBuilder b(op);
    value = tensor::ExpandShapeOp::create(b, op->getLoc(), RankedTensorType::get(shape, type.getElementType()), value,
                                          groups);
  }
  op.getFeatureParametersMutable().append(value);
  auto type = cast<RankedTensorType>(value.getType());
  auto slice = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  for (Region &region : op->getRegions())
    if (!region.empty())
      region.addArgument(slice, value.getLoc());
  return number;
}

/// Sinks into the region of one of the feature operands.
void Sinker::sink(const Plan &plan, size_t index) {
  auto [operand, region] = op.getFeatureOperands()[index];
  Value mapped = operand->get();
  Block &block = region->front();
  OpBuilder b = OpBuilder::atBlockBegin(&block);
  Location loc = op->getLoc();
  BlockArgument oldTile = block.getArgument(0);
  BlockArgument tile = block.insertArgument(0u, getTileType(plan.cut.getType()), oldTile.getLoc());
  oldTile = block.getArgument(1);
  Value rows = tensor::DimOp::create(b, loc, tile, 0);

  IRMapping mapping, constants;
  mapping.map(plan.cut, tile);
  auto cloneConstant = [&](Value value) {
    if (!constants.contains(value))
      b.clone(*value.getDefiningOp(), constants);
    return constants.lookup(value);
  };
  for (Operation *producer : plan.sunk) {
    SmallVector<Value> operands;
    for (auto [operand, kind] : llvm::zip_equal(producer->getOperands(), getKinds(producer))) {
      SplatElementsAttr splat;
      if (kind == RowwiseOperand::Initial)
        operands.push_back(nullptr);
      else if (kind == RowwiseOperand::Row)
        operands.push_back(mapping.lookup(operand));
      else if (kind == RowwiseOperand::Constant ||
               (kind == RowwiseOperand::Shared && cast<RankedTensorType>(operand.getType()).getRank() <= 1 &&
                matchPattern(operand, m_Constant(&splat)))) // one number: kernels fold it
        operands.push_back(cloneConstant(operand));
      else
        operands.push_back(block.getArgument(2 + getParameter(operand, kind))); // behind both tiles
    }
    mapping.map(producer->getResult(0), cast<RowwiseOpInterface>(producer).cloneOnTile(b, rows, operands));
  }

  // The tile has as many rows as before.
  for (Operation *user : llvm::make_early_inc_range(oldTile.getUsers()))
    if (auto dim = dyn_cast<tensor::DimOp>(user); dim && dim.getConstantIndex() == 0) {
      dim.replaceAllUsesWith(rows);
      dim.erase();
    }
  oldTile.replaceAllUsesWith(mapping.lookup(mapped));
  block.eraseArgument(1);
  SetVector<Operation *> unused;
  unused.insert(rows.getDefiningOp());
  eraseDead(unused);
  op.getFeatureOperands()[index].first->set(plan.cut); // new parameters may have moved the operands
}

void Sinker::sink(ArrayRef<Plan> plans) {
  if (llvm::all_of(plans, [](const Plan &plan) { return plan.sunk.empty(); }))
    return;
  for (auto [i, parameter] : llvm::enumerate(op.getFeatureParameters())) {
    byHead.try_emplace(parameter, i);
    auto expand = parameter.getDefiningOp<tensor::ExpandShapeOp>();
    if (expand && expand.getResultType().getDimSize(0) == 1 &&
        expand.getResultType().getShape().drop_front() == expand.getSrcType().getShape())
      shared.try_emplace(expand.getSrc(), i);
  }
  // Operands with different plans cannot share a region; regions that end equal are merged by canonicalization.
  op.separateFeatureRegions();
  for (auto [index, plan] : llvm::enumerate(plans))
    if (!plan.sunk.empty())
      sink(plan, index);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct FuseFeatureMapPass : bochner::impl::FuseFeatureMapPassBase<FuseFeatureMapPass> {
  using FuseFeatureMapPassBase::FuseFeatureMapPassBase;

  void runOnOperation() override {
    SmallVector<FeatureMapOpInterface> ops;
    getOperation()->walk([&](FeatureMapOpInterface op) { ops.push_back(op); });

    // A kept operation shortens plans, which may keep more.
    Kept kept;
    SmallVector<Plan> plans;
    do {
      plans.clear();
      Planner planner(kept, maxRowWidth);
      for (FeatureMapOpInterface op : ops)
        planOperands(planner, op, plans);
    } while (findKept(plans, kept));

    report(plans);
    SetVector<Operation *> sunk;
    for (const Plan &plan : plans)
      sunk.insert(plan.sunk.begin(), plan.sunk.end());
    for (Operation *op : sunk)
      replaceDims(op);
    ArrayRef<Plan> rest(plans);
    for (FeatureMapOpInterface op : ops) {
      size_t count = op.getFeatureOperands().size();
      Sinker(op).sink(rest.take_front(count));
      rest = rest.drop_front(count);
    }
    eraseDead(sunk);
  }

private:
  /// Queries and keys keep one element type: both are given 16-bit rows, or none.
  static void planOperands(Planner &planner, FeatureMapOpInterface op, SmallVectorImpl<Plan> &plans) {
    size_t first = plans.size();
    for (bool mayWiden : {true, false}) {
      plans.truncate(first);
      for (auto [operand, region] : op.getFeatureOperands())
        plans.push_back(planner.plan(operand, mayWiden));
      if (llvm::all_equal(llvm::map_range(ArrayRef(plans).drop_front(first),
                                          [](const Plan &plan) { return getElementTypeOrSelf(plan.cut.getType()); })))
        return;
    }
  }

  void report(ArrayRef<Plan> plans) {
    auto options = [](StringRef name) { return remark::RemarkOpts::name(name).category(DEBUG_TYPE); };
    llvm::DenseSet<std::pair<Location, StringRef>> said;
    for (const Plan &plan : plans) {
      Operation *owner = plan.operand->getOwner();
      if (!plan.sunk.empty())
        remark::passed(owner->getLoc(), options("Fused"))
            << "fused: " + std::to_string(plan.sunk.size()) +
                   (plan.sunk.size() == 1 ? " producer of operand " : " producers of operand ") +
                   std::to_string(plan.operand->getOperandNumber()) + " of " + quoted(owner);
      if (!plan.reason.empty() && said.insert({plan.stop, plan.reason}).second)
        remark::missed(plan.stop, options("NotFused")) << "not fused: " + plan.reason;
    }
  }
};
} // namespace

void bochner::buildFusion(OpPassManager &pm) {
  pm.addPass(createExpandKernelAlgebraPass());
  pm.addPass(createFoldProjectionsPass());
  pm.addPass(createFoldConstantsPass());
  pm.addPass(createFuseFeatureMapPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
