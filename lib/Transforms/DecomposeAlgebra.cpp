//===- DecomposeAlgebra.cpp - sums and products of kernels ----------------===//
//
// Part of Bochner, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of spectral-decompose: the features of sums and products of kernels, as the operations' documentation states
// them, with loops over all pairs of features.
//
//===----------------------------------------------------------------------===//
#include "dialect/VerifyUtils.h"
#include "lib/Transforms/Decompose.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace bochner;
using namespace bochner::spectral;
using bochner::decompose::TensorBuilder;

Value decompose::write(TensorBuilder &b, KernelSumOp op) {
  Value result = b.emptyRows(op.getTerms()[0], lastDim(op.getType()));
  std::string dims = b.leading(result) + "f";
  bool log = op.getDomain() == Domain::log;
  int64_t first = 0;
  for (auto [i, value] : llvm::enumerate(op.getTerms())) {
    Value term = value;
    int64_t count = lastDim(term.getType());
    double weight = op.getWeight(i);
    Value scale = b.real(getElementTypeOrSelf(term.getType()), log ? 0.5 * std::log(weight) : std::sqrt(weight));
    result = b.writeColumns(result, first, count, [&](Value slice) {
      return b.loops(dims, {{term, dims}}, {slice, dims}, [&](TensorBuilder &b, ValueRange elements) {
        return log ? b.add(elements[0], scale) : b.multiply(elements[0], scale);
      });
    });
    first += count;
  }
  return result;
}

Value decompose::write(TensorBuilder &b, KernelProductOp op) {
  Value left = op.getLeft(), right = op.getRight();
  auto type = op.getType();
  std::string leading = b.leading(left);
  TensorBuilder::Sizes sizes = b.sizes(left);
  sizes.push_back(b.getIndexAttr(lastDim(right.getType())));
  Value pairs = b.loops(
      leading + "ij", {{left, leading + "i"}, {right, leading + "j"}},
      {b.empty(sizes, type.getElementType()), leading + "ij"}, [&](TensorBuilder &b, ValueRange elements) {
        return op.getDomain() == Domain::log ? b.add(elements[0], elements[1]) : b.multiply(elements[0], elements[1]);
      });
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    groups.push_back({dim});
  groups.back().push_back(type.getRank());
  return tensor::CollapseShapeOp::create(b, pairs, groups);
}
