//===- Projections.cpp - products of rows with parameters -----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Projections.h. The indexing maps of the operation alone decide.
//
//===----------------------------------------------------------------------===//
#include "lib/Transforms/Projections.h"
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/RowwiseModels.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace bochner;
using bochner::decompose::TensorBuilder;

static bool isZeroFilled(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// Loops of a map that is a list of distinct loops.
static FailureOr<SmallVector<unsigned>> loopsOf(AffineMap map) {
  if (!map.isProjectedPermutation())
    return failure();
  SmallVector<unsigned> loops;
  for (AffineExpr expr : map.getResults())
    loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  return loops;
}

/// Rows [b, h, n, d], a parameter [h?, d, f] in any order, the result [b, h, n, f].
static FailureOr<Projection> matchOperands(linalg::LinalgOp op, unsigned rows) {
  auto left = loopsOf(op.getMatchingIndexingMap(op.getDpsInputOperand(rows)));
  auto right = loopsOf(op.getMatchingIndexingMap(op.getDpsInputOperand(1 - rows)));
  auto out = loopsOf(op.getMatchingIndexingMap(op.getDpsInitOperand(0)));
  if (failed(left) || failed(right) || failed(out) || left->size() != kRowDims + 1 || out->size() != kRowDims + 1 ||
      !std::equal(left->begin(), left->end() - 1, out->begin()) || llvm::is_contained(*out, left->back()) ||
      llvm::is_contained(*left, out->back()))
    return failure();
  Projection projection;
  projection.op = op;
  projection.rows = op.getDpsInputOperand(rows)->get();
  projection.parameter = op.getDpsInputOperand(1 - rows)->get();
  projection.fromZero = isZeroFilled(op.getDpsInitOperand(0)->get());
  projection.perHead = right->size() == 3;
  SmallVector<unsigned> want{left->back(), out->back()};
  if (projection.perHead)
    want.insert(want.begin(), (*out)[1]);
  if (right->size() != want.size())
    return failure();
  for (unsigned loop : want) {
    auto *at = llvm::find(*right, loop);
    if (at == right->end())
      return failure();
    projection.order.push_back(at - right->begin());
  }
  return projection;
}

FailureOr<Projection> bochner::matchAnyProjection(Operation *operation, std::string &reason) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(operation);
  reason = "a projection is expected to be the product of rows [B, H, N, D] with a parameter [D, F] or [H, D, F]";
  if (!op || op->getNumResults() != 1 || !linalg::isaContractionOpInterface(op) ||
      !isa<RankedTensorType>(op->getResult(0).getType()) || op.getNumDpsInputs() != 2)
    return failure();
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  for (OpOperand *input : op.getDpsInputOperands())
    if (!isa<RankedTensorType>(input->get().getType()) || getElementTypeOrSelf(input->get().getType()) != element ||
        !isa<FloatType>(element))
      return failure();
  for (unsigned rows : {0, 1}) // the factors commute
    if (FailureOr<Projection> projection = matchOperands(op, rows); succeeded(projection)) {
      if (ShapedType::isDynamic(projection->depth()) || ShapedType::isDynamic(projection->width())) {
        reason = "a projection has columns of dynamic size";
        return failure();
      }
      reason.clear();
      return projection;
    }
  return failure();
}

FailureOr<Projection> bochner::matchProjection(Value value, std::string &reason) {
  FailureOr<Projection> projection = matchAnyProjection(value.getDefiningOp(), reason);
  if (failed(projection))
    return failure();
  if (!projection->fromZero) {
    reason = "a projection starts from other values than zero";
    return failure();
  }
  return projection;
}

std::string Projection::letters(char depth, char width) const {
  std::string canonical = perHead ? std::string("h") : std::string();
  canonical += {depth, width};
  std::string stored = canonical;
  for (auto [i, dim] : llvm::enumerate(order))
    stored[dim] = canonical[i];
  return stored;
}

Value Projection::getParameter(TensorBuilder &b) const {
  std::string stored = letters('d', 'f'), canonical = perHead ? "hdf" : "df";
  if (stored == canonical)
    return parameter;
  TensorBuilder::Sizes sizes = b.sizes(parameter), ordered;
  for (int64_t dim : order)
    ordered.push_back(sizes[dim]);
  return b.loops(canonical, {{parameter, stored}},
                 {b.empty(ordered, getElementTypeOrSelf(parameter.getType())), canonical},
                 [](TensorBuilder &, ValueRange e) { return e[0]; });
}

Value bochner::project(TensorBuilder &b, Value rows, Value parameter) {
  bool perHead = cast<RankedTensorType>(parameter.getType()).getRank() == 3;
  TensorBuilder::Sizes sizes = b.sizes(rows);
  sizes.back() = b.getIndexAttr(spectral::lastDim(parameter.getType()));
  Value zeros = b.filled(sizes, b.real(getElementTypeOrSelf(rows.getType()), 0.0));
  return b.contract("bhndf", {{rows, "bhnd"}, {parameter, perHead ? "hdf" : "df"}}, {zeros, "bhnf"});
}
