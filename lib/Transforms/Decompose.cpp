//===- Decompose.cpp - spectral-decompose ---------------------------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The second, independent route: writes spectral operations out as linalg, arith, math, tensor and scf on tensors, with
// features stored. Input: any graph. Output: the same without spectral operations on tensors, or without those
// that the option `ops` names; outlined kernels and their launches stay. DecomposeFeatures.cpp has the building blocks
// of feature maps, DecomposeAttention.cpp what owns feature regions, ReverseAttention.cpp gradients of attention,
// DecomposeRandom.cpp random numbers.
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/Decompose.h"
#include "lib/Analysis/FeatureAdjoint.h"
#include "lib/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bochner {
#define GEN_PASS_DEF_DECOMPOSEPASS
#include "lib/Passes.h.inc"
} // namespace bochner

using namespace mlir;
using namespace bochner::spectral;
using bochner::decompose::Indexed;
using bochner::decompose::TensorBuilder;

//===----------------------------------------------------------------------===//
// TensorBuilder
//===----------------------------------------------------------------------===//

Value TensorBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }

Value TensorBuilder::real(Type element, double value) {
  return arith::ConstantOp::create(*this, getFloatAttr(element, value));
}

Value TensorBuilder::minusInfinity(Type element) {
  auto value = APFloat::getInf(cast<FloatType>(element).getFloatSemantics(), /*Negative=*/true);
  return arith::ConstantOp::create(*this, getFloatAttr(element, value));
}

Value TensorBuilder::dim(Value tensor, int64_t dim) { return createOrFold<tensor::DimOp>(tensor, dim); }

TensorBuilder::Sizes TensorBuilder::sizes(Value tensor) { return tensor::getMixedSizes(*this, getLoc(), tensor); }

Value TensorBuilder::empty(ArrayRef<OpFoldResult> sizes, Type element) {
  return tensor::EmptyOp::create(*this, sizes, element);
}

Value TensorBuilder::filled(ArrayRef<OpFoldResult> sizes, Value value) {
  return linalg::FillOp::create(*this, value, empty(sizes, value.getType())).getResult(0);
}

Value TensorBuilder::emptyRows(Value like, int64_t count) {
  Sizes extents = sizes(like);
  extents.back() = getIndexAttr(count);
  return empty(extents, getElementTypeOrSelf(like.getType()));
}

