//===- Bufferize.cpp - tensors to buffers ---------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: functions on tensors that launch kernel functions on buffers. Output: functions on buffers; public ones
// receive a destination for each result. One-shot bufferization of MLIR decides what is updated in place. Before it
// runs, each result is tied to its destination, so that the operation that computes it writes there.
//
//===----------------------------------------------------------------------===//
#include "lib/Conversion/Buffers.h"
#include "lib/Conversion/InPlace.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/ControlFlow/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/IR/IRMapping.h"

namespace bochner {
#define GEN_PASS_DEF_BUFFERIZEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace mlir::bufferization;
using namespace bochner;
using namespace bochner::spectral;

/// memref.cast to `type` if it loses nothing; otherwise null.
static Value castBuffer(OpBuilder &b, Location loc, Value buffer, MemRefType type) {
  auto source = cast<MemRefType>(buffer.getType());
  if (source == type)
    return buffer;
  // A cast may assert an offset that the buffer does not have; only widen.
  auto [strides, offset] = source.getStridesAndOffset();
  auto [wantedStrides, wantedOffset] = type.getStridesAndOffset();
  auto widens = [](int64_t from, int64_t to) { return to == from || ShapedType::isDynamic(to); };
  if (!widens(offset, wantedOffset) || !llvm::all_of_zip(strides, wantedStrides, widens))
    return {};
  return memref::CastOp::create(b, loc, type, buffer);
}

namespace {
/// launch @kernel ins(%a) outs(%b) -> call @kernel(buffer of %a, buffer of %b). The kernel writes all of its outputs
/// and reads nothing of them.
struct LaunchModel : DstBufferizableOpInterfaceExternalModel<LaunchModel, LaunchOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    return !cast<LaunchOp>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &b, const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto launch = cast<LaunchOp>(op);
    Location loc = op->getLoc();
    auto kernel = SymbolTable::lookupNearestSymbolFrom<FunctionOpInterface>(op, launch.getKernelAttr());
    if (!kernel || kernel.getNumArguments() != op->getNumOperands() ||
        !llvm::all_of(kernel.getArgumentTypes(), llvm::IsaPred<MemRefType>)) {
      InFlightDiagnostic error = op->emitOpError() << "expected kernel " << launch.getKernelAttr()
                                                   << " to be a function on buffers of the inputs and outputs";
      error.attachNote() << "likely cause: the pass that emits kernels of the target has not run";
      return error;
    }
    SmallVector<Value> arguments, results;
    SmallVector<std::pair<Value, Value>> copiesBack;
    for (auto [operand, type] : llvm::zip_equal(op->getOpOperands(), kernel.getArgumentTypes())) {
      FailureOr<Value> buffer = getBuffer(b, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      bool output = launch.isDpsInit(&operand);
      if (output)
        results.push_back(*buffer);
      Value argument = castBuffer(b, loc, *buffer, cast<MemRefType>(type));
      if (!argument) {
        // The kernel asks for a layout that this view does not have.
        auto packed = MemRefType::get(cast<MemRefType>(type).getShape(), cast<MemRefType>(type).getElementType());
        SmallVector<Value> sizes;
        for (auto [dim, size] : llvm::enumerate(packed.getShape()))
          if (ShapedType::isDynamic(size))
            sizes.push_back(memref::DimOp::create(b, loc, *buffer, dim));
        Value copy = memref::AllocOp::create(b, loc, packed, sizes, b.getI64IntegerAttr(kBufferAlignment));
        if (output)
          copiesBack.push_back({copy, *buffer});
        else
          linalg::CopyOp::create(b, loc, *buffer, copy);
        argument = castBuffer(b, loc, copy, cast<MemRefType>(type));
        if (!argument)
          return op->emitOpError() << "expected kernel " << launch.getKernelAttr()
                                   << " to take buffers of any strides, but got " << type;
      }
      arguments.push_back(argument);
    }
    func::CallOp::create(b, loc, launch.getKernelAttr(), TypeRange(), arguments);
    for (auto [from, to] : copiesBack)
      linalg::CopyOp::create(b, loc, from, to);
    replaceOpWithBufferizedValues(b, op, results);
    return success();
  }
};

struct Bufferize : bochner::impl::BufferizePassBase<Bufferize> {
  using BufferizePassBase::BufferizePassBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<BufferizationDialect, linalg::LinalgDialect, memref::MemRefDialect>();
    registerBufferizationModels(registry);
  }
  void runOnOperation() override;

private:
  LogicalResult passResultsInDestinations(func::FuncOp function);
  void separate(OpOperand &result, llvm::DenseSet<Value> &others);
  void carryInPlace(scf::ForOp loop);

