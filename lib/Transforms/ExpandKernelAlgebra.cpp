//===- ExpandKernelAlgebra.cpp - sums and products of kernels -------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes kernel_sum and kernel_product with row-wise operations that later passes know: columns side by side. Input:
// graphs and feature regions. Output: the same without these operations. The product of two positive maps of the same
// rows is again one projection, on the sums of their frequencies ("Random Features for Large-Scale Kernel Machines":
// the spectral distribution of a product of kernels is the convolution of theirs).
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Passes.h"
#include "lib/Transforms/Decompose.h"
#include "lib/Transforms/Projections.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

namespace bochner {
#define GEN_PASS_DEF_EXPANDKERNELALGEBRAPASS
#include "lib/Passes.h.inc"
} // namespace bochner

#define DEBUG_TYPE "spectral-expand-kernel-algebra"

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// kernel_sum(a, b, ...) -> the columns of sqrt(c_1) a, sqrt(c_2) b, ... side by side.
static Value expandSum(TensorBuilder &b, KernelSumOp op) {
  bool log = op.getDomain() == Domain::log;
  auto scale = [&](Value term, double weight) {
    if (weight == 1.0)
      return term;
    std::string dims = b.leading(term) + "f";
    Value factor = b.real(getElementTypeOrSelf(term.getType()), log ? 0.5 * std::log(weight) : std::sqrt(weight));
    return b.loops(
        dims, {{term, dims}}, {b.emptyRows(term, lastDim(term.getType())), dims},
        [&](TensorBuilder &b, ValueRange e) { return log ? b.add(e[0], factor) : b.multiply(e[0], factor); });
  };
  if (op.getTerms().size() == 1)
    return scale(op.getTerms()[0], op.getWeight(0));
  Value result = b.emptyRows(op.getTerms()[0], lastDim(op.getType()));
  int64_t first = 0;
  for (auto [i, term] : llvm::enumerate(op.getTerms())) {
    Value scaled = scale(term, op.getWeight(i));
    int64_t count = lastDim(term.getType());
    result = b.writeColumns(result, first, count, [&](Value) { return scaled; });
    first += count;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// kernel_product(a, b) -> the columns of a_1 b, a_2 b, ... side by side. Column i of a becomes a number for each row,
/// which is what feature programs can combine with all columns of b.
static Value writeBlocks(TensorBuilder &b, KernelProductOp op) {
  Value left = op.getLeft(), right = op.getRight();
  Type element = op.getType().getElementType();
  std::string rows = b.leading(left);
  int64_t count = lastDim(right.getType());
  Value result = b.emptyRows(left, lastDim(op.getType()));
  TensorBuilder::Sizes sizes = b.sizes(left);
  sizes.pop_back();
  Value zeros = b.filled(sizes, b.real(element, 0.0));
  for (int64_t i = 0, e = lastDim(left.getType()); i < e; ++i) {
    Value column = b.loops(rows + "i", {{b.columns(left, i, 1), rows + "i"}}, {zeros, rows},
                           [](TensorBuilder &b, ValueRange e) { return b.add(e[1], e[0]); });
    Value block = b.loops(rows + "j", {{column, rows}, {right, rows + "j"}}, {b.emptyRows(right, count), rows + "j"},
                          [&](TensorBuilder &b, ValueRange e) {
                            return op.getDomain() == Domain::log ? b.add(e[0], e[1]) : b.multiply(e[0], e[1]);
                          });
    result = b.writeColumns(result, i * count, count, [&](Value) { return block; });
  }
  return result;
}

/// Columns of `factor` repeated for all pairs (i, j): a product with a matrix of zeros and ones, which is a parameter.
static Value spread(TensorBuilder &b, Value factor, int64_t count, bool isLeft) {
  Type element = getElementTypeOrSelf(factor.getType());
  int64_t columns = lastDim(factor.getType()), others = count / columns;
  TensorBuilder::Sizes sizes{b.getIndexAttr(columns), b.getIndexAttr(isLeft ? columns : others),
                             b.getIndexAttr(isLeft ? others : columns)};
  Value zero = b.real(element, 0.0), one = b.real(element, 1.0);
  Value matrix = b.loops("kij", {}, {b.empty(sizes, element), "kij"}, [&](TensorBuilder &b, ValueRange) -> Value {
    Value row = linalg::IndexOp::create(b, 0), column = linalg::IndexOp::create(b, isLeft ? 1 : 2);
    Value same = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, row, column);
    return arith::SelectOp::create(b, same, one, zero);
  });
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}};
  return project(b, factor, tensor::CollapseShapeOp::create(b, matrix, groups));
}