Value TensorBuilder::loops(StringRef order, ArrayRef<Indexed> inputs, const Indexed &output, Body body) {
  auto mapOf = [&](StringRef dims) {
    SmallVector<AffineExpr> results;
    for (char letter : dims)
      results.push_back(getAffineDimExpr(order.find(letter)));
    return AffineMap::get(order.size(), 0, results, getContext());
  };
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (const Indexed &input : inputs) {
    tensors.push_back(input.tensor);
    maps.push_back(mapOf(input.dims));
  }
  maps.push_back(mapOf(output.dims));
  SmallVector<utils::IteratorType> iterators;
  for (char letter : order)
    iterators.push_back(StringRef(output.dims).contains(letter) ? utils::IteratorType::parallel
                                                                : utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(*this, output.tensor.getType(), tensors, output.tensor, maps, iterators,
                                           [&](OpBuilder &nested, Location loc, ValueRange elements) {
                                             TensorBuilder b(loc, nested);
                                             linalg::YieldOp::create(b, body(b, elements));
                                           });
  return generic.getResult(0);
}

Value TensorBuilder::contract(StringRef order, ArrayRef<Indexed> inputs, const Indexed &output) {
  return loops(order, inputs, output, [](TensorBuilder &b, ValueRange elements) {
    Value product = elements.front();
    for (Value factor : elements.drop_front().drop_back())
      product = b.multiply(product, factor);
    return b.add(elements.back(), product);
  });
}

std::string TensorBuilder::letters(int64_t count) {
  std::string letters;
  for (int64_t i = 0; i < count; ++i)
    letters += char('A' + i);
  return letters;
}

std::string TensorBuilder::leading(Value tensor) {
  return letters(cast<RankedTensorType>(tensor.getType()).getRank() - 1);
}

Value TensorBuilder::convert(Value tensor, Type element) {
  Type from = getElementTypeOrSelf(tensor.getType());
  if (from == element)
    return tensor;
  std::string dims = letters(cast<RankedTensorType>(tensor.getType()).getRank());
  bool extend = from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth();
  return loops(dims, {{tensor, dims}}, {empty(sizes(tensor), element), dims},
               [&](TensorBuilder &b, ValueRange elements) -> Value {
                 if (extend)
                   return arith::ExtFOp::create(b, element, elements[0]);
                 return arith::TruncFOp::create(b, element, elements[0]);
               });
}

Value TensorBuilder::columns(Value tensor, int64_t first, int64_t count) {
  Sizes extents = sizes(tensor), offsets(extents.size(), getIndexAttr(0)), strides(extents.size(), getIndexAttr(1));
  extents.back() = getIndexAttr(count);
  offsets.back() = getIndexAttr(first);
  return tensor::ExtractSliceOp::create(*this, tensor, offsets, extents, strides);
}

Value TensorBuilder::writeColumns(Value tensor, int64_t first, int64_t count, function_ref<Value(Value)> write) {
  // Reading the destination from the tensor lets bufferization write in place.
  auto slice = columns(tensor, first, count).getDefiningOp<tensor::ExtractSliceOp>();
  return tensor::InsertSliceOp::create(*this, write(slice), tensor, slice.getMixedOffsets(), slice.getMixedSizes(),
                                       slice.getMixedStrides());
}

Value TensorBuilder::add(Value left, Value right) { return arith::AddFOp::create(*this, left, right); }
Value TensorBuilder::subtract(Value left, Value right) { return arith::SubFOp::create(*this, left, right); }
Value TensorBuilder::multiply(Value left, Value right) { return arith::MulFOp::create(*this, left, right); }
Value TensorBuilder::divide(Value left, Value right) { return arith::DivFOp::create(*this, left, right); }
Value TensorBuilder::maximum(Value left, Value right) { return arith::MaximumFOp::create(*this, left, right); }
Value TensorBuilder::exp(Value value) { return math::ExpOp::create(*this, value); }

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
/// The operations that can be written out.
template <typename... Ops> struct OpList {
  static bool contains(StringRef name) { return ((name == Ops::getOperationName()) || ...); }
  static SmallVector<Value> write(TensorBuilder &b, Operation *op) {
    return llvm::TypeSwitch<Operation *, SmallVector<Value>>(op).template Case<Ops...>(
        [&](auto concrete) { return SmallVector<Value>{bochner::decompose::write(b, concrete)}; });
  }
};
using Writable = OpList<TrigOp, LogPositiveOp, HadamardOp, PermuteOp, FastfoodOp, ConstantFeatureOp, KernelSumOp,
                        KernelProductOp, GaussianFrequenciesOp, FeatureMapOp, LinearAttentionOp, LinearAttentionGradOp,
                        ExactAttentionOp, AttentionStateOp, ApplyStateOp, MergeStatesOp, RandomBitsOp, RandomNormalOp,
                        RandomOrthogonalOp, RandomPermutationOp, RandomSignsOp, DropoutOp>;

/// Operations that read and write one element type and know nothing of accumulators.
bool isBuildingBlock(Operation *op) {
  return isa<TrigOp, LogPositiveOp, HadamardOp, FastfoodOp, ConstantFeatureOp, KernelSumOp, KernelProductOp,
             GaussianFrequenciesOp>(op);
}

/// Lets an operation on 16-bit numbers compute in f32.
void widen(TensorBuilder &b, Operation *op) {
  auto isShort = [](Type type) {
    return isa<FloatType>(getElementTypeOrSelf(type)) && getElementTypeOrSelf(type).getIntOrFloatBitWidth() < 32;
  };
  for (OpOperand &operand : op->getOpOperands())
    if (isShort(operand.get().getType()))
      operand.set(b.convert(operand.get(), b.getF32Type()));
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (isShort(result))
    op->getResult(0).setType(result.clone(b.getF32Type()));
}

} // namespace

void bochner::decompose::replace(Operation *op) {
  TensorBuilder b(op->getLoc(), op);
  SmallVector<Type> types(op->getResultTypes());
  if (isBuildingBlock(op))
    widen(b, op);
  SmallVector<Value> values = Writable::write(b, op);
  for (auto [value, result, type] : llvm::zip_equal(values, op->getResults(), types)) {
    value = b.convert(value, getElementTypeOrSelf(type));
    if (value.getType() != type)
      value = tensor::CastOp::create(b, type, value);
    result.replaceAllUsesWith(value);
  }
  op->erase();
}

namespace {
struct DecomposePass : bochner::impl::DecomposePassBase<DecomposePass> {
  using DecomposePassBase::DecomposePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    only.clear();
    for (StringRef name : ops) {
      if (!Writable::contains(("spectral." + name).str()))
        return emitError(UnknownLoc::get(context)) << "expected 'ops' to name operations of the dialect 'spectral' on "
                                                      "tensors, without the prefix, but got '"
                                                   << name << "'";
      only.insert(name);
    }
    return success();
  }

  void runOnOperation() override {
    SmallVector<Operation *> work;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      auto attention = dyn_cast<LinearAttentionOp>(op);
      if (op->hasAttr(kKernelAttr) || (keepAttention && attention && bochner::whyNoAdjoint(attention).empty()))
        return WalkResult::skip();
      if (Writable::contains(op->getName().getStringRef()) &&
          (only.empty() || only.contains(op->getName().stripDialect())) &&
          !(keepDifferentiable && !attention && isa<ReverseDifferentiableOpInterface>(op)))
        work.push_back(op);
      return WalkResult::advance();
    });
    // Inner operations first: a region is copied once its own operations are written out.
    for (Operation *op : llvm::reverse(work))
      bochner::decompose::replace(op);
  }

private:
  llvm::StringSet<> only;
};
} // namespace