  /// Numbers of arguments, and of the destinations of their next values.
  DenseMap<Operation *, SmallVector<std::pair<unsigned, unsigned>>> updates;
};
} // namespace

void bochner::registerBufferizationModels(DialectRegistry &registry) {
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  cf::registerBufferizableOpInterfaceExternalModels(registry);
  func_ext::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerSubsetOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
  registry.addExtension(
      +[](MLIRContext *context, SpectralDialect *) { LaunchOp::attachInterface<LaunchModel>(*context); });
}

/// Each result is computed in its destination, back to the empty tensor that it starts from. Results that start from
/// the same one, such as sums from the same zeros, would share a destination: all but the first get a copy.
void Bufferize::separate(OpOperand &result, llvm::DenseSet<Value> &others) {
  SmallVector<OpOperand *> updates{&result};
  SmallVector<Value> own;
  while (!updates.empty()) {
    OpOperand &use = *updates.pop_back_val();
    OpBuilder b(use.getOwner());
    auto value = dyn_cast<OpResult>(use.get());
    if (!value)
      continue;
    Operation *op = value.getOwner();
    bool isNew = isa<tensor::EmptyOp>(op);
    if (auto fill = dyn_cast<linalg::FillOp>(op); fill && others.contains(value)) {
      if (auto empty = fill.getOutputs().front().getDefiningOp<tensor::EmptyOp>()) {
        IRMapping map;
        b.setInsertionPoint(op);
        b.clone(*empty, map);
        use.set(b.clone(*op, map)->getResult(0));
        continue;
      }
    }
    if (others.contains(value)) {
      if (!isNew)
        use.set(AllocTensorOp::create(b, op->getLoc(), cast<RankedTensorType>(value.getType()),
                                      /*dynamicSizes=*/ValueRange(), /*copy=*/value));
      continue;
    }
    if (!isNew) // elimination replaces single uses of empty tensors
      own.push_back(value);
    if (auto style = dyn_cast<DestinationStyleOpInterface>(op))
      updates.push_back(style.getTiedOpOperand(value));
    else if (isa<tensor::InsertOp>(op))
      updates.push_back(&op->getOpOperand(1));
    else if (isa<tensor::CastOp, tensor::ExtractSliceOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
      updates.push_back(&op->getOpOperand(0));
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      updates.push_back(loop.getTiedLoopInit(value));
    else if (auto choice = dyn_cast<scf::IfOp>(op))
      for (Region &branch : choice->getRegions())
        updates.push_back(&branch.front().getTerminator()->getOpOperand(value.getResultNumber()));
  }
  others.insert_range(own);
}

/// func @f(%x) -> tensor { return %y } becomes func @f(%x, %out: memref) { materialize %y in %out; return }. Arguments
/// are the caller's and stay unchanged.
LogicalResult Bufferize::passResultsInDestinations(func::FuncOp function) {
  auto isTensor = llvm::IsaPred<RankedTensorType>;
  if (!llvm::all_of(function.getResultTypes(), isTensor))
    return function.emitError() << "expected results of public function '" << function.getName()
                                << "' to be ranked tensors, but got " << function.getResultTypes()
                                << "; return a scalar as a tensor of rank 0";
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (isTensor(type))
      function.setArgAttr(i, BufferizationDialect::kWritableAttrName, BoolAttr::get(&getContext(), false));

  size_t first = function.getNumArguments();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    NamedAttrList attributes(function.getResultAttrDict(i));
    if (auto updated = dyn_cast_or_null<StringAttr>(attributes.erase(kUpdatesAttr))) // of results
      for (size_t argument = 0; argument < first; ++argument)
        if (function.getArgAttr(argument, kNameAttr) == updated)
          updates[function].push_back({unsigned(argument), unsigned(first + i)});
    if (failed(function.insertArgument(first + i, getBoundaryType(cast<TensorType>(type)),
                                       attributes.getDictionary(&getContext()), function.getLoc())))
      return failure();
  }
  function.walk([&](func::ReturnOp op) {
    OpBuilder b(op);
    llvm::DenseSet<Value> others;
    llvm::DenseMap<Value, Value> apart; // a value may be several results
    for (OpOperand &result : op->getOpOperands()) {
      Value value = result.get();
      if (Value same = apart.lookup(value))
        result.set(same);
      else
        separate(result, others);
      apart[value] = result.get();
    }
    for (auto [value, destination] : llvm::zip_equal(op.getOperands(), function.getArguments().drop_front(first)))
      MaterializeInDestinationOp::create(b, op.getLoc(), /*result=*/Type(), value, destination, /*restrict=*/true,
                                         /*writable=*/true);
    op.getOperandsMutable().clear();
  });
  BitVector results(function.getNumResults(), true);
  return function.eraseResults(results);
}

