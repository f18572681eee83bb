//===- PlanMemory.cpp - allocations to places in a workspace --------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: functions on buffers with memref.alloc anywhere. Output: public functions that hold everything they call but
// tasks, and take their memory from one workspace argument; a companion for each computes how much they need.
//
// Places are computed twice, at the top of the function and in its companion, from bounds of sizes: an allocation in a
// loop has one place for all iterations. Sizes that depend on data have no bound and are refused.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Conversion/SizeBounds.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

namespace bochner {
#define GEN_PASS_DEF_PLANMEMORYPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;

//===----------------------------------------------------------------------===//
// Inlining
//===----------------------------------------------------------------------===//

/// Inlines calls of functions with bodies of one block, transitively; what is inlined already needs no care.
static LogicalResult inlineCalls(func::FuncOp function, SymbolTable &symbols) {
  SmallPtrSet<Operation *, 8> open;
  std::function<LogicalResult(Region &)> visit = [&](Region &region) -> LogicalResult {
    SmallVector<func::CallOp> calls;
    region.walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!callee || callee.isExternal())
        return call.emitOpError() << "expected " << call.getCalleeAttr() << " to be a function with a body";
      if (!open.insert(callee).second)
        return call.emitOpError() << "cannot call " << call.getCalleeAttr() << " recursively in compiled code";
      if (!callee.getBody().hasOneBlock())
        return call.emitOpError() << "expected the body of " << call.getCalleeAttr()
                                  << " to be one block; use scf.if and scf.for for its control flow";
      if (failed(visit(callee.getBody())))
        return failure();
      open.erase(callee);
      OpBuilder b(call);
      IRMapping mapping;
      mapping.map(callee.getArguments(), call.getOperands());
      Block &body = callee.getBody().front();
      for (Operation &op : body.without_terminator())
        b.clone(op, mapping);
      for (auto [result, value] : llvm::zip_equal(call.getResults(), body.getTerminator()->getOperands()))
        result.replaceAllUsesWith(mapping.lookupOrDefault(value));
      call.erase();
    }
    return success();
  };
  open.insert(function);
  return visit(function.getBody());
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

namespace {
/// A place in the workspace. Buffers may share it if their types and the bounds of their sizes are equal.
struct Slot {
  MemRefType type;
  SmallVector<Value> sizes; // bounds of the dynamic sizes, at the top of the function
  SmallVector<memref::AllocOp, 2> buffers;
  unsigned lastUse = 0; // of the buffers so far, as an index of top-level operations
};

struct PlanMemory : bochner::impl::PlanMemoryPassBase<PlanMemory> {
  using PlanMemoryPassBase::PlanMemoryPassBase;
  void runOnOperation() override;

private:
  LogicalResult plan(func::FuncOp entry, SymbolTable &symbols);
};

/// The first and last top-level operation that uses each allocation. In a function of several blocks everything is
/// live everywhere.
class Liveness {
public:
  Liveness(func::FuncOp function, ArrayRef<memref::AllocOp> allocs) {
    Block &block = function.getBody().front();
    BufferViewFlowAnalysis views(function);
    DenseMap<Operation *, unsigned> position;
    for (Operation &op : block)
      position.insert({&op, position.size()});
    for (memref::AllocOp alloc : allocs) {
      std::pair<unsigned, unsigned> range(0, UINT_MAX);
      if (function.getBody().hasOneBlock()) {
        range = {UINT_MAX, 0};
        for (Value alias : views.resolve(alloc.getResult()))
          for (Operation *user : alias.getUsers()) {
            unsigned at = position.lookup(block.findAncestorOpInBlock(*user));
            range = {std::min(range.first, at), std::max(range.second, at)};
          }
      }
      ranges[alloc] = range;
    }
  }
  std::pair<unsigned, unsigned> range(memref::AllocOp alloc) const { return ranges.lookup(alloc); }

private:
  DenseMap<Operation *, std::pair<unsigned, unsigned>> ranges;
};
} // namespace

/// Emits the offset of every slot, and behind the last one the total, which is returned.
static Value emitOffsets(OpBuilder &b, Location loc, ArrayRef<Slot> slots, ArrayRef<SmallVector<Value>> sizes,
                         SmallVectorImpl<Value> &offsets) {
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
  int64_t known = 0; // static sizes come first, so that their offsets are constants
  Value offset;
  for (auto [slot, dynamic] : llvm::zip_equal(slots, sizes)) {
    offsets.push_back(offset ? offset : constant(known));
    int64_t bytes = (slot.type.getElementTypeBitWidth() + 7) / 8;
    for (int64_t size : slot.type.getShape())
      if (!ShapedType::isDynamic(size))
        bytes *= size;
    if (dynamic.empty()) {
      known += llvm::alignTo(bytes, kBufferAlignment);
      continue;
    }
    Value size = constant(bytes);
    for (Value dim : dynamic)
      size = arith::MulIOp::create(b, loc, size, dim);
    Value padded = arith::AddIOp::create(b, loc, size, constant(kBufferAlignment - 1));
    Value aligned = arith::AndIOp::create(b, loc, padded, constant(-kBufferAlignment));
    offset = arith::AddIOp::create(b, loc, offset ? offset : constant(known), aligned);
  }
  return offset ? offset : constant(known);
}