/// kernel_product(a, b) -> (a E_1) (b E_2) with matrices of zeros and ones that repeat columns.
static Value spreadProduct(TensorBuilder &b, KernelProductOp op) {
  int64_t count = lastDim(op.getType());
  Value left = spread(b, op.getLeft(), count, true), right = spread(b, op.getRight(), count, false);
  std::string dims = b.leading(left) + "f";
  return b.loops(dims, {{left, dims}, {right, dims}}, {b.emptyRows(left, count), dims},
                 [&](TensorBuilder &b, ValueRange e) {
                   return op.getDomain() == Domain::log ? b.add(e[0], e[1]) : b.multiply(e[0], e[1]);
                 });
}

namespace {
/// A positive map of rows: exponents of a projection.
struct PositiveMap {
  LogPositiveOp op;
  Projection projection;
};
/// Two of the same rows; the product of their counts.
struct MergedProduct {
  PositiveMap left, right;
  int64_t count;
};
} // namespace

static FailureOr<PositiveMap> matchPositiveMap(Value features, std::string &reason) {
  auto op = features.getDefiningOp<LogPositiveOp>();
  if (!op) {
    reason = "a factor is not a 'spectral.log_positive'";
    return failure();
  }
  FailureOr<Projection> projection = matchProjection(op.getProjections(), reason);
  if (failed(projection))
    return failure();
  if (projection->rows != op.getRows()) {
    reason = "a factor projects other rows than those of its norm";
    return failure();
  }
  return PositiveMap{op, *projection};
}

/// Frequencies [h?, d, f] of all features of the map, -u included.
static Value allFrequencies(TensorBuilder &b, PositiveMap &map) {
  Value frequencies = map.projection.getParameter(b);
  if (!map.op.getSymmetric())
    return frequencies;
  int64_t count = lastDim(frequencies.getType());
  std::string dims = b.leading(frequencies) + "f";
  Value result = b.emptyRows(frequencies, 2 * count);
  result = b.writeColumns(result, 0, count, [&](Value) { return frequencies; });
  return b.writeColumns(result, count, count, [&](Value slice) {
    return b.loops(dims, {{frequencies, dims}}, {slice, dims},
                   [](TensorBuilder &b, ValueRange e) -> Value { return arith::NegFOp::create(b, e[0]); });
  });
}

/// Whether mergeProjections is possible.
static FailureOr<MergedProduct> matchMergedProduct(KernelProductOp op, std::string &reason) {
  if (op.getDomain() != Domain::log) {
    reason = "the product is not in domain<log>";
    return failure();
  }
  FailureOr<PositiveMap> left = matchPositiveMap(op.getLeft(), reason);
  if (failed(left))
    return failure();
  FailureOr<PositiveMap> right = matchPositiveMap(op.getRight(), reason);
  if (failed(right))
    return failure();
  if (left->projection.rows != right->projection.rows) {
    reason = "the factors map different rows";
    return failure();
  }
  MergedProduct merged{*left, *right, 0};
  if (llvm::MulOverflow<int64_t>(left->op.getCount(), right->op.getCount(), merged.count)) {
    reason = "the product of the counts overflows";
    return failure();
  }
  return merged;
}