static Value stripCasts(Value buffer) {
  while (auto cast = buffer.getDefiningOp<memref::CastOp>())
    buffer = cast.getSource();
  return buffer;
}

/// True if one-shot bufferization can compute `value` in the buffer of `start`: it is made of it by updates.
static bool isUpdateOf(Value value, Value start) {
  if (value == start)
    return true;
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return false;
  Operation *op = result.getOwner();
  if (auto style = dyn_cast<DestinationStyleOpInterface>(op)) {
    OpOperand *init = style.getTiedOpOperand(result);
    auto structured = dyn_cast<linalg::LinalgOp>(op); // one that does not read its destination may be given another
    return (!structured || structured.payloadUsesValueFromOperand(init)) && isUpdateOf(init->get(), start);
  }
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return isUpdateOf(insert.getDest(), start);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return isUpdateOf(cast.getSource(), start);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return isUpdateOf(loop.getTiedLoopInit(result)->get(), start);
  if (auto choice = dyn_cast<scf::IfOp>(op))
    return isUpdateOf(choice.thenYield().getOperand(result.getResultNumber()), start) &&
           isUpdateOf(choice.elseYield().getOperand(result.getResultNumber()), start);
  return false;
}

/// A loop has one buffer for each carried tensor. What it yields anew is copied there; if it yields one carried tensor
/// as another, by way of a temporary.
void Bufferize::carryInPlace(scf::ForOp loop) {
  Operation *yield = loop.getBody()->getTerminator();
  OpBuilder b(yield);
  Location loc = yield->getLoc();
  // Arithmetic on whole tensors names an operand as its destination, which others may read after it.
  for (auto structured : loop.getBody()->getOps<linalg::LinalgOp>())
    for (OpOperand &init : structured.getDpsInitsMutable()) {
      auto type = dyn_cast<RankedTensorType>(init.get().getType());
      if (!type || !llvm::is_contained(loop.getRegionIterArgs(), init.get()) ||
          structured.payloadUsesValueFromOperand(&init))
        continue;
      OpBuilder before(structured);
      auto sizes = tensor::getMixedSizes(before, loc, init.get());
      init.set(tensor::EmptyOp::create(before, loc, sizes, type.getElementType()));
    }
  auto isCarried = [&](OpOperand &operand) {
    return isa<RankedTensorType>(operand.get().getType()) &&
           !isUpdateOf(operand.get(), loop.getRegionIterArg(operand.getOperandNumber()));
  };
  for (OpOperand &operand : yield->getOpOperands())
    if (isCarried(operand) && llvm::is_contained(loop.getRegionIterArgs(), operand.get()))
      operand.set(AllocTensorOp::create(b, loc, cast<RankedTensorType>(operand.get().getType()),
                                        /*dynamicSizes=*/ValueRange(), /*copy=*/operand.get()));
  for (OpOperand &operand : yield->getOpOperands())
    if (isCarried(operand))
      operand.set(
          MaterializeInDestinationOp::create(b, loc, operand.get(), loop.getRegionIterArg(operand.getOperandNumber()))
              .getResult());
}

/// A group of dimensions with several dynamic sizes, such as batch and heads that were folded, as a view with these
/// sizes: what lowers memref.expand_shape in MLIR 22 takes one of them for computable, and crashes.
static void expandAsView(memref::ExpandShapeOp op) {
  MemRefType type = op.getResultType();
  auto groups = op.getReassociationIndices();
  if (llvm::none_of(groups, [&](ArrayRef<int64_t> group) {
        return llvm::count_if(group, [&](int64_t d) { return type.isDynamicDim(d); }) > 1;
      }))
    return;
  OpBuilder b(op);
  Location loc = op.getLoc();
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, op.getSrc());
  auto [staticStrides, staticOffset] = type.getStridesAndOffset();
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(), strides(type.getRank());
  for (auto [g, group] : llvm::enumerate(groups)) {
    Value stride = metadata.getStrides()[g];
    for (int64_t d : llvm::reverse(group)) {
      bool known = !ShapedType::isDynamic(staticStrides[d]);
      strides[d] = known ? OpFoldResult(b.getIndexAttr(staticStrides[d])) : OpFoldResult(stride);
      Value size = getValueOrCreateConstantIndexOp(b, loc, sizes[d]);
      stride = arith::MulIOp::create(b, loc, stride, size);
    }
  }
  OpFoldResult offset = metadata.getOffset();
  if (!ShapedType::isDynamic(staticOffset))
    offset = b.getIndexAttr(staticOffset);
  Value view = memref::ReinterpretCastOp::create(b, loc, type, op.getSrc(), offset, sizes, strides);
  op.replaceAllUsesWith(view);
  op.erase();
}