LogicalResult PlanMemory::plan(func::FuncOp entry, SymbolTable &symbols) {
  entry.walk([](memref::DeallocOp op) { op.erase(); });
  SmallVector<memref::AllocOp> allocs;
  entry.walk([&](memref::AllocOp op) {
    if (op->use_empty())
      op.erase();
    else
      allocs.push_back(op);
  });
  if (allocs.empty())
    return success();

  Block &block = entry.getBody().front();
  Location loc = entry.getLoc();
  IRMapping arguments;
  for (BlockArgument argument : block.getArguments())
    arguments.map(argument, argument);

  Liveness liveness(entry, allocs);
  OpBuilder top = OpBuilder::atBlockBegin(&block);
  SizeBounds atTop(top, arguments);
  SmallVector<Slot> slots;
  // Static sizes first, so that their offsets are constants; then in the order of use, so that places can be reused.
  llvm::stable_sort(allocs, [&](memref::AllocOp left, memref::AllocOp right) {
    auto key = [&](memref::AllocOp op) {
      return std::make_pair(!op.getDynamicSizes().empty(), liveness.range(op).first);
    };
    return key(left) < key(right);
  });
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    if (!type.getLayout().isIdentity() || alloc.getAlignment().value_or(0) > uint64_t(kBufferAlignment))
      return alloc.emitOpError() << "expected a contiguous buffer with an alignment of at most " << kBufferAlignment
                                 << " bytes";
    SmallVector<Value> sizes;
    for (Value size : alloc.getDynamicSizes()) {
      sizes.push_back(atTop.bound(size));
      if (!sizes.back()) {
        InFlightDiagnostic error = alloc.emitOpError()
                                   << "expected the sizes of arguments to bound the size of a buffer";
        error.attachNote(atTop.culprit.getLoc()) << "it depends on this value";
        error.attachNote() << "likely cause: a tensor whose shape depends on data";
        return error;
      }
    }
    auto [first, last] = liveness.range(alloc);
    auto *slot = llvm::find_if(slots, [&, first = first](const Slot &slot) {
      return slot.lastUse < first && slot.type == type && slot.sizes == sizes;
    });
    if (slot == slots.end())
      slot = &slots.emplace_back(Slot{type, sizes, {}, 0});
    slot->buffers.push_back(alloc);
    slot->lastUse = last;
  }

  // The companion recomputes the sizes from its own arguments.
  OpBuilder atModule(entry->getContext());
  auto sizeType = atModule.getFunctionType(block.getArgumentTypes(), atModule.getI64Type());
  auto companion = func::FuncOp::create(loc, (entry.getName() + ".workspace").str(), sizeType);
  companion.setPrivate();
  symbols.insert(companion, std::next(entry->getIterator()));
  OpBuilder b = OpBuilder::atBlockBegin(companion.addEntryBlock());
  IRMapping companionArguments;
  companionArguments.map(block.getArguments(), companion.getArguments());
  SizeBounds inCompanion(b, companionArguments);
  SmallVector<SmallVector<Value>> topSizes, companionSizes;
  for (Slot &slot : slots) {
    topSizes.push_back(slot.sizes);
    for (Value &size : companionSizes.emplace_back(slot.buffers.front().getDynamicSizes()))
      size = inCompanion.bound(size);
  }
  SmallVector<Value> offsets;
  Value total = emitOffsets(b, loc, slots, companionSizes, offsets);
  total = arith::IndexCastOp::create(b, loc, b.getI64Type(), total);
  func::ReturnOp::create(b, loc, total);

  auto workspaceType = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  auto marker = b.getDictionaryAttr(b.getNamedAttr(kWorkspaceAttr, b.getUnitAttr()));
  unsigned index = entry.getNumArguments();
  if (failed(entry.insertArgument(index, workspaceType, marker, loc)))
    return failure();
  entry->setAttr(kWorkspaceSizeAttr, FlatSymbolRefAttr::get(companion));

  offsets.clear();
  emitOffsets(top, loc, slots, topSizes, offsets);
  for (auto [slot, offset] : llvm::zip_equal(slots, offsets))
    for (memref::AllocOp alloc : slot.buffers) {
      OpBuilder b(alloc);
      auto view = memref::ViewOp::create(b, alloc.getLoc(), slot.type, entry.getArgument(index), offset,
                                         alloc.getDynamicSizes());
      alloc.replaceAllUsesWith(view.getResult());
    }
  for (memref::AllocOp alloc : allocs) // only now: the builder may stand before one
    alloc.erase();
  return success();
}

void PlanMemory::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  SmallVector<Operation *> worklist;
  for (func::FuncOp entry : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (!entry.isPublic() || entry.isExternal())
      continue;
    if (failed(inlineCalls(entry, symbols)) || failed(plan(entry, symbols)))
      return signalPassFailure();
    worklist.push_back(entry);
  }

  // What entries still refer to is kept: companions, tasks, and what tasks call.
  llvm::SetVector<Operation *> kept(worklist.begin(), worklist.end());
  for (size_t i = 0; i < kept.size(); ++i) {
    auto uses = SymbolTable::getSymbolUses(kept[i]);
    for (const SymbolTable::SymbolUse &use : uses ? *uses : SymbolTable::UseRange({}))
      if (Operation *function = symbols.lookup(use.getSymbolRef().getRootReference()))
        kept.insert(function);
  }
  for (func::FuncOp function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (!kept.contains(function)) {
      symbols.erase(function);
      continue;
    }
    WalkResult result = function.walk([](memref::AllocOp op) {
      op.emitOpError() << "cannot allocate in a task; use its scratch or capture a buffer";
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
  }
}