/// kernel_product(log_positive(x A, x), log_positive(x B, x)) -> log_positive(x C, x) with C_(i, j) = A_i + B_j: norm
/// factors add up and counts multiply. Legal outside of feature regions, where C can be computed once a call.
static Value mergeProjections(TensorBuilder &b, MergedProduct &product) {
  PositiveMap *left = &product.left, *right = &product.right;
  Value a = allFrequencies(b, *left), c = allFrequencies(b, *right);
  std::string first = left->projection.perHead ? "hd" : "d", second = right->projection.perHead ? "hd" : "d";
  bool perHead = left->projection.perHead || right->projection.perHead;
  std::string both = perHead ? "hd" : "d";
  TensorBuilder::Sizes sizes = b.sizes(left->projection.perHead ? a : c);
  sizes.push_back(b.getIndexAttr(lastDim(c.getType())));
  sizes[sizes.size() - 2] = b.getIndexAttr(lastDim(a.getType()));
  Value sums = b.loops(both + "ij", {{a, first + "i"}, {c, second + "j"}},
                       {b.empty(sizes, getElementTypeOrSelf(a.getType())), both + "ij"},
                       [](TensorBuilder &b, ValueRange e) { return b.add(e[0], e[1]); });
  SmallVector<ReassociationIndices> groups;
  for (size_t dim = 0; dim < both.size(); ++dim)
    groups.push_back({int64_t(dim)});
  groups.push_back({int64_t(both.size()), int64_t(both.size()) + 1});
  Value frequencies = tensor::CollapseShapeOp::create(b, sums, groups);
  Value projections = project(b, left->projection.rows, frequencies);
  APFloat normFactor = left->op.getNormFactor() + right->op.getNormFactor();
  return LogPositiveOp::create(b, projections, left->projection.rows, normFactor, product.count, false);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct ExpandKernelAlgebraPass : bochner::impl::ExpandKernelAlgebraPassBase<ExpandKernelAlgebraPass> {
  using ExpandKernelAlgebraPassBase::ExpandKernelAlgebraPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<KernelSumOp, KernelProductOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) { // operands first, so that a product of products is one projection
      TensorBuilder b(op->getLoc(), op);
      Value value;
      if (auto sum = dyn_cast<KernelSumOp>(op))
        value = expandSum(b, sum);
      else
        value = expand(b, cast<KernelProductOp>(op));
      if (!value)
        return;
      if (value.getType() != op->getResult(0).getType())
        value = tensor::CastOp::create(b, op->getResult(0).getType(), value);
      op->replaceAllUsesWith(ValueRange(value));
      op->erase();
    }
    IRRewriter rewriter(&getContext());
    if (!ops.empty()) // the factors of a product that became one projection
      (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }

private:
  /// The way that takes the fewest multiplications a row; null after an error.
  Value expand(TensorBuilder &b, KernelProductOp op) {
    int64_t left = lastDim(op.getLeft().getType()), right = lastDim(op.getRight().getType());
    if (op->getParentOfType<FeatureMapOpInterface>()) { // parameters cannot be added there
      if (left <= maxRegionBlocks)
        return writeBlocks(b, op);
      InFlightDiagnostic error = op.emitError() << "expected 'left' of a product in a feature region to have at most "
                                                << int64_t(maxRegionBlocks) << " columns, but got " << left;
      error.attachNote() << "exchange the factors, or form the product outside of the region";
      signalPassFailure();
      return nullptr;
    }
    if (left <= maxBlocks) {
      report(op, "blocks", "one block of columns for each of " + std::to_string(left) + " features");
      return writeBlocks(b, op);
    }
    std::string reason;
    FailureOr<MergedProduct> merged = matchMergedProduct(op, reason);
    int64_t columns = left * right, spread = (left + right) * columns;
    if (succeeded(merged)) {
      int64_t depth = merged->left.projection.depth();
      if (depth * columns <= spread + (left + right) * depth) {
        report(op, "projection", "one projection");
        return mergeProjections(b, *merged);
      }
      reason = "that would take more multiplications a row";
    }
    report(op, "spread", "two projections on zeros and ones, and not one on frequencies: " + reason);
    return spreadProduct(b, op);
  }

  static void report(KernelProductOp op, StringRef name, const std::string &what) {
    remark::passed(op.getLoc(), remark::RemarkOpts::name(name).category(DEBUG_TYPE)) << "product expanded: " + what;
  }
};
} // namespace