/// A slice that loses dimensions of size 1, as a view with the right strides: MLIR 22 tells from strides which ones go,
/// and where those are dynamic it takes the first ones. Of [1, 2, 1, 6], [1, 2, 6] would get the strides of [2, 1, 6].
static void dropDimsAsView(memref::SubViewOp op) {
  MemRefType type = op.getType();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<int64_t> shape;
  for (auto [dim, size] : llvm::enumerate(op.getStaticSizes()))
    if (!dropped.test(dim))
      shape.push_back(size);
  auto byShape = computeRankReductionMask(op.getStaticSizes(), type.getShape());
  if (ArrayRef(shape) == type.getShape() || !byShape)
    return;
  OpBuilder b(op);
  Location loc = op.getLoc();
  Value whole =
      memref::SubViewOp::create(b, loc, op.getSource(), op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides());
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, whole);
  SmallVector<OpFoldResult> sizes, strides;
  for (auto [dim, size, stride] : llvm::enumerate(op.getMixedSizes(), metadata.getConstifiedMixedStrides()))
    if (!byShape->contains(dim)) {
      sizes.push_back(size);
      strides.push_back(stride);
    }
  Value view = memref::ReinterpretCastOp::create(b, loc, metadata.getBaseBuffer(), metadata.getConstifiedMixedOffset(),
                                                 sizes, strides);
  if (view.getType() != type)
    view = memref::CastOp::create(b, loc, type, view);
  op.replaceAllUsesWith(view);
  op.erase();
}

void Bufferize::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  updates.clear();
  for (func::FuncOp function : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (!function.isPublic() || function.isExternal())
      continue;
    // A function that is also called inside keeps its form there: callers use a private copy.
    if (!SymbolTable::symbolKnownUseEmpty(function, module)) {
      func::FuncOp copy = function.clone();
      copy.setPrivate();
      StringAttr name = symbols.insert(copy);
      if (failed(SymbolTable::replaceAllSymbolUses(function, name, module)))
        return signalPassFailure();
    }
    if (failed(passResultsInDestinations(function)))
      return signalPassFailure();
  }

  module.walk([&](scf::ForOp loop) { carryInPlace(loop); });
  IRRewriter rewriter(&getContext());
  if (failed(eliminateEmptyTensors(rewriter, module)))
    return signalPassFailure();

  OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.functionArgTypeConverterFn = [](TensorLikeType type, Attribute, func::FuncOp,
                                          const BufferizationOptions &) -> BufferLikeType {
    return cast<BufferLikeType>(getBoundaryType(cast<TensorType>(type)));
  };
  // memref.copy of strided buffers would become a call of MLIR's runtime library.
  options.memCpyFn = [](OpBuilder &b, Location loc, Value from, Value to) {
    if (from != to)
      linalg::CopyOp::create(b, loc, from, to);
    return success();
  };
  BufferizationState state;
  if (failed(runOneShotModuleBufferize(module, options, state)))
    return signalPassFailure();
  removeBufferizationAttributesInModule(module);
  // What was materialized in place.
  module.walk([](linalg::CopyOp copy) {
    if (stripCasts(copy.getInputs().front()) == stripCasts(copy.getOutputs().front()))
      copy.erase();
  });
  module.walk([](memref::ExpandShapeOp op) { expandAsView(op); });
  module.walk([](memref::SubViewOp op) { dropDimsAsView(op); });
  for (auto function : module.getOps<func::FuncOp>()) {
    SmallVector<int64_t> arguments;
    for (auto [argument, destination] : updates.lookup(function))
      if (runsInPlace(function, function.getArgument(argument), function.getArgument(destination)))
        arguments.push_back(argument);
    if (!arguments.empty())
      function->setAttr(kInPlaceAttr, DenseI64ArrayAttr::get(&getContext(), arguments));
  }
}
